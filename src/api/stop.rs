//! Stopping jobs.

use futures_util::future::join_all;
use serde_json::json;

use crate::http::Class;

use super::client::Api;
use super::error::ApiError;
use super::json::{Fields, clip};
use super::request::{Answer, ApiRequest};

/// Jobs in one call.
const BATCH: usize = 100;

/// What a stop came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StopReply {
    /// Jobs the service stopped.
    pub(crate) stopped: Vec<String>,
    /// Jobs that had already ended.
    pub(crate) already_done: Vec<String>,
    /// Jobs that the service does not know.
    pub(crate) unknown: Vec<String>,
    /// Jobs that could not be stopped, and why.
    pub(crate) failed: Vec<(String, String)>,
}

impl Api {
    /// `POST runs/stop`, in batches of 100, all at once. Safe to repeat. A batch that fails does not keep the others from being tried.
    pub(crate) async fn stop(&self, job_ids: &[String]) -> Result<StopReply, ApiError> {
        let mut reply = StopReply::default();
        let mut first = None;
        let mut answered = job_ids.is_empty();
        let calls = job_ids.chunks(BATCH).map(|batch| async move {
            let request = ApiRequest::post(&["runs", "stop"], json!({ "job_ids": batch }), Class::Repeatable)
                .accepting(|status, body| {
                    matches!(status, 400..=500) && !Fields::of(body).list(&["results"]).is_empty()
                });
            (batch, self.send(&request, |answer| Ok(read(answer, batch))).await)
        });
        for (batch, result) in join_all(calls).await {
            match result {
                Ok(part) => {
                    answered = true;
                    reply.stopped.extend(part.stopped);
                    reply.already_done.extend(part.already_done);
                    reply.unknown.extend(part.unknown);
                    reply.failed.extend(part.failed);
                }
                Err(error) if error.is_not_found() && !error.html => {
                    answered = true;
                    reply.unknown.extend_from_slice(batch);
                }
                Err(error) => {
                    reply.failed.extend(batch.iter().map(|job| (job.clone(), error.to_string())));
                    first = first.or(Some(error));
                }
            }
        }
        match first {
            Some(error) if !answered => Err(error),
            _ => Ok(reply),
        }
    }
}

/// Sorts the jobs of a batch by what the reply says of each.
fn read(answer: &Answer, batch: &[String]) -> StopReply {
    let fields = Fields::of(&answer.json);
    let results = match fields.list(&["results"]) {
        [] => fields.object(&["data"]).list(&["results"]),
        results => results,
    };
    let whole = answer.status != 207 && fields.flag(&["ok"]).unwrap_or(true);
    let mut reply = StopReply::default();
    for job in batch {
        let result =
            results.iter().map(Fields::of).find(|item| item.text(&["job_id", "id"]).as_deref() == Some(job));
        match result.map(|item| (item.flag(&["ok", "success"]).unwrap_or(whole), item)) {
            Some((true, _)) => reply.stopped.push(job.clone()),
            Some((false, item)) if is_unknown(item) => reply.unknown.push(job.clone()),
            Some((false, item)) if is_done(item) => reply.already_done.push(job.clone()),
            Some((false, item)) => reply.failed.push((job.clone(), words(item))),
            None if whole => reply.stopped.push(job.clone()),
            // An answer about other jobs than the one that was asked for: it belongs to none of this project.
            None if !results.is_empty() => reply.unknown.push(job.clone()),
            None => reply.failed.push((job.clone(), "the service did not say what became of it".to_owned())),
        }
    }
    reply
}

/// True when there is nothing to stop any more.
fn is_done(item: Fields<'_>) -> bool {
    let words = words(item).to_ascii_lowercase();
    ["already", "completed"].iter().any(|word| words.contains(word))
}

/// True when the service knows no such job.
fn is_unknown(item: Fields<'_>) -> bool {
    let words = words(item).to_ascii_lowercase();
    item.count(&["status"]) == Some(404) || ["not found", "no job"].iter().any(|word| words.contains(word))
}

fn words(item: Fields<'_>) -> String {
    let nested = item.object(&["error"]).text(&["message"]);
    let words = item.text(&["error", "message"]).or(nested);
    words.map_or_else(|| "no reason given".to_owned(), |words| clip(&words, 500))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Answer, StopReply, read};

    fn stop(status: u16, json: Value) -> StopReply {
        read(&Answer { status, json }, &["a".to_owned(), "b".to_owned()])
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn reads_whole_and_partial_replies() {
        let done = json!({"ok": true, "message": "Successfully stopped 2 job(s)", "received_count": 2, "stopped_count": 2,
            "results": [{"job_id": "a", "ok": true, "status": 200, "message": "Job stopped"}, {"job_id": "b", "ok": true, "status": 200}]});
        for (status, body) in [(200, done), (200, json!({"ok": true})), (200, json!(null)), (200, json!({}))]
        {
            assert_eq!(stop(status, body).stopped, ids(&["a", "b"]));
        }
        let partial = |error: &str, code: u16| {
            json!({"ok": false, "message": "Stopped 1/2 job(s)", "received_count": 2, "stopped_count": 1,
                "results": [{"job_id": "a", "ok": true}, {"job_id": "b", "ok": false, "status": code, "error": error}]})
        };
        let reply = stop(207, partial("Job already completed", 500));
        assert_eq!((reply.stopped, reply.already_done, reply.failed.len()), (ids(&["a"]), ids(&["b"]), 0));
        let reply = stop(207, partial("gone", 404));
        assert_eq!(reply.unknown, ids(&["b"]));
        let reply = stop(500, partial("device does not answer", 500));
        assert_eq!(reply.failed, [("b".to_owned(), "device does not answer".to_owned())]);
    }

    #[test]
    fn a_job_nobody_speaks_of_is_not_stopped_by_accident() {
        assert_eq!(stop(207, json!({"ok": false})).failed.len(), 2);
        assert_eq!(stop(200, json!({"ok": false, "results": []})).failed.len(), 2);
        let other = json!({"ok": false, "results": [{"job_id": "a", "ok": true}]});
        assert_eq!(stop(207, other).unknown, ids(&["b"]));
    }
}
