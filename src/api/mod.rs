//! The nunu.ai API: one method per endpoint, wire types of every generation, one error type.
//! Talks through `http` only. What `upload` and `flow` need of `http` is re-exported, so that this room alone is enough for them.

mod artifacts;
mod ask;
mod auth;
mod builds;
mod client;
mod configs;
mod error;
mod failure;
pub(crate) mod forge;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/api.rs"]
pub(crate) mod fuzz;
mod incoming;
mod jobs;
mod permissions;
mod runs;
mod sieve;
mod start;
mod stop;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use auth::{AuthProblem, KeyKind};
pub(crate) use builds::{
    BuildFilter, BuildReadiness, InitiateUpload, OpenUpload, StoredBuild, UploadHandle, UploadKind,
};
pub(crate) use client::Api;
pub(crate) use configs::{Named, PlanFacts, TestFacts};
pub(crate) use error::{ApiError, Fault};
pub(crate) use failure::{Phase, missing_permissions};
pub(crate) use jobs::{JobFilter, JobSnapshot};
pub(crate) use permissions::Proof;
pub(crate) use runs::{Bugs, RunDetails, RunFilter};
pub(crate) use start::{Started, given_builds, instances_of, start_body};
pub(crate) use stop::StopReply;

pub(crate) use crate::http::{ETag, PresignedUrl, PutBody, Storage, StorageError};
