//! The upload from the first call to a build that runs can use.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::complete;
use super::content::{Content, blocking};
use super::current_upload::CurrentUpload;
use super::error::UploadError;
use super::hash::{self, SendPosition, StreamDigest};
use super::parts;
use super::progress::{self, Meter};
use super::request::Upload;
use super::reuse::{self, Wanted};
use super::transfer::Transfer;
use crate::api::{InitiateUpload, Phase, UploadKind};
use crate::model::build::{Build, BuildOrigin};
use crate::model::units;

impl Upload<'_> {
    /// Stores the build, or finds it stored. When this ends otherwise, by an error or by `cancel`, no upload is left open, as far as the
    /// service can be reached within some seconds. Keep polling it after `cancel`: it ends by itself, within 6 s.
    pub(crate) async fn send(
        self,
        content: &Arc<Content>,
        cancel: &CancellationToken,
    ) -> Result<Build, UploadError> {
        let mut current = CurrentUpload::new(self.api, self.observer, self.log);
        // The reading threads cannot be dropped; this stops them.
        let reading = CancellationToken::new();
        let guard = reading.clone().drop_guard();
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Ok(Err(UploadError::Cancelled)),
            result = AssertUnwindSafe(self.store(content, &mut current, &reading)).catch_unwind() => result,
        };
        drop(guard);
        if !matches!(result, Ok(Ok(_))) {
            current.cancel().await;
        }
        // A bug of ours must not leave an upload open either.
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn store(
        &self,
        content: &Arc<Content>,
        current: &mut CurrentUpload<'_>,
        reading: &CancellationToken,
    ) -> Result<Build, UploadError> {
        let known = match &content.sha256 {
            Some(sha256) => Some(sha256.clone()),
            None if self.spec.reuse => Some(self.hash(content, reading).await?),
            None => None,
        };
        if let (Some(sha256), true) = (&known, self.spec.reuse)
            && let Some(build) = self.stored(content, sha256).await
        {
            return Ok(build);
        }
        // What the reply lends us must not hide this output.
        if let Some(sha256) = &known {
            self.api.will_output(sha256);
        }
        let began = Instant::now();
        let request = self.request(content, known.as_deref());
        let opened = current.initiate(&request).await.map_err(|error| error.failure(Phase::Upload))?;
        // A digest that is not known yet is made while the build is sent: of one piece as it goes out, of parts, which go out in any
        // order, by a reader that follows them through the same pages of the file.
        let in_parts = matches!(opened.kind, UploadKind::Multi { .. });
        let position = SendPosition::default();
        let follow = async {
            match &known {
                None if in_parts => {
                    hash::sha256(Arc::clone(content), position.clone(), None, reading.clone()).await.map(Some)
                }
                known => Ok(known.clone()),
            }
        };
        let digest = known.is_none().then(StreamDigest::default);
        let transfer = Transfer { upload: self, content, request: &request, position: &position, digest };
        let (sent, followed) = tokio::try_join!(transfer.run(opened, current), follow)?;
        self.log.info(progress::summary(&content.file_name, &sent.meter, began.elapsed()));
        complete::ready(self.api, &sent.build_id, self.timeouts, self.log).await?;
        let sha256 = match followed.or(sent.sha256) {
            Some(sha256) => sha256,
            None => self.hash(content, reading).await?,
        };
        Ok(build(content, sent.build_id, BuildOrigin::Uploaded, self.spec.name.clone(), sha256))
    }

    /// The digest, before anything is sent.
    async fn hash(&self, content: &Arc<Content>, reading: &CancellationToken) -> Result<String, UploadError> {
        let began = Instant::now();
        let meter = Arc::new(Meter::new(content.size_bytes, 0));
        let hashing = hash::sha256(
            Arc::clone(content),
            SendPosition::open(),
            Some(Arc::clone(&meter)),
            reading.clone(),
        );
        let sha256 = tokio::select! {
            sha256 = hashing => sha256?,
            never = progress::report("hashing", &meter, self.log) => match never {},
        };
        let hashed = Arc::clone(content);
        blocking(move || hashed.verify()).await?;
        self.log.debug(format!(
            "SHA-256 of {} in {}",
            units::bytes(content.size_bytes),
            units::duration(began.elapsed())
        ));
        Ok(sha256)
    }

    /// The same build in the service's storage.
    async fn stored(&self, content: &Arc<Content>, sha256: &str) -> Option<Build> {
        let wanted = Wanted {
            sha256,
            size_bytes: content.size_bytes,
            platform: content.platform,
            tags: &self.spec.tags,
            purpose: self.purpose,
        };
        let stored = reuse::find(self.api, &wanted, self.log).await?;
        self.log
            .info(format!("the service has this build already: using build {}, nothing is sent", stored.id));
        let name = if stored.name.is_empty() { self.spec.name.clone() } else { stored.name };
        Some(build(content, stored.id, BuildOrigin::Reused, name, sha256.to_owned()))
    }

    fn request(&self, content: &Arc<Content>, sha256: Option<&str>) -> InitiateUpload {
        let spec = self.spec;
        let mut tags = spec.tags.clone();
        tags.extend(sha256.map(hash::tag).filter(|tag| !spec.tags.contains(tag)));
        InitiateUpload {
            name: spec.name.clone(),
            file_name: content.file_name.clone(),
            file_size: content.size_bytes,
            platform: content.platform,
            description: spec.description.clone(),
            multipart: Some(parts::wants_parts(content.size_bytes, spec.multipart)),
            auto_delete: spec.auto_delete,
            deletion_policy: spec.deletion_policy,
            upload_timeout: parts::reservation(content.size_bytes, spec.upload_timeout_minutes),
            tags,
            details: self.details.clone(),
        }
    }
}

fn build(content: &Arc<Content>, id: String, origin: BuildOrigin, name: String, sha256: String) -> Build {
    Build {
        id: Some(id),
        origin,
        name: Some(name),
        file_name: Some(content.file_name.clone()),
        platform: Some(content.platform),
        size_bytes: Some(content.size_bytes),
        sha256: Some(sha256),
    }
}
