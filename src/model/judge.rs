//! What results and bugs mean for the build: the one place that decides. Pure.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::failure::{Failure, Reason};
use super::result::TestResult;
use super::run_report::{Attempt, Bug, JobReport};
use super::tolerance::Tolerance;
use super::verdict::{Counted, FailOn, Gate, JudgedBug, Judgement, Standing, Verdict};

/// The reason of the whole invocation: an error of our own wins over results, results win over a normal end.
#[must_use]
pub fn decide(failure: Option<&Failure>, verdict: Option<&Verdict>, normal: Reason) -> Reason {
    match (failure, verdict) {
        (Some(failure), _) => failure.reason,
        (None, Some(verdict)) => verdict.reason,
        (None, None) => normal,
    }
}

/// The gate's word on all tests. `today` decides which quarantine entries still hold.
#[must_use]
pub fn judge(jobs: &[JobReport], gate: &Gate, today: NaiveDate) -> Verdict {
    let mut quarantine = Tolerance::new(&gate.quarantine, today);
    let mut judgements: Vec<Judgement> =
        jobs.iter().map(|job| judge_job(job, &gate.fail_on, &mut quarantine)).collect();
    let bugs = judge_bugs(jobs, gate, &mut quarantine);
    mark_bug_gates(&mut judgements, jobs, &bugs, gate, &mut quarantine);
    let bug_gate_met = bugs.iter().any(|bug| bug.counts);
    let reason = overall(&judgements, jobs, bug_gate_met);
    Verdict { reason, judgements, bugs, warnings: quarantine.warnings() }
}

fn overall(judgements: &[Judgement], jobs: &[JobReport], bug_gate_met: bool) -> Reason {
    let any = |reason: Reason| judgements.iter().any(|judgement| judgement.reason == reason);
    if any(Reason::TestsFailed) {
        return Reason::TestsFailed;
    }
    if bug_gate_met {
        return Reason::BugsFound;
    }
    for reason in [Reason::RunError, Reason::StoppedRemotely] {
        if any(reason) {
            return reason;
        }
    }
    // A tolerated FAILED is a verdict of a test that ran; everything else that is left out tested nothing.
    let tested = judgements.iter().zip(jobs).any(|(judgement, job)| match judgement.counted {
        Counted::Passed => true,
        Counted::Tolerated => matches!(outcome(job), Outcome::Result(TestResult::Failed)),
        _ => false,
    });
    if tested { Reason::Passed } else { Reason::NothingTested }
}

/// What a test came to, before anything tolerates it.
enum Outcome<'a> {
    Success,
    Result(&'a TestResult),
    Stopped,
    Rejected(&'a str),
    Unreadable(String),
}

fn outcome(job: &JobReport) -> Outcome<'_> {
    // Whatever it came to says nothing about the build that was to be tested.
    if let Some(other) = job.other_build() {
        return Outcome::Unreadable(other);
    }
    if let Some(why) = &job.queue_rejection
        && job.attempts.is_empty()
    {
        return Outcome::Rejected(why);
    }
    if !job.is_completed() {
        return match &job.lost {
            // We stopped it because nothing was heard of it.
            Some(why) => Outcome::Unreadable(why.clone()),
            None if job.stopped_by_us => Outcome::Stopped,
            None => Outcome::Unreadable("not finished".to_owned()),
        };
    }
    let stopped = job.stopped_by.is_some() || job.stopped_by_us;
    let Some(attempt) = job.deciding() else {
        return if stopped {
            Outcome::Stopped
        } else {
            Outcome::Unreadable("ended without a run".to_owned())
        };
    };
    match &attempt.result {
        Some(TestResult::Success) => Outcome::Success,
        Some(TestResult::Stopped) => Outcome::Stopped,
        Some(result) => Outcome::Result(result),
        None if stopped => Outcome::Stopped,
        None => Outcome::Unreadable("no result".to_owned()),
    }
}

