//! Screenshots for the page: which of them are fetched although the setting `artifacts` does not ask for them. Few, small, and in
//! little time, so that the end of a job never waits for pictures.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::disk;
use crate::model::job::Bug;
use crate::report::{ArtifactPaths, is_picture_name, media_type};

use super::fetch::{LIMITS, Limits};
use super::run_state::RunState;
use super::wanted_file::{Place, Wanted, did_not_pass};

/// Screenshots that are fetched.
const MOST: usize = 60;
/// What they may take.
pub(super) const SCREENSHOTS: Limits =
    Limits { file: 5_000_000, all: 40_000_000, time: Duration::from_secs(20), ..LIMITS };

/// Screenshots of bugs, the worst first, then those of runs that did not pass; without what is fetched anyway.
pub(super) fn wanted(state: &RunState, anyway: &[Wanted], paths: &mut ArtifactPaths) -> Vec<Wanted> {
    let mut known: BTreeSet<&str> = anyway.iter().map(|one| one.url.as_str()).collect();
    let runs = || state.jobs.iter().flat_map(|tracked| tracked.report.deciding_runs());
    // The report shows the worst occurrence of a bug.
    let mut worst: BTreeMap<&str, (&str, usize, &Bug)> = BTreeMap::new();
    for run in runs() {
        for (index, bug) in run.bugs.iter().enumerate().filter(|(_, bug)| bug.screenshot_url.is_some()) {
            let shown = worst.entry(&bug.bug_id).or_insert((&run.run_id, index, bug));
            if rank(bug) > rank(shown.2) {
                *shown = (&run.run_id, index, bug);
            }
        }
    }
    let mut bugs: Vec<_> = worst.into_values().collect();
    bugs.sort_by_key(|(.., bug)| Reverse(rank(bug)));
    let mut wanted = Vec::new();
    let files = || runs().flat_map(|run| run.players.iter().map(move |player| (run, player)));
    for (run, index, bug) in bugs {
        let Some(url) = bug.screenshot_url.as_deref().filter(|url| !url.is_empty()) else { continue };
        let listed = files().any(|(_, player)| player.artifacts.iter().any(|artifact| artifact.url == url));
        let name = format!("{}.{}", bug.id, extension(url));
        if listed || !known.insert(url) {
            continue;
        }
        if let Some(relative) = paths.place(run, "bugs", &name) {
            let place = Place::Bug(index);
            wanted.push(Wanted { run: run.to_owned(), place, url: url.to_owned(), size: None, relative });
        }
    }
    let of_bugs: BTreeSet<&str> =
        runs().flat_map(|run| &run.bugs).filter_map(|bug| bug.screenshot_url.as_deref()).collect();
    for (run, player) in files() {
        for (index, artifact) in player.artifacts.iter().enumerate() {
            let shown = did_not_pass(run) || of_bugs.contains(artifact.url.as_str());
            if !shown || !is_picture_name(&artifact.file_name) || !known.insert(&artifact.url) {
                continue;
            }
            if let Some(relative) = paths.place(&run.run_id, &player.id, &artifact.file_name) {
                wanted.push(Wanted {
                    run: run.run_id.clone(),
                    place: Place::Artifact(player.id.clone(), index),
                    url: artifact.url.clone(),
                    size: artifact.size_bytes,
                    relative,
                });
            }
        }
    }
    wanted.truncate(MOST);
    wanted
}

fn rank(bug: &Bug) -> impl Ord + use<> {
    (bug.severity_rank(), bug.confidence_rank())
}

/// The extension that the address names, when it is one of a picture.
fn extension(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    if is_picture_name(path) { extension } else { "png" }
}

/// Keeps only what is a picture: nobody asked for anything else.
pub(super) fn keep(dir: &Path, relative: &str) -> Result<(), String> {
    let bytes = disk::read(&dir.join(relative), SCREENSHOTS.file).map_err(|error| error.to_string())?;
    if media_type(&bytes).is_some() {
        return Ok(());
    }
    disk::remove_below(dir, relative);
    Err("it is no PNG, JPEG or WebP picture".to_owned())
}

/// A bug whose screenshot is one of the run's files shows that file.
pub(super) fn link(state: &mut RunState) {
    let runs = state.jobs.iter_mut().flat_map(|tracked| &mut tracked.report.attempts);
    for run in runs {
        let files: BTreeMap<String, String> = run
            .players
            .iter()
            .flat_map(|player| &player.artifacts)
            .filter(|artifact| is_picture_name(&artifact.file_name))
            .filter_map(|artifact| Some((artifact.url.clone(), artifact.saved_as.clone()?)))
            .collect();
        for bug in run.bugs.iter_mut().filter(|bug| bug.screenshot_saved_as.is_none()) {
            bug.screenshot_saved_as = bug.screenshot_url.as_ref().and_then(|url| files.get(url).cloned());
        }
    }
}
