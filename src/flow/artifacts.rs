//! Files that the runs left come into the results folder. A failing download is a warning, never a changed verdict.

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use tokio::time::{Instant, sleep_until};

use crate::config::Artifacts;
use crate::model::job::{Artifact, Attempt};
use crate::model::units::{bytes, duration};
use crate::model::{ExitReason, TestResult};
use crate::report::ArtifactPaths;

use super::context::Context;
use super::fetch::{Fetcher, LIMITS};
use super::publish;
use super::run_state::RunState;

/// Downloads at once.
const AT_ONCE: usize = 4;

/// One file to fetch.
struct Wanted {
    run: String,
    player: String,
    artifact: usize,
    url: String,
    size: Option<u64>,
    /// Below the results folder, with `/`.
    relative: String,
}

/// Downloads what the setting `artifacts` asks for, and notes in the run state where each file lies. The reports are final before it, with
/// `normal` as the end without failure or verdict.
pub(super) async fn download(ctx: &Context, state: &mut RunState, normal: ExitReason) {
    let wanted = wanted(&ctx.plan.report.artifacts, state);
    if wanted.is_empty() {
        return;
    }
    // The next run there finds out about them, even when this one is killed meanwhile.
    state.downloads = wanted.iter().map(|one| one.relative.clone()).collect();
    publish::settle(ctx, state, normal);
    ctx.log.group("Downloading artifacts");
    let total = fetch_all(ctx, state, wanted).await;
    state.downloads.clear();
    ctx.log.info(total);
    ctx.log.end_group();
}

/// Fetches as much as the time allows; what came, in words.
async fn fetch_all(ctx: &Context, state: &mut RunState, wanted: Vec<Wanted>) -> String {
    let deadline = Instant::now() + LIMITS.time;
    let fetcher = Fetcher::new(&ctx.api, &ctx.plan.report.dir, LIMITS);
    let mut left = wanted.len();
    let downloads = wanted.into_iter().map(|one| {
        let fetcher = &fetcher;
        async move {
            let outcome = fetcher.fetch(&one.url, one.size, &one.relative).await;
            (one, outcome)
        }
    });
    let mut work = iter(downloads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let (mut files, mut size) = (0, 0);
    loop {
        let next = tokio::select! {
            biased;
            () = ctx.cancel.token().cancelled() => break,
            () = sleep_until(deadline) => {
                warn(ctx, state, format!(
                    "{left} artifacts were not downloaded: all together may take {}", duration(LIMITS.time)
                ));
                break;
            }
            next = work.next() => next,
        };
        let Some((one, outcome)) = next else { break };
        left -= 1;
        match outcome {
            Ok(bytes) => {
                files += 1;
                size += bytes;
                if let Some(artifact) = artifact_of(state, &one) {
                    artifact.saved_as = Some(one.relative);
                }
            }
            Err(why) => warn(ctx, state, format!("could not download {}: {why}", one.relative)),
        }
    }
    format!("{files} files, {}", bytes(size))
}

fn warn(ctx: &Context, state: &mut RunState, warning: String) {
    ctx.log.warn(&warning);
    state.warnings.push(warning);
}

fn artifact_of<'a>(state: &'a mut RunState, one: &Wanted) -> Option<&'a mut Artifact> {
    let mut runs = state.jobs.iter_mut().flat_map(|tracked| &mut tracked.report.attempts);
    let run = runs.find(|run| run.run_id == one.run)?;
    let player = run.players.iter_mut().find(|player| player.id == one.player)?;
    player.artifacts.get_mut(one.artifact)
}

fn wanted(which: &Artifacts, state: &RunState) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let mut paths = ArtifactPaths::default();
    for attempt in state.jobs.iter().flat_map(|tracked| tracked.report.deciding_runs()) {
        for player in &attempt.players {
            for (index, artifact) in player.artifacts.iter().enumerate() {
                if !chosen(which, attempt, &artifact.file_name) {
                    continue;
                }
                if let Some(relative) = paths.place(&attempt.run_id, &player.id, &artifact.file_name) {
                    wanted.push(Wanted {
                        run: attempt.run_id.clone(),
                        player: player.id.clone(),
                        artifact: index,
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
        Artifacts::Failed => !matches!(attempt.result, Some(TestResult::Success | TestResult::Skipped)),
        Artifacts::Globs(globs) => globs.iter().any(|glob| {
            let base = name.rsplit('/').next().unwrap_or(name);
            glob::Pattern::new(glob).is_ok_and(|glob| glob.matches(name) || glob.matches(base))
        }),
    }
}
