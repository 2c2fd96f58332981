//! One connection: a socket that can be throttled from inside and killed from outside.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// A byte budget per second, shared by whoever holds it.
#[derive(Debug)]
pub(crate) struct Meter {
    rate: u64,
    free_at: Mutex<Instant>,
}

impl Meter {
    pub(crate) fn new(rate: u64) -> Arc<Self> {
        Arc::new(Self { rate: rate.max(1), free_at: Mutex::new(Instant::now()) })
    }

    /// Books `bytes` and says when the budget is free again.
    #[expect(clippy::cast_precision_loss, reason = "rates and slices are far below 2^52")]
    fn book(&self, bytes: usize) -> Instant {
        let cost = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = (*free_at).max(Instant::now()) + cost;
        *free_at
    }

    /// About ten milliseconds of budget: the largest slice moved at once.
    fn slice(&self) -> usize {
        usize::try_from(self.rate / 100).unwrap_or(usize::MAX).clamp(512, 256 * 1024)
    }
}

/// A handle on a connection, for handlers that want to break it.
#[derive(Debug, Clone)]
pub(crate) struct Conn {
    stream: Arc<TcpStream>,
    gone: CancellationToken,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream, parent: &CancellationToken) -> Self {
        Self { stream: Arc::new(stream), gone: parent.child_token() }
    }

    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Ends the connection with a TCP reset; the calling handler never continues.
    pub(crate) async fn reset(&self) -> Infallible {
        self.reset_on_drop();
        self.gone.cancel();
        std::future::pending().await
    }

    /// Makes the close of the socket a TCP reset.
    pub(crate) fn reset_on_drop(&self) {
        // Without lingering the kernel throws unsent bytes away and answers with RST.
        let _ = self.stream.set_zero_linger();
    }

    pub(crate) fn io(&self, meter: Option<Arc<Meter>>) -> ConnIo {
        ConnIo { stream: Arc::clone(&self.stream), meter, reading: Lane::default(), writing: Lane::default() }
    }
}

/// The waiting state of one direction.
#[derive(Debug, Default)]
struct Lane {
    pause: Option<Pin<Box<Sleep>>>,
}

impl Lane {
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = self.pause.as_mut() {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    fn spend(&mut self, meter: Option<&Arc<Meter>>, bytes: usize) {
        let until = meter.map(|m| m.book(bytes));
        // The timer's grain is a millisecond: shorter debts are carried over to the next slice.
        self.pause = until
            .filter(|&at| at > Instant::now() + Duration::from_millis(2))
            .map(|at| Box::pin(tokio::time::sleep_until(at)));
    }
}

/// The socket as hyper sees it.
#[derive(Debug)]
pub(crate) struct ConnIo {
    stream: Arc<TcpStream>,
    meter: Option<Arc<Meter>>,
    reading: Lane,
    writing: Lane,
}

impl ConnIo {
    fn slice(&self) -> usize {
        self.meter.as_ref().map_or(usize::MAX, |m| m.slice())
    }
}

impl AsyncRead for ConnIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.reading.wait(cx));
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(&mut buf.limit(self.slice())) {
                Ok(read) => {
                    let this = &mut *self;
                    this.reading.spend(this.meter.as_ref(), read);
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl AsyncWrite for ConnIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.writing.wait(cx));
        let data = &data[..data.len().min(self.slice())];
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(data) {
                Ok(written) => {
                    let this = &mut *self;
                    this.writing.spend(this.meter.as_ref(), written);
                    return Poll::Ready(Ok(written));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The write side is closed when the last handle on the socket is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
