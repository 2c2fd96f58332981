//! How long an upload waits for what.

use std::time::Duration;

/// The budgets of the contract; the defaults are what everybody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UploadTimeouts {
    /// A part is tried again while its last progress is younger than this.
    pub(crate) part: Duration,
    /// How long an unclear `complete` is looked into.
    pub(crate) complete: Duration,
    /// How long the service may take to get a stored build ready before the job goes on anyway.
    pub(crate) ready: Duration,
}

impl Default for UploadTimeouts {
    fn default() -> Self {
        Self {
            part: Duration::from_secs(120),
            complete: Duration::from_secs(120),
            ready: Duration::from_secs(300),
        }
    }
}

impl UploadTimeouts {
    /// The same, but with nothing that is silent for longer than `limit`.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { part: self.part.min(limit), complete: self.complete.min(limit), ready: self.ready.min(limit) }
    }
}
