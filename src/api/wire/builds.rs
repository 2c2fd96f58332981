//! Stored builds and open uploads.

use secrecy::SecretString;
use serde_json::Value;

use crate::http::{Net, PresignedUrl};
use crate::model::may_be_id;
use crate::model::secrets::Owner;

use super::super::builds::{OpenUpload, StoredBuild, UploadHandle, UploadKind};
use super::field::{Fields, list_of};

/// A stored build in either naming; `None` without an id.
pub(in crate::api) fn build(value: &Value) -> Option<StoredBuild> {
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

/// The reply of `POST builds/upload`, told by `upload_type` or else by what it carries.
pub(in crate::api) fn open_upload(value: &Value, net: &Net) -> Result<OpenUpload, String> {
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
pub(in crate::api) fn part_urls(
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

    use super::{UploadKind, build, open_upload, part_urls};
    use crate::http::testing::{Lines, net};

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
