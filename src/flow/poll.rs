//! Following jobs to their end.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::api::Phase;
use crate::model::job::JobStatus;
use crate::model::live::Row;
use crate::model::log::Live;
use crate::model::units::duration;
use crate::model::{ExitReason, Failure};

use super::announce::live_row;
use super::context::Context;
use super::poll_jobs::{look, read_steps, settle};
use super::poll_schedule::next_look;
use super::publish;
use super::run_state::RunState;
use super::start_driver::work_until;
use super::stopwatch::Stopwatch;
use super::tracked_job::{GONE_AFTER, Tracked};

/// Without any change for that long, a warning.
const QUIET_AFTER: Duration = Duration::from_secs(20 * 60);
/// Between two lines that say it still goes on.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Between two looks at the clock, for the person who watches.
const LIVE: Duration = Duration::from_secs(1);
/// From more jobs than this on, what all of them do is one line.
const MANY: usize = 5;
/// Between two looks while only details of ended runs are missing.
const DETAILS_AGAIN: Duration = Duration::from_secs(2);

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

/// Follows every job until it is finished, or lost. A signal ends it early without an error.
pub(super) async fn until_done(ctx: &Context, state: &mut RunState) -> Result<(), Failure> {
    let mut watch = state.clock.clone().unwrap_or_else(Stopwatch::start);
    let now = watch.elapsed();
    let mut progress = Progress {
        slept: watch.slept(),
        watch,
        last_good: now,
        failed: 0,
        last_change: now,
        fingerprint: state.fingerprint(),
        quiet_warned: false,
        next_heartbeat: now + HEARTBEAT,
        lists: true,
    };
    state.waited = true;
    tokio::select! {
        biased;
        () = ctx.cancel.token().cancelled() => Ok(()),
        ended = follow(ctx, state, &mut progress) => ended,
    }
}

async fn follow(ctx: &Context, state: &mut RunState, progress: &mut Progress) -> Result<(), Failure> {
    let limit = ctx.plan.wait.timeout;
    let live = ctx.log.live();
    loop {
        let left = limit.saturating_sub(progress.watch.elapsed());
        let api = ctx.api.once();
        let looked = timeout(left, look(&api, ctx, state, &mut progress.lists)).await;
        let elapsed = progress.watch.elapsed();
        match looked {
            Ok(Ok(())) => {
                progress.failed = 0;
                progress.last_good = elapsed;
            }
            Ok(Err(error)) if error.is_auth() => return Err(error.failure(Phase::Wait)),
            Ok(Err(error)) => {
                progress.failed += 1;
                ctx.log.warn(format!("could not look at the runs ({} in a row): {error}", progress.failed));
                if elapsed.saturating_sub(progress.last_good) >= GONE_AFTER {
                    return last_look(ctx, state, progress, error.failure(Phase::Wait)).await;
                }
            }
            Err(_) => {}
        }
        settle(ctx, state, elapsed, false).await?;
        tell(ctx, state);
        // The start protocol waits for jobs that may still appear.
        let expected = state.starts.as_ref().is_some_and(|starts| starts.outcome().is_none());
        if !expected && !state.jobs.iter().any(Tracked::is_open) {
            return Ok(());
        }
        if elapsed >= limit {
            return last_look(ctx, state, progress, deadline_passed(state, limit)).await;
        }
        stalls(ctx, state, progress).await?;
        heartbeat(ctx, state, progress, &live);
        let pause = next_look(ctx.plan.wait.poll, progress.watch.elapsed(), progress.failed, fastrand::f64());
        let goes_on = state.jobs.iter().any(Tracked::is_unfinished);
        let pause = if goes_on { pause } else { pause.min(DETAILS_AGAIN) };
        let pause = pause.min(limit.saturating_sub(progress.watch.elapsed()));
        let until = Instant::now() + pause;
        loop {
            live.show(&rows(ctx, state, progress));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            work_until(ctx, state, sleep(left.min(LIVE)), |_| false).await;
        }
    }
}

