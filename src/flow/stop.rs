//! The way out: everything that was started is stopped, within seconds, whatever the network does.
//!
//! Works with its own short timeouts and does not depend on anything that the signal cancelled.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::api::{ApiError, JobFilter, RunFilter, StopReply};
use crate::model::run_report::LeftRunning;

use super::session::Session;
use super::state::Standing;
use super::story::Story;

/// All of it, from the signal to the last answer; reports and the exit fit into what is left of 6 s.
const BUDGET: Duration = Duration::from_millis(4500);
/// Between two looks for jobs whose start was not answered.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Stops every unfinished job of the story, also those whose start was not answered, and notes what could not be stopped.
pub(super) async fn everything(session: &Session, story: &mut Story) {
    let deadline = Instant::now() + BUDGET;
    let unfinished: Vec<String> = story.unfinished_jobs();
    let unclear: Vec<String> = story.unclear.iter().map(|(tag, _)| tag.as_str().to_owned()).collect();
    if unfinished.is_empty() && unclear.is_empty() && story.abandoned.is_empty() {
        return;
    }
    session.log.info(match unfinished.len() {
        0 => "stopping what may have been started".to_owned(),
        1 => format!("stopping job {}", unfinished[0]),
        many => format!("stopping {many} jobs"),
    });
    let nameless = story.runs_without_job();
    let abandoned: Vec<String> = story.abandoned.iter().cloned().collect();
    let (known, hidden, late) = tokio::join!(
        stop_jobs(session, &unfinished, deadline),
        hunt(session, &unclear, deadline, true),
        hunt(session, &abandoned, deadline, false),
    );
    note_known(session, story, &unfinished, known.map(|reply| not_reached(reply, &nameless)));
    note_hidden(session, story, hidden);
    note_hidden(session, story, late);
    close_records(session, story);
}

/// One stop call for all of them; `Ok` with nothing to do when there are none.
pub(super) async fn stop_jobs(
    session: &Session,
    ids: &[String],
    deadline: Instant,
) -> Result<StopReply, String> {
    if ids.is_empty() {
        return Ok(StopReply::default());
    }
    match timeout_at(deadline, session.api.urgent().stop(ids)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the service did not answer in time".to_owned()),
    }
}

/// What was found behind one tag, and what became of it.
struct Hunted {
    tag: String,
    ids: Vec<String>,
    outcome: Result<StopReply, String>,
}

/// Looks for jobs with each tag and stops them. A start under way may take effect late, so with `wait` a tag is looked up until
/// something was found or the time is over.
async fn hunt(session: &Session, tags: &[String], deadline: Instant, wait: bool) -> Vec<Hunted> {
    let mut hunted = Vec::new();
    for tag in tags {
        let mut why = "no job with its tag was found".to_owned();
        let Unfinished { ids, nameless } = loop {
            match timeout_at(deadline, unfinished_with(session, tag)).await {
                Ok(Ok(found)) if !found.ids.is_empty() => break found,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => "the service did not answer in time".clone_into(&mut why),
            }
            if !wait || Instant::now() + LOOK_EVERY >= deadline {
                break Unfinished::default();
            }
            sleep(LOOK_EVERY).await;
        };
        if ids.is_empty() {
            if wait {
                hunted.push(Hunted { tag: tag.clone(), ids, outcome: Err(why) });
            }
            continue;
        }
        let outcome = stop_jobs(session, &ids, deadline).await.map(|reply| not_reached(reply, &nameless));
        hunted.push(Hunted { tag: tag.clone(), ids, outcome });
    }
    hunted
}

/// What goes on behind a tag.
#[derive(Default)]
pub(super) struct Unfinished {
    /// What to stop by.
    pub(super) ids: Vec<String>,
    /// Those of `ids` that are ids of runs: the oldest service tells no others in its lists, though it stops by job alone.
    pub(super) nameless: BTreeSet<String>,
}

