//! What has happened so far: everything the report will need, gathered as it becomes known.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::run_report::{LeftRunning, StartProblem};
use crate::model::{Build, Failure};

use super::clock::Stopwatch;
use super::tags::PostTag;
use super::track::{PollBy, Tracked};

/// The story so far.
#[derive(Debug, Default)]
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
    /// Records of this invocation, with the jobs they stand for.
    pub(super) records: BTreeMap<String, BTreeSet<String>>,
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

impl Story {
    /// Adds the jobs of a start that the record with that id stands for.
    pub(super) fn add(&mut self, jobs: Vec<Tracked>, record: &str) {
        let ids = jobs.iter().map(|tracked| tracked.report.job_id.clone());
        self.records.entry(record.to_owned()).or_default().extend(ids);
        self.jobs.extend(jobs);
    }

    /// Ids of jobs that the service still works on, as far as we know.
    #[must_use]
    pub(super) fn unfinished_jobs(&self) -> Vec<String> {
        self.jobs.iter().filter(|job| job.is_unfinished()).map(|job| job.report.job_id.clone()).collect()
    }

    /// Runs that are followed without a job id to stop them by.
    #[must_use]
    pub(super) fn runs_without_job(&self) -> BTreeSet<String> {
        let nameless = |job: &&Tracked| matches!(&job.poll, PollBy::Run(run) if *run == job.report.job_id);
        self.jobs.iter().filter(nameless).map(|job| job.report.job_id.clone()).collect()
    }

    /// Notes which jobs we had stopped.
    pub(super) fn stopped_by_us<'a>(&mut self, ids: impl Iterator<Item = &'a String>) {
        let ids: BTreeSet<&String> = ids.collect();
        for tracked in self.jobs.iter_mut().filter(|tracked| ids.contains(&tracked.report.job_id)) {
            tracked.report.stopped_by_us = true;
        }
    }

    /// The tag of the start that these jobs belong to, when they share one.
    #[must_use]
    pub(super) fn tag_of(&self, job_ids: &[String]) -> Option<String> {
        let first = job_ids.first()?;
        self.jobs.iter().find(|tracked| tracked.report.job_id == *first)?.group.clone()
    }

    /// The jobs behind this tag were found and stopped: nothing about it is unclear any more.
    pub(super) fn settle_tag(&mut self, tag: &str) {
        self.unclear.retain(|(unclear, record)| {
            let settled = unclear.as_str() == tag;
            if settled {
                self.records.entry(record.clone()).or_default();
            }
            !settled
        });
        self.left_running.retain(|left| left.tag.as_deref() != Some(tag) || !left.job_ids.is_empty());
    }

    /// What still runs, as far as we know, and was not told yet, is left so.
    pub(super) fn give_up(&mut self, why: &str) {
        let told: BTreeSet<&String> = self.left_running.iter().flat_map(|left| &left.job_ids).collect();
        let ids: Vec<String> = self.unfinished_jobs().into_iter().filter(|id| !told.contains(id)).collect();
        let tags: Vec<String> = self.unclear.iter().map(|(tag, _)| tag.as_str().to_owned()).collect();
        if !ids.is_empty() {
            let tag = self.tag_of(&ids);
            self.left_running.push(LeftRunning { job_ids: ids, tag, why: why.to_owned() });
        }
        for tag in tags {
            self.left_running.push(LeftRunning { job_ids: Vec::new(), tag: Some(tag), why: why.to_owned() });
        }
    }

    /// Everything that counts as progress, in one string.
    #[must_use]
    pub(super) fn fingerprint(&self) -> String {
        self.jobs.iter().map(Tracked::fingerprint).collect::<Vec<_>>().join("|")
    }

    /// Tags whose jobs are worth one list call instead of several single ones; `own` is this invocation's.
    #[must_use]
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
        if !self.abandoned.is_empty() && !tags.iter().any(|tag| tag == own) {
            tags.push(own.to_owned());
        }
        tags
    }
}
