//! The nunu.ai API, every generation of it: one file a resource, with the reading of its replies, and one error type.
//! Talks through `http` only. What `upload` and `flow` need of `http` is re-exported, so that this module alone is enough for them.

mod artifacts;
mod auth;
mod bugs;
mod builds;
mod client;
mod error;
mod error_body;
mod explain;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/api.rs"]
pub(crate) mod fuzz;
mod incoming;
mod jobs;
mod json;
mod list_filter;
mod named_lists;
mod permissions;
pub(crate) mod pr_comment;
mod request;
mod runs;
mod start;
mod start_body;
mod start_reply;
mod stop;
#[cfg(test)]
mod tests;
mod uploads;

pub(crate) use auth::AuthProblem;
pub(crate) use bugs::Bugs;
pub(crate) use builds::{BuildFilter, BuildReadiness, StoredBuild};
pub(crate) use client::Api;
pub(crate) use error::{ApiError, Fault};
pub(crate) use explain::{Phase, missing_permissions};
#[cfg(test)]
pub(crate) use named_lists::PlanItem;
pub(crate) use named_lists::{Named, PlanFacts, TestFacts};
pub(crate) use permissions::Proof;
pub(crate) use start_body::{given_builds, start_body};
pub(crate) use start_reply::{Started, instances_of};
pub(crate) use stop::StopReply;
pub(crate) use uploads::{InitiateUpload, OpenUpload, UploadHandle, UploadKind};

pub(crate) use crate::http::{ETag, PresignedUrl, PutBody, Storage, StorageError};
