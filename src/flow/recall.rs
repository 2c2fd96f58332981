//! Earlier attempts of the same CI run, read again from the service: what passed there need not be started again.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::{Command, RerunMode};
use crate::model::RunSpec;
use crate::model::job::Job;

use super::carry_over::{Again, Entry, Past, decide};
use super::context::Context;
use super::earlier_attempt::{self, is_repeated};
use super::jobs_by_tag::Found;
use super::look_back;
use super::plan_parts;
use super::poll_jobs::{read_ended, take_job};
use super::starts::{Earlier, Recalled, Request};
use super::state_file::StartRecord;
use super::tracked_job::{self, Tracked};

/// Reading what was takes that long at most; after it everything is started.
const LONGEST: Duration = Duration::from_secs(120);

/// What of the requests is started, and what was read for that. `request` makes a request of a test of a plan.
pub(super) async fn again(
    ctx: &Context,
    build_known: bool,
    requests: Vec<Request>,
    request: impl Fn(&RunSpec) -> Request,
) -> (Again, Recalled) {
    if !is_wanted(ctx, build_known) {
        return (Again::all(requests), Recalled::default());
    }
    let jobs = match timeout(LONGEST, earlier_attempt::read(&ctx.api, &earlier_attempt::tags(ctx))).await {
        Ok(Ok(jobs)) => jobs,
        Ok(Err(error)) => return (unread(requests, &error.to_string()), Recalled::default()),
        Err(_) => return (unread(requests, "the service did not answer in time"), Recalled::default()),
    };
    let found: Vec<Found> = jobs.iter().cloned().map(Found::of_job).collect();
    let mut entries = Vec::new();
    for whole in requests {
        // Without anything to carry over, nobody needs to know what a plan is made of.
        let parts = if found.is_empty() { None } else { plan_parts::read(ctx, &whole.spec).await };
        let parts = parts.map(|parts| parts.map(|parts| parts.iter().map(&request).collect()));
        entries.push(Entry { whole, parts });
    }
    let past = past(ctx, &entries, &found, &jobs);
    if past.is_empty() && !found.is_empty() {
        ctx.log.info("earlier attempts started nothing of the same build, tests, configurations, options and labels: everything is started");
    }
    let Ok(read) = timeout(LONGEST, read_deciding(ctx, &entries, &past, &jobs)).await else {
        let requests = entries.into_iter().map(|entry| entry.whole).collect();
        return (unread(requests, "the service did not answer in time"), Recalled::default());
    };
    let today = chrono::Utc::now().date_naive();
    let again = decide(entries, &past, &read, ctx.plan.rerun.mode, &ctx.plan.gate, today);
    if !past.is_empty() && !again.carry {
        ctx.log.info("the results of the attempts before met the gate: everything is started again");
    }
    let passed = again.carry.then(|| {
        read.into_iter().filter(|(id, _)| again.passed.contains(id)).collect::<BTreeMap<String, Tracked>>()
    });
    let recalled = Recalled { found: Some(found), of_plans: again.of_plans.clone(), passed };
    (again, recalled)
}

/// True when something may be carried over. Only who waits for the results can count them.
fn is_wanted(ctx: &Context, build_known: bool) -> bool {
    let mode = ctx.plan.rerun.mode;
    let waits = ctx.plan.command == Command::Run && ctx.plan.wait.enabled;
    let told_apart = earlier_attempt::power(ctx) == nunu_protocol::Earlier::Ours;
    if mode == RerunMode::Failed {
        let why = if !waits {
            Some("only a run that waits carries results over")
        } else if ctx.records.place.attempt.is_empty() {
            Some("this host does not tell the attempts of a run")
        } else if is_repeated(ctx) && !build_known {
            Some("the configuration picks the build, and nothing says that it is the same")
        } else {
            None
        };
        if let Some(why) = why {
            ctx.log.info(format!("rerun: everything is started: {why}"));
        }
    }
    mode != RerunMode::All && waits && build_known && is_repeated(ctx) && told_apart
}

/// What could not be read is started again.
fn unread(requests: Vec<Request>, why: &str) -> Again {
    let warning = format!("everything is started again: earlier attempts could not be read: {why}");
    Again { warnings: vec![warning], ..Again::all(requests) }
}

/// Posts of earlier attempts by the start that they are the same as: entries first, then their parts.
fn past(ctx: &Context, entries: &[Entry], found: &[Found], jobs: &[Job]) -> Past {
    let wholes = entries.iter().map(|entry| &entry.whole);
    let requests = wholes.chain(entries.iter().flat_map(Entry::parts));
    let digests: Vec<Option<&str>> = requests.map(|request| Some(request.digest.as_str())).collect();
    let posts = earlier_attempt::sort(found, &ctx.records.place.attempt, &BTreeMap::new(), &digests, true);
    let tests = jobs.iter().filter_map(|job| Some((job.job_id.clone(), job.test_id.clone()?)));
    Past::new(posts, tests.collect())
}

/// The jobs that decide, with details and bugs of their runs. What goes on, and what could not be read, is not among them.
async fn read_deciding(
    ctx: &Context,
    entries: &[Entry],
    past: &Past,
    jobs: &[Job],
) -> BTreeMap<String, Tracked> {
    let mut tracked: Vec<Tracked> = Vec::new();
    for (post, id, request) in past.deciding(entries) {
        let Some(job) = jobs.iter().find(|job| job.job_id == id).filter(|job| job.is_completed()) else {
            continue;
        };
        tracked.extend(as_ours(post, id, request, job));
    }
    if let Err(error) = read_ended(&ctx.api, ctx, &mut tracked, Duration::ZERO, true).await {
        ctx.log.warn(format!("earlier attempts could not be read: {error}"));
        return BTreeMap::new();
    }
    // What is known already counts as little in an earlier attempt as in this one.
    if ctx.plan.gate.fail_on.asks_what_is_new() {
        look_back::read(ctx, &mut tracked).await;
    }
    let readable = |tracked: &Tracked| {
        tracked.report.deciding_runs().iter().all(|run| run.unreadable.is_none() && !run.run_id.is_empty())
    };
    let read = tracked.into_iter().filter(readable);
    read.map(|tracked| (tracked.report.job_id.clone(), tracked)).collect()
}

/// A job of an earlier attempt, as one that this attempt started.
fn as_ours(post: &Earlier, id: &str, request: &Request, job: &Job) -> Option<Tracked> {
    let start = StartRecord {
        job_ids: post.jobs.iter().map(|(id, _)| id.clone()).collect(),
        given: request.given.clone(),
        ..StartRecord::of(&request.spec, &post.tag, "")
    };
    let mut ours = tracked_job::of_start(&start).into_iter().find(|tracked| tracked.report.job_id == id)?;
    take_job(&mut ours, job.clone());
    Some(ours)
}
