//! The end of the story: one report, told to the log, the host and the results folder.

use std::path::Path;
use std::time::Instant;

use crate::ci;
use crate::config::Command;
use crate::model::job::Job;
use crate::model::judge::{decide, judge};
use crate::model::redact::Redact as _;
use crate::model::units::Timestamp;
use crate::model::{ExitReason, Failure, RunReport};
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

/// The report of the story as it stands, without any secret; `normal` is the reason of an end without failure or verdict.
pub(super) fn report(session: &Session, story: &Story, normal: ExitReason, unfinished: bool) -> RunReport {
    let jobs: Vec<Job> = story.jobs.iter().flat_map(|tracked| tracked.report.tests()).collect();
    let today = chrono::Utc::now().date_naive();
    let verdict = story.waited.then(|| judge(&jobs, &session.plan.gate, today));
    let mut warnings = story.warnings.clone();
    if !unfinished && let Some(verdict) = &verdict {
        warnings.extend(verdict.warnings.iter().cloned());
    }
    let mut report = RunReport {
        command: session.plan.command.as_str(),
        reason: decide(story.failure.as_ref(), verdict.as_ref(), normal),
        started_at: session.began.at,
        finished_at: chrono::Utc::now(),
        duration: session.began.instant.elapsed(),
        context: session.context.clone(),
        files: files(session, story),
        build: story.build.clone(),
        jobs,
        starts: story.problems.clone(),
        verdict,
        failure: story.failure.clone(),
        left_running: story.left_running.clone(),
        warnings,
        test_plan_execution_id: story.test_plan_execution_id.clone(),
        run_config: run_config(session),
        unfinished,
    };
    report.redact(&session.secrets);
    report
}

/// The files of ours that the results folder holds now, or will in a moment.
fn files(session: &Session, story: &Story) -> Vec<String> {
    if !session.plan.command.reports() {
        return Vec::new();
    }
    let mut files = report::names(session.host.kind() == ci::Kind::GitLab);
    let runs = story.jobs.iter().flat_map(|tracked| &tracked.report.attempts);
    let artifacts = runs.flat_map(|run| &run.players).flat_map(|player| &player.artifacts);
    files.extend(artifacts.filter_map(|artifact| artifact.saved_as.clone()));
    files.extend(story.downloads.iter().cloned());
    files
}

/// The run config as the user named it, when it is a file.
fn run_config(session: &Session) -> Option<String> {
    let setting = session.plan.settings.iter().find(|setting| setting.name == "run-config")?;
    Some(setting.value.clone()).filter(|name| name != "-" && name != "run-config")
}

/// Writes what is known by now: an unfinished report, and outputs that will not change any more.
pub(super) fn publish(session: &Session, story: &Story) {
    if !session.plan.command.reports() {
        return;
    }
    let report = report(session, story, ExitReason::Internal, true);
    match session.sinks().write(&session.plan.report.dir, &report) {
        Ok(files) => outputs(session, &report, Some(&files), true),
        Err(error) => session.log.warn(unwritable(session, &error).to_string()),
    }
}

/// Writes what is the end unless something still happens: whoever is killed while files are fetched leaves this.
pub(super) fn settle(session: &Session, story: &Story, normal: ExitReason) {
    let report = report(session, story, normal, false);
    match session.sinks().write(&session.plan.report.dir, &report) {
        Ok(files) => outputs(session, &report, Some(&files), false),
        Err(error) => session.log.warn(unwritable(session, &error).to_string()),
    }
}

fn unwritable(session: &Session, error: &std::io::Error) -> Failure {
    Failure::new(
        ExitReason::InvalidInput,
        format!("results-dir: cannot write to {}", session.plan.report.dir.display()),
    )
    .because(error)
    .hint("set results-dir to a folder that this job may write to")
}

/// Makes the results folder ready: what an earlier run of ours left goes, and an unfinished report lies there from now on. Better to
/// know before anything costs money that it cannot be written.
pub(super) fn first(session: &Session, story: &Story) -> Result<(), Failure> {
    if !session.plan.command.reports() {
        return Ok(());
    }
    // A wait goes on with the requests that a start began to note.
    let keep = (session.plan.command == Command::Wait).then_some(report::DIAGNOSTICS);
    report::clear(&session.plan.report.dir, keep);
    let report = report(session, story, ExitReason::Internal, true);
    let files = session
        .sinks()
        .write(&session.plan.report.dir, &report)
        .map_err(|error| unwritable(session, &error))?;
    outputs(session, &report, Some(&files), true);
    Ok(())
}

fn outputs(session: &Session, report: &RunReport, files: Option<&Files>, unfinished: bool) {
    let mut known = report::outputs(report, files);
    known.retain(|(name, _)| !unfinished || !FINAL_OUTPUTS.contains(name));
    session.sinks().outputs(known);
}

/// What was asked for, on stdout: with `--json` the report, else the id of an upload where stdout is no log.
fn data(session: &Session, report: &RunReport) {
    if session.json {
        // A check has printed data of its own.
        if report.command != Command::Check.as_str() {
            super::app::print(&report::json(report));
        }
        return;
    }
    let off_ci = session.host.kind() == ci::Kind::None;
    let id = report.build.as_ref().and_then(|build| build.id.as_deref());
    if let Some(id) = id.filter(|_| off_ci && report.reason == ExitReason::Uploaded) {
        super::app::print(id);
    }
}

/// Tells the end everywhere; `dir` is the results folder where there is one to write to. Gives the report that was told.
pub(super) fn tell(session: &Session, story: &Story, normal: ExitReason, dir: Option<&Path>) -> RunReport {
    super::bug::provoke(&session.env, "report");
    let mut report = report(session, story, normal, false);
    let sinks = session.sinks();
    session.log.end_group();
    let files = dir.and_then(|dir| sinks.write_last(dir, &mut report));
    if let Some(failure) = &report.failure {
        wrong::error(&session.log, failure);
    }
    for line in report::closing(&report) {
        session.log.info(line);
    }
    if report.failure.is_none() && report.reason.exit_code() != 0 {
        wrong::verdict(&session.log, report.reason);
    }
    sinks.tell(&report, files.as_ref());
    if let Some(dir) = dir.filter(|_| files.is_some()) {
        session.log.info(format!("results are in {}", dir.display()));
        if report.reason.exit_code() != 0 {
            session.log.info(format!("every request is in {}", dir.join(report::DIAGNOSTICS).display()));
        }
    }
    data(session, &report);
    sinks.annotations(&report, session.plan.report.annotations);
    sinks.close(report.reason);
    report
}
