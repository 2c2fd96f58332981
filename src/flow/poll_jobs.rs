//! One look at every job, and at the details of its runs.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use nunu_protocol::Poll;

use crate::api::{Api, ApiError, Phase};
use crate::model::Failure;
use crate::model::job::Job;
use crate::model::units::duration;

use super::context::Context;
use super::jobs_by_tag::Found;
use super::run_state::RunState;
use super::start_driver;
use super::tracked_job::{GONE_AFTER, PollBy, Tracked};

/// Between two looks at the details of a run that goes on.
const DETAILS_EVERY: Duration = Duration::from_secs(60);
/// Requests at once when several jobs or runs are read.
const AT_ONCE: usize = 8;
/// Other people's jobs that a list may show besides ours, where the service ignores the filter.
const MORE_THAN_OURS: usize = 100;
/// One look at every unfinished job, each by itself where no list shows it: the trouble of one does not hide the others.
pub(super) async fn look(
    api: &Api,
    ctx: &Context,
    state: &mut RunState,
    lists: &mut bool,
) -> Result<(), ApiError> {
    let mut seen = listed(api, ctx, state, lists).await?;
    let mut answered = false;
    let mut polled: Vec<(String, Poll, String)> = Vec::new();
    let mut alone = Vec::new();
    for (index, tracked) in state.jobs.iter_mut().enumerate().filter(|(_, job)| job.is_unfinished()) {
        match seen.remove(&tracked.report.job_id).filter(|_| tracked.poll == PollBy::Job) {
            Some(job) => {
                answered = true;
                take_job(tracked, job);
                polled.push((tracked.report.job_id.clone(), Poll::State(tracked.state()), String::new()));
            }
            None => alone.push((index, tracked.report.job_id.clone(), tracked.poll.clone())),
        }
    }
    let looks = alone.into_iter().map(|(index, job_id, poll)| async move {
        let run_id = match &poll {
            PollBy::Job => None,
            PollBy::Run(run_id) => Some(run_id.as_str()),
        };
        let seen = api.job(&job_id, run_id).await;
        (index, seen)
    });
    let mut looks = iter(looks.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let mut troubled = Vec::new();
    while let Some((index, seen)) = looks.next().await {
        let tracked = &mut state.jobs[index];
        match seen {
            Ok(job) => take_job(tracked, job),
            Err(error) if error.is_auth() => return Err(error),
            // A definite refusal, as for a job that it does not know: asked again, the service says the same.
            Err(error) if error.status.is_some() && !error.is_transient() => {
                answered = true;
                let id = tracked.report.job_id.clone();
                let why = if error.is_not_found() {
                    format!("the service does not know job {id} any more")
                } else {
                    format!("the service does not tell of job {id}: {error}")
                };
                polled.push((id, Poll::NotFound, why));
                continue;
            }
            Err(error) => {
                let gone = error.is_network() && !answered && troubled.len() + 1 >= AT_ONCE;
                troubled.push((index, error));
                // Nobody is there: asking about hundreds of jobs more takes minutes for nothing.
                if gone {
                    break;
                }
                continue;
            }
        }
        answered = true;
        polled.push((tracked.report.job_id.clone(), Poll::State(tracked.state()), String::new()));
    }
    drop(looks);
    for (index, error) in troubled {
        if !answered {
            return Err(error);
        }
        let tracked = &mut state.jobs[index];
        if tracked.note_trouble() {
            ctx.log.warn(format!("{}: could not be looked at: {error}", tracked.name()));
        }
        let why = format!("it could not be looked at for {}: {error}", duration(GONE_AFTER));
        polled.push((tracked.report.job_id.clone(), Poll::Failed, why));
    }
    for (id, poll, why) in polled {
        start_driver::polled(ctx, state, &id, poll);
        let gave_up = state.starts.as_ref().is_some_and(|starts| starts.protocol.gave_up(&id));
        if let Some(tracked) = state.jobs.iter_mut().find(|job| gave_up && job.report.job_id == id) {
            tracked.give_up(why);
        }
    }
    Ok(())
}

/// The jobs that lists show: one call for many. What a list does not show is asked for by itself, and so is everything when a
/// list cannot be had.
async fn listed(
    api: &Api,
    ctx: &Context,
    state: &mut RunState,
    lists: &mut bool,
) -> Result<BTreeMap<String, Job>, ApiError> {
    let mut seen = BTreeMap::new();
    // Ours are among the newest.
    let most = state.jobs.len() + MORE_THAN_OURS;
    if *lists {
        for tag in state.groups_to_list(&ctx.records.invocation) {
            match api.list_jobs(&tag, most).await {
                Ok(jobs) => {
                    let found: Vec<Found> = jobs.iter().cloned().map(Found::of_job).collect();
                    start_driver::listed(ctx, state, &tag, &found);
                    seen.extend(jobs.into_iter().map(|job| (job.job_id.clone(), job)));
                }
                Err(error) if error.is_auth() => return Err(error),
                // The service has jobs, but no list of them: ask one by one from here on.
                Err(error) if error.is_not_found() || error.status == Some(400) => *lists = false,
                Err(error) => ctx.log.debug(format!("the jobs cannot be listed: {error}")),
            }
        }
    }
    Ok(seen)
}

pub(super) fn take_job(tracked: &mut Tracked, job: Job) {
    // A run that stands for a job has its own details.
    let details = job.run_id.is_some().then(|| job.attempts.clone());
    if details.is_none() {
        tracked.learn_group(&job.tags);
    }
    tracked.apply(job);
    for run in details.into_iter().flatten() {
        tracked.apply_details(run, None);
    }
}

/// Reads details of runs: of those that go on about once a minute, of ended ones until they are final. `last`: there will be no
/// other look.
pub(super) async fn settle(
    ctx: &Context,
    state: &mut RunState,
    elapsed: Duration,
    last: bool,
) -> Result<(), Failure> {
    let due = |tracked: &Tracked| {
        tracked.is_unfinished()
            && tracked.poll == PollBy::Job
            && tracked.details_at.is_none_or(|at| elapsed.saturating_sub(at) >= DETAILS_EVERY)
    };
    let going_on: Vec<usize> = (0..state.jobs.len()).filter(|&index| due(&state.jobs[index])).collect();
    read_steps(ctx, state, &going_on, elapsed).await?;
    read_ended(&ctx.api.once(), ctx, &mut state.jobs, elapsed, last).await
}

/// Reads how far runs are that go on. It may fail: the next look is as good.
pub(super) async fn read_steps(
    ctx: &Context,
    state: &mut RunState,
    wanted: &[usize],
    elapsed: Duration,
) -> Result<(), Failure> {
    let api = ctx.api.once();
    let runs = wanted.iter().flat_map(|&index| {
        let runs = state.jobs[index].report.deciding_runs().into_iter().filter(|run| !run.run_id.is_empty());
        runs.map(|run| (index, run.run_id.clone())).collect::<Vec<_>>()
    });
    let api = &api;
    let reads = runs.map(|(index, run_id)| async move { (index, api.run(&run_id).await) });
    let read: Vec<_> = iter(reads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
    for (index, details) in read {
        let tracked = &mut state.jobs[index];
        tracked.details_at = Some(elapsed);
        match details {
            Ok(run) => tracked.apply_run(run),
            Err(error) if error.is_auth() => return Err(error.failure(Phase::Wait)),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Reads details and bugs of ended runs that decide.
pub(super) async fn read_ended(
    api: &Api,
    ctx: &Context,
    jobs: &mut [Tracked],
    elapsed: Duration,
    last: bool,
) -> Result<(), Failure> {
    let runs = jobs
        .iter()
        .enumerate()
        .flat_map(|(index, tracked)| tracked.unsettled_runs().into_iter().map(move |run_id| (index, run_id)));
    let reads = runs.map(|(index, run_id)| async move {
        let read = tokio::join!(api.run(&run_id), api.bugs(&run_id));
        (index, run_id, read)
    });
    let read: Vec<_> = iter(reads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
    for (index, run_id, (details, bugs)) in read {
        let tracked = &mut jobs[index];
        let mut trouble = Vec::new();
        match details {
            Ok(run) => tracked.apply_run(run),
            Err(error) if error.is_auth() => return Err(error.failure(Phase::Wait)),
            Err(error) => trouble.push(error.to_string()),
        }
        match bugs {
            Ok(bugs) => tracked.take_bugs(&run_id, bugs),
            Err(error) if error.is_auth() => return Err(error.failure(Phase::Wait)),
            Err(error) => trouble.push(error.to_string()),
        }
        let settled = tracked.settle(&run_id, &trouble, elapsed, last);
        for why in trouble.iter().filter(|_| settled) {
            ctx.log.warn(format!("{}: details are missing: {why}", tracked.name()));
        }
    }
    Ok(())
}
