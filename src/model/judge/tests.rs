//! What runs mean.

use super::{Attempt, Bug, ExitReason, FailOn, Gate, GateStatus, Job, NaiveDate, TestResult, Verdict};
use crate::model::given::{GivenBuilds, Handed, SeenBuild};
use crate::model::job::{Confidence, Severity};
use crate::model::verdict::{BugGate, Quarantine, Quarantined};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn judge(jobs: &[Job], gate: &Gate) -> Verdict {
    super::judge(jobs, gate, day("2026-06-01"))
}

fn job(result: &str) -> Job {
    let attempt = Attempt {
        run_id: "r".to_owned(),
        result: (!result.is_empty()).then(|| TestResult::parse(result)),
        ..Attempt::default()
    };
    Job {
        run: "smoke".to_owned(),
        required: true,
        test_id: Some("t1".to_owned()),
        status: Some(crate::model::job::JobStatus::Completed),
        attempts: vec![attempt],
        ..Job::default()
    }
}

fn optional(result: &str) -> Job {
    Job { required: false, ..job(result) }
}

#[test]
fn every_result_has_its_reason() {
    for (result, want) in [
        ("SUCCESS", ExitReason::Passed),
        ("failure", ExitReason::TestsFailed),
        ("ERROR", ExitReason::RunError),
        ("TIMEOUT", ExitReason::RunError),
        ("MAX_STEPS", ExitReason::RunError),
        ("BLOCKED", ExitReason::RunError),
        ("STOPPED", ExitReason::StoppedRemotely),
        ("SKIPPED", ExitReason::NothingTested),
        ("BRAND_NEW", ExitReason::RunError),
        ("", ExitReason::RunError),
    ] {
        assert_eq!(judge(&[job(result)], &Gate::default()).reason, want, "{result}");
        // With a success beside it only a SKIPPED changes its meaning.
        let beside = if want == ExitReason::NothingTested { ExitReason::Passed } else { want };
        assert_eq!(judge(&[job("SUCCESS"), job(result)], &Gate::default()).reason, beside, "{result}");
    }
}

#[test]
fn worse_news_win() {
    let jobs = [job("STOPPED"), job("ERROR"), job("FAILED")];
    assert_eq!(judge(&jobs, &Gate::default()).reason, ExitReason::TestsFailed);
    assert_eq!(judge(&jobs[..2], &Gate::default()).reason, ExitReason::RunError);
}

#[test]
fn nothing_tested_is_never_green() {
    assert_eq!(judge(&[], &Gate::default()).reason, ExitReason::NothingTested);
    let lenient = FailOn {
        failed: false,
        error: false,
        timeout: false,
        blocked: false,
        stopped: false,
        ..FailOn::default()
    };
    let lenient = Gate { fail_on: lenient, quarantine: Vec::new() };
    for result in ["ERROR", "TIMEOUT", "BLOCKED", "STOPPED", "SKIPPED"] {
        assert_eq!(judge(&[job(result)], &lenient).reason, ExitReason::NothingTested, "{result}");
        assert_eq!(
            judge(&[optional(result)], &Gate::default()).reason,
            ExitReason::NothingTested,
            "{result}"
        );
    }
    assert_eq!(
        judge(&[job("FAILED")], &lenient).reason,
        ExitReason::Passed,
        "a tolerated FAILED is a test that ran"
    );
    assert_eq!(judge(&[optional("FAILED")], &Gate::default()).reason, ExitReason::Passed);
    assert_eq!(
        judge(&[job("BRAND_NEW")], &lenient).reason,
        ExitReason::RunError,
        "unknown results always count"
    );
    assert_eq!(judge(&[optional("BRAND_NEW")], &Gate::default()).reason, ExitReason::NothingTested);
}

