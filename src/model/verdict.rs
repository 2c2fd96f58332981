//! The gate: what the results of all jobs mean for the CI job. Pure; the only place that decides.

use serde::Serialize;

use super::failure::Reason;
use super::run_report::{Bug, Confidence, Severity};

/// Results and bugs that count against the build; the setting `fail-on`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one word of the setting, independent of the others"
)]
pub struct FailOn {
    /// FAILED counts.
    pub failed: bool,
    /// ERROR counts.
    pub error: bool,
    /// TIMEOUT counts.
    pub timeout: bool,
    /// BLOCKED counts.
    pub blocked: bool,
    /// STOPPED counts.
    pub stopped: bool,
    /// SKIPPED counts.
    pub skipped: bool,
    /// Bugs this severe or worse, with this confidence or better, count.
    pub bugs: Vec<BugGate>,
}

impl Default for FailOn {
    fn default() -> Self {
        Self {
            failed: true,
            error: true,
            timeout: true,
            blocked: true,
            stopped: true,
            skipped: false,
            bugs: Vec::new(),
        }
    }
}

/// One `bugs:<severity>[:<confidence>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BugGate {
    /// This severity or worse.
    pub severity: Severity,
    /// This confidence or better.
    pub confidence: Confidence,
}

/// What a quarantine entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quarantined {
    /// A bug, by `bug_id`.
    Bug(String),
    /// A test, by id (or, before resolution, by name).
    Test(String),
}

/// One entry of `gate.quarantine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// What is tolerated.
    pub what: Quarantined,
    /// Last day on which it is tolerated.
    pub until: chrono::NaiveDate,
    /// Why.
    pub reason: String,
}

/// The gate part of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// What fails the job.
    pub fail_on: FailOn,
    /// What is tolerated until a day.
    pub quarantine: Vec<Quarantine>,
}

/// How one job stands against the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Standing {
    /// SUCCESS, and no bug gate met.
    Passed,
    /// Counts against the gate.
    Failed,
    /// Would count, but `fail-on`, a quarantine or `required: false` leaves it out.
    Tolerated,
    /// Says nothing about the build and does not count: SKIPPED and the like.
    Inconclusive,
}

/// The gate's word on one job; same order as the report's jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// How it stands.
    pub standing: Standing,
    /// The reason it alone would give the job; `Passed` when it does not count.
    pub reason: Reason,
    /// Why, in a few words: `FAILED`, `queue rejected: ...`, `quarantined until 2027-01-31: flaky device`.
    pub because: String,
    /// True when an earlier attempt did not succeed but the deciding one did.
    pub flaky: bool,
}

/// A distinct bug of the deciding runs and what the gate makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedBug {
    /// The worst occurrence.
    pub bug: Bug,
    /// Indices of the jobs whose deciding run shows it.
    pub jobs: Vec<usize>,
    /// True when it meets a bug gate and nothing tolerates it.
    pub counts: bool,
    /// Reason of the quarantine that tolerates it.
    pub quarantined: Option<String>,
}

/// The gate's word on everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The reason that the results give.
    pub reason: Reason,
    /// One for each job.
    pub judgements: Vec<Judgement>,
    /// Distinct bugs, worst first.
    pub bugs: Vec<JudgedBug>,
    /// Expired or unused quarantine entries and the like, in words.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// Jobs in all; the output `tests-total`.
    #[must_use]
    pub fn total(&self) -> usize {
        self.judgements.len()
    }

    /// Jobs that count against the gate; the output `tests-failed`.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.judgements.iter().filter(|judgement| judgement.standing == Standing::Failed).count()
    }

    /// Distinct bugs, quarantined ones included; the output `bugs-total`.
    #[must_use]
    pub fn bugs_total(&self) -> usize {
        self.bugs.len()
    }
}
