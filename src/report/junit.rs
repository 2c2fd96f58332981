//! `JUnit` for GitLab, Jenkins and the usual readers: one suite per job, one test case per step and player.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::model::delta::TestChange;
use crate::model::job::{Attempt, Job, Player, Step};
use crate::model::units::Timestamp;
use crate::model::verdict::{GateStatus, Judgement};
use crate::model::{ExitReason, RunReport, TestResult};

use super::delta_words::{
    baseline_sentence, carried_over_words, delta_sentence, has_failed, history_sentence, pass_rate,
};
use super::escape::{address, line, xml};

/// Names of test cases are cut here; GitLab compares them between branches.
const LONGEST_NAME: usize = 250;

/// The whole file; `folder` is the results folder as seen from the project, with a slash at its end. Always valid, and never without a test case when the job is red.
pub(crate) fn junit(report: &RunReport, folder: &str) -> String {
    let mut document = Report::new("nunu-ci");
    document.set_time(report.duration);
    let mut names = BTreeMap::new();
    for (index, job) in report.jobs.iter().enumerate() {
        let judgement = report.verdict.as_ref().and_then(|verdict| verdict.judgements.get(index));
        document.add_test_suite(suite(report, job, judgement, folder, &mut names));
    }
    if let Some(suite) = bug_suite(report) {
        document.add_test_suite(suite);
    }
    if let Some(suite) = own_suite(report) {
        document.add_test_suite(suite);
    }
    if let Some(first) = document.test_suites.first_mut() {
        totals(first, report);
    }
    if let Some(file) = &report.run_config {
        for case in document.test_suites.iter_mut().flat_map(|suite| &mut suite.test_cases) {
            case.extra.insert("file".into(), xml(file).into());
        }
    }
    document.to_string().unwrap_or_else(|_| EMPTY.to_owned())
}

/// What remains when the writer itself fails: still valid, still red.
const EMPTY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"nunu-ci\" tests=\"1\" failures=\"0\" errors=\"1\"><testsuite name=\"nunu-ci\" tests=\"1\" failures=\"0\" errors=\"1\"><testcase name=\"report\"><error message=\"the report could not be written\"/></testcase></testsuite></testsuites>\n";

fn suite(
    report: &RunReport,
    job: &Job,
    judgement: Option<&Judgement>,
    folder: &str,
    names: &mut BTreeMap<String, usize>,
) -> TestSuite {
    let class = classname(job);
    let mut suite = TestSuite::new(unique(names, &class));
    properties(&mut suite, report, job);
    comparison(&mut suite, report, job, judgement);
    let Some(attempt) = job.deciding() else {
        suite.add_test_case(whole_job(job, judgement, &class));
        return suite;
    };
    if let Some(took) = attempt.duration {
        suite.set_time(took);
    }
    if let Some(began) = attempt.started_at.or(job.created_at) {
        // Not all readers take the fractions that the writer's own field has.
        suite.extra.insert("timestamp".into(), whole_seconds(began).into());
    }
    let mut cases = BTreeMap::new();
    let mut places = Vec::new();
    for player in &attempt.players {
        for step in &player.steps {
            suite.add_test_case(step_case(&class, attempt, player, step, judgement, folder, &mut cases));
            places.push((player.number, step.number));
        }
    }
    // The verdict is on the test; when no step shows it, the test itself is the test case.
    let shown =
        judgement.filter(|judgement| judgement.standing == GateStatus::Failed).is_none_or(|judgement| {
            let wanted = kind_of(judgement);
            suite.test_cases.iter().any(
                |case| matches!(&case.status, TestCaseStatus::NonSuccess { kind, .. } if *kind == wanted),
            )
        });
    if suite.test_cases.is_empty() || !shown || !job.is_completed() {
        suite.add_test_case(whole_job(job, judgement, &class));
    }
    earlier_attempts(&mut suite.test_cases, &places, job);
    suite
}

