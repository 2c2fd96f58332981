//! Faults: what can go wrong with an exchange, and the queue that decides when; touches nothing.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use serde_json::Value;

use crate::call::{Call, Host};

/// Identifies a queued fault, so that it can be cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(pub(crate) u64);

/// What happens to the exchange.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Status { code: u16, headers: Vec<(String, String)>, body: Bytes },
    EchoKey { code: u16 },
    Altered { code: u16, patch: Value },
    Delay(Duration),
    SlowBody(u64),
    CutResponse(u64),
    CutRequest(u64),
    StallRequest(u64),
    SlowRequest(u64),
    Drop,
    Stall,
    Refuse(Duration),
    Repeat { head: Bytes, unit: Bytes, times: u64, tail: Bytes },
}

/// One thing that goes wrong. Fires once unless told otherwise.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(crate) kind: Kind,
    pub(crate) after_effect: bool,
    pub(crate) early: bool,
    times: Option<u32>,
    skip: u32,
    every: u32,
}

impl Fault {
    fn of(kind: Kind) -> Self {
        Self { kind, after_effect: false, early: false, times: Some(1), skip: 0, every: 1 }
    }

    /// Answers with this status and `{"error":"..."}`.
    #[must_use]
    pub fn status(code: u16) -> Self {
        let words = hyper::StatusCode::from_u16(code)
            .ok()
            .and_then(|s| s.canonical_reason())
            .unwrap_or("simulated failure");
        let body = serde_json::json!({ "error": words.to_lowercase() }).to_string();
        Self::of(Kind::Status {
            code,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.into(),
        })
    }

    /// Answers with this status and body (content type as guessed from the first character).
    #[must_use]
    pub fn reply(code: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let kind = match body.first() {
            Some(b'{' | b'[') => "application/json",
            Some(b'<') if body.starts_with(b"<?xml") => "application/xml",
            Some(b'<') => "text/html",
            _ => "text/plain",
        };
        Self::of(Kind::Status { code, headers: vec![("content-type".to_owned(), kind.to_owned())], body })
    }

    /// The normal exchange and its reply, with this status and with members of its body changed: those of `patch` replace them,
    /// a `null` removes (RFC 7396, JSON merge patch).
    #[must_use]
    pub fn altered(code: u16, patch: Value) -> Self {
        Self::of(Kind::Altered { code, patch }).after_effect()
    }

    /// A gateway's own page: 502 with HTML.
    #[must_use]
    pub fn html_502() -> Self {
        Self::reply(
            502,
            "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n",
        )
    }

    /// 200 with a body that is not JSON.
    #[must_use]
    pub fn garbage_200() -> Self {
        Self::reply(200, "\u{fffd}\u{1}PNG not json at all {")
    }

    /// 200 with an empty body.
    #[must_use]
    pub fn empty_200() -> Self {
        Self::reply(200, "")
    }

