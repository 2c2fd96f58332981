//! What an address says of itself: its host, whether secrets may travel there, and what in it is secret. Pure.

use std::borrow::Cow;

use reqwest::Url;

/// What the names of parameters hold whose value gives access, in the ways of the storage services (AWS Signature Version 4, Google
/// Cloud Storage signed URLs, Azure shared access signatures), without `-` and `_`.
const SECRET_NAMES: [&str; 6] = ["signature", "credential", "token", "accesskeyid", "uploadid", "secret"];
/// A name that is one of them as a whole.
const SIGNATURE: &str = "sig";

/// Host, with its port when it is not the usual one.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("an address without a host");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// True for addresses and names of this very machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// True when secrets may travel there: HTTPS, or plain HTTP that does not leave the machine.
pub(crate) fn is_confidential(url: &Url) -> bool {
    url.host_str().is_some_and(|host| !host.is_empty())
        && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
}

/// What a URL gives away: the secret values of its query, as they are and as they are written, and its password.
pub(super) fn secrets_of(url: &Url) -> Vec<Cow<'_, str>> {
    let mut lent = Vec::new();
    for pair in url.query().unwrap_or_default().split('&') {
        let Some((_, value)) = pair.split_once('=').filter(|(name, _)| is_secret(name)) else { continue };
        lent.push(Cow::Borrowed(value));
        let plain = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        if plain != value {
            lent.push(plain);
        }
    }
    lent.extend(url.password().map(Cow::Borrowed));
    lent
}

/// True for the name of a parameter whose value gives access.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    name == SIGNATURE || SECRET_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::{host_of, is_confidential};

    #[test]
    fn plain_http_stays_on_the_machine() {
        for (url, want) in [
            ("https://nunu.ai/x?sig=1", true),
            ("http://127.0.0.1:7777", true),
            ("http://localhost", true),
            ("http://[::1]:1", true),
            ("http://nunu.ai", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://localhost.evil.example", false),
            ("ftp://127.0.0.1", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_confidential(&Url::parse(url).unwrap()), want, "{url}");
        }
    }

    #[test]
    fn names_hosts_without_the_rest() {
        assert_eq!(host_of(&Url::parse("https://u:p@nunu.ai/a?b").unwrap()), "nunu.ai");
        assert_eq!(host_of(&Url::parse("http://127.0.0.1:8080/a").unwrap()), "127.0.0.1:8080");
    }
}
