//! The CI host: what it tells us (commit, job, limits) and what we tell it (log, masks, outputs, summary, annotations).
//! Touches stdout, stderr, the host's files and `git`.

mod console;
mod escape;
mod event;
mod facts;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod git;
mod host;
mod identity;
pub mod stream;

pub use console::Loudness;
pub use host::{Annotation, Host, Kind};
pub use identity::Identity;
