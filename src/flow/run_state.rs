//! What has happened so far: everything the report will need, gathered as it becomes known.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::run_report::{LeftRunning, StartProblem};
use crate::model::{Build, Failure};

use super::starts::Starts;
use super::stopwatch::Stopwatch;
use super::tracked_job::{PollBy, Tracked};

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct RunState {
    /// The build; `None` until one was looked at.
    pub(super) build: Option<Build>,
    /// Names of tests and plans, by id, as far as the service told them.
    pub(super) names: BTreeMap<String, String>,
    /// Jobs of every start, in the order of the run config.
    pub(super) jobs: Vec<Tracked>,
    /// Starts that gave no or not all jobs.
    pub(super) problems: Vec<StartProblem>,
    /// The starts on their way; `None` before anything is started.
    pub(super) starts: Option<Starts>,
    /// A start that ends everything: a refused key, or one of which nobody knows whether it took effect.
    pub(super) start_failure: Option<Failure>,
    /// The first start that the service refused.
    pub(super) first_refusal: Option<Failure>,
    /// What may still run although we wanted it stopped.
    pub(super) left_running: Vec<LeftRunning>,
    /// True once what runs was left to itself, as the user wants.
    pub(super) left_on_purpose: bool,
    /// Things to look at that changed nothing.
    pub(super) warnings: Vec<String>,
    /// Files that are about to be downloaded, below the results folder.
    pub(super) downloads: Vec<String>,
    /// First plan execution.
    pub(super) test_plan_execution_id: Option<String>,
    /// True once jobs are followed, so that the gate has something to say.
    pub(super) waited: bool,
    /// Runs since the first start: the timeout counts from there.
    pub(super) clock: Option<Stopwatch>,
    /// Why we ended on our side, if we did.
    pub(super) failure: Option<Failure>,
}

impl RunState {
    /// Notes which jobs we had stopped.
    pub(super) fn stopped_by_us<'a>(&mut self, ids: impl Iterator<Item = &'a String>) {
        let ids: BTreeSet<&String> = ids.collect();
        for tracked in self.jobs.iter_mut().filter(|tracked| ids.contains(&tracked.report.job_id)) {
            tracked.report.stopped_by_us = true;
        }
    }

    /// What still runs, as far as we know, and was not told yet, is left so.
    pub(super) fn give_up(&mut self, why: &str) {
        let Some(starts) = &self.starts else { return };
        for rest in starts.protocol.left() {
            let tag = starts.posts.get(&rest.post).map(|posted| posted.start().tag.clone());
            let told = self.left_running.iter().any(|left| left.tag == tag && left.job_ids == rest.jobs);
            if !told {
                self.left_running.push(LeftRunning { job_ids: rest.jobs, tag, why: why.to_owned() });
            }
        }
    }

    /// Everything that counts as progress, in one string.
    pub(super) fn fingerprint(&self) -> String {
        self.jobs.iter().map(Tracked::fingerprint).collect::<Vec<_>>().join("|")
    }

    /// Tags whose jobs are worth one list call instead of several single ones; `own` is this invocation's.
    pub(super) fn groups_to_list(&self, own: &str) -> Vec<String> {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        for tracked in
            self.jobs.iter().filter(|tracked| tracked.is_unfinished() && tracked.poll == PollBy::Job)
        {
            if let Some(group) = &tracked.group {
                *sizes.entry(group).or_default() += 1;
            }
        }
        let mut tags: Vec<String> =
            sizes.into_iter().filter(|&(_, size)| size > 1).map(|(tag, _)| tag.to_owned()).collect();
        let late = self.starts.as_ref().is_some_and(|starts| starts.protocol.may_show_more());
        if late && !tags.iter().any(|tag| tag == own) {
            tags.push(own.to_owned());
        }
        tags
    }
}
