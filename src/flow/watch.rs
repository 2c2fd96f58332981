//! Following jobs to their end.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use tokio::time::{Instant, sleep, timeout};

use crate::api::{Api, ApiError, JobFilter, JobSnapshot, Phase, RunDetails};
use crate::model::log::LiveLine;
use crate::model::run_report::JobReport;
use crate::model::units::duration;
use crate::model::{Failure, Reason};

use super::clock::Stopwatch;
use super::schedule::next_look;
use super::session::Session;
use super::story::Story;
use super::track::{PollBy, Tracked};

/// Without one good answer for that long, the service counts as gone.
const GONE_AFTER: Duration = Duration::from_secs(600);
/// Between two looks at the details of a run that goes on.
const DETAILS_EVERY: Duration = Duration::from_secs(60);
/// Without any change for that long, a warning.
const QUIET_AFTER: Duration = Duration::from_secs(20 * 60);
/// Between two lines that say it still goes on.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Between two looks at the clock, for the person who watches.
const LIVE: Duration = Duration::from_secs(1);
/// From more jobs than this on, what all of them do is one line.
const MANY: usize = 5;
/// Other people's jobs that a list may show besides ours, where the service ignores the filter.
const MORE_THAN_OURS: usize = 100;
/// Requests at once when several runs are read.
const AT_ONCE: usize = 8;

/// How the wait goes.
struct Progress {
    watch: Stopwatch,
    last_good: Duration,
    failed: u32,
    last_change: Duration,
    fingerprint: String,
    quiet_warned: bool,
    slept: Duration,
    next_heartbeat: Duration,
    lists: bool,
}

/// Follows every job of the story until it is finished, or lost. A signal ends it early without an error.
///
/// # Errors
/// Our deadline, a stall, a refused key, or a service that is gone.
pub(super) async fn until_done(session: &Session, story: &mut Story) -> Result<(), Failure> {
    let mut watch = story.clock.clone().unwrap_or_else(Stopwatch::start);
    let now = watch.elapsed();
    let mut progress = Progress {
        slept: watch.slept(),
        watch,
        last_good: now,
        failed: 0,
        last_change: now,
        fingerprint: story.fingerprint(),
        quiet_warned: false,
        next_heartbeat: now + HEARTBEAT,
        lists: true,
    };
    story.waited = true;
    tokio::select! {
        biased;
        () = session.cancel.token().cancelled() => Ok(()),
        ended = follow(session, story, &mut progress) => ended,
    }
}

async fn follow(session: &Session, story: &mut Story, progress: &mut Progress) -> Result<(), Failure> {
    let limit = session.plan.wait.timeout;
    let live = session.log.live_line();
    loop {
        let left = limit.saturating_sub(progress.watch.elapsed());
        let looked = timeout(left, look(&session.api.once(), session, story, progress)).await;
        let elapsed = progress.watch.elapsed();
        match looked {
            Ok(Ok(())) => {
                progress.failed = 0;
                progress.last_good = elapsed;
            }
            Ok(Err(error)) if error.is_auth() => return Err(error.failure(Phase::Wait)),
            Ok(Err(error)) => {
                progress.failed += 1;
                session
                    .log
                    .warn(format!("could not look at the runs ({} in a row): {error}", progress.failed));
                if elapsed.saturating_sub(progress.last_good) >= GONE_AFTER {
                    return last_look(session, story, progress, error.failure(Phase::Wait)).await;
                }
            }
            Err(_) => {}
        }
        settle(session, story, progress).await?;
        tell(session, story);
        if !story.jobs.iter().any(Tracked::is_unfinished) {
            return Ok(());
        }
        if elapsed >= limit {
            return last_look(session, story, progress, deadline_passed(story, limit)).await;
        }
        stalls(session, story, progress).await?;
        heartbeat(session, story, progress, &live);
        let pause =
            next_look(session.plan.wait.poll, progress.watch.elapsed(), progress.failed, fastrand::f64());
        let pause = pause.min(limit.saturating_sub(progress.watch.elapsed()));
        let until = Instant::now() + pause;
        loop {
            live.show(standing(session, story, progress));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(left.min(LIVE)).await;
        }
    }
}

