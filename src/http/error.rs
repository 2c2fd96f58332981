//! Why no usable answer came. Never shows a URL: a host and what went wrong are enough, and a query string may be a secret.

use std::time::Duration;

use crate::model::units;

/// The network is at fault, or the machine's settings for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// A proxy or certificate setting cannot be used.
    #[error("{0}")]
    Setup(String),
    /// The host has no address.
    #[error("cannot find the address of {host}: {detail}")]
    Dns {
        /// Host, with its port when it is not the usual one.
        host: String,
        /// The resolver's words.
        detail: String,
    },
    /// No connection came about; nothing was sent.
    #[error("cannot connect to {host}: {detail}")]
    Connect {
        /// Host, with its port when it is not the usual one.
        host: String,
        /// The system's words.
        detail: String,
    },
    /// No encrypted connection came about; nothing was sent.
    #[error("cannot establish TLS with {host}: {detail}")]
    Tls {
        /// Host, with its port when it is not the usual one.
        host: String,
        /// What is wrong.
        detail: String,
        /// True when the server's certificate is not trusted.
        certificate: bool,
    },
    /// The connection broke after the request was under way.
    #[error("the connection to {host} broke: {detail}")]
    Reset {
        /// Host, with its port when it is not the usual one.
        host: String,
        /// The system's words.
        detail: String,
    },
    /// No complete answer in time.
    #[error("no answer from {host} within {}", units::duration(*after))]
    Timeout {
        /// Host, with its port when it is not the usual one.
        host: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is larger than anything the service sends.
    #[error("the answer of {host} is larger than {}", units::bytes(*limit))]
    TooLarge {
        /// Host, with its port when it is not the usual one.
        host: String,
        /// Bytes that were allowed.
        limit: u64,
    },
    /// What came back is not HTTP, or the request could not be made.
    #[error("cannot talk HTTP with {host}: {detail}")]
    Protocol {
        /// Host, with its port when it is not the usual one.
        host: String,
        /// What is wrong.
        detail: String,
    },
}

impl HttpError {
    /// True when another attempt may work.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Setup(_) | Self::Tls { certificate: true, .. } | Self::TooLarge { .. })
    }

    /// True when the request may have had its effect.
    #[must_use]
    pub const fn is_unclear(&self) -> bool {
        matches!(
            self,
            Self::Reset { .. } | Self::Timeout { .. } | Self::TooLarge { .. } | Self::Protocol { .. }
        )
    }

    /// One word for the flight recorder.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Setup(_) => "setup",
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Reset { .. } => "reset",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "too-large",
            Self::Protocol { .. } => "protocol",
        }
    }
}
