//! What passed in earlier attempts of the same CI run, and what has to be started again. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use nunu_protocol::{Expected, JobState};

use crate::config::RerunMode;
use crate::model::ExitReason;
use crate::model::job::Job;
use crate::model::judge::judge;
use crate::model::verdict::{Counted, Gate};

use super::starts::{Earlier, Request};
use super::tracked_job::Tracked;

/// An entry of the run config: a start, and for a test plan its tests as starts of their own, or why they cannot be.
pub(super) struct Entry {
    pub(super) whole: Request,
    pub(super) parts: Option<Result<Vec<Request>, String>>,
}

impl Entry {
    /// Its parts; none where it is no plan, or one that stays whole.
    pub(super) fn parts(&self) -> &[Request] {
        match &self.parts {
            Some(Ok(parts)) => parts,
            _ => &[],
        }
    }
}

/// The newest earlier post of each start, as the service tells it.
pub(super) struct Past {
    posts: Vec<Earlier>,
    /// Which test each job is.
    tests: BTreeMap<String, String>,
}

/// What decides about one start: its newest attempt, and the one post of it.
struct Newest<'a> {
    attempt: u64,
    /// `None` where several posts of the attempt were equal.
    post: Option<&'a Earlier>,
}

/// What decides about an entry.
enum Decider<'a> {
    /// The newest post of all of it, if there is one.
    Whole(Option<&'a Earlier>),
    /// For each part the job that decides, if there is one.
    Parts(Vec<Option<Deciding<'a>>>),
}

/// A job that decides about a part of a test plan.
struct Deciding<'a> {
    post: &'a Earlier,
    id: &'a str,
    /// True where the whole plan was posted, not the part alone.
    of_plan: bool,
}

impl Past {
    /// `posts` are those of all entries and then of all their parts, in this order.
    pub(super) const fn new(posts: Vec<Earlier>, tests: BTreeMap<String, String>) -> Self {
        Self { posts, tests }
    }

    /// True when no earlier attempt started any of it.
    pub(super) fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    fn newest(&self, start: usize) -> Option<Newest<'_>> {
        let ours = || self.posts.iter().filter(move |post| post.start == start);
        let attempt = ours().map(|post| post.attempt).max()?;
        let mut of_attempt = ours().filter(|post| post.attempt == attempt);
        let first = of_attempt.next();
        Some(Newest { attempt, post: first.filter(|_| of_attempt.next().is_none()) })
    }

    /// The job of a post that is this test, when exactly one is.
    fn job_of<'a>(&self, post: &'a Earlier, test: &str) -> Option<&'a str> {
        let mut jobs =
            post.jobs.iter().filter(|(id, _)| self.tests.get(id).is_some_and(|known| known == test));
        let first = jobs.next().map(|(id, _)| id.as_str());
        first.filter(|_| jobs.next().is_none())
    }

    /// What decides about each entry.
    fn deciders<'a>(&'a self, entries: &[Entry]) -> Vec<Decider<'a>> {
        let mut part = entries.len();
        let mut deciders = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let whole = self.newest(place);
            let parts: Vec<Option<Newest<'_>>> =
                entry.parts().iter().enumerate().map(|(at, _)| self.newest(part + at)).collect();
            part += parts.len();
            let since = whole.as_ref().map_or(0, |whole| whole.attempt);
            let is_newer = |part: &Newest<'_>| whole.is_none() || part.attempt > since;
            if !parts.iter().flatten().any(is_newer) {
                deciders.push(Decider::Whole(whole.and_then(|whole| whole.post)));
                continue;
            }
            let of_whole = whole.as_ref().and_then(|whole| whole.post);
            let of_part = |(request, newest): (&Request, Option<Newest<'a>>)| match newest {
                Some(newest) if is_newer(&newest) => {
                    let [(id, _)] = newest.post?.jobs.as_slice() else { return None };
                    Some(Deciding { post: newest.post?, id, of_plan: false })
                }
                _ => {
                    let post = of_whole?;
                    let id = self.job_of(post, request.spec.target.value())?;
                    Some(Deciding { post, id, of_plan: true })
                }
            };
            deciders.push(Decider::Parts(entry.parts().iter().zip(parts).map(of_part).collect()));
        }
        deciders
    }

    /// Jobs that decide about an entry, by the entry's position, with the request that started each: the ended ones are to be read.
    pub(super) fn deciding<'a>(&'a self, entries: &'a [Entry]) -> Vec<(&'a Earlier, &'a str, &'a Request)> {
        let mut found = Vec::new();
        for (entry, decider) in entries.iter().zip(self.deciders(entries)) {
            match decider {
                Decider::Whole(post) => {
                    let jobs =
                        post.into_iter().flat_map(|post| post.jobs.iter().map(move |(id, _)| (post, id)));
                    found.extend(jobs.map(|(post, id)| (post, id.as_str(), &entry.whole)));
                }
                Decider::Parts(parts) => {
                    let parts = entry.parts().iter().zip(parts);
                    found.extend(
                        parts.filter_map(|(request, job)| job.map(|job| (job.post, job.id, request))),
                    );
                }
            }
        }
        found
    }
}