/// One look at every unfinished job.
async fn look(
    api: &Api,
    session: &Session,
    story: &mut Story,
    progress: &mut Progress,
) -> Result<(), ApiError> {
    let elapsed = progress.watch.elapsed();
    let mut seen: BTreeMap<String, JobSnapshot> = BTreeMap::new();
    // Ours are among the newest; what a list does not show is asked for by itself.
    let most = Some(story.jobs.len() + MORE_THAN_OURS);
    if progress.lists {
        for tag in story.groups_to_list(&session.invocation) {
            match api.list_jobs(&JobFilter { tags: vec![tag], most, ..JobFilter::default() }).await {
                Ok(jobs) => seen.extend(jobs.into_iter().map(|job| (job.job_id.clone(), job))),
                // The service has jobs, but no list of them: ask one by one from here on.
                Err(error) if error.is_not_found() || error.status == Some(400) => progress.lists = false,
                Err(error) => return Err(error),
            }
        }
    }
    stop_late_ones(session, story, seen.values()).await;
    for index in 0..story.jobs.len() {
        let tracked = &mut story.jobs[index];
        if !tracked.is_unfinished() {
            continue;
        }
        let known = seen.remove(&tracked.report.job_id);
        match (&tracked.poll, known) {
            (PollBy::Job, Some(job)) => take_job(tracked, job),
            (PollBy::Job, None) => match api.job(&tracked.report.job_id).await {
                Ok(job) => take_job(tracked, job),
                Err(error) if error.is_not_found() => tracked.miss(elapsed),
                Err(error) => return Err(error),
            },
            (PollBy::Run(run_id), _) => match api.run(run_id).await {
                Ok(run) => take_run(tracked, run),
                Err(error) if error.is_not_found() => tracked.miss(elapsed),
                Err(error) => return Err(error),
            },
        }
    }
    Ok(())
}

fn take_job(tracked: &mut Tracked, job: JobSnapshot) {
    tracked.learn_group(&job.tags);
    tracked.apply(JobReport {
        status: Some(job.status),
        test_id: job.test_id,
        test_name: job.test_name,
        queue_rejection: job.queue_rejection,
        stopped_by: job.stopped_by,
        created_at: job.created_at,
        completed_at: job.completed_at,
        attempts: job.attempts,
        ..JobReport::default()
    });
}

fn take_run(tracked: &mut Tracked, run: RunDetails) {
    // The oldest generation knows `initializing`, `running` and `completed` only.
    let status = match run.attempt.state.as_deref() {
        Some("COMPLETED") => "COMPLETED",
        Some("INITIALIZING") => "STARTING",
        _ => "RUNNING",
    };
    tracked.apply(JobReport {
        status: Some(status.to_owned()),
        test_id: run.test_id,
        test_name: run.test_name,
        completed_at: run.attempt.completed_at,
        attempts: vec![run.attempt.clone()],
        ..JobReport::default()
    });
    tracked.apply_details(run.attempt, None);
}

/// Jobs of a POST that was given up for a later one are stopped when they appear after all.
async fn stop_late_ones(session: &Session, story: &mut Story, jobs: impl Iterator<Item = &JobSnapshot>) {
    if story.abandoned.is_empty() {
        return;
    }
    let late: Vec<String> = jobs
        .filter(|job| job.status == "QUEUED" || job.status == "STARTING" || job.status == "RUNNING")
        .filter(|job| job.tags.iter().any(|tag| story.abandoned.contains(tag)))
        .map(|job| job.job_id.clone())
        .collect();
    if late.is_empty() {
        return;
    }
    session.log.warn(format!("{} of an unanswered start appeared late, stopping", late.join(", ")));
    if let Err(error) = session.api.once().stop(&late).await {
        session.log.warn(format!("could not stop {}: {error}", late.join(", ")));
    }
}

