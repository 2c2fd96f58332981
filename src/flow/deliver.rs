//! The report goes to its files and to the host.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ci::{self, Host};
use crate::model::{ExitReason, Failure, Log, RunReport, Secrets};
use crate::report::{self, Files};

/// Outputs that were written, by name.
pub(super) type Told = Arc<Mutex<BTreeMap<&'static str, String>>>;

/// Where reports, which hold no secrets any more, go to.
pub(super) struct Sinks<'a> {
    /// The CI.
    pub(super) host: &'a Host,
    /// The log.
    pub(super) log: &'a Log,
    /// What must not be shown.
    pub(super) secrets: &'a Secrets,
    /// What the host was told already.
    pub(super) told: &'a Told,
}

impl Sinks<'_> {
    /// Writes the files of a report, whatever it says.
    pub(super) fn write(&self, dir: &Path, report: &RunReport) -> std::io::Result<Files> {
        report::write_all(dir, report, self.host.kind() == ci::Kind::GitLab)
    }

    /// Writes the files of the last report. Without them a pass is none: nobody could see it.
    pub(super) fn write_last(&self, dir: &Path, report: &mut RunReport) -> Option<Files> {
        let error = match self.write(dir, report) {
            Ok(files) => return Some(files),
            Err(error) => error,
        };
        let failure = Failure::new(
            ExitReason::ResultsNotWritten,
            format!("results-dir: cannot write the report files to {}", dir.display()),
        )
        .because(&error)
        .hint("free some space there, or set results-dir to a folder that this job may write to");
        if report.reason.exit_code() != 0 {
            self.log.warn(failure.to_string());
            return None;
        }
        report.reason = failure.reason;
        report.failure = Some(failure);
        // What may have taken its place already must not stay green.
        self.write(dir, report).ok()
    }

    /// Tells the host the end: outputs and the summary. `files` are those that were written.
    pub(super) fn tell(&self, report: &RunReport, files: Option<&Files>) {
        self.outputs(report::outputs(report, files));
        if let Some(files) = files
            && self.host.kind() != ci::Kind::GitHub
        {
            // There the outputs have a place of their own.
            for notice in report::dotenv_notices(report, files) {
                self.log.info(notice);
            }
        }
        let markdown = report::markdown(report);
        let saved = files.map(|files| files.summary.as_path());
        if let Err(error) = self.host.summary(&markdown, saved) {
            self.log.warn(format!("cannot write the job summary: {error}"));
        }
    }

    /// Writes outputs that are new or changed.
    pub(super) fn outputs(&self, outputs: Vec<(&'static str, String)>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unwritten = Vec::new();
        let mut why = None;
        for (name, value) in outputs {
            if told.get(name) == Some(&value) {
                continue;
            }
            self.secrets.publish(&value);
            if let Err(error) = self.host.output(name, &self.secrets.redact_output(&value)) {
                unwritten.push(name);
                why.get_or_insert(error);
            }
            told.insert(name, value);
        }
        if let Some(error) = why {
            // All go to one file.
            self.log.warn(format!("cannot write the outputs {}: {error}", unwritten.join(", ")));
        }
    }

    /// Shows the report's annotations.
    pub(super) fn annotations(&self, report: &RunReport, most: usize) {
        for annotation in report::annotations(report, most) {
            self.host.annotate(annotation.level, &annotation.title, &annotation.message);
        }
    }

    /// The last line of the log.
    pub(super) fn close(&self, reason: ExitReason) {
        self.log.info(format!(
            "nunu-ci: {} ({reason}), exit code {}",
            reason.status().as_str(),
            reason.exit_code()
        ));
    }
}
