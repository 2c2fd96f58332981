//! Why a PUT stored nothing, told from the status and the XML of S3-compatible storage
//! ("Error responses", Amazon S3 API reference; Cloudflare R2 uses the same codes).

use std::time::Duration;

use crate::model::units;

use super::error::HttpError;
use super::reply::Head;

/// Longest text of storage that is kept.
const LONGEST_WORDS: usize = 300;

/// What storage said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// S3 error code, such as `SlowDown`.
    pub(crate) code: Option<String>,
    /// Its words.
    pub(crate) message: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        self.message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
    }
}

/// Why a PUT stored nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// The URL is not valid any more: fetch a fresh one.
    #[error("the upload URL has expired (storage answered {0})")]
    Expired(Refusal),
    /// Storage refuses the URL. A fresh one may do; when it does not, the upload is gone or this machine's clock or proxy is at fault.
    #[error("storage refused the upload URL: {0}")]
    Denied(Refusal),
    /// Storage asks to slow down or has trouble of its own.
    #[error("storage is busy or has trouble: {refusal}")]
    Busy {
        /// What it said.
        refusal: Refusal,
        /// How long it wants us to wait, at most 60 s.
        retry_after: Option<Duration>,
    },
    /// Larger than storage takes.
    #[error("storage refused the data as too large: {0}")]
    TooLarge(Refusal),
    /// The upload does not exist any more; a new one must be initiated.
    #[error("storage does not know the upload any more: {0}")]
    Gone(Refusal),
    /// Any other refusal.
    #[error("storage refused the data: {0}")]
    Rejected(Refusal),
    /// No byte went out for too long.
    #[error("no byte went out for {} after {} of {}", units::duration(*after), units::bytes(*sent), units::bytes(*total))]
    Stalled {
        /// Bytes that had gone out.
        sent: u64,
        /// Bytes in all.
        total: u64,
        /// How long nothing moved.
        after: Duration,
    },
    /// Everything was sent, but no answer came.
    #[error("no answer from storage within {} after the last byte", units::duration(*after))]
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
    /// What an answer without success means.
    pub(crate) fn of(head: &Head, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let code = element(&text, "Code");
        let refusal = Refusal { status: head.status, message: element(&text, "Message"), code };
        let code = refusal.code.as_deref().unwrap_or_default();
        let expired = code == "ExpiredToken"
            || refusal.message.as_deref().is_some_and(|words| words.to_ascii_lowercase().contains("expired"));
        match (head.status, code) {
            (413, _) | (_, "EntityTooLarge") => Self::TooLarge(refusal),
            (404 | 410, _) | (_, "NoSuchUpload") => Self::Gone(refusal),
            (400 | 401 | 403, _) if expired => Self::Expired(refusal),
            (401 | 403, _) => Self::Denied(refusal),
            (400, "RequestTimeout" | "IncompleteBody" | "BadDigest") | (408 | 425 | 429, _) => {
                Self::Busy { refusal, retry_after: head.retry_after }
            }
            (501, _) => Self::Rejected(refusal),
            (500..=599, _) => Self::Busy { refusal, retry_after: head.retry_after },
            _ => Self::Rejected(refusal),
        }
    }

    /// True when another try, on a fresh URL, may work.
    #[cfg(test)]
    pub(crate) const fn is_transient(&self) -> bool {
        match self {
            Self::Expired(_)
            | Self::Denied(_)
            | Self::Busy { .. }
            | Self::Stalled { .. }
            | Self::NoAnswer { .. } => true,
            Self::Network(error) => error.is_transient(),
            Self::TooLarge(_) | Self::Gone(_) | Self::Rejected(_) | Self::Source(_) => false,
        }
    }

    /// How long storage wants us to wait, at most 60 s.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// A few words for a line about a retry, such as `503 SlowDown from storage`.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Expired(_) => "expired upload URL".to_owned(),
            Self::Denied(refusal)
            | Self::Busy { refusal, .. }
            | Self::TooLarge(refusal)
            | Self::Gone(refusal)
            | Self::Rejected(refusal) => {
                let code = refusal.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
                format!("{}{code} from storage", refusal.status)
            }
            Self::Stalled { .. } => "stalled transfer to storage".to_owned(),
            Self::NoAnswer { .. } => "no answer from storage".to_owned(),
            Self::Network(error) => format!("{} to storage", error.brief()),
            Self::Source(_) => "unreadable data".to_owned(),
        }
    }

    /// One word for the request log.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Expired(_) => "expired",
            Self::Denied(_) => "denied",
            Self::Busy { .. } => "busy",
            Self::TooLarge(_) => "too-large",
            Self::Gone(_) => "gone",
            Self::Rejected(_) => "rejected",
            Self::Stalled { .. } => "stalled",
            Self::NoAnswer { .. } => "no-answer",
            Self::Network(error) => error.kind(),
            Self::Source(_) => "source",
        }
    }

    /// The next actions, one a line.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::Network(error) => error.hints(),
            Self::Denied(_) => vec![
                "fresh upload URLs are refused as well: check that a proxy does not change requests to \
                 *.r2.cloudflarestorage.com"
                    .to_owned(),
            ],
            Self::Stalled { .. } | Self::NoAnswer { .. } => vec![
                "check the line to *.r2.cloudflarestorage.com; a proxy or firewall may hold large uploads back".to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

/// The text of the first element of that name; storage answers are flat, so that needs no XML parser.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect();
    let text = ["&lt;/<", "&gt;/>", "&quot;/\"", "&apos;/'", "&amp;/&"]
        .iter()
        .filter_map(|pair| pair.split_once('/'))
        .fold(text, |text, (entity, plain)| text.replace(entity, plain));
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{Head, StorageError, element};

    fn of(status: u16, body: &str) -> StorageError {
        StorageError::of(&Head { status, ..Head::default() }, body.as_bytes())
    }

    fn xml(code: &str, message: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
    }

    #[test]
    fn tells_refusals_apart() {
        for (status, code, message, want, transient) in [
            (403, "AccessDenied", "Request has expired", "expired", true),
            (400, "ExpiredToken", "The provided token has expired.", "expired", true),
            (403, "SignatureDoesNotMatch", "no match", "denied", true),
            (401, "Unauthorized", "who", "denied", true),
            (503, "SlowDown", "Reduce your request rate.", "busy", true),
            (500, "InternalError", "try again", "busy", true),
            (429, "", "", "busy", true),
            (400, "RequestTimeout", "socket", "busy", true),
            (413, "", "", "too-large", false),
            (400, "EntityTooLarge", "over 5 GiB", "too-large", false),
            (404, "NoSuchUpload", "gone", "gone", false),
            (400, "InvalidArgument", "part number", "rejected", false),
            (411, "MissingContentLength", "", "rejected", false),
            (501, "NotImplemented", "", "rejected", false),
            (307, "", "", "rejected", false),
        ] {
            let error = of(status, &xml(code, message));
            assert_eq!((error.kind(), error.is_transient()), (want, transient), "{status} {code}");
        }
    }

    #[test]
    fn quotes_storage_and_survives_anything_else() {
        let error = of(503, &xml("SlowDown", "a &lt;b&gt; &amp;amp; c"));
        assert_eq!(error.to_string(), "storage is busy or has trouble: 503 SlowDown: a <b> &amp; c");
        assert_eq!(error.brief(), "503 SlowDown from storage");
        for body in ["", "<html><body>502 Bad Gateway", "<Code><Message>", "<Code></Code>", "\u{0}\u{1b}[31m"]
        {
            assert_eq!(of(502, body).brief(), "502 from storage", "{body}");
        }
        assert_eq!(element(&xml(&"x".repeat(10_000), ""), "Code").map(|code| code.len()), Some(300));
    }
}