/// Reads details of runs: of those that go on about once a minute, of finished ones until they are final.
async fn settle(session: &Session, story: &mut Story, progress: &mut Progress) -> Result<(), Failure> {
    let elapsed = progress.watch.elapsed();
    let due = |tracked: &Tracked| match tracked.report.deciding() {
        Some(_) if tracked.report.is_completed() => !tracked.settled,
        Some(_) => {
            tracked.is_unfinished()
                && tracked.poll == PollBy::Job
                && tracked.details_at.is_none_or(|at| elapsed.saturating_sub(at) >= DETAILS_EVERY)
        }
        None => false,
    };
    let wanted: Vec<usize> = (0..story.jobs.len()).filter(|&index| due(&story.jobs[index])).collect();
    read_details(session, story, &wanted, elapsed).await
}

async fn read_details(
    session: &Session,
    story: &mut Story,
    wanted: &[usize],
    elapsed: Duration,
) -> Result<(), Failure> {
    let reads = wanted.iter().filter_map(|&index| {
        let tracked = &story.jobs[index];
        let run_id = tracked.report.deciding()?.run_id.clone();
        let finished = tracked.report.is_completed();
        Some(async move { (index, finished, read_run(session, &run_id, finished).await) })
    });
    let read: Vec<_> = iter(reads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
    for (index, finished, (details, bugs)) in read {
        let tracked = &mut story.jobs[index];
        tracked.details_at = Some(elapsed);
        tracked.settled = finished;
        let mut trouble = Vec::new();
        match details {
            Ok(run) => tracked.apply_details(run.attempt, run.test_name),
            Err(error) if error.is_auth() => return Err(error.failure(Phase::Wait)),
            Err(error) => trouble.push(error.to_string()),
        }
        match bugs {
            Some(Ok(page)) => tracked.take_bugs(page.bugs),
            Some(Err(error)) if error.is_auth() => return Err(error.failure(Phase::Wait)),
            Some(Err(error)) => trouble.push(error.to_string()),
            None => {}
        }
        if finished {
            for why in &trouble {
                session.log.warn(format!("{}: details are missing: {why}", tracked.name()));
            }
            tracked.note_unreadable(&trouble);
        }
    }
    Ok(())
}

type Bugs = Option<Result<crate::api::BugPage, ApiError>>;

/// Details and, of a finished run, bugs. A finished run is worth patience; a look in between is not.
async fn read_run(session: &Session, run_id: &str, finished: bool) -> (Result<RunDetails, ApiError>, Bugs) {
    if !finished {
        return (session.api.once().run(run_id).await, None);
    }
    let (details, bugs) = tokio::join!(session.api.run(run_id), session.api.bugs(run_id));
    (details, Some(bugs))
}

/// Says what changed.
fn tell(session: &Session, story: &mut Story) {
    let mut lines = Vec::new();
    let mut finished = false;
    for tracked in &mut story.jobs {
        let name = tracked.name();
        lines.extend(tracked.changes().into_iter().map(|line| (name.clone(), line)));
        if let Some(line) = tracked.ending() {
            lines.push((name, line));
            finished = true;
        }
    }
    for line in together(lines) {
        session.log.info(line);
    }
    if finished {
        session.known(story);
    }
}

/// Lines of jobs with their names, in order; what many jobs do at the same time becomes one line.
fn together(lines: Vec<(String, String)>) -> Vec<String> {
    let mut same: BTreeMap<String, usize> = BTreeMap::new();
    let what = |name: &str, line: &str| line.strip_prefix(name).unwrap_or(line).to_owned();
    for (name, line) in &lines {
        *same.entry(what(name, line)).or_default() += 1;
    }
    let mut told = Vec::new();
    for (name, line) in lines {
        let what = what(&name, &line);
        match same.get(&what) {
            Some(&count) if count > MANY => {
                same.remove(&what);
                told.push(format!("{count} jobs{what}"));
            }
            Some(_) => told.push(line),
            None => {}
        }
    }
    told
}

/// Before the deadline or a silent service ends the wait: one look more, and the results it brings count.
async fn last_look(
    session: &Session,
    story: &mut Story,
    progress: &mut Progress,
    why: Failure,
) -> Result<(), Failure> {
    let _ = look(&session.api.urgent(), session, story, progress).await;
    settle(session, story, progress).await?;
    tell(session, story);
    if story.jobs.iter().any(Tracked::is_unfinished) { Err(why) } else { Ok(()) }
}

fn deadline_passed(story: &Story, limit: Duration) -> Failure {
    let unfinished: Vec<String> =
        story.jobs.iter().filter(|job| job.is_unfinished()).map(Tracked::name).collect();
    Failure::new(
        Reason::Timeout,
        format!("the timeout of {} passed with {} of {} jobs unfinished", duration(limit), unfinished.len(), story.jobs.len()),
    )
    .cause(format!("unfinished: {}", unfinished.join(", ")))
    .hint("raise the setting timeout (wait.timeout in the run config) if these tests need longer, queueing included")
}

async fn stalls(session: &Session, story: &mut Story, progress: &mut Progress) -> Result<(), Failure> {
    let elapsed = progress.watch.elapsed();
    let slept = progress.watch.slept();
    if slept > progress.slept {
        session.log.warn(format!(
            "this machine was suspended for {}",
            duration(slept.saturating_sub(progress.slept))
        ));
        progress.slept = slept;
        progress.last_change = elapsed;
    }
    if changed(story, progress, elapsed) {
        return Ok(());
    }
    let quiet = elapsed.saturating_sub(progress.last_change);
    let stall = session.plan.wait.stall.filter(|&stall| quiet >= stall);
    if stall.is_none() && (quiet < QUIET_AFTER || progress.quiet_warned) {
        return Ok(());
    }
    // Steps may have moved since the last look at the details.
    let running: Vec<usize> =
        (0..story.jobs.len()).filter(|&index| story.jobs[index].is_unfinished()).collect();
    read_details(session, story, &running, elapsed).await?;
    tell(session, story);
    if changed(story, progress, elapsed) {
        return Ok(());
    }
    if let Some(stall) = stall {
        let names: Vec<String> =
            story.jobs.iter().filter(|job| job.is_unfinished()).map(Tracked::name).collect();
        return Err(Failure::new(
            Reason::Stalled,
            format!("no change of any job, run or step for {}", duration(stall)),
        )
        .cause(format!("unfinished: {}", names.join(", ")))
        .hint("open the run to see where it hangs; wait.stall says how long to wait for a change"));
    }
    progress.quiet_warned = true;
    let warning = format!("no change of any job, run or step for {}", duration(quiet));
    session.log.warn(&warning);
    story.warnings.push(warning);
    Ok(())
}

fn changed(story: &Story, progress: &mut Progress, elapsed: Duration) -> bool {
    let now = story.fingerprint();
    if now == progress.fingerprint {
        return false;
    }
    progress.fingerprint = now;
    progress.last_change = elapsed;
    progress.quiet_warned = false;
    true
}

fn heartbeat(session: &Session, story: &Story, progress: &mut Progress, live: &LiveLine) {
    let elapsed = progress.watch.elapsed();
    if elapsed < progress.next_heartbeat {
        return;
    }
    progress.next_heartbeat = elapsed + HEARTBEAT;
    live.say(standing(session, story, progress));
}

/// Time and counts in one line.
fn standing(session: &Session, story: &Story, progress: &mut Progress) -> String {
    let elapsed = progress.watch.elapsed();
    let mut standing: BTreeMap<String, usize> = BTreeMap::new();
    for tracked in &story.jobs {
        let status = tracked.report.status.as_deref().unwrap_or("not seen yet").to_ascii_lowercase();
        *standing.entry(status).or_default() += 1;
    }
    let counts: Vec<String> = standing.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let left = session.plan.wait.timeout.saturating_sub(elapsed);
    format!("{} elapsed, {} left: {}", duration(elapsed), duration(left), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn what_many_jobs_do_is_one_line() {
        let lines = (0..30).flat_map(|job| {
            let name = format!("plan / Test {job}");
            let own = (job == 7).then(|| (name.clone(), format!("{name}: rejected by the queue: no device")));
            std::iter::once((name.clone(), format!("{name}: queued"))).chain(own)
        });
        assert_eq!(
            together(lines.collect()),
            ["30 jobs: queued", "plan / Test 7: rejected by the queue: no device"]
        );
        let few: Vec<_> = (0..3).map(|job| (format!("{job}"), format!("{job}: queued"))).collect();
        assert_eq!(together(few), ["0: queued", "1: queued", "2: queued"]);
    }
}
