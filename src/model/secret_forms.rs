//! The forms in which a secret could come back: as it is, and as the usual writers escape it. Pure.

use std::fmt::Write as _;

/// Strings shorter than this are never registered: masking them would shred every log. Also what the search looks up.
pub(super) const SHORTEST: usize = 4;

/// Every form in which `raw` could leak, without repeats: raw, URL-encoded, base64 with and without padding, JSON-escaped, and as
/// Markdown and XML write it.
#[must_use]
pub fn forms(raw: &str) -> Vec<String> {
    let padded = base64(raw.as_bytes());
    let unpadded = padded.trim_end_matches('=').to_owned();
    let json = serde_json::Value::from(raw).to_string();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json).to_owned();
    let mut forms = vec![raw.to_owned(), percent(raw, false), percent(raw, true), padded, unpadded, json];
    // Others who show what we sent may write it so.
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
pub(crate) fn base64(bytes: &[u8]) -> String {
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
    use super::base64;

    #[test]
    fn encodes_base64_as_the_rfc_does() {
        for (raw, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(raw.as_bytes()), want);
        }
    }
}
