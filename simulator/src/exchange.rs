//! A request under way, as the hosts see it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::http::request::Parts;

use crate::call::{Call, Host};
use crate::net::{Body, Conn, SimError};
use crate::reply::Reply;
use crate::route::Routed;
use crate::state::Inner;

/// A request under way.
pub(crate) struct Exchange {
    pub(crate) inner: Arc<Inner>,
    pub(crate) host: Host,
    pub(crate) routed: Routed,
    pub(crate) head: Parts,
    pub(crate) conn: Conn,
    /// Where it stands in the record.
    pub(crate) record: usize,
}

/// How the request body is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) rate: Option<u64>,
}

impl Exchange {
    /// A request header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|v| v.to_str().ok())
    }

    pub(crate) fn send(&self, reply: &Reply, body: Body) -> Response<Body> {
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

    pub(crate) async fn reset(&self) -> Response<Body> {
        match self.conn.reset().await {}
    }

    pub(crate) async fn stall(&self) -> Response<Body> {
        std::future::pending().await
    }

    pub(crate) async fn read_some(&self, body: Incoming, bytes: u64) {
        let mut data = pin!(self.data(body, Reading::default()));
        let mut seen = 0_u64;
        while seen < bytes
            && let Some(Ok(chunk)) = data.next().await
        {
            seen += chunk.len() as u64;
        }
    }

    /// The bytes of the request, counted for the part they belong to.
    pub(crate) fn data(
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
}
