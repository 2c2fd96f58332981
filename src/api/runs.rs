//! Runs: the attempts of jobs with their players, steps, artifacts and bugs.

use crate::model::run_report::{Attempt, Bug};

use super::client::Api;
use super::error::ApiError;

/// A run as the service last told it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetails {
    /// `multiplayer_run_id`.
    pub run_id: String,
    /// Project, for dashboard links.
    pub project_id: Option<String>,
    /// Job, when the generation knows jobs.
    pub job_id: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Saved test.
    pub test_id: Option<String>,
    /// Its name.
    pub test_name: Option<String>,
    /// Build under test.
    pub build_id: Option<String>,
    /// Plan execution.
    pub test_plan_execution_id: Option<String>,
    /// State, result, times, players, steps, artifacts and bug count; `bugs` is empty.
    pub attempt: Attempt,
}

/// Which runs to list; empty fields do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// All of these; compared on our side too, since the oldest API has no such filter.
    pub tags: Vec<String>,
    /// Job.
    pub job_id: Option<String>,
    /// Plan execution.
    pub test_plan_execution_id: Option<String>,
    /// `running`, `completed` or `all`.
    pub state: Option<&'static str>,
}

/// The bugs of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BugPage {
    /// At most 2,000.
    pub bugs: Vec<Bug>,
    /// Bugs that were left out because there were too many to hold.
    pub left_out: usize,
}

impl Api {
    /// `GET runs`, all pages (at most 2,000 runs); without steps and artifacts.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn list_runs(&self, filter: &RunFilter) -> Result<Vec<RunDetails>, ApiError> {
        let _ = filter;
        todo!()
    }
    /// `GET runs/{id}` with players, steps and artifacts.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn run(&self, run_id: &str) -> Result<RunDetails, ApiError> {
        let _ = run_id;
        todo!()
    }
    /// `GET runs/{id}/bugs`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn bugs(&self, run_id: &str) -> Result<BugPage, ApiError> {
        let _ = run_id;
        todo!()
    }
}
