//! The door: arguments and environment in, exit code out.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use anyhow::Context as _;
use nunu_ci::ci::stream::{self, Stream};
use nunu_ci::flow::{Cancel, Visit, visit};
use nunu_ci::model::{Env, Reason};

fn main() -> ExitCode {
    keep_memory_private();
    let cancel = Cancel::default();
    let noted = cancel.clone();
    panic::set_hook(Box::new(move |about| noted.break_off(place(about))));
    // Whatever unwinds to here, and whatever was broken beside the work, is a bug that was not reported yet.
    let ended = panic::catch_unwind(AssertUnwindSafe(|| enter(&cancel))).ok();
    let reason = match ended {
        Some(Ok(reason)) if cancel.bug().is_none() || reason == Reason::Internal => reason,
        Some(Err(error)) if cancel.bug().is_none() => {
            complain(&format!("error: {error:#}"));
            Reason::Internal
        }
        _ => {
            complain(&describe(cancel.bug().unwrap_or("an unknown place")));
            Reason::Internal
        }
    };
    stream::drain();
    ExitCode::from(reason.exit_code())
}

/// The panic's own message may hold anything, so only its place is shown.
fn place(about: &panic::PanicHookInfo<'_>) -> String {
    about.location().map_or_else(String::new, |place| format!("{}:{}", place.file(), place.line()))
}

fn describe(place: &str) -> String {
    format!(
        "error: internal error at {place}; this is a bug of nunu-ci\nerror: hint: report it with diagnostics.jsonl, which holds no secrets"
    )
}

/// The memory holds a key: no core dump of it is written and, on Linux, no other process of the same user may look into it. Where that
/// cannot be arranged, nothing else changes.
fn keep_memory_private() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

fn enter(cancel: &Cancel) -> anyhow::Result<Reason> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let reason = runtime.block_on(async {
        cancel.listen().context("cannot listen for signals")?;
        let cwd = std::env::current_dir().context("cannot tell the working directory")?;
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let env = Env::new(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))));
        let argv = std::env::args_os().map(lossy).collect();
        anyhow::Ok(visit(Visit { argv, env, cwd, cancel: cancel.clone() }).await)
    });
    // A signal ends this too, so it must be listened to until then.
    stream::drain();
    // Reading threads of an interrupted upload, or a resolver that hangs, must not hold the process.
    runtime.shutdown_background();
    reason
}

fn complain(line: &str) {
    stream::log(Stream::Err, format!("{line}\nerror: more: {}\n", Reason::Internal.page()));
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
        assert!(said.starts_with("error: internal error at src/main.rs:"), "{said}");
        assert!(!said.contains("nunu_secret"), "{said}");
    }
}
