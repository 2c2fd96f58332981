//! The network: clients, retry as a value, bounded replies, the storage PUT and the flight recorder.
//! Touches the network, the clock, jitter and one file (`diagnostics.jsonl`). Knows nothing of the service's endpoints.

mod body;
mod client;
mod error;
mod proxy;
mod recorder;
mod reply;
mod retry;
mod storage;
mod tls;

pub use body::PutBody;
pub use client::{Net, Request};
pub use error::HttpError;
pub use recorder::{Entry, Recorder};
pub use reply::{Download, Reply};
pub use retry::{Class, Fault, Next, Policy};
pub use storage::{ETag, Limits, PresignedUrl, Storage, StorageError};
pub use tls::install_crypto;
