//! Everything that is told outside of the log's running lines: reports in the results folder, outputs, the summary, annotations and
//! the last lines. One report is built for each publication, whether it is interim, the end, or the end before there was a plan.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::ci::{self, Host};
use crate::config::{self, Command, Plan};
use crate::model::job::Job;
use crate::model::judge::{decide, judge};
use crate::model::redact::Redact as _;
use crate::model::run_report::Suspect;
use crate::model::verdict::Gate;
use crate::model::{ExitReason, Failure, Log, RunReport, Secrets};
use crate::report::{self, Files};

use super::bug;
use super::context::{Context, Reporting, Surroundings};
use super::outputs::print;
use super::run_state::RunState;

/// Outputs that are only true at the end.
const FINAL_OUTPUTS: [&str; 13] = [
    "status",
    "exit-code",
    "exit-reason",
    "tests-total",
    "tests-passed",
    "tests-failed",
    "bugs-total",
    "bugs-new",
    "bugs-fixed",
    "tests-newly-failing",
    "tests-carried-over",
    "baseline-run-url",
    "duration-seconds",
];
/// Annotations where no plan says how many.
const ANNOTATIONS_WITHOUT_PLAN: usize = 10;

/// Who publishes, and where to.
struct Publisher<'a> {
    host: &'a Host,
    log: &'a Log,
    secrets: &'a Secrets,
    reporting: &'a Reporting,
    command: Command,
    /// The results folder, where there is one to write to.
    dir: Option<PathBuf>,
    gate: Option<&'a Gate>,
    /// The run config as the user named it, when it is a file.
    run_config: Option<String>,
    annotations: usize,
}

impl<'a> Publisher<'a> {
    fn of(ctx: &'a Context) -> Self {
        let setting = ctx.plan.settings.iter().find(|setting| setting.name == "run-config");
        let run_config = setting.map(|setting| setting.value.clone());
        Self {
            host: &ctx.host,
            log: &ctx.log,
            secrets: &ctx.secrets,
            reporting: &ctx.reporting,
            command: ctx.plan.command,
            dir: ctx.plan.command.reports().then(|| ctx.plan.report.dir.clone()),
            gate: Some(&ctx.plan.gate),
            run_config: run_config.filter(|name| name != "-" && name != "run-config"),
            annotations: ctx.plan.report.annotations,
        }
    }

    fn without_plan(around: &'a Surroundings, command: Command, dir: Option<PathBuf>) -> Self {
        Self {
            host: &around.host,
            log: &around.log,
            secrets: &around.secrets,
            reporting: &around.reporting,
            command,
            dir,
            gate: None,
            run_config: None,
            annotations: ANNOTATIONS_WITHOUT_PLAN,
        }
    }

    /// The report of the run as it stands, without any secret; `normal` is the reason of an end without failure or verdict.
    fn report(&self, state: &RunState, normal: ExitReason, unfinished: bool) -> RunReport {
        let jobs: Vec<Job> = state.jobs.iter().flat_map(|tracked| tracked.report.tests()).collect();
        let finished_at = chrono::Utc::now();
        // Whoever reads the report again judges on that day too.
        let today = finished_at.date_naive();
        let verdict = self.gate.filter(|_| state.waited).map(|gate| judge(&jobs, gate, today));
        let mut warnings = state.warnings.clone();
        if !unfinished && let Some(verdict) = &verdict {
            warnings.extend(verdict.warnings.iter().cloned());
        }
        let mut report = RunReport {
            command: self.command.as_str(),
            reason: decide(state.failure.as_ref(), verdict.as_ref(), normal),
            started_at: self.reporting.began.at,
            finished_at,
            duration: self.reporting.began.instant.elapsed(),
            context: self.reporting.origin.clone(),
            files: self.files(state),
            page_url: self.page_url(),
            build: state.build.clone(),
            jobs,
            starts: state.problems.clone(),
            gate: self.gate.cloned(),
            verdict,
            failure: state.failure.clone(),
            left_running: state.left_running.clone(),
            suspects: Vec::new(),
            warnings,
            test_plan_execution_id: state.test_plan_execution_id.clone(),
            run_config: self.run_config.clone(),
            unfinished,
        };
        if !unfinished {
            report.suspects = self.suspects(&report);
        }
        report.redact(self.secrets);
        report
    }

    /// What changed since the first test that fails anew passed.
    fn suspects(&self, report: &RunReport) -> Vec<Suspect> {
        let baseline = report::newly_failing(report).and_then(|job| job.baseline.as_ref()?.run());
        let commits = baseline.and_then(|run| run.commit.as_deref()).zip(report.context.commit.as_deref());
        commits.map_or_else(Vec::new, |(before, now)| {
            self.host.commits_between(&self.reporting.cwd, before, now)
        })
    }

