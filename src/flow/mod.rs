//! The story in order: preflight, upload, start, watch, stop, report.
//! Touches only other rooms, the state file and, for `init`, the starter files.

mod announce;
mod app;
mod artifacts;
mod bug;
mod build;
mod cancel;
mod check;
mod check_text;
mod clock;
mod commands;
mod deliver;
mod end;
mod fetch;
mod finish;
mod forge;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/flow.rs"]
pub(crate) mod fuzz;
mod init;
mod known;
mod lock;
mod look;
mod look_back;
mod preflight;
mod process;
mod recorded;
mod resolve;
mod schedule;
mod session;
mod size;
mod start;
mod starts;
mod state;
mod stop;
mod story;
mod tagged;
mod tags;
mod track;
mod watch;
mod wrong;

pub use process::{Invocation, run};
