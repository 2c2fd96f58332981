//! `results.json`: everything, for machines. The schema is `docs/results.schema.json`.

use serde::Serialize;

use crate::model::job::{Artifact, Attempt, Bug, Job, JobStatus, Player, Step, StepItem};
use crate::model::run_report::Context;
use crate::model::units::{Timestamp, format_time};
use crate::model::verdict::{Counted, Counts, GateStatus, JudgedBug};
use crate::model::{Build, Failure, RunReport};

use super::escape::shortened;

/// Layout of the file; raised when something is renamed or removed.
pub(crate) const SCHEMA_VERSION: u32 = 1;
/// Characters of one text.
const LONGEST: usize = 20_000;

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Results<'a> {
    schema_version: u32,
    tool_version: &'static str,
    command: &'a str,
    status: &'static str,
    exit_code: u8,
    exit_reason: &'static str,
    unfinished: bool,
    started_at: String,
    finished_at: String,
    duration_seconds: u64,
    context: &'a Context,
    files: &'a [String],
    build: Option<&'a Build>,
    totals: Totals,
    test_plan_execution_id: Option<&'a str>,
    jobs: Vec<JobEntry<'a>>,
    bugs: Vec<BugEntry<'a>>,
    start_problems: Vec<StartEntry<'a>>,
    failure: Option<&'a Failure>,
    left_running: Vec<LeftEntry<'a>>,
    warnings: &'a [String],
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Totals {
    #[serde(flatten)]
    counts: Counts,
    bugs: usize,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Job"))]
struct JobEntry<'a> {
    job_id: &'a str,
    run: &'a str,
    required: bool,
    test_id: Option<&'a str>,
    test_name: Option<&'a str>,
    device: Option<&'a str>,
    deployment_config: Option<&'a str>,
    instance: Option<usize>,
    instances: Option<usize>,
    status: Option<&'a str>,
    result: Option<&'a str>,
    standing: Option<GateStatus>,
    counted_as: Option<Counted>,
    because: Option<&'a str>,
    flaky: bool,
    queue_rejection: Option<&'a str>,
    stopped_by: Option<&'a str>,
    stopped_by_us: bool,
    created_at: Option<String>,
    completed_at: Option<String>,
    attempts: Vec<AttemptEntry<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AttemptEntry<'a> {
    run_id: &'a str,
    url: Option<&'a str>,
    state: Option<&'a str>,
    result: Option<&'a str>,
    started_at: Option<String>,
    completed_at: Option<String>,
    duration_seconds: Option<f64>,
    unreadable: Option<&'a str>,
    build_ids: Vec<&'a str>,
    players: Vec<PlayerEntry<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PlayerEntry<'a> {
    id: &'a str,
    number: u64,
    url: Option<&'a str>,
    device: Option<&'a str>,
    result: Option<&'a str>,
    steps: Vec<StepEntry<'a>>,
    steps_left_out: usize,
    artifacts: Vec<ArtifactEntry<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StepEntry<'a> {
    number: u64,
    goal: String,
    result: Option<&'a str>,
    report: Option<String>,
    started_at: Option<String>,
    duration_seconds: Option<f64>,
    items: &'a [StepItem],
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ArtifactEntry<'a> {
    file_name: &'a str,
    size_bytes: Option<u64>,
    saved_as: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BugEntry<'a> {
    bug_id: &'a str,
    title: String,
    description: Option<String>,
    category: Option<&'a str>,
    severity: Option<&'a str>,
    confidence: Option<&'a str>,
    reproduction_steps: Option<String>,
    counts: bool,
    quarantined: Option<&'a str>,
    job_ids: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StartEntry<'a> {
    run: &'a str,
    device: Option<&'a str>,
    message: &'a str,
    tag: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LeftEntry<'a> {
    job_ids: &'a [String],
    tag: Option<&'a str>,
    why: &'a str,
}

/// The file's text.
pub(crate) fn json(report: &RunReport) -> String {
    let results = Results {
        schema_version: SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION"),
        command: report.command,
        status: if report.unfinished { "error" } else { report.reason.status().as_str() },
        exit_code: report.reason.exit_code(),
        exit_reason: report.reason.as_str(),
        unfinished: report.unfinished,
        started_at: format_time(report.started_at),
        finished_at: format_time(report.finished_at),
        duration_seconds: report.duration.as_secs(),
        context: &report.context,
        files: &report.files,
        build: report.build.as_ref(),
        totals: Totals { counts: report.counts(), bugs: report.bugs_total() },
        test_plan_execution_id: report.test_plan_execution_id.as_deref(),
        jobs: report.jobs.iter().enumerate().map(|(index, job)| entry(report, index, job)).collect(),
        bugs: report
            .verdict
            .iter()
            .flat_map(|verdict| &verdict.bugs)
            .map(|bug| bug_entry(report, bug))
            .collect(),
        start_problems: report
            .starts
            .iter()
            .map(|problem| StartEntry {
                run: &problem.run,
                device: problem.device.as_deref(),
                message: &problem.message,
                tag: problem.tag.as_deref(),
            })
            .collect(),
        failure: report.failure.as_ref(),
        left_running: report
            .left_running
            .iter()
            .map(|left| LeftEntry { job_ids: &left.job_ids, tag: left.tag.as_deref(), why: &left.why })
            .collect(),
        warnings: &report.warnings,
    };
    let mut text = serde_json::to_string_pretty(&results).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(format_time)
}

