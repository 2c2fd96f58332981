//! What an API call came to when it came to nothing: who is at fault, in whose words.

use std::time::Duration;

use crate::http::{self, HttpError};
use crate::model::service::KeyKind;

use super::auth::AuthProblem;
use super::client::Call;
use super::error_body::Problem;

/// Who or what is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The key, or what it may do.
    Auth(AuthProblem),
    /// 404 and 410: no such thing, or not in this project.
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
    /// An answer that cannot be understood: HTML, cut JSON, something else; in words.
    Unreadable(String),
    /// A redirect, which API calls never follow.
    Redirected,
    /// No answer at all.
    Network(HttpError),
}

/// The key as far as messages may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyNote {
    /// Its kind.
    pub(crate) kind: KeyKind,
    /// Whether a project id was given.
    pub(crate) project: bool,
}

/// A call that failed; reads like its [`Details`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.headline())]
pub(crate) struct ApiError(Box<Details>);

impl std::ops::Deref for ApiError {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl std::ops::DerefMut for ApiError {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

/// What is known about a call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// The call.
    pub(crate) call: Call,
    /// HTTP status, when there was an answer.
    pub(crate) status: Option<u16>,
    /// Who is at fault.
    pub(crate) fault: Fault,
    /// The server's own words, one line, clipped and redacted.
    pub(crate) words: Option<String>,
    /// The server's error code, such as `UPLOAD_NOT_FOUND`.
    pub(crate) code: Option<String>,
    /// Devices on which nothing was started, with the server's words, clipped and redacted.
    pub(crate) refused: Vec<(String, String)>,
    /// True when the answer says that nothing at all was started, whatever its status.
    pub(crate) none_started: bool,
    /// True when the answer was a web page: something in between may have given it.
    pub(crate) html: bool,
    /// True when the answer was an object of JSON that lacks what it has to hold: the service has done what it was asked.
    pub(crate) understood: bool,
    /// Attempts made.
    pub(crate) attempts: u32,
    /// The key that was used.
    pub(crate) key: KeyNote,
}

impl ApiError {
    /// An error without an answer, or with one that cannot be understood.
    pub(super) fn new(call: Call, key: KeyNote, status: Option<u16>, fault: Fault) -> Self {
        let details = Details {
            call,
            status,
            fault,
            words: None,
            code: None,
            refused: Vec::new(),
            none_started: false,
            html: false,
            understood: false,
            attempts: 1,
            key,
        };
        Self(Box::new(details))
    }

    /// What an answer without success means.
    pub(super) fn of_answer(
        call: Call,
        key: KeyNote,
        status: u16,
        problem: Problem,
        retry_after: Option<Duration>,
    ) -> Self {
        let quota = Fault::Quota { used: problem.used, capacity: problem.capacity, needed: problem.needed };
        let fault = match status {
            _ if problem.code.as_deref() == Some("QUOTA_EXCEEDED") => quota,
            401 | 403 => Fault::Auth(AuthProblem::of(status, problem.words.as_deref())),
            402 => quota,
            404 | 410 => Fault::NotFound,
            409 => Fault::Conflict,
            413 => Fault::TooLarge,
            408 | 425 | 429 | 500..=599 => Fault::Unavailable { retry_after },
            300..=399 => Fault::Redirected,
            400..=499 => Fault::BadRequest,
            _ => Fault::Unreadable(format!("the unusual status {status}")),
        };
        let mut error = Self::new(call, key, Some(status), fault);
        error.words = problem.words;
        error.code = problem.code;
        error.refused = problem.refused;
        error.none_started = problem.none_started;
        error.html = problem.html;
        error
    }

    /// One line: the call, the status and the server's words.
    fn headline(&self) -> String {
        let call = &self.call;
        let tries =
            if self.attempts > 1 { format!(" after {} attempts", self.attempts) } else { String::new() };
        let status = self.status.map(|status| format!(" {status}")).unwrap_or_default();
        match (&self.fault, &self.words) {
            (Fault::Network(error), _) => format!("{call} failed{tries}: {error}"),
            (Fault::Unreadable(what), Some(words)) => {
                format!("{call} answered{status} with {what}{tries}: {words}")
            }
            (Fault::Unreadable(what), None) => format!("{call} answered{status} with {what}{tries}"),
            (_, Some(words)) => format!("{call} answered{status}{tries}: {words}"),
            (_, None) if self.html => format!("{call} answered{status} with a web page{tries}"),
            (_, None) => format!("{call} answered{status}{tries}"),
        }
    }

    /// What it means for another attempt.
    fn retry_fault(&self) -> http::Fault {
        match &self.fault {
            // A definite refusal: nothing was started, and asking again would not change that.
            _ if self.none_started => http::Fault::Final,
            Fault::Unavailable { retry_after } if self.status == Some(429) => {
                http::Fault::Harmless { retry_after: *retry_after }
            }
            Fault::Unavailable { retry_after } => http::Fault::Unclear { retry_after: *retry_after },
            // It would do the same once more, and say the same of it.
            Fault::Unreadable(_) if self.understood && self.call.method == "POST" => http::Fault::Final,
            Fault::Unreadable(_) => http::Fault::Unclear { retry_after: None },
            Fault::Network(error) if !error.is_transient() => http::Fault::Final,
            Fault::Network(error) if error.is_unclear() => http::Fault::Unclear { retry_after: None },
            Fault::Network(_) => http::Fault::Harmless { retry_after: None },
            _ => http::Fault::Final,
        }
    }

    /// True when the same call may work later: 408, 429, 5xx, network trouble, an unreadable answer.
    pub(crate) fn is_transient(&self) -> bool {
        self.retry_fault() != http::Fault::Final
    }

    /// True when the call may have had its effect although no usable answer came.
    pub(crate) fn is_unclear(&self) -> bool {
        match &self.fault {
            _ if self.none_started => false,
            Fault::Unavailable { .. } => self.status != Some(429),
            Fault::Unreadable(_) => true,
            Fault::Network(error) => error.is_unclear(),
            _ => false,
        }
    }

    /// True for a 404.
    pub(crate) fn is_not_found(&self) -> bool {
        self.fault == Fault::NotFound
    }

    /// True when an upload is unknown, timed out, cancelled or already complete.
    pub(crate) fn is_upload_gone(&self) -> bool {
        self.is_not_found() || self.code.as_deref() == Some("UPLOAD_NOT_FOUND")
    }

    /// True for 401 and 403.
    pub(crate) fn is_auth(&self) -> bool {
        matches!(self.fault, Fault::Auth(_))
    }

    /// True when nothing answered.
    pub(crate) fn is_network(&self) -> bool {
        matches!(self.fault, Fault::Network(_))
    }
}

impl http::AttemptError for ApiError {
    fn fault(&self) -> http::Fault {
        self.retry_fault()
    }

    /// Such as `503 from POST /builds/upload`.
    fn brief(&self) -> String {
        match (&self.fault, self.status) {
            (Fault::Network(error), _) => format!("{} from {}", error.brief(), self.call),
            (Fault::Unreadable(what), _) => format!("{what} from {}", self.call),
            (_, Some(status)) => format!("{status} from {}", self.call),
            (_, None) => format!("no answer from {}", self.call),
        }
    }

    fn attempts(&mut self, made: u32) {
        self.attempts = made;
    }
}
