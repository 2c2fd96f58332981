//! Redaction of whole values, before any renderer sees them. Every field of every type of a report is named here, as a text or as
//! plain, so that a new one cannot be forgotten: the compiler asks.

use std::borrow::Cow;

use super::baseline::{Baseline, BaselineRun, History, KnownBug, PastResult};
use super::build::Build;
use super::delta::Delta;
use super::failure::Failure;
use super::given::SeenBuild;
use super::job::{Artifact, Attempt, Bug, Job, JobStatus, Player, Step, StepItem};
use super::result::TestResult;
use super::run_report::{Context, LeftRunning, RunReport, StartProblem, Suspect};
use super::secrets::Secrets;
use super::verdict::{Gate, JudgedBug, Judgement, Quarantine, Verdict};

/// What holds texts that may hold secrets.
pub(crate) trait Redact {
    /// Replaces every secret in it.
    fn redact(&mut self, secrets: &Secrets);
}

impl Redact for String {
    fn redact(&mut self, secrets: &Secrets) {
        if let Cow::Owned(clean) = secrets.redact(self) {
            *self = clean;
        }
    }
}

impl<T: Redact> Redact for Option<T> {
    fn redact(&mut self, secrets: &Secrets) {
        if let Some(value) = self {
            value.redact(secrets);
        }
    }
}

impl<T: Redact> Redact for Vec<T> {
    fn redact(&mut self, secrets: &Secrets) {
        for value in self {
            value.redact(secrets);
        }
    }
}

impl Redact for serde_json::Value {
    fn redact(&mut self, secrets: &Secrets) {
        match self {
            Self::String(text) => text.redact(secrets),
            Self::Array(items) => items.iter_mut().for_each(|item| item.redact(secrets)),
            Self::Object(fields) => fields.values_mut().for_each(|field| field.redact(secrets)),
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
        }
    }
}

impl Redact for Baseline {
    fn redact(&mut self, secrets: &Secrets) {
        match self {
            Self::Found(run) => run.redact(secrets),
            Self::Absent(why) | Self::Unreadable(why) => why.redact(secrets),
        }
    }
}

impl Redact for JobStatus {
    fn redact(&mut self, secrets: &Secrets) {
        if let Self::Unknown(word) = self {
            word.redact(secrets);
        }
    }
}

impl Redact for TestResult {
    fn redact(&mut self, secrets: &Secrets) {
        if let Self::Unknown(word) = self {
            word.redact(secrets);
        }
    }
}

/// Values that are outputs, or lead to one: only the key is replaced in them.
trait RedactOutput {
    fn redact_output(&mut self, secrets: &Secrets);
}

impl RedactOutput for String {
    fn redact_output(&mut self, secrets: &Secrets) {
        if let Cow::Owned(clean) = secrets.redact_output(self) {
            *self = clean;
        }
    }
}

impl RedactOutput for Option<String> {
    fn redact_output(&mut self, secrets: &Secrets) {
        if let Some(value) = self {
            value.redact_output(secrets);
        }
    }
}

impl RedactOutput for Vec<String> {
    fn redact_output(&mut self, secrets: &Secrets) {
        for value in self {
            value.redact_output(secrets);
        }
    }
}

/// Names every field of a type: those that hold texts, those that we output, and the others.
macro_rules! fields {
    ($($type:ident { texts { $($text:ident),* } outputs { $($output:ident),* } others { $($other:ident),* } })*) => {$(
        impl Redact for $type {
            fn redact(&mut self, secrets: &Secrets) {
                let Self { $($text,)* $($output,)* $($other: _,)* } = self;
                $($text.redact(secrets);)*
                $($output.redact_output(secrets);)*
            }
        }
    )*};
}

fields! {
    RunReport {
        texts { context, files, page_url, build, jobs, starts, gate, verdict, failure, left_running, suspects, warnings, run_config }
        outputs { test_plan_execution_id }
        others { command, reason, started_at, finished_at, duration, unfinished }
    }
    Context {
        texts { ci, ci_url, commit, commit_subject, branch, pull_request_title, repository_url, build_number }
        outputs {}
        others { pull_request }
    }
    Build {
        texts { name, file_name }
        outputs { id, sha256 }
        others { origin, platform, size_bytes }
    }
    Job {
        texts { run, test_id, test_name, device, status, queue_rejection, stopped_by, lost, attempts, tags, baseline, history }
        outputs { job_id, run_id, project_id, test_plan_execution_id, deployment_config, build_id }
        others { required, stopped_by_us, created_at, completed_at, instances, instance, given, carried_over }
    }
    Attempt {
        texts { state, result, players, bugs, unreadable, builds }
        outputs { run_id, url }
        others { started_at, completed_at, duration, bug_count }
    }
    SeenBuild {
        texts {}
        outputs { id }
        others { player }
    }
    Player {
        texts { device, state, result, steps, artifacts, log_tail }
        outputs { id, url }
        others { number, steps_left_out }
    }
    Step {
        texts { goal, state, result, report, items }
        outputs {}
        others { number, started_at, ended_at, duration }
    }
    StepItem {
        texts { id, expected, status, comment }
        outputs {}
        others {}
    }
    Artifact {
        texts { file_name, url, saved_as }
        outputs {}
        others { size_bytes }
    }
    Bug {
        texts {
            id, bug_id, title, description, category, severity, confidence, reproduction_steps, test_step, screenshot_url,
            screenshot_saved_as
        }
        outputs {}
        others { player_number, detected_at }
    }
    BaselineRun {
        texts { branch, commit, result, bugs }
        outputs { job_id, run_id, url }
        others { finished_at, rule }
    }
    KnownBug {
        texts { bug_id, title, severity }
        outputs {}
        others {}
    }
    History {
        texts { branch, results }
        outputs {}
        others {}
    }
    PastResult {
        texts { commit, result, failing_step }
        outputs { run_id, url }
        others { finished_at, duration }
    }
    Delta {
        texts { bugs_fixed }
        outputs {}
        others {
            bugs_new, bugs_known, bugs_unclear, tests_newly_failing, tests_still_failing, tests_fixed,
            baselines_unreadable, baselines_absent
        }
    }
    Suspect {
        texts { commit, subject }
        outputs {}
        others {}
    }
    StartProblem {
        texts { run, device, message, tag }
        outputs {}
        others {}
    }
    LeftRunning {
        texts { tag, why }
        outputs { job_ids }
        others {}
    }
    Gate {
        texts { quarantine }
        outputs {}
        others { fail_on }
    }
    Quarantine {
        texts { reason }
        outputs {}
        others { what, until }
    }
    Verdict {
        texts { judgements, bugs, delta, warnings }
        outputs {}
        others { reason }
    }
    Judgement {
        texts { because }
        outputs {}
        others { standing, counted, reason, flaky, change }
    }
    JudgedBug {
        texts { bug, quarantined }
        outputs {}
        others { jobs, counts, change }
    }
    Failure {
        texts { message, causes, hints }
        outputs {}
        others { reason }
    }
}
