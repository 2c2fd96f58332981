//! What lists of runs tell of earlier jobs of a test, and which of them is the baseline. Pure.
//!
//! Nothing is read from the order of lists and pages: the service promises none.

use std::collections::{BTreeMap, BTreeSet};

use crate::ci::Revision;
use crate::config::BaselineOf;
use crate::model::TestResult;
use crate::model::baseline::{BaselineRule, History, PastResult};
use crate::model::job::{Attempt, Job};
use crate::model::units::Timestamp;

use super::place_tags::commit_of;

/// Results of a history.
pub(super) const HISTORY: usize = 20;

/// What results are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) repository: String,
    pub(super) branch: String,
    pub(super) rule: BaselineRule,
    /// The commit whose results win, where they are there.
    pub(super) commit: Option<String>,
}

/// What the setting means for this revision: `None` where nothing is compared, an error in words where nobody can say with what.
pub(super) fn base_of(
    setting: &BaselineOf,
    revision: &Revision,
    on_ci: bool,
) -> Result<Option<Base>, String> {
    let target = revision.target_branch.as_deref();
    let (branch, rule) = match (setting, target) {
        (BaselineOf::Nothing, _) => return Ok(None),
        (BaselineOf::Auto, _) if !on_ci => return Ok(None),
        (BaselineOf::Branch(name), _) => (name.as_str(), BaselineRule::NamedBranch),
        (BaselineOf::Auto, Some(target)) => (target, BaselineRule::BaseBranch),
        (BaselineOf::Auto, None) if revision.pull_request.is_some() => {
            return Err(
                "this CI does not tell which branch the change goes into; name it: baseline: main".to_owned()
            );
        }
        (BaselineOf::Auto, None) => match revision.branch.as_deref() {
            Some(branch) => (branch, BaselineRule::SameBranch),
            None => return Err("it is not known which branch is tested; name one: baseline: main".to_owned()),
        },
    };
    let Some(repository) = revision.repository.clone() else {
        return Err("it is not known which repository is tested".to_owned());
    };
    let commit = revision.base_commit.clone().filter(|_| target == Some(branch));
    Ok(Some(Base { repository, branch: branch.to_owned(), rule, commit }))
}

/// What is looked for among runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) test: &'a str,
    pub(super) place: &'a str,
    /// Any of these.
    pub(super) weeks: &'a [String],
    /// None of these: what this CI run started itself.
    pub(super) own_tags: &'a [String],
    pub(super) own_jobs: &'a BTreeSet<String>,
}

/// A finished earlier job.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PastJob {
    pub(super) job_id: String,
    pub(super) commit: Option<String>,
    /// Devices of its players, in one text.
    pub(super) device: Option<String>,
    pub(super) finished_at: Option<Timestamp>,
    /// What it came to: of several instances the one that failed.
    pub(super) result: Option<TestResult>,
    /// The runs that decide, the one that speaks for the job first.
    pub(super) runs: Vec<Attempt>,
}

impl PastJob {
    /// The run that speaks for it.
    pub(super) fn run(&self) -> Option<&Attempt> {
        self.runs.first()
    }

    /// True for a verdict on the product: nothing else can be compared with.
    fn has_verdict(&self) -> bool {
        matches!(self.result, Some(TestResult::Success | TestResult::Failed))
    }

    fn fits(&self, device: Option<&str>) -> bool {
        device.is_none_or(|device| self.device.as_deref() == Some(device))
    }
}

/// The devices of a run's players in one text, where they are told.
pub(super) fn device_of(run: &Attempt) -> Option<String> {
    let devices: Option<Vec<&str>> = run.players.iter().map(|player| player.device.as_deref()).collect();
    devices.filter(|devices| !devices.is_empty()).map(|devices| devices.join(", "))
}

