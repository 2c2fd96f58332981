//! The door: arguments and environment in, exit code out.

use std::panic;
use std::process::ExitCode;

use anyhow::Context as _;
use nunu_ci::flow::{Cancel, Visit, visit};
use nunu_ci::model::{Env, Reason};

fn main() -> ExitCode {
    keep_memory_private();
    // A panic ends the program at once, with whatever was reported until then: the release build carries no code for unwinding.
    panic::set_hook(Box::new(die));
    match enter() {
        Ok(reason) => ExitCode::from(reason.exit_code()),
        Err(error) => {
            complain(&format!("error: {error:#}\nerror: more: {}", Reason::Internal.page()));
            ExitCode::from(Reason::Internal.exit_code())
        }
    }
}

#[expect(clippy::disallowed_methods, clippy::exit, reason = "nothing of a program with a bug may go on")]
fn die(about: &panic::PanicHookInfo<'_>) {
    complain(&describe(about));
    std::process::exit(Reason::Internal.exit_code().into());
}

/// A bug still reports: the panic's own message may hold anything, so only its place is shown.
fn describe(about: &panic::PanicHookInfo<'_>) -> String {
    let place =
        about.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    format!(
        "error: internal error{place}; this is a bug of nunu-ci\nerror: hint: report it with diagnostics.jsonl, which holds no secrets\nerror: more: {}",
        Reason::Internal.page()
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

fn enter() -> anyhow::Result<Reason> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let cancel = Cancel::default();
    let reason = runtime.block_on(async {
        cancel.listen().context("cannot listen for signals")?;
        let cwd = std::env::current_dir().context("cannot tell the working directory")?;
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let env = Env::new(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))));
        let argv = std::env::args_os().map(lossy).collect();
        anyhow::Ok(visit(Visit { argv, env, cwd, cancel }).await)
    });
    // Reading threads of an interrupted upload, or a resolver that hangs, must not hold the process.
    runtime.shutdown_background();
    reason
}

fn complain(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::sync::{Arc, Mutex};

    use super::describe;

    #[test]
    fn a_panic_shows_its_place_and_never_its_message() {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        panic::set_hook(Box::new(move |about| *heard.lock().unwrap() = describe(about)));
        let _ = panic::catch_unwind(|| panic!("nunu_secret_in_a_message"));
        drop(panic::take_hook());
        let said = said.lock().unwrap();
        assert!(said.starts_with("error: internal error at src/main.rs:"), "{said}");
        assert!(!said.contains("nunu_secret"), "{said}");
    }
}
