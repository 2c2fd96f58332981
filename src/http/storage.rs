//! One PUT to a presigned URL. No API key ever comes here; `upload` composes the retries.

use std::time::Duration;

use reqwest::Body;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokio::time::Instant;

use super::body::{PutBody, Watch};
use super::client::Net;
use super::error::HttpError;
use super::presigned::{ETag, PresignedUrl};
use super::reply::{self, Head};
use super::storage_error::StorageError;
use super::url::host_of;

/// Largest answer of storage that is read.
const LARGEST_ANSWER: u64 = 64 * 1024;

/// Limits of one PUT. There is none on its whole duration: a healthy slow upload may take hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Longest time without a byte going out.
    pub(crate) stall: Duration,
    /// Longest wait for the answer after the last byte.
    pub(crate) answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall: Duration::from_secs(60), answer: Duration::from_secs(300) }
    }
}

/// The storage client.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    net: Net,
    limits: Limits,
}

impl Storage {
    /// Storage with the usual limits.
    pub(crate) fn new(net: Net) -> Self {
        Self { net, limits: Limits::default() }
    }

    /// The same client with other limits.
    pub(crate) fn with_limits(&self, limits: Limits) -> Self {
        Self { net: self.net.clone(), limits }
    }

    /// Sends `body` in slices; `sent` is told the bytes that newly went out, live. `attempt` counts from 1 and is recorded.
    /// Dropping the future ends the transfer.
    pub(crate) async fn put(
        &self,
        url: &PresignedUrl,
        body: PutBody,
        attempt: u32,
        sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Option<ETag>, StorageError> {
        let mut recording = self.net.recorder().begin("PUT", url.expose(), attempt, 0);
        let (body, watch) = body.sliced(sent);
        let request = self
            .net
            .storage_client()
            .put(url.expose().clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, watch.total)
            .body(Body::wrap(body));
        let host = host_of(url.expose());
        let exchange = async {
            let response =
                request.send().await.map_err(|error| self.net.fault(error, url.expose(), &host))?;
            let head = Head::of(&response, chrono::Utc::now());
            let mut received = 0;
            // A refusal whose words are lost or endless is still a refusal.
            let body = reply::read(response, LARGEST_ANSWER, &host, &mut received).await.unwrap_or_default();
            Ok((head, body))
        };
        let outcome = self.watched(exchange, &watch).await;
        *recording.bytes() += watch.sent();
        let result = match outcome {
            Ok((head, body)) => {
                recording.status(head.status);
                if (200..300).contains(&head.status) {
                    Ok(head.etag.as_deref().and_then(ETag::parse))
                } else {
                    Err(StorageError::of(&head, &body))
                }
            }
            Err(error) => Err(error),
        };
        // The client only says that the body failed; the body knows why.
        let result = match watch.broken() {
            Some(error) => Err(StorageError::Source(error)),
            None => result,
        };
        recording.finish(result.as_ref().err().map(StorageError::kind));
        if matches!(result, Ok(Some(_))) {
            url.forget(&self.net);
        }
        result
    }

    /// Drives the exchange as long as bytes go out, and for a while after the last one.
    async fn watched<T>(
        &self,
        exchange: impl Future<Output = Result<T, HttpError>>,
        watch: &Watch,
    ) -> Result<T, StorageError> {
        let Limits { stall, answer } = self.limits;
        let tick = (stall.min(answer) / 20).clamp(Duration::from_millis(10), Duration::from_secs(1));
        let mut exchange = std::pin::pin!(exchange);
        let mut last = (watch.sent(), Instant::now());
        loop {
            tokio::select! {
                biased;
                result = &mut exchange => return Ok(result?),
                () = tokio::time::sleep(tick) => {}
            }
            let sent = watch.sent();
            if sent != last.0 {
                last = (sent, Instant::now());
            }
            let quiet = last.1.elapsed();
            if sent < watch.total && quiet >= stall {
                return Err(StorageError::Stalled { sent, total: watch.total, after: stall });
            }
            if sent == watch.total && quiet >= answer {
                return Err(StorageError::NoAnswer { after: answer });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use bytes::Bytes;

    use super::{Limits, PutBody, Storage};
    use crate::http::testing::{Act, Lines, Server, answer, net};
    use crate::http::{ETag, PresignedUrl, StorageError};

    const QUERY: &str = "/bucket/key?X-Amz-Signature=feedfacefeedfacefeedface";

    struct Bench {
        server: Server,
        storage: Storage,
        url: PresignedUrl,
    }

    async fn bench(act: Act) -> Bench {
        let server = Server::play([act]).await;
        let net = net(&Lines::default());
        let url = PresignedUrl::parse(&format!("{}{QUERY}", server.origin), &net).unwrap();
        let limits = Limits { stall: Duration::from_millis(300), answer: Duration::from_millis(300) };
        Bench { storage: Storage::new(net.clone()).with_limits(limits), server, url }
    }

    fn body(len: usize) -> PutBody {
        PutBody::bytes(Bytes::from(vec![7; len]))
    }

    #[tokio::test]
    async fn sends_an_exact_length_and_no_key_and_returns_the_bare_etag() {
        let bench = bench(answer(200, "ETag: \"abc-1\"\r\n", "")).await;
        let count = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&count);
        let sent = move |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        let etag = bench.storage.put(&bench.url, body(300_000), 1, sent).await.unwrap();
        assert_eq!(etag.as_ref().map(ETag::as_str), Some("abc-1"));
        assert_eq!(count.load(Ordering::Relaxed), 300_000);
        let seen = bench.server.seen().remove(0);
        assert_eq!(seen.line(), format!("PUT {QUERY}"));
        assert_eq!(seen.header("content-length"), Some("300000"));
        assert_eq!(seen.header("content-type"), Some("application/octet-stream"));
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(seen.header("x-api-key"), None);
        assert_eq!(seen.body.len(), 300_000);
    }

    #[tokio::test]
    async fn streams_with_an_exact_length_too() {
        let bench = bench(answer(200, "", "")).await;
        let chunks: Vec<_> = (0..10).map(|_| Ok(Bytes::from(vec![1; 50_000]))).collect();
        let body = PutBody::stream(500_000, futures_util::stream::iter(chunks));
        assert_eq!(bench.storage.put(&bench.url, body, 1, |_| {}).await.unwrap(), None);
        let seen = bench.server.seen().remove(0);
        assert_eq!(seen.header("content-length"), Some("500000"));
        assert_eq!(seen.body.len(), 500_000);
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_words_of_storage() {
        let xml = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        let bench = bench(answer(403, "", xml)).await;
        let error = bench.storage.put(&bench.url, body(10), 1, |_| {}).await.unwrap_err();
        assert!(matches!(error, StorageError::Expired(_)), "{error:?}");
    }

    #[tokio::test]
    async fn notices_that_no_byte_goes_out() {
        let bench = bench(Act::Deaf).await;
        let error = bench.storage.put(&bench.url, body(64_000_000), 1, |_| {}).await.unwrap_err();
        assert!(matches!(error, StorageError::Stalled { total: 64_000_000, .. }), "{error:?}");
        assert!(error.is_transient());
    }

    #[tokio::test]
    async fn gives_up_on_an_answer_that_never_comes() {
        let bench = bench(Act::Silence).await;
        let error = bench.storage.put(&bench.url, body(10), 1, |_| {}).await.unwrap_err();
        assert!(matches!(error, StorageError::NoAnswer { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_reset_names_the_host_and_never_the_query() {
        let bench = bench(Act::Hang).await;
        let error = bench.storage.put(&bench.url, body(10), 1, |_| {}).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, StorageError::Network(_)) && error.is_transient(), "{text}");
        assert!(text.contains("127.0.0.1") && !text.contains("feedface"), "{text}");
    }

    #[tokio::test]
    async fn unreadable_data_is_our_own_fault() {
        let bench = bench(answer(200, "", "")).await;
        let chunks = [Ok(Bytes::from_static(b"abc")), Err(std::io::Error::other("disk gone"))];
        let body = PutBody::stream(10, futures_util::stream::iter(chunks));
        let error = bench.storage.put(&bench.url, body, 1, |_| {}).await.unwrap_err();
        assert!(
            matches!(&error, StorageError::Source(cause) if cause.to_string() == "disk gone"),
            "{error:?}"
        );
        assert!(!error.is_transient());
    }
}