    /// Where people will find the page, once the host has stored it.
    fn page_url(&self) -> Option<String> {
        let page = self.dir.as_ref()?.strip_prefix(&self.reporting.cwd).ok()?.join(report::EVIDENCE);
        self.host.address_of(&page.display().to_string().replace('\\', "/"))
    }

    /// The files of ours that the results folder holds now, or will in a moment.
    fn files(&self, state: &RunState) -> Vec<String> {
        if self.dir.is_none() {
            return Vec::new();
        }
        let mut files = report::names(self.host.kind() == ci::Kind::GitLab);
        let runs = || state.jobs.iter().flat_map(|tracked| &tracked.report.attempts);
        let artifacts = runs().flat_map(|run| &run.players).flat_map(|player| &player.artifacts);
        let screenshots = runs().flat_map(|run| &run.bugs).filter_map(|bug| bug.screenshot_saved_as.clone());
        for file in artifacts.filter_map(|artifact| artifact.saved_as.clone()).chain(screenshots) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files.extend(state.downloads.iter().cloned());
        files
    }

    fn write(&self, dir: &Path, report: &RunReport) -> std::io::Result<Files> {
        report::write_all(dir, &self.reporting.cwd, report, self.host.kind() == ci::Kind::GitLab)
    }

    fn outputs(&self, outputs: Vec<(&'static str, String)>) {
        self.reporting.outputs.write(self.host, self.secrets, self.log, outputs);
    }

    /// Writes the files, and the outputs that are true by now.
    fn write_with_outputs(
        &self,
        state: &RunState,
        normal: ExitReason,
        unfinished: bool,
    ) -> Result<(), Failure> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let report = self.report(state, normal, unfinished);
        let files = self.write(dir, &report).map_err(|error| {
            Failure::new(ExitReason::InvalidInput, format!("results-dir: cannot write to {}", dir.display()))
                .because(&error)
                .hint("set results-dir to a folder that this job may write to")
        })?;
        let mut outputs = report::outputs(&report, Some(&files));
        outputs.retain(|(name, _)| !unfinished || !FINAL_OUTPUTS.contains(name));
        self.outputs(outputs);
        Ok(())
    }

