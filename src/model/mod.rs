//! Plain types that every other module shares, and the pure functions that decide.
//! Touches nothing: no files, no network, no clock, no environment; `workspace` alone asks the disk where links end.

pub(crate) mod annotation;
pub(crate) mod baseline;
pub(crate) mod build;
pub(crate) mod build_kind;
pub(crate) mod delta;
pub(crate) mod details;
pub(crate) mod env;
mod exit_reason;
pub(crate) mod failure;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/model.rs"]
pub(crate) mod fuzz;
pub(crate) mod given;
pub(crate) mod hidden;
pub(crate) mod ids;
mod instances;
pub(crate) mod job;
mod json_values;
pub(crate) mod judge;
pub(crate) mod live;
pub(crate) mod log;
pub(crate) mod look;
pub(crate) mod permission;
pub(crate) mod player;
pub(crate) mod redact;
pub(crate) mod result;
pub(crate) mod run;
pub(crate) mod run_report;
mod secret_forms;
pub(crate) mod secrets;
pub(crate) mod service;
mod tolerance;
pub(crate) mod units;
pub(crate) mod verdict;
pub(crate) mod workspace;

pub(crate) use build::{Build, BuildOrigin, BuildSpec, DeletionPolicy, Multipart, Platform};
pub(crate) use details::Details;
pub(crate) use env::Env;
pub use exit_reason::ExitReason;
pub(crate) use exit_reason::Status;
pub(crate) use failure::Failure;
pub(crate) use ids::may_be_id;
pub(crate) use log::Log;
pub(crate) use permission::Permission;
pub(crate) use result::TestResult;
pub(crate) use run::{RunSpec, Target};
pub(crate) use run_report::RunReport;
pub(crate) use secrets::{ApiKey, Secrets};
pub(crate) use workspace::Workspace;
