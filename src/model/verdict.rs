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

/// How one test stands against the gate.
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

/// What a test is counted as; each is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Counted {
    /// SUCCESS, and no bug gate met.
    Passed,
    /// A verdict against the product that counts.
    Failed,
    /// ERROR, TIMEOUT, BLOCKED, refused by the queue, missing, unreadable or unknown.
    NoVerdict,
    /// Somebody, or this job, stopped it.
    Stopped,
    /// SKIPPED, and that does not count.
    Skipped,
    /// Would count, but `fail-on`, a quarantine or `required: false` leaves it out.
    Tolerated,
}

impl Counted {
    /// The word in files for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NoVerdict => "no-verdict",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
            Self::Tolerated => "tolerated",
        }
    }

    /// The words behind a number, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoVerdict => "without a verdict",
            other => other.as_str(),
        }
    }
}

/// How many tests came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Tests in all, the sum of the others; the output `tests-total`.
    #[serde(rename = "tests")]
    pub total: usize,
    /// See [`Counted::Passed`]; the output `tests-passed`.
    pub passed: usize,
    /// See [`Counted::Failed`]; the output `tests-failed`.
    pub failed: usize,
    /// See [`Counted::NoVerdict`].
    pub no_verdict: usize,
    /// See [`Counted::Stopped`].
    pub stopped: usize,
    /// See [`Counted::Skipped`].
    pub skipped: usize,
    /// See [`Counted::Tolerated`].
    pub tolerated: usize,
}

impl Counts {
    /// The six, in the order of the documentation.
    #[must_use]
    pub const fn parts(&self) -> [(usize, Counted); 6] {
        [
            (self.passed, Counted::Passed),
            (self.failed, Counted::Failed),
            (self.no_verdict, Counted::NoVerdict),
            (self.stopped, Counted::Stopped),
            (self.skipped, Counted::Skipped),
            (self.tolerated, Counted::Tolerated),
        ]
    }

    fn add(&mut self, counted: Counted) {
        self.total += 1;
        *match counted {
            Counted::Passed => &mut self.passed,
            Counted::Failed => &mut self.failed,
            Counted::NoVerdict => &mut self.no_verdict,
            Counted::Stopped => &mut self.stopped,
            Counted::Skipped => &mut self.skipped,
            Counted::Tolerated => &mut self.tolerated,
        } += 1;
    }
}

/// The gate's word on one test; same order as the report's tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// How it stands.
    pub standing: Standing,
    /// What it is counted as.
    pub counted: Counted,
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
    /// Indices of the tests whose deciding run shows it.
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
    /// One for each test.
    pub judgements: Vec<Judgement>,
    /// Distinct bugs, worst first.
    pub bugs: Vec<JudgedBug>,
    /// Expired or unused quarantine entries and the like, in words.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// How many tests came to what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for judgement in &self.judgements {
            counts.add(judgement.counted);
        }
        counts
    }

    /// Distinct bugs, quarantined ones included; the output `bugs-total`.
    #[must_use]
    pub fn bugs_total(&self) -> usize {
        self.bugs.len()
    }
}
