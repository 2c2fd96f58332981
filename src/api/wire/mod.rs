//! Replies of every generation, read liberally: unknown fields and values survive, any field may be missing or null,
//! ids may be numbers, and nothing is held beyond fixed bounds.

mod bugs;
mod builds;
mod field;
mod jobs;
mod problem;
mod runs;
mod start;

pub(super) use bugs::bugs;
pub(super) use builds::{build, open_upload, part_urls};
pub(super) use field::{Fields, clip, list_of};
pub(super) use jobs::job;
pub(super) use problem::{Problem, is_html, problem};
pub(super) use runs::run;
pub(super) use start::started;
