//! What results and bugs mean for the build: the one place that decides. Pure.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::failure::{Failure, Reason};
use super::result::TestResult;
use super::run_report::{Attempt, Bug, JobReport};
use super::verdict::{FailOn, Gate, JudgedBug, Judgement, Quarantine, Quarantined, Standing, Verdict};

/// The reason of the whole invocation: an error of our own wins over results, results win over a normal end.
#[must_use]
pub fn decide(failure: Option<&Failure>, verdict: Option<&Verdict>, normal: Reason) -> Reason {
    match (failure, verdict) {
        (Some(failure), _) => failure.reason,
        (None, Some(verdict)) => verdict.reason,
        (None, None) => normal,
    }
}

/// The gate's word on all jobs. `today` decides which quarantine entries still hold.
#[must_use]
pub fn judge(jobs: &[JobReport], gate: &Gate, today: NaiveDate) -> Verdict {
    let mut quarantine = Tolerance::new(&gate.quarantine, today);
    let mut judgements: Vec<Judgement> =
        jobs.iter().map(|job| judge_job(job, &gate.fail_on, &mut quarantine)).collect();
    let bugs = judge_bugs(jobs, gate, &mut quarantine);
    mark_bug_gates(&mut judgements, jobs, &bugs, gate);
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
    let tested = judgements.iter().zip(jobs).any(|(judgement, job)| {
        match job.deciding().and_then(|run| run.result.as_ref()) {
            Some(TestResult::Success) => judgement.standing != Standing::Inconclusive,
            Some(TestResult::Failed) => judgement.standing == Standing::Tolerated,
            _ => false,
        }
    });
    if tested { Reason::Passed } else { Reason::NothingTested }
}