/// The finished jobs among runs that are wanted, the newest first.
pub(super) fn finished(runs: &[Job], wanted: Wanted<'_>) -> Vec<PastJob> {
    let has = |run: &Job, tag: &String| run.tags.contains(tag);
    let fits = |run: &&Job| {
        run.test_id.as_deref() == Some(wanted.test)
            && run.tags.iter().any(|tag| tag == wanted.place)
            && wanted.weeks.iter().any(|week| has(run, week))
            && !wanted.own_tags.iter().any(|tag| has(run, tag))
            && !wanted.own_jobs.contains(&run.job_id)
    };
    let mut by_job: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for run in runs.iter().filter(fits) {
        by_job.entry(&run.job_id).or_default().push(run);
    }
    let mut jobs: Vec<PastJob> = by_job.into_iter().filter_map(|(id, runs)| past_job(id, &runs)).collect();
    sort(&mut jobs);
    jobs
}

/// The newest first; equal times in one order, whatever the list's was.
pub(super) fn sort(jobs: &mut [PastJob]) {
    jobs.sort_by(|a, b| (b.finished_at, &b.job_id).cmp(&(a.finished_at, &a.job_id)));
}

/// A job from its runs; `None` while one of them goes on.
fn past_job(id: &str, runs: &[&Job]) -> Option<PastJob> {
    if !runs.iter().all(|run| run.is_completed()) {
        return None;
    }
    let mut attempts: Vec<Attempt> = runs.iter().flat_map(|run| run.attempts.clone()).collect();
    attempts.sort_by(|a, b| {
        (a.started_at, a.completed_at, &a.run_id).cmp(&(b.started_at, b.completed_at, &b.run_id))
    });
    attempts.dedup_by(|a, b| a.run_id == b.run_id);
    let tags: Vec<String> = runs.iter().flat_map(|run| run.tags.iter().cloned()).collect();
    let job = Job { attempts, ..Job::default() };
    let mut deciding: Vec<Attempt> = job.deciding_runs().into_iter().cloned().collect();
    let rank = |run: &Attempt| match run.result {
        Some(TestResult::Failed) => 0,
        Some(TestResult::Success) => 1,
        _ => 2,
    };
    deciding.sort_by_key(rank);
    let speaks = deciding.first()?;
    Some(PastJob {
        job_id: id.to_owned(),
        commit: commit_of(&tags),
        device: device_of(speaks),
        finished_at: deciding.iter().filter_map(|run| run.completed_at).max(),
        result: speaks.result.clone(),
        runs: deciding,
    })
}

/// The baseline among finished jobs: the newest with a verdict; that of the base's own commit wins.
pub(super) fn choose<'a>(
    jobs: &'a [PastJob],
    base: &Base,
    device: Option<&str>,
) -> Option<(&'a PastJob, BaselineRule)> {
    let mut candidates = jobs.iter().filter(|job| job.has_verdict() && job.fits(device));
    let of_commit =
        |job: &&PastJob| job.commit.is_some() && same_commit(job.commit.as_deref(), base.commit.as_deref());
    let newest = candidates.clone().next()?;
    candidates.find(of_commit).map_or(Some((newest, base.rule)), |job| Some((job, BaselineRule::MergeBase)))
}

/// Tags hold as many digits of a commit as they take.
fn same_commit(tagged: Option<&str>, commit: Option<&str>) -> bool {
    match (tagged, commit) {
        (Some(tagged), Some(commit)) => commit.to_ascii_lowercase().starts_with(tagged),
        _ => false,
    }
}

/// The last results, the newest first; `None` without any.
pub(super) fn history(jobs: &[PastJob], branch: &str, device: Option<&str>) -> Option<History> {
    let results: Vec<PastResult> = jobs
        .iter()
        .filter(|job| job.fits(device))
        .filter_map(|job| {
            let run = job.run()?;
            Some(PastResult {
                run_id: run.run_id.clone(),
                url: run.url.clone(),
                commit: job.commit.clone(),
                result: job.result.clone(),
                finished_at: job.finished_at,
                duration: run.duration,
                failing_step: None,
            })
        })
        .take(HISTORY)
        .collect();
    (!results.is_empty()).then(|| History { branch: branch.to_owned(), results })
}
