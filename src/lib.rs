//! nunu-ci uploads a build to nunu.ai, starts AI play-tests on real devices, follows them to their end and fails the CI job honestly.
//! This is the facade of the program; `docs/architecture.md` has the modules and who may import whom.

mod api;
mod ci;
mod config;
mod disk;
mod flow;
mod http;
mod model;
mod report;
mod upload;

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/targets/mod.rs"]
pub mod fuzzing;

pub use flow::{Invocation, run};
pub use model::ExitReason;

#[doc(hidden)]
pub mod internals;
