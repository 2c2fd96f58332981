//! The story in order: preflight, upload, start, watch, stop, report.
//! Touches only other rooms and the state file.

mod cancel;
mod clock;
mod lookup;
mod schedule;
mod state;
mod tags;
mod track;

pub use cancel::Cancel;
pub use schedule::next_look;
