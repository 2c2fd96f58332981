//! Build storage: reserve, hand out URLs, complete, cancel, list.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::request::ApiRequest;
use crate::builds::{Build, Kind};
use crate::clock::Moment;
use crate::generation::Quirk;
use crate::ids::uuid;
use crate::ledger::UploadState;
use crate::reply::Reply;
use crate::state::State;
use crate::wire::Wire;

const PLATFORMS: &[&str] =
    &["windows", "macos", "linux", "android", "ios-native", "ios-simulator", "xbox", "playstation"];
/// Parts beyond this the store refuses.
const MOST_PARTS: u64 = 10_000;

fn not_found() -> Reply {
    Reply::json(404, &json!({ "error": "Upload not found", "code": "UPLOAD_NOT_FOUND" }))
}

fn broken(error: &crate::net::SimError) -> Reply {
    Reply::error(500, &format!("storage: {error}"))
}

/// `POST builds/upload`
pub(super) async fn initiate(request: &ApiRequest) -> Reply {
    let inner = &request.inner;
    let (mut build, size) = match checked(request) {
        Ok(checked) => checked,
        Err(reply) => return reply,
    };
    if size > inner.config.max_size {
        return Reply::error(413, "File exceeds the maximum size");
    }
    if let Some(reply) = inner.with(|state| make_room(request, state, size)) {
        return reply;
    }
    let multipart = request.flag("multipart").unwrap_or(size >= inner.config.multipart_from);
    if multipart {
        let part_size = inner.config.part_size.max(size.div_ceil(MOST_PARTS));
        let parts = u32::try_from(size.div_ceil(part_size)).unwrap_or(u32::MAX);
        match inner.storage.open(&build.storage_key()).await {
            Ok(upload) => {
                build.kind = Kind::Multi { secret: format!("mpu-{}", uuid()), upload, part_size, parts }
            }
            Err(error) => return broken(&error),
        }
    }
    inner.with(|state| {
        let reply = match &build.kind {
            Kind::Single => {
                match inner.storage.put_url(&build.storage_key(), state.url_age, state.url_lifetime) {
                    Ok(url) => json!({ "upload_type": "single-part", "build_id": build.id,
                    "upload_url": url.as_str(), "object_key": build.object_key() }),
                    Err(error) => return broken(&error),
                }
            }
            Kind::Multi { secret, part_size, parts, .. } => json!({ "upload_type": "multipart",
                "build_id": build.id, "upload_id": secret, "object_key": build.object_key(),
                "total_parts": parts, "part_size": part_size }),
        };
        state.builds.push(build);
        Reply::json(200, &Wire::new(inner).finish(reply))
    })
}

/// Reads and checks the body of the first request.
fn checked(request: &ApiRequest) -> Result<(Build, u64), Reply> {
    let inner = &request.inner;
    let bad = |message: &str| Reply::error(400, message);
    let words = |name: &str, most: usize| {
        let text = request.text(name).filter(|t| (1..=most).contains(&t.chars().count()));
        text.map(str::to_owned).ok_or_else(|| bad(&format!("{name} must have 1 to {most} characters")))
    };
    let (name, file_name, platform) =
        (words("name", 255)?, words("file_name", 255)?, words("platform", 255)?);
    let size = request.field("file_size").and_then(Value::as_u64).filter(|&s| s > 0);
    let size = size.ok_or_else(|| bad("file_size must be a positive integer"))?;
    if !PLATFORMS.contains(&platform.as_str()) {
        return Err(bad(&format!("platform must be one of {}", PLATFORMS.join(", "))));
    }
    if file_name.contains(['/', '\\']) {
        return Err(bad("file_name must not be a path"));
    }
    if request.text("project_id").is_some_and(|p| p != inner.config.project) {
        return Err(bad("project_id does not match the project of the URL"));
    }
    if request.text("description").is_some_and(|d| d.chars().count() > 1000) {
        return Err(bad("description must have at most 1000 characters"));
    }
    if request.text("deletion_policy").is_some_and(|p| !["least_recent", "oldest"].contains(&p)) {
        return Err(bad("deletion_policy must be least_recent or oldest"));
    }
    let tags = request.list("tags")?;
    if tags.iter().any(|t| !(1..=50).contains(&t.chars().count())) {
        return Err(bad("each tag must have 1 to 50 characters"));
    }
    let minutes = match request.field("upload_timeout") {
        None => {
            if request.flag("multipart") == Some(true) {
                60
            } else {
                10
            }
        }
        Some(value) => value
            .as_u64()
            .filter(|m| (1..=1440).contains(m))
            .ok_or_else(|| bad("upload_timeout must be between 1 and 1440 minutes"))?,
    };
    let now = inner.clock.now();
    let build = Build {
        id: uuid(),
        request: request.body.clone().unwrap_or_default(),
        name,
        file_name,
        size,
        platform,
        tags,
        kind: Kind::Single,
        created: now,
        deadline: now + inner.config.upload_timeout.unwrap_or(Duration::from_secs(minutes * 60)),
        state: UploadState::Open,
        completed: None,
        parts: BTreeMap::new(),
        digest: None,
    };
    Ok((build, size))
}

