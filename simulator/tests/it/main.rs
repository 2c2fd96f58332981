//! The simulator, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod binary;
mod client;
mod faults;
mod runs;
mod uploads;