/// What a job came to, before anything tolerates it.
enum Outcome<'a> {
    Success,
    Result(&'a TestResult),
    Stopped,
    Rejected(&'a str),
    Unreadable(&'static str),
}

fn outcome(job: &JobReport) -> Outcome<'_> {
    if let Some(why) = &job.queue_rejection
        && job.attempts.is_empty()
    {
        return Outcome::Rejected(why);
    }
    if !job.is_completed() {
        return if job.stopped_by_us { Outcome::Stopped } else { Outcome::Unreadable("not finished") };
    }
    let Some(attempt) = job.deciding() else {
        return if job.stopped_by.is_some() || job.stopped_by_us {
            Outcome::Stopped
        } else {
            Outcome::Unreadable("ended without a run")
        };
    };
    match &attempt.result {
        Some(TestResult::Success) => Outcome::Success,
        Some(TestResult::Stopped) => Outcome::Stopped,
        Some(result) => Outcome::Result(result),
        None if job.stopped_by.is_some() => Outcome::Stopped,
        None => Outcome::Unreadable("no result"),
    }
}

fn judge_job(job: &JobReport, fail_on: &FailOn, quarantine: &mut Tolerance<'_>) -> Judgement {
    let earlier_trouble = job.attempts.len() > 1
        && job.attempts[..job.attempts.len() - 1]
            .iter()
            .any(|attempt| attempt.result != Some(TestResult::Success));
    let outcome = outcome(job);
    let flaky = earlier_trouble && matches!(outcome, Outcome::Success);
    let (word, reason, counts) = match outcome {
        Outcome::Success => {
            return Judgement {
                standing: Standing::Passed,
                reason: Reason::Passed,
                because: "SUCCESS".to_owned(),
                flaky,
            };
        }
        Outcome::Result(TestResult::Failed) => ("FAILED".to_owned(), Reason::TestsFailed, fail_on.failed),
        Outcome::Result(TestResult::Skipped) => ("SKIPPED".to_owned(), Reason::TestsFailed, fail_on.skipped),
        Outcome::Result(TestResult::Error) => ("ERROR".to_owned(), Reason::RunError, fail_on.error),
        Outcome::Result(TestResult::Timeout) => ("TIMEOUT".to_owned(), Reason::RunError, fail_on.timeout),
        Outcome::Result(TestResult::Blocked) => ("BLOCKED".to_owned(), Reason::RunError, fail_on.blocked),
        Outcome::Result(other) => (format!("unknown result {}", other.as_str()), Reason::RunError, true),
        Outcome::Stopped => ("STOPPED".to_owned(), Reason::StoppedRemotely, fail_on.stopped),
        Outcome::Rejected(why) => (format!("rejected by the queue: {why}"), Reason::RunError, true),
        Outcome::Unreadable(what) => (what.to_owned(), Reason::RunError, true),
    };
    if !counts {
        let standing = if word == "FAILED" { Standing::Tolerated } else { Standing::Inconclusive };
        return Judgement {
            standing,
            reason: Reason::Passed,
            because: format!("{word}, which fail-on leaves out"),
            flaky,
        };
    }
    if let Some(why) = quarantine.test(job) {
        return Judgement {
            standing: Standing::Tolerated,
            reason: Reason::Passed,
            because: format!("{word}, {why}"),
            flaky,
        };
    }
    if !job.required {
        return Judgement {
            standing: Standing::Tolerated,
            reason: Reason::Passed,
            because: format!("{word}, not required"),
            flaky,
        };
    }
    Judgement { standing: Standing::Failed, reason, because: word, flaky }
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
fn mark_bug_gates(judgements: &mut [Judgement], jobs: &[JobReport], bugs: &[JudgedBug], gate: &Gate) {
    if gate.fail_on.bugs.is_empty() {
        return;
    }
    for (index, (judgement, job)) in judgements.iter_mut().zip(jobs).enumerate() {
        if judgement.standing == Standing::Failed || !job.required {
            continue;
        }
        if let Some(bug) = bugs.iter().find(|bug| bug.counts && bug.jobs.contains(&index)) {
            judgement.standing = Standing::Failed;
            judgement.reason = Reason::BugsFound;
            judgement.because = format!("{}, but a bug meets fail-on: {}", judgement.because, bug.bug.title);
        } else if judgement.standing == Standing::Passed && job.deciding().is_some_and(bugs_unknown) {
            judgement.standing = Standing::Failed;
            judgement.reason = Reason::RunError;
            judgement.because = format!("{}, but its bugs could not be read", judgement.because);
        }
    }
}

fn bugs_unknown(run: &Attempt) -> bool {
    run.unreadable.is_some() || (run.bugs.is_empty() && run.bug_count.is_some_and(|count| count > 0))
}

/// The quarantine on one day, and which entries were of use.
struct Tolerance<'a> {
    entries: &'a [Quarantine],
    today: NaiveDate,
    used: Vec<bool>,
}

impl<'a> Tolerance<'a> {
    fn new(entries: &'a [Quarantine], today: NaiveDate) -> Self {
        Self { entries, today, used: vec![false; entries.len()] }
    }

    fn find(&mut self, matches: impl Fn(&Quarantined) -> bool) -> Option<String> {
        let mut found = None;
        for (entry, used) in self.entries.iter().zip(&mut self.used) {
            if !matches(&entry.what) {
                continue;
            }
            *used = true;
            if entry.until >= self.today && found.is_none() {
                found = Some(format!("quarantined until {}: {}", entry.until, entry.reason));
            }
        }
        found
    }

    fn test(&mut self, job: &JobReport) -> Option<String> {
        let id = job.test_id.as_deref()?;
        self.find(|what| matches!(what, Quarantined::Test(test) if test == id))
    }

    fn bug(&mut self, id: &str) -> Option<String> {
        self.find(|what| matches!(what, Quarantined::Bug(bug) if bug == id))
    }

    fn warnings(&self) -> Vec<String> {
        let name = |what: &Quarantined| match what {
            Quarantined::Bug(id) => format!("bug {id}"),
            Quarantined::Test(id) => format!("test {id}"),
        };
        self.entries
            .iter()
            .zip(&self.used)
            .filter_map(|(entry, used)| {
                if entry.until < self.today {
                    Some(format!(
                        "the quarantine of {} ended on {} and tolerates nothing any more: {}",
                        name(&entry.what),
                        entry.until,
                        entry.reason
                    ))
                } else if !used {
                    Some(format!("the quarantine of {} was not needed: {}", name(&entry.what), entry.reason))
                } else {
                    None
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Attempt, Bug, FailOn, Gate, JobReport, NaiveDate, Quarantine, Quarantined, Reason, Standing,
        TestResult, Verdict,
    };
    use crate::model::run_report::{Confidence, Severity};
    use crate::model::verdict::BugGate;

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
        assert_eq!((bug.reason, bug.bugs_total(), bug.failed()), (Reason::Passed, 1, 0));
        assert_eq!(
            judge(&[with_bug("high", "high")], &gate(vec![entry(test(), "2026-07-01")])).reason,
            Reason::Passed
        );
    }
}
