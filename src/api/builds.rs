//! Build storage: uploads and stored builds.

use serde_json::{Value, json};

use crate::http::{Class, ETag, PresignedUrl};
use crate::model::secrets::{ExposeSecret, SecretString};
use crate::model::units::Timestamp;
use crate::model::{DeletionPolicy, Details, Platform};

use super::ask::{Ask, LONG, SHORT};
use super::client::Api;
use super::error::ApiError;
use super::sieve::Sieve;
use super::wire;

/// Most builds of a list.
const MOST_BUILDS: usize = 2_000;

/// What `POST builds/upload` is told.
#[derive(Debug, Clone)]
pub(crate) struct InitiateUpload {
    /// 1-255 characters.
    pub(crate) name: String,
    /// 1-255 characters.
    pub(crate) file_name: String,
    /// Bytes, at least 1.
    pub(crate) file_size: u64,
    /// Platform.
    pub(crate) platform: Platform,
    /// At most 1000 characters.
    pub(crate) description: Option<String>,
    /// `Some(true)` forces parts, `Some(false)` one piece, `None` leaves it to the service.
    pub(crate) multipart: Option<bool>,
    /// Remove old builds when storage is full.
    pub(crate) auto_delete: bool,
    /// Which ones; sent with `auto_delete` only.
    pub(crate) deletion_policy: DeletionPolicy,
    /// Minutes, 1-1440.
    pub(crate) upload_timeout: u16,
    /// 1-50 characters each.
    pub(crate) tags: Vec<String>,
    /// Where the build comes from.
    pub(crate) details: Details,
}

/// What it takes to continue or cancel an upload; what the state file keeps.
#[derive(Debug, Clone)]
pub(crate) struct UploadHandle {
    /// Build id.
    pub(crate) build_id: String,
    /// Object key.
    pub(crate) object_key: String,
    /// Only for uploads in parts; a secret.
    pub(crate) upload_id: Option<SecretString>,
}

/// How the bytes are to be sent.
#[derive(Debug, Clone)]
pub(crate) enum UploadKind {
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
pub(crate) struct OpenUpload {
    /// Identity.
    pub(crate) handle: UploadHandle,
    /// How to send.
    pub(crate) kind: UploadKind,
}

/// Whether runs can use a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuildReadiness {
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
pub(crate) struct StoredBuild {
    /// Build id.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// File name as sent.
    pub(crate) file_name: String,
    /// Bytes.
    pub(crate) size_bytes: Option<u64>,
    /// Platform word of the service.
    pub(crate) platform: Option<String>,
    /// Status word of the service.
    pub(crate) status: Option<String>,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// When it was stored.
    pub(crate) created_at: Option<Timestamp>,
}

/// Which stored builds to list; empty fields do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BuildFilter {
    /// Platform.
    pub(crate) platform: Option<Platform>,
    /// All of these.
    pub(crate) tags: Vec<String>,
    /// Status word.
    pub(crate) status: Option<String>,
    /// Stop after so many builds; `None`: all pages there are, at most 2,000 builds.
    pub(crate) limit: Option<usize>,
}

impl StoredBuild {
    /// Whether runs can use it.
    pub(crate) fn readiness(&self) -> BuildReadiness {
        match self.status.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("ok" | "ready") => BuildReadiness::Ready,
            Some("unhealthy" | "failed") => BuildReadiness::Bad,
            Some("uploading") => BuildReadiness::Pending,
            _ => BuildReadiness::Unknown,
        }
    }
}

impl InitiateUpload {
    /// The body of the call: documented fields only, absent rather than null.
    fn body(&self, project_id: Option<&str>) -> Value {
        let mut body = json!({
            "name": self.name,
            "file_name": self.file_name,
            "file_size": self.file_size,
            "platform": self.platform.as_str(),
            "upload_timeout": self.upload_timeout,
        });
        let mut set = |name: &str, value: Option<Value>| {
            if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
                body.insert(name.to_owned(), value);
            }
        };
        // The oldest generation needs it; the newest wants it to equal the one in the path, which it does.
        set("project_id", project_id.map(Value::from));
        set("description", self.description.as_deref().filter(|text| !text.is_empty()).map(Value::from));
        set("multipart", self.multipart.map(Value::from));
        set("auto_delete", self.auto_delete.then_some(Value::Bool(true)));
        set(
            "deletion_policy",
            self.auto_delete.then_some(match self.deletion_policy {
                DeletionPolicy::LeastRecent => "least_recent".into(),
                DeletionPolicy::Oldest => "oldest".into(),
            }),
        );
        set("tags", (!self.tags.is_empty()).then(|| self.tags.clone().into()));
        let details = serde_json::to_value(&self.details).ok();
        set("details", details.filter(|details| details.as_object().is_some_and(|map| !map.is_empty())));
        body
    }
}

