//! The end of the story: one report, told to the log, the host and the results folder.

use std::time::Instant;

use crate::ci;
use crate::config::Command;
use crate::model::judge::{decide, judge};
use crate::model::run_report::JobReport;
use crate::model::units::Timestamp;
use crate::model::{Failure, Reason, RunReport};
use crate::report::{self, Files};

use super::session::Session;
use super::story::Story;
use super::wrong;

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

/// Outputs that are only true at the end.
const FINAL_OUTPUTS: [&str; 8] = [
    "status",
    "exit-code",
    "exit-reason",
    "tests-total",
    "tests-passed",
    "tests-failed",
    "bugs-total",
    "duration-seconds",
];

/// The report of the story as it stands; `normal` is the reason of an end without failure or verdict.
pub(super) fn report(session: &Session, story: &Story, normal: Reason, unfinished: bool) -> RunReport {
    let jobs: Vec<JobReport> = story.jobs.iter().map(|tracked| tracked.report.clone()).collect();
    let today = chrono::Utc::now().date_naive();
    let verdict = story.waited.then(|| judge(&jobs, &session.plan.gate, today));
    let mut warnings = story.warnings.clone();
    if !unfinished && let Some(verdict) = &verdict {
        warnings.extend(verdict.warnings.iter().cloned());
    }
    RunReport {
        command: session.plan.command.as_str(),
        reason: decide(story.failure.as_ref(), verdict.as_ref(), normal),
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
        warnings,
        test_plan_execution_id: story.test_plan_execution_id.clone(),
        unfinished,
    }
}

/// Writes what is known by now: an unfinished report, and outputs that will not change any more.
pub(super) fn publish(session: &Session, story: &Story) {
    let report = report(session, story, Reason::Internal, true);
    match write(session, &report) {
        Ok(files) => outputs(session, &report, &files, true),
        Err(failure) => session.log.warn(failure.to_string()),
    }
}

/// The same reports, through the redactor: the second net under every sink.
fn write(session: &Session, report: &RunReport) -> Result<Files, Failure> {
    let gitlab = session.host.kind() == ci::Kind::GitLab;
    report::write_all(&session.plan.report.dir, report, gitlab, &session.secrets).map_err(|error| {
        Failure::new(
            Reason::InvalidInput,
            format!("results-dir: cannot write to {}", session.plan.report.dir.display()),
        )
        .because(&error)
        .hint("set results-dir to a folder that this job may write to")
    })
}

/// True when the results folder can be written: better to know before anything costs money.
///
/// # Errors
/// When it cannot.
pub(super) fn first(session: &Session, story: &Story) -> Result<(), Failure> {
    let files = write(session, &report(session, story, Reason::Internal, true))?;
    outputs(session, &report(session, story, Reason::Internal, true), &files, true);
    Ok(())
}

fn outputs(session: &Session, report: &RunReport, files: &Files, unfinished: bool) {
    let mut known = report::outputs(report, files);
    known.retain(|(name, _)| !unfinished || !FINAL_OUTPUTS.contains(name));
    wrong::outputs(&session.host, &session.log, &session.secrets, &session.told, known);
}

/// What was asked for, on stdout: with `--json` the report, else the id of an upload where stdout is no log.
fn data(session: &Session, report: &RunReport) {
    if session.json {
        // A check has printed data of its own.
        if report.command != Command::Check.as_str() {
            session.data(&report::json(report));
        }
        return;
    }
    let off_ci = session.host.kind() == ci::Kind::None;
    let id = report.build.as_ref().and_then(|build| build.id.as_deref());
    if let Some(id) = id.filter(|_| off_ci && report.reason == Reason::Uploaded) {
        session.data(id);
    }
}

/// Tells the end everywhere.
pub(super) fn tell(session: &Session, story: &Story, normal: Reason) -> Reason {
    let report = report(session, story, normal, false);
    session.log.end_group();
    if let Some(failure) = &report.failure {
        wrong::error(&session.log, failure);
    }
    for line in report::closing(&report) {
        session.log.info(line);
    }
    if report.failure.is_none() && report.reason.exit_code() != 0 {
        wrong::verdict(&session.log, report.reason);
    }
    match write(session, &report) {
        Ok(files) => {
            outputs(session, &report, &files, false);
            wrong::dotenv(&session.host, &session.log, &report, &files);
            let markdown = session.secrets.redact(&report::markdown(&report)).into_owned();
            if let Err(error) = session.host.summary(&markdown, &files.summary) {
                session.log.warn(format!("cannot write the job summary: {error}"));
            }
            session.log.info(format!("results are in {}", session.plan.report.dir.display()));
            if report.reason.exit_code() != 0 {
                session.log.info(format!(
                    "every request is in {}",
                    session.plan.report.dir.join("diagnostics.jsonl").display()
                ));
            }
        }
        Err(failure) => wrong::error(&session.log, &failure),
    }
    data(session, &report);
    wrong::annotations(&session.host, &report, session.plan.report.annotations, &session.secrets);
    session.log.info(format!(
        "nunu-ci: {} ({}), exit code {}",
        report.reason.status().as_str(),
        report.reason,
        report.reason.exit_code()
    ));
    report.reason
}
