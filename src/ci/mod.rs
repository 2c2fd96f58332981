//! The CI host: what it tells us (commit, job, limits) and what we tell it (log, masks, outputs, summary, annotations).
//! Touches stdout, stderr, the host's files and `git`.

mod block;
mod console;
mod detect;
mod escape;
mod event;
mod facts;
mod files;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/ci.rs"]
pub(crate) mod fuzz;
mod git;
mod host;
mod identity;
mod revision;
pub(crate) mod stream;
mod terminal;

pub(crate) use console::Loudness;
pub(crate) use detect::Kind;
pub(crate) use host::Host;
pub(crate) use revision::Revision;
pub(crate) use terminal::look;
