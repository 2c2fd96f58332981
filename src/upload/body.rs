//! A range of the build as the body of a PUT: read in slices on the blocking pool, one slice ahead, into buffers that are used again.
//! Memory is the number of workers times three slices, whatever the size of a part.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};

use super::error::UploadError;
use super::source::Content;

/// Bytes read and sent at a time.
const SLICE: usize = 256 * 1024;

/// Buffers that nobody uses at the moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<Vec<Box<[u8]>>>>);

impl Pool {
    fn take(&self) -> Box<[u8]> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| vec![0; SLICE].into_boxed_slice())
    }
}

/// A filled buffer; its end (when the network has taken the bytes) gives it back.
struct Slice {
    buffer: Box<[u8]>,
    len: usize,
    pool: Pool,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

/// The bytes `offset .. offset + len` of the content. An error of ours travels inside the `io::Error`; [`cause`] takes it out again.
pub(crate) fn range(
    content: &Arc<Content>,
    pool: &Pool,
    offset: u64,
    len: u64,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + use<> {
    let (content, pool) = (Arc::clone(content), pool.clone());
    let slices = len.div_ceil(SLICE as u64);
    stream::iter(0..slices)
        .map(move |index| {
            let at = index * SLICE as u64;
            let count = usize::try_from((len - at).min(SLICE as u64)).unwrap_or(SLICE);
            let (content, pool) = (Arc::clone(&content), pool.clone());
            async move {
                let read = tokio::task::spawn_blocking(move || {
                    let mut slice = Slice { buffer: pool.take(), len: count, pool };
                    let Some(buffer) = slice.buffer.get_mut(..count) else {
                        return Err(std::io::ErrorKind::OutOfMemory.into());
                    };
                    content.read_exact_at(buffer, offset + at).map_err(std::io::Error::other)?;
                    Ok(Bytes::from_owner(slice))
                });
                read.await.unwrap_or_else(|_| Err(std::io::Error::other("the read was cancelled")))
            }
        })
        .buffered(2)
}

/// The error of ours inside an `io::Error` from [`range`].
pub(crate) fn cause(error: std::io::Error) -> Result<UploadError, std::io::Error> {
    error.downcast::<UploadError>()
}
