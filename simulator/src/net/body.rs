//! Response bodies, whole and broken; touches nothing.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};

/// Any error inside a body: hyper closes the connection on it.
pub(crate) type SimError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Body = UnsyncBoxBody<Bytes, SimError>;

/// How long a cut body waits before the connection goes away, so that what was sent really arrives.
const FLUSH: Duration = Duration::from_millis(30);

pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn streamed<S>(stream: S) -> Body
where
    S: Stream<Item = Result<Frame<Bytes>, SimError>> + Send + 'static,
{
    StreamBody::new(stream).boxed_unsync()
}

/// The first `after` bytes, then an abrupt end. The caller declares the full length.
pub(crate) fn cut(bytes: Bytes, after: u64) -> Body {
    let keep = usize::try_from(after).unwrap_or(usize::MAX).min(bytes.len());
    streamed(stream::unfold(Some(bytes.slice(..keep)), |left| async move {
        match left {
            Some(data) if !data.is_empty() => Some((Ok(Frame::data(data)), Some(Bytes::new()))),
            Some(_) => {
                tokio::time::sleep(FLUSH).await;
                Some((Err("cut by a fault".into()), None))
            }
            None => None,
        }
    }))
}

/// The body at `rate` bytes per second, in ten slices a second.
pub(crate) fn slow(bytes: Bytes, rate: u64) -> Body {
    let slice = usize::try_from((rate / 10).max(1)).unwrap_or(usize::MAX);
    let pause = Duration::from_secs_f64(1.0 / 10_f64.min(rate_per_second(rate)));
    streamed(stream::unfold(bytes, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let data = left.split_to(slice.min(left.len()));
        Some((Ok(Frame::data(data)), left))
    }))
}

/// Slices a second: below 10 bytes a second each slice is one byte.
fn rate_per_second(rate: u64) -> f64 {
    f64::from(u32::try_from(rate.max(1)).unwrap_or(u32::MAX))
}

/// `size` bytes of `[[[[...`, never held in memory: the start of a JSON document that does not end well.
pub(crate) fn zeros(size: u64) -> Body {
    const SLICE: usize = 64 * 1024;
    static BRACKETS: [u8; SLICE] = [b'['; SLICE];
    streamed(stream::unfold(size, |left| async move {
        let now = usize::try_from(left.min(SLICE as u64)).unwrap_or(SLICE);
        (now > 0).then(|| (Ok(Frame::data(Bytes::from_static(&BRACKETS[..now]))), left - now as u64))
    }))
}

/// A body without an end.
pub(crate) fn unlimited() -> Body {
    zeros(u64::MAX)
}
