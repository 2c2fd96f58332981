//! Why a build could not be stored, and how a person learns of it.

use std::path::{Path, PathBuf};

use crate::model::{ExitReason, Failure};

/// Everything that can go wrong between the setting `build-path` and a stored build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// There is nothing at the path.
    #[error("no build at {}", .path.display())]
    NotFound {
        /// The path of the plan.
        path: PathBuf,
    },
    /// The file has no bytes, or the folder holds nothing worth sending.
    #[error("{message}")]
    Empty {
        /// What was found instead of a build.
        message: String,
    },
    /// The build cannot run on its platform, is cut short, or cannot be sent as it is.
    #[error("{message}")]
    Unsupported {
        /// What is wrong.
        message: String,
        /// The next action.
        hint: String,
    },
    /// Larger than the service (or the chosen way of sending) takes.
    #[error("{message}")]
    TooLarge {
        /// The size and the limit.
        message: String,
        /// The next action.
        hint: String,
    },
    /// The build changed while it was read.
    #[error("{what} changed while it was read: {detail}")]
    Changed {
        /// The file.
        what: String,
        /// What gave it away.
        detail: String,
    },
    /// A file or folder could not be read, or the temporary file could not be written.
    #[error("{action} {}", .path.display())]
    Disk {
        /// `cannot read`, `cannot list`, ...
        action: &'static str,
        /// The path concerned.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
        /// The next action.
        hint: &'static str,
    },
    /// The job was cancelled.
    #[error("the upload was cancelled")]
    Cancelled,
    /// A failure whose words another module has chosen: authentication, quota, refusals.
    #[error("{}", .0.message)]
    Other(Box<Failure>),
}

impl UploadError {
    /// The build cannot be sent as it is.
    pub(crate) fn unsupported(message: String, hint: &str) -> Self {
        Self::Unsupported { message, hint: hint.to_owned() }
    }

    /// The file of the build cannot be read.
    pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        let hint = "check that the user of this job may read the build";
        Self::Disk { action: "cannot read", path: path.to_owned(), source, hint }
    }

    /// A folder, or a file in it, cannot be listed or read.
    pub(crate) fn in_folder(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        let hint = "check that the user of this job may read the folder";
        Self::Disk { action, path: path.to_owned(), source, hint }
    }

    /// The stable reason.
    pub(crate) fn reason(&self) -> ExitReason {
        match self {
            Self::NotFound { .. } => ExitReason::BuildNotFound,
            Self::Empty { .. } => ExitReason::BuildEmpty,
            Self::Unsupported { .. } => ExitReason::BuildUnsupported,
            Self::TooLarge { .. } => ExitReason::BuildTooLarge,
            Self::Changed { .. } => ExitReason::BuildChanged,
            Self::Disk { .. } => ExitReason::UploadFailed,
            Self::Cancelled => ExitReason::Interrupted,
            Self::Other(failure) => failure.reason,
        }
    }

    /// The failure as reports show it.
    pub(crate) fn failure(&self) -> Failure {
        if let Self::Other(failure) = self {
            return (**failure).clone();
        }
        let mut failure = Failure::new(self.reason(), self.to_string());
        if let Some(source) = std::error::Error::source(self) {
            failure = failure.because(source);
        }
        match self {
            Self::NotFound { .. } => failure.hint("check the setting build-path, and that the build step before this one wrote the file"),
            Self::Empty { .. } => failure.hint("check that the build step before this one succeeded and that build-path names its result"),
            Self::Unsupported { hint, .. } | Self::TooLarge { hint, .. } => failure.hint(hint.clone()),
            Self::Changed { .. } => failure.hint("let the build step finish before this one starts, and do not write to the build while it is sent"),
            Self::Disk { hint, .. } => failure.hint(*hint),
            Self::Cancelled | Self::Other(_) => failure,
        }
    }
}

impl From<Failure> for UploadError {
    fn from(failure: Failure) -> Self {
        Self::Other(Box::new(failure))
    }
}
