//! One part of the build to one URL, and what to make of a failure.

use std::sync::Arc;
use std::time::Duration;

use super::body::{self, Range};
use super::content::{Content, blocking};
use super::error::UploadError;
use super::hash::StreamDigest;
use super::parallelism::Overload;
use super::parts::Part;
use super::progress::{AttemptProgress, Meter};
use crate::api::{ApiError, ETag, Phase, PresignedUrl, PutBody, Storage, StorageError};
use crate::model::{ExitReason, Failure};

/// What all parts of one upload share.
#[derive(Debug)]
pub(crate) struct PartSource {
    pub(crate) storage: Storage,
    pub(crate) content: Arc<Content>,
    pub(crate) meter: Arc<Meter>,
    /// Made on the way, where the bytes go out in order.
    pub(crate) digest: Option<StreamDigest>,
}

/// How an attempt failed.
#[derive(Debug)]
pub(crate) enum PutError {
    /// The build itself is at fault; nothing helps.
    Build(UploadError),
    /// Storage or the network.
    Storage(StorageError),
    /// The service gave no URL.
    Api(Box<ApiError>),
    /// The service answered, but without the URL that was asked for.
    NoUrl,
    /// Storage took the bytes but named no `ETag`, without which the upload cannot be completed.
    NoETag,
}

impl std::fmt::Display for PutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Build(error) => error.fmt(f),
            Self::Storage(error) => f.write_str(&error.brief()),
            Self::Api(error) => error.fmt(f),
            Self::NoUrl => f.write_str("the service named no upload URL"),
            Self::NoETag => f.write_str("storage answered without an ETag"),
        }
    }
}

impl PutError {
    /// An API call failed.
    pub(crate) fn api(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }

    /// Whether another attempt cannot help.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Build(_) | Self::Storage(StorageError::TooLarge(_) | StorageError::Source(_)) => true,
            // A certificate that is not trusted stays so.
            Self::Storage(StorageError::Network(error)) => !error.is_transient(),
            Self::Api(error) => !error.is_transient(),
            Self::Storage(_) | Self::NoETag | Self::NoUrl => false,
        }
    }

    /// What it says about the number of parts at a time.
    pub(crate) fn overload(&self) -> Option<Overload> {
        match self {
            Self::Storage(StorageError::Busy { refusal, .. }) => {
                matches!(refusal.status, 429 | 503).then_some(Overload::SlowDown)
            }
            Self::Storage(StorageError::Network(_) | StorageError::Stalled { .. }) => Some(Overload::Reset),
            _ => None,
        }
    }

    /// Whether a fresh URL is all it needs, so that waiting is pointless.
    pub(crate) fn wants_fresh_url(&self) -> bool {
        matches!(self, Self::Storage(StorageError::Expired(_)))
    }

    /// How long storage wants us to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Storage(error) => error.retry_after(),
            _ => None,
        }
    }

    /// The end of the upload because of this.
    pub(crate) fn failure(self, what: &str, attempts: u32) -> UploadError {
        let attempts = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
        let failed = |reason| Failure::new(reason, format!("{what} failed after {attempts}"));
        match self {
            Self::Build(error) => error,
            Self::Storage(error @ StorageError::TooLarge(_)) => failed(ExitReason::BuildTooLarge)
                .because(&error)
                .hint("set build.multipart to always, or make the build smaller")
                .into(),
            Self::Storage(error) => {
                let failure = failed(ExitReason::UploadFailed).because(&error);
                hints(&error).into_iter().fold(failure, Failure::hint).into()
            }
            Self::Api(error) => {
                let mut failure = error.failure(Phase::Upload);
                if failure.reason == ExitReason::UploadFailed {
                    failure.causes.insert(0, failure.message);
                    failure.message = format!("{what} failed after {attempts}");
                }
                if error.is_upload_gone() {
                    failure.hints = vec![GONE.to_owned()];
                }
                failure.into()
            }
            Self::NoUrl => failed(ExitReason::UploadFailed)
                .cause("the service named no upload URL for it")
                .hint("run the job again; if it fails in the same way, tell nunu.ai support")
                .into(),
            Self::NoETag => failed(ExitReason::UploadFailed)
                .cause("storage answered without an ETag")
                .hint("a proxy between this machine and storage may remove the ETag header; let uploads pass it unchanged")
                .into(),
        }
    }
}

/// What to do about an upload that the service does not know any more.
const GONE: &str = "the service has dropped the upload: set upload-timeout to more minutes for a slow line";

/// The next actions; where storage's own errors know none, the reason lies on the service's side.
fn hints(error: &StorageError) -> Vec<String> {
    let mut hints = error.hints();
    match error {
        StorageError::Gone(_) => {
            hints.push(GONE.to_owned());
        }
        _ if hints.is_empty() => {
            hints.push(
                "run the job again; if it fails in the same way, tell nunu.ai support what storage answered"
                    .to_owned(),
            );
        }
        _ => {}
    }
    hints
}

impl PartSource {
    /// Sends a part to `url`.
    pub(crate) async fn put(
        &self,
        url: &PresignedUrl,
        part: Part,
        attempt: u32,
        progress: Arc<AttemptProgress>,
    ) -> Result<Option<ETag>, PutError> {
        let range = Range {
            content: Arc::clone(&self.content),
            offset: part.offset,
            len: part.len,
            digest: self.digest.clone(),
        };
        let body = PutBody::stream(part.len, range.stream());
        match self.storage.put(url, body, attempt, move |bytes| progress.sent(bytes)).await {
            Ok(etag) => {
                let content = Arc::clone(&self.content);
                blocking(move || content.verify()).await.map_err(PutError::Build)?;
                Ok(etag)
            }
            Err(StorageError::Source(error)) => Err(match body::cause(error) {
                Ok(error) => PutError::Build(error),
                Err(error) => PutError::Storage(StorageError::Source(error)),
            }),
            Err(error) => Err(PutError::Storage(error)),
        }
    }
}
