//! Jobs: the objects to poll.

use serde_json::Value;

use crate::model::job::Attempt;
use crate::model::units::Timestamp;

use super::builds::tag_query;
use super::client::Api;
use super::error::ApiError;
use super::json::{Fields, clip};
use super::list_filter::ListFilter;
use super::request::{Answer, ApiRequest};
use super::runs::{attempt, device};

/// Most jobs of a list.
const MOST_JOBS: usize = 2_000;
/// Most attempts of a job.
const MOST_ATTEMPTS: usize = 100;

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
        let request = ApiRequest::get(&["jobs"])
            .with("status", filter.status.unwrap_or_default())
            .with("test_plan_execution_id", execution.unwrap_or_default())
            .with("tags", tag_query(&filter.tags));
        let keep = |job: &JobSnapshot| {
            let same =
                |wanted: &str| job.test_plan_execution_id.as_deref().is_none_or(|found| found == wanted);
            execution.is_none_or(same) && filter.tags.iter().all(|tag| job.tags.contains(tag))
        };
        let wanted = ListFilter { keep: &keep, made: |job| job.created_at };
        let most = filter.most.unwrap_or(MOST_JOBS).min(MOST_JOBS);
        self.pages(&request, &["data", "jobs"], most, |value| self.linked(job(value)?), wanted).await
    }

    /// `GET jobs/{id}`.
    pub(crate) async fn job(&self, job_id: &str) -> Result<JobSnapshot, ApiError> {
        let request = ApiRequest::get(&["jobs", job_id]);
        let read = |answer: &Answer| job(&answer.json).and_then(|job| self.linked(job));
        let job = self.send(&request, |answer| read(answer).ok_or_else(|| "no job".to_owned())).await?;
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

/// A job, bare or wrapped in `job` or `data`; `None` without an id. Links are not filled in.
pub(super) fn job(value: &Value) -> Option<JobSnapshot> {
    let outer = Fields::of(value);
    let fields = [outer, outer.object(&["job"]), outer.object(&["data"])]
        .into_iter()
        .find(|fields| fields.text(&["job_id"]).is_some())
        .or_else(|| outer.word(&["status"]).map(|_| outer))?;
    let mut attempts: Vec<_> = fields
        .list(&["runs"])
        .iter()
        .take(MOST_ATTEMPTS)
        .map(|value| {
            let run = Fields::of(value);
            attempt(run, run.text(&["multiplayer_run_id", "run_id", "id"]).unwrap_or_default())
        })
        .collect();
    // The deciding attempt comes last. The order of the reply is undocumented; equal keys keep it.
    attempts.sort_by_key(|attempt| (attempt.started_at, attempt.completed_at));
    Some(JobSnapshot {
        job_id: fields.text(&["job_id", "id"])?,
        project_id: fields.text(&["project_id"]),
        status: fields.word(&["status"]).unwrap_or_default(),
        created_at: fields.time(&["created_at"]),
        completed_at: fields.time(&["completed_at"]),
        test_id: fields.text(&["multiplayer_test_id", "test_id"]),
        test_name: fields.text(&["test_name"]),
        platform: device(fields),
        build_id: fields.text(&["build_id"]),
        test_plan_execution_id: fields.text(&["test_plan_execution_id"]),
        queue_rejection: fields.text(&["queue_rejection_reason"]),
        stopped_by: fields.value(&["stopped_by"]).and_then(stopped_by),
        tags: fields.tags(),
        retries_total: fields
            .object(&["retries"])
            .count(&["total"])
            .or_else(|| fields.count(&["retries"]))
            .and_then(|total| u32::try_from(total).ok())
            .unwrap_or_default(),
        attempts,
    })
}

/// Who stopped a job, from a shape that is not documented: text, or an object with any of these names.
fn stopped_by(value: &Value) -> Option<String> {
    if let Value::Bool(false) = value {
        return None;
    }
    let fields = Fields::of(value);
    let inner = fields.object(&["value", "user"]);
    let who = ["name", "display_name", "email", "user_name", "user_id", "key_id", "id"];
    let who = fields
        .text(&who)
        .or_else(|| inner.text(&who))
        .or_else(|| fields.text(&["value"]))
        .or_else(|| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned));
    let words = match (fields.text(&["type", "kind"]), who) {
        (Some(kind), Some(who)) => format!("{kind} {who}"),
        (Some(word), None) | (None, Some(word)) => word,
        (None, None) => "somebody".to_owned(),
    };
    Some(clip(&words, 200))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::job;
    use crate::model::TestResult;

    #[test]
    fn reads_the_documented_job() {
        let value = json!({"job_id": "j1", "project_id": "test", "status": "COMPLETED",
            "created_at": "2026-03-03T15:50:19.544603+00:00", "completed_at": "2026-03-03T15:54:24.463635+00:00",
            "multiplayer_test_id": "t1", "test_name": "Shop", "platform": "lt_phone", "build_id": null,
            "test_plan_execution_id": null, "queue_rejection_reason": null, "templating_enabled": true,
            "template_data": {"country": "Switzerland"}, "stopped_by": null, "tags": ["location"],
            "retries": {"total": 2, "remaining": 1},
            "runs": [{"multiplayer_run_id": "lkkg6t5612m", "state": "completed", "result": "SUCCESS",
                "started_at": "2026-03-03T15:50:23Z", "completed_at": "2026-03-03T15:54:23Z", "players": 1}]});
        for value in [json!({"job": value}), json!({"data": value}), value.clone()] {
            let job = job(&value).unwrap();
            assert_eq!((job.job_id.as_str(), job.status.as_str(), job.retries_total), ("j1", "COMPLETED", 2));
            assert_eq!(
                (job.platform.as_deref(), job.stopped_by, job.queue_rejection),
                (Some("lt_phone"), None, None)
            );
            assert_eq!(job.attempts[0].duration.map(|time| time.as_secs()), Some(240));
            assert_eq!(job.attempts[0].result, Some(TestResult::Success));
            assert_eq!(job.attempts[0].state.as_deref(), Some("COMPLETED"));
        }
    }

    #[test]
    fn the_deciding_attempt_is_last() {
        for (runs, want) in [
            (
                json!([{"multiplayer_run_id": "a", "started_at": "2026-03-03T16:00:00Z"}, {"multiplayer_run_id": "b", "started_at": "2026-03-03T15:00:00Z"}]),
                "a",
            ),
            (
                json!([{"multiplayer_run_id": "a", "started_at": "2026-03-03T15:00:00Z"}, {"multiplayer_run_id": "b", "started_at": null}]),
                "a",
            ),
            (
                json!([{"multiplayer_run_id": "a", "completed_at": "2026-03-03T16:00:00Z"}, {"multiplayer_run_id": "b", "completed_at": "2026-03-03T15:00:00Z"}]),
                "a",
            ),
            (json!([{"multiplayer_run_id": "a"}, {"multiplayer_run_id": "b"}]), "b"),
            (
                json!([{"multiplayer_run_id": "a", "started_at": "2026-03-03T15:00:00.000001+00:00"}, {"multiplayer_run_id": "b", "started_at": "2026-03-03T17:00:00+02:00"}]),
                "a",
            ),
        ] {
            let job = job(&json!({"job_id": "j", "runs": runs})).unwrap();
            assert_eq!(job.attempts.last().unwrap().run_id, want, "{runs}");
        }
    }

    #[test]
    fn says_who_stopped_it_whatever_the_shape() {
        for (value, want) in [
            (json!(null), None),
            (json!(false), None),
            (json!("ana@example.com"), Some("ana@example.com")),
            (json!({"type": "user", "value": {"user_id": "u1"}}), Some("user u1")),
            (json!({"email": "ana@example.com"}), Some("ana@example.com")),
            (json!({}), Some("somebody")),
            (json!(true), Some("somebody")),
        ] {
            let job = job(&json!({"job_id": "j", "stopped_by": value})).unwrap();
            assert_eq!(job.stopped_by.as_deref(), want, "{value}");
        }
    }

    #[test]
    fn survives_empty_and_unknown() {
        assert_eq!(job(&json!({"status": "RUNNING"})), None);
        let job = job(
            &json!({"job_id": 7, "status": "paused", "runs": null, "tags": null, "retries": null, "future": [1]}),
        );
        let job = job.unwrap();
        assert_eq!((job.job_id.as_str(), job.status.as_str(), job.attempts.len()), ("7", "PAUSED", 0));
    }
}
