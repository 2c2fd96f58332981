//! Build storage: uploads and stored builds.

use secrecy::SecretString;

use crate::http::{ETag, PresignedUrl};
use crate::model::units::Timestamp;
use crate::model::{DeletionPolicy, Details, Platform};

use super::client::Api;
use super::error::ApiError;

/// What `POST builds/upload` is told.
#[derive(Debug, Clone)]
pub struct InitiateUpload {
    /// 1-255 characters.
    pub name: String,
    /// 1-255 characters.
    pub file_name: String,
    /// Bytes, at least 1.
    pub file_size: u64,
    /// Platform.
    pub platform: Platform,
    /// At most 1000 characters.
    pub description: Option<String>,
    /// `Some(true)` forces parts, `Some(false)` one piece, `None` leaves it to the service.
    pub multipart: Option<bool>,
    /// Remove old builds when storage is full.
    pub auto_delete: bool,
    /// Which ones; sent with `auto_delete` only.
    pub deletion_policy: DeletionPolicy,
    /// Minutes, 1-1440.
    pub upload_timeout: u16,
    /// 1-50 characters each.
    pub tags: Vec<String>,
    /// Where the build comes from.
    pub details: Details,
}

/// What it takes to continue or cancel an upload; what the state file keeps.
#[derive(Debug, Clone)]
pub struct UploadHandle {
    /// Build id.
    pub build_id: String,
    /// Object key.
    pub object_key: String,
    /// Only for uploads in parts; a secret.
    pub upload_id: Option<SecretString>,
}

/// How the bytes are to be sent.
#[derive(Debug, Clone)]
pub enum UploadKind {
    /// In one PUT.
    Single {
        /// Where to.
        url: PresignedUrl,
    },
    /// In parts.
    Multi {
        /// Bytes of every part but the last.
        part_size: u64,
        /// Parts in all.
        total_parts: u32,
    },
}

/// An upload that was initiated and neither completed nor cancelled.
#[derive(Debug, Clone)]
pub struct OpenUpload {
    /// Identity.
    pub handle: UploadHandle,
    /// How to send.
    pub kind: UploadKind,
}

/// Whether runs can use a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildReadiness {
    /// `ok`, `ready`.
    Ready,
    /// `unhealthy`, `failed`.
    Bad,
    /// `uploading`.
    Pending,
    /// Any other word; does not block.
    Unknown,
}

/// A stored build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredBuild {
    /// Build id.
    pub id: String,
    /// Name.
    pub name: String,
    /// File name as sent.
    pub file_name: String,
    /// Bytes.
    pub size_bytes: Option<u64>,
    /// Platform word of the service.
    pub platform: Option<String>,
    /// Status word of the service.
    pub status: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// When it was stored.
    pub created_at: Option<Timestamp>,
}

/// Which stored builds to list; empty fields do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildFilter {
    /// Platform.
    pub platform: Option<Platform>,
    /// All of these.
    pub tags: Vec<String>,
    /// Status word.
    pub status: Option<String>,
    /// Stop after so many builds; `None`: all pages there are, at most 2,000 builds.
    pub limit: Option<usize>,
}

impl Api {
    /// `POST builds/upload`: reserves storage and opens an upload.
    ///
    /// # Errors
    /// See [`ApiError`]. An unclear answer may leave a reservation behind, which the service drops after `upload_timeout`.
    pub async fn initiate_upload(&self, request: &InitiateUpload) -> Result<OpenUpload, ApiError> {
        let _ = request;
        todo!()
    }
    /// `GET builds/upload/parts`: fresh presigned URLs for the given part numbers (1-based), in the order of `parts`.
    ///
    /// # Errors
    /// See [`ApiError`]; a missing URL is unreadable, 404 means that the upload is gone.
    pub async fn part_urls(
        &self,
        upload: &UploadHandle,
        parts: &[u32],
    ) -> Result<Vec<(u32, PresignedUrl)>, ApiError> {
        let _ = (upload, parts);
        todo!()
    }
    /// `POST builds/upload/complete`. `parts` is empty for an upload in one piece; order does not matter.
    ///
    /// # Errors
    /// [`ApiError::is_unclear`]: read the build to learn the outcome. [`ApiError::is_not_found`]: unknown, timed out, cancelled, or already complete.
    pub async fn complete_upload(
        &self,
        upload: &UploadHandle,
        parts: &[(u32, ETag)],
    ) -> Result<(), ApiError> {
        let _ = (upload, parts);
        todo!()
    }
    /// `DELETE builds/upload`: gives the reservation back. An upload that is already gone is fine.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn cancel_upload(&self, upload: &UploadHandle) -> Result<(), ApiError> {
        let _ = upload;
        todo!()
    }
    /// `GET builds`: stored builds, newest first where the service says when they were stored.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn list_builds(&self, filter: &BuildFilter) -> Result<Vec<StoredBuild>, ApiError> {
        let _ = filter;
        todo!()
    }
    /// `GET builds/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn build(&self, build_id: &str) -> Result<StoredBuild, ApiError> {
        let _ = build_id;
        todo!()
    }
}

impl StoredBuild {
    /// Whether runs can use it, in any spelling of the status.
    #[must_use]
    pub fn readiness(&self) -> BuildReadiness {
        match self.status.as_deref().map(|status| status.trim().to_ascii_lowercase()).as_deref() {
            Some("ok" | "ready") => BuildReadiness::Ready,
            Some("unhealthy" | "failed") => BuildReadiness::Bad,
            Some("uploading") => BuildReadiness::Pending,
            _ => BuildReadiness::Unknown,
        }
    }
}
