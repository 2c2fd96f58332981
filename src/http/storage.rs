//! One PUT to a presigned URL. No API key ever comes here; the upload room composes the retries.

use std::time::Duration;

use super::body::PutBody;
use super::client::Net;
use super::error::HttpError;

/// Limits of one PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time without a byte going out.
    pub stall: Duration,
    /// Longest wait for the answer after the last byte.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall: Duration::from_secs(60), answer: Duration::from_secs(300) }
    }
}

/// A presigned URL: the query string is a secret, so `Debug` and messages show the host only.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl(reqwest::Url);

impl PresignedUrl {
    /// Accepts HTTPS, and plain HTTP to loopback addresses; registers the secret parts.
    ///
    /// # Errors
    /// When it is not a URL, or would travel unencrypted. The message shows no part of the URL.
    pub fn parse(raw: &str, net: &Net) -> Result<Self, HttpError> {
        let _ = (raw, net);
        todo!()
    }
    /// Host, for people.
    #[must_use]
    pub fn host(&self) -> String {
        todo!()
    }
}

impl std::fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PresignedUrl({})", self.host())
    }
}

/// The ETag of a stored part, without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The bare value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a PUT stored nothing.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The URL is not valid any more: fetch a fresh one.
    #[error("the upload URL has expired ({status} from storage)")]
    Expired {
        /// HTTP status.
        status: u16,
    },
    /// Storage refuses the URL: fetch a fresh one; persistent refusals mean the upload is gone.
    #[error("storage refused the upload URL: {status}{}", words(.code.as_ref(), .message.as_ref()))]
    Denied {
        /// HTTP status.
        status: u16,
        /// S3 error code.
        code: Option<String>,
        /// Storage's words.
        message: Option<String>,
    },
    /// Storage asks to slow down or has trouble of its own.
    #[error("{status} from storage{}", words(.code.as_ref(), .message.as_ref()))]
    Busy {
        /// HTTP status.
        status: u16,
        /// S3 error code.
        code: Option<String>,
        /// Storage's words.
        message: Option<String>,
        /// How long storage wants us to wait, at most 60 s.
        retry_after: Option<Duration>,
    },
    /// Larger than storage takes.
    #[error("storage refused the data as too large: {status}{}", words(.code.as_ref(), .message.as_ref()))]
    TooLarge {
        /// HTTP status.
        status: u16,
        /// S3 error code.
        code: Option<String>,
        /// Storage's words.
        message: Option<String>,
    },
    /// The upload does not exist any more; a new one must be initiated.
    #[error("storage does not know the upload any more: {status}{}", words(.code.as_ref(), .message.as_ref()))]
    Gone {
        /// HTTP status.
        status: u16,
        /// S3 error code.
        code: Option<String>,
        /// Storage's words.
        message: Option<String>,
    },
    /// Any other refusal.
    #[error("{status} from storage{}", words(.code.as_ref(), .message.as_ref()))]
    Rejected {
        /// HTTP status.
        status: u16,
        /// S3 error code.
        code: Option<String>,
        /// Storage's words.
        message: Option<String>,
    },
    /// No byte went out for too long.
    #[error("no byte went out for {} s after {sent} of {total} bytes", after.as_secs())]
    Stalled {
        /// Bytes that had gone out.
        sent: u64,
        /// Bytes in all.
        total: u64,
        /// How long nothing moved.
        after: Duration,
    },
    /// Everything was sent, but no answer came.
    #[error("no answer from storage within {} s after the last byte", after.as_secs())]
    NoAnswer {
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection is at fault.
    #[error(transparent)]
    Network(#[from] HttpError),
    /// The data could not be read on our side.
    #[error("cannot read the data to send")]
    Source(#[source] std::io::Error),
}

impl StorageError {
    /// True when another try on a fresh URL may work.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Expired { .. }
                | Self::Denied { .. }
                | Self::Busy { .. }
                | Self::Stalled { .. }
                | Self::NoAnswer { .. }
        ) || matches!(self, Self::Network(error) if error.is_transient())
    }
    /// How long storage wants us to wait, at most 60 s.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The storage client.
#[derive(Debug, Clone)]
pub struct Storage {
    net: Net,
    limits: Limits,
}

impl Storage {
    /// Sends `body` in slices; `sent` is told the bytes that newly went out, live. `attempt` counts from 1 and is recorded.
    /// Dropping the future ends the transfer.
    ///
    /// # Errors
    /// See [`StorageError`].
    pub async fn put(
        &self,
        url: &PresignedUrl,
        body: PutBody,
        attempt: u32,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Option<ETag>, StorageError> {
        let _ = (url, body, attempt, sent, &self.net, self.limits);
        todo!()
    }
}

fn words(code: Option<&String>, message: Option<&String>) -> String {
    match (code, message) {
        (Some(code), Some(message)) => format!(" {code}: {message}"),
        (Some(text), None) => format!(" {text}"),
        (None, Some(text)) => format!(": {text}"),
        (None, None) => String::new(),
    }
}
