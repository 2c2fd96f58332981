//! The body of a PUT with an exact length, sent in slices, so that progress is real.

use bytes::Bytes;
use futures_util::Stream;

/// What a PUT sends, of exactly known length.
pub struct PutBody;

impl PutBody {
    /// Bytes in memory; cut into slices without copying.
    #[must_use]
    pub fn bytes(bytes: Bytes) -> Self {
        let _ = bytes;
        todo!()
    }
    /// `len` bytes from a stream. Fewer or more bytes end the transfer with [`super::StorageError::Source`].
    #[must_use]
    pub fn stream(len: u64, stream: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Self {
        let _ = (len, stream);
        todo!()
    }
    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// True when there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
