//! `ctrf.json` (Common Test Report Format, ctrf.io): for the notifiers and dashboards that read it. Pure.
//!
//! The format knows no error: what has no verdict is `failed`, as readers of `JUnit` count it, and `rawStatus` says what it was. What
//! does not count against the gate is `skipped` with the reason, so that a green job has nothing red in it.

use serde_json::{Value, json};

use crate::model::baseline::{Baseline, BaselineRun};
use crate::model::job::{Attempt, Bug, Job, Player};
use crate::model::units::{Timestamp, format_time};
use crate::model::verdict::{Counted, Judgement};
use crate::model::{RunReport, TestResult};

use super::escape::{address, line, xml};
use super::junit::own_words;

/// Layout that the file follows.
const SPEC_VERSION: &str = "0.0.0";
/// Characters of a name.
const LONGEST_NAME: usize = 250;
/// Characters of a message.
const LONGEST_MESSAGE: usize = 4000;

/// The whole file.
pub(crate) fn ctrf(report: &RunReport) -> String {
    let judgement = |index| report.verdict.as_ref().and_then(|verdict| verdict.judgements.get(index));
    let mut tests: Vec<Value> =
        report.jobs.iter().enumerate().map(|(index, job)| test(report, job, judgement(index))).collect();
    tests.extend(own(report));
    let with = |status: &str| tests.iter().filter(|test| test["status"] == status).count();
    let counts = report.counts();
    let six: Vec<_> = counts.parts().into_iter().map(|(count, counted)| (counted.as_str(), count)).collect();
    let summary = json!({
        "tests": tests.len(), "passed": with("passed"), "failed": with("failed"), "skipped": with("skipped"),
        "pending": with("pending"), "other": with("other"),
        "flaky": tests.iter().filter(|test| test["flaky"] == true).count(),
        "start": report.started_at.timestamp_millis(), "stop": report.finished_at.timestamp_millis(),
        "duration": millis(report.duration),
        "extra": {
            "status": if report.unfinished { "error" } else { report.reason.status().as_str() },
            "exit_code": report.reason.exit_code(), "exit_reason": report.reason.as_str(),
            "tests": counts.total, "counted_as": six.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "bugs": report.bugs_total(), "delta": report.verdict.as_ref().and_then(|verdict| verdict.delta.as_ref()),
        },
    });
    let mut file = json!({
        "reportFormat": "CTRF", "specVersion": SPEC_VERSION, "timestamp": format_time(report.finished_at),
        "generatedBy": "nunu-ci",
        "results": {
            "tool": { "name": "nunu-ci", "version": env!("CARGO_PKG_VERSION") },
            "summary": summary, "tests": tests, "environment": environment(report),
        },
    });
    set(&mut file, "baseline", baseline(report));
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

/// Sets a field that may not be there.
fn set(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}

fn millis(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn name(text: &str) -> String {
    let name = line(text, LONGEST_NAME);
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

fn status(judgement: Option<&Judgement>) -> &'static str {
    match judgement.map(|judgement| judgement.counted) {
        None => "pending",
        Some(Counted::Passed) => "passed",
        Some(Counted::Failed | Counted::NoVerdict | Counted::Stopped) => "failed",
        Some(Counted::Skipped | Counted::Tolerated) => "skipped",
    }
}

fn status_of_result(result: Option<&TestResult>) -> &'static str {
    match result {
        Some(TestResult::Success) => "passed",
        Some(TestResult::Skipped) => "skipped",
        None => "pending",
        Some(_) => "failed",
    }
}

fn test(report: &RunReport, job: &Job, judgement: Option<&Judgement>) -> Value {
    let run = job.deciding();
    let mut test = json!({
        "name": name(&job.label()), "status": status(judgement), "type": "play-test",
        "duration": run.and_then(|run| run.duration).map_or(0, millis),
        "retries": job.attempts.len().saturating_sub(1),
        "flaky": judgement.is_some_and(|judgement| judgement.flaky),
        "steps": run.map_or_else(Vec::new, steps), "attachments": run.map_or_else(Vec::new, attachments),
        "extra": extra(job, judgement),
    });
    let result = run.and_then(|run| run.result.as_ref()).map(TestResult::as_str);
    let word = |text: &str| Value::from(line(text, LONGEST_NAME));
    set(&mut test, "testId", job.test_id.as_deref().map(name).map(Value::from));
    set(&mut test, "executionId", run.map(|run| name(&run.run_id)).map(Value::from));
    set(&mut test, "start", run.and_then(|run| run.started_at).map(stamp));
    set(&mut test, "stop", run.and_then(|run| run.completed_at).map(stamp));
    set(
        &mut test,
        "suite",
        Some(line(&job.run, LONGEST_NAME)).filter(|suite| !suite.is_empty()).map(|suite| json!([suite])),
    );
    set(&mut test, "rawStatus", result.map(word));
    set(
        &mut test,
        "device",
        Some(job.devices()).filter(|devices| !devices.is_empty()).map(|devices| word(&devices)),
    );
    set(&mut test, "filePath", report.run_config.as_deref().map(word));
    let message =
        judgement.filter(|judged| judged.counted != Counted::Passed).map(|judged| message(job, judged));
    set(&mut test, "message", message.map(Value::from));
    let earlier = &job.attempts[..job.attempts.len().saturating_sub(1)];
    let earlier: Vec<Value> = earlier.iter().enumerate().map(|(index, run)| retry(index + 1, run)).collect();
    set(&mut test, "retryAttempts", (!earlier.is_empty()).then(|| earlier.into()));
    test
}

fn stamp(time: Timestamp) -> Value {
    time.timestamp_millis().into()
}

/// Why it does not count as passed, and what the agent said of the first step that went wrong.
fn message(job: &Job, judgement: &Judgement) -> String {
    let mut message = line(&judgement.because, LONGEST_MESSAGE);
    if let Some((_, step)) = job.bad_steps().first() {
        message = format!("{message}: {}", line(&step.goal, LONGEST_NAME));
        if let Some(said) = &step.report {
            message = format!("{message}\n{}", line(said, LONGEST_MESSAGE));
        }
    }
    message
}

fn extra(job: &Job, judgement: Option<&Judgement>) -> Value {
    let run = job.deciding();
    let bug = |bug: &Bug| json!({ "bug_id": line(&bug.bug_id, LONGEST_NAME), "title": line(&bug.title, LONGEST_NAME), "severity": bug.severity.as_deref().map(|word| line(word, 40)) });
    json!({
        "job_id": line(&job.job_id, LONGEST_NAME), "run_url": run.and_then(|run| run.url.as_deref()).and_then(address),
        "counted_as": judgement.map(|judged| judged.counted), "standing": judgement.map(|judged| judged.standing),
        "change": judgement.and_then(|judged| judged.change),
        "required": job.required,
        "carried_over_from_attempt": job.carried_over.map(|carried| carried.attempt),
        "bugs": run.map_or_else(Vec::new, |run| run.bugs.iter().map(bug).collect()),
        "baseline": job.baseline.as_ref().and_then(Baseline::run).map(baseline_of_test),
        "history": job.history.as_ref().map(|history| {
            let (passed, failed, other) = history.counts();
            json!({ "branch": line(&history.branch, LONGEST_NAME), "passed": passed, "failed": failed, "other": other })
        }),
    })
}

fn baseline_of_test(run: &BaselineRun) -> Value {
    json!({
        "run_id": line(&run.run_id, LONGEST_NAME), "url": run.url.as_deref().and_then(address), "branch": line(&run.branch, LONGEST_NAME),
        "commit": run.commit.as_deref().map(|commit| line(commit, 64)), "rule": run.rule, "result": line(run.result.as_str(), LONGEST_NAME),
        "finished_at": run.finished_at.map(format_time),
    })
}

/// The newest baseline, where its run has an id as the format wants it.
fn baseline(report: &RunReport) -> Option<Value> {
    let runs = report.jobs.iter().filter_map(|job| job.baseline.as_ref()?.run());
    let newest = runs.filter(|run| is_uuid(&run.run_id)).max_by_key(|run| run.finished_at)?;
    let mut baseline = json!({ "reportId": newest.run_id });
    set(&mut baseline, "timestamp", newest.finished_at.map(|time| format_time(time).into()));
    set(&mut baseline, "source", newest.url.as_deref().and_then(address).map(Value::from));
    set(&mut baseline, "commit", newest.commit.as_deref().map(|commit| line(commit, 64).into()));
    Some(baseline)
}

fn is_uuid(id: &str) -> bool {
    let digit = |(at, byte): (usize, u8)| {
        if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() }
    };
    id.len() == 36 && id.bytes().enumerate().all(digit)
}

