//! The body of a PUT with an exact length, sent in slices, so that progress is real and memory small.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};

/// Bytes that go out at once: small enough for live progress on slow lines, large enough to cost nothing on fast ones.
const SLICE: usize = 128 * 1024;

type Source = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What a PUT sends, of exactly known length.
pub(crate) struct PutBody {
    len: u64,
    source: Option<Source>,
    ready: Bytes,
}

impl PutBody {
    /// Bytes in memory; cut into slices without copying.
    #[cfg(test)]
    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, source: None, ready: bytes }
    }

    /// `len` bytes from a stream, read as they are needed. A stream that fails, or ends early, ends the transfer with
    /// [`super::StorageError::Source`]; bytes after the first `len` are not read.
    pub(crate) fn stream(len: u64, stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self { len, source: Some(Box::pin(stream)), ready: Bytes::new() }
    }

    /// The body for the client, and the watch on what goes out.
    pub(crate) fn sliced(self, sent: impl Fn(u64) + Send + Sync + 'static) -> (Sliced, Arc<Watch>) {
        let watch = Arc::new(Watch { total: self.len, sent: AtomicU64::new(0), broken: Mutex::new(None) });
        let sliced = Sliced {
            left: self.len,
            // The client wants a body that may be shared between threads; it never is, so the lock is never contended.
            source: self.source.map(Mutex::new),
            ready: self.ready,
            report: Box::new(sent),
            watch: Arc::clone(&watch),
        };
        (sliced, watch)
    }
}

impl std::fmt::Debug for PutBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PutBody({} bytes)", self.len)
    }
}

/// What is known from outside about a body on its way.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Bytes in all.
    pub(crate) total: u64,
    sent: AtomicU64,
    broken: Mutex<Option<io::Error>>,
}

impl Watch {
    /// Bytes that went out.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Why our own data could not be read, if that is what ended the transfer.
    pub(crate) fn broken(&self) -> Option<io::Error> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn breaks(&self, error: io::Error) -> io::Error {
        let words = io::Error::new(error.kind(), error.to_string());
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        words
    }
}

/// The body as the client polls it.
pub(crate) struct Sliced {
    left: u64,
    source: Option<Mutex<Source>>,
    ready: Bytes,
    report: Box<dyn Fn(u64) + Send + Sync>,
    watch: Arc<Watch>,
}

impl Sliced {
    /// The next slice of what is ready, never past the announced length.
    fn slice(&mut self) -> Bytes {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(SLICE).min(self.ready.len());
        let slice = self.ready.split_to(most);
        self.left -= most as u64;
        self.watch.sent.fetch_add(most as u64, Ordering::Relaxed);
        (self.report)(most as u64);
        slice
    }
}

impl Body for Sliced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        loop {
            if this.left == 0 {
                return Poll::Ready(None);
            }
            if !this.ready.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(this.slice()))));
            }
            let next = match this.source.as_mut() {
                Some(source) => {
                    let source = source.get_mut().unwrap_or_else(PoisonError::into_inner);
                    std::task::ready!(source.as_mut().poll_next(context))
                }
                None => None,
            };
            let error = match next {
                Some(Ok(bytes)) => {
                    this.ready = bytes;
                    continue;
                }
                Some(Err(error)) => error,
                None => io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the data ended {} bytes early", this.left),
                ),
            };
            // Nothing more may be asked of a source that failed.
            this.source = None;
            return Poll::Ready(Some(Err(this.watch.breaks(error))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use futures_util::stream;
    use http_body::Body as _;

    use super::{PutBody, SLICE};

    async fn drain(body: PutBody) -> (Vec<u8>, Vec<u64>, Option<std::io::Error>) {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&reports);
        let (mut sliced, watch) = body.sliced(move |bytes| told.lock().unwrap().push(bytes));
        let mut data = Vec::new();
        loop {
            let mut pinned = std::pin::Pin::new(&mut sliced);
            match std::future::poll_fn(|context| pinned.as_mut().poll_frame(context)).await {
                Some(Ok(frame)) => data.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(_)) | None => break,
            }
        }
        assert_eq!(watch.sent(), data.len() as u64);
        let reports = reports.lock().unwrap().clone();
        (data, reports, watch.broken())
    }

    #[tokio::test]
    async fn sends_memory_in_slices() {
        let bytes: Vec<u8> = (0..SLICE * 2 + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (data, reports, broken) = drain(PutBody::bytes(Bytes::from(bytes.clone()))).await;
        assert!(data == bytes && broken.is_none());
        assert_eq!(reports, [SLICE as u64, SLICE as u64, 5]);
    }

    #[tokio::test]
    async fn sends_exactly_the_announced_length_of_a_stream() {
        let chunks = ["abc", "", "def", "ghi"].map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())));
        let (data, _, broken) = drain(PutBody::stream(7, stream::iter(chunks))).await;
        assert_eq!(data, b"abcdefg");
        assert!(broken.is_none());
    }

    #[tokio::test]
    async fn a_short_or_failing_stream_is_our_own_fault() {
        let short = stream::iter([Ok(Bytes::from_static(b"abc"))]);
        let (data, _, broken) = drain(PutBody::stream(5, short)).await;
        assert_eq!(data, b"abc");
        assert_eq!(broken.unwrap().to_string(), "the data ended 2 bytes early");

        let failing = stream::iter([Ok(Bytes::from_static(b"abc")), Err(std::io::Error::other("disk gone"))]);
        let (_, _, broken) = drain(PutBody::stream(5, failing)).await;
        assert_eq!(broken.unwrap().to_string(), "disk gone");
    }

    #[tokio::test]
    async fn announces_the_exact_length() {
        let count = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&count);
        let (sliced, _) = PutBody::bytes(Bytes::from_static(b"12345")).sliced(move |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        });
        assert_eq!(sliced.size_hint().exact(), Some(5));
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
}
