//! The revision that a job tests, and where in which repository it belongs: what decides which earlier results its own are compared with.

/// What a job tests; everything is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    /// Link to the repository; of a change the one that it goes into.
    pub(crate) repository: Option<String>,
    /// Branch under test.
    pub(crate) branch: Option<String>,
    /// Pull or merge request.
    pub(crate) pull_request: Option<u64>,
    /// Branch that a pull request or merge queue goes into.
    pub(crate) target_branch: Option<String>,
    /// Commit of that branch on which the change stands.
    pub(crate) base_commit: Option<String>,
    /// Commit under test.
    pub(crate) commit: Option<String>,
}
