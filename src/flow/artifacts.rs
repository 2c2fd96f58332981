//! Files that the runs left come into the results folder: those that the setting `artifacts` asks for, and screenshots for the page. A
//! failing download is a warning, never a changed verdict.

use std::path::Path;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use tokio::time::{Instant, sleep_until};

use crate::config::Artifacts;
use crate::disk;
use crate::model::ExitReason;
use crate::model::job::Attempt;
use crate::model::units::{bytes, duration};
use crate::report::{ArtifactPaths, log_tail};

use super::context::Context;
use super::fetch::{Fetcher, LIMITS, Limits};
use super::publish;
use super::run_state::RunState;
use super::screenshots::{self, SCREENSHOTS};
use super::wanted_file::{Place, Wanted, did_not_pass};

/// Downloads at once.
const AT_ONCE: usize = 4;
/// Bytes at the end of a device log that are looked at.
const TAIL: u64 = 16 * 1024;

/// Downloads what the setting `artifacts` asks for and the screenshots of what failed, and notes in the run state where each file lies.
/// The reports are final before it, with `normal` as the end without failure or verdict.
pub(super) async fn download(ctx: &Context, state: &mut RunState, normal: ExitReason) {
    let mut paths = ArtifactPaths::default();
    let wanted = wanted(&ctx.plan.report.artifacts, state, &mut paths);
    let pictures = screenshots::wanted(state, &wanted, &mut paths);
    if wanted.is_empty() && pictures.is_empty() {
        return;
    }
    // The next run there finds out about them, even when this one is killed meanwhile.
    state.downloads = pictures.iter().chain(&wanted).map(|one| one.relative.clone()).collect();
    publish::settle(ctx, state, normal);
    ctx.log.group("Downloading artifacts");
    let small = fetch_all(ctx, state, pictures, SCREENSHOTS, screenshots::keep).await;
    if let Some(why) = small.failed.first() {
        // Nobody asked for them: no warning for each.
        ctx.log.info(format!("{} screenshots are not in the page: {why}", small.failed.len()));
    }
    let large = fetch_all(ctx, state, wanted, LIMITS, |_, _| Ok(())).await;
    for warning in large.failed {
        ctx.log.warn(&warning);
        state.warnings.push(warning);
    }
    screenshots::link(state);
    keep_log_tails(ctx, state);
    state.downloads.clear();
    ctx.log.info(format!("{} files, {}", small.files + large.files, bytes(small.size + large.size)));
    ctx.log.end_group();
}

/// What came of downloads.
#[derive(Default)]
struct Fetched {
    files: usize,
    size: u64,
    /// What did not come, and why.
    failed: Vec<String>,
}

/// Fetches as much as the time allows and `keep` takes.
async fn fetch_all(
    ctx: &Context,
    state: &mut RunState,
    wanted: Vec<Wanted>,
    limits: Limits,
    keep: fn(&Path, &str) -> Result<(), String>,
) -> Fetched {
    let dir = &ctx.plan.report.dir;
    let deadline = Instant::now() + limits.time;
    let fetcher = Fetcher::new(&ctx.api, dir, limits);
    let mut left = wanted.len();
    let downloads = wanted.into_iter().map(|one| {
        let fetcher = &fetcher;
        async move {
            let outcome = fetcher.fetch(&one.url, one.size, &one.relative).await;
            (one, outcome)
        }
    });
    let mut work = iter(downloads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let mut done = Fetched::default();
    loop {
        let next = tokio::select! {
            biased;
            () = ctx.cancel.token().cancelled() => break,
            () = sleep_until(deadline) => {
                let most = duration(limits.time);
                done.failed.push(format!("{left} files were not downloaded: all together may take {most}"));
                break;
            }
            next = work.next() => next,
        };
        let Some((one, outcome)) = next else { break };
        left -= 1;
        match outcome.and_then(|size| keep(dir, &one.relative).map(|()| size)) {
            Ok(size) => {
                done.files += 1;
                done.size += size;
                if let Some(saved_as) = saved_as(state, &one) {
                    *saved_as = Some(one.relative);
                }
            }
            Err(why) => done.failed.push(format!("could not download {}: {why}", one.relative)),
        }
    }
    done
}

/// Where the report names this file.
fn saved_as<'a>(state: &'a mut RunState, one: &Wanted) -> Option<&'a mut Option<String>> {
    let mut runs = state.jobs.iter_mut().flat_map(|tracked| &mut tracked.report.attempts);
    let run = runs.find(|run| run.run_id == one.run)?;
    match &one.place {
        Place::Artifact(player, index) => {
            let player = run.players.iter_mut().find(|known| known.id == *player)?;
            player.artifacts.get_mut(*index).map(|artifact| &mut artifact.saved_as)
        }
        Place::Bug(index) => run.bugs.get_mut(*index).map(|bug| &mut bug.screenshot_saved_as),
    }
}

/// Keeps the last lines of each device log that came.
fn keep_log_tails(ctx: &Context, state: &mut RunState) {
    let runs = state.jobs.iter_mut().flat_map(|tracked| &mut tracked.report.attempts);
    for player in runs.filter(|run| did_not_pass(run)).flat_map(|run| &mut run.players) {
        let saved = player.device_log().and_then(|log| log.saved_as.clone());
        let tail = saved.and_then(|path| disk::tail(&ctx.plan.report.dir.join(path), TAIL).ok());
        player.log_tail = tail.map(|tail| log_tail(&String::from_utf8_lossy(&tail)));
    }
}

fn wanted(which: &Artifacts, state: &RunState, paths: &mut ArtifactPaths) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for attempt in state.jobs.iter().flat_map(|tracked| tracked.report.deciding_runs()) {
        for player in &attempt.players {
            for (index, artifact) in player.artifacts.iter().enumerate() {
                if !chosen(which, attempt, &artifact.file_name) {
                    continue;
                }
                if let Some(relative) = paths.place(&attempt.run_id, &player.id, &artifact.file_name) {
                    wanted.push(Wanted {
                        run: attempt.run_id.clone(),
                        place: Place::Artifact(player.id.clone(), index),
                        url: artifact.url.clone(),
                        size: artifact.size_bytes,
                        relative,
                    });
                }
            }
        }
    }
    wanted
}

fn chosen(which: &Artifacts, attempt: &Attempt, name: &str) -> bool {
    match which {
        Artifacts::None => false,
        Artifacts::All => true,
        Artifacts::Failed => did_not_pass(attempt),
        Artifacts::Globs(globs) => globs.iter().any(|glob| {
            let base = name.rsplit('/').next().unwrap_or(name);
            glob::Pattern::new(glob).is_ok_and(|glob| glob.matches(name) || glob.matches(base))
        }),
    }
}
