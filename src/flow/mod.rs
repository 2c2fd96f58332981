//! One invocation in order: preflight, upload, start, poll, stop, report.
//! Touches only other modules, the state file, for `init` the starter files and, for `report`, the files that it is given.

mod announce;
mod app;
mod artifacts;
mod bug;
mod cancel;
mod carry_over;
mod check;
mod check_lines;
mod check_report;
mod commands;
mod context;
mod deadline;
mod earlier_attempt;
mod explain;
mod fetch;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/flow.rs"]
pub(crate) mod fuzz;
mod init;
mod init_dialog;
mod jobs_by_tag;
mod look_back;
mod outputs;
mod past_jobs;
mod place_tags;
mod plan_parts;
mod plan_size;
mod poll;
mod poll_jobs;
mod poll_schedule;
mod pr_comment;
mod preflight;
mod process;
mod publish;
mod recall;
mod recorded_starts;
mod records;
mod report_again;
mod resolve_names;
mod resume;
mod run_state;
mod screenshots;
mod service_facts;
mod start;
mod start_driver;
mod start_results;
mod starts;
mod state_file;
mod state_lock;
mod stop;
mod stopwatch;
mod tags;
mod tracked_job;
mod upload_build;
mod wanted_file;

pub use process::{Invocation, run};