/// Checks the quota; deletes old builds when the client allows it.
fn make_room(request: &ApiRequest, state: &mut State, needed: u64) -> Option<Reply> {
    let config = &request.inner.config;
    let now = request.inner.clock.now();
    state.builds.iter_mut().for_each(|b| b.expire(now));
    let counts = |b: &Build| matches!(b.state, UploadState::Open | UploadState::Complete);
    let used = |state: &State| state.builds.iter().filter(|b| counts(b)).map(|b| b.size).sum::<u64>();
    while used(state).saturating_add(needed) > config.capacity {
        let oldest = state.builds.iter_mut().find(|b| b.state == UploadState::Complete);
        match oldest.filter(|_| request.flag("auto_delete") == Some(true)) {
            Some(build) => {
                build.state = UploadState::Deleted;
                let _ = std::fs::remove_file(request.inner.storage.path(&build.storage_key()));
            }
            None => {
                return Some(Reply::json(
                    402,
                    &json!({ "error": "Storage capacity exceeded", "code": "QUOTA_EXCEEDED",
                        "details": { "used": used(state), "capacity": config.capacity, "needed": needed } }),
                ));
            }
        }
    }
    None
}

/// `GET builds/upload/parts`; the upload id is the secret, so no key is asked for.
pub(super) fn part_urls(request: &ApiRequest) -> Reply {
    let routed = &request.routed;
    let (Some(secret), Some(key), Some(numbers)) =
        (routed.param("upload_id"), routed.param("object_key"), routed.param("part_numbers"))
    else {
        return Reply::error(400, "upload_id, object_key and part_numbers are required");
    };
    let Ok(numbers) = numbers.split(',').map(|n| n.trim().parse::<u32>()).collect::<Result<Vec<_>, _>>()
    else {
        return Reply::error(400, "part_numbers must be a comma separated list of numbers");
    };
    let inner = &request.inner;
    let now = inner.clock.now();
    inner.with(|state| {
        let (age, life) = (state.url_age, state.url_lifetime);
        let Some((build, upload, total)) =
            state.builds.iter_mut().find_map(|build| match build.kind.clone() {
                Kind::Multi { secret: own, upload, parts, .. }
                    if own == secret && build.object_key() == key =>
                {
                    build.expire(now);
                    (build.state == UploadState::Open).then_some((&*build, upload, parts))
                }
                _ => None,
            })
        else {
            return not_found();
        };
        if let Some(bad) = numbers.iter().find(|n| !(1..=total).contains(*n)) {
            return Reply::error(400, &format!("part number {bad} is not between 1 and {total}"));
        }
        let urls: Result<Vec<Value>, _> = numbers
            .iter()
            .map(|&number| {
                let url = inner.storage.part_url(&build.storage_key(), &upload, number, age, life)?;
                Ok(json!({ "part_number": number, "url": url.as_str() }))
            })
            .collect();
        match urls {
            Ok(mut urls) => {
                if inner.config.has(Quirk::ReversedParts) {
                    urls.reverse();
                }
                Reply::json(200, &Wire::new(inner).finish(json!({ "upload_urls": urls })))
            }
            Err(error) => broken(&error),
        }
    })
}

/// The open upload a request is about: its id and what storage calls it.
fn open_upload(
    state: &mut State,
    id: Option<&str>,
    secret: Option<&str>,
    now: Moment,
) -> Option<(String, Kind)> {
    let build = state.build_mut(id?)?;
    build.expire(now);
    let fits = match &build.kind {
        Kind::Single => true,
        Kind::Multi { secret: own, .. } => secret == Some(own.as_str()),
    };
    (fits && build.state == UploadState::Open).then(|| (build.storage_key(), build.kind.clone()))
}

