//! Outputs of the job. Pure.

use std::path::PathBuf;

use crate::model::{Build, RunReport};

use super::escape::address;

/// Outputs are limited to 1 MB for a whole job on GitHub; ids of one start are far below.
const LONGEST_VALUE: usize = 64 * 1024;

/// Where the result files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// `results.json`.
    pub(crate) results: PathBuf,
    /// `junit.xml`.
    pub(crate) junit: PathBuf,
    /// `summary.md`.
    pub(crate) summary: PathBuf,
}

/// Every output that is known, in the order of the documentation; without `files` those that name one are left out.
pub(crate) fn outputs(report: &RunReport, files: Option<&Files>) -> Vec<(&'static str, String)> {
    let mut known: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty() && value.len() <= LONGEST_VALUE) {
            known.push((name, value.chars().filter(|letter| !letter.is_control()).collect()));
        }
    };
    let build = report.build.as_ref();
    // Instances of one job share its id.
    let mut job_ids: Vec<&str> = report.jobs.iter().map(|job| job.job_id.as_str()).collect();
    job_ids.dedup();
    let counts = report.counts();
    let run_ids: Vec<&str> = report
        .jobs
        .iter()
        .flat_map(|job| &job.attempts)
        .map(|run| run.run_id.as_str())
        .filter(|id| !id.is_empty())
        .collect();
    let run_url = report.jobs.iter().flat_map(|job| &job.attempts).find_map(|run| run.url.as_deref());
    add("build-id", build.and_then(|build| build.id.clone()));
    add("build-status", build.filter(|build| settled(build)).map(|build| build.origin.as_str().to_owned()));
    add("build-sha256", build.and_then(|build| build.sha256.clone()));
    add("job-ids", Some(job_ids.join(",")));
    add("run-ids", Some(run_ids.join(",")));
    add("run-url", run_url.and_then(address));
    add("test-plan-execution-id", report.test_plan_execution_id.clone());
    add("status", Some(report.reason.status().as_str().to_owned()));
    add("exit-code", Some(report.reason.exit_code().to_string()));
    add("exit-reason", Some(report.reason.as_str().to_owned()));
    add("tests-total", Some(counts.total.to_string()));
    add("tests-passed", Some(counts.passed.to_string()));
    add("tests-failed", Some(counts.failed.to_string()));
    add("bugs-total", Some(report.bugs_total().to_string()));
    // Without a question for a baseline there is no answer, not even a zero.
    let delta = report.verdict.as_ref().and_then(|verdict| verdict.delta.as_ref());
    add("bugs-new", delta.map(|delta| delta.bugs_new.to_string()));
    add("bugs-fixed", delta.map(|delta| delta.bugs_fixed.len().to_string()));
    add("tests-newly-failing", delta.map(|delta| delta.tests_newly_failing.to_string()));
    let carried_over = report.jobs.iter().filter(|job| job.carried_over.is_some()).count();
    add("tests-carried-over", Some(carried_over.to_string()));
    let baselines = report.jobs.iter().filter_map(|job| job.baseline.as_ref()?.run());
    let baseline_url = baselines.filter_map(|run| run.url.as_deref()).find_map(address);
    add("baseline-run-url", baseline_url);
    add("duration-seconds", Some(report.duration.as_secs().to_string()));
    let path = |path: fn(&Files) -> &PathBuf| files.map(|files| path(files).display().to_string());
    add("results-file", path(|files| &files.results));
    add("junit-file", path(|files| &files.junit));
    add("summary-file", path(|files| &files.summary));
    known
}

/// False for a build that was only looked at.
fn settled(build: &Build) -> bool {
    build.id.is_some() || build.file_name.is_none()
}
