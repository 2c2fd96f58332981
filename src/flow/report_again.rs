//! The command `report`: all files again from one or several `results.json`. Nothing is asked of the service.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::Plan;
use crate::disk;
use crate::model::job::Attempt;
use crate::model::{ExitReason, Failure, RunReport};
use crate::report::{self, Leg};

use super::context::Surroundings;
use super::publish;

/// Files of one report.
const MOST_FILES: usize = 256;

/// Reads what it is given, judges all of it, and publishes the end. Gives the report that was published.
pub(super) fn report(around: &Surroundings, plan: &Plan) -> Result<RunReport, Failure> {
    let dir = &plan.report.dir;
    let files = files(&around.args.files, &around.cwd, dir)?;
    let mut kept = BTreeSet::new();
    let mut legs = Vec::new();
    for path in &files {
        let name = shown(path, &around.cwd);
        let mut report = read(path).map_err(|what| refused(format!("{name}: {what}")))?;
        let lost = move_artifacts(&mut report, path.parent().unwrap_or(dir), dir, &mut kept);
        if lost > 0 {
            report.warnings.push(format!(
                "{name}: {lost} of its files are not linked, because they do not lie beside it in the results folder {}",
                shown(dir, &around.cwd)
            ));
        }
        legs.push(Leg { name, report });
    }
    around.log.info(format!(
        "reporting on {}",
        legs.iter().map(|leg| leg.name.as_str()).collect::<Vec<_>>().join(", ")
    ));
    // What the run config says was said to the legs too, and theirs is what counted.
    let fail_on = plan.is_set_by_the_pipeline("fail-on").then_some(&plan.gate.fail_on);
    let union = report::union(legs, fail_on).map_err(refused)?;
    Ok(publish::again(around, plan, union, &kept))
}

fn refused(what: String) -> Failure {
    Failure::new(ExitReason::InvalidInput, what)
        .hint("nunu-ci report FILES...: name each results.json once, or the folder that has them in folders of their own")
}

/// The files that were named, and those in folders that were; without any, those of the results folder.
fn files(named: &[String], cwd: &Path, dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let named = if named.is_empty() {
        vec![dir.to_owned()]
    } else {
        named.iter().map(|name| cwd.join(name)).collect()
    };
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        let found = in_folder(&path);
        if found.is_empty() {
            return Err(refused(format!(
                "{}: there is no {} in it, nor in the folders in it",
                shown(&path, cwd),
                report::RESULTS
            )));
        }
        files.extend(found);
    }
    if files.len() > MOST_FILES {
        return Err(refused(format!("{} files are named, and {MOST_FILES} are the most", files.len())));
    }
    Ok(files)
}

/// One in each folder in it, as artifacts of several jobs are unpacked; where there is none, its own.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.path().join(report::RESULTS)).filter(|path| path.is_file()).collect();
    found.sort();
    let own = folder.join(report::RESULTS);
    if found.is_empty() && own.is_file() {
        found.push(own);
    }
    found
}

fn read(path: &Path) -> Result<RunReport, String> {
    let text =
        disk::read(path, report::LARGEST_RESULTS).map_err(|error| format!("cannot read it: {error}"))?;
    report::read(&text)
}

/// Has every path lead from the results folder `dir` to the file beside the report in `folder`; forgets those that do not lead to one,
/// and gives their number. Files that are in the folder itself are `kept`.
fn move_artifacts(report: &mut RunReport, folder: &Path, dir: &Path, kept: &mut BTreeSet<String>) -> usize {
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let between = canonical(folder)
        .strip_prefix(canonical(dir))
        .map(|path| path.display().to_string().replace('\\', "/"))
        .ok();
    let mut lost = 0;
    for saved_as in report.jobs.iter_mut().flat_map(|job| &mut job.attempts).flat_map(Attempt::saved_paths) {
        let Some(path) = saved_as.take() else { continue };
        *saved_as = between
            .as_deref()
            .filter(|_| disk::is_below(folder, &path))
            .map(|between| if between.is_empty() { path } else { format!("{between}/{path}") });
        match saved_as {
            None => lost += 1,
            Some(path) if between.as_deref() == Some("") => drop(kept.insert(path.clone())),
            Some(_) => {}
        }
    }
    lost
}

/// A path as the user sees it.
fn shown(path: &Path, cwd: &Path) -> String {
    path.strip_prefix(cwd).unwrap_or(path).display().to_string()
}
