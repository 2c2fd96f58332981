//! The one upload that is open at a time, and its end: it is completed, or it is cancelled, and the observer knows which.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::api::{Api, ApiError, InitiateUpload, OpenUpload, UploadHandle};
use crate::model::log::Log;

/// How long an answer to a request that is under way is waited for when the job ends.
const LAST_ANSWER: Duration = Duration::from_millis(1500);
/// How long giving the reservation back may take in all, so that the whole job ends within 6 s of a signal.
const LAST_CANCEL: Duration = Duration::from_secs(4);

/// Told before and after everything that leaves something on the service.
pub(crate) trait UploadObserver: Send + Sync {
    /// An upload is open; it must be completed or cancelled.
    fn opened(&self, upload: &UploadHandle);
    /// The open upload was completed or cancelled.
    fn closed(&self);

    /// Something may be left on the service until it ends by itself; `what` names it.
    fn left(&self, what: &str) {
        let _ = what;
    }
}

/// For those who keep no record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoObserver;

impl UploadObserver for NoObserver {
    fn opened(&self, _: &UploadHandle) {}
    fn closed(&self) {}
}

/// At most one open upload.
pub(crate) struct CurrentUpload<'a> {
    api: &'a Api,
    observer: &'a dyn UploadObserver,
    log: &'a Log,
    /// A request that may open an upload; it runs on when the caller is dropped, so that its answer is not lost.
    pending: Option<JoinHandle<Result<OpenUpload, ApiError>>>,
    open: Option<UploadHandle>,
    /// Minutes after which the service drops an upload by itself.
    minutes: u16,
}

impl<'a> CurrentUpload<'a> {
    /// Nothing is open.
    pub(crate) fn new(api: &'a Api, observer: &'a dyn UploadObserver, log: &'a Log) -> Self {
        Self { api, observer, log, pending: None, open: None, minutes: 0 }
    }

    /// Opens an upload.
    pub(crate) async fn initiate(&mut self, request: &InitiateUpload) -> Result<OpenUpload, ApiError> {
        self.minutes = request.upload_timeout;
        let (api, request) = (self.api.clone(), request.clone());
        let pending = self.pending.insert(tokio::spawn(async move { api.initiate_upload(&request).await }));
        let answer = pending.await;
        self.pending = None;
        let opened = match answer {
            Ok(Err(error)) => {
                if error.is_unclear() {
                    self.never_arrived();
                }
                return Err(error);
            }
            Ok(Ok(opened)) => opened,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.opened(&opened.handle);
        Ok(opened)
    }

    fn never_arrived(&self) {
        self.left(&format!(
            "an upload may have been opened whose id never arrived; the service drops it by itself after {} minutes",
            self.minutes
        ));
    }

    fn left(&self, what: &str) {
        self.log.warn(what);
        self.observer.left(what);
    }

    fn opened(&mut self, upload: &UploadHandle) {
        self.open = Some(upload.clone());
        self.observer.opened(upload);
    }

    /// The upload was completed.
    pub(crate) fn completed(&mut self) {
        self.open = None;
        self.observer.closed();
    }

    /// Gives an unfinished upload back before the next one is opened, in the time that every other call has: the job goes on, and an
    /// upload that stays open holds the space that the next one needs.
    pub(crate) async fn give_back(&mut self) {
        let Some(upload) = self.open.clone() else { return };
        let answer = self.api.cancel_upload(&upload).await;
        self.given_back(&upload, answer.map_err(|error| format!(": {error}")));
    }

    /// Gives an unfinished upload back at the end of the job, quickly, also one whose answer has not come yet. Says so in the log when
    /// that fails.
    pub(crate) async fn cancel(&mut self) {
        if let Some(mut pending) = self.pending.take() {
            match tokio::time::timeout(LAST_ANSWER, &mut pending).await {
                Ok(Ok(Ok(opened))) => self.opened(&opened.handle),
                Ok(_) => {}
                Err(_) => {
                    pending.abort();
                    self.never_arrived();
                }
            }
        }
        // Forgotten only when it is done, so that a caller who is dropped meanwhile can be followed by another.
        let Some(upload) = self.open.clone() else { return };
        let answer = match tokio::time::timeout(LAST_CANCEL, self.api.urgent().cancel_upload(&upload)).await {
            Ok(answer) => answer.map_err(|error| format!(": {error}")),
            Err(_) => Err(String::new()),
        };
        self.given_back(&upload, answer);
    }

    fn given_back(&mut self, upload: &UploadHandle, answer: Result<(), String>) {
        self.open = None;
        match answer {
            Ok(()) => {
                self.observer.closed();
                self.log.info(format!("cancelled the unfinished upload of build {}", upload.build_id));
            }
            Err(because) => self.left(&format!(
                "could not cancel the unfinished upload of build {}{because}; the service drops it by itself after {} minutes",
                upload.build_id, self.minutes
            )),
        }
    }
}
