//! What is new since the baseline. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::baseline::{Baseline, KnownBug};
use super::job::Job;
use super::result::TestResult;

/// How a test stands beside its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum TestChange {
    /// It failed, and the baseline passed or there is none.
    NewlyFailing,
    /// It failed, as the baseline did.
    StillFailing,
    /// It passed, and the baseline failed.
    Fixed,
    /// It failed, and the baseline could not be read.
    Unclear,
}

impl TestChange {
    /// The word in files for machines.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NewlyFailing => "newly-failing",
            Self::StillFailing => "still-failing",
            Self::Fixed => "fixed",
            Self::Unclear => "unclear",
        }
    }
}

/// How a bug stands beside the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum BugChange {
    /// No baseline shows it.
    New,
    /// A baseline shows it.
    Known,
    /// A baseline that could not be read may show it.
    Unclear,
}

/// What changed since the baseline, over all tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Delta {
    /// Bugs that no baseline shows; the output `bugs-new`.
    pub(crate) bugs_new: usize,
    /// Bugs that a baseline shows.
    pub(crate) bugs_known: usize,
    /// Bugs of which neither can be said.
    pub(crate) bugs_unclear: usize,
    /// Bugs that only a baseline shows; the output `bugs-fixed` is their number.
    pub(crate) bugs_fixed: Vec<KnownBug>,
    /// Tests that fail and did not; the output `tests-newly-failing`.
    pub(crate) tests_newly_failing: usize,
    /// Tests that fail as before.
    pub(crate) tests_still_failing: usize,
    /// Tests that pass and did not.
    pub(crate) tests_fixed: usize,
    /// Tests whose baseline could not be read.
    pub(crate) baselines_unreadable: usize,
    /// Tests without a baseline.
    pub(crate) baselines_absent: usize,
}

/// True when the service was asked for baselines: without one, every word about what is new would be an empty one.
pub(super) fn was_asked(jobs: &[Job]) -> bool {
    jobs.iter().any(|job| job.baseline.is_some())
}

/// How a test that failed or passed stands beside its baseline; `None` for every other result, and where nobody asked for one.
pub(super) fn test_change(job: &Job, result: &TestResult) -> Option<TestChange> {
    let failed_before = match job.baseline.as_ref()? {
        Baseline::Found(run) => run.result == TestResult::Failed,
        Baseline::Absent(_) => false,
        Baseline::Unreadable(_) => return (*result == TestResult::Failed).then_some(TestChange::Unclear),
    };
    match (result, failed_before) {
        (TestResult::Failed, true) => Some(TestChange::StillFailing),
        (TestResult::Failed, false) => Some(TestChange::NewlyFailing),
        (TestResult::Success, true) => Some(TestChange::Fixed),
        _ => None,
    }
}

/// Bugs of all baselines.
pub(super) struct KnownBugs<'a> {
    ids: BTreeSet<&'a str>,
}

impl<'a> KnownBugs<'a> {
    pub(super) fn of(jobs: &'a [Job]) -> Self {
        let runs = jobs.iter().filter_map(|job| job.baseline.as_ref()?.run());
        Self { ids: runs.flat_map(|run| &run.bugs).map(|bug| bug.bug_id.as_str()).collect() }
    }

    /// How a bug that these jobs show stands beside the baselines.
    pub(super) fn change(&self, bug_id: &str, shown_by: &[&Job]) -> BugChange {
        if self.ids.contains(bug_id) {
            BugChange::Known
        } else if shown_by.iter().any(|job| matches!(job.baseline, Some(Baseline::Unreadable(_)))) {
            BugChange::Unclear
        } else {
            BugChange::New
        }
    }
}

/// Bugs that only the baselines show. A test without a verdict, or whose bugs are not all known, may still show what its baseline
/// did: `looked_at` says of which tests everything is known.
pub(super) fn fixed_bugs(
    jobs: &[Job],
    looked_at: impl Fn(&Job) -> bool,
    now: &BTreeSet<&str>,
) -> Vec<KnownBug> {
    let mut gone: BTreeMap<&str, &KnownBug> = BTreeMap::new();
    let mut open: BTreeSet<&str> = now.clone();
    for job in jobs {
        let bugs = job.baseline.as_ref().and_then(|baseline| baseline.run()).map(|run| &run.bugs);
        for bug in bugs.into_iter().flatten() {
            if looked_at(job) {
                gone.insert(&bug.bug_id, bug);
            } else {
                open.insert(&bug.bug_id);
            }
        }
    }
    gone.into_iter().filter(|(id, _)| !open.contains(id)).map(|(_, bug)| bug.clone()).collect()
}