/// Says what changed.
fn tell(ctx: &Context, state: &mut RunState) {
    let mut lines = Vec::new();
    let mut finished = false;
    for tracked in &mut state.jobs {
        let name = tracked.name();
        lines.extend(tracked.changes().into_iter().map(|line| (name.clone(), line)));
        let ending = tracked.ending();
        finished |= !ending.is_empty();
        lines.extend(ending.into_iter().map(|line| (name.clone(), line)));
    }
    for line in together(lines) {
        ctx.log.info(line);
    }
    if finished {
        publish::interim(ctx, state);
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
    ctx: &Context,
    state: &mut RunState,
    progress: &mut Progress,
    why: Failure,
) -> Result<(), Failure> {
    let elapsed = progress.watch.elapsed();
    let _ = look(&ctx.api.urgent(), ctx, state, &mut progress.lists).await;
    settle(ctx, state, elapsed, true).await?;
    tell(ctx, state);
    if state.jobs.iter().any(Tracked::is_unfinished) { Err(why) } else { Ok(()) }
}

fn deadline_passed(state: &RunState, limit: Duration) -> Failure {
    let unfinished: Vec<String> =
        state.jobs.iter().filter(|job| job.is_unfinished()).map(Tracked::name).collect();
    Failure::new(
        ExitReason::Timeout,
        format!("the timeout of {} passed with {} of {} jobs unfinished", duration(limit), unfinished.len(), state.jobs.len()),
    )
    .cause(format!("unfinished: {}", unfinished.join(", ")))
    .hint("raise the setting timeout (wait.timeout in the run config) if these tests need longer, queueing included")
}

async fn stalls(ctx: &Context, state: &mut RunState, progress: &mut Progress) -> Result<(), Failure> {
    let elapsed = progress.watch.elapsed();
    let slept = progress.watch.slept();
    if slept > progress.slept {
        ctx.log.warn(format!(
            "this machine was suspended for {}",
            duration(slept.saturating_sub(progress.slept))
        ));
        progress.slept = slept;
        progress.last_change = elapsed;
    }
    if changed(state, progress, elapsed) {
        return Ok(());
    }
    let quiet = elapsed.saturating_sub(progress.last_change);
    let stall = ctx.plan.wait.stall.filter(|&stall| quiet >= stall);
    if stall.is_none() && (quiet < QUIET_AFTER || progress.quiet_warned) {
        return Ok(());
    }
    // Steps may have moved since the last look at the details.
    let running: Vec<usize> =
        (0..state.jobs.len()).filter(|&index| state.jobs[index].is_unfinished()).collect();
    read_steps(ctx, state, &running, elapsed).await?;
    tell(ctx, state);
    if changed(state, progress, elapsed) {
        return Ok(());
    }
    if let Some(stall) = stall {
        let names: Vec<String> =
            state.jobs.iter().filter(|job| job.is_unfinished()).map(Tracked::name).collect();
        return Err(Failure::new(
            ExitReason::Stalled,
            format!("no change of any job, run or step for {}", duration(stall)),
        )
        .cause(format!("unfinished: {}", names.join(", ")))
        .hint("open the run to see where it hangs; wait.stall says how long to wait for a change"));
    }
    progress.quiet_warned = true;
    let warning = format!("no change of any job, run or step for {}", duration(quiet));
    ctx.log.warn(&warning);
    state.warnings.push(warning);
    Ok(())
}

fn changed(state: &RunState, progress: &mut Progress, elapsed: Duration) -> bool {
    let now = state.fingerprint();
    if now == progress.fingerprint {
        return false;
    }
    progress.fingerprint = now;
    progress.last_change = elapsed;
    progress.quiet_warned = false;
    true
}

fn heartbeat(ctx: &Context, state: &RunState, progress: &mut Progress, live: &Live) {
    let elapsed = progress.watch.elapsed();
    if elapsed < progress.next_heartbeat {
        return;
    }
    progress.next_heartbeat = elapsed + HEARTBEAT;
    if !live.show(&rows(ctx, state, progress)) {
        ctx.log.info(overview(ctx, state, progress));
    }
}

/// What a person who watches sees: every test, and all of them in one line.
fn rows(ctx: &Context, state: &RunState, progress: &mut Progress) -> Vec<Row> {
    let now = chrono::Utc::now();
    let tests = state.jobs.iter().map(|tracked| Row::Test(live_row(&tracked.report, now)));
    tests.chain([Row::Text(overview(ctx, state, progress))]).collect()
}

/// Time and counts in one line.
fn overview(ctx: &Context, state: &RunState, progress: &mut Progress) -> String {
    let elapsed = progress.watch.elapsed();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for tracked in &state.jobs {
        let status =
            tracked.report.status.as_ref().map_or("not seen yet", JobStatus::as_str).to_ascii_lowercase();
        *counts.entry(status).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let left = ctx.plan.wait.timeout.saturating_sub(elapsed);
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
