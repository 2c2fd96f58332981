//! The network: clients, retry, bounded replies, the storage PUT and the request log.
//! Touches the network, the clock, jitter, certificate files and one file of its own (`diagnostics.jsonl`).
//! Knows nothing of the service's endpoints.

mod body;
mod client;
mod detours;
mod error;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/http.rs"]
pub(crate) mod fuzz;
mod presigned;
mod proxy;
mod recorder;
mod reply;
mod retry;
mod storage;
mod storage_error;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub(crate) use body::PutBody;
pub(crate) use client::Net;
pub(crate) use client::{Download, Request, Route};
pub(crate) use detours::detours;
pub(crate) use error::HttpError;
pub(crate) use presigned::{ETag, PresignedUrl};
pub(crate) use reply::Reply;
pub(crate) use retry::{AttemptError, Backoff, Class, Fault, Policy, RetryLog, retry};
pub(crate) use storage::{Limits, Storage};
pub(crate) use storage_error::StorageError;
pub use tls::install_crypto;
pub(crate) use url::{is_confidential, is_loopback};
