//! What results and bugs mean for the build: the one place that decides. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::baseline::Baseline;
use super::delta::{self, BugChange, Delta, KnownBugs, TestChange};
use super::exit_reason::ExitReason;
use super::failure::Failure;
use super::job::{Attempt, Bug, Job};
use super::result::TestResult;
use super::tolerance::Tolerance;
use super::verdict::{BugGate, Counted, FailOn, Gate, GateStatus, JudgedBug, Judgement, Verdict};

/// The reason of the whole invocation: an error of our own wins over results, results win over a normal end.
pub(crate) fn decide(failure: Option<&Failure>, verdict: Option<&Verdict>, normal: ExitReason) -> ExitReason {
    match (failure, verdict) {
        (Some(failure), _) => failure.reason,
        (None, Some(verdict)) => verdict.reason,
        (None, None) => normal,
    }
}

/// The gate's word on all tests. `today` decides which quarantine entries still hold.
pub(crate) fn judge(jobs: &[Job], gate: &Gate, today: NaiveDate) -> Verdict {
    let mut quarantine = Tolerance::new(&gate.quarantine, today);
    let mut judgements: Vec<Judgement> =
        jobs.iter().map(|job| judge_job(job, &gate.fail_on, &mut quarantine)).collect();
    let bugs = judge_bugs(jobs, gate, &mut quarantine);
    mark_bug_gates(&mut judgements, jobs, &bugs, gate, &mut quarantine);
    let bug_gate_met = bugs.iter().any(|bug| bug.counts);
    let reason = overall(&judgements, jobs, bug_gate_met);
    let delta = delta::was_asked(jobs).then(|| delta_of(jobs, &judgements, &bugs));
    Verdict { reason, judgements, bugs, delta, warnings: quarantine.warnings() }
}

fn delta_of(jobs: &[Job], judgements: &[Judgement], bugs: &[JudgedBug]) -> Delta {
    let bugs_that = |change| bugs.iter().filter(|bug| bug.change == change).count();
    let tests_that = |change| judgements.iter().filter(|judged| judged.change == Some(change)).count();
    let baselines_that = |wanted: fn(&Baseline) -> bool| {
        jobs.iter().filter(|job| job.baseline.as_ref().is_some_and(wanted)).count()
    };
    let now: BTreeSet<&str> = bugs.iter().map(|bug| bug.bug.bug_id.as_str()).collect();
    let looked_at = |job: &Job| {
        let verdict = matches!(outcome(job), Outcome::Success | Outcome::Result(TestResult::Failed));
        verdict && !job.deciding().is_some_and(bugs_unknown)
    };
    Delta {
        bugs_new: bugs_that(BugChange::New),
        bugs_known: bugs_that(BugChange::Known),
        bugs_unclear: bugs_that(BugChange::Unclear),
        bugs_fixed: delta::fixed_bugs(jobs, looked_at, &now),
        tests_newly_failing: tests_that(TestChange::NewlyFailing),
        tests_still_failing: tests_that(TestChange::StillFailing),
        tests_fixed: tests_that(TestChange::Fixed),
        baselines_unreadable: baselines_that(|baseline| matches!(baseline, Baseline::Unreadable(_))),
        baselines_absent: baselines_that(|baseline| matches!(baseline, Baseline::Absent(_))),
    }
}

