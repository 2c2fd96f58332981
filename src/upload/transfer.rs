//! The bytes of an opened upload, in parts or in one piece, up to the completion.

use std::sync::Arc;

use super::complete;
use super::content::{Content, blocking};
use super::current_upload::CurrentUpload;
use super::error::UploadError;
use super::hash::{SendPosition, StreamDigest};
use super::multipart::Multipart;
use super::parallelism::Parallelism;
use super::part_retry::PartRetry;
use super::part_urls::PartUrls;
use super::parts::{Part, Parts};
use super::progress::{self, Meter};
use super::put::{PartSource, PutError};
use super::request::Upload;
use crate::api::{ETag, InitiateUpload, OpenUpload, PresignedUrl, UploadHandle, UploadKind};
use crate::model::units;
use crate::model::{ExitReason, Failure};

/// One build on its way.
pub(crate) struct Transfer<'a> {
    pub(crate) upload: &'a Upload<'a>,
    pub(crate) content: &'a Arc<Content>,
    /// To open the upload anew, when it must start again.
    pub(crate) request: &'a InitiateUpload,
    /// How far the sending has come, for the digest that follows it.
    pub(crate) position: &'a SendPosition,
    /// Made of the bytes of one piece as they go out, when nobody knows it yet.
    pub(crate) digest: Option<StreamDigest>,
}

impl Transfer<'_> {
    /// Sends and completes.
    pub(crate) async fn run(
        &self,
        opened: OpenUpload,
        current: &mut CurrentUpload<'_>,
    ) -> Result<Sent, UploadError> {
        match opened.kind {
            UploadKind::Multi { part_size, total_parts } => {
                self.in_parts(&opened.handle, part_size, total_parts, current).await
            }
            UploadKind::Single { url } => self.in_one_piece(opened.handle, url, current).await,
        }
    }

    fn part_source(&self, meter: &Arc<Meter>, digest: Option<StreamDigest>) -> Arc<PartSource> {
        Arc::new(PartSource {
            storage: self.upload.api.storage(),
            content: Arc::clone(self.content),
            meter: Arc::clone(meter),
            digest,
        })
    }

    async fn in_parts(
        &self,
        handle: &UploadHandle,
        part_size: u64,
        total_parts: u32,
        current: &mut CurrentUpload<'_>,
    ) -> Result<Sent, UploadError> {
        let size = self.content.size_bytes;
        let Some(parts) = Parts::cut(size, part_size, total_parts) else {
            let message = format!(
                "the service wants {size} bytes in {total_parts} parts of {part_size} bytes, which is not possible"
            );
            return Err(Failure::new(ExitReason::UploadFailed, message)
                .hint("run the job again; if it fails in the same way, tell nunu.ai support")
                .into());
        };
        let at_a_time = match self.upload.spec.parallel {
            Some(fixed) => format!("up to {fixed} at a time"),
            None => "more at a time while that is faster".to_owned(),
        };
        self.upload.log.info(format!(
            "uploading {}, {} in {} parts of {}, {at_a_time}, as build {}",
            self.content.file_name,
            units::bytes(size),
            parts.count(),
            units::bytes(parts.part_size().min(size)),
            handle.build_id,
        ));
        let meter = Arc::new(Meter::new(size, parts.count()));
        let job = Multipart {
            urls: Arc::new(PartUrls::new(self.upload.api.clone(), handle.clone(), parts.count())),
            source: self.part_source(&meter, None),
            parts,
            parallelism: Parallelism::new(self.upload.spec.parallel),
            part_timeout: self.upload.timeouts.part,
            position: self.position.clone(),
            log: self.upload.log.clone(),
        };
        let tags = tokio::select! {
            tags = job.send() => tags?,
            never = progress::report("uploading", &meter, self.upload.log) => match never {},
        };
        self.complete(handle, &tags, current).await?;
        Ok(Sent { meter, build_id: handle.build_id.clone(), sha256: None })
    }

    async fn in_one_piece(
        &self,
        handle: UploadHandle,
        url: PresignedUrl,
        current: &mut CurrentUpload<'_>,
    ) -> Result<Sent, UploadError> {
        let size = self.content.size_bytes;
        self.upload.log.info(format!(
            "uploading {}, {} in one piece, as build {}",
            self.content.file_name,
            units::bytes(size),
            handle.build_id
        ));
        let meter = Arc::new(Meter::new(size, 0));
        let sending =
            self.send_one_piece(handle, url, self.part_source(&meter, self.digest.clone()), current);
        let sent = tokio::select! {
            sent = sending => sent?,
            never = progress::report("uploading", &meter, self.upload.log) => match never {},
        };
        match sent {
            OnePiece::Sent(handle) => {
                self.complete(&handle, &[], current).await?;
                let sha256 = self.digest.as_ref().and_then(|digest| digest.finish(size));
                Ok(Sent { meter, build_id: handle.build_id, sha256 })
            }
            OnePiece::WantsParts { handle, part_size, total_parts } => {
                self.in_parts(&handle, part_size, total_parts, current).await
            }
        }
    }

    /// A single URL cannot be renewed, so every further attempt is an upload of its own.
    async fn send_one_piece(
        &self,
        mut handle: UploadHandle,
        mut url: PresignedUrl,
        source: Arc<PartSource>,
        current: &mut CurrentUpload<'_>,
    ) -> Result<OnePiece, UploadError> {
        let whole = Part { number: 1, offset: 0, len: self.content.size_bytes };
        let mut attempts = PartRetry::new(&source.meter, self.upload.timeouts.part);
        loop {
            let progress = attempts.begin();
            let sent = source.put(&url, whole, attempts.number, progress).await;
            let Err(error) = sent else { return Ok(OnePiece::Sent(handle)) };
            let (wait, error) = attempts.wait(error, "the upload")?;
            self.upload.api.retries().note(&format!(
                "the upload starts again in {} (attempt {}): {error}",
                units::duration(wait),
                attempts.number + 1
            ));
            tokio::time::sleep(wait).await;
            current.give_back().await;
            let opened = current
                .initiate(self.request)
                .await
                .map_err(|error| PutError::api(error).failure("the upload", attempts.number))?;
            handle = opened.handle;
            match opened.kind {
                UploadKind::Single { url: fresh } => url = fresh,
                UploadKind::Multi { part_size, total_parts } => {
                    return Ok(OnePiece::WantsParts { handle, part_size, total_parts });
                }
            }
        }
    }

    async fn complete(
        &self,
        handle: &UploadHandle,
        tags: &[(u32, ETag)],
        current: &mut CurrentUpload<'_>,
    ) -> Result<(), UploadError> {
        // A build that changed after its last part was read must not be completed.
        let content = Arc::clone(self.content);
        blocking(move || content.verify()).await?;
        complete::complete(self.upload.api, handle, tags, self.upload.timeouts, self.upload.log).await?;
        current.completed();
        Ok(())
    }
}

/// A build that was sent and completed.
pub(crate) struct Sent {
    pub(crate) meter: Arc<Meter>,
    /// Differs from that of the first answer when the upload started again.
    pub(crate) build_id: String,
    /// Made on the way, when the bytes went out in order.
    pub(crate) sha256: Option<String>,
}

enum OnePiece {
    Sent(UploadHandle),
    /// The service changed its mind when the upload was opened anew.
    WantsParts {
        handle: UploadHandle,
        part_size: u64,
        total_parts: u32,
    },
}