impl Api {
    /// `POST builds/upload`: reserves storage and opens an upload. Repeated after unclear answers too: a reservation that
    /// nobody knows ends by itself after `upload_timeout`, and its bytes were never sent.
    pub(crate) async fn initiate_upload(&self, request: &InitiateUpload) -> Result<OpenUpload, ApiError> {
        let body = request.body(self.project_id());
        let ask = Ask::post(&["builds", "upload"], body, Class::Repeatable).within(SHORT).lending();
        self.ask(&ask, |answer| wire::open_upload(&answer.json, self.net())).await
    }

    /// `GET builds/upload/parts`: fresh presigned URLs for the given part numbers (1-based), in the order of `parts`.
    /// Carries no key: the upload id is the secret.
    pub(crate) async fn part_urls(
        &self,
        upload: &UploadHandle,
        parts: &[u32],
    ) -> Result<Vec<(u32, PresignedUrl)>, ApiError> {
        let numbers: Vec<String> = parts.iter().map(u32::to_string).collect();
        let ask = Ask::get(&["builds", "upload", "parts"])
            .lending()
            .with("upload_id", upload.upload_id.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default())
            .with("object_key", upload.object_key.as_str())
            .with("part_numbers", numbers.join(","))
            .keyless();
        self.ask(&ask, |answer| wire::part_urls(&answer.json, parts, self.net())).await
    }

    /// `POST builds/upload/complete`. `parts` is empty for an upload in one piece; their order does not matter.
    /// Not repeated after an unclear answer.
    pub(crate) async fn complete_upload(
        &self,
        upload: &UploadHandle,
        parts: &[(u32, ETag)],
    ) -> Result<(), ApiError> {
        let mut body = json!({ "build_id": upload.build_id });
        if let (Some(upload_id), Some(fields)) = (&upload.upload_id, body.as_object_mut()) {
            let mut parts: Vec<&(u32, ETag)> = parts.iter().collect();
            parts.sort_by_key(|(number, _)| *number);
            let parts: Vec<Value> = parts
                .into_iter()
                .map(|(number, etag)| json!({ "part_number": number, "etag": etag.as_str() }))
                .collect();
            fields.insert("upload_id".to_owned(), upload_id.expose_secret().into());
            fields.insert("object_key".to_owned(), upload.object_key.as_str().into());
            fields.insert("parts".to_owned(), parts.into());
        }
        let ask = Ask::post(&["builds", "upload", "complete"], body, Class::Effectful).within(LONG);
        self.ask(&ask, |_| Ok(())).await
    }

    /// `DELETE builds/upload`: gives the reservation back. An upload that is already gone is fine.
    pub(crate) async fn cancel_upload(&self, upload: &UploadHandle) -> Result<(), ApiError> {
        let ask = Ask::delete(&["builds", "upload"])
            .with("build_id", upload.build_id.as_str())
            .with("object_key", upload.object_key.as_str())
            .with(
                "upload_id",
                upload.upload_id.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default(),
            );
        match self.ask(&ask, |_| Ok(())).await {
            Err(error) if error.is_upload_gone() => Ok(()),
            result => result,
        }
    }

    /// `GET builds`: stored builds, newest first where the service says when they were stored. Filters are applied on our side too.
    pub(crate) async fn list_builds(&self, filter: &BuildFilter) -> Result<Vec<StoredBuild>, ApiError> {
        let ask = Ask::get(&["builds"])
            .with("platform", filter.platform.map(Platform::as_str).unwrap_or_default())
            .with("status", filter.status.as_deref().unwrap_or_default())
            .with("tags", tag_query(&filter.tags));
        let most = filter.limit.unwrap_or(MOST_BUILDS).min(MOST_BUILDS);
        let mut builds = self.pages(&ask, &["data", "builds"], most, wire::build, Sieve::ALL).await?;
        builds.retain(|build| {
            let platform = filter.platform.is_none_or(|wanted| {
                build.platform.as_deref().is_none_or(|found| found.eq_ignore_ascii_case(wanted.as_str()))
            });
            platform && filter.tags.iter().all(|tag| build.tags.contains(tag))
        });
        builds.sort_by_key(|build| std::cmp::Reverse(build.created_at));
        Ok(builds)
    }

    /// `GET builds/{id}`.
    pub(crate) async fn build(&self, build_id: &str) -> Result<StoredBuild, ApiError> {
        let ask = Ask::get(&["builds", build_id]);
        self.ask(&ask, |answer| wire::build(&answer.json).ok_or_else(|| "no build".to_owned())).await
    }
}

/// The `tags` filter: comma separated, all must match. A tag with a comma cannot be asked for; it is compared on our side.
pub(super) fn tag_query(tags: &[String]) -> String {
    let plain: Vec<&str> = tags.iter().map(String::as_str).filter(|tag| !tag.contains(',')).collect();
    plain.join(",")
}
