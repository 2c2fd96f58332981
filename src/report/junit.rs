//! `JUnit` for GitLab, Jenkins and the usual readers: one suite per job, one test case per step and player.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::model::run_report::{Attempt, JobReport, Player, Step};
use crate::model::verdict::{Judgement, Standing};
use crate::model::{RunReport, TestResult};

use super::escape::{line, xml};

/// Names of test cases are cut here; GitLab compares them between branches.
const LONGEST_NAME: usize = 250;

/// The whole file; `folder` is the results folder as seen from the project, with a slash at its end. Always valid, and never without a test case when the job is red.
#[must_use]
pub fn junit(report: &RunReport, folder: &str) -> String {
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
    document.to_string().unwrap_or_else(|_| EMPTY.to_owned())
}

/// What remains when the writer itself fails: still valid, still red.
const EMPTY: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"nunu-ci\" tests=\"1\" failures=\"0\" errors=\"1\"><testsuite name=\"nunu-ci\" tests=\"1\" failures=\"0\" errors=\"1\"><testcase name=\"report\"><error message=\"the report could not be written\"/></testcase></testsuite></testsuites>\n";

fn suite(
    report: &RunReport,
    job: &JobReport,
    judgement: Option<&Judgement>,
    folder: &str,
    names: &mut BTreeMap<String, usize>,
) -> TestSuite {
    let class = classname(job);
    let mut suite = TestSuite::new(unique(names, &class));
    properties(&mut suite, report, job);
    let Some(attempt) = job.deciding() else {
        suite.add_test_case(whole_job(job, judgement, &class));
        return suite;
    };
    if let Some(took) = attempt.duration {
        suite.set_time(took);
    }
    let mut cases = BTreeMap::new();
    let mut places = Vec::new();
    for player in &attempt.players {
        for step in &player.steps {
            suite.add_test_case(step_case(&class, attempt, player, step, folder, &mut cases));
            places.push((player.number, step.number));
        }
    }
    let red = judgement.is_some_and(|judgement| judgement.standing == Standing::Failed);
    let shows_red =
        attempt.players.iter().flat_map(|player| &player.steps).any(|step| is_bad(step.result.as_ref()));
    // The verdict is on the job; when no step shows it, the job itself is the test case.
    if suite.test_cases.is_empty() || (red && !shows_red) || !job.is_completed() {
        suite.add_test_case(whole_job(job, judgement, &class));
    }
    earlier_attempts(&mut suite.test_cases, &places, job);
    suite
}

/// Records the attempts before the deciding one as reruns: at the step that went wrong where it is known, otherwise at the test case
/// that speaks for the job. `places` has player and step of the first test cases.
fn earlier_attempts(cases: &mut [TestCase], places: &[(u64, u64)], job: &JobReport) {
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

fn classname(job: &JobReport) -> String {
    line(&job.name(), LONGEST_NAME)
}

fn unique(names: &mut BTreeMap<String, usize>, name: &str) -> String {
    let count = names.entry(name.to_owned()).or_default();
    *count += 1;
    if *count == 1 { name.to_owned() } else { format!("{name} ({count})") }
}

fn properties(suite: &mut TestSuite, report: &RunReport, job: &JobReport) {
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

fn is_bad(result: Option<&TestResult>) -> bool {
    !matches!(result, Some(TestResult::Success | TestResult::Skipped) | None)
}

fn status(result: Option<&TestResult>, finished: bool) -> TestCaseStatus {
    match result {
        Some(TestResult::Success) => TestCaseStatus::success(),
        Some(TestResult::Skipped) => TestCaseStatus::skipped(),
        Some(TestResult::Failed) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        // A step that was not reached says nothing; the job's own case tells why.
        None if !finished => TestCaseStatus::skipped(),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    }
}

fn step_case(
    class: &str,
    attempt: &Attempt,
    player: &Player,
    step: &Step,
    folder: &str,
    names: &mut BTreeMap<String, usize>,
) -> TestCase {
    let goal = if step.goal.trim().is_empty() { format!("step {}", step.number) } else { step.goal.clone() };
    let goal = if attempt.players.len() > 1 { format!("{goal} (player {})", player.number) } else { goal };
    let mut status = status(step.result.as_ref(), step.result.is_some());
    let word = step.result.as_ref().map_or("not reached", TestResult::as_str);
    status.set_message(xml(&line(step.report.as_deref().unwrap_or(word), 1000)));
    status.set_type(line(word, LONGEST_NAME));
    let mut text = step.report.clone().unwrap_or_default();
    for item in &step.items {
        use std::fmt::Write as _;
        let comment = item.comment.as_deref().map_or_else(String::new, |comment| format!(" ({comment})"));
        let _ = write!(text, "\n[{}] {}: {}{comment}", item.status, item.id, item.expected);
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
fn whole_job(job: &JobReport, judgement: Option<&Judgement>, class: &str) -> TestCase {
    let result = job.deciding().and_then(|run| run.result.as_ref());
    let mut status = match judgement {
        Some(judgement) if judgement.standing == Standing::Passed => TestCaseStatus::success(),
        Some(judgement) if judgement.standing != Standing::Failed => TestCaseStatus::skipped(),
        Some(_) if result == Some(&TestResult::Failed) => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(xml(
        &judgement.map_or_else(|| "not finished".to_owned(), |judgement| line(&judgement.because, 1000))
    ));
    status.set_type(line(result.map_or("no result", TestResult::as_str), LONGEST_NAME));
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

/// What went wrong on our side, and a job that is red without any job of the service.
fn own_suite(report: &RunReport) -> Option<TestSuite> {
    let message = if report.unfinished {
        "unfinished: the job was killed before it could report".to_owned()
    } else if let Some(failure) = &report.failure {
        failure.to_string()
    } else if report.jobs.is_empty() && report.reason.exit_code() != 0
        || report.reason == crate::model::Reason::NothingTested
    {
        "nothing was tested".to_owned()
    } else {
        return None;
    };
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