fn steps(run: &Attempt) -> Vec<Value> {
    let of = |player: &Player| {
        let number = player.number;
        let steps = player.steps.iter().map(move |step| {
            let said = step.report.as_deref().map(|said| xml(&line(said, LONGEST_MESSAGE)));
            json!({
                "name": name(&step.goal), "status": status_of_result(step.result.as_ref()),
                "extra": { "number": step.number, "player": number, "report": said, "duration": step.duration.map(millis) },
            })
        });
        steps.collect::<Vec<_>>()
    };
    run.players.iter().flat_map(of).collect()
}

/// Files that were downloaded, by their paths in the results folder.
fn attachments(run: &Attempt) -> Vec<Value> {
    let artifacts = run.players.iter().flat_map(|player| &player.artifacts);
    let saved = artifacts.filter_map(|artifact| Some((artifact, artifact.saved_as.as_deref()?)));
    saved
        .map(|(artifact, path)| {
            json!({ "name": name(&artifact.file_name), "contentType": content_type(path), "path": line(path, 1000) })
        })
        .collect()
}

fn content_type(path: &str) -> &'static str {
    match crate::model::build_kind::extension_of(path).as_deref() {
        Some("mp4") => "video/mp4",
        Some("webm") => "video/webm",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("json") => "application/json",
        Some("log" | "txt") => "text/plain",
        _ => "application/octet-stream",
    }
}