fn judge_job(job: &JobReport, fail_on: &FailOn, quarantine: &mut Tolerance<'_>) -> Judgement {
    // Only what the service repeats has attempts before the deciding one.
    let flaky = job.attempts.len() > 1 && matches!(outcome(job), Outcome::Success);
    let judgement =
        |standing, counted, reason, because| Judgement { standing, counted, reason, because, flaky };
    let (word, reason, counts, counted) = match outcome(job) {
        Outcome::Success => {
            return judgement(Standing::Passed, Counted::Passed, Reason::Passed, "SUCCESS".to_owned());
        }
        Outcome::Result(result) => of_result(result, fail_on),
        Outcome::Stopped => {
            ("STOPPED".to_owned(), Reason::StoppedRemotely, fail_on.stopped, Counted::Stopped)
        }
        Outcome::Rejected(why) => {
            (format!("rejected by the queue: {why}"), Reason::RunError, true, Counted::NoVerdict)
        }
        Outcome::Unreadable(what) => (what, Reason::RunError, true, Counted::NoVerdict),
    };
    let tolerated = |because| judgement(Standing::Tolerated, Counted::Tolerated, Reason::Passed, because);
    if !counts {
        let because = format!("{word}, which fail-on leaves out");
        return match word.as_str() {
            "FAILED" => tolerated(because),
            "SKIPPED" => judgement(Standing::Inconclusive, Counted::Skipped, Reason::Passed, because),
            _ => judgement(Standing::Inconclusive, Counted::Tolerated, Reason::Passed, because),
        };
    }
    if let Some(why) = quarantine.test(job) {
        return tolerated(format!("{word}, {why}"));
    }
    if !job.required {
        return tolerated(format!("{word}, not required"));
    }
    judgement(Standing::Failed, counted, reason, word)
}

/// The word, the reason, whether it counts, and as what, of a result that is neither SUCCESS nor STOPPED.
fn of_result(result: &TestResult, fail_on: &FailOn) -> (String, Reason, bool, Counted) {
    let word = result.as_str().to_owned();
    match result {
        TestResult::Failed => (word, Reason::TestsFailed, fail_on.failed, Counted::Failed),
        TestResult::Skipped => (word, Reason::TestsFailed, fail_on.skipped, Counted::Failed),
        TestResult::Error => (word, Reason::RunError, fail_on.error, Counted::NoVerdict),
        TestResult::Timeout => (word, Reason::RunError, fail_on.timeout, Counted::NoVerdict),
        TestResult::Blocked => (word, Reason::RunError, fail_on.blocked, Counted::NoVerdict),
        other => (format!("unknown result {}", other.as_str()), Reason::RunError, true, Counted::NoVerdict),
    }
}

fn judge_bugs(jobs: &[JobReport], gate: &Gate, quarantine: &mut Tolerance<'_>) -> Vec<JudgedBug> {
    let mut distinct: BTreeMap<&str, (Bug, Vec<usize>)> = BTreeMap::new();
    for (index, job) in jobs.iter().enumerate() {
        for bug in job.deciding().map(|run| run.bugs.as_slice()).unwrap_or_default() {
            let (worst, seen) = distinct.entry(&bug.bug_id).or_insert_with(|| (bug.clone(), Vec::new()));
            if (bug.severity_rank(), bug.confidence_rank()) > (worst.severity_rank(), worst.confidence_rank())
            {
                *worst = bug.clone();
            }
            if seen.last() != Some(&index) {
                seen.push(index);
            }
        }
    }
    let mut bugs: Vec<JudgedBug> = distinct
        .into_iter()
        .map(|(id, (bug, seen))| {
            let quarantined = quarantine.bug(id).or_else(|| {
                // A bug that only quarantined tests show is theirs.
                let mut reasons = seen.iter().map(|&index| quarantine.test(&jobs[index])).collect::<Vec<_>>();
                if reasons.iter().all(Option::is_some) { reasons.pop().flatten() } else { None }
            });
            let required = seen.iter().any(|&index| jobs[index].required);
            let met = required && quarantined.is_none() && meets_a_gate(jobs, id, gate);
            JudgedBug { bug, jobs: seen, counts: met, quarantined }
        })
        .collect();
    bugs.sort_by_key(|bug| {
        std::cmp::Reverse((bug.counts, bug.bug.severity_rank(), bug.bug.confidence_rank()))
    });
    bugs
}

