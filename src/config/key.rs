//! The API key: where it may come from and what it must look like. Its value is never shown.

use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;

use crate::model::{ApiKey, Env};

use super::args::Args;

/// A file or stream with more than this is not a key.
const LARGEST: u64 = 48 * 1024;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct KeyFound {
    pub(super) key: Option<ApiKey>,
    pub(super) source: String,
    pub(super) notices: Vec<String>,
    pub(super) problem: Option<String>,
}

/// Finds the key: `--token-file`, then the action's input, then `NUNU_API_TOKEN` or its alias `NUNU_API_KEY`.
pub(super) fn find(args: &Args, env: &Env, cwd: &Path) -> KeyFound {
    let mut found = KeyFound::default();
    let raw = if let Some(path) = &args.token_file {
        "--token-file".clone_into(&mut found.source);
        match read(path, cwd) {
            Ok(raw) => Some(raw),
            Err(why) => {
                found.problem =
                    Some(format!("token-file (from --token-file): cannot read {}: {why}", path.display()));
                return found;
            }
        }
    } else {
        let input = ["INPUT_API-TOKEN", "INPUT_API_TOKEN"]
            .into_iter()
            .find_map(|name| env.get(name).map(|raw| (name, raw)));
        let token = env.get("NUNU_API_TOKEN");
        let alias = env.get("NUNU_API_KEY");
        if input.is_none() && token.zip(alias).is_some_and(|(token, alias)| token.trim() != alias.trim()) {
            found.problem = Some(
                "api-token (from NUNU_API_TOKEN and NUNU_API_KEY): both are set, to different keys; set one"
                    .to_owned(),
            );
            return found;
        }
        let chosen =
            input.or(token.map(|raw| ("NUNU_API_TOKEN", raw))).or(alias.map(|raw| ("NUNU_API_KEY", raw)));
        chosen.map(|(name, raw)| {
            name.clone_into(&mut found.source);
            raw.to_owned()
        })
    };
    let Some(raw) = raw else { return found };
    let key = raw.trim();
    if key.len() != raw.len() && !key.is_empty() {
        found.notices.push(format!("white space around the API key (from {}) was removed", found.source));
    }
    if key.is_empty() {
        return found;
    }
    let source = &found.source;
    if key.starts_with(['{', '[']) {
        found.problem = Some(format!(
            "api-token (from {source}): this looks like JSON; the secret has to be the bare key, as nunu.ai showed it"
        ));
    } else if key.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        found.problem = Some(format!(
            "api-token (from {source}): there is white space inside the key; was it cut or pasted twice?"
        ));
    } else if !key.is_ascii() || key.contains('"') {
        found.problem = Some(format!(
            "api-token (from {source}): there are characters that no key has; was it pasted with quotes?"
        ));
    } else {
        found.key = Some(SecretString::from(key.to_owned()));
    }
    found
}

fn read(path: &Path, cwd: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(LARGEST).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(cwd.join(path))?.take(LARGEST).read_to_string(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Args, Env, Path, find};

    #[test]
    fn trims_with_a_notice_and_rejects_what_is_no_key() {
        let of = |pairs: &[(&str, &str)]| {
            let env = Env::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            find(&Args::default(), &env, Path::new("."))
        };
        let trimmed = of(&[("NUNU_API_TOKEN", " nunu_abc\n")]);
        assert_eq!(trimmed.key.unwrap().expose_secret(), "nunu_abc");
        assert_eq!(trimmed.notices.len(), 1);
        assert!(of(&[]).key.is_none());
        assert!(of(&[("NUNU_API_TOKEN", "  ")]).key.is_none());
        assert_eq!(of(&[("NUNU_API_KEY", "nunu_b")]).source, "NUNU_API_KEY");
        assert!(of(&[("NUNU_API_KEY", "nunu_b"), ("NUNU_API_TOKEN", "nunu_b")]).key.is_some());
        for pairs in [
            &[("NUNU_API_KEY", "nunu_secret1"), ("NUNU_API_TOKEN", "nunu_secret2")][..],
            &[("NUNU_API_TOKEN", "{\"key\":\"nunu_secret\"}")],
            &[("NUNU_API_TOKEN", "nunu_secret x")],
            &[("NUNU_API_TOKEN", "nunu_secret\u{e9}")],
        ] {
            let problem = of(pairs).problem.unwrap();
            assert!(!problem.contains("secret1") && !problem.contains("nunu_secret"), "{problem}");
        }
    }
}
