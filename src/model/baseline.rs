//! The finished earlier job that a job is compared with, earlier results of the same test, and what was carried over from an
//! earlier attempt: what the service remembers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::json_values;
use super::result::TestResult;
use super::units::Timestamp;

/// What a job is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Baseline {
    /// A finished job of the same test.
    Found(Box<BaselineRun>),
    /// There is none; why, in words.
    Absent(String),
    /// There may be one, but it could not be read; why, in words.
    Unreadable(String),
}

impl Baseline {
    /// The job, when there is one.
    pub(crate) fn run(&self) -> Option<&BaselineRun> {
        match self {
            Self::Found(run) => Some(run),
            Self::Absent(_) | Self::Unreadable(_) => None,
        }
    }
}

/// Which rule chose a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum BaselineRule {
    /// A job that tested the commit where the pull request left its base.
    MergeBase,
    /// The newest job of the branch that the pull request goes into.
    BaseBranch,
    /// The newest earlier job of the same branch.
    SameBranch,
    /// The newest job of the branch that the setting `baseline` names.
    NamedBranch,
}

impl BaselineRule {
    /// The word in files for machines.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MergeBase => "merge-base",
            Self::BaseBranch => "base-branch",
            Self::SameBranch => "same-branch",
            Self::NamedBranch => "named-branch",
        }
    }
}

/// A finished job of the same test, with a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BaselineRun {
    /// Its id.
    pub(crate) job_id: String,
    /// Its deciding run.
    pub(crate) run_id: String,
    /// Dashboard link of that run.
    pub(crate) url: Option<String>,
    /// Branch that it tested.
    pub(crate) branch: String,
    /// Commit that it tested.
    pub(crate) commit: Option<String>,
    /// When it ended.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) finished_at: Option<Timestamp>,
    /// Why it was chosen.
    pub(crate) rule: BaselineRule,
    /// What it came to.
    pub(crate) result: TestResult,
    /// Distinct bugs that it showed.
    pub(crate) bugs: Vec<KnownBug>,
}

/// A bug of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct KnownBug {
    /// Id of the bug.
    pub(crate) bug_id: String,
    /// Its title.
    pub(crate) title: String,
    /// Its severity, as given.
    pub(crate) severity: Option<String>,
}

/// Earlier results of one test on one branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct History {
    /// The branch.
    pub(crate) branch: String,
    /// Finished results, the newest first.
    pub(crate) results: Vec<PastResult>,
}

/// One earlier result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PastResult {
    /// Run that gave it.
    pub(crate) run_id: String,
    /// Dashboard link of that run.
    pub(crate) url: Option<String>,
    /// Commit that was tested.
    pub(crate) commit: Option<String>,
    /// What it came to; `None` when the service gave none.
    pub(crate) result: Option<TestResult>,
    /// When it ended.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) finished_at: Option<Timestamp>,
    /// How long it took.
    #[serde(rename = "duration_seconds", default, with = "json_values::some_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub(crate) duration: Option<Duration>,
    /// Goal of the first step that did not succeed, where that is known.
    pub(crate) failing_step: Option<String>,
}

impl History {
    /// How many passed, failed, and came to something else; their sum is the number of results.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let count = |wanted: &TestResult| {
            self.results.iter().filter(|past| past.result.as_ref() == Some(wanted)).count()
        };
        let (passed, failed) = (count(&TestResult::Success), count(&TestResult::Failed));
        (passed, failed, self.results.len() - passed - failed)
    }

    /// The median duration of the results that passed.
    pub(crate) fn usual_duration(&self) -> Option<Duration> {
        let passed = self.results.iter().filter(|past| past.result == Some(TestResult::Success));
        let mut times: Vec<Duration> = passed.filter_map(|past| past.duration).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}

/// A job that an earlier attempt of the same CI run started, and that counts in this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CarriedOver {
    /// That attempt, from 1.
    pub(crate) attempt: u32,
}
