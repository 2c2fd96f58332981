//! What `git` knows about the working directory. Optional: whatever goes wrong, nothing is known.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::Env;
use crate::model::run_report::Suspect;

use super::facts::{Facts, provider_of, web_address};

/// Longest time for one call: a repository on a dead network disk must not hold the job.
const PATIENCE: Duration = Duration::from_secs(3);
/// Commits of one list.
const MOST_COMMITS: usize = 20;
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

/// What the configuration of a repository cannot change.
const CONFIG: [(&str, &str); 4] = [
    ("safe.directory", "*"),
    ("safe.bareRepository", "explicit"),
    ("core.fsmonitor", "false"),
    ("log.showSignature", "false"),
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
    if let (None, Some(target), Some(commit)) = (&facts.base_commit, &facts.target_branch, &facts.commit) {
        // A shallow checkout has no history to find it in.
        let base = format!("refs/remotes/origin/{target}");
        facts.base_commit = git(env, workdir, &["merge-base", "--", &base, commit]);
    }
    if facts.repository_url.is_none() {
        facts.repository_url = git(env, workdir, &["config", "--get", "remote.origin.url"])
            .map(|url| web_address(&url))
            .filter(|url| url.contains("://"));
        facts.provider = facts.provider.or_else(|| facts.repository_url.as_deref().and_then(provider_of));
    }
}

/// True for a file as the checkout brought it: git tracks it, and nobody has written to it since.
pub(super) fn is_committed(env: &Env, path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let Some((folder, name)) = path.parent().zip(name) else { return false };
    // Asked from its own folder, which may be a repository in the repository.
    let lists = |which: &str| git(env, folder, &["ls-files", which, "--", name]).is_some();
    lists("--cached") && !lists("--modified")
}

/// Commits that `now` has and `before` has not, the newest first; none where the checkout lacks one of them.
pub(super) fn commits_between(env: &Env, workdir: &Path, before: &str, now: &str) -> Vec<Suspect> {
    let is_hash =
        |text: &str| (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash(before) || !is_hash(now) {
        return Vec::new();
    }
    let most = format!("--max-count={MOST_COMMITS}");
    let shown = git(env, workdir, &["log", "--format=%h%x1f%s", &most, &format!("{before}..{now}"), "--"]);
    let suspect = |line: &str| {
        let (commit, subject) = line.split_once('\u{1f}')?;
        Some(Suspect { commit: commit.to_owned(), subject: subject.to_owned() })
    };
    shown.unwrap_or_default().lines().filter_map(suspect).collect()
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
    // In containers the checkout often belongs to another user; reading is safe, because nothing that a configuration names may run:
    // no fsmonitor, no program that checks signatures, and no folder of the repository that poses as a repository of its own.
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        // Before 2.44 git knows nothing of the line above: a fetch that no protocol is allowed for starts no program either.
        .env("GIT_ALLOW_PROTOCOL", "")
        .env("GIT_CONFIG_COUNT", CONFIG.len().to_string());
    for (index, (key, value)) in CONFIG.into_iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{index}"), key).env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::{Env, git};

    /// Runs `git` as a person would.
    fn prepare(folder: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        command.current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        let done = command
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(args)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn no_git_of_any_age_may_fetch() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let program = home.path().join("git");
        fs::write(&program, "#!/bin/sh\nenv\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", home.path().display());
        let told = git(&Env::from([("PATH", path.as_str())]), home.path(), &["log"]).unwrap();
        for wanted in ["GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=", "GIT_TERMINAL_PROMPT=0"] {
            assert!(told.lines().any(|line| line == wanted), "no {wanted} in\n{told}");
        }
    }

    #[test]
    fn a_folder_that_poses_as_a_repository_runs_nothing() {
        let home = tempfile::tempdir().unwrap();
        let (trap, marker) = (home.path().join("trap"), home.path().join("ran"));
        fs::create_dir(&trap).unwrap();
        prepare(&trap, &["init", "--quiet", "--bare"]);
        let path = std::env::vars().find(|(name, _)| name == "PATH").unwrap().1;
        let env = Env::from([("PATH", path.as_str())]);
        let program = home.path().join("gpg");
        fs::write(&program, format!("#!/bin/sh\n: >'{}'\n", marker.display())).unwrap();
        prepare(home.path(), &["-C", "trap", "config", "gpg.program", &program.display().to_string()]);
        prepare(home.path(), &["-C", "trap", "config", "core.fsmonitor", &program.display().to_string()]);
        prepare(home.path(), &["-C", "trap", "config", "remote.origin.url", "https://evil.example/x"]);
        assert_eq!(
            git(&env, &trap, &["config", "--get", "remote.origin.url"]),
            None,
            "its configuration is not read"
        );
        assert_eq!(git(&env, &trap, &["log", "-1", "--format=%H", "HEAD", "--"]), None);
        assert!(!marker.exists(), "a program of the folder ran");
        // A real checkout is read.
        let real = home.path().join("real");
        fs::create_dir(&real).unwrap();
        prepare(&real, &["init", "--quiet"]);
        prepare(&real, &["remote", "add", "origin", "https://example.com/x"]);
        assert_eq!(
            git(&env, &real, &["config", "--get", "remote.origin.url"]).as_deref(),
            Some("https://example.com/x")
        );
    }
}
