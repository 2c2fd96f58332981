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
pub mod forge;
#[cfg(any(test, fuzzing))]
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

pub use artifacts::ArtifactStream;
pub use auth::{AuthProblem, KeyKind};
pub use builds::{
    BuildFilter, BuildReadiness, InitiateUpload, OpenUpload, StoredBuild, UploadHandle, UploadKind,
};
pub use client::{Api, Call, Mode};
pub use configs::{Named, PlanFacts, TestFacts};
pub use error::{ApiError, Details as ErrorDetails, Fault, KeyNote};
pub use failure::{Phase, missing_permissions, permission_state};
pub use jobs::{JobFilter, JobSnapshot};
pub use permissions::Proof;
pub use runs::{Bugs, RunDetails, RunFilter};
pub use start::{Generation, Started, given_builds, instances_of, start_body};
pub use stop::StopReply;

pub use crate::http::{ETag, HttpError, Limits, Net, PresignedUrl, PutBody, Refusal, Storage, StorageError};
