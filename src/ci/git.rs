//! What `git` knows about the working directory. Optional: whatever goes wrong, nothing is known.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::Env;

use super::facts::{Facts, provider_of, web_address};

/// Longest time for one call: a repository on a dead network disk must not hold the job.
const PATIENCE: Duration = Duration::from_secs(3);
/// Variables that `git` may see; the API key is not among them.
const ALLOWED: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "SystemRoot",
    "USERPROFILE",
    "XDG_CONFIG_HOME",
];

/// Fills the gaps in `facts`.
pub(super) fn complete(facts: &mut Facts, env: &Env, workdir: &Path) {
    let wanted = facts.commit.clone().unwrap_or_else(|| "HEAD".to_owned());
    let format = "--format=%H%x1f%an%x1f%aI%x1f%B";
    if (facts.message.is_none() || facts.commit.is_none())
        && let Some(shown) = git(env, workdir, &["log", "-1", format, &wanted, "--"])
    {
        let mut parts = shown.splitn(4, '\u{1f}').map(|part| part.trim().to_owned());
        let (commit, author, at, message) = (parts.next(), parts.next(), parts.next(), parts.next());
        facts.commit = commit.or(facts.commit.take());
        facts.author = facts.author.take().or(author);
        facts.committed_at = facts.committed_at.take().or(at);
        facts.message = facts.message.take().or(message).filter(|message| !message.is_empty());
    }
    if facts.branch.is_none() && facts.tag.is_none() {
        facts.branch = git(env, workdir, &["symbolic-ref", "--quiet", "--short", "HEAD"]);
    }
    if facts.repository_url.is_none() {
        facts.repository_url = git(env, workdir, &["config", "--get", "remote.origin.url"])
            .map(|url| web_address(&url))
            .filter(|url| url.contains("://"));
        facts.provider = facts.provider.or_else(|| facts.repository_url.as_deref().and_then(provider_of));
    }
}

/// The trimmed output of one call, when it went well and there is any.
fn git(env: &Env, workdir: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command
        .env_clear()
        .current_dir(workdir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for name in ALLOWED {
        if let Some(value) = env.get(name) {
            command.env(name, value);
        }
    }
    // In containers the checkout often belongs to another user; reading is safe, and no hook or fsmonitor may run.
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_CONFIG_COUNT", "2")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_CONFIG_KEY_1", "core.fsmonitor")
        .env("GIT_CONFIG_VALUE_1", "false");
    let mut child = command.args(args).spawn().ok()?;
    let out = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        use std::io::Read as _;
        let mut text = Vec::new();
        let _ = out.take(64 * 1024).read_to_end(&mut text);
        text
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let text = String::from_utf8_lossy(&reader.join().ok()?).trim().to_owned();
    (status.success() && !text.is_empty()).then_some(text)
}
