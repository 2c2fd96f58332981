//! Artifacts: files that a run left, from the artifact host.

use bytes::Bytes;

use super::client::Api;
use super::error::ApiError;

/// A piece of an artifact.
pub type Chunk = Bytes;

/// An artifact on its way.
#[derive(Debug)]
pub struct ArtifactStream {
    /// Bytes in all, when the server says so.
    pub size_bytes: Option<u64>,
    /// First byte that comes; less than asked for when the server ignores ranges.
    pub offset: u64,
}

impl ArtifactStream {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks or nothing comes for 60 s; ask again from where it broke.
    pub async fn chunk(&mut self) -> Result<Option<Chunk>, ApiError> {
        todo!()
    }
}

impl Api {
    /// `GET` an artifact by its URL, from byte `from`. The key goes to the API host and `bouncer.nunu.ai` only; one redirect is followed, without it.
    ///
    /// # Errors
    /// See [`ApiError`]; a URL elsewhere is refused without a request.
    pub async fn artifact(&self, url: &str, from: u64) -> Result<ArtifactStream, ApiError> {
        let _ = (url, from);
        todo!()
    }
}
