//! Fuzz targets of this module: whatever a person or a pull request writes ends in a value or in a sentence.

use std::path::Path;

use secrecy::ExposeSecret as _;

use crate::fuzzing::Pieces;
use crate::model::Env;

use super::args::Args;
use super::variables::Variables;
use super::yaml::{Document, Text};
use super::{file, key, values};

/// The key that no message may show.
const KEY: &str = "nunu_0123456789abcdef";

/// The run config: parsed, filled with variables and read.
pub(crate) fn run_config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let env = Env::from([("NUNU_API_TOKEN", KEY), ("COPY_OF_KEY", KEY), ("NAME", "a: [b]\n- c")]);
    let source = Text { name: "run.yml".to_owned(), all: text.to_string(), may_quote: true };
    let problems = match Document::parse(&source, &Variables::from_env(&env, &["NAME", "COPY_OF_KEY"])) {
        Ok(mut document) => {
            let _ = file::read(&mut document);
            document.take_problems()
        }
        Err(problem) => vec![problem],
    };
    assert!(problems.len() <= 51, "{} problems", problems.len());
    for problem in problems {
        assert!(problem.len() < 100_000, "{} bytes", problem.len());
        assert!(!problem.contains(KEY) || text.contains(KEY), "{problem}");
    }
}

/// Durations, truth values and lists.
pub(crate) fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(span) = values::duration(&text) {
        assert!(span.as_secs() <= 366 * 86_400);
        assert_eq!(values::duration(&format!("{}s", span.as_secs())), Ok(span));
    }
    let _ = values::boolean(&text);
    let items = values::list(&text);
    for item in &items {
        assert!(!item.is_empty() && item.trim() == item && !item.contains([',', '\n']), "{item:?}");
    }
    assert_eq!(values::list(&items.join("\n")), items);
    assert!(!values::is_id(&text) || text.is_ascii());
}

/// Addresses of the service: what is taken is safe to send a key to, what is refused is not repeated when it may hold a password.
pub(crate) fn api_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match values::origin(&text) {
        Ok(origin) => {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            // As the client reads it, not as we did.
            let name = reqwest::Url::parse(&origin).ok().and_then(|url| url.host_str().map(str::to_owned));
            let name = name.as_deref().unwrap_or_default().trim_matches(['[', ']']);
            let address = name.parse::<std::net::IpAddr>();
            let local = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
            assert!(origin.starts_with("https://") || (origin.starts_with("http://") && local), "{origin}");
            assert!(!host.is_empty() && !host.contains(['/', '@', '?', '#', '\\', ' ', '%']), "{origin}");
            assert_eq!(values::origin(&origin).as_ref(), Ok(&origin));
            // What the client makes of it is the same host.
            match reqwest::Url::parse(&origin) {
                Ok(url) => {
                    assert!(url.username().is_empty() && url.password().is_none(), "{origin}");
                    assert!(url.query().is_none() && url.path() == "/", "{origin}");
                }
                Err(error) => panic!("{origin} is taken, but {error}"),
            }
        }
        Err(why) => assert!(!text.contains('@') || !why.contains('@'), "{why}"),
    }
}

/// Keys from variables: taken as they are, or refused in words that do not show them.
pub(crate) fn api_key(data: &[u8]) {
    let mut pieces = Pieces::of(data);
    let (token, alias) = (pieces.text().into_owned(), pieces.text().into_owned());
    let env =
        Env::new([("NUNU_API_TOKEN".to_owned(), token.clone()), ("NUNU_API_KEY".to_owned(), alias.clone())]);
    let found = key::find(&Args::default(), &env, Path::new("."));
    if let Some(key) = &found.key {
        let key = key.expose_secret();
        assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()), "{key:?}");
        assert!(found.problem.is_none());
        assert!(reqwest::header::HeaderValue::from_str(key).is_ok());
    }
    // What we say of any key is not a secret.
    let env = Env::from([("NUNU_API_TOKEN", "a b"), ("NUNU_API_KEY", "c")]);
    let usual = key::find(&Args::default(), &env, Path::new("."));
    let known: Vec<&String> = usual.notices.iter().chain(&usual.problem).collect();
    for said in found.notices.iter().chain(&found.problem) {
        for secret in [token.trim(), alias.trim()].into_iter().filter(|secret| secret.len() >= 16) {
            if known.iter().any(|words| words.contains(secret)) {
                continue;
            }
            assert!(!said.contains(secret), "{said}");
        }
    }
}