/// True when any occurrence in a required job is as severe and as sure as one gate asks.
fn meets_a_gate(jobs: &[JobReport], bug_id: &str, gate: &Gate) -> bool {
    jobs.iter()
        .filter(|job| job.required)
        .filter_map(JobReport::deciding)
        .flat_map(|run| &run.bugs)
        .filter(|bug| bug.bug_id == bug_id)
        .any(|bug| {
            gate.fail_on
                .bugs
                .iter()
                .any(|gate| bug.severity_rank() >= gate.severity && bug.confidence_rank() >= gate.confidence)
        })
}

/// With a bug gate, a job whose bugs are not known cannot pass; and one that shows a counting bug does not.
fn mark_bug_gates(
    judgements: &mut [Judgement],
    jobs: &[JobReport],
    bugs: &[JudgedBug],
    gate: &Gate,
    quarantine: &mut Tolerance<'_>,
) {
    if gate.fail_on.bugs.is_empty() {
        return;
    }
    for (index, (judgement, job)) in judgements.iter_mut().zip(jobs).enumerate() {
        if judgement.standing == Standing::Failed || !job.required {
            continue;
        }
        let unknown = job.deciding().is_some_and(bugs_unknown);
        if let Some(bug) = bugs.iter().find(|bug| bug.counts && bug.jobs.contains(&index)) {
            judgement.standing = Standing::Failed;
            judgement.counted = Counted::Failed;
            judgement.reason = Reason::BugsFound;
            judgement.because = format!("{}, but a bug meets fail-on: {}", judgement.because, bug.bug.title);
        } else if unknown && quarantine.test(job).is_none() {
            judgement.standing = Standing::Failed;
            judgement.counted = Counted::NoVerdict;
            judgement.reason = Reason::RunError;
            judgement.because = format!("{}, but not all of its bugs could be read", judgement.because);
        }
    }
}

