//! What an API call came to when it came to nothing: who is at fault, in whose words.

use std::time::Duration;

use crate::http::HttpError;

use super::auth::AuthProblem;
use super::client::Call;

/// Who or what is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The key, or what it may do.
    Auth(AuthProblem),
    /// 404: no such thing, or not in this project.
    NotFound,
    /// 402: the build storage is full.
    Quota {
        /// Bytes in use.
        used: Option<u64>,
        /// Bytes there are.
        capacity: Option<u64>,
        /// Bytes this upload needs.
        needed: Option<u64>,
    },
    /// 413: larger than the service stores.
    TooLarge,
    /// 409: conflicts with something else.
    Conflict,
    /// 400 and other refusals of what was sent.
    BadRequest,
    /// 408, 425, 429 or 5xx: the service has trouble or too much to do.
    Unavailable {
        /// How long it wants us to wait, at most 60 s.
        retry_after: Option<Duration>,
    },
    /// An answer that cannot be understood: HTML, cut JSON, something else.
    Unreadable(String),
    /// A redirect, which API calls never follow.
    Redirected,
    /// No answer at all.
    Network(HttpError),
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.headline())]
pub struct ApiError {
    /// The call.
    pub call: Call,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// Who is at fault.
    pub fault: Fault,
    /// The server's own words, clipped.
    pub words: Option<String>,
    /// The server's error code, such as `UPLOAD_NOT_FOUND`.
    pub code: Option<String>,
    /// Attempts made.
    pub attempts: u32,
}

impl ApiError {
    fn headline(&self) -> String {
        format!("{} failed", self.call)
    }
    /// True when the same call may work later: 429, 408, 5xx, network trouble, an unreadable answer.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        todo!()
    }
    /// True when the call may have had its effect although no usable answer came.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        todo!()
    }
    /// True for a 404.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.fault == Fault::NotFound
    }
    /// True for 401 and 403.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        matches!(self.fault, Fault::Auth(_))
    }
    /// True when nothing answered.
    #[must_use]
    pub fn is_network(&self) -> bool {
        matches!(self.fault, Fault::Network(_))
    }
}