#[test]
fn jobs_without_a_run_are_explained() {
    let lost = Job { lost: Some("404".to_owned()), stopped_by_us: true, ..job("") };
    let lost =
        judge(&[Job { status: Some(crate::model::job::JobStatus::Running), ..lost }], &Gate::default());
    assert_eq!((lost.reason, lost.counts().no_verdict), (ExitReason::RunError, 1), "nobody else stopped it");
    let rejected = Job { attempts: Vec::new(), queue_rejection: Some("no device".to_owned()), ..job("") };
    let verdict = judge(&[rejected], &Gate::default());
    assert_eq!(
        (verdict.reason, verdict.judgements[0].because.as_str()),
        (ExitReason::RunError, "rejected by the queue: no device")
    );
    let stopped = Job { attempts: Vec::new(), stopped_by: Some("a person".to_owned()), ..job("") };
    assert_eq!(judge(&[stopped], &Gate::default()).reason, ExitReason::StoppedRemotely);
    let empty = Job { attempts: Vec::new(), ..job("") };
    assert_eq!(judge(&[empty], &Gate::default()).reason, ExitReason::RunError);
    let running = Job { status: Some(crate::model::job::JobStatus::Running), ..job("SUCCESS") };
    assert_eq!(judge(&[running], &Gate::default()).reason, ExitReason::RunError);
}

#[test]
fn retries_that_helped_are_flaky() {
    let mut flaky = job("SUCCESS");
    flaky.attempts.insert(0, Attempt { result: Some(TestResult::Error), ..Attempt::default() });
    let verdict = judge(&[flaky], &Gate::default());
    assert!(verdict.judgements[0].flaky);
    assert_eq!(verdict.reason, ExitReason::Passed);
}

#[test]
fn every_test_is_counted_once() {
    let words =
        ["SUCCESS", "FAILED", "ERROR", "TIMEOUT", "BLOCKED", "STOPPED", "SKIPPED", "ODD", "", "FAILED"];
    let mut jobs: Vec<Job> = words.iter().map(|word| job(word)).collect();
    jobs[9].required = false;
    let counts = judge(&jobs, &Gate::default()).counts();
    assert_eq!(counts.parts().map(|(count, _)| count), [1, 1, 5, 1, 1, 1]);
    assert_eq!(counts.total, words.len());
    let cancelled =
        Job { status: Some(crate::model::job::JobStatus::Running), stopped_by_us: true, ..job("") };
    let counts = judge(&[cancelled], &Gate::default()).counts();
    assert_eq!((counts.failed, counts.stopped), (0, 1), "a cancelled test did not fail");
    let rejected = Job { attempts: Vec::new(), queue_rejection: Some("no device".to_owned()), ..job("") };
    let counts = judge(&[rejected], &Gate::default()).counts();
    assert_eq!((counts.failed, counts.no_verdict), (0, 1), "neither did a refused one");
}

#[test]
fn another_build_is_no_verdict_whatever_it_came_to() {
    let given =
        GivenBuilds { default: Some(Handed { build: Some("ours".to_owned()) }), ..GivenBuilds::default() };
    for word in ["SUCCESS", "FAILED"] {
        let right = Job { given: given.clone(), build_id: Some("OURS".to_owned()), ..job(word) };
        assert_ne!(judge(std::slice::from_ref(&right), &Gate::default()).reason, ExitReason::RunError);
        let of_job = Job { build_id: Some("theirs".to_owned()), ..right.clone() };
        let mut of_run = right;
        of_run.attempts[0].builds = vec![SeenBuild { player: None, id: "theirs".to_owned() }];
        for other in [of_job, of_run] {
            let verdict = judge(std::slice::from_ref(&other), &Gate::default());
            assert_eq!(verdict.reason, ExitReason::RunError);
            assert_eq!(verdict.judgements[0].because, "build theirs was tested, not build ours");
            let optional = Job { required: false, ..other };
            assert_eq!(judge(&[optional], &Gate::default()).reason, ExitReason::NothingTested);
        }
    }
}

fn with_bug(severity: &str, confidence: &str) -> Job {
    let mut job = job("SUCCESS");
    job.attempts[0].bugs = vec![Bug {
        bug_id: "b1".to_owned(),
        severity: Some(severity.to_owned()),
        confidence: Some(confidence.to_owned()),
        ..Bug::default()
    }];
    job
}

fn bug_gate(severity: Severity, confidence: Confidence) -> Gate {
    Gate {
        fail_on: FailOn { bugs: vec![BugGate { severity, confidence }], ..FailOn::default() },
        quarantine: Vec::new(),
    }
}