/// `POST builds/upload/complete`
pub(super) async fn complete(request: &ApiRequest) -> Reply {
    let inner = &request.inner;
    let (id, secret) = (request.text("build_id"), request.text("upload_id"));
    let given = match parts(request) {
        Ok(given) => given,
        Err(reply) => return reply,
    };
    let now = inner.clock.now();
    let found = inner.with(|state| {
        let (key, kind) = open_upload(state, id, secret, now).ok_or_else(not_found)?;
        let missing = state.build(id.unwrap_or_default()).and_then(|b| b.missing(given.as_deref()));
        missing.map_or(Ok((key, kind)), |message| Err(Reply::error(400, &message)))
    });
    let (key, kind) = match found {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let id = id.unwrap_or_default();
    let answer = match &kind {
        Kind::Single => json!({ "status": "success" }),
        Kind::Multi { upload, parts, .. } => {
            if let Err(error) = inner.storage.join(&key, upload, *parts).await {
                return broken(&error);
            }
            json!({ "build_id": id })
        }
    };
    inner.with(|state| {
        if let Some(build) = state.build_mut(id) {
            build.state = UploadState::Complete;
            build.completed = Some(inner.clock.now());
        }
    });
    Reply::json(200, &Wire::new(inner).finish(answer))
}

/// The `parts` of a request to complete, with their entity tags.
fn parts(request: &ApiRequest) -> Result<Option<Vec<(u32, String)>>, Reply> {
    let Some(value) = request.field("parts") else { return Ok(None) };
    let read = |part: &Value| {
        let number = u32::try_from(part.get("part_number")?.as_u64()?).ok()?;
        Some((number, part.get("etag")?.as_str()?.to_owned()))
    };
    let parts = value.as_array().and_then(|items| items.iter().map(read).collect::<Option<Vec<_>>>());
    parts.map(Some).ok_or_else(|| Reply::error(400, "parts must be a list of part_number and etag"))
}

/// `DELETE builds/upload`
pub(super) async fn cancel(request: &ApiRequest) -> Reply {
    let inner = &request.inner;
    let routed = &request.routed;
    let id = routed.param("build_id");
    let now = inner.clock.now();
    let found = inner.with(|state| {
        let found = open_upload(state, id, routed.param("upload_id"), now)?;
        let build = state.build_mut(id?)?;
        if routed.param("object_key") != Some(build.object_key().as_str()) {
            return None;
        }
        build.state = UploadState::Cancelled;
        Some(found)
    });
    match found {
        None => not_found(),
        Some((key, kind)) => {
            if let Kind::Multi { upload, .. } = kind {
                let _ = inner.storage.abort(&key, &upload).await;
            }
            let _ = std::fs::remove_file(inner.storage.path(&key));
            Reply::json(200, &json!({ "success": true }))
        }
    }
}

/// `GET builds`
pub(super) fn list(request: &ApiRequest) -> Reply {
    let routed = &request.routed;
    let wire = Wire::new(&request.inner);
    let found = request.inner.with(|state| {
        let config = match routed.param("deployment_config_id") {
            None => None,
            Some(id) => match state.resources.config(id) {
                None => return Err(Reply::error(404, "deployment config not found")),
                Some(config) if config.source.provider() != Some("build-storage") => {
                    return Err(Reply::error(400, "deployment config does not use Build Storage"));
                }
                Some(config) => Some(config),
            },
        };
        let tags: Vec<&str> = routed.param("tags").map(|t| t.split(',').collect()).unwrap_or_default();
        let items = state.builds.iter().rev().filter(|build| {
            let config_ready = &request.inner.config;
            let status = build.status(wire.now, config_ready.ready_after, &config_ready.build_status);
            matches!(build.state, UploadState::Open | UploadState::Complete)
                && config.is_none_or(|c| {
                    c.fits(&build.platform) && c.required_tags.iter().all(|t| build.tags.contains(t))
                })
                && routed.param("platform").is_none_or(|p| p == build.platform)
                && routed.param("status").is_none_or(|s| s.eq_ignore_ascii_case(&status))
                && tags.iter().all(|tag| build.tags.iter().any(|have| have == tag))
        });
        Ok(items.map(|b| wire.build(b, false)).collect::<Vec<_>>())
    });
    found.map_or_else(|reply| reply, |items| request.page(items, 20))
}

fn known<'s>(state: &'s State, id: &str) -> Option<&'s Build> {
    state.build(id).filter(|b| matches!(b.state, UploadState::Open | UploadState::Complete))
}

/// `GET builds/{id}`
pub(super) fn get(request: &ApiRequest) -> Reply {
    let wire = Wire::new(&request.inner);
    let found = request.inner.with(|s| known(s, &request.routed.id).map(|b| wire.build(b, true)));
    found.map_or_else(|| Reply::error(404, "build not found"), |build| Reply::json(200, &wire.finish(build)))
}

/// `DELETE builds/{id}`
pub(super) fn delete(request: &ApiRequest) -> Reply {
    request.inner.with(|state| {
        if known(state, &request.routed.id).is_none() {
            return Reply::error(404, "build not found");
        }
        if let Some(build) = state.build_mut(&request.routed.id) {
            build.state = UploadState::Deleted;
            let _ = std::fs::remove_file(request.inner.storage.path(&build.storage_key()));
        }
        Reply::json(200, &json!({ "message": "build deleted successfully" }))
    })
}
