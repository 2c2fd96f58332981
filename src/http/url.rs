//! Presigned URLs and `ETag`s: the two things storage and the API exchange through us.

use reqwest::Url;

use super::client::{Net, host_of, is_confidential};
use super::error::HttpError;

/// Values in a query shorter than this are words, not secrets.
const SHORTEST_SECRET: usize = 16;
/// A value whose parameter's name says that it is a secret may be as short as this.
const SHORTEST_NAMED_SECRET: usize = 6;
/// What the names of such parameters hold, in the ways of the storage services.
const SECRET_NAMES: [&str; 6] = ["sig", "token", "secret", "credential", "policy", "key-id"];
/// Parameters of a presigned URL that are the same for everybody (AWS Signature Version 4, query parameters).
const PUBLIC: [&str; 6] =
    ["x-amz-algorithm", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-content-sha256", "x-id"];

/// A presigned URL: the query string is a secret, so `Debug` and messages show the host only.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl(Url);

impl PresignedUrl {
    /// Accepts HTTPS, and plain HTTP to loopback; the secret values of the query are registered and masked.
    ///
    /// # Errors
    /// When it is not a URL or would travel unencrypted. The message shows nothing of the URL but its host.
    pub fn parse(raw: &str, net: &Net) -> Result<Self, HttpError> {
        let wrong = |host: &str, detail: &str| HttpError::Protocol {
            host: host.to_owned(),
            detail: detail.to_owned(),
        };
        let url = Url::parse(raw).map_err(|_| wrong("storage", "the upload URL is not a URL"))?;
        register(&url, net);
        if !is_confidential(&url) {
            return Err(wrong(&host_of(&url), "the upload URL does not use HTTPS"));
        }
        Ok(Self(url))
    }

    /// Host, with its port when it is not the usual one.
    #[must_use]
    pub fn host(&self) -> String {
        host_of(&self.0)
    }

    /// The whole URL, for the client alone.
    pub(crate) const fn expose(&self) -> &Url {
        &self.0
    }
}

impl std::fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PresignedUrl({})", self.host())
    }
}

/// Registers what is secret in a URL's query, as it is and as it is written.
pub(crate) fn register(url: &Url, net: &Net) {
    for pair in url.query().unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let name = name.to_ascii_lowercase();
        let named = SECRET_NAMES.iter().any(|part| name.contains(part));
        let shortest = if named { SHORTEST_NAMED_SECRET } else { SHORTEST_SECRET };
        if PUBLIC.contains(&name.as_str()) || value.len() < shortest {
            continue;
        }
        net.passing_secret(value);
        let plain = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        if plain != value {
            net.passing_secret(&plain);
        }
    }
    if let Some(password) = url.password() {
        net.passing_secret(password);
    }
}

/// The `ETag` of stored bytes, without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The bare value of an `ETag` header; `None` when it is empty.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        let bare = raw.strip_prefix("W/").unwrap_or(raw).trim_matches('"');
        (!bare.is_empty()).then(|| Self(bare.to_owned()))
    }

    /// The bare value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{ETag, PresignedUrl};
    use crate::http::testing::{Lines, net};

    #[test]
    fn strips_the_quotes_of_etags() {
        for (raw, want) in [
            ("\"5d41402abc\"", Some("5d41402abc")),
            ("5d41402abc-3", Some("5d41402abc-3")),
            ("W/\"x\"", Some("x")),
            ("\"\"", None),
            ("", None),
        ] {
            assert_eq!(ETag::parse(raw).as_ref().map(ETag::as_str), want, "{raw}");
        }
    }

    #[test]
    fn masks_the_secrets_of_a_presigned_url_and_shows_its_host_alone() {
        let lines = Lines::default();
        let net = net(&lines);
        let raw = "https://a.r2.cloudflarestorage.com/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0123456789abcdef0123&X-Amz-Credential=AKIA%2F20260303%2Fauto&partNumber=1";
        let url = PresignedUrl::parse(raw, &net).unwrap();
        assert_eq!(format!("{url:?}"), "PresignedUrl(a.r2.cloudflarestorage.com)");
        let shown = net.secrets().redact(raw).into_owned();
        assert!(!shown.contains("0123456789abcdef0123") && !shown.contains("AKIA"), "{shown}");
        assert!(shown.contains("AWS4-HMAC-SHA256") && shown.contains("partNumber=1"), "{shown}");
        assert!(lines.masked().contains(&"0123456789abcdef0123".to_owned()));
    }

    #[test]
    fn refuses_unencrypted_and_unreadable_urls_without_showing_them() {
        let net = net(&Lines::default());
        for raw in ["http://store.example/k?sig=0123456789abcdef", "not a url sig=0123456789abcdef", "//x"] {
            let error = PresignedUrl::parse(raw, &net).unwrap_err().to_string();
            assert!(!error.contains("sig"), "{error}");
        }
        assert!(PresignedUrl::parse("http://127.0.0.1:1/k?sig=0", &net).is_ok());
    }
}