/// Records the attempts before the deciding one as reruns: at the step that went wrong where it is known, otherwise at the test case
/// that speaks for the job. `places` has player and step of the first test cases.
fn earlier_attempts(cases: &mut [TestCase], places: &[(u64, u64)], job: &Job) {
    let takes = |case: &TestCase| !matches!(case.status, TestCaseStatus::Skipped { .. });
    let red = |case: &TestCase| matches!(case.status, TestCaseStatus::NonSuccess { .. });
    let Some(spokesman) = cases.iter().position(red).or_else(|| cases.iter().rposition(takes)) else {
        return;
    };
    let earlier = job.attempts.len().saturating_sub(1);
    for attempt in &job.attempts[..earlier] {
        let mut told = false;
        for player in &attempt.players {
            for step in player.steps.iter().filter(|step| is_bad(step.result.as_ref())) {
                let place = places.iter().position(|place| *place == (player.number, step.number));
                if let Some(case) = place.and_then(|at| cases.get_mut(at)).filter(|case| takes(case)) {
                    case.status.add_rerun(rerun(attempt, step.result.as_ref(), step.report.as_deref()));
                    told = true;
                }
            }
        }
        if !told && attempt.result != Some(TestResult::Success) {
            cases[spokesman].status.add_rerun(rerun(attempt, attempt.result.as_ref(), None));
        }
    }
}

fn rerun(attempt: &Attempt, result: Option<&TestResult>, words: Option<&str>) -> TestRerun {
    let failed = result == Some(&TestResult::Failed);
    let word = result.map_or("no result", TestResult::as_str);
    let mut rerun = TestRerun::new(if failed { NonSuccessKind::Failure } else { NonSuccessKind::Error });
    rerun.set_message(xml(&line(&format!("attempt {} ended with {word}", attempt.run_id), 1000)));
    rerun.set_type(line(word, LONGEST_NAME));
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        rerun.set_description(xml(words));
    }
    rerun
}

/// What a test that counts against the gate is for readers: a verdict on the product, or trouble on the way.
fn kind_of(judgement: &Judgement) -> NonSuccessKind {
    match judgement.reason {
        ExitReason::TestsFailed | ExitReason::BugsFound => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    }
}

/// How many tests came to what, where every reader finds it: at the first suite.
fn totals(suite: &mut TestSuite, report: &RunReport) {
    let counts = report.counts();
    suite.add_property(Property::new("tests-total", counts.total.to_string()));
    for (count, counted) in counts.parts() {
        suite.add_property(Property::new(format!("tests-{}", counted.as_str()), count.to_string()));
    }
    let Some(delta) = report.verdict.as_ref().and_then(|verdict| verdict.delta.as_ref()) else { return };
    for (name, count) in [
        ("bugs-new", delta.bugs_new),
        ("bugs-known", delta.bugs_known),
        ("bugs-fixed", delta.bugs_fixed.len()),
        ("tests-newly-failing", delta.tests_newly_failing),
        ("tests-still-failing", delta.tests_still_failing),
    ] {
        suite.add_property(Property::new(name, count.to_string()));
    }
    if let Some(words) = delta_sentence(report) {
        suite.add_property(Property::new("delta", xml(&words)));
    }
}

fn whole_seconds(time: Timestamp) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn classname(job: &Job) -> String {
    line(&job.name(), LONGEST_NAME)
}

fn unique(names: &mut BTreeMap<String, usize>, name: &str) -> String {
    let count = names.entry(name.to_owned()).or_default();
    *count += 1;
    if *count == 1 { name.to_owned() } else { format!("{name} ({count})") }
}

fn properties(suite: &mut TestSuite, report: &RunReport, job: &Job) {
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            suite.add_property(Property::new(name, xml(value)));
        }
    };
    add("job-id", Some(&job.job_id));
    add("run-url", job.deciding().and_then(|run| run.url.as_deref()));
    add("build-id", report.build.as_ref().and_then(|build| build.id.as_deref()));
    add("commit", report.context.commit.as_deref());
}

