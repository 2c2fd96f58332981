//! The gate: what the results of all jobs mean for the CI job. Pure; the only place that decides.

use serde::{Deserialize, Serialize};

use super::delta::{BugChange, Delta, TestChange};
use super::exit_reason::ExitReason;
use super::job::{Bug, Confidence, Severity};
use super::json_values;

/// Results and bugs that count against the build; the setting `fail-on`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one word of the setting, independent of the others"
)]
pub(crate) struct FailOn {
    /// FAILED counts.
    pub(crate) failed: bool,
    /// ERROR counts.
    pub(crate) error: bool,
    /// TIMEOUT counts.
    pub(crate) timeout: bool,
    /// BLOCKED counts.
    pub(crate) blocked: bool,
    /// STOPPED counts.
    pub(crate) stopped: bool,
    /// SKIPPED counts.
    pub(crate) skipped: bool,
    /// Bugs this severe or worse, with this confidence or better, count.
    pub(crate) bugs: Vec<BugGate>,
    /// The same for bugs that no baseline shows.
    pub(crate) new_bugs: Vec<BugGate>,
    /// A FAILED of a test whose baseline passed, or that has none, counts.
    pub(crate) newly_failed: bool,
}

impl FailOn {
    /// True when it needs to be known what is new since the baseline.
    pub(crate) fn asks_what_is_new(&self) -> bool {
        self.newly_failed || !self.new_bugs.is_empty()
    }
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
            new_bugs: Vec::new(),
            newly_failed: false,
        }
    }
}

/// One `bugs:<severity>[:<confidence>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BugGate {
    /// This severity or worse.
    pub(crate) severity: Severity,
    /// This confidence or better.
    pub(crate) confidence: Confidence,
}

/// What a quarantine entry names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Quarantined {
    /// A bug, by `bug_id`.
    Bug(String),
    /// A test, by id (or, before resolution, by name).
    Test(String),
}

/// One entry of `gate.quarantine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Quarantine {
    /// What is tolerated.
    #[serde(flatten)]
    pub(crate) what: Quarantined,
    /// Last day on which it is tolerated.
    #[serde(with = "json_values::day")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) until: chrono::NaiveDate,
    /// Why.
    pub(crate) reason: String,
}

/// Days before its last one from which an entry is named.
const LAPSES_SOON: i64 = 7;

impl Quarantine {
    /// In words, when it lapses within a week: somebody has to decide what comes after it.
    pub(crate) fn lapses_soon(&self, today: chrono::NaiveDate) -> Option<String> {
        let left = (self.until - today).num_days();
        let when = match left {
            0 => "today".to_owned(),
            1 => "tomorrow".to_owned(),
            2..=LAPSES_SOON => format!("in {left} days, on {}", self.until),
            _ => return None,
        };
        Some(format!("the quarantine of {} ends {when}: {}", self.what, self.reason))
    }
}

impl std::fmt::Display for Quarantined {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bug(id) => write!(out, "bug {id}"),
            Self::Test(id) => write!(out, "test {id}"),
        }
    }
}

/// The gate part of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Gate {
    /// What fails the job.
    pub(crate) fail_on: FailOn,
    /// What is tolerated until a day.
    pub(crate) quarantine: Vec<Quarantine>,
}

/// How one test stands against the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum GateStatus {
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
pub(crate) enum Counted {
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
    pub(crate) const fn as_str(self) -> &'static str {
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
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::NoVerdict => "without a verdict",
            other => other.as_str(),
        }
    }
}

/// How many tests came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Counts {
    /// Tests in all, the sum of the others; the output `tests-total`.
    #[serde(rename = "tests")]
    pub(crate) total: usize,
    /// See [`Counted::Passed`]; the output `tests-passed`.
    pub(crate) passed: usize,
    /// See [`Counted::Failed`]; the output `tests-failed`.
    pub(crate) failed: usize,
    /// See [`Counted::NoVerdict`].
    pub(crate) no_verdict: usize,
    /// See [`Counted::Stopped`].
    pub(crate) stopped: usize,
    /// See [`Counted::Skipped`].
    pub(crate) skipped: usize,
    /// See [`Counted::Tolerated`].
    pub(crate) tolerated: usize,
}

impl Counts {
    /// The six, in the order of the documentation.
    pub(crate) const fn parts(&self) -> [(usize, Counted); 6] {
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
pub(crate) struct Judgement {
    /// How it stands.
    pub(crate) standing: GateStatus,
    /// What it is counted as.
    pub(crate) counted: Counted,
    /// The reason it alone would give the job; `Passed` when it does not count.
    pub(crate) reason: ExitReason,
    /// Why, in a few words: `FAILED`, `queue rejected: ...`, `quarantined until 2027-01-31: flaky device`.
    pub(crate) because: String,
    /// True when an earlier attempt did not succeed but the deciding one did.
    pub(crate) flaky: bool,
    /// How it stands beside its baseline.
    pub(crate) change: Option<TestChange>,
}

/// A distinct bug of the deciding runs and what the gate makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JudgedBug {
    /// The worst occurrence.
    pub(crate) bug: Bug,
    /// Indices of the tests whose deciding run shows it.
    pub(crate) jobs: Vec<usize>,
    /// True when it meets a bug gate and nothing tolerates it.
    pub(crate) counts: bool,
    /// Reason of the quarantine that tolerates it.
    pub(crate) quarantined: Option<String>,
    /// How it stands beside the baseline.
    pub(crate) change: BugChange,
}

/// The gate's word on everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The reason that the results give.
    pub(crate) reason: ExitReason,
    /// One for each test.
    pub(crate) judgements: Vec<Judgement>,
    /// Distinct bugs, worst first.
    pub(crate) bugs: Vec<JudgedBug>,
    /// What changed since the baseline; `None` when the service was not asked for one.
    pub(crate) delta: Option<Delta>,
    /// Expired or unused quarantine entries and the like, in words.
    pub(crate) warnings: Vec<String>,
}

impl Verdict {
    /// How many tests came to what.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for judgement in &self.judgements {
            counts.add(judgement.counted);
        }
        counts
    }

    /// Distinct bugs, quarantined ones included; the output `bugs-total`.
    pub(crate) fn bugs_total(&self) -> usize {
        self.bugs.len()
    }
}
