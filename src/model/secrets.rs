//! Secrets: the key's type, and the register of everything that must never be shown.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

pub use secrecy::{ExposeSecret, SecretString};

/// The API key. Its `Debug` shows nothing.
pub type ApiKey = SecretString;

/// What stands where a secret stood.
pub const REDACTED: &str = "***";

/// Strings shorter than this are not registered: masking them would shred every log.
const SHORTEST: usize = 4;

/// A shared register of secrets; every sink passes its text through [`Secrets::redact`].
#[derive(Clone, Default)]
pub struct Secrets(Arc<RwLock<Vec<String>>>);

impl Secrets {
    /// Registers a secret in every form it could appear in (raw, URL-encoded, base64 with and without padding, JSON-escaped,
    /// and as Markdown and XML write it)
    /// and returns the forms that are new, longest first, for the host's own masking.
    pub fn register(&self, raw: &str) -> Vec<String> {
        if raw.len() < SHORTEST {
            return Vec::new();
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = Vec::new();
        for form in forms(raw) {
            if !known.contains(&form) {
                known.push(form.clone());
                fresh.push(form);
            }
        }
        known.sort_by_key(|form| std::cmp::Reverse(form.len()));
        fresh.sort_by_key(|form| std::cmp::Reverse(form.len()));
        fresh
    }

    /// The text with every registered form replaced by `***`.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = Cow::Borrowed(text);
        for form in known.iter() {
            if clean.contains(form.as_str()) {
                clean = Cow::Owned(clean.replace(form.as_str(), REDACTED));
            }
        }
        clean
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// Every form in which `raw` could leak, without repeats.
#[must_use]
pub fn forms(raw: &str) -> Vec<String> {
    let padded = base64(raw.as_bytes());
    let unpadded = padded.trim_end_matches('=').to_owned();
    let json = serde_json::Value::from(raw).to_string();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json).to_owned();
    let mut forms = vec![raw.to_owned(), percent(raw, false), percent(raw, true), padded, unpadded, json];
    // As our own reports would write it, should the service put a secret into the name of something.
    forms.extend([markdown(raw), xml(raw)]);
    forms.sort();
    forms.dedup();
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// Percent-encoding of everything but unreserved characters (RFC 3986, section 2.3).
fn percent(raw: &str, lower: bool) -> String {
    raw.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else if lower {
            let _ = write!(out, "%{byte:02x}");
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// As text in Markdown: markup is escaped by a backslash, HTML by entities.
fn markdown(raw: &str) -> String {
    raw.chars().fold(String::new(), |mut out, letter| {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            letter if r"\`*_[]|~#!$^={}".contains(letter) => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
        out
    })
}

/// As text or a value in XML.
fn xml(raw: &str) -> String {
    [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&apos;")]
        .into_iter()
        .fold(raw.to_owned(), |text, (letter, entity)| text.replace(letter, entity))
}

/// Standard base64 with padding (RFC 4648, section 4). Twelve lines do not earn a dependency.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for at in 0..4 {
            let index = usize::try_from((group >> (18 - 6 * at)) & 63).unwrap_or(0);
            out.push(if at > chunk.len() { '=' } else { char::from(ALPHABET[index]) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Secrets, base64};

    #[test]
    fn encodes_base64_as_the_rfc_does() {
        for (raw, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(raw.as_bytes()), want);
        }
    }

    #[test]
    fn redacts_every_form() {
        let secrets = Secrets::default();
        secrets.register("nunu_a/b\"c+d");
        let text = format!(
            "raw nunu_a/b\"c+d url nunu_a%2Fb%22c%2Bd lower nunu_a%2fb%22c%2bd json nunu_a/b\\\"c+d b64 {}",
            base64(b"nunu_a/b\"c+d")
        );
        assert_eq!(secrets.redact(&text), "raw *** url *** lower *** json *** b64 ***");
    }

    #[test]
    fn redacts_what_our_own_reports_would_make_of_it() {
        let secrets = Secrets::default();
        secrets.register("nunu_a&b\"");
        let text = "markdown nunu\\_a&amp;b\" xml nunu_a&amp;b&quot; json nunu_a&b\\\" end";
        assert_eq!(secrets.redact(text), "markdown *** xml *** json *** end");
    }

    #[test]
    fn leaves_short_strings_alone() {
        let secrets = Secrets::default();
        assert!(secrets.register("abc").is_empty());
        assert_eq!(secrets.redact("abc"), "abc");
    }
}