/// What is started, and what counts of the past.
#[derive(Default)]
pub(super) struct Again {
    /// The starts of this attempt, with their size where it is known better than by themselves.
    pub(super) starts: Vec<(Request, Option<Expected>)>,
    /// Jobs of test plans that stand for a single start.
    pub(super) of_plans: Vec<Earlier>,
    /// Ids of jobs that passed.
    pub(super) passed: BTreeSet<String>,
    /// True where what passed is carried over.
    pub(super) carry: bool,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

impl Again {
    /// Everything is started.
    pub(super) fn all(requests: Vec<Request>) -> Self {
        Self { starts: requests.into_iter().map(|request| (request, None)).collect(), ..Self::default() }
    }
}

/// Decides what is started again. `read` are the ended jobs that decide, with all their details.
pub(super) fn decide(
    entries: Vec<Entry>,
    past: &Past,
    read: &BTreeMap<String, Tracked>,
    mode: RerunMode,
    gate: &Gate,
    today: NaiveDate,
) -> Again {
    let deciders = past.deciders(&entries);
    let (passed, met) = results(&entries, past, &deciders, read, gate, today);
    let all = match mode {
        RerunMode::All => true,
        RerunMode::Auto => met,
        RerunMode::Failed => false,
    };
    let states: Vec<Choice> =
        entries.iter().zip(&deciders).map(|(entry, decider)| choose(entry, decider, past, &passed)).collect();
    if all {
        return Again::all(entries.into_iter().map(|entry| entry.whole).collect());
    }
    let mut again = Again { carry: true, ..Again::default() };
    for (entry, choice) in entries.into_iter().zip(states) {
        match (choice, entry.parts) {
            (Choice::Parts(jobs), Some(Ok(parts))) => {
                for (request, job) in parts.into_iter().zip(jobs) {
                    let start = again.starts.len();
                    again.of_plans.extend(job.map(|job| Earlier { start, ..job }));
                    again.starts.push((request, None));
                }
            }
            (Choice::Whole { size, but }, _) => {
                again.warnings.extend(but);
                again.starts.push((entry.whole, size));
            }
            (Choice::Parts(_), _) => again.starts.push((entry.whole, None)),
        }
    }
    again.passed = passed;
    again
}

/// Ids of the jobs that passed, and whether all of it together met the gate.
fn results(
    entries: &[Entry],
    past: &Past,
    deciders: &[Decider<'_>],
    read: &BTreeMap<String, Tracked>,
    gate: &Gate,
    today: NaiveDate,
) -> (BTreeSet<String>, bool) {
    let deciding = past.deciding(entries);
    let mut tests: Vec<Job> = Vec::new();
    let mut owners: Vec<&str> = Vec::new();
    for (_, id, _) in &deciding {
        for test in read.get(*id).iter().flat_map(|tracked| tracked.report.tests()) {
            tests.push(test);
            owners.push(id);
        }
    }
    let verdict = judge(&tests, gate, today);
    let mut passed: BTreeMap<&str, bool> = BTreeMap::new();
    for (id, judgement) in owners.iter().zip(&verdict.judgements) {
        *passed.entry(id).or_insert(true) &= judgement.counted == Counted::Passed;
    }
    let build_is_known = |request: &Request| request.given.names_all();
    let ended = |post: &Earlier, id: &str| {
        post.jobs.iter().any(|(job, state)| job == id && matches!(state, JobState::Ended { .. }))
    };
    let passed = deciding
        .iter()
        .filter(|(post, id, request)| {
            passed.get(id).copied().unwrap_or(false) && ended(post, id) && build_is_known(request)
        })
        .map(|(_, id, _)| (*id).to_owned())
        .collect();
    let complete = entries.iter().zip(deciders).all(|(entry, decider)| is_whole(entry, decider, past));
    let all_read = deciding.iter().all(|(_, id, _)| read.contains_key(*id));
    (passed, complete && all_read && verdict.reason == ExitReason::Passed)
}

/// True when nothing is known to be missing of an entry.
fn is_whole(entry: &Entry, decider: &Decider<'_>, history: &Past) -> bool {
    match decider {
        Decider::Whole(None) => false,
        Decider::Whole(Some(post)) if entry.parts().is_empty() => {
            let expected = entry.whole.expected();
            !post.jobs.is_empty() && (expected == Expected::Unknown || expected.complete(post.jobs.len()))
        }
        Decider::Whole(Some(post)) => {
            entry.parts().iter().all(|part| history.job_of(post, part.spec.target.value()).is_some())
        }
        Decider::Parts(parts) => parts.iter().all(Option::is_some),
    }
}

/// How an entry is started.
enum Choice {
    /// As it is; `size` where it is known to be carried over as a whole.
    Whole { size: Option<Expected>, but: Option<String> },
    /// Each of its tests by itself, with the plan's job that stands for it.
    Parts(Vec<Option<Earlier>>),
}

fn choose(entry: &Entry, decider: &Decider<'_>, history: &Past, passed: &BTreeSet<String>) -> Choice {
    let whole = Choice::Whole { size: None, but: None };
    let is_live = |post: &Earlier| post.jobs.iter().any(|(_, state)| *state == JobState::Live);
    match decider {
        Decider::Whole(None) => whole,
        // What runs is gone on with as it is.
        Decider::Whole(Some(post)) if is_live(post) => whole,
        Decider::Whole(Some(post)) => {
            let count = post.jobs.iter().filter(|(id, _)| passed.contains(id)).count();
            match &entry.parts {
                Some(_) if count == 0 => whole,
                None => whole,
                Some(Err(why)) => {
                    let (label, all) = (&entry.whole.spec.label, post.jobs.len());
                    let but = format!(
                        "{label}: the plan is started whole although {count} of its {all} tests passed in an earlier attempt: {why}"
                    );
                    Choice::Whole { size: None, but: Some(but) }
                }
                Some(Ok(parts)) => {
                    let jobs: Vec<Option<&str>> =
                        parts.iter().map(|part| history.job_of(post, part.spec.target.value())).collect();
                    let all = jobs.len() == post.jobs.len()
                        && jobs.iter().flatten().filter(|id| passed.contains(**id)).count() == jobs.len();
                    if all {
                        return Choice::Whole { size: Some(Expected::Exactly(jobs.len())), but: None };
                    }
                    Choice::Parts(jobs.into_iter().map(|id| id.and_then(|id| alone(post, id))).collect())
                }
            }
        }
        Decider::Parts(parts) => {
            let of_use = |job: &Deciding<'_>| is_live(job.post) || passed.contains(job.id);
            if !parts.iter().flatten().any(of_use) {
                return whole;
            }
            // The post of a single test is recognised by its own tag.
            let of_plans = |job: &Option<Deciding<'_>>| {
                job.as_ref().filter(|job| job.of_plan).and_then(|job| alone(job.post, job.id))
            };
            Choice::Parts(parts.iter().map(of_plans).collect())
        }
    }
}

/// One job of a test plan, as the post of its test would be.
fn alone(post: &Earlier, id: &str) -> Option<Earlier> {
    let job = post.jobs.iter().find(|(job, _)| job == id)?.clone();
    Some(Earlier { jobs: vec![job], on_record: false, ..post.clone() })
}

#[cfg(test)]
mod tests;
