//! The bytes of an opened upload, in parts or in one piece, up to the completion.

use std::sync::Arc;

use super::body::Pool;
use super::content::blocking;
use super::error::UploadError;
use super::finish;
use super::hash::{Frontier, Running};
use super::multipart::Multipart;
use super::open::Slot;
use super::patience::Tries;
use super::progress::{self, Meter};
use super::put::{Freight, Trouble};
use super::request::Upload;
use super::source::Prepared;
use super::split::Parts;
use crate::api::{ETag, InitiateUpload, OpenUpload, PresignedUrl, UploadHandle, UploadKind};
use crate::model::units;
use crate::model::{ExitReason, Failure};

/// One build on its way.
pub(crate) struct Transfer<'a> {
    pub(crate) upload: &'a Upload<'a>,
    pub(crate) prepared: &'a Prepared,
    /// To open the upload anew, when it must start again.
    pub(crate) request: &'a InitiateUpload,
    /// How far the sending has come, for the digest that follows it.
    pub(crate) frontier: &'a Frontier,
    /// Made of the bytes of one piece as they go out, when nobody knows it yet.
    pub(crate) digest: Option<Running>,
}

impl Transfer<'_> {
    /// Sends and completes.
    pub(crate) async fn run(&self, opened: OpenUpload, slot: &mut Slot<'_>) -> Result<Sent, UploadError> {
        match opened.kind {
            UploadKind::Multi { part_size, total_parts } => {
                self.in_parts(&opened.handle, part_size, total_parts, slot).await
            }
            UploadKind::Single { url } => self.in_one_piece(opened.handle, url, slot).await,
        }
    }

    fn freight(&self, meter: &Arc<Meter>, digest: Option<Running>) -> Arc<Freight> {
        Arc::new(Freight {
            storage: self.upload.api.storage(),
            content: Arc::clone(&self.prepared.content),
            pool: Pool::default(),
            meter: Arc::clone(meter),
            digest,
        })
    }

    async fn in_parts(
        &self,
        handle: &UploadHandle,
        part_size: u64,
        total_parts: u32,
        slot: &mut Slot<'_>,
    ) -> Result<Sent, UploadError> {
        let size = self.prepared.size_bytes;
        let Some(parts) = Parts::cut(size, part_size, total_parts) else {
            let message = format!(
                "the service wants {size} bytes in {total_parts} parts of {part_size} bytes, which is not possible"
            );
            return Err(Failure::new(ExitReason::UploadFailed, message)
                .hint("run the job again; if it fails in the same way, tell nunu.ai support")
                .into());
        };
        let parallel = self.upload.spec.parallel.clamp(1, 16);
        self.upload.log.info(format!(
            "uploading {}, {} in {} parts of {}, up to {parallel} at a time, as build {}",
            self.prepared.file_name,
            units::bytes(size),
            parts.count(),
            units::bytes(parts.part_size().min(size)),
            handle.build_id,
        ));
        let meter = Arc::new(Meter::new(size, parts.count()));
        let job = Multipart {
            api: self.upload.api.clone(),
            upload: handle.clone(),
            freight: self.freight(&meter, None),
            parts,
            parallel,
            patience: self.upload.patience,
            frontier: self.frontier.clone(),
        };
        let tags = tokio::select! {
            tags = job.send() => tags?,
            never = progress::report("uploading", &meter, self.upload.log) => match never {},
        };
        self.complete(handle, &tags, slot).await?;
        Ok(Sent { meter, build_id: handle.build_id.clone(), sha256: None })
    }

    async fn in_one_piece(
        &self,
        handle: UploadHandle,
        url: PresignedUrl,
        slot: &mut Slot<'_>,
    ) -> Result<Sent, UploadError> {
        let size = self.prepared.size_bytes;
        self.upload.log.info(format!(
            "uploading {}, {} in one piece, as build {}",
            self.prepared.file_name,
            units::bytes(size),
            handle.build_id
        ));
        let meter = Arc::new(Meter::new(size, 0));
        let sending = self.send_one_piece(handle, url, self.freight(&meter, self.digest.clone()), slot);
        let sent = tokio::select! {
            sent = sending => sent?,
            never = progress::report("uploading", &meter, self.upload.log) => match never {},
        };
        match sent {
            OnePiece::Sent(handle) => {
                self.complete(&handle, &[], slot).await?;
                let sha256 = self.digest.as_ref().and_then(|digest| digest.finish(size));
                Ok(Sent { meter, build_id: handle.build_id, sha256 })
            }
            OnePiece::WantsParts { handle, part_size, total_parts } => {
                self.in_parts(&handle, part_size, total_parts, slot).await
            }
        }
    }

    /// A single URL cannot be renewed, so every further try is an upload of its own.
    async fn send_one_piece(
        &self,
        mut handle: UploadHandle,
        mut url: PresignedUrl,
        freight: Arc<Freight>,
        slot: &mut Slot<'_>,
    ) -> Result<OnePiece, UploadError> {
        let mut tries = Tries::new(&freight.meter);
        loop {
            let progress = tries.begin();
            let sent = freight.put(&url, 0, self.prepared.size_bytes, tries.number, progress).await;
            let Err(trouble) = sent else { return Ok(OnePiece::Sent(handle)) };
            let wait = if trouble.is_final() {
                None
            } else {
                tries.fail(self.upload.patience.part, trouble.retry_after())
            };
            let Some(wait) = wait else { return Err(trouble.failure("the upload", tries.number)) };
            self.upload.api.retries().note(&format!(
                "the upload starts again in {} (attempt {}): {trouble}",
                units::duration(wait),
                tries.number + 1
            ));
            tokio::time::sleep(wait).await;
            slot.give_back().await;
            let opened = slot
                .initiate(self.request)
                .await
                .map_err(|error| Trouble::api(error).failure("the upload", tries.number))?;
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
        slot: &mut Slot<'_>,
    ) -> Result<(), UploadError> {
        // A build that changed after its last part was read must not be completed.
        let content = Arc::clone(&self.prepared.content);
        blocking(move || content.verify()).await?;
        finish::complete(self.upload.api, handle, tags, self.upload.patience, self.upload.log).await?;
        slot.completed();
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
