//! Jobs: the objects to poll.

use crate::model::run_report::Attempt;
use crate::model::units::Timestamp;

use super::ask::Ask;
use super::builds::tag_query;
use super::client::Api;
use super::error::ApiError;
use super::sieve::Sieve;
use super::wire;

/// Most jobs of a list.
const MOST_JOBS: usize = 2_000;

/// A job as the service last told it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct JobSnapshot {
    /// Job id.
    pub(crate) job_id: String,
    /// Project, when said.
    pub(crate) project_id: Option<String>,
    /// Upper case: `QUEUED`, `STARTING`, `RUNNING`, `STOPPING`, `CLEANING_UP`, `COMPLETED`, or a word this version does not know; empty when missing.
    pub(crate) status: String,
    /// When it was created.
    pub(crate) created_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) completed_at: Option<Timestamp>,
    /// Saved test.
    pub(crate) test_id: Option<String>,
    /// Its name.
    pub(crate) test_name: Option<String>,
    /// Platform or device label.
    pub(crate) platform: Option<String>,
    /// Build under test.
    pub(crate) build_id: Option<String>,
    /// Plan execution it belongs to.
    pub(crate) test_plan_execution_id: Option<String>,
    /// Why the queue refused it.
    pub(crate) queue_rejection: Option<String>,
    /// Who stopped it, in words; `Some` also when only the fact is known.
    pub(crate) stopped_by: Option<String>,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// Retries allowed.
    pub(crate) retries_total: u32,
    /// Attempts, the deciding one last.
    pub(crate) attempts: Vec<Attempt>,
}

/// Which jobs to list; empty fields do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JobFilter {
    /// All of these; compared on our side too.
    pub(crate) tags: Vec<String>,
    /// Plan execution.
    pub(crate) test_plan_execution_id: Option<String>,
    /// `queued`, `running`, `completed` or `all`.
    pub(crate) status: Option<&'static str>,
    /// Look at no more jobs than this; `None`: at most 2,000.
    pub(crate) most: Option<usize>,
}

impl Api {
    /// `GET jobs`, all pages (at most 2,000 jobs, fewer where the service ignores filters).
    pub(crate) async fn list_jobs(&self, filter: &JobFilter) -> Result<Vec<JobSnapshot>, ApiError> {
        let execution = filter.test_plan_execution_id.as_deref();
        let ask = Ask::get(&["jobs"])
            .with("status", filter.status.unwrap_or_default())
            .with("test_plan_execution_id", execution.unwrap_or_default())
            .with("tags", tag_query(&filter.tags));
        let keep = |job: &JobSnapshot| {
            let same =
                |wanted: &str| job.test_plan_execution_id.as_deref().is_none_or(|found| found == wanted);
            execution.is_none_or(same) && filter.tags.iter().all(|tag| job.tags.contains(tag))
        };
        let sieve = Sieve { keep: &keep, made: |job| job.created_at };
        let most = filter.most.unwrap_or(MOST_JOBS).min(MOST_JOBS);
        self.pages(&ask, &["data", "jobs"], most, |value| self.linked(wire::job(value)?), sieve).await
    }

    /// `GET jobs/{id}`.
    pub(crate) async fn job(&self, job_id: &str) -> Result<JobSnapshot, ApiError> {
        let ask = Ask::get(&["jobs", job_id]);
        let read = |answer: &super::ask::Answer| wire::job(&answer.json).and_then(|job| self.linked(job));
        let job = self.ask(&ask, |answer| read(answer).ok_or_else(|| "no job".to_owned())).await?;
        Ok(JobSnapshot { job_id: job_id.to_owned(), ..job })
    }

    /// The job with dashboard links, where the project is known.
    #[expect(clippy::unnecessary_wraps, reason = "it ends a chain of readers that may find nothing")]
    fn linked(&self, mut job: JobSnapshot) -> Option<JobSnapshot> {
        // What the user set wins over what the service calls the project.
        if let Some(project) = self.project_id().map(str::to_owned).or_else(|| job.project_id.clone()) {
            for attempt in job.attempts.iter_mut().filter(|attempt| !attempt.run_id.is_empty()) {
                attempt.url = Some(self.run_url(&project, &attempt.run_id));
            }
        }
        Some(job)
    }
}