    /// 429, optionally with `Retry-After` in seconds.
    #[must_use]
    pub fn too_many(retry_after: Option<u64>) -> Self {
        let fault = Self::reply(429, r#"{"error":"Rate limit exceeded"}"#);
        match retry_after {
            Some(seconds) => fault.header("retry-after", &seconds.to_string()),
            None => fault,
        }
    }

    /// What storage answers when a presigned URL is too old.
    #[must_use]
    pub fn expired_url() -> Self {
        Self::reply(403, crate::storage::xml("AccessDenied", "Request has expired"))
    }

    /// What storage answers when it is overloaded.
    #[must_use]
    pub fn slow_down() -> Self {
        Self::reply(503, crate::storage::xml("SlowDown", "Please reduce your request rate."))
    }

    /// The normal exchange, after a wait.
    #[must_use]
    pub fn delay(wait: Duration) -> Self {
        Self::of(Kind::Delay(wait))
    }

    /// The normal reply, its body at this many bytes per second.
    #[must_use]
    pub fn slow_body(bytes_per_second: u64) -> Self {
        Self::of(Kind::SlowBody(bytes_per_second))
    }

    /// The normal reply, its body cut after this many bytes.
    #[must_use]
    pub fn cut_response(after_bytes: u64) -> Self {
        Self::of(Kind::CutResponse(after_bytes))
    }

    /// A reset after this many bytes of the request body; nothing takes effect.
    #[must_use]
    pub fn cut_request(after_bytes: u64) -> Self {
        Self::of(Kind::CutRequest(after_bytes))
    }

    /// A reset before anything took effect.
    #[must_use]
    pub fn drop_before() -> Self {
        Self::of(Kind::Drop)
    }

    /// A reset after the effect: the client does not learn that it worked.
    #[must_use]
    pub fn drop_after() -> Self {
        Self::of(Kind::Drop).after_effect()
    }

    /// No answer, no effect, connection open.
    #[must_use]
    pub fn stall() -> Self {
        Self::of(Kind::Stall)
    }

    /// The effect, then no answer, connection open.
    #[must_use]
    pub fn stall_after() -> Self {
        Self::of(Kind::Stall).after_effect()
    }

    /// An error whose body repeats the API key that was sent.
    #[must_use]
    pub fn echo_key(code: u16) -> Self {
        Self::of(Kind::EchoKey { code })
    }

    /// No answer any more after this many bytes of the request body; nothing takes effect.
    #[must_use]
    pub fn stall_request(after_bytes: u64) -> Self {
        Self::of(Kind::StallRequest(after_bytes))
    }

    /// The normal exchange, but the request body is read at this many bytes per second.
    #[must_use]
    pub fn slow_request(bytes_per_second: u64) -> Self {
        Self::of(Kind::SlowRequest(bytes_per_second))
    }

    /// A reset before anything took effect; then the whole host refuses connections for this long.
    #[must_use]
    pub fn refuse(period: Duration) -> Self {
        Self::of(Kind::Refuse(period))
    }

    /// 200 with `head`, then `unit` so many times, then `tail`, chunked and never held in memory.
    #[must_use]
    pub fn repeat(head: &str, unit: &str, times: u64, tail: &str) -> Self {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Self::of(Kind::Repeat { head: bytes(head), unit: bytes(unit), times, tail: bytes(tail) })
    }

    /// 200 with this many bytes of opening brackets.
    #[must_use]
    pub fn huge_body(bytes: u64) -> Self {
        Self::repeat("", "[", bytes, "")
    }

    /// 200 with a body that never ends.
    #[must_use]
    pub fn endless_body() -> Self {
        Self::huge_body(u64::MAX)
    }

    /// 200 with a completed run whose one player has this many steps.
    #[must_use]
    pub fn many_steps(count: u64) -> Self {
        let step = r#"{"step_number":1,"run_state":"COMPLETED","run_result":"SUCCESS","report":"done","test":{"goal":"go on"}},"#;
        Self::repeat(
            r#"{"multiplayer_run_id":"aaaaaaaaaaa","state":"COMPLETED","result":"SUCCESS","players":[{"id":"aaaaaaaaaaa-1","player_number":1,"steps":["#,
            step,
            count.saturating_sub(1),
            &format!("{}]}}]}}", step.trim_end_matches(',')),
        )
    }

    /// 200 with one bug whose title has this many bytes.
    #[must_use]
    pub fn long_title(bytes: u64) -> Self {
        let tail = r#"","severity":"high","confidence":"high"}],"pagination":{"page":0,"page_size":20,"total_count":1,"total_pages":1}}"#;
        Self::repeat(r#"{"data":[{"id":"1","bug_id":"1","title":""#, "x", bytes, tail)
    }

    /// 200 with valid JSON nested this deep.
    #[must_use]
    pub fn deep_json(depth: usize) -> Self {
        Self::reply(200, format!("{{\"data\":{}{}}}", "[".repeat(depth), "]".repeat(depth)))
    }

    /// Adds a header to a reply of a status fault.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Kind::Status { headers, .. } = &mut self.kind {
            headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Adds `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", &seconds.to_string())
    }

    /// Adds `Retry-After` as an HTTP date this far from now.
    #[must_use]
    pub fn retry_after_date(self, from_now: Duration) -> Self {
        let at = Utc::now() + chrono::Duration::from_std(from_now).unwrap_or_default();
        self.header("retry-after", &at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// Replaces the body of a status fault.
    #[must_use]
    pub fn body(mut self, text: impl Into<Bytes>) -> Self {
        if let Kind::Status { body, .. } = &mut self.kind {
            *body = text.into();
        }
        self
    }

    /// Lets the effect happen first: the reply is what breaks.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.after_effect = true;
        self
    }

    /// Answers before the request body has been read, as a busy server does.
    #[must_use]
    pub fn early(mut self) -> Self {
        self.early = true;
        self
    }

    /// Fires once (the default).
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Fires this many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Fires until it is cleared.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.times = None;
        self
    }

    /// Lets the first `n` matching requests through.
    #[must_use]
    pub fn skip(mut self, n: u32) -> Self {
        self.skip = n;
        self
    }

    /// Fires on every `n`th matching request only.
    #[must_use]
    pub fn every(mut self, n: u32) -> Self {
        self.every = n.max(1);
        self
    }

    /// A short name for logs and the ledger.
    pub(crate) fn name(&self) -> String {
        let after = if self.after_effect { " after the effect" } else { "" };
        match &self.kind {
            Kind::Status { code, .. } => format!("status {code}{after}"),
            Kind::EchoKey { code } => format!("echo key {code}"),
            Kind::Altered { code, .. } => format!("altered reply {code}"),
            Kind::Delay(wait) => format!("delay {wait:?}"),
            Kind::SlowBody(rate) => format!("slow body {rate} B/s"),
            Kind::CutResponse(n) => format!("reply cut after {n} bytes"),
            Kind::CutRequest(n) => format!("request cut after {n} bytes"),
            Kind::StallRequest(n) => format!("stall after {n} bytes of the request"),
            Kind::SlowRequest(rate) => format!("request read at {rate} B/s"),
            Kind::Drop => format!("reset{}", if after.is_empty() { " before the effect" } else { after }),
            Kind::Stall => format!("stall{after}"),
            Kind::Refuse(period) => format!("connections refused for {period:?}"),
            Kind::Repeat { times, .. } => format!("{times} repetitions{after}"),
        }
    }
}

/// Applies a JSON merge patch.
pub(crate) fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        value.clone_from(patch);
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    let Some(members) = value.as_object_mut() else { return };
    for (name, change) in patch {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[derive(Debug)]
struct Queued {
    id: u64,
    matcher: Call,
    fault: Fault,
    seen: u32,
}

/// All faults that are waiting for a request.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    next: u64,
    queued: Vec<Queued>,
}

impl FaultQueue {
    pub(crate) fn push(&mut self, matcher: Call, fault: Fault) -> FaultId {
        self.next += 1;
        self.queued.push(Queued { id: self.next, matcher, fault, seen: 0 });
        FaultId(self.next)
    }

    pub(crate) fn remove(&mut self, id: FaultId) {
        self.queued.retain(|q| q.id != id.0);
    }

    pub(crate) fn clear(&mut self) {
        self.queued.clear();
    }

    /// The first queued fault that fires for this request.
    pub(crate) fn take(&mut self, call: Call, host: Host) -> Option<Fault> {
        let mut hit = None;
        for (index, queued) in self.queued.iter_mut().enumerate() {
            if !queued.matcher.covers(call, host) {
                continue;
            }
            queued.seen += 1;
            let due = queued.seen > queued.fault.skip
                && (queued.seen - queued.fault.skip).is_multiple_of(queued.fault.every);
            if due {
                hit = Some(index);
                break;
            }
        }
        let index = hit?;
        let fault = self.queued[index].fault.clone();
        if let Some(left) = self.queued[index].fault.times.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.queued.remove(index);
            }
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(queue: &mut FaultQueue, call: Call, n: usize) -> Vec<bool> {
        (0..n).map(|_| queue.take(call, call.host()).is_some()).collect()
    }

    #[test]
    fn a_patch_replaces_adds_and_removes() {
        let mut value = serde_json::json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1] });
        merge(
            &mut value,
            &serde_json::json!({ "a": null, "b": { "c": 4 }, "e": [], "f": { "g": null, "h": 5 } }),
        );
        assert_eq!(value, serde_json::json!({ "b": { "c": 4, "d": 3 }, "e": [], "f": { "h": 5 } }));
    }

    #[test]
    fn fires_as_often_as_told() {
        let mut queue = FaultQueue::default();
        queue.push(Call::GetJob, Fault::status(500).skip(1).times(2));
        assert_eq!(fired(&mut queue, Call::GetJob, 4), [false, true, true, false]);
        queue.push(Call::AnyPoll, Fault::status(500).every(3).forever());
        assert_eq!(fired(&mut queue, Call::GetRun, 6), [false, false, true, false, false, true]);
        assert_eq!(fired(&mut queue, Call::StartRun, 3), [false; 3]);
        queue.clear();
        let id = queue.push(Call::PutPart(2), Fault::stall().forever());
        assert_eq!(fired(&mut queue, Call::PutPart(1), 1), [false]);
        assert_eq!(fired(&mut queue, Call::PutPart(2), 1), [true]);
        queue.remove(id);
        assert_eq!(fired(&mut queue, Call::PutPart(2), 1), [false]);
    }
}
