//! Presigned URLs and `ETag`s: the two things storage and the API exchange through us.

use reqwest::Url;

use super::client::Net;
use super::error::HttpError;
use super::url::{host_of, is_confidential, secrets_of};

/// A presigned URL: the query string is a secret, so `Debug` and messages show the host only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PresignedUrl(Url);

impl PresignedUrl {
    /// Accepts HTTPS, and plain HTTP to loopback; the secret values of the query are registered and masked.
    pub(crate) fn parse(raw: &str, net: &Net) -> Result<Self, HttpError> {
        let wrong = |host: &str, detail: &str| HttpError::Protocol {
            host: host.to_owned(),
            detail: detail.to_owned(),
        };
        let url = Url::parse(raw).map_err(|_| wrong("storage", "the upload URL is not a URL"))?;
        net.lent_url(&url);
        if !is_confidential(&url) {
            return Err(wrong(&host_of(&url), "the upload URL does not use HTTPS"));
        }
        Ok(Self(url))
    }

    /// Host, with its port when it is not the usual one.
    pub(crate) fn host(&self) -> String {
        host_of(&self.0)
    }

    /// It was used and is of no use any more: what it lent is forgotten. Builds have thousands of parts.
    pub(crate) fn forget(&self, net: &Net) {
        for secret in secrets_of(&self.0) {
            net.secrets().forget(&secret);
        }
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

/// The `ETag` of stored bytes, without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ETag(String);

impl ETag {
    /// The bare value of an `ETag` header; `None` when it is empty.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        let bare = raw.strip_prefix("W/").unwrap_or(raw).trim_matches('"');
        (!bare.is_empty()).then(|| Self(bare.to_owned()))
    }

    /// The bare value.
    pub(crate) fn as_str(&self) -> &str {
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
        let raw = "https://a.r2.cloudflarestorage.com/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0123456789abcdef0123&X-Amz-Credential=AKIA%2F20260303%2Fauto&partNumber=1&x-id=UploadPart-0123456789&response-content-disposition=build-0123456789abcdef";
        let url = PresignedUrl::parse(raw, &net).unwrap();
        assert_eq!(format!("{url:?}"), "PresignedUrl(a.r2.cloudflarestorage.com)");
        let shown = net.secrets().redact(raw).into_owned();
        assert!(!shown.contains("0123456789abcdef0123") && !shown.contains("AKIA"), "{shown}");
        assert!(shown.contains("AWS4-HMAC-SHA256") && shown.contains("partNumber=1"), "{shown}");
        assert!(
            shown.contains("UploadPart-0123456789") && shown.contains("build-0123456789abcdef"),
            "{shown}"
        );
        assert!(lines.masked().contains(&"0123456789abcdef0123".to_owned()));
        url.forget(&net);
        assert_eq!(net.secrets().redact(raw), raw);
    }

    #[test]
    fn words_and_values_that_we_output_are_no_secrets_whatever_a_url_says() {
        let lines = Lines::default();
        let net = net(&lines);
        let id = "789e0123-e89b-12d3-a456-426614174000";
        net.secrets().publish(id);
        for raw in [
            "https://store.example/k?sig=failed",
            "https://store.example/k?token=results.json&X-Amz-Signature=failures",
            "https://store.example/k?X-Amz-Signature=789e0123-e89b-12d3-a456-426614174000",
            "https://store.example/k?token=e0123-e89b-12d3-a456-4266",
            "https://store.example/k?name=789e0123-e89b-12d3-a456-426614174001",
            "https://user:results.json@store.example/k",
        ] {
            PresignedUrl::parse(raw, &net).unwrap();
        }
        assert_eq!(lines.masked(), [""; 0]);
        let text = format!("failed results.json failures {id}1");
        assert_eq!(net.secrets().redact(&text), text);
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
