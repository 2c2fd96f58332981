//! Answers: read to the end within bounds, or streamed.

use std::time::Duration;

use bytes::Bytes;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, at most 60 s.
    pub retry_after: Option<Duration>,
    /// `Location`.
    pub location: Option<String>,
    /// The body, bounded.
    pub body: Bytes,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub struct Download {
    /// HTTP status.
    pub status: u16,
}