fn retry(number: usize, run: &Attempt) -> Value {
    let mut retry = json!({ "attempt": number, "status": status_of_result(run.result.as_ref()), "attachments": attachments(run) });
    set(&mut retry, "attemptId", Some(name(&run.run_id).into()));
    set(&mut retry, "duration", run.duration.map(|took| millis(took).into()));
    set(&mut retry, "start", run.started_at.map(stamp));
    set(&mut retry, "stop", run.completed_at.map(stamp));
    let word = run.result.as_ref().map_or("no result", TestResult::as_str);
    set(&mut retry, "message", Some(format!("ended with {}", line(word, LONGEST_NAME)).into()));
    retry
}

/// What went wrong on our side, and a job that is red without any test: nobody may take the file for a green one.
fn own(report: &RunReport) -> Option<Value> {
    let message = own_words(report)?;
    let green = report.reason.exit_code() == 0 && !report.unfinished;
    Some(json!({
        "name": "nunu-ci", "status": if green { "skipped" } else { "failed" }, "duration": 0,
        "message": line(&message, LONGEST_MESSAGE), "rawStatus": report.reason.as_str(),
    }))
}

fn environment(report: &RunReport) -> Value {
    let context = &report.context;
    let text = |value: &Option<String>| value.as_deref().map(|text| Value::from(line(text, 1000)));
    let mut environment = json!({ "reportName": "nunu.ai play-test", "healthy": report.reason.exit_code() == 0 && !report.unfinished });
    set(&mut environment, "buildName", report.build.as_ref().and_then(|build| text(&build.name)));
    set(&mut environment, "buildId", report.build.as_ref().and_then(|build| text(&build.id)));
    set(&mut environment, "buildUrl", context.ci_url.as_deref().and_then(address).map(Value::from));
    let number = context.build_number.as_deref().and_then(|number| number.parse::<u32>().ok());
    set(&mut environment, "buildNumber", number.map(Value::from));
    set(
        &mut environment,
        "repositoryUrl",
        context.repository_url.as_deref().and_then(address).map(Value::from),
    );
    set(&mut environment, "commit", text(&context.commit));
    set(&mut environment, "branchName", text(&context.branch));
    environment
}
