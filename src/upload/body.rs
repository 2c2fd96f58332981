//! A range of the build as the body of a PUT: read in slices on the blocking pool, a little ahead, into a few buffers that are used again.
//! Memory is the number of parts in flight times these, whatever the size of a part.

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use futures_util::stream::{self, Stream};

use super::content::{Content, SLICE, slices};
use super::error::UploadError;
use super::hash::StreamDigest;

/// Slices of one range that are filled or on their way at a time: one is read while the others go out.
const BUFFERS: usize = 3;

type Buffer = Box<[u8]>;

/// A filled buffer; its end (when the network has taken the bytes) gives it back to the reader.
struct Slice {
    buffer: Buffer,
    len: usize,
    reader: mpsc::Sender<Buffer>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        // The reader may have come to its end.
        let _ = self.reader.send(std::mem::take(&mut self.buffer));
    }
}

/// A range of the content on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) content: Arc<Content>,
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
    /// One thread of the blocking pool reads ahead as far as its buffers allow, in order, so that neither the disk nor the digest waits for
    /// the network to ask; it ends when nobody listens any more.
    pub(crate) fn stream(self) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
        let (filled, arrived) = tokio::sync::mpsc::channel(BUFFERS);
        tokio::task::spawn_blocking(move || {
            let (reader, empty) = mpsc::channel();
            let mut fresh = std::iter::repeat_with(|| vec![0; SLICE].into_boxed_slice()).take(BUFFERS);
            for (offset, len) in slices(self.offset, self.len) {
                // Whoever drops the stream drops its slices, so that this never waits for nobody.
                let Some(buffer) = fresh.next().or_else(|| empty.recv().ok()) else { return };
                let slice = self.read(Slice { buffer, len, reader: reader.clone() }, offset);
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
    fn read(&self, mut slice: Slice, offset: u64) -> std::io::Result<Bytes> {
        let Some(buffer) = slice.buffer.get_mut(..slice.len) else {
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