    /// Writes the files of the last report. Without them a pass is none: nobody could see it.
    fn write_last(&self, report: &mut RunReport) -> Option<Files> {
        let dir = self.dir.as_deref()?;
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
    fn tell_host(&self, report: &RunReport, files: Option<&Files>) {
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

    fn annotate(&self, report: &RunReport) {
        for annotation in report::annotations(report, self.annotations) {
            self.host.annotate(annotation.level, &annotation.title, &annotation.message);
        }
    }

    /// The last line of the log.
    fn close(&self, reason: ExitReason) {
        let status = reason.status().as_str();
        let why = if status == reason.as_str() { String::new() } else { format!(" ({reason})") };
        self.log.info(format!("nunu-ci: {status}{why}, exit code {}", reason.exit_code()));
    }

    /// Tells the end everywhere. Gives the report that was told.
    fn end(&self, state: &RunState, normal: ExitReason) -> RunReport {
        self.tell(self.report(state, normal, false))
    }

    /// Tells a report everywhere.
    fn tell(&self, mut report: RunReport) -> RunReport {
        let planned = self.gate.is_some();
        self.log.end_group();
        let files = self.write_last(&mut report);
        match &report.failure {
            Some(failure) if report.reason.exit_code() == 0 => self.log.warn(failure.to_string()),
            Some(failure) => log_failure(self.log, failure),
            None => {}
        }
        if planned {
            for line in report::closing(&report) {
                match line.mark {
                    Some(mark) => self.log.outcome(mark, &line.text),
                    None => self.log.info(line.text),
                }
            }
        }
        if report.failure.is_none() && report.reason.exit_code() != 0 {
            // A verdict is no failure of ours, and is told in the same form.
            self.log.error(in_words(report.reason.meaning()));
            log_remedy(self.log, report.reason, true);
        }
        self.tell_host(&report, files.as_ref());
        if let Some(dir) = self.dir.as_deref().filter(|_| planned && files.is_some()) {
            self.log.info(format!("results are in {}", dir.display()));
            if report.reason.exit_code() != 0 && report.files.iter().any(|file| file == report::DIAGNOSTICS) {
                self.log.info(format!("every request is in {}", dir.join(report::DIAGNOSTICS).display()));
            }
        }
        // A check has printed data of its own.
        if self.reporting.json && !(planned && self.command == Command::Check) {
            print(&report::json(&report));
        }
        self.annotate(&report);
        self.close(report.reason);
        report
    }
}

/// Makes the results folder ready: what an earlier run of ours left goes, and an unfinished report lies there from now on. Better to
/// know before anything costs money that it cannot be written.
pub(super) fn first(ctx: &Context, state: &RunState) -> Result<(), Failure> {
    let publisher = Publisher::of(ctx);
    if let Some(dir) = &publisher.dir {
        // A wait goes on with the requests that a start began to note.
        let keep = (ctx.plan.command == Command::Wait).then(|| report::DIAGNOSTICS.to_owned());
        report::clear(dir, &keep.into_iter().collect());
    }
    publisher.write_with_outputs(state, ExitReason::Internal, true)
}

/// Publishes what is known by now: an unfinished report, and outputs that will not change any more.
pub(super) fn interim(ctx: &Context, state: &RunState) {
    if let Err(failure) = Publisher::of(ctx).write_with_outputs(state, ExitReason::Internal, true) {
        ctx.log.warn(failure.to_string());
    }
}

/// Publishes what is the end unless something still happens: whoever is killed while files are fetched leaves this.
pub(super) fn settle(ctx: &Context, state: &RunState, normal: ExitReason) {
    if let Err(failure) = Publisher::of(ctx).write_with_outputs(state, normal, false) {
        ctx.log.warn(failure.to_string());
    }
}

/// Publishes the end; without `files` the results folder is not to be written to.
pub(super) fn end(ctx: &Context, state: &RunState, normal: ExitReason, files: bool) -> RunReport {
    bug::provoke(&ctx.broken_at, "report");
    let mut publisher = Publisher::of(ctx);
    publisher.dir = publisher.dir.filter(|_| files);
    let report = publisher.end(state, normal);
    let id = report.build.as_ref().and_then(|build| build.id.as_deref());
    let off_ci = ctx.host.kind() == ci::Kind::None;
    // Where stdout is no log, whoever uploads a build wants its id.
    if let Some(id) = id.filter(|_| off_ci && !ctx.reporting.json && report.reason == ExitReason::Uploaded) {
        print(id);
    }
    report
}

/// Publishes a report that was made from others; `kept` are files in the results folder that it shows.
pub(super) fn again(
    around: &Surroundings,
    plan: &Plan,
    mut report: RunReport,
    kept: &BTreeSet<String>,
) -> RunReport {
    let publisher = Publisher {
        gate: Some(&plan.gate),
        annotations: plan.report.annotations,
        ..Publisher::without_plan(around, plan.command, Some(plan.report.dir.clone()))
    };
    // The requests of the run that is reported on, where it ran in this folder.
    let noted = plan.report.dir.join(report::DIAGNOSTICS).is_file();
    let mut keep = kept.clone();
    keep.extend(noted.then(|| report::DIAGNOSTICS.to_owned()));
    report::clear(&plan.report.dir, &keep);
    report.page_url = publisher.page_url();
    report.files = publisher.files(&RunState::default());
    report.files.retain(|file| file != report::DIAGNOSTICS || noted);
    report.files.extend(kept.iter().cloned());
    report.redact(&around.secrets);
    publisher.tell(report)
}

/// The report itself broke: the one of before, which says that it is unfinished, stays, and the host learns the end.
pub(super) fn end_without_report(ctx: &Context, failure: &Failure) {
    let publisher = Publisher::of(ctx);
    let reason = failure.reason;
    log_failure(&ctx.log, failure);
    publisher.outputs(vec![
        ("status", reason.status().as_str().to_owned()),
        ("exit-code", reason.exit_code().to_string()),
        ("exit-reason", reason.to_string()),
    ]);
    publisher.close(reason);
}

/// Publishes the end of an invocation that never had a plan, or no key: it still leaves a report, so that nobody reads an older
/// green one.
pub(super) fn end_without_plan(around: &Surroundings, failure: Failure) -> ExitReason {
    let command = config::command_of(&around.args, &around.env);
    if command.is_some_and(|command| !command.reports() && command != Command::Check) {
        log_failure(&around.log, &failure);
        return failure.reason;
    }
    let dir = config::results_dir(&around.args, &around.env, &around.cwd)
        .filter(|_| leaves_files(around, command, failure.reason));
    if let Some(dir) = &dir {
        report::clear(dir, &BTreeSet::new());
    }
    let state = RunState { failure: Some(failure), ..RunState::default() };
    Publisher::without_plan(around, command.unwrap_or_default(), dir).end(&state, ExitReason::Internal).reason
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

/// Logs a failure: what failed, why, what to do, and, always last, where its page is.
pub(super) fn log_failure(log: &Log, failure: &Failure) {
    log.failure(failure);
    log_remedy(log, failure.reason, failure.hints.is_empty());
}

fn log_remedy(log: &Log, reason: ExitReason, with_hint: bool) {
    if with_hint {
        log.hint(in_words(reason.remedy()));
    }
    // Whoever watches can ask at once; a log that is kept is read in a browser.
    log.more(match log.window() {
        Some(_) => format!("nunu-ci explain {reason}, or {}", reason.page()),
        None => reason.page(),
    });
}

/// A log has no code marks.
fn in_words(text: &str) -> String {
    text.replace('`', "")
}
