//! Stopping jobs.

use super::client::Api;
use super::error::ApiError;

/// What a stop came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopReply {
    /// Jobs the service stopped.
    pub stopped: Vec<String>,
    /// Jobs that had already ended, or that the service does not know.
    pub already_done: Vec<String>,
    /// Jobs that could not be stopped, and why.
    pub failed: Vec<(String, String)>,
}

impl Api {
    /// `POST runs/stop`, in batches of 100. Safe to repeat.
    ///
    /// # Errors
    /// See [`ApiError`]; a 404 is not an error, its jobs are done.
    pub async fn stop(&self, job_ids: &[String]) -> Result<StopReply, ApiError> {
        let _ = job_ids;
        todo!()
    }
}
