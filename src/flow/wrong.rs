//! The end of an invocation that never had a plan, or no key: it still leaves a report, so that nobody reads an older green one.

use crate::ci;
use crate::config::{self, Command};
use crate::model::redact::Redact as _;
use crate::model::{ExitReason, Failure, Log, RunReport};
use crate::report;

use super::app::Surroundings;
use super::deliver::{Sinks, Told};

/// Logs a failure: what failed, why, what to do, and, always last, where its page is.
pub(super) fn error(log: &Log, failure: &Failure) {
    log.error(failure.to_string());
    end(log, failure.reason, failure.hints.is_empty());
}

/// Logs a verdict that is no failure of ours, in the same form.
pub(super) fn verdict(log: &Log, reason: ExitReason) {
    log.error(in_words(reason.meaning()));
    end(log, reason, true);
}

fn end(log: &Log, reason: ExitReason, with_hint: bool) {
    if with_hint {
        log.error(format!("hint: {}", in_words(reason.remedy())));
    }
    log.error(format!("more: {}", reason.page()));
}

/// A log has no code marks.
fn in_words(text: &str) -> String {
    text.replace('`', "")
}

/// Reports `failure` everywhere and gives the reason to exit with.
pub(super) fn tell(around: &Surroundings, failure: &Failure) -> ExitReason {
    let command = config::command_of(&around.args, &around.env);
    let mut report = report(around, command.unwrap_or_default(), failure);
    report.redact(&around.secrets);
    if report.reason.exit_code() == 0 {
        around.log.warn(failure.to_string());
    } else {
        error(&around.log, failure);
    }
    if matches!(command, Some(Command::Stop | Command::Init | Command::Schema)) {
        return report.reason;
    }
    let told = Told::default();
    let sinks = Sinks { host: &around.host, log: &around.log, secrets: &around.secrets, told: &told };
    let mut files = None;
    let dir = config::results_dir(&around.args, &around.env, &around.cwd);
    if let Some(dir) = dir.filter(|_| leaves_files(around, command, failure.reason)) {
        report.files = report::names(around.host.kind() == ci::Kind::GitLab);
        report::clear(&dir, None);
        files = sinks.write_last(&dir, &mut report);
        if let Some(later) = report.failure.as_ref().filter(|_| report.reason != failure.reason) {
            error(&around.log, later);
        }
    }
    sinks.tell(&report, files.as_ref());
    if around.args.json {
        super::app::print(&report::json(&report));
    }
    sinks.annotations(&report, 10);
    sinks.close(report.reason);
    report.reason
}

/// Whether this end has anything to say in the results folder. A slip of the pen leaves the reports of the last run alone; in a CI,
/// where files are collected whatever happened, an older green one must not be taken for this run's.
fn leaves_files(around: &Surroundings, command: Option<Command>, reason: ExitReason) -> bool {
    let command = match command {
        Some(command) => command,
        // Without a command it is the whole job, unless the command is what could not be understood.
        None if around.understood => Command::default(),
        None => return false,
    };
    if reason.exit_code() != ExitReason::InvalidInput.exit_code() {
        return command.reports();
    }
    around.host.kind() != ci::Kind::None && matches!(command, Command::Run | Command::Start | Command::Wait)
}

fn report(around: &Surroundings, command: Command, failure: &Failure) -> RunReport {
    RunReport {
        command: command.as_str(),
        reason: failure.reason,
        started_at: around.began.at,
        finished_at: chrono::Utc::now(),
        duration: around.began.instant.elapsed(),
        context: around.context.clone(),
        files: Vec::new(),
        build: None,
        jobs: Vec::new(),
        starts: Vec::new(),
        verdict: None,
        failure: Some(failure.clone()),
        left_running: Vec::new(),
        warnings: Vec::new(),
        test_plan_execution_id: None,
        run_config: None,
        unfinished: false,
    }
}
