//! Response bodies, whole and broken; touches nothing.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
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
pub(crate) fn cut(bytes: &Bytes, after: u64) -> Body {
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

/// `head`, then `unit` so many times, then `tail`; never held in memory as a whole.
pub(crate) fn repeat(head: Bytes, unit: Bytes, times: u64, tail: Bytes) -> Body {
    const SLICE: usize = 64 * 1024;
    let per_slice = (SLICE / unit.len().max(1)).max(1);
    let slice = Bytes::from(unit.repeat(per_slice));
    let middle = stream::unfold(times, move |left| {
        let now = left.min(per_slice as u64);
        let data = slice.slice(..unit.len() * usize::try_from(now).unwrap_or(0));
        async move { (now > 0).then(|| (data, left - now)) }
    });
    let whole = stream::iter([head]).chain(middle).chain(stream::iter([tail]));
    streamed(whole.filter(|data| std::future::ready(!data.is_empty())).map(|data| Ok(Frame::data(data))))
}
