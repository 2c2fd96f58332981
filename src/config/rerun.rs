//! What a repeated attempt starts, and which tests of an earlier `results.json` are to be started again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::disk;
use crate::model::{RunSpec, may_be_id};

use super::layers::Source;
use super::plan::{Command, Rerun, RerunMode};
use super::resolve::Resolver;
use super::values;

/// A `results.json` larger than this is not ours.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What of `results.json` tells which tests did not pass. Nothing in it is a reason to leave a check out: it can only name what starts.
#[derive(Debug, Deserialize)]
struct Results {
    schema_version: u32,
    jobs: Vec<Job>,
    #[serde(default)]
    start_problems: Vec<Problem>,
}

#[derive(Debug, Deserialize)]
struct Job {
    run: String,
    test_id: Option<String>,
    counted_as: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    run: String,
}

/// Reads both settings, and leaves out of `runs` what `rerun-from` does not name.
pub(super) fn rerun(
    resolver: &mut Resolver<'_>,
    command: Command,
    cwd: &Path,
    runs: &mut Vec<RunSpec>,
) -> Rerun {
    let words = [("auto", RerunMode::Auto), ("failed", RerunMode::Failed), ("all", RerunMode::All)];
    let mode = resolver.value("rerun", values::one_of(&words));
    let source = resolver.found("rerun-from").map(|(_, source)| source);
    let (Some(name), Some(source)) = (resolver.text("rerun-from"), source) else {
        return Rerun { mode, only: BTreeMap::new() };
    };
    if !matches!(command, Command::Run | Command::Start | Command::Check) {
        return Rerun { mode, only: BTreeMap::new() };
    }
    let only = disk::read(&cwd.join(&name), LARGEST)
        .map_err(|error| format!("cannot read {name}: {error}"))
        .and_then(|bytes| not_passed(&bytes).map_err(|why| format!("{name} {why}")));
    match only {
        Ok(only) => {
            keep(resolver, &source, &name, &only, runs);
            Rerun { mode, only }
        }
        Err(what) => {
            resolver.complain("rerun-from", &source, &what);
            Rerun { mode, only: BTreeMap::new() }
        }
    }
}

/// The runs with a test that did not pass, and the ids of these tests; no ids where all of the run is meant.
fn not_passed(bytes: &[u8]) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let results: Results =
        serde_json::from_slice(bytes).map_err(|error| format!("is no results.json of nunu-ci: {error}"))?;
    if results.schema_version == 0 {
        return Err("is no results.json of nunu-ci: schema_version 0".to_owned());
    }
    let mut tests: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    let failed = results.jobs.into_iter().filter(|job| job.counted_as.as_deref() != Some("passed"));
    for job in failed {
        tests.entry(job.run).or_default().push(job.test_id.filter(|id| may_be_id(id)));
    }
    for problem in results.start_problems {
        tests.entry(problem.run).or_default().push(None);
    }
    let ids = |tests: Vec<Option<String>>| tests.into_iter().collect::<Option<BTreeSet<String>>>();
    Ok(tests.into_iter().map(|(run, tests)| (run, ids(tests).unwrap_or_default())).collect())
}

fn keep(
    resolver: &mut Resolver<'_>,
    source: &Source,
    name: &str,
    only: &BTreeMap<String, BTreeSet<String>>,
    runs: &mut Vec<RunSpec>,
) {
    let missing: Vec<&str> =
        only.keys().map(String::as_str).filter(|label| !runs.iter().any(|run| run.label == *label)).collect();
    // What is wrong with the runs is told already.
    if !runs.is_empty() && !missing.is_empty() {
        let what = format!(
            "{name} names {}, which did not pass and is not among the runs here: use the run config, test-id or test-plan-id it was made with",
            missing.join(", ")
        );
        resolver.complain("rerun-from", source, &what);
    }
    if only.is_empty() {
        let what = format!("every test in {name} passed, so there is nothing to start again");
        resolver.complain("rerun-from", source, &what);
    }
    runs.retain(|run| only.contains_key(&run.label));
}

#[cfg(test)]
mod tests {
    use super::not_passed;

    #[test]
    fn whatever_did_not_pass_is_named() {
        let results = r#"{"schema_version": 2, "later": 1, "jobs": [
            {"run": "a", "test_id": "t1", "counted_as": "passed"},
            {"run": "b", "test_id": "t2", "counted_as": "failed"},
            {"run": "b", "test_id": "t3", "counted_as": "tolerated"},
            {"run": "b", "test_id": "t4", "counted_as": "passed"},
            {"run": "c", "test_id": null, "counted_as": "stopped"},
            {"run": "d", "test_id": "t5", "counted_as": null},
            {"run": "e", "test_id": "../t6", "counted_as": "no-verdict"},
            {"run": "f", "test_id": "t7", "counted_as": "failed"}],
            "start_problems": [{"run": "f", "message": "refused"}, {"run": "g"}]}"#;
        let found = not_passed(results.as_bytes()).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|(run, ids)| {
                format!("{run}:{}", ids.iter().map(String::as_str).collect::<Vec<_>>().join(","))
            })
            .collect();
        assert_eq!(shown, ["b:t2,t3", "c:", "d:t5", "e:", "f:", "g:"]);
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["", "[]", "{}", r#"{"schema_version": 0, "jobs": []}"#, r#"{"jobs": [{"run": 1}]}"#] {
            let why = not_passed(text.as_bytes()).unwrap_err();
            assert!(why.starts_with("is no results.json of nunu-ci"), "{why}");
        }
    }
}
