//! One request and its answer: the record, the faults, then the host that answers.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::StreamExt;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::call::{Call, Host};
use crate::exchange::{Exchange, Reading};
use crate::faults::{Fault, Kind};
use crate::ledger::RequestRecord;
use crate::net::{self, Body, Conn, Service};
use crate::reply::Reply;
use crate::route::{Routed, route};
use crate::state::Inner;

/// The largest body of an API call.
const LARGEST_BODY: usize = 8 << 20;

/// One host, for its accept loop.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) inner: Arc<Inner>,
    pub(crate) host: Host,
}

impl Service for Serving {
    fn shutdown(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    fn rate(&self) -> Option<u64> {
        self.inner.config.throttle.get(&self.host).copied()
    }

    fn resets(&self) -> bool {
        self.inner.with(|s| s.resets.take(self.host))
    }

    async fn answer(self, conn: Conn, request: Request<Incoming>) -> Response<Body> {
        exchange(self.inner, self.host, conn, request).await
    }
}

/// Refuses connections to a host for a while.
pub(crate) fn refuse_for(inner: &Arc<Inner>, host: Host, period: Duration) {
    if let Some(listeners) = inner.listeners.get() {
        listeners.of(host).close();
    }
    let inner = Arc::clone(inner);
    tokio::spawn(async move {
        tokio::time::sleep(period).await;
        let Some(listeners) = inner.listeners.get() else { return };
        let serving = Serving { inner: Arc::clone(&inner), host };
        // The port was ours a moment ago, but the socket that had it may not be gone yet, or a connection of somebody else has it
        // for its own end.
        while !inner.shutdown.is_cancelled() && listeners.of(host).reopen(&serving).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

/// Answers one request, or breaks its connection.
async fn exchange(inner: Arc<Inner>, host: Host, conn: Conn, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let routed = route(host, &head.method, &head.uri);
    let (record, fault) = inner.with(|state| {
        let fault = state.faults.take(routed.call, host);
        let record = record(&inner, host, &routed, &head, fault.as_ref());
        if host == Host::Storage && record.key_present {
            state.violations.push(format!("{} {} carried a key to storage", record.method, record.path));
        }
        state.requests.push(record);
        (state.requests.len() - 1, fault)
    });
    let _under_way = UnderWay { inner: Arc::clone(&inner), record };
    let exchange = Exchange { inner, host, routed, head, conn, record };
    match fault {
        None => {
            let reply = exchange.effect(body, Reading::default()).await;
            exchange.send(&reply, net::full(reply.body.clone()))
        }
        Some(fault) => exchange.broken(body, fault).await,
    }
}

/// Notes the end of an exchange, also of one whose connection goes away.
struct UnderWay {
    inner: Arc<Inner>,
    record: usize,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.inner.clock.now();
        self.inner.with(|state| state.requests[self.record].ended = Some(now));
    }
}

fn record(inner: &Inner, host: Host, routed: &Routed, head: &Parts, fault: Option<&Fault>) -> RequestRecord {
    let has = |name: &str| head.headers.contains_key(name);
    RequestRecord {
        at: inner.clock.now(),
        ended: None,
        host,
        call: routed.call,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query_names: routed.query.iter().map(|(n, _)| n.clone()).collect(),
        header_names: head.headers.keys().map(ToString::to_string).collect(),
        key_present: has("x-api-key") || has("authorization"),
        user_agent: head
            .headers
            .get("user-agent")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        status: None,
        fault: fault.map(Fault::name),
        body: None,
    }
}

impl Exchange {
    /// The exchange under a fault.
    async fn broken(self, body: Incoming, fault: Fault) -> Response<Body> {
        match &fault.kind {
            Kind::Delay(wait) => tokio::time::sleep(*wait).await,
            Kind::Refuse(period) => {
                // The listener's end would cut this very connection softly; a reset is what clients see.
                self.conn.reset_on_drop();
                refuse_for(&self.inner, self.host, *period);
                return self.reset().await;
            }
            Kind::CutRequest(bytes) => {
                self.read_some(body, *bytes).await;
                return self.reset().await;
            }
            Kind::StallRequest(bytes) => {
                self.read_some(body, *bytes).await;
                return self.stall().await;
            }
            Kind::Drop if !fault.after_effect => return self.reset().await,
            Kind::Stall if !fault.after_effect => return self.stall().await,
            _ => {}
        }
        let replaces = matches!(fault.kind, Kind::Status { .. } | Kind::EchoKey { .. } | Kind::Repeat { .. });
        if replaces && !fault.after_effect {
            if !fault.early {
                self.read_some(body, u64::MAX).await;
            }
            return self.replaced(&fault.kind);
        }
        let rate = match fault.kind {
            Kind::SlowRequest(rate) => Some(rate),
            _ => None,
        };
        let reply = self.effect(body, Reading { rate }).await;
        self.after(reply, &fault.kind).await
    }

    /// What becomes of a good reply.
    async fn after(&self, mut reply: Reply, kind: &Kind) -> Response<Body> {
        match kind {
            Kind::Drop => self.reset().await,
            Kind::Stall => self.stall().await,
            Kind::CutResponse(_) if reply.body.is_empty() => self.reset().await,
            Kind::CutResponse(bytes) => {
                let length = reply.body.len();
                reply = reply.header("content-length", length.to_string());
                let keep = (*bytes).min(length as u64 - 1);
                self.send(&reply, net::cut(&reply.body, keep))
            }
            Kind::SlowBody(rate) => {
                reply = reply.clone().header("content-length", reply.body.len().to_string());
                self.send(&reply, net::slow(reply.body.clone(), *rate))
            }
            Kind::Status { .. } | Kind::EchoKey { .. } | Kind::Repeat { .. } => self.replaced(kind),
            Kind::Altered { code, patch } => {
                let mut value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
                crate::faults::merge(&mut value, patch);
                reply = Reply::json(*code, &value);
                self.send(&reply, net::full(reply.body.clone()))
            }
            _ => self.send(&reply, net::full(reply.body.clone())),
        }
    }

    fn replaced(&self, kind: &Kind) -> Response<Body> {
        match kind {
            Kind::Repeat { head, unit, times, tail } => {
                let reply = Reply::typed(200, "application/json", Bytes::new());
                self.send(&reply, net::repeat(head.clone(), unit.clone(), *times, tail.clone()))
            }
            Kind::EchoKey { code } => {
                let key = self.header("x-api-key").unwrap_or_default();
                let reply = Reply::error(*code, &format!("cannot handle the key {key} right now"));
                self.send(&reply, net::full(reply.body.clone()))
            }
            Kind::Status { code, headers, body } => {
                let reply = Reply { status: *code, headers: headers.clone(), body: body.clone() };
                self.send(&reply, net::full(reply.body.clone()))
            }
            _ => self.send(&Reply::error(500, "simulated failure"), net::full(Bytes::new())),
        }
    }

    /// The real thing.
    async fn effect(&self, body: Incoming, reading: Reading) -> Reply {
        let data = self.data(body, reading);
        match self.host {
            Host::Storage => {
                let frames = data.map(|chunk| chunk.map(Frame::data));
                crate::objects::answer(self, s3s::Body::http_body_unsync(StreamBody::new(frames))).await
            }
            Host::Artifacts => crate::artifacts::answer(self),
            Host::Api if self.routed.call == Call::RunPage => crate::page::answer(self),
            Host::Api => {
                let mut whole = BytesMut::new();
                let mut data = pin!(data);
                while let Some(chunk) = data.next().await {
                    match chunk {
                        Ok(chunk) if whole.len() + chunk.len() <= LARGEST_BODY => {
                            whole.extend_from_slice(&chunk);
                        }
                        Ok(_) => return Reply::error(413, "request body is too large"),
                        Err(_) => return Reply::error(400, "request body is incomplete"),
                    }
                }
                self.call_api(whole.freeze()).await
            }
        }
    }

    /// Runs the call to its end even when the client goes away meanwhile, as the real service does.
    async fn call_api(&self, body: Bytes) -> Reply {
        let json = serde_json::from_slice::<Value>(&body).ok();
        self.inner.with(|s| {
            if let Some(record) = s.requests.get_mut(self.record) {
                record.body.clone_from(&json);
            }
        });
        let request = crate::api::ApiRequest {
            inner: Arc::clone(&self.inner),
            routed: self.routed.clone(),
            key: self.header("x-api-key").map(str::to_owned),
            body: json,
            malformed: !body.is_empty(),
        };
        tokio::spawn(crate::api::answer(request))
            .await
            .unwrap_or_else(|_| Reply::error(500, "the simulator has a bug"))
    }
}
