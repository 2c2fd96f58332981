//! Uploads to build storage: reserved, continued, completed, cancelled.

use serde_json::{Value, json};

use crate::http::{Class, ETag, Net, PresignedUrl};
use crate::model::secrets::{ExposeSecret, Owner, SecretString};
use crate::model::{DeletionPolicy, Details, Platform};

use super::client::Api;
use super::error::ApiError;
use super::json::{Fields, list_of};
use super::request::{ApiRequest, LONG, SHORT};

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
        let request =
            ApiRequest::post(&["builds", "upload"], body, Class::Repeatable).within(SHORT).lending();
        self.send(&request, |answer| open_upload(&answer.json, self.net())).await
    }

    /// `GET builds/upload/parts`: fresh presigned URLs for the given part numbers (1-based), in the order of `parts`.
    /// Carries no key: the upload id is the secret.
    pub(crate) async fn part_urls(
        &self,
        upload: &UploadHandle,
        parts: &[u32],
    ) -> Result<Vec<(u32, PresignedUrl)>, ApiError> {
        let numbers: Vec<String> = parts.iter().map(u32::to_string).collect();
        let request = ApiRequest::get(&["builds", "upload", "parts"])
            .lending()
            .with("upload_id", upload.upload_id.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default())
            .with("object_key", upload.object_key.as_str())
            .with("part_numbers", numbers.join(","))
            .keyless();
        self.send(&request, |answer| part_urls(&answer.json, parts, self.net())).await
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
        let request =
            ApiRequest::post(&["builds", "upload", "complete"], body, Class::Effectful).within(LONG);
        self.send(&request, |_| Ok(())).await
    }

    /// `DELETE builds/upload`: gives the reservation back. An upload that is already gone is fine.
    pub(crate) async fn cancel_upload(&self, upload: &UploadHandle) -> Result<(), ApiError> {
        let request = ApiRequest::delete(&["builds", "upload"])
            .with("build_id", upload.build_id.as_str())
            .with("object_key", upload.object_key.as_str())
            .with(
                "upload_id",
                upload.upload_id.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default(),
            );
        match self.send(&request, |_| Ok(())).await {
            Err(error) if error.is_upload_gone() => Ok(()),
            result => result,
        }
    }
}

/// The reply of `POST builds/upload`, told by `upload_type` or else by what it carries.
pub(super) fn open_upload(value: &Value, net: &Net) -> Result<OpenUpload, String> {
    let outer = Fields::of(value);
    let data = outer.object(&["data"]);
    let fields =
        if outer.text(&["build_id"]).is_none() && data.text(&["build_id"]).is_some() { data } else { outer };
    let build_id = fields.text(&["build_id", "id"]).ok_or("no build_id")?;
    // First: what the same reply lends us must not hide it.
    net.secrets().publish(&build_id);
    let upload_id = fields.text(&["upload_id"]);
    if let Some(secret) = &upload_id {
        net.secret(secret, Owner::Lent);
    }
    let url = fields.text(&["upload_url", "url"]);
    let multi = match fields.text(&["upload_type"]).as_deref() {
        Some(kind) if kind.starts_with("multi") => true,
        Some(kind) if kind.starts_with("single") => false,
        _ => url.is_none(),
    };
    let object_key = fields.text(&["object_key"]).unwrap_or_default();
    let kind = if multi {
        if upload_id.is_none() {
            return Err("a multipart upload without upload_id".to_owned());
        }
        UploadKind::Multi {
            part_size: fields.count(&["part_size"]).filter(|size| *size > 0).ok_or("no part_size")?,
            total_parts: fields
                .count(&["total_parts"])
                .and_then(|parts| u32::try_from(parts).ok())
                .filter(|parts| *parts > 0)
                .ok_or("no total_parts")?,
        }
    } else {
        let url = url.ok_or("no upload_url")?;
        UploadKind::Single { url: PresignedUrl::parse(&url, net).map_err(|error| error.to_string())? }
    };
    Ok(OpenUpload {
        handle: UploadHandle { build_id, object_key, upload_id: upload_id.map(SecretString::from) },
        kind,
    })
}

