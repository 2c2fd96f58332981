//! What carries a tag of ours.

use nunu_protocol::JobState;

use crate::api::{Api, ApiError};
use crate::model::TestResult;
use crate::model::job::{Job, JobStatus};

/// One job, or one run where the service tells no jobs.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// What to stop it by: the job's id, or the run's where no job is told.
    pub(super) id: String,
    /// The run, where runs are polled.
    pub(super) run_id: Option<String>,
    /// How it stands.
    pub(super) state: JobState,
    /// True when it is not to be gone on with: somebody stopped it, or its status is a word that this version does not know.
    pub(super) spoilt: bool,
    /// Its tags.
    pub(super) tags: Vec<String>,
    /// Of plans.
    pub(super) test_plan_execution_id: Option<String>,
}

/// Everything that carries `tag`.
pub(super) async fn tagged(api: &Api, tag: &str) -> Result<Vec<Found>, ApiError> {
    Ok(api.jobs_by_tag(tag).await?.into_iter().map(Found::of_job).collect())
}

impl Found {
    /// A job of a list.
    pub(super) fn of_job(job: Job) -> Self {
        let passed = job.attempts.last().is_some_and(|run| run.result == Some(TestResult::Success));
        let known = matches!(
            job.status,
            Some(JobStatus::Queued | JobStatus::Starting | JobStatus::Running | JobStatus::Completed)
        );
        Self {
            state: state_of(job.status.as_ref(), passed),
            spoilt: job.stopped_by.is_some() || !known,
            id: job.job_id,
            run_id: job.run_id,
            tags: job.tags,
            test_plan_execution_id: job.test_plan_execution_id,
        }
    }

    /// How it stands for somebody who may go on with it.
    pub(super) const fn state_of_earlier(&self) -> JobState {
        if self.spoilt { JobState::Stopped } else { self.state }
    }

    /// True for a run whose job the service does not tell: it stops by the id of the job alone.
    pub(super) fn is_nameless(&self) -> bool {
        self.run_id.as_ref() == Some(&self.id)
    }
}

/// What a job's status means; one with a status that nobody knows may run.
pub(super) fn state_of(status: Option<&JobStatus>, passed: bool) -> JobState {
    match status {
        Some(JobStatus::Completed) => JobState::Ended { passed },
        Some(JobStatus::Stopping | JobStatus::CleaningUp) => JobState::Stopped,
        _ => JobState::Live,
    }
}
