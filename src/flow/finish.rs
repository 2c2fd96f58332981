//! The end of the story: one report, told to the log, the host and the results folder.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use crate::model::run_report::{Context, JobReport};
use crate::model::units::Timestamp;
use crate::model::verdict::{decide, judge};
use crate::model::{Reason, RunReport};
use crate::report;

use super::session::Session;
use super::story::Story;

/// When we began, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    /// For people.
    pub(super) at: Timestamp,
    /// For durations.
    pub(super) instant: Instant,
}

impl Began {
    /// Now.
    pub(super) fn now() -> Self {
        Self { at: chrono::Utc::now(), instant: Instant::now() }
    }
}

/// The report of the story as it stands; `normal` is the reason of an end without failure or verdict.
pub(super) fn report(session: &Session, story: &Story, normal: Reason, unfinished: bool) -> RunReport {
    let jobs: Vec<JobReport> = story.jobs.iter().map(|tracked| tracked.report.clone()).collect();
    let today = chrono::Utc::now().date_naive();
    let verdict = story.waited.then(|| judge(&jobs, &session.plan.gate, today));
    let reason = decide(story.failure.as_ref(), verdict.as_ref(), normal);
    RunReport {
        command: session.plan.command.as_str(),
        reason,
        started_at: session.began.at,
        finished_at: chrono::Utc::now(),
        duration: session.began.instant.elapsed(),
        context: session.context.clone(),
        build: story.build.clone(),
        jobs,
        starts: story.problems.clone(),
        verdict,
        failure: story.failure.clone(),
        left_running: story.left_running.clone(),
        warnings: story.warnings.clone(),
        test_plan_execution_id: story.test_plan_execution_id.clone(),
        unfinished,
    }
}
