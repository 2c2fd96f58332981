//! The process: arguments, environment and working directory in, exit code out.

use std::process::ExitCode;

use nunu_ci::{Invocation, run};

fn main() -> ExitCode {
    keep_memory_private();
    ExitCode::from(run(Invocation::of_this_process(std::env::args_os())).exit_code())
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
