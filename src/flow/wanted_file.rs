//! A file of a run that is to be fetched.

use crate::model::TestResult;
use crate::model::job::Attempt;

/// Where the report names a downloaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The artifact of a player, by its index.
    Artifact(String, usize),
    /// The screenshot of a bug, by the bug's index.
    Bug(usize),
}

/// One file to fetch.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) run: String,
    pub(super) place: Place,
    pub(super) url: String,
    pub(super) size: Option<u64>,
    /// Below the results folder, with `/`.
    pub(super) relative: String,
}

/// True for runs whose files are worth a look.
pub(super) fn did_not_pass(run: &Attempt) -> bool {
    !matches!(run.result, Some(TestResult::Success | TestResult::Skipped))
}
