//! The handle on the API: where it is, with which key, and how patient.

use std::sync::Arc;

use crate::http::{Net, Storage};
use crate::model::ApiKey;

use super::auth::KeyKind;

/// How patient calls are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Repeats what may be repeated, for up to 60 s in all.
    Patient,
    /// One attempt.
    Once,
    /// For the way out: one retry, 2 s an attempt, connections within 1 s.
    Urgent,
}

/// A call, for people: method and path, without host and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// HTTP method.
    pub method: &'static str,
    /// Path below the API base, such as `/builds/upload`.
    pub path: String,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A cheap handle on the API. Every method may be dropped at any await point without harm to later calls.
#[derive(Debug, Clone)]
pub struct Api {
    inner: Arc<Inner>,
    mode: Mode,
}

#[derive(Debug)]
struct Inner {
    net: Net,
    key: ApiKey,
}

impl Api {
    /// An API at `origin` (`https://nunu.ai`, without `/api`), patient.
    #[must_use]
    pub fn new(net: Net, origin: &str, project_id: Option<&str>, key: ApiKey) -> Self {
        let _ = (origin, project_id);
        Self { inner: Arc::new(Inner { net, key }), mode: Mode::Patient }
    }
    /// The same API, repeating what may be repeated for up to 60 s.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), mode: Mode::Patient }
    }
    /// The same API, one attempt a call: for polls, whose caller counts streaks.
    #[must_use]
    pub fn once(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), mode: Mode::Once }
    }
    /// The same API for the way out: 2 s an attempt and one retry.
    #[must_use]
    pub fn urgent(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), mode: Mode::Urgent }
    }
    /// What kind of key this is; never the key.
    #[must_use]
    pub fn key_kind(&self) -> KeyKind {
        let _ = (&self.inner.key, self.mode);
        todo!()
    }
    /// The storage client, for PUTs to presigned URLs.
    #[must_use]
    pub fn storage(&self) -> Storage {
        let _ = &self.inner.net;
        todo!()
    }
    /// Dashboard link of a run (`<origin>/nexus/<project>/runs/m/<run>/details`).
    #[must_use]
    pub fn run_url(&self, project_id: &str, run_id: &str) -> String {
        let _ = (project_id, run_id);
        todo!()
    }
    /// Dashboard link of one player's run (`<origin>/nexus/<project>/runs/c/<player>`).
    #[must_use]
    pub fn player_url(&self, project_id: &str, player_id: &str) -> String {
        let _ = (project_id, player_id);
        todo!()
    }
}
