//! What the state file must know, so that another process can cancel an upload that this one could not.

use crate::api::UploadHandle;

/// Told before and after everything that leaves something on the service.
pub(crate) trait Journal: Send + Sync {
    /// An upload is open; it must be completed or cancelled.
    fn opened(&self, upload: &UploadHandle);
    /// The open upload was completed or cancelled.
    fn closed(&self);

    /// Something may be left on the service until it ends by itself; `what` names it.
    fn left(&self, what: &str) {
        let _ = what;
    }
}

/// A journal for those who keep none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoJournal;

impl Journal for NoJournal {
    fn opened(&self, _: &UploadHandle) {}
    fn closed(&self) {}
}
