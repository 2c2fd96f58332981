//! The clients: one with a pool for the API and artifacts, one without for calls with an effect, one for the way out, one for storage.
//! All share one TLS configuration; none follows redirects, and keys travel with single requests, never with a client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, Url, redirect, retry};
use tokio::time::Instant;

use crate::model::secrets::Owner;
use crate::model::{Env, Log, Secrets};

use super::error::HttpError;
use super::proxy;
use super::recorder::{Recorder, Recording};
use super::reply::{self, Head, Reply};
use super::retry::RetryLog;
use super::tls;
use super::url::{host_of, is_loopback, secrets_of};

/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Time to connect on the way out.
const CONNECT_URGENT: Duration = Duration::from_secs(1);
/// Idle connections are closed before the usual servers close them, so that a request rarely meets a dead one.
const IDLE: Duration = Duration::from_secs(20);
/// Idle connections to storage: one for every part in flight.
const IDLE_STORAGE: usize = 16;
/// First keepalive probe of a quiet connection, and the pause between probes.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Data that nobody acknowledges for so long means that the connection is dead.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);
/// Largest answer that is read whole.
pub(crate) const LARGEST_REPLY: u64 = 16 * 1024 * 1024;

/// A cheap handle on the network.
#[derive(Debug, Clone)]
pub(crate) struct Net(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pooled: Client,
    fresh: Client,
    urgent: Client,
    storage: Client,
    recorder: Recorder,
    secrets: Secrets,
    log: Log,
    retries: RetryLog,
    /// The proxy for hosts that are not on this machine, for messages.
    proxy: Option<String>,
}

/// Which connection a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// One from the pool.
    Pooled,
    /// A new one: an old one that dies under a request leaves its effect unclear.
    Fresh,
    /// A new one, within a second.
    Urgent,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method.
    pub(crate) method: Method,
    /// Where to.
    pub(crate) url: Url,
    /// Headers; secret ones are marked sensitive.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Body.
    pub(crate) body: Option<Bytes>,
    /// Connection.
    pub(crate) route: Route,
}

impl Net {
    /// Clients with the proxies and certificates of `env`. Also installs the crypto provider.
    pub(crate) fn new(env: &Env, user_agent: &str, secrets: Secrets, log: Log) -> Result<Self, HttpError> {
        tls::install_crypto();
        let tls = tls::config(env, &log)?;
        let proxy = proxy::from_env(env)?;
        if let Some(password) = proxy.as_ref().and_then(|setting| setting.password.as_ref()) {
            secrets.register(password, Owner::User).iter().for_each(|form| log.mask(form));
        }
        let client = |connect: Duration, idle: usize| {
            let mut builder = ClientBuilder::new()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(user_agent)
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .referer(false)
                .http1_only()
                .connect_timeout(connect)
                .tcp_keepalive(KEEPALIVE)
                .tcp_keepalive_interval(KEEPALIVE)
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(idle)
                .no_proxy();
            #[cfg(target_os = "linux")]
            {
                builder = builder.tcp_user_timeout(UNACKNOWLEDGED);
            }
            if let Some(setting) = &proxy {
                builder = builder.proxy(setting.proxy.clone());
            }
            builder.build().map_err(|error| {
                HttpError::Setup(format!("cannot set up the network client: {}", error.without_url()))
            })
        };
        Ok(Self(Arc::new(Inner {
            pooled: client(CONNECT, 4)?,
            fresh: client(CONNECT, 0)?,
            urgent: client(CONNECT_URGENT, 0)?,
            storage: client(CONNECT, IDLE_STORAGE)?,
            recorder: Recorder::new(secrets.clone()),
            secrets,
            retries: RetryLog::new(log.clone()),
            log,
            proxy: proxy.map(|setting| setting.host),
        })))
    }

    /// The request log.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Registers a secret and masks every form of it on the host.
    pub(crate) fn secret(&self, raw: &str, owner: Owner) {
        for form in self.0.secrets.register(raw, owner) {
            self.0.log.mask(&form);
        }
    }

    /// Registers what is secret in the query of a URL that was lent to us. It is masked on the host in its raw form only: such secrets
    /// come by the thousand.
    pub(crate) fn lent_url(&self, url: &Url) {
        for secret in secrets_of(url) {
            if !self.0.secrets.register(&secret, Owner::Lent).is_empty() {
                self.0.log.mask(&secret);
            }
        }
    }

