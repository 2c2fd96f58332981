//! The way out: everything that was started is stopped, whatever the network does.
//!
//! Works with its own short timeouts and does not depend on anything that the signal cancelled.

use std::collections::BTreeMap;
use std::time::Duration;

use nunu_protocol::{Cause, Event};
use tokio::time::{Instant, sleep, sleep_until};

use crate::model::run_report::LeftRunning;

use super::session::Session;
use super::starts::{happened, work_until};
use super::story::Story;

/// All of it, from the signal to the last answer; reports and the exit fit into what is left of 6 s.
pub(super) const AFTER_A_SIGNAL: Duration = Duration::from_millis(4500);
/// The same when nobody is in a hurry: the jobs of an unclear start may appear within 20 s.
const WITHOUT_A_SIGNAL: Duration = Duration::from_secs(25);

/// Stops every unfinished job of the story, also those whose start was not answered, and notes what could not be stopped.
pub(super) async fn everything(session: &Session, story: &mut Story, cause: Cause) {
    let time =
        if matches!(cause, Cause::Cancelled | Cause::Panic) { AFTER_A_SIGNAL } else { WITHOUT_A_SIGNAL };
    stop_for(session, story, cause, time).await;
    tell_the_rest(session, story);
}

/// The same, for that long, without a word about what could not be stopped; a signal makes it short.
pub(super) async fn stop_for(session: &Session, story: &mut Story, cause: Cause, time: Duration) {
    if story.starts.as_ref().is_none_or(|starts| starts.outcome().is_some()) {
        return;
    }
    let deadline = Instant::now() + time;
    happened(session, story, Event::End(cause));
    if story.starts.as_ref().is_some_and(|starts| starts.outcome().is_none() && starts.stopping.is_empty()) {
        session.log.info("stopping what may have been started");
    }
    let cut = async {
        let hurry = async {
            session.cancel.token().cancelled().await;
            sleep(AFTER_A_SIGNAL).await;
        };
        tokio::select! {
            () = sleep_until(deadline) => {}
            () = hurry => {}
        }
    };
    if !work_until(session, story, cut, |protocol| protocol.outcome().is_some()).await {
        happened(session, story, Event::TimeUp);
    }
    name_the_rest(story);
}

/// Says what may run on without us.
pub(super) fn tell_the_rest(session: &Session, story: &Story) {
    for left in &story.left_running {
        if left.job_ids.is_empty() {
            session.log.warn(told(left));
        } else {
            session.log.error(told(left));
        }
    }
}

/// What could not be stopped, and why.
pub(super) fn told(left: &LeftRunning) -> String {
    match &left.tag {
        Some(tag) if left.job_ids.is_empty() => {
            format!("the start with the tag {tag} was not answered: {}", left.why)
        }
        _ => format!("could not stop {}: {}", left.job_ids.join(", "), left.why),
    }
}

/// Notes what may run on without us.
pub(super) fn name_the_rest(story: &mut Story) {
    let Some(starts) = &story.starts else { return };
    let mut left: Vec<LeftRunning> = Vec::new();
    for rest in starts.protocol.left() {
        let tag = starts
            .posts
            .get(&rest.post)
            .map(|posted| posted.start().tag.clone())
            .filter(|tag| !tag.is_empty());
        let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for id in rest.jobs {
            let why = starts.trouble.get(&id).map_or("the service did not answer in time", String::as_str);
            by_reason.entry(why.to_owned()).or_default().push(id);
        }
        for (why, job_ids) in by_reason {
            left.push(LeftRunning { job_ids, tag: tag.clone(), why });
        }
        if let Some(tag) = tag.filter(|_| rest.unseen) {
            let trouble = starts.trouble.get(&tag).cloned();
            let why = trouble.unwrap_or_else(|| "jobs of it may still appear".to_owned());
            left.push(LeftRunning { job_ids: Vec::new(), tag: Some(tag), why });
        }
    }
    story.left_running = left;
}