/// What the test is compared with, and what came before it.
fn comparison(suite: &mut TestSuite, report: &RunReport, job: &Job, judgement: Option<&Judgement>) {
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            suite.add_property(Property::new(name, xml(value)));
        }
    };
    add("change", judgement.and_then(|judgement| judgement.change).map(TestChange::as_str));
    if let Some(baseline) = &job.baseline {
        add("baseline", Some(&baseline_sentence(baseline, report.finished_at)));
        if let Some(run) = baseline.run() {
            add("baseline-url", run.url.as_deref().and_then(address).as_deref());
            add("baseline-commit", run.commit.as_deref());
            add("baseline-rule", Some(run.rule.as_str()));
            add("baseline-finished-at", run.finished_at.map(whole_seconds).as_deref());
        }
    }
    if let Some(carried) = job.carried_over {
        add("carried-over", Some(&carried_over_words(carried)));
    }
    if let Some(history) = &job.history {
        let (passed, failed, other) = history.counts();
        add("history-branch", Some(&history.branch));
        add("history-shown", Some(&history.results.len().to_string()));
        add("history-passed", Some(&passed.to_string()));
        add("history-failed", Some(&failed.to_string()));
        add("history-other", Some(&other.to_string()));
        add("history-pass-rate", pass_rate(history).map(|percent| format!("{percent} %")).as_deref());
        add("history", history_sentence(history, has_failed(job)).as_deref());
    }
}

fn is_bad(result: Option<&TestResult>) -> bool {
    !matches!(result, Some(TestResult::Success | TestResult::Skipped) | None)
}

