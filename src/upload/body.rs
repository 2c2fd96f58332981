//! A range of the build as the body of a PUT: read in slices on the blocking pool, a little ahead, into buffers that are used again.
//! Memory is the number of workers times some slices, whatever the size of a part.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::mpsc;

use super::content::{Content, SLICE, slices};
use super::error::UploadError;
use super::hash::StreamDigest;

/// Slices that wait to be sent.
const AHEAD: usize = 2;

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
    pub(crate) digest: Option<StreamDigest>,
}

impl Range {
    /// The bytes in slices. An error of ours travels inside the `io::Error`; [`cause`] takes it out again.
    ///
    /// One thread of the blocking pool reads ahead as far as [`AHEAD`] allows, in order, so that neither the disk nor the digest waits for
    /// the network to ask; it ends when nobody listens any more.
    pub(crate) fn stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
        let (filled, arrived) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            for (offset, len) in slices(self.offset, self.len) {
                let slice = self.read(offset, len);
                let failed = slice.is_err();
                if filled.blocking_send(slice).is_err() || failed {
                    return;
                }
            }
        });
        stream::unfold(
            arrived,
            |mut arrived| async move { arrived.recv().await.map(|slice| (slice, arrived)) },
        )
    }

    /// Reads one slice. Blocks.
    fn read(&self, offset: u64, len: usize) -> std::io::Result<Bytes> {
        let mut slice = Slice { buffer: self.pool.take(), len, pool: self.pool.clone() };
        let Some(buffer) = slice.buffer.get_mut(..len) else {
            return Err(std::io::ErrorKind::OutOfMemory.into());
        };
        self.content.read_exact_at(buffer, offset).map_err(std::io::Error::other)?;
        if let Some(digest) = &self.digest {
            digest.see(offset, buffer);
        }
        Ok(Bytes::from_owner(slice))
    }
}

/// The error of ours inside an `io::Error` from a [`Range`].
pub(crate) fn cause(error: std::io::Error) -> Result<UploadError, std::io::Error> {
    error.downcast::<UploadError>()
}
