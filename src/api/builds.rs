//! Stored builds.

use serde_json::Value;

use crate::model::units::Timestamp;
use crate::model::{Platform, may_be_id};

use super::client::Api;
use super::error::ApiError;
use super::json::Fields;
use super::list_filter::ListFilter;
use super::request::ApiRequest;

/// Most builds of a list.
const MOST_BUILDS: usize = 2_000;

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

impl Api {
    /// `GET builds`: stored builds, newest first where the service says when they were stored. Filters are applied on our side too.
    pub(crate) async fn list_builds(&self, filter: &BuildFilter) -> Result<Vec<StoredBuild>, ApiError> {
        let request = ApiRequest::get(&["builds"])
            .with("platform", filter.platform.map(Platform::as_str).unwrap_or_default())
            .with("status", filter.status.as_deref().unwrap_or_default())
            .with("tags", tag_query(&filter.tags));
        let most = filter.limit.unwrap_or(MOST_BUILDS).min(MOST_BUILDS);
        let mut builds = self.pages(&request, &["data", "builds"], most, build, ListFilter::ALL).await?;
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
        let request = ApiRequest::get(&["builds", build_id]);
        self.send(&request, |answer| build(&answer.json).ok_or_else(|| "no build".to_owned())).await
    }
}

/// A stored build in either naming; `None` without an id.
pub(super) fn build(value: &Value) -> Option<StoredBuild> {
    let outer = Fields::of(value);
    let inner = outer.value(&["build", "data"]).filter(|inner| inner.is_object());
    let fields = if outer.text(&["id", "build_id"]).is_some() { outer } else { Fields::of(inner?) };
    Some(StoredBuild {
        id: fields.text(&["id", "build_id"]).filter(|id| may_be_id(id))?,
        name: fields.text(&["name"]).unwrap_or_default(),
        file_name: fields.text(&["file_name", "filename"]).unwrap_or_default(),
        size_bytes: fields.count(&["file_size", "size"]),
        platform: fields.text(&["platform"]),
        status: fields.text(&["status"]),
        tags: fields.tags(),
        created_at: fields.time(&["created_at"]),
    })
}

/// The `tags` filter: comma separated, all must match. A tag with a comma cannot be asked for; it is compared on our side.
pub(super) fn tag_query<S: AsRef<str>>(tags: &[S]) -> String {
    let plain: Vec<&str> = tags.iter().map(AsRef::as_ref).filter(|tag| !tag.contains(',')).collect();
    plain.join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::build;

    #[test]
    fn reads_builds_in_both_namings() {
        for value in [
            json!({"id": "b1", "file_name": "a.apk", "file_size": 7, "name": "n", "platform": "android", "status": "ready", "tags": ["t"], "created_at": "2026-03-03T15:50:23Z", "new": {}}),
            json!({"build_id": "b1", "filename": "a.apk", "size": 7, "name": "n", "platform": "android", "status": "ready", "tags": ["t"], "created_at": "2026-03-03T15:50:23Z"}),
            json!({"build": {"build_id": "b1", "filename": "a.apk", "size": "7", "name": "n", "platform": "android", "status": "ready", "tags": ["t"], "created_at": "2026-03-03T15:50:23Z"}}),
        ] {
            let build = build(&value).unwrap();
            assert_eq!(
                (build.id.as_str(), build.file_name.as_str(), build.size_bytes),
                ("b1", "a.apk", Some(7))
            );
            assert_eq!(
                (build.platform.as_deref(), build.status.as_deref()),
                (Some("android"), Some("ready"))
            );
            assert!(build.created_at.is_some() && build.tags == ["t"]);
        }
        assert_eq!(build(&json!({"name": "x"})), None);
        assert_eq!(build(&json!({"id": "../x"})), None);
        assert_eq!(build(&json!({"id": "b", "platform": null, "tags": null})).unwrap().platform, None);
    }
}