/// The reply of `GET builds/upload/parts`, in the order of `wanted`.
pub(super) fn part_urls(
    value: &Value,
    wanted: &[u32],
    net: &Net,
) -> Result<Vec<(u32, PresignedUrl)>, String> {
    let items = list_of(value, &["upload_urls", "urls", "parts", "data"])
        .or_else(|| list_of(value.get("data")?, &["upload_urls", "urls", "parts"]))
        .ok_or("no upload_urls")?;
    wanted
        .iter()
        .map(|part| {
            let url = items
                .iter()
                .map(Fields::of)
                .find(|item| item.count(&["part_number"]) == Some(u64::from(*part)))
                .and_then(|item| item.text(&["url", "upload_url"]))
                .ok_or_else(|| format!("no upload URL for part {part}"))?;
            let url = PresignedUrl::parse(&url, net).map_err(|error| error.to_string())?;
            Ok((*part, url))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{UploadKind, open_upload, part_urls};
    use crate::http::testing::{Lines, net};

    #[test]
    fn an_upload_cannot_make_its_own_build_id_a_secret() {
        let lines = Lines::default();
        let net = net(&lines);
        let id = "789e0123-e89b-12d3-a456-426614174000";
        let url = format!(
            "https://store.example/k?X-Amz-Credential={id}&X-Amz-Signature=0123456789abcdef0123&build={id}"
        );
        let value = json!({"upload_type": "single", "build_id": id, "upload_url": url, "upload_id": id});
        assert!(open_upload(&value, &net).is_ok());
        assert_eq!(lines.masked(), ["0123456789abcdef0123"]);
        assert_eq!(net.secrets().redact(&url), url.replace("0123456789abcdef0123", "***"));
    }

    #[test]
    fn reads_both_kinds_of_uploads_with_and_without_the_word() {
        let lines = Lines::default();
        let net = net(&lines);
        let url = "https://s.example/k?X-Amz-Signature=0123456789abcdef";
        for value in [
            json!({"upload_type": "single-part", "build_id": "b", "upload_url": url, "object_key": "k"}),
            json!({"build_id": "b", "upload_url": url, "object_key": "k", "upload_id": null}),
        ] {
            let open = open_upload(&value, &net).unwrap();
            assert!(matches!(open.kind, UploadKind::Single { .. }) && open.handle.upload_id.is_none());
        }
        for value in [
            json!({"upload_type": "multipart", "build_id": "b", "upload_id": "upload-id-secret-7", "object_key": "k", "total_parts": 52, "part_size": 104_857_600}),
            json!({"build_id": "b", "upload_id": "upload-id-secret-7", "object_key": "k", "total_parts": 52, "part_size": 104_857_600}),
        ] {
            let open = open_upload(&value, &net).unwrap();
            assert!(matches!(open.kind, UploadKind::Multi { part_size: 104_857_600, total_parts: 52 }));
            assert!(!format!("{open:?}").contains("upload-id-secret-7"));
        }
        assert!(lines.masked().contains(&"upload-id-secret-7".to_owned()));
        for value in [
            json!({}),
            json!({"build_id": "b"}),
            json!({"build_id": "b", "upload_type": "multipart", "part_size": 1, "total_parts": 1}),
            json!({"build_id": "b", "upload_id": "u-123456", "part_size": 0, "total_parts": 1}),
            json!({"build_id": "b", "upload_url": "http://plain.example/?sig=0123456789abcdef"}),
        ] {
            assert!(open_upload(&value, &net).is_err(), "{value}");
        }
    }

    #[test]
    fn orders_part_urls_as_asked() {
        let net = net(&Lines::default());
        let value = json!({"upload_urls": [
            {"part_number": 2, "url": "https://s.example/2?s=a"}, {"part_number": 1, "url": "https://s.example/1?s=a"}]});
        let urls = part_urls(&value, &[1, 2], &net).unwrap();
        assert_eq!(urls.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(part_urls(&value, &[3], &net).unwrap_err(), "no upload URL for part 3");
        assert!(part_urls(&json!({}), &[1], &net).is_err());
    }
}
