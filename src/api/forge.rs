//! Comments on GitHub pull requests and GitLab merge requests, with their own tokens on their own hosts.

use secrecy::SecretString;

use crate::http::Net;

/// Where comments go.
#[derive(Debug, Clone)]
pub enum Forge {
    /// GitHub: issue comments.
    GitHub {
        /// `GITHUB_API_URL`.
        api_url: String,
        /// `owner/name`.
        repository: String,
        /// Pull request number.
        number: u64,
    },
    /// GitLab: merge request notes.
    GitLab {
        /// `CI_API_V4_URL`.
        api_url: String,
        /// Numeric id, or path.
        project: String,
        /// Merge request `iid`.
        number: u64,
    },
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Id.
    pub id: u64,
    /// Text.
    pub body: String,
}

/// Why a comment could not be read or written. Never fails the job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ForgeError {
    /// What failed, with the server's words.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Calls to a forge.
#[derive(Debug, Clone)]
pub struct Comments {
    net: Net,
    forge: Forge,
    token: SecretString,
}

impl Comments {
    /// Comments at `forge`, with a token of that forge.
    #[must_use]
    pub fn new(net: Net, forge: Forge, token: SecretString) -> Self {
        Self { net, forge, token }
    }
    /// The newest 500 comments.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn list(&self) -> Result<Vec<Comment>, ForgeError> {
        let _ = (&self.net, &self.forge, &self.token);
        todo!()
    }
    /// Writes a new comment.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn create(&self, body: &str) -> Result<(), ForgeError> {
        let _ = body;
        todo!()
    }
    /// Replaces the text of a comment.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn update(&self, id: u64, body: &str) -> Result<(), ForgeError> {
        let _ = (id, body);
        todo!()
    }
}
