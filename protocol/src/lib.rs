//! The start protocol: a paid run starts once in effect, never runs on unnoticed, and is never paid twice.
//!
//! [`Protocol`] holds all that is known of the starts of one invocation. What happened goes in as an [`Event`] with the moment it
//! happened; what to do now comes out as [`Action`]s. There is no I/O, no clock and no waiting here: the caller owns sockets,
//! files and time, performs the actions, and decides nothing about starts by itself. `docs/start-protocol.md` has the picture,
//! the guards and the assumptions; the tests of this crate explore the very same code under a service and a runner that fail.

mod carry;
#[cfg(test)]
mod explore;
mod kernel;
mod lookup;
mod questions;
mod state;
pub mod text;
mod types;

pub use state::Protocol;
pub use types::{
    Action, Answer, Cause, Earlier, Event, Expected, Group, Guard, Id, JobState, Left, Limits, Millis,
    Outcome, Poll, PostRef, Powers, Record, Seen, Settled, StartSpec, StopAnswer,
};