fn overall(judgements: &[Judgement], jobs: &[Job], bug_gate_met: bool) -> ExitReason {
    let any = |reason: ExitReason| judgements.iter().any(|judgement| judgement.reason == reason);
    if any(ExitReason::TestsFailed) {
        return ExitReason::TestsFailed;
    }
    if bug_gate_met {
        return ExitReason::BugsFound;
    }
    for reason in [ExitReason::RunError, ExitReason::ServiceError, ExitReason::StoppedRemotely] {
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
    if tested { ExitReason::Passed } else { ExitReason::NothingTested }
}

/// What a test came to, before anything tolerates it.
enum Outcome<'a> {
    Success,
    Result(&'a TestResult),
    Stopped,
    Rejected(&'a str),
    Unreadable(String),
}

fn outcome(job: &Job) -> Outcome<'_> {
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

fn judge_job(job: &Job, fail_on: &FailOn, quarantine: &mut Tolerance<'_>) -> Judgement {
    // Only what the service repeats has attempts before the deciding one.
    let flaky = job.attempts.len() > 1 && matches!(outcome(job), Outcome::Success);
    let change = match outcome(job) {
        Outcome::Success => delta::test_change(job, &TestResult::Success),
        Outcome::Result(result) => delta::test_change(job, result),
        Outcome::Stopped | Outcome::Rejected(_) | Outcome::Unreadable(_) => None,
    };
    let judgement =
        |standing, counted, reason, because| Judgement { standing, counted, reason, because, flaky, change };
    let (word, reason, counts, counted) = match outcome(job) {
        Outcome::Success => {
            return judgement(GateStatus::Passed, Counted::Passed, ExitReason::Passed, "SUCCESS".to_owned());
        }
        Outcome::Result(result) => of_result(result, change, fail_on),
        Outcome::Stopped => {
            ("STOPPED".to_owned(), ExitReason::StoppedRemotely, fail_on.stopped, Counted::Stopped)
        }
        Outcome::Rejected(why) => {
            (format!("rejected by the queue: {why}"), ExitReason::RunError, true, Counted::NoVerdict)
        }
        Outcome::Unreadable(what) => (what, ExitReason::RunError, true, Counted::NoVerdict),
    };
    let tolerated =
        |because| judgement(GateStatus::Tolerated, Counted::Tolerated, ExitReason::Passed, because);
    if !counts {
        let because = match change {
            Some(TestChange::StillFailing) if fail_on.newly_failed => format!("{word}, as its baseline did"),
            _ => format!("{word}, which fail-on leaves out"),
        };
        return match word.as_str() {
            "FAILED" => tolerated(because),
            "SKIPPED" => judgement(GateStatus::Inconclusive, Counted::Skipped, ExitReason::Passed, because),
            _ => judgement(GateStatus::Inconclusive, Counted::Tolerated, ExitReason::Passed, because),
        };
    }
    if let Some(why) = quarantine.test(job) {
        return tolerated(format!("{word}, {why}"));
    }
    if !job.required {
        return tolerated(format!("{word}, not required"));
    }
    judgement(GateStatus::Failed, counted, reason, word)
}

/// Why a gate that asks what is new says nothing of a test.
const BASELINE_UNREADABLE: &str = "the baseline that fail-on asks for could not be read";

/// The word, the reason, whether it counts, and as what, of a result that is neither SUCCESS nor STOPPED.
fn of_result(
    result: &TestResult,
    change: Option<TestChange>,
    fail_on: &FailOn,
) -> (String, ExitReason, bool, Counted) {
    let word = result.as_str().to_owned();
    match result {
        TestResult::Failed if !fail_on.failed && fail_on.newly_failed => match change {
            // Whether it is new cannot be said, so it is no verdict on the product.
            Some(TestChange::Unclear) => (
                format!("{word}, but {BASELINE_UNREADABLE}"),
                ExitReason::ServiceError,
                true,
                Counted::NoVerdict,
            ),
            // Where nothing is known of before, every failure is new.
            change => {
                (word, ExitReason::TestsFailed, change != Some(TestChange::StillFailing), Counted::Failed)
            }
        },
        TestResult::Failed => (word, ExitReason::TestsFailed, fail_on.failed, Counted::Failed),
        TestResult::Skipped => (word, ExitReason::TestsFailed, fail_on.skipped, Counted::Failed),
        TestResult::Error => (word, ExitReason::RunError, fail_on.error, Counted::NoVerdict),
        TestResult::Timeout => (word, ExitReason::RunError, fail_on.timeout, Counted::NoVerdict),
        TestResult::Blocked => (word, ExitReason::RunError, fail_on.blocked, Counted::NoVerdict),
        other => {
            (format!("unknown result {}", other.as_str()), ExitReason::RunError, true, Counted::NoVerdict)
        }
    }
}

fn judge_bugs(jobs: &[Job], gate: &Gate, quarantine: &mut Tolerance<'_>) -> Vec<JudgedBug> {
    let known = KnownBugs::of(jobs);
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
            let shown_by: Vec<&Job> = seen.iter().map(|&index| &jobs[index]).collect();
            let change = known.change(id, &shown_by);
            let met = meets_a_gate(jobs, id, &gate.fail_on.bugs)
                || (change == BugChange::New && meets_a_gate(jobs, id, &gate.fail_on.new_bugs));
            let counts = required && quarantined.is_none() && met;
            JudgedBug { bug, jobs: seen, counts, quarantined, change }
        })
        .collect();
    worst_first(&mut bugs);
    bugs
}

