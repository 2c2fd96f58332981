//! Jobs: the objects to poll.

use crate::model::run_report::Attempt;
use crate::model::units::Timestamp;

use super::client::Api;
use super::error::ApiError;

/// A job as the service last told it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobSnapshot {
    /// Job id.
    pub job_id: String,
    /// Project, when said.
    pub project_id: Option<String>,
    /// Upper case: `QUEUED`, `STARTING`, `RUNNING`, `STOPPING`, `CLEANING_UP`, `COMPLETED`, or a word this version does not know; empty when missing.
    pub status: String,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Saved test.
    pub test_id: Option<String>,
    /// Its name.
    pub test_name: Option<String>,
    /// Platform or device label.
    pub platform: Option<String>,
    /// Build under test.
    pub build_id: Option<String>,
    /// Plan execution it belongs to.
    pub test_plan_execution_id: Option<String>,
    /// Why the queue refused it.
    pub queue_rejection: Option<String>,
    /// Who stopped it, in words; `Some` also when only the fact is known.
    pub stopped_by: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Retries allowed.
    pub retries_total: u32,
    /// Attempts, the deciding one last.
    pub attempts: Vec<Attempt>,
}

/// Which jobs to list; empty fields do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// All of these; compared on our side too.
    pub tags: Vec<String>,
    /// Plan execution.
    pub test_plan_execution_id: Option<String>,
    /// `queued`, `running`, `completed` or `all`.
    pub status: Option<&'static str>,
}

impl Api {
    /// `GET jobs`, all pages (at most 2,000 jobs).
    ///
    /// # Errors
    /// See [`ApiError`]; [`ApiError::is_not_found`] means that the service is too old to know jobs.
    pub async fn list_jobs(&self, filter: &JobFilter) -> Result<Vec<JobSnapshot>, ApiError> {
        let _ = filter;
        todo!()
    }
    /// `GET jobs/{id}`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn job(&self, job_id: &str) -> Result<JobSnapshot, ApiError> {
        let _ = job_id;
        todo!()
    }
}
