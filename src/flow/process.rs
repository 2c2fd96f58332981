//! One invocation as the work of this process: its runtime, its signals, and what becomes of a panic.

use std::ffi::OsString;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::ci::stream::{self, Stream};
use crate::model::{Env, ExitReason};

use super::app;
use super::cancel::Cancel;

/// What one run of the program is given.
#[derive(Debug)]
pub struct Invocation {
    /// The command line, the program's name first.
    pub(super) argv: Vec<String>,
    /// The environment.
    pub(super) env: Env,
    /// The working directory.
    pub(super) cwd: io::Result<PathBuf>,
}

impl Invocation {
    /// The environment and the working directory of this process, with a command line (the program's name first).
    pub fn of_this_process(argv: impl Iterator<Item = OsString>) -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        Self {
            argv: argv.map(lossy).collect(),
            env: Env::new(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)))),
            cwd: std::env::current_dir(),
        }
    }
}

/// Runs one invocation; always ends in a reason, after a panic too.
#[must_use]
pub fn run(invocation: Invocation) -> ExitReason {
    let cancel = Cancel::default();
    let noted = cancel.clone();
    panic::set_hook(Box::new(move |about| noted.break_off(place(about))));
    // Whatever unwinds to here, and whatever was broken beside the work, is a bug that was not reported yet.
    let ended = panic::catch_unwind(AssertUnwindSafe(|| perform(invocation, &cancel))).ok();
    let reason = match ended {
        Some(Ok(reason)) if cancel.bug().is_none() || reason == ExitReason::Internal => reason,
        Some(Err(error)) if cancel.bug().is_none() => {
            complain(&format!("error: {error:#}"));
            ExitReason::Internal
        }
        _ => {
            complain(&describe(cancel.bug().unwrap_or("an unknown place")));
            ExitReason::Internal
        }
    };
    stream::drain();
    reason
}

fn perform(invocation: Invocation, cancel: &Cancel) -> anyhow::Result<ExitReason> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let reason = runtime.block_on(async {
        cancel.listen().context("cannot listen for signals")?;
        let cwd = invocation.cwd.context("cannot tell the working directory")?;
        anyhow::Ok(app::run(&invocation.argv, invocation.env, cwd, cancel.clone()).await)
    });
    // A signal ends this too, so it must be listened to until then.
    stream::drain();
    // Reading threads of an interrupted upload, or a resolver that hangs, must not hold the process.
    runtime.shutdown_background();
    reason
}

/// The panic's own message may hold anything, so only its place is shown.
fn place(about: &panic::PanicHookInfo<'_>) -> String {
    about.location().map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()))
}

fn describe(place: &str) -> String {
    format!(
        "error: internal error at {place}; this is a bug of nunu-ci\nhint: report it with diagnostics.jsonl, which holds no secrets"
    )
}

fn complain(line: &str) {
    stream::log(Stream::Err, format!("{line}\nmore: {}\n", ExitReason::Internal.page()));
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::{Cancel, describe, place};

    #[test]
    fn a_panic_shows_its_place_and_never_its_message() {
        let cancel = Cancel::default();
        let noted = cancel.clone();
        panic::set_hook(Box::new(move |about| noted.break_off(place(about))));
        let _ = panic::catch_unwind(|| panic!("nunu_secret_in_a_message"));
        drop(panic::take_hook());
        let said = describe(cancel.bug().unwrap());
        assert!(said.starts_with("error: internal error at src/flow/process.rs:"), "{said}");
        assert!(!said.contains("nunu_secret"), "{said}");
    }
}