fn bugs_unknown(run: &Attempt) -> bool {
    run.unreadable.is_some()
        || run.bug_count.is_some_and(|count| u64::try_from(run.bugs.len()).is_ok_and(|read| read < count))
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Bug, FailOn, Gate, JobReport, NaiveDate, Reason, Standing, TestResult, Verdict};
    use crate::model::given::{GivenBuilds, Handed, SeenBuild};
    use crate::model::run_report::{Confidence, Severity};
    use crate::model::verdict::{BugGate, Quarantine, Quarantined};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn judge(jobs: &[JobReport], gate: &Gate) -> Verdict {
        super::judge(jobs, gate, day("2026-06-01"))
    }

    fn job(result: &str) -> JobReport {
        let attempt = Attempt {
            run_id: "r".to_owned(),
            result: (!result.is_empty()).then(|| TestResult::parse(result)),
            ..Attempt::default()
        };
        JobReport {
            run: "smoke".to_owned(),
            required: true,
            test_id: Some("t1".to_owned()),
            status: Some("COMPLETED".to_owned()),
            attempts: vec![attempt],
            ..JobReport::default()
        }
    }

    fn optional(result: &str) -> JobReport {
        JobReport { required: false, ..job(result) }
    }

    #[test]
    fn every_result_has_its_reason() {
        for (result, want) in [
            ("SUCCESS", Reason::Passed),
            ("failure", Reason::TestsFailed),
            ("ERROR", Reason::RunError),
            ("TIMEOUT", Reason::RunError),
            ("MAX_STEPS", Reason::RunError),
            ("BLOCKED", Reason::RunError),
            ("STOPPED", Reason::StoppedRemotely),
            ("SKIPPED", Reason::NothingTested),
            ("BRAND_NEW", Reason::RunError),
            ("", Reason::RunError),
        ] {
            assert_eq!(judge(&[job(result)], &Gate::default()).reason, want, "{result}");
            // With a success beside it only a SKIPPED changes its meaning.
            let beside = if want == Reason::NothingTested { Reason::Passed } else { want };
            assert_eq!(judge(&[job("SUCCESS"), job(result)], &Gate::default()).reason, beside, "{result}");
        }
    }

    #[test]
    fn worse_news_win() {
        let jobs = [job("STOPPED"), job("ERROR"), job("FAILED")];
        assert_eq!(judge(&jobs, &Gate::default()).reason, Reason::TestsFailed);
        assert_eq!(judge(&jobs[..2], &Gate::default()).reason, Reason::RunError);
    }

    #[test]
    fn nothing_tested_is_never_green() {
        assert_eq!(judge(&[], &Gate::default()).reason, Reason::NothingTested);
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
            assert_eq!(judge(&[job(result)], &lenient).reason, Reason::NothingTested, "{result}");
            assert_eq!(
                judge(&[optional(result)], &Gate::default()).reason,
                Reason::NothingTested,
                "{result}"
            );
        }
        assert_eq!(
            judge(&[job("FAILED")], &lenient).reason,
            Reason::Passed,
            "a tolerated FAILED is a test that ran"
        );
        assert_eq!(judge(&[optional("FAILED")], &Gate::default()).reason, Reason::Passed);
        assert_eq!(
            judge(&[job("BRAND_NEW")], &lenient).reason,
            Reason::RunError,
            "unknown results always count"
        );
        assert_eq!(judge(&[optional("BRAND_NEW")], &Gate::default()).reason, Reason::NothingTested);
    }

    #[test]
    fn jobs_without_a_run_are_explained() {
        let lost = JobReport { lost: Some("404".to_owned()), stopped_by_us: true, ..job("") };
        let lost = judge(&[JobReport { status: Some("RUNNING".to_owned()), ..lost }], &Gate::default());
        assert_eq!((lost.reason, lost.counts().no_verdict), (Reason::RunError, 1), "nobody else stopped it");
        let rejected =
            JobReport { attempts: Vec::new(), queue_rejection: Some("no device".to_owned()), ..job("") };
        let verdict = judge(&[rejected], &Gate::default());
        assert_eq!(
            (verdict.reason, verdict.judgements[0].because.as_str()),
            (Reason::RunError, "rejected by the queue: no device")
        );
        let stopped = JobReport { attempts: Vec::new(), stopped_by: Some("a person".to_owned()), ..job("") };
        assert_eq!(judge(&[stopped], &Gate::default()).reason, Reason::StoppedRemotely);
        let empty = JobReport { attempts: Vec::new(), ..job("") };
        assert_eq!(judge(&[empty], &Gate::default()).reason, Reason::RunError);
        let running = JobReport { status: Some("RUNNING".to_owned()), ..job("SUCCESS") };
        assert_eq!(judge(&[running], &Gate::default()).reason, Reason::RunError);
    }

    #[test]
    fn retries_that_helped_are_flaky() {
        let mut flaky = job("SUCCESS");
        flaky.attempts.insert(0, Attempt { result: Some(TestResult::Error), ..Attempt::default() });
        let verdict = judge(&[flaky], &Gate::default());
        assert!(verdict.judgements[0].flaky);
        assert_eq!(verdict.reason, Reason::Passed);
    }

    #[test]
    fn every_test_is_counted_once() {
        let words =
            ["SUCCESS", "FAILED", "ERROR", "TIMEOUT", "BLOCKED", "STOPPED", "SKIPPED", "ODD", "", "FAILED"];
        let mut jobs: Vec<JobReport> = words.iter().map(|word| job(word)).collect();
        jobs[9].required = false;
        let counts = judge(&jobs, &Gate::default()).counts();
        assert_eq!(counts.parts().map(|(count, _)| count), [1, 1, 5, 1, 1, 1]);
        assert_eq!(counts.total, words.len());
        let cancelled = JobReport { status: Some("RUNNING".to_owned()), stopped_by_us: true, ..job("") };
        let counts = judge(&[cancelled], &Gate::default()).counts();
        assert_eq!((counts.failed, counts.stopped), (0, 1), "a cancelled test did not fail");
        let rejected =
            JobReport { attempts: Vec::new(), queue_rejection: Some("no device".to_owned()), ..job("") };
        let counts = judge(&[rejected], &Gate::default()).counts();
        assert_eq!((counts.failed, counts.no_verdict), (0, 1), "neither did a refused one");
    }

    #[test]
    fn another_build_is_no_verdict_whatever_it_came_to() {
        let given = GivenBuilds {
            default: Some(Handed { build: Some("ours".to_owned()) }),
            ..GivenBuilds::default()
        };
        for word in ["SUCCESS", "FAILED"] {
            let right = JobReport { given: given.clone(), build_id: Some("OURS".to_owned()), ..job(word) };
            assert_ne!(judge(std::slice::from_ref(&right), &Gate::default()).reason, Reason::RunError);
            let of_job = JobReport { build_id: Some("theirs".to_owned()), ..right.clone() };
            let mut of_run = right;
            of_run.attempts[0].builds = vec![SeenBuild { player: None, id: "theirs".to_owned() }];
            for other in [of_job, of_run] {
                let verdict = judge(std::slice::from_ref(&other), &Gate::default());
                assert_eq!(verdict.reason, Reason::RunError);
                assert_eq!(verdict.judgements[0].because, "build theirs was tested, not build ours");
                let optional = JobReport { required: false, ..other };
                assert_eq!(judge(&[optional], &Gate::default()).reason, Reason::NothingTested);
            }
        }
    }

    fn with_bug(severity: &str, confidence: &str) -> JobReport {
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
        assert_eq!(judge(std::slice::from_ref(&critical), &Gate::default()).reason, Reason::Passed);
        assert_eq!(
            judge(std::slice::from_ref(&critical), &bug_gate(Severity::High, Confidence::Low)).reason,
            Reason::BugsFound
        );
        assert_eq!(
            judge(std::slice::from_ref(&critical), &bug_gate(Severity::High, Confidence::Medium)).reason,
            Reason::Passed
        );
        assert_eq!(
            judge(&[with_bug("medium", "high")], &bug_gate(Severity::High, Confidence::Low)).reason,
            Reason::Passed
        );
        assert_eq!(
            judge(&[with_bug("apocalyptic", "odd")], &bug_gate(Severity::Critical, Confidence::High)).reason,
            Reason::BugsFound
        );
        let optional = JobReport { required: false, ..with_bug("critical", "high") };
        assert_eq!(judge(&[optional], &bug_gate(Severity::Low, Confidence::Low)).reason, Reason::Passed);
        let verdict = judge(&[with_bug("low", "low"), critical], &Gate::default());
        assert_eq!((verdict.bugs_total(), verdict.bugs[0].jobs.len()), (1, 2), "one bug, seen twice");
        assert_eq!(verdict.bugs[0].bug.severity.as_deref(), Some("critical"));
    }

    #[test]
    fn a_bug_gate_fails_closed() {
        let gate = bug_gate(Severity::Critical, Confidence::High);
        let mut hidden = job("SUCCESS");
        hidden.attempts[0].bug_count = Some(2);
        assert_eq!(judge(std::slice::from_ref(&hidden), &gate).reason, Reason::RunError);
        assert_eq!(judge(&[hidden], &Gate::default()).reason, Reason::Passed);
        let mut partial = with_bug("low", "low");
        partial.attempts[0].bug_count = Some(2);
        assert_eq!(judge(&[partial], &gate).reason, Reason::RunError, "the other one may be critical");
        let lenient = Gate { fail_on: FailOn { failed: false, ..gate.fail_on.clone() }, ..gate.clone() };
        let mut failed = job("FAILED");
        failed.attempts[0].bug_count = Some(1);
        assert_eq!(judge(&[failed], &lenient).reason, Reason::RunError, "a tolerated verdict hides no bug");
        let mut unread = job("SUCCESS");
        unread.attempts[0].unreadable = Some("503".to_owned());
        assert_eq!(judge(&[unread], &gate).reason, Reason::RunError);
    }

    #[test]
    fn quarantine_tolerates_until_its_day() {
        let entry = |what, until: &str| Quarantine { what, until: day(until), reason: "GAME-1".to_owned() };
        let test = || Quarantined::Test("t1".to_owned());
        let gate = |entries: Vec<Quarantine>| Gate {
            quarantine: entries,
            ..bug_gate(Severity::Low, Confidence::Low)
        };
        let verdict = judge(&[job("FAILED")], &gate(vec![entry(test(), "2026-06-01")]));
        assert_eq!((verdict.reason, verdict.judgements[0].standing), (Reason::Passed, Standing::Tolerated));
        let expired = judge(&[job("FAILED")], &gate(vec![entry(test(), "2026-05-31")]));
        assert_eq!((expired.reason, expired.warnings.len()), (Reason::TestsFailed, 1));
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
        assert_eq!((bug.reason, bug.bugs_total(), bug.counts().failed), (Reason::Passed, 1, 0));
        assert_eq!(
            judge(&[with_bug("high", "high")], &gate(vec![entry(test(), "2026-07-01")])).reason,
            Reason::Passed
        );
    }
}
