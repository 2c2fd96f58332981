//! The leak test: everything a run of the program left or showed is searched for the key in every form, for presigned URLs and for
//! upload ids. It runs after every run of the program in every test of this folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nunu_ci::internals::forms;
use nunu_sim::Sim;

/// Texts that were searched, over all tests of this process.
static CAPTURES: AtomicUsize = AtomicUsize::new(0);
/// Strings that were looked for in them.
static SECRETS: AtomicUsize = AtomicUsize::new(0);
/// Runs of the program, and those of them in debug mode.
static RUNS: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
/// Environments of child processes.
static CHILDREN: AtomicUsize = AtomicUsize::new(0);
/// Command lines seen in `/proc` while the program ran.
static COMMAND_LINES: AtomicUsize = AtomicUsize::new(0);

/// Parameters of presigned URLs whose values give access.
const PRESIGNED: [&str; 3] = ["X-Amz-Signature=", "X-Amz-Credential=", "X-Amz-Security-Token="];
/// Variables that a child may have: the allow-list, what steers `git`, and what a shell sets by itself.
const CHILD_MAY_HAVE: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "TMP",
    "XDG_CONFIG_HOME",
    "PWD",
    "OLDPWD",
    "SHLVL",
];

/// A `git` that writes its arguments and environment into `record` and then does what `git` does; gives back its folder.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "elsewhere there is none"))]
pub(crate) fn telling_git(home: &Path, record: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, program) = (home.join("bin"), home.join("bin/git"));
        fs::create_dir(&folder).unwrap();
        let record = record.display();
        let rest = "PATH=${PATH#*:} exec git \"$@\"";
        fs::write(&program, format!("#!/bin/sh\n{{ echo \"argv $*\"; env; }} >>'{record}'\n{rest}\n"))
            .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Some(folder.display().to_string())
    }
    #[cfg(not(unix))]
    {
        let _ = (home, record);
        None
    }
}

/// Looks at the command lines of a process and its children while it runs; on Linux only.
pub(crate) struct Watch {
    done: &'static AtomicBool,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Watch {
    pub(crate) fn on(pid: u32) -> Self {
        let done: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while cfg!(target_os = "linux") && !done.load(Ordering::SeqCst) {
                let children =
                    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
                for process in children.split_whitespace().chain([pid.to_string().as_str()]) {
                    seen.extend(fs::read_to_string(format!("/proc/{process}/cmdline")).ok());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            seen
        });
        Self { done, thread }
    }

    /// What was seen until now, as captures.
    pub(crate) fn end(self) -> Vec<(String, String)> {
        self.done.store(true, Ordering::SeqCst);
        let seen = self.thread.join().unwrap();
        COMMAND_LINES.fetch_add(seen.len(), Ordering::Relaxed);
        seen.into_iter().map(|line| ("a command line".to_owned(), line)).collect()
    }
}

/// Searches what one run left: the captures, every file below `home`, and the environments of children in `record`.
pub(crate) fn search(
    sim: &Sim,
    key: &str,
    home: &Path,
    record: &Path,
    mut captures: Vec<(String, String)>,
    debug: bool,
) {
    let ledger = sim.ledger();
    let uploads: Vec<String> =
        ledger.builds.iter().filter_map(|build| build.upload_id.as_deref()).flat_map(forms).collect();
    let mut wanted = if key.len() >= 8 { forms(key) } else { Vec::new() };
    wanted.extend(PRESIGNED.map(str::to_owned));
    collect(home, &mut captures);
    SECRETS.fetch_add(wanted.len() + uploads.len(), Ordering::Relaxed);
    CAPTURES.fetch_add(captures.len(), Ordering::Relaxed);
    RUNS[0].fetch_add(1, Ordering::Relaxed);
    RUNS[1].fetch_add(usize::from(debug), Ordering::Relaxed);
    for (place, text) in &captures {
        for secret in &wanted {
            assert!(!text.contains(secret.as_str()), "{place} shows the key or a presigned URL");
        }
        // The state file alone may hold an upload id: it is needed to cancel the upload. Killed at the wrong moment, the program leaves
        // one that has not got its name yet.
        let is_state = place.ends_with("state.json") || place.contains("/.state.json.");
        if !is_state {
            let shown = uploads.iter().find(|id| text.contains(id.as_str()));
            assert!(shown.is_none(), "{place} shows an upload id");
        }
        #[cfg(unix)]
        if is_state {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(place).map_or(0o600, |about| about.permissions().mode() & 0o777);
            assert_eq!(mode, 0o600, "{place}");
        }
    }
    for line in fs::read_to_string(record).unwrap_or_default().lines() {
        let Some((name, _)) = line.split_once('=').filter(|_| !line.starts_with("argv ")) else {
            CHILDREN.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let allowed = CHILD_MAY_HAVE.contains(&name) || name.starts_with("GIT_") || name == "_";
        assert!(allowed, "a child process was given {name}");
    }
    assert!(ledger.violations.is_empty(), "the key went where it must not: {:?}", ledger.violations);
}

/// All files below a folder, as text.
fn collect(folder: &Path, captures: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            collect(&path, captures);
        } else if about.is_file() && about.len() < 4_000_000 {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            captures.push((path.display().to_string(), text));
        }
    }
}

/// How much was searched until now.
pub(crate) fn numbers() -> String {
    let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
    format!(
        "searched: {} captures of {} runs ({} in debug mode) for {} secrets; {} command lines, {} children",
        count(&CAPTURES),
        count(&RUNS[0]),
        count(&RUNS[1]),
        count(&SECRETS),
        count(&COMMAND_LINES),
        count(&CHILDREN)
    )
}
