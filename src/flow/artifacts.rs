//! Files that the runs left come into the results folder. A failing download is a warning, never a changed verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use tokio::fs::{self, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::config::Artifacts;
use crate::model::TestResult;
use crate::model::run_report::JobReport;
use crate::model::units::bytes;
use crate::report::safe_artifact_path;

use super::session::Session;
use super::story::Story;

/// Downloads at once.
const AT_ONCE: usize = 4;
/// Tries of one file; each goes on where the one before was cut.
const TRIES: u32 = 5;

/// One file to fetch.
struct Wanted {
    job: usize,
    player: usize,
    artifact: usize,
    url: String,
    size: Option<u64>,
    /// Below the results folder, with `/`.
    relative: String,
}

/// Downloads what the setting `artifacts` asks for, and notes in the story where each file lies.
pub(super) async fn download(session: &Session, story: &mut Story) {
    let wanted = wanted(&session.plan.report.artifacts, story);
    if wanted.is_empty() {
        return;
    }
    session.log.group("Downloading artifacts");
    let folder = session.plan.report.dir.clone();
    let count = wanted.len();
    let downloads = wanted.into_iter().map(|one| {
        let path = folder.join(&one.relative);
        async move {
            let outcome = fetch(session, &one, &path).await;
            (one, outcome)
        }
    });
    let work = iter(downloads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
    let done = tokio::select! {
        biased;
        () = session.cancel.token().cancelled() => Vec::new(),
        done = work => done,
    };
    let mut total = 0;
    for (one, outcome) in done {
        match outcome {
            Ok(size) => {
                total += size;
                let player = story.jobs[one.job]
                    .report
                    .attempts
                    .last_mut()
                    .and_then(|run| run.players.get_mut(one.player));
                if let Some(artifact) = player.and_then(|player| player.artifacts.get_mut(one.artifact)) {
                    artifact.saved_as = Some(one.relative);
                }
            }
            Err(why) => {
                let warning = format!("could not download {}: {why}", one.relative);
                session.log.warn(&warning);
                story.warnings.push(warning);
            }
        }
    }
    session.log.info(format!("{count} files, {}", bytes(total)));
    session.log.end_group();
}

fn wanted(which: &Artifacts, story: &Story) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (job, tracked) in story.jobs.iter().enumerate() {
        let Some(attempt) = tracked.report.deciding() else { continue };
        for (player_index, player) in attempt.players.iter().enumerate() {
            for (index, artifact) in player.artifacts.iter().enumerate() {
                if !chosen(which, &tracked.report, &artifact.file_name) {
                    continue;
                }
                if let Some(relative) = safe_artifact_path(&attempt.run_id, &player.id, &artifact.file_name) {
                    wanted.push(Wanted {
                        job,
                        player: player_index,
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

fn chosen(which: &Artifacts, job: &JobReport, name: &str) -> bool {
    match which {
        Artifacts::None => false,
        Artifacts::All => true,
        Artifacts::Failed => !matches!(
            job.deciding().and_then(|run| run.result.as_ref()),
            Some(TestResult::Success | TestResult::Skipped)
        ),
        Artifacts::Globs(globs) => globs.iter().any(|glob| {
            let base = name.rsplit('/').next().unwrap_or(name);
            glob::Pattern::new(glob).is_ok_and(|glob| glob.matches(name) || glob.matches(base))
        }),
    }
}

/// Streams one file to disk, going on by range after a cut; its size.
async fn fetch(session: &Session, one: &Wanted, path: &Path) -> Result<u64, String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await.map_err(|error| error.to_string())?;
    }
    let part = PathBuf::from(format!("{}.part", path.display()));
    let mut got = 0;
    let mut last = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            sleep(Duration::from_millis(500) * 2_u32.pow(attempt)).await;
        }
        match append(session, one, &part, &mut got).await {
            Ok(()) => {
                fs::rename(&part, path).await.map_err(|error| error.to_string())?;
                return Ok(got);
            }
            Err(Trouble::Final(why)) => {
                last = why;
                break;
            }
            Err(Trouble::Passing(why)) => last = why,
        }
    }
    let _ = fs::remove_file(&part).await;
    Err(last)
}

enum Trouble {
    Passing(String),
    Final(String),
}

async fn append(session: &Session, one: &Wanted, part: &Path, got: &mut u64) -> Result<(), Trouble> {
    let disk = |error: std::io::Error| Trouble::Final(error.to_string());
    let mut stream = session.api.once().artifact(&one.url, *got).await.map_err(|error| {
        if error.is_transient() {
            Trouble::Passing(error.to_string())
        } else {
            Trouble::Final(error.to_string())
        }
    })?;
    // A server without ranges starts again from the beginning.
    let resumed = stream.offset == *got && *got > 0;
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(!resumed)
        .append(resumed)
        .open(part)
        .await
        .map_err(disk)?;
    if !resumed {
        *got = 0;
    }
    let size = one.size.or(stream.size_bytes);
    while let Some(chunk) = stream.chunk().await.map_err(|error| Trouble::Passing(error.to_string()))? {
        *got += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if size.is_some_and(|size| *got > size) {
            return Err(Trouble::Final(format!(
                "it is larger than the {} announced",
                bytes(size.unwrap_or(0))
            )));
        }
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    match size {
        Some(size) if size != *got => {
            Err(Trouble::Passing(format!("only {} of {} arrived", bytes(*got), bytes(size))))
        }
        _ => Ok(()),
    }
}
