//! The story in order: preflight, upload, start, watch, stop, report.
//! Touches only other rooms and the state file.

mod schedule;

pub use schedule::{Poll, next_look};
