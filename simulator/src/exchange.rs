//! One request and its answer: the record, the faults, then the host that answers.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::call::{Call, Host};
use crate::faults::{Fault, Kind};
use crate::ledger::RequestRecord;
use crate::net::{self, Body, Conn, SimError};
use crate::route::{Routed, route};
use crate::state::Inner;

/// The largest body of an API call.
const LARGEST_BODY: usize = 8 << 20;

/// An answer before it meets the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, "application/json", value.to_string())
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "error": message }))
    }

    pub(crate) fn xml(status: u16, code: &str, message: &str) -> Self {
        Self::typed(status, "application/xml", crate::storage::xml(code, message))
    }

    pub(crate) fn typed(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: body.into() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A request under way.
pub(crate) struct Exchange {
    pub(crate) inner: Arc<Inner>,
    pub(crate) host: Host,
    pub(crate) routed: Routed,
    pub(crate) head: Parts,
    conn: Conn,
    record: usize,
}

/// How the request body is read.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    rate: Option<u64>,
}

/// Answers one request, or breaks its connection.
pub(crate) async fn exchange(
    inner: Arc<Inner>,
    host: Host,
    conn: Conn,
    request: Request<Incoming>,
) -> Response<Body> {
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
    let exchange = Exchange { inner, host, routed, head, conn, record };
    match fault {
        None => {
            let reply = exchange.effect(body, Reading::default()).await;
            exchange.send(&reply, net::full(reply.body.clone()))
        }
        Some(fault) => exchange.broken(body, fault).await,
    }
}

fn record(inner: &Inner, host: Host, routed: &Routed, head: &Parts, fault: Option<&Fault>) -> RequestRecord {
    let has = |name: &str| head.headers.contains_key(name);
    RequestRecord {
        at: inner.clock.now(),
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
    /// A request header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|v| v.to_str().ok())
    }

    fn send(&self, reply: &Reply, body: Body) -> Response<Body> {
        self.inner.with(|s| {
            if let Some(record) = s.requests.get_mut(self.record) {
                record.status = Some(reply.status);
            }
        });
        let mut response = Response::new(body);
        *response.status_mut() = hyper::StatusCode::from_u16(reply.status).unwrap_or_default();
        for (name, value) in &reply.headers {
            if let (Ok(name), Ok(value)) = (
                hyper::header::HeaderName::try_from(name.as_str()),
                hyper::header::HeaderValue::try_from(value),
            ) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }

    async fn reset(&self) -> Response<Body> {
        match self.conn.reset().await {}
    }

    async fn stall(&self) -> Response<Body> {
        std::future::pending().await
    }

    /// The exchange under a fault.
    async fn broken(self, body: Incoming, fault: Fault) -> Response<Body> {
        match &fault.kind {
            Kind::Delay(wait) => tokio::time::sleep(*wait).await,
            Kind::Refuse(period) => {
                // The listener's end would cut this very connection softly; a reset is what clients see.
                self.conn.reset_on_drop();
                self.inner.refuse_for(self.host, *period);
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

    async fn read_some(&self, body: Incoming, bytes: u64) {
        let mut data = pin!(self.data(body, Reading::default()));
        let mut seen = 0_u64;
        while seen < bytes
            && let Some(Ok(chunk)) = data.next().await
        {
            seen += chunk.len() as u64;
        }
    }

    /// The bytes of the request, counted for the part they belong to.
    fn data(
        &self,
        body: Incoming,
        reading: Reading,
    ) -> impl Stream<Item = Result<Bytes, SimError>> + Send + use<> {
        let counter = match self.routed.call {
            Call::PutSingle => Some(1),
            Call::PutPart(number) => Some(number),
            _ => None,
        };
        let build = self.routed.id.split('/').next().unwrap_or_default().to_owned();
        let inner = Arc::clone(&self.inner);
        stream::unfold(body, move |mut body| {
            let (inner, build) = (Arc::clone(&inner), build.clone());
            async move {
                let data = loop {
                    match body.frame().await? {
                        Ok(frame) => {
                            if let Ok(data) = frame.into_data() {
                                break data;
                            }
                        }
                        Err(error) => return Some((Err(SimError::from(error)), body)),
                    }
                };
                if let Some(number) = counter {
                    inner.with(|s| {
                        if let Some(build) = s.build_mut(&build) {
                            build.parts.entry(number).or_default().received += data.len() as u64;
                        }
                    });
                }
                if let Some(rate) = reading.rate {
                    let bytes = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    let rate = u32::try_from(rate.max(1)).unwrap_or(u32::MAX);
                    tokio::time::sleep(Duration::from_secs_f64(f64::from(bytes) / f64::from(rate))).await;
                }
                Some((Ok(data), body))
            }
        })
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
