//! What carries a tag of ours, in whichever language the service speaks: jobs, else runs.

use nunu_protocol::JobState;

use crate::api::{Api, ApiError, JobFilter, JobSnapshot, RunDetails, RunFilter};
use crate::model::TestResult;
use crate::model::job::Attempt;

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
    let filter = JobFilter { tags: vec![tag.to_owned()], ..JobFilter::default() };
    match api.list_jobs(&filter).await {
        Ok(jobs) => Ok(jobs.into_iter().map(Found::of_job).collect()),
        Err(error) if error.is_not_found() => {
            let filter = RunFilter { tags: vec![tag.to_owned()], ..RunFilter::default() };
            let runs = api.list_runs(&filter).await?;
            Ok(runs.into_iter().map(|run| Found::of_run(run, tag)).collect())
        }
        Err(error) => Err(error),
    }
}

impl Found {
    /// A job of a list.
    pub(super) fn of_job(job: JobSnapshot) -> Self {
        let passed = job.attempts.last().is_some_and(is_success);
        let state = state_of(&job.status, passed);
        let known = ["QUEUED", "STARTING", "RUNNING", "COMPLETED"].contains(&job.status.as_str());
        Self {
            id: job.job_id,
            run_id: None,
            state,
            spoilt: job.stopped_by.is_some() || !known,
            tags: job.tags,
            test_plan_execution_id: job.test_plan_execution_id,
        }
    }

    /// A run of a list that was asked for with `tag`; the oldest service does not repeat the tags.
    fn of_run(run: RunDetails, tag: &str) -> Self {
        let state = match run.attempt.state.as_deref() {
            Some("COMPLETED") => JobState::Ended { passed: is_success(&run.attempt) },
            _ => JobState::Live,
        };
        Self {
            id: run.job_id.unwrap_or_else(|| run.run_id.clone()),
            run_id: Some(run.run_id),
            state,
            spoilt: false,
            tags: vec![tag.to_owned()],
            test_plan_execution_id: None,
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

fn is_success(run: &Attempt) -> bool {
    run.result == Some(TestResult::Success)
}

/// What a job's status means; one with a status that nobody knows may run.
pub(super) fn state_of(status: &str, passed: bool) -> JobState {
    match status {
        "COMPLETED" => JobState::Ended { passed },
        "STOPPING" | "CLEANING_UP" => JobState::Stopped,
        _ => JobState::Live,
    }
}
