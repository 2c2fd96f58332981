//! SHA-256 of a build, at the speed of the processor (`sha2` picks the SHA instructions at run time).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::content::{Content, SLICE, blocking, slices};
use super::error::UploadError;
use super::progress::Meter;

/// How far the digest may run ahead of the sending when both read the file at the same time.
const AHEAD: u64 = 64 * 1024 * 1024;

/// How far something has come, shared between threads.
#[derive(Debug, Clone, Default)]
pub(crate) struct SendPosition(Arc<AtomicU64>);

impl SendPosition {
    /// A position that holds nobody back.
    pub(crate) fn open() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Moves on to `position`; never back.
    pub(crate) fn reach(&self, position: u64) {
        self.0.fetch_max(position, Ordering::Relaxed);
    }

    /// The position reached.
    pub(crate) fn position(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A digest of bytes that pass by in order from the start; a sender that begins anew may show them again.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamDigest(Arc<Mutex<(Sha256, u64)>>);

impl StreamDigest {
    /// Bytes that were read at `offset`. Those seen before are left out; a gap ends the digest.
    pub(crate) fn see(&self, offset: u64, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (hash, seen) = &mut *state;
        let known = seen.checked_sub(offset).and_then(|known| usize::try_from(known).ok());
        if let Some(fresh) = known.and_then(|known| bytes.get(known..)) {
            hash.update(fresh);
            *seen += fresh.len() as u64;
        }
    }

    /// The digest in hex, if exactly `size` bytes passed by.
    pub(crate) fn finish(&self, size: u64) -> Option<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.1 == size).then(|| hex(&state.0.clone().finalize()))
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The tag that marks a build with its digest: 47 characters of the 50 that a tag may have.
pub(crate) fn tag(sha256: &str) -> String {
    format!("sha256:{}", sha256.get(..40).unwrap_or(sha256))
}

/// The digest of the whole content in hex, 64 digits. `behind` holds it back so that one read of the disk serves the sending and the digest;
/// `progress` is told how far it has come.
pub(crate) async fn sha256(
    content: Arc<Content>,
    behind: SendPosition,
    progress: Option<Arc<Meter>>,
    cancel: CancellationToken,
) -> Result<String, UploadError> {
    blocking(move || {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; SLICE];
        for (offset, len) in slices(0, content.size_bytes) {
            while offset > behind.position().saturating_add(AHEAD) && !cancel.is_cancelled() {
                std::thread::sleep(Duration::from_millis(20));
            }
            if cancel.is_cancelled() {
                return Err(UploadError::Cancelled);
            }
            content.read_exact_at(&mut buffer[..len], offset)?;
            hash.update(&buffer[..len]);
            if let Some(meter) = &progress {
                meter.add(len as u64);
            }
        }
        Ok(hex(&hash.finalize()))
    })
    .await
}

impl Content {
    /// The digest as it will be sent, for a look ahead: reads all of a file.
    pub(crate) async fn digest(self: &Arc<Self>, cancel: &CancellationToken) -> Result<String, UploadError> {
        match &self.sha256 {
            Some(known) => Ok(known.clone()),
            None => sha256(Arc::clone(self), SendPosition::open(), None, cancel.clone()).await,
        }
    }
}
