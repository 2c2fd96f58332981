//! The end of an invocation that never had a plan, or no key: it still leaves a report, so that nobody reads an older green one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ci::{self, Host};
use crate::config::{self, Command};
use crate::model::{Failure, Log, Reason, RunReport, Secrets};
use crate::report::{self, Files};

use super::door::Surroundings;

/// Outputs that were written, by name.
pub(super) type Told = Arc<Mutex<BTreeMap<&'static str, String>>>;

/// Logs a failure: what failed, why, what to do, and, always last, where its page is.
pub(super) fn error(log: &Log, failure: &Failure) {
    log.error(failure.to_string());
    end(log, failure.reason, failure.hints.is_empty());
}

/// Logs a verdict that is no failure of ours, in the same form.
pub(super) fn verdict(log: &Log, reason: Reason) {
    log.error(in_words(reason.meaning()));
    end(log, reason, true);
}

fn end(log: &Log, reason: Reason, with_hint: bool) {
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
pub(super) fn tell(around: &Surroundings, failure: &Failure) -> Reason {
    let reason = failure.reason;
    let command = config::command_of(&around.args, &around.env).unwrap_or_default();
    let report = RunReport {
        command: command.as_str(),
        reason,
        started_at: around.began.at,
        finished_at: chrono::Utc::now(),
        duration: around.began.instant.elapsed(),
        context: around.context.clone(),
        build: None,
        jobs: Vec::new(),
        starts: Vec::new(),
        verdict: None,
        failure: Some(failure.clone()),
        left_running: Vec::new(),
        warnings: Vec::new(),
        test_plan_execution_id: None,
        unfinished: false,
    };
    if reason.exit_code() == 0 {
        around.log.warn(failure.to_string());
    } else {
        error(&around.log, failure);
    }
    if matches!(command, Command::Stop | Command::Init | Command::Schema) {
        return reason;
    }
    let dir = config::results_dir(&around.args, &around.env, &around.cwd);
    let gitlab = around.host.kind() == ci::Kind::GitLab;
    match report::write_all(&dir, &report, gitlab, &around.secrets) {
        Ok(files) => {
            let told = Told::default();
            outputs(&around.host, &around.log, &around.secrets, &told, report::outputs(&report, &files));
            dotenv(&around.host, &around.log, &report, &files);
            let markdown = around.secrets.redact(&report::markdown(&report)).into_owned();
            if let Err(error) = around.host.summary(&markdown, &files.summary) {
                around.log.warn(format!("cannot write the job summary: {error}"));
            }
        }
        Err(error) => around.log.warn(format!("cannot write reports to {}: {error}", dir.display())),
    }
    if around.args.json {
        super::door::print(&around.secrets.redact(&report::json(&report)));
    }
    annotations(&around.host, &report, 10, &around.secrets);
    around.log.info(format!(
        "nunu-ci: {} ({reason}), exit code {}",
        reason.status().as_str(),
        reason.exit_code()
    ));
    reason
}

/// Writes outputs that are new or changed.
pub(super) fn outputs(
    host: &Host,
    log: &Log,
    secrets: &Secrets,
    told: &Told,
    outputs: Vec<(&'static str, String)>,
) {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, value) in outputs {
        if told.get(name) == Some(&value) {
            continue;
        }
        if let Err(error) = host.output(name, &secrets.redact(&value)) {
            log.warn(format!("cannot write the output {name}: {error}"));
        }
        told.insert(name, value);
    }
}

/// Says what `nunu.env` lacks, where it is how the host gets outputs.
pub(super) fn dotenv(host: &Host, log: &Log, report: &RunReport, files: &Files) {
    if host.kind() != ci::Kind::GitHub {
        for notice in report::dotenv_notices(report, files) {
            log.info(notice);
        }
    }
}

/// Shows the report's annotations on the host.
pub(super) fn annotations(host: &Host, report: &RunReport, most: usize, secrets: &Secrets) {
    use crate::model::annotation::Level;
    for annotation in report::annotations(report, most) {
        let level = match annotation.level {
            Level::Error => ci::Annotation::Error,
            Level::Warning => ci::Annotation::Warning,
            Level::Notice => ci::Annotation::Notice,
        };
        host.annotate(level, &annotation.title, &annotation.message, secrets);
    }
}