fn long(text: &str) -> String {
    shortened(text, LONGEST).into_owned()
}

fn entry<'a>(report: &'a RunReport, index: usize, job: &'a Job) -> JobEntry<'a> {
    let judgement = report.verdict.as_ref().and_then(|verdict| verdict.judgements.get(index));
    JobEntry {
        job_id: &job.job_id,
        run: &job.run,
        required: job.required,
        test_id: job.test_id.as_deref(),
        test_name: job.test_name.as_deref(),
        device: job.device.as_deref(),
        deployment_config: job.deployment_config.as_deref(),
        instance: job.instance.map(|(number, _)| number),
        instances: job.instance.map(|(_, of)| of),
        status: job.status.as_ref().map(JobStatus::as_str),
        result: job.deciding().and_then(|run| run.result.as_ref()).map(crate::model::TestResult::as_str),
        standing: judgement.map(|judgement| judgement.standing),
        counted_as: judgement.map(|judgement| judgement.counted),
        because: judgement.map(|judgement| judgement.because.as_str()),
        flaky: judgement.is_some_and(|judgement| judgement.flaky),
        queue_rejection: job.queue_rejection.as_deref(),
        stopped_by: job.stopped_by.as_deref(),
        stopped_by_us: job.stopped_by_us,
        created_at: time(job.created_at),
        completed_at: time(job.completed_at),
        attempts: job.attempts.iter().map(attempt).collect(),
    }
}

fn attempt(run: &Attempt) -> AttemptEntry<'_> {
    AttemptEntry {
        run_id: &run.run_id,
        url: run.url.as_deref(),
        state: run.state.as_deref(),
        result: run.result.as_ref().map(crate::model::TestResult::as_str),
        started_at: time(run.started_at),
        completed_at: time(run.completed_at),
        duration_seconds: run.duration.map(|took| took.as_secs_f64()),
        unreadable: run.unreadable.as_deref(),
        build_ids: build_ids(run),
        players: run.players.iter().map(player).collect(),
    }
}

/// Every build that the run names, once.
fn build_ids(run: &Attempt) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for seen in &run.builds {
        if !ids.iter().any(|id| id.eq_ignore_ascii_case(&seen.id)) {
            ids.push(&seen.id);
        }
    }
    ids
}

fn player(player: &Player) -> PlayerEntry<'_> {
    PlayerEntry {
        id: &player.id,
        number: player.number,
        url: player.url.as_deref(),
        device: player.device.as_deref(),
        result: player.result.as_ref().map(crate::model::TestResult::as_str),
        steps: player.steps.iter().map(step).collect(),
        steps_left_out: player.steps_left_out,
        artifacts: player.artifacts.iter().map(artifact).collect(),
    }
}

fn step(step: &Step) -> StepEntry<'_> {
    StepEntry {
        number: step.number,
        goal: long(&step.goal),
        result: step.result.as_ref().map(crate::model::TestResult::as_str),
        report: step.report.as_deref().map(long),
        started_at: time(step.started_at),
        duration_seconds: step.duration.map(|took| took.as_secs_f64()),
        items: &step.items,
    }
}

fn artifact(artifact: &Artifact) -> ArtifactEntry<'_> {
    ArtifactEntry {
        file_name: &artifact.file_name,
        size_bytes: artifact.size_bytes,
        saved_as: artifact.saved_as.as_deref(),
    }
}

fn bug_entry<'a>(report: &'a RunReport, judged: &'a JudgedBug) -> BugEntry<'a> {
    let bug: &Bug = &judged.bug;
    BugEntry {
        bug_id: &bug.bug_id,
        title: long(&bug.title),
        description: bug.description.as_deref().map(long),
        category: bug.category.as_deref(),
        severity: bug.severity.as_deref(),
        confidence: bug.confidence.as_deref(),
        reproduction_steps: bug.reproduction_steps.as_deref().map(long),
        counts: judged.counts,
        quarantined: judged.quarantined.as_deref(),
        job_ids: judged
            .jobs
            .iter()
            .filter_map(|&index| report.jobs.get(index))
            .map(|job| job.job_id.as_str())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::Results;

    /// Writes the schema anew with `NUNU_BLESS=1`, compares it otherwise.
    #[test]
    fn the_published_schema_is_the_schema() {
        let schema = schemars::schema_for!(Results<'static>);
        let mut fresh = serde_json::to_value(schema).unwrap();
        fresh["$id"] = "https://raw.githubusercontent.com/OWNER/nunu-ci/main/docs/results.schema.json".into();
        fresh["title"] = "nunu-ci results.json".into();
        let fresh = format!("{}\n", serde_json::to_string_pretty(&fresh).unwrap());
        if option_env!("NUNU_BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/results.schema.json");
            std::fs::write(path, &fresh).unwrap();
            return;
        }
        assert!(
            fresh == super::super::results_schema(),
            "docs/results.schema.json is not what results.json is: run the test with NUNU_BLESS=1"
        );
    }
}
