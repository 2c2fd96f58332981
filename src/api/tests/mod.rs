//! The module against a scripted server: what goes out, and what becomes of every kind of answer.

mod artifacts;
mod calls;
mod endpoints;
mod pr_comment;
mod readers;

use crate::http::testing::{Act, Lines, Server, net};
use crate::model::ApiKey;

use super::Api;

/// A key that nobody may see.
const KEY: &str = "nunu_secret/key+0123456789";

/// A server, an API that talks to it, and what the API said.
struct Bench {
    server: Server,
    api: Api,
    lines: Lines,
}

impl Bench {
    async fn new(script: impl Into<Vec<Act>>) -> Self {
        Self::in_project(script, None).await
    }

    async fn in_project(script: impl Into<Vec<Act>>, project: Option<&str>) -> Self {
        let server = Server::play(script).await;
        let lines = Lines::default();
        let api = Api::new(net(&lines), &server.origin, project, &ApiKey::from(KEY));
        Self { server, api, lines }
    }

    /// Requests as they arrived, without their versions.
    fn asked(&self) -> Vec<String> {
        self.server.seen().iter().map(|seen| seen.line().to_owned()).collect()
    }
}