fn worst_first(bugs: &mut [JudgedBug]) {
    bugs.sort_by_key(|bug| {
        std::cmp::Reverse((bug.counts, bug.bug.severity_rank(), bug.bug.confidence_rank()))
    });
}

/// True when any occurrence in a required job is as severe and as sure as one gate asks.
fn meets_a_gate(jobs: &[Job], bug_id: &str, gates: &[BugGate]) -> bool {
    jobs.iter()
        .filter(|job| job.required)
        .filter_map(Job::deciding)
        .flat_map(|run| &run.bugs)
        .filter(|bug| bug.bug_id == bug_id)
        .any(|bug| {
            gates
                .iter()
                .any(|gate| bug.severity_rank() >= gate.severity && bug.confidence_rank() >= gate.confidence)
        })
}

/// With a bug gate, a job whose bugs are not known cannot pass; and one that shows a counting bug does not.
fn mark_bug_gates(
    judgements: &mut [Judgement],
    jobs: &[Job],
    bugs: &[JudgedBug],
    gate: &Gate,
    quarantine: &mut Tolerance<'_>,
) {
    if gate.fail_on.bugs.is_empty() && gate.fail_on.new_bugs.is_empty() {
        return;
    }
    for (index, (judgement, job)) in judgements.iter_mut().zip(jobs).enumerate() {
        if judgement.standing == GateStatus::Failed || !job.required {
            continue;
        }
        let unknown = job.deciding().is_some_and(bugs_unknown);
        if let Some(bug) = bugs.iter().find(|bug| bug.counts && bug.jobs.contains(&index)) {
            judgement.standing = GateStatus::Failed;
            judgement.counted = Counted::Failed;
            judgement.reason = ExitReason::BugsFound;
            judgement.because = format!("{}, but a bug meets fail-on: {}", judgement.because, bug.bug.title);
        } else if let Some(bug) = bugs.iter().find(|bug| {
            bug.change == BugChange::Unclear
                && bug.quarantined.is_none()
                && bug.jobs.contains(&index)
                && meets_a_gate(jobs, &bug.bug.bug_id, &gate.fail_on.new_bugs)
        }) {
            judgement.standing = GateStatus::Failed;
            judgement.counted = Counted::NoVerdict;
            judgement.reason = ExitReason::ServiceError;
            judgement.because =
                format!("{}, but {BASELINE_UNREADABLE}: it may show {}", judgement.because, bug.bug.title);
        } else if unknown && quarantine.test(job).is_none() {
            judgement.standing = GateStatus::Failed;
            judgement.counted = Counted::NoVerdict;
            judgement.reason = ExitReason::RunError;
            judgement.because = format!("{}, but not all of its bugs could be read", judgement.because);
        }
    }
}

fn bugs_unknown(run: &Attempt) -> bool {
    run.unreadable.is_some()
        || run.bug_count.is_some_and(|count| u64::try_from(run.bugs.len()).is_ok_and(|read| read < count))
}

#[cfg(test)]
mod delta_tests;
#[cfg(test)]
mod tests;
mod union;

pub(crate) use union::judge_union;