/// The status of a step, and why when it does not count: a green test has no red step.
fn status(result: Option<&TestResult>, judgement: Option<&Judgement>) -> (TestCaseStatus, Option<String>) {
    let kind = match result {
        Some(TestResult::Success) => return (TestCaseStatus::success(), None),
        // A step that was not reached says nothing; the test's own case tells why.
        Some(TestResult::Skipped) | None => return (TestCaseStatus::skipped(), None),
        Some(TestResult::Failed) => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    match judgement.filter(|judgement| judgement.standing != GateStatus::Failed) {
        Some(judgement) => {
            let word = result.map_or("no result", TestResult::as_str);
            let why = format!("{word} does not count: the test is {}", judgement.because);
            (TestCaseStatus::skipped(), Some(why))
        }
        None => (TestCaseStatus::non_success(kind), None),
    }
}

fn step_case(
    class: &str,
    attempt: &Attempt,
    player: &Player,
    step: &Step,
    judgement: Option<&Judgement>,
    folder: &str,
    names: &mut BTreeMap<String, usize>,
) -> TestCase {
    let goal = if step.goal.trim().is_empty() { format!("step {}", step.number) } else { step.goal.clone() };
    let goal = if attempt.players.len() > 1 { format!("{goal} (player {})", player.number) } else { goal };
    let (mut status, leniency) = status(step.result.as_ref(), judgement);
    let word = step.result.as_ref().map_or("not reached", TestResult::as_str);
    let said = step.report.as_deref().unwrap_or(word);
    let message = leniency.map_or_else(|| said.to_owned(), |why| format!("{why} ({said})"));
    status.set_message(xml(&line(&message, 1000)));
    status.set_type(line(word, LONGEST_NAME));
    let mut text = step.report.clone().unwrap_or_default();
    for item in &step.items {
        use std::fmt::Write as _;
        let comment = item.comment.as_deref().map_or_else(String::new, |comment| format!(" ({comment})"));
        let _ = write!(text, "\n[{}] {}: {}{comment}", item.status, item.id, item.expected);
    }
    if let Some(url) = attempt.url.as_deref().and_then(address) {
        text = format!("{text}\n{url}");
    }
    if !text.is_empty() && matches!(status, TestCaseStatus::NonSuccess { .. }) {
        status.set_description(xml(&text));
    }
    let mut case = TestCase::new(unique(names, &line(&goal, LONGEST_NAME)), status);
    case.set_classname(class);
    if let Some(took) = step.duration {
        case.set_time(took);
    }
    // Attachments stand once per player, at the steps that people open.
    if is_bad(step.result.as_ref()) {
        let files: Vec<String> = player
            .artifacts
            .iter()
            .filter_map(|artifact| artifact.saved_as.as_deref())
            .map(|path| format!("[[ATTACHMENT|{folder}{}]]", xml(path)))
            .collect();
        if !files.is_empty() {
            case.set_system_out(files.join("\n"));
        }
    }
    case
}

/// The job as one test case.
fn whole_job(job: &Job, judgement: Option<&Judgement>, class: &str) -> TestCase {
    let result = job.deciding().and_then(|run| run.result.as_ref());
    let mut status = match judgement {
        Some(judgement) if judgement.standing == GateStatus::Passed => TestCaseStatus::success(),
        Some(judgement) if judgement.standing != GateStatus::Failed => TestCaseStatus::skipped(),
        Some(judgement) => TestCaseStatus::non_success(kind_of(judgement)),
        None => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(xml(
        &judgement.map_or_else(|| "not finished".to_owned(), |judgement| line(&judgement.because, 1000))
    ));
    status.set_type(line(result.map_or("no result", TestResult::as_str), LONGEST_NAME));
    if let Some(url) = job.deciding().and_then(|run| run.url.as_deref()).and_then(address)
        && matches!(status, TestCaseStatus::NonSuccess { .. })
    {
        status.set_description(url);
    }
    let mut case = TestCase::new("result", status);
    case.set_classname(class);
    if let Some(took) = job.deciding().and_then(|run| run.duration) {
        case.set_time(took);
    }
    case
}

/// A failed bug gate: one failure for each bug that counts.
fn bug_suite(report: &RunReport) -> Option<TestSuite> {
    let bugs: Vec<_> = report.verdict.as_ref()?.bugs.iter().filter(|bug| bug.counts).collect();
    if bugs.is_empty() {
        return None;
    }
    let mut suite = TestSuite::new("bugs");
    let mut names = BTreeMap::new();
    for judged in bugs {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let severity = judged.bug.severity.as_deref().unwrap_or("unknown severity");
        status.set_message(xml(&line(&format!("{severity}: {}", judged.bug.title), 1000)));
        status.set_type("bug");
        if let Some(text) = judged.bug.description.as_deref().or(judged.bug.reproduction_steps.as_deref()) {
            status.set_description(xml(text));
        }
        let title = if judged.bug.title.trim().is_empty() {
            judged.bug.bug_id.clone()
        } else {
            judged.bug.title.clone()
        };
        let mut case = TestCase::new(unique(&mut names, &line(&title, LONGEST_NAME)), status);
        case.set_classname("bugs");
        suite.add_test_case(case);
    }
    Some(suite)
}

/// What went wrong on our side, and a job that is red without any job of the service, in words.
pub(super) fn own_words(report: &RunReport) -> Option<String> {
    if report.unfinished {
        Some("unfinished: the job was killed before it could report".to_owned())
    } else if let Some(failure) = &report.failure {
        Some(failure.to_string())
    } else if report.jobs.is_empty() && report.reason.exit_code() != 0
        || report.reason == ExitReason::NothingTested
    {
        Some("nothing was tested".to_owned())
    } else {
        None
    }
}

/// The same as a suite.
fn own_suite(report: &RunReport) -> Option<TestSuite> {
    let message = own_words(report)?;
    let skipped = report.reason.exit_code() == 0 && !report.unfinished;
    let mut status =
        if skipped { TestCaseStatus::skipped() } else { TestCaseStatus::non_success(NonSuccessKind::Error) };
    status.set_message(xml(&line(&message, 1000)));
    status.set_type(report.reason.as_str());
    status.set_description(xml(&message));
    let mut suite = TestSuite::new("nunu-ci");
    let mut case = TestCase::new(if report.unfinished { "unfinished" } else { report.command }, status);
    case.set_classname("nunu-ci");
    case.set_time(Duration::ZERO);
    suite.add_test_case(case);
    Some(suite)
}