/// A run that the service calls unknown when it is to be stopped goes on, unless it is a job: an unknown job is a finished one.
pub(super) fn not_reached(mut reply: StopReply, nameless: &BTreeSet<String>) -> StopReply {
    let (runs, jobs) = reply.already_done.into_iter().partition(|id| nameless.contains(id));
    reply.already_done = jobs;
    let why = |run: String| {
        (run, "the service told only the id of the run, and stops by the id of the job alone".to_owned())
    };
    reply.failed.extend(Vec::into_iter(runs).map(why));
    reply
}

/// Unfinished jobs with that tag, in whichever language the service speaks.
///
/// # Errors
/// When neither jobs nor runs can be listed.
pub(super) async fn unfinished_with(session: &Session, tag: &str) -> Result<Unfinished, ApiError> {
    let filter = JobFilter { tags: vec![tag.to_owned()], ..JobFilter::default() };
    match session.api.urgent().list_jobs(&filter).await {
        Ok(jobs) => {
            let unfinished = jobs.into_iter().filter(|job| job.status != "COMPLETED");
            Ok(Unfinished { ids: unfinished.map(|job| job.job_id).collect(), ..Unfinished::default() })
        }
        Err(error) if error.is_not_found() => {
            let filter = RunFilter { tags: vec![tag.to_owned()], ..RunFilter::default() };
            let runs = session.api.urgent().list_runs(&filter).await?;
            let unfinished = runs.into_iter().filter(|run| run.attempt.state.as_deref() != Some("COMPLETED"));
            let mut found = Unfinished::default();
            for run in unfinished {
                if run.job_id.is_none() {
                    found.nameless.insert(run.run_id.clone());
                }
                found.ids.push(run.job_id.unwrap_or(run.run_id));
            }
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

fn note_known(session: &Session, story: &mut Story, ids: &[String], outcome: Result<StopReply, String>) {
    let failed: Vec<(String, String)> = match outcome {
        Ok(reply) => {
            story.stopped_by_us(reply.stopped.iter().chain(&reply.already_done));
            reply.failed
        }
        Err(why) => ids.iter().map(|id| (id.clone(), why.clone())).collect(),
    };
    if !ids.is_empty() && failed.is_empty() {
        session.log.info("stopped");
    }
    let mut by_reason: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for (id, why) in failed {
        by_reason.entry(why).or_default().push(id);
    }
    for (why, job_ids) in by_reason {
        session.log.error(format!("could not stop {}: {why}", job_ids.join(", ")));
        let tag = story.tag_of(&job_ids);
        story.left_running.push(LeftRunning { job_ids, tag, why });
    }
}

fn note_hidden(session: &Session, story: &mut Story, hunted: Vec<Hunted>) {
    for one in hunted {
        match one.outcome {
            Ok(reply) if reply.failed.is_empty() => {
                session.log.info(format!("stopped {} with the tag {}", one.ids.join(", "), one.tag));
                story.settle_tag(&one.tag);
            }
            Ok(reply) => {
                let why = reply.failed.first().map_or_else(String::new, |(_, why)| why.clone());
                let job_ids = reply.failed.into_iter().map(|(id, _)| id).collect();
                story.left_running.push(LeftRunning { job_ids, tag: Some(one.tag), why });
            }
            Err(why) => {
                session.log.warn(format!("a start with the tag {} was not answered: {why}", one.tag));
                // The look-up of an unanswered start may have noted the tag already.
                if !story.left_running.iter().any(|left| left.tag.as_deref() == Some(&one.tag)) {
                    story.left_running.push(LeftRunning { job_ids: one.ids, tag: Some(one.tag), why });
                }
            }
        }
    }
}

/// Records whose jobs are all stopped or finished are done; the others stay open for `stop`.
fn close_records(session: &Session, story: &Story) {
    let left: BTreeSet<&str> =
        story.left_running.iter().flat_map(|left| left.job_ids.iter().map(String::as_str)).collect();
    let unclear: BTreeSet<&str> = story.unclear.iter().map(|(_, record)| record.as_str()).collect();
    let done = story
        .records
        .iter()
        .filter(|(id, jobs)| {
            !unclear.contains(id.as_str()) && !jobs.iter().any(|job| left.contains(job.as_str()))
        })
        .map(|(id, _)| id.clone())
        .collect();
    session.mark(&done, Standing::Done);
}