#[test]
fn bugs_fail_the_job_only_when_named() {
    let critical = with_bug("critical", "low");
    assert_eq!(judge(std::slice::from_ref(&critical), &Gate::default()).reason, ExitReason::Passed);
    assert_eq!(
        judge(std::slice::from_ref(&critical), &bug_gate(Severity::High, Confidence::Low)).reason,
        ExitReason::BugsFound
    );
    assert_eq!(
        judge(std::slice::from_ref(&critical), &bug_gate(Severity::High, Confidence::Medium)).reason,
        ExitReason::Passed
    );
    assert_eq!(
        judge(&[with_bug("medium", "high")], &bug_gate(Severity::High, Confidence::Low)).reason,
        ExitReason::Passed
    );
    assert_eq!(
        judge(&[with_bug("apocalyptic", "odd")], &bug_gate(Severity::Critical, Confidence::High)).reason,
        ExitReason::BugsFound
    );
    let optional = Job { required: false, ..with_bug("critical", "high") };
    assert_eq!(judge(&[optional], &bug_gate(Severity::Low, Confidence::Low)).reason, ExitReason::Passed);
    let verdict = judge(&[with_bug("low", "low"), critical], &Gate::default());
    assert_eq!((verdict.bugs_total(), verdict.bugs[0].jobs.len()), (1, 2), "one bug, seen twice");
    assert_eq!(verdict.bugs[0].bug.severity.as_deref(), Some("critical"));
}

#[test]
fn a_bug_gate_fails_closed() {
    let gate = bug_gate(Severity::Critical, Confidence::High);
    let mut hidden = job("SUCCESS");
    hidden.attempts[0].bug_count = Some(2);
    assert_eq!(judge(std::slice::from_ref(&hidden), &gate).reason, ExitReason::RunError);
    assert_eq!(judge(&[hidden], &Gate::default()).reason, ExitReason::Passed);
    let mut partial = with_bug("low", "low");
    partial.attempts[0].bug_count = Some(2);
    assert_eq!(judge(&[partial], &gate).reason, ExitReason::RunError, "the other one may be critical");
    let lenient = Gate { fail_on: FailOn { failed: false, ..gate.fail_on.clone() }, ..gate.clone() };
    let mut failed = job("FAILED");
    failed.attempts[0].bug_count = Some(1);
    assert_eq!(judge(&[failed], &lenient).reason, ExitReason::RunError, "a tolerated verdict hides no bug");
    let mut unread = job("SUCCESS");
    unread.attempts[0].unreadable = Some("503".to_owned());
    assert_eq!(judge(&[unread], &gate).reason, ExitReason::RunError);
}

#[test]
fn quarantine_tolerates_until_its_day() {
    let entry = |what, until: &str| Quarantine { what, until: day(until), reason: "GAME-1".to_owned() };
    let test = || Quarantined::Test("t1".to_owned());
    let gate =
        |entries: Vec<Quarantine>| Gate { quarantine: entries, ..bug_gate(Severity::Low, Confidence::Low) };
    let verdict = judge(&[job("FAILED")], &gate(vec![entry(test(), "2026-06-01")]));
    assert_eq!((verdict.reason, verdict.judgements[0].standing), (ExitReason::Passed, GateStatus::Tolerated));
    let expired = judge(&[job("FAILED")], &gate(vec![entry(test(), "2026-05-31")]));
    assert_eq!((expired.reason, expired.warnings.len()), (ExitReason::TestsFailed, 1));
    assert_eq!(
        judge(&[job("SUCCESS")], &gate(vec![entry(Quarantined::Bug("zzz".to_owned()), "2026-07-01")]))
            .warnings
            .len(),
        1
    );
    let bug = judge(
        &[with_bug("high", "high")],
        &gate(vec![entry(Quarantined::Bug("b1".to_owned()), "2026-07-01")]),
    );
    assert_eq!((bug.reason, bug.bugs_total(), bug.counts().failed), (ExitReason::Passed, 1, 0));
    assert_eq!(
        judge(&[with_bug("high", "high")], &gate(vec![entry(test(), "2026-07-01")])).reason,
        ExitReason::Passed
    );
}
