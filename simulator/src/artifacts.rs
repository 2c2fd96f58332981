//! The artifact host: lists, bytes, ranges, and redirects for large media.

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::call::Call;
use crate::digest::{etag, hex};
use crate::exchange::Exchange;
use crate::keys::{Refusal, authorize};
use crate::reply::Reply;
use crate::state::State;
use crate::wire::Wire;

/// Answers a request to the artifact host.
pub(crate) fn answer(exchange: &Exchange) -> Reply {
    let inner = &exchange.inner;
    inner.with(|state| {
        // The host has no project in its addresses, so an organisation key counts as one of the project.
        let home = inner.config.project.as_str();
        if let Err(Refusal(status, message)) =
            authorize(&state.keys, exchange.header("x-api-key"), Some(home), home, None)
        {
            return Reply::error(status, &message);
        }
        match exchange.routed.call {
            Call::ListArtifacts => list(exchange, state),
            Call::GetArtifact => file(exchange, state),
            _ => Reply::error(404, "not found"),
        }
    })
}

fn list(exchange: &Exchange, state: &State) -> Reply {
    let wire = Wire::new(&exchange.inner);
    let id = &exchange.routed.id;
    let Some((_, files)) = wire.artifacts_of(&state.jobs, id) else {
        return Reply::error(404, "run not found");
    };
    let items: Vec<Value> = files.iter().map(|a| wire.artifact(id, a, "uploaded", Some(wire.now))).collect();
    let value = if items.is_empty() {
        json!({ "artifacts": [] })
    } else {
        json!({ "runId": id, "count": items.len(), "artifacts": items })
    };
    Reply::json(200, &wire.finish(value))
}

fn file(exchange: &Exchange, state: &State) -> Reply {
    let wire = Wire::new(&exchange.inner);
    let routed = &exchange.routed;
    let found = wire
        .artifacts_of(&state.jobs, &routed.id)
        .and_then(|(_, files)| files.into_iter().find(|a| a.name == routed.file && !a.hidden));
    let Some(artifact) = found else { return Reply::error(404, "artifact not found") };
    let tag = etag(&artifact.bytes);
    if exchange.header("if-none-match").is_some_and(|given| given.split(',').any(|g| g.trim() == tag)) {
        return Reply { status: 304, headers: vec![("etag".to_owned(), tag)], body: Bytes::new() };
    }
    if artifact.is_large_media() {
        let key = format!("{}.mp4", hex(&Sha256::digest(format!("{}/{}", routed.id, artifact.name))));
        return match exchange.inner.storage.media_url(
            &key,
            &artifact.bytes,
            state.url_age,
            state.url_lifetime,
        ) {
            Ok(url) => {
                Reply { status: 302, headers: vec![("location".to_owned(), url.into())], body: Bytes::new() }
            }
            Err(error) => Reply::error(500, &error.to_string()),
        };
    }
    ranged(exchange.header("range"), &artifact.bytes).header("etag", tag).header("accept-ranges", "bytes")
}

/// The whole file, or the one range that was asked for.
fn ranged(range: Option<&str>, bytes: &Bytes) -> Reply {
    let kind = "application/octet-stream";
    let Some((from, to)) = range.and_then(|r| r.strip_prefix("bytes=")).and_then(|r| r.split_once('-'))
    else {
        return Reply::typed(200, kind, bytes.clone());
    };
    let length = bytes.len();
    let (start, end) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(start), Ok(end)) => (start, end.saturating_add(1).min(length)),
        (Ok(start), Err(_)) => (start, length),
        (Err(_), Ok(last)) => (length.saturating_sub(last), length),
        (Err(_), Err(_)) => return Reply::typed(200, kind, bytes.clone()),
    };
    if start >= length || start >= end {
        return Reply::error(416, "range not satisfiable")
            .header("content-range", format!("bytes */{length}"));
    }
    Reply::typed(206, kind, bytes.slice(start..end))
        .header("content-range", format!("bytes {start}-{}/{length}", end - 1))
}
