//! What has happened so far: everything the report will need, gathered as it becomes known.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::run_report::{LeftRunning, StartProblem};
use crate::model::{Build, Failure};

use super::tags::PostTag;
use super::track::Tracked;

/// The story so far.
#[derive(Debug)]
pub(super) struct Story {
    /// The build; `None` until one was looked at.
    pub(super) build: Option<Build>,
    /// Jobs of every start, in the order of the run config.
    pub(super) jobs: Vec<Tracked>,
    /// Starts that gave no or not all jobs.
    pub(super) problems: Vec<StartProblem>,
    /// Posts whose answer never came and whose jobs nobody has found yet, with the record that knows them.
    pub(super) unclear: Vec<(PostTag, String)>,
    /// Posts that were given up for a later one; jobs of theirs that still appear are stopped.
    pub(super) abandoned: BTreeSet<String>,
    /// Records of this invocation by the job ids they stand for.
    pub(super) records: BTreeMap<String, BTreeSet<String>>,
    /// What may still run although we wanted it stopped.
    pub(super) left_running: Vec<LeftRunning>,
    /// Things to look at that changed nothing.
    pub(super) warnings: Vec<String>,
    /// First plan execution.
    pub(super) test_plan_execution_id: Option<String>,
    /// True once the jobs are followed to their end, so that the gate has something to say.
    pub(super) waited: bool,
    /// Why we ended on our side, if we did.
    pub(super) failure: Option<Failure>,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            build: None,
            jobs: Vec::new(),
            problems: Vec::new(),
            unclear: Vec::new(),
            abandoned: BTreeSet::new(),
            records: BTreeMap::new(),
            left_running: Vec::new(),
            warnings: Vec::new(),
            test_plan_execution_id: None,
            waited: false,
            failure: None,
        }
    }
}
