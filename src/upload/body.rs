//! A range of the build as the body of a PUT: read in slices on the blocking pool, one slice ahead, into buffers that are used again.
//! Memory is the number of workers times three slices, whatever the size of a part.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::task::JoinHandle;

use super::error::UploadError;
use super::hash::Running;
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

/// A range of the content on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) content: Arc<Content>,
    pub(crate) pool: Pool,
    /// First byte.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) len: u64,
    /// Sees every byte that is read, while it is still in the processor's cache.
    pub(crate) digest: Option<Running>,
}

impl Range {
    /// The bytes in slices. An error of ours travels inside the `io::Error`; [`cause`] takes it out again.
    pub(crate) fn stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
        // The next slice is read while this one is sent, and never two at a time, so that the digest sees them in order.
        let first = self.read(0);
        stream::unfold((self, first, 0), |(range, pending, at)| async move {
            let slice = match pending?.await {
                Ok(slice) => slice,
                Err(_) => Err(std::io::Error::other("the read was cancelled")),
            };
            let next = at + SLICE as u64;
            let ahead = if slice.is_ok() { range.read(next) } else { None };
            Some((slice, (range, ahead, next)))
        })
    }

    /// Begins to read the slice at `at` of the range, if there is one.
    fn read(&self, at: u64) -> Option<JoinHandle<std::io::Result<Bytes>>> {
        let left = self.len.checked_sub(at).filter(|left| *left > 0)?;
        let len = usize::try_from(left.min(SLICE as u64)).unwrap_or(SLICE);
        let Self { content, pool, digest, .. } = self.clone();
        let offset = self.offset + at;
        Some(tokio::task::spawn_blocking(move || {
            let mut slice = Slice { buffer: pool.take(), len, pool };
            let Some(buffer) = slice.buffer.get_mut(..len) else {
                return Err(std::io::ErrorKind::OutOfMemory.into());
            };
            content.read_exact_at(buffer, offset).map_err(std::io::Error::other)?;
            if let Some(digest) = digest {
                digest.see(offset, buffer);
            }
            Ok(Bytes::from_owner(slice))
        }))
    }
}

/// The error of ours inside an `io::Error` from a [`Range`].
pub(crate) fn cause(error: std::io::Error) -> Result<UploadError, std::io::Error> {
    error.downcast::<UploadError>()
}
