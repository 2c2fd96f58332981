//! Jobs: the objects to poll.

use serde_json::Value;

use crate::model::job::{Job, JobStatus};

use super::builds::tag_query;
use super::client::Api;
use super::error::ApiError;
use super::json::{Fields, clip};
use super::list_filter::ListFilter;
use super::request::ApiRequest;
use super::runs::attempt;

/// Most jobs of a list.
const MOST_JOBS: usize = 2_000;
/// Most attempts of a job.
const MOST_ATTEMPTS: usize = 100;

impl Api {
    /// Everything that carries the tag `tag`. The oldest service has no jobs: there each run stands for one.
    pub(crate) async fn jobs_by_tag(&self, tag: &str) -> Result<Vec<Job>, ApiError> {
        match self.list_jobs(tag, MOST_JOBS).await {
            Err(error) if error.is_not_found() => self.list_runs(tag).await,
            jobs => jobs,
        }
    }

    /// `GET jobs`, all pages of those that carry the tag; of at most `most` jobs (2,000, fewer where the service ignores filters).
    pub(crate) async fn list_jobs(&self, tag: &str, most: usize) -> Result<Vec<Job>, ApiError> {
        let request = ApiRequest::get(&["jobs"]).with("tags", tag_query(&[tag]));
        let keep = |job: &Job| job.tags.iter().any(|found| found == tag);
        let wanted = ListFilter { keep: &keep, made: |job| job.created_at };
        let read = |value: &Value| job(value).map(|job| self.linked(job));
        self.pages(&request, &["data", "jobs"], most.min(MOST_JOBS), read, wanted).await
    }

    /// One job: `GET jobs/{id}`, or `GET runs/{id}` of the run that stands for it.
    pub(crate) async fn job(&self, job_id: &str, run_id: Option<&str>) -> Result<Job, ApiError> {
        let job = if let Some(run_id) = run_id {
            self.run(run_id).await?
        } else {
            let request = ApiRequest::get(&["jobs", job_id]);
            let job = self.send(&request, |answer| job(&answer.json).ok_or_else(|| "no job".to_owned()));
            self.linked(job.await?)
        };
        Ok(Job { job_id: job_id.to_owned(), ..job })
    }

    /// The job with dashboard links, where the project is known.
    fn linked(&self, mut job: Job) -> Job {
        // What the user set wins over what the service calls the project.
        if let Some(project) = self.project_id().map(str::to_owned).or_else(|| job.project_id.clone()) {
            for attempt in job.attempts.iter_mut().filter(|attempt| !attempt.run_id.is_empty()) {
                attempt.url = Some(self.run_url(&project, &attempt.run_id));
            }
        }
        job
    }
}

/// A job, bare or wrapped in `job` or `data`; `None` without an id. Links are not filled in.
pub(super) fn job(value: &Value) -> Option<Job> {
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
    Some(Job {
        job_id: fields.text(&["job_id", "id"])?,
        project_id: fields.text(&["project_id"]),
        status: Some(JobStatus::parse(&fields.word(&["status"]).unwrap_or_default())),
        created_at: fields.time(&["created_at"]),
        completed_at: fields.time(&["completed_at"]),
        test_id: fields.text(&["multiplayer_test_id", "test_id"]),
        test_name: fields.text(&["test_name"]),
        build_id: fields.text(&["build_id"]),
        test_plan_execution_id: fields.text(&["test_plan_execution_id"]),
        queue_rejection: fields.text(&["queue_rejection_reason"]),
        stopped_by: fields.value(&["stopped_by"]).and_then(stopped_by),
        tags: fields.tags(),
        attempts,
        ..Job::default()
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

    use super::{JobStatus, job};
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
            assert_eq!((job.job_id.as_str(), job.status), ("j1", Some(JobStatus::Completed)));
            assert_eq!((job.stopped_by, job.queue_rejection), (None, None));
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
        assert_eq!(
            (job.job_id.as_str(), job.status.unwrap().as_str(), job.attempts.len()),
            ("7", "PAUSED", 0)
        );
    }
}
