//! Why no usable answer came. Never shows a URL: a host and what went wrong are enough, and a query string may be a secret.

use std::error::Error;
use std::time::Duration;

use crate::model::units;

/// The hosts of the service, for people who keep a firewall.
pub(crate) const HOSTS: &str = "nunu.ai, bouncer.nunu.ai and *.r2.cloudflarestorage.com";
/// Longest text of a system error that is shown.
const LONGEST_DETAIL: usize = 300;

/// The network is at fault, or the machine's settings for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
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
    pub(crate) const fn is_transient(&self) -> bool {
        !matches!(self, Self::Setup(_) | Self::Tls { certificate: true, .. } | Self::TooLarge { .. })
    }

    /// True when the request may have had its effect.
    pub(crate) const fn is_unclear(&self) -> bool {
        matches!(
            self,
            Self::Reset { .. } | Self::Timeout { .. } | Self::TooLarge { .. } | Self::Protocol { .. }
        )
    }

    /// One word for the request log.
    pub(crate) const fn kind(&self) -> &'static str {
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

impl HttpError {
    /// The host that is at fault.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Setup(_) => None,
            Self::Dns { host, .. }
            | Self::Connect { host, .. }
            | Self::Tls { host, .. }
            | Self::Reset { host, .. }
            | Self::Timeout { host, .. }
            | Self::TooLarge { host, .. }
            | Self::Protocol { host, .. } => Some(host),
        }
    }

    /// A few words for a line about a retry: `connection refused`, never the host.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Setup(text) => text.clone(),
            Self::Dns { .. } => "no address found".to_owned(),
            Self::Connect { detail, .. } => format!("no connection ({detail})"),
            Self::Tls { .. } => "no TLS connection".to_owned(),
            Self::Reset { .. } => "broken connection".to_owned(),
            Self::Timeout { after, .. } => format!("no answer within {}", units::duration(*after)),
            Self::TooLarge { .. } => "too large an answer".to_owned(),
            Self::Protocol { .. } => "an answer that is not HTTP".to_owned(),
        }
    }

    /// The next actions, one a line.
    pub(crate) fn hints(&self) -> Vec<String> {
        let Some(host) = self.host() else { return Vec::new() };
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let here = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        if here && !matches!(self, Self::Tls { certificate: true, .. }) {
            return vec![format!("is the service running at {host}? api-url points to this machine")];
        }
        match self {
            Self::Tls { certificate: true, .. } => vec![
                format!(
                    "the certificate of {host} is not trusted on this machine; a proxy or firewall may have put its own in place: \
                     save your company's CA certificate as a PEM file and set SSL_CERT_FILE to its path"
                ),
                format!("or let {host} through unchanged (NO_PROXY, or an exception from TLS inspection)"),
            ],
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Reset { .. } => {
                vec![format!(
                    "allow outgoing HTTPS (port 443) from this machine to {HOSTS}; \
                     behind a proxy set HTTPS_PROXY, and NO_PROXY for hosts that are reached directly"
                )]
            }
            Self::Protocol { .. } | Self::TooLarge { .. } => {
                vec![format!(
                    "something other than the service may be answering for {host}: check api-url and the proxy"
                )]
            }
            Self::Setup(_) => Vec::new(),
        }
    }

    /// The same error, naming the proxy that is in use where it may be at fault.
    pub(crate) fn through(mut self, proxy: &str) -> Self {
        if let Self::Dns { detail, .. } | Self::Connect { detail, .. } | Self::Tls { detail, .. } = &mut self
        {
            *detail = format!("{detail} (through the proxy {proxy})");
        }
        self
    }

    /// Tells faults apart and drops the URL, whose query may be a secret.
    pub(crate) fn classify(error: reqwest::Error, host: &str) -> Self {
        let error = error.without_url();
        let host = host.to_owned();
        let detail = detail(&error);
        if error.is_builder() {
            return Self::Protocol { host, detail };
        }
        if let Some(tls) = find_tls(&error) {
            let certificate = matches!(tls, rustls::Error::InvalidCertificate(_));
            return Self::Tls { host, detail: tls.to_string(), certificate };
        }
        if error.is_dns() {
            return Self::Dns { host, detail };
        }
        if error.is_connect() {
            let detail = if error.is_timeout() { "timed out".to_owned() } else { detail };
            return Self::Connect { host, detail };
        }
        let words = detail.to_ascii_lowercase();
        if ["invalid http", "parse", "message head", "unexpected message"]
            .iter()
            .any(|word| words.contains(word))
        {
            return Self::Protocol { host, detail };
        }
        Self::Reset { host, detail }
    }
}

/// The innermost cause in words: the outer layers only say "error sending request".
fn detail(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        innermost = cause.to_string();
        next = cause.source();
    }
    innermost.chars().filter(|c| !c.is_control()).take(LONGEST_DETAIL).collect()
}

/// The TLS error in the chain of causes; it hides inside an I/O error, which does not list it as its source.
fn find_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    None
}