    /// The register of secrets.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// What tells of retries.
    pub(crate) fn retries(&self) -> &RetryLog {
        &self.0.retries
    }

    /// The client that talks to storage.
    pub(crate) fn storage_client(&self) -> &Client {
        &self.0.storage
    }

    /// One attempt of at most `timeout`, the whole answer read (16 MiB at most). Writes one line of diagnostics, also when dropped.
    pub(crate) async fn send(
        &self,
        request: &Request,
        attempt: u32,
        timeout: Duration,
    ) -> Result<Reply, HttpError> {
        let mut recording = self.recording(request, attempt);
        let host = host_of(&request.url);
        let exchange = async {
            let response = self.execute(request, &host).await?;
            let head = Head::of(&response, chrono::Utc::now());
            recording.status(head.status);
            let body = reply::read(response, LARGEST_REPLY, &host, recording.bytes()).await?;
            Ok(Reply { head, body })
        };
        let result = tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or(Err(HttpError::Timeout { host, after: timeout }));
        recording.finish(result.as_ref().err().map(HttpError::kind));
        result
    }

    /// One attempt whose answer is read piece by piece; the head must come within `timeout`.
    pub(crate) async fn open(
        &self,
        request: &Request,
        attempt: u32,
        timeout: Duration,
    ) -> Result<Download, HttpError> {
        let mut recording = self.recording(request, attempt);
        let host = host_of(&request.url);
        let result = match tokio::time::timeout(timeout, self.execute(request, &host)).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Timeout { host: host.clone(), after: timeout }),
        };
        match result {
            Ok(response) => {
                let head = Head::of(&response, chrono::Utc::now());
                recording.status(head.status);
                Ok(Download { head, response, host, recording, stall: timeout })
            }
            Err(error) => {
                recording.finish(Some(error.kind()));
                Err(error)
            }
        }
    }

    async fn execute(&self, request: &Request, host: &str) -> Result<reqwest::Response, HttpError> {
        let client = match request.route {
            Route::Pooled => &self.0.pooled,
            Route::Fresh => &self.0.fresh,
            Route::Urgent => &self.0.urgent,
        };
        let mut builder = client.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder.send().await.map_err(|error| self.fault(error, &request.url, host))
    }

    /// What an error of the client means.
    pub(crate) fn fault(&self, error: reqwest::Error, url: &Url, host: &str) -> HttpError {
        let error = HttpError::classify(error, host);
        match &self.0.proxy {
            Some(proxy) if !is_loopback(url) => error.through(proxy),
            _ => error,
        }
    }

    fn recording(&self, request: &Request, attempt: u32) -> Recording {
        let sent = request.body.as_ref().map_or(0, Bytes::len) as u64;
        self.0.recorder.begin(request.method.as_str(), &request.url, attempt, sent)
    }
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Download {
    /// Status and headers.
    pub(crate) head: Head,
    response: reqwest::Response,
    host: String,
    recording: Recording,
    stall: Duration,
}

impl Download {
    /// The next piece; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        let result = match tokio::time::timeout(self.stall, self.response.chunk()).await {
            Ok(result) => result.map_err(|error| HttpError::classify(error, &self.host)),
            Err(_) => Err(HttpError::Timeout { host: self.host.clone(), after: self.stall }),
        };
        match &result {
            Ok(Some(chunk)) => *self.recording.bytes() += chunk.len() as u64,
            Ok(None) => self.recording.finish(None),
            Err(error) => self.recording.finish(Some(error.kind())),
        }
        result
    }

    /// The rest as a whole, at most `limit` bytes: for answers that say what went wrong.
    pub(crate) async fn rest(mut self, limit: u64) -> Result<Bytes, HttpError> {
        let began = Instant::now();
        let mut body = bytes::BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() as u64 > limit {
                return Err(HttpError::TooLarge { host: self.host.clone(), limit });
            }
            if began.elapsed() > self.stall {
                return Err(HttpError::Timeout { host: self.host.clone(), after: self.stall });
            }
        }
        Ok(body.freeze())
    }
}
