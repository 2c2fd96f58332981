//! Meaning: plain types that every other room shares, and the pure functions that decide.
//! Touches nothing: no files, no network, no clock, no environment; `workspace` alone asks the disk where links end.

pub mod annotation;
pub mod build;
mod catalogue;
pub mod details;
pub mod env;
pub mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod given;
pub(crate) mod hidden;
pub mod ids;
mod instances;
pub mod judge;
pub mod log;
pub mod permission;
pub(crate) mod redact;
pub mod result;
pub mod run;
pub mod run_report;
mod secret_forms;
pub mod secrets;
mod tolerance;
pub mod units;
pub mod verdict;
pub mod workspace;

pub use build::{Build, BuildOrigin, BuildSpec, DeletionPolicy, Multipart, Platform};
pub use details::Details;
pub use env::Env;
pub use failure::{Failure, Reason, Status};
pub use ids::may_be_id;
pub use log::Log;
pub use permission::Permission;
pub use result::TestResult;
pub use run::{RunSpec, Target};
pub use run_report::RunReport;
pub use secrets::{ApiKey, Secrets};
pub use workspace::Workspace;
