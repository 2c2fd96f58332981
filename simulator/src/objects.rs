//! The storage host: what a strict store refuses before it looks at the signature.

use hyper::Request;

use crate::call::Call;
use crate::exchange::Exchange;
use crate::generation::Quirk;
use crate::ledger::UploadState;
use crate::reply::Reply;

/// Answers a request to storage.
pub(crate) async fn answer(exchange: &Exchange, body: s3s::Body) -> Reply {
    let number = match exchange.routed.call {
        Call::PutSingle => 1,
        Call::PutPart(number) => number,
        Call::StorageGet => return pass(exchange, body).await,
        _ => return Reply::xml(405, "MethodNotAllowed", "The specified method is not allowed."),
    };
    if let Some(refusal) = refusal(exchange, number) {
        return refusal;
    }
    let reply = pass(exchange, body).await;
    if reply.status == 200 {
        remember(exchange, number, &reply);
    }
    bare_etags(exchange, reply)
}

/// Checks the length and the state of the upload.
fn refusal(exchange: &Exchange, number: u32) -> Option<Reply> {
    let length = exchange.header("content-length").and_then(|l| l.parse::<u64>().ok());
    if exchange.header("transfer-encoding").is_some() || length.is_none() {
        return Some(Reply::xml(
            411,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        ));
    }
    let now = exchange.inner.clock.now();
    exchange.inner.with(|state| {
        let id = exchange.routed.id.split('/').next().unwrap_or_default();
        let Some(build) = state.build_mut(id) else {
            return Some(Reply::xml(404, "NoSuchKey", "The specified key does not exist."));
        };
        build.expire(now);
        if build.state != UploadState::Open {
            return Some(Reply::xml(404, "NoSuchUpload", "The specified multipart upload does not exist."));
        }
        build.parts.entry(number).or_default().attempts += 1;
        (build.part_length(number) != length).then(|| {
            Reply::xml(400, "IncompleteBody", "The number of bytes does not match what was announced.")
        })
    })
}

/// Hands the request to the real implementation.
async fn pass(exchange: &Exchange, body: s3s::Body) -> Reply {
    let mut request = Request::new(body);
    *request.method_mut() = exchange.head.method.clone();
    *request.uri_mut() = exchange.head.uri.clone();
    *request.headers_mut() = exchange.head.headers.clone();
    match exchange.inner.storage.call(request).await {
        Ok((status, headers, body)) => Reply { status, headers, body },
        Err(_) => Reply::xml(500, "InternalError", "We encountered an internal error. Please try again."),
    }
}

fn remember(exchange: &Exchange, number: u32, reply: &Reply) {
    let etag =
        reply.headers.iter().find(|(name, _)| name == "etag").map(|(_, v)| v.trim_matches('"').to_owned());
    exchange.inner.with(|state| {
        let id = exchange.routed.id.split('/').next().unwrap_or_default();
        if let Some(build) = state.build_mut(id) {
            let length = build.part_length(number).unwrap_or(0);
            let part = build.parts.entry(number).or_default();
            part.size = length;
            part.etag = etag;
        }
    });
}

/// Storage's reply as a server without quotes around its entity tags sends it.
fn bare_etags(exchange: &Exchange, mut reply: Reply) -> Reply {
    if exchange.inner.config.has(Quirk::BareEtags) {
        for (name, value) in &mut reply.headers {
            if name == "etag" {
                *value = value.trim_matches('"').to_owned();
            }
        }
    }
    reply
}
