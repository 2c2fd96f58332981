//! The API key: where it may come from and what it must look like. Its value is never shown.

use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;

use crate::model::{ApiKey, Env};

use super::args::Args;
use super::layers::Layers;
use super::secret_names::API_TOKEN;

/// A file or stream with more than this is not a key.
const LARGEST: u64 = 64 * 1024;

/// Longer than any key.
const LONGEST: usize = 4096;

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
                let shown = path.display().to_string();
                // The key itself where the file's name belongs is not shown.
                if shown.trim_start().starts_with("nunu_") {
                    found.problem = Some(
                        "token-file (from --token-file): takes the path of a file, and this looks like the key itself; command lines are visible to every process, so replace the key if it is real".to_owned(),
                    );
                    return found;
                }
                found.problem =
                    Some(format!("token-file (from --token-file): cannot read {}: {why}", path.display()));
                return found;
            }
        }
    } else {
        let input = Layers::new(args, env).key_input();
        let (name, other) = (API_TOKEN.variable(), API_TOKEN.alias);
        let (token, alias) = (env.get(&name), env.get(other));
        if input.is_none() && token.zip(alias).is_some_and(|(token, alias)| token.trim() != alias.trim()) {
            found.problem = Some(format!(
                "api-token (from {name} and {other}): both are set, to different keys; set one"
            ));
            return found;
        }
        let chosen = input.or(token.map(|raw| (name, raw))).or(alias.map(|raw| (other.to_owned(), raw)));
        chosen.map(|(name, raw)| {
            found.source = name;
            raw.to_owned()
        })
    };
    let Some(raw) = raw else { return found };
    // Windows programs begin a file with a byte order mark.
    let raw = raw.strip_prefix('\u{feff}').unwrap_or(&raw);
    let key = raw.trim();
    if key.len() != raw.len() && !key.is_empty() {
        found.notices.push(format!("white space around the API key (from {}) was removed", found.source));
    }
    if key.is_empty() {
        return found;
    }
    match what_is_wrong(key) {
        Some(what) => found.problem = Some(format!("api-token (from {}): {what}", found.source)),
        None => found.key = Some(SecretString::from(key.to_owned())),
    }
    found
}

/// Why this cannot be a key, in words that do not show it.
fn what_is_wrong(key: &str) -> Option<String> {
    let unfilled = key.starts_with('$') || (key.starts_with('%') && key.ends_with('%'));
    Some(if unfilled || key.starts_with("{{") {
        "this is the name of a variable or secret that nobody filled in; check how the CI hands it over"
            .to_owned()
    } else if key.starts_with(['{', '[']) {
        "this looks like JSON; the secret has to be the bare key, as nunu.ai showed it".to_owned()
    } else if key.chars().all(|letter| letter == '*') {
        "these are asterisks: the key was copied from a place that hides it".to_owned()
    } else if key.to_ascii_lowercase().starts_with("bearer ") {
        "the word Bearer does not belong to the key; store the bare key".to_owned()
    } else if key.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        "there is white space or a control character inside the key; was it cut or pasted twice?".to_owned()
    } else if !key.is_ascii() || key.contains(['"', '\'', '`']) {
        "there are characters that no key has; was it pasted with quotes?".to_owned()
    } else if key.len() > LONGEST {
        format!("{} characters are no key; is this a file of something else?", key.len())
    } else {
        return None;
    })
}

/// The file may be a pipe, and whatever it is, no more than a key may need is read of it.
fn read(path: &Path, cwd: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let most = LARGEST + 1;
    let count = if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes)?
    } else {
        std::fs::File::open(cwd.join(path))?.take(most).read_to_end(&mut bytes)?
    };
    if count as u64 > LARGEST {
        return Err(std::io::Error::other(format!("it holds more than {LARGEST} bytes, which no key does")));
    }
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Args, Env, Path, find};

    #[test]
    fn a_file_may_hold_the_key_but_not_be_it() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("key"), "\u{feff}nunu_abc\r\n").unwrap();
        let of = |path: &str| {
            let args = Args { token_file: Some(path.into()), ..Args::default() };
            find(&args, &Env::from([("NUNU_API_TOKEN", "nunu_other")]), home.path())
        };
        assert_eq!(of("key").key.unwrap().expose_secret(), "nunu_abc");
        assert!(of("kye").problem.unwrap().contains("cannot read kye"));
        std::fs::write(home.path().join("large"), vec![b'\n'; 64 * 1024 + 1]).unwrap();
        assert!(of("large").problem.unwrap().contains("more than 65536 bytes"));
        #[cfg(unix)]
        assert!(of("/dev/zero").problem.unwrap().contains("more than 65536 bytes"));
        let problem = of("nunu_0123456789").problem.unwrap();
        assert!(
            problem.contains("looks like the key itself") && !problem.contains("0123456789"),
            "{problem}"
        );
    }

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
            &[("NUNU_API_TOKEN", "'nunu_secret'")],
            &[("NUNU_API_TOKEN", "Bearer nunu_secret")],
            &[("NUNU_API_TOKEN", "nunu_secret\u{7}")],
            &[("NUNU_API_TOKEN", "${{ secrets.nunu_secret }}")],
            &[("NUNU_API_TOKEN", "$NUNU_KEY")],
            &[("NUNU_API_TOKEN", "***")],
            &[("NUNU_API_TOKEN", &"nunu_secret".repeat(500))],
        ] {
            let problem = of(pairs).problem.unwrap();
            assert!(!problem.contains("secret1") && !problem.contains("nunu_secret"), "{problem}");
        }
    }
}
