//! The bytes of a build, read at any place while they must not change.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::UploadError;
use super::fingerprint::FileFingerprint;
use crate::model::build::Platform;

/// Bytes read and sent at a time: large enough for the disk, small enough to stay in the processor's cache.
pub(crate) const SLICE: usize = 128 * 1024;

/// A build whose bytes are ready to be sent, readable from any thread at any place.
#[derive(Debug)]
pub(crate) struct Content {
    /// The name under which it is sent.
    pub(crate) file_name: String,
    /// Its platform.
    pub(crate) platform: Platform,
    /// Bytes in all.
    pub(crate) size_bytes: u64,
    /// Hex SHA-256 of the bytes, when it is known already (a folder's zip is hashed while it is written).
    pub(crate) sha256: Option<String>,
    pub(super) file: File,
    /// The user's own file and how it looked when it was opened; `None` for our temporary file.
    pub(super) origin: Option<(PathBuf, FileFingerprint)>,
}

/// Cuts `len` bytes from `offset` into slices: where each begins, and its bytes.
pub(crate) fn slices(offset: u64, len: u64) -> impl Iterator<Item = (u64, usize)> {
    let end = offset + len;
    (offset..end)
        .step_by(SLICE)
        .map(move |at| (at, usize::try_from((end - at).min(SLICE as u64)).unwrap_or(SLICE)))
}

impl Content {
    /// Fills `buffer` from `offset`. Blocks.
    pub(crate) fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<(), UploadError> {
        while !buffer.is_empty() {
            match read_at(&self.file, buffer, offset) {
                Ok(0) => {
                    return Err(UploadError::Changed {
                        what: self.name(),
                        detail: format!("it ends at byte {offset}, but had {} bytes", self.size_bytes),
                    });
                }
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(UploadError::unreadable(
                        self.origin.as_ref().map_or(Path::new("temporary zip"), |(path, _)| path),
                        source,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Looks whether the build is still the one that was opened. Blocks for a moment.
    pub(crate) fn verify(&self) -> Result<(), UploadError> {
        let Some((path, before)) = &self.origin else { return Ok(()) };
        let changed = |detail| Err(UploadError::Changed { what: self.name(), detail });
        // The open file tells of writes, the path of a replacement.
        match (self.file.metadata(), std::fs::metadata(path)) {
            (Ok(open), Ok(now)) => {
                match before
                    .difference(&FileFingerprint::of(&open))
                    .or_else(|| before.difference(&FileFingerprint::of(&now)))
                {
                    Some(detail) => changed(detail),
                    None => Ok(()),
                }
            }
            (Err(error), _) | (_, Err(error)) => changed(format!("it is no longer there ({error})")),
        }
    }

    /// The file as people know it.
    fn name(&self) -> String {
        match &self.origin {
            Some((path, _)) => path
                .file_name()
                .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()),
            None => "the temporary zip".to_owned(),
        }
    }
}

/// One read at `offset` that does not move the file's own position.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_at(file, buffer, offset)
    }
    #[cfg(windows)]
    {
        // Moves the file's position too, which nothing here relies on.
        std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
    }
}

/// Runs blocking work on the pool; a panic there is carried on here, so that it is reported as the bug it is.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UploadError> + Send + 'static,
) -> Result<T, UploadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(UploadError::Cancelled),
    }
}
