//! What is new, and what gates that ask for it make of it.

use std::collections::BTreeSet;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use super::{
    Attempt, Baseline, Bug, BugChange, ExitReason, FailOn, Gate, GateStatus, Job, TestChange, TestResult,
    Verdict, judge,
};
use crate::model::baseline::{BaselineRule, BaselineRun, CarriedOver, KnownBug};
use crate::model::job::{Confidence, JobStatus, Severity};
use crate::model::verdict::{BugGate, Counted, Quarantine, Quarantined};

fn judged(jobs: &[Job], gate: &Gate) -> Verdict {
    judge(jobs, gate, "2026-06-01".parse().unwrap())
}

fn bugs(ids: &[u8]) -> Vec<Bug> {
    let bug = |id: &u8| Bug {
        bug_id: format!("b{id}"),
        title: format!("Bug {id}"),
        severity: Some("high".to_owned()),
        ..Bug::default()
    };
    ids.iter().map(bug).collect()
}

fn before(result: &str, ids: &[u8]) -> Baseline {
    let known = |id: &u8| KnownBug { bug_id: format!("b{id}"), title: format!("Bug {id}"), severity: None };
    Baseline::Found(Box::new(BaselineRun {
        job_id: "old".to_owned(),
        run_id: "old-run".to_owned(),
        url: None,
        branch: "main".to_owned(),
        commit: None,
        finished_at: None,
        rule: BaselineRule::BaseBranch,
        result: TestResult::parse(result),
        bugs: ids.iter().map(known).collect(),
    }))
}

fn absent() -> Baseline {
    Baseline::Absent("new test".to_owned())
}

fn unreadable() -> Baseline {
    Baseline::Unreadable("503".to_owned())
}

fn job(result: &str, shown: &[u8], baseline: impl Into<Option<Baseline>>) -> Job {
    let attempt = Attempt {
        run_id: "r".to_owned(),
        result: Some(TestResult::parse(result)),
        bug_count: u64::try_from(shown.len()).ok(),
        bugs: bugs(shown),
        ..Attempt::default()
    };
    Job {
        run: "smoke".to_owned(),
        required: true,
        test_id: Some("t1".to_owned()),
        status: Some(JobStatus::Completed),
        attempts: vec![attempt],
        baseline: baseline.into(),
        ..Job::default()
    }
}

/// A gate of `new-bugs:medium` and `newly-failed` alone.
fn new_only() -> Gate {
    let new_bugs = vec![BugGate { severity: Severity::Medium, confidence: Confidence::Low }];
    Gate {
        fail_on: FailOn { failed: false, new_bugs, newly_failed: true, ..FailOn::default() },
        quarantine: Vec::new(),
    }
}

#[test]
fn a_failure_counts_when_it_is_new() {
    for (result, baseline, change, reason, standing) in [
        (
            "FAILED",
            Some(before("SUCCESS", &[])),
            Some(TestChange::NewlyFailing),
            ExitReason::TestsFailed,
            GateStatus::Failed,
        ),
        (
            "FAILED",
            Some(before("FAILED", &[])),
            Some(TestChange::StillFailing),
            ExitReason::Passed,
            GateStatus::Tolerated,
        ),
        (
            "FAILED",
            Some(absent()),
            Some(TestChange::NewlyFailing),
            ExitReason::TestsFailed,
            GateStatus::Failed,
        ),
        (
            "FAILED",
            Some(unreadable()),
            Some(TestChange::Unclear),
            ExitReason::ServiceError,
            GateStatus::Failed,
        ),
        ("FAILED", None, None, ExitReason::TestsFailed, GateStatus::Failed),
        (
            "SUCCESS",
            Some(before("FAILED", &[])),
            Some(TestChange::Fixed),
            ExitReason::Passed,
            GateStatus::Passed,
        ),
        ("SUCCESS", Some(unreadable()), None, ExitReason::Passed, GateStatus::Passed),
        ("ERROR", Some(before("SUCCESS", &[])), None, ExitReason::RunError, GateStatus::Failed),
    ] {
        let verdict = judged(&[job(result, &[], baseline.clone())], &new_only());
        let judgement = &verdict.judgements[0];
        assert_eq!(
            (judgement.change, verdict.reason, judgement.standing),
            (change, reason, standing),
            "{result} {baseline:?}"
        );
    }
}

#[test]
fn a_failure_that_counts_anyway_needs_no_baseline() {
    let mut gate = new_only();
    gate.fail_on.failed = true;
    for baseline in [before("FAILED", &[]), unreadable(), absent()] {
        assert_eq!(judged(&[job("FAILED", &[], baseline)], &gate).reason, ExitReason::TestsFailed);
    }
    // Without a gate that asks for it an unreadable baseline is no error.
    assert_eq!(judged(&[job("SUCCESS", &[1], unreadable())], &Gate::default()).reason, ExitReason::Passed);
}

#[test]
fn a_bug_counts_when_it_is_new() {
    for (baseline, change, reason, counted) in [
        (Some(before("SUCCESS", &[2])), BugChange::New, ExitReason::BugsFound, Counted::Failed),
        (Some(before("SUCCESS", &[1])), BugChange::Known, ExitReason::Passed, Counted::Passed),
        (Some(absent()), BugChange::New, ExitReason::BugsFound, Counted::Failed),
        (Some(unreadable()), BugChange::Unclear, ExitReason::ServiceError, Counted::NoVerdict),
        (None, BugChange::New, ExitReason::BugsFound, Counted::Failed),
    ] {
        let verdict = judged(&[job("SUCCESS", &[1], baseline.clone())], &new_only());
        let found = (verdict.bugs[0].change, verdict.reason, verdict.judgements[0].counted);
        assert_eq!(found, (change, reason, counted), "{baseline:?}");
    }
}

#[test]
fn a_bug_below_the_gate_does_not_count_whatever_is_known() {
    let mut gate = new_only();
    gate.fail_on.new_bugs[0].severity = Severity::Critical;
    for baseline in [before("SUCCESS", &[]), unreadable(), absent()] {
        assert_eq!(judged(&[job("SUCCESS", &[1], baseline)], &gate).reason, ExitReason::Passed);
    }
}

#[test]
fn quarantine_and_required_stand_above_what_is_new() {
    let until = "2026-07-01".parse().unwrap();
    let quarantined = |what| Gate {
        quarantine: vec![Quarantine { what, until, reason: "GAME-1".to_owned() }],
        ..new_only()
    };
    let test = quarantined(Quarantined::Test("t1".to_owned()));
    for baseline in [before("SUCCESS", &[]), absent(), unreadable()] {
        for (result, shown) in [("FAILED", &[][..]), ("SUCCESS", &[1]), ("FAILED", &[1])] {
            let verdict = judged(&[job(result, shown, baseline.clone())], &test);
            assert_eq!(verdict.reason, ExitReason::Passed, "{result} {shown:?} {baseline:?}");
        }
        let bug = quarantined(Quarantined::Bug("b1".to_owned()));
        assert_eq!(judged(&[job("SUCCESS", &[1], baseline.clone())], &bug).reason, ExitReason::Passed);
        for (result, shown) in [("FAILED", &[][..]), ("SUCCESS", &[1])] {
            let optional = Job { required: false, ..job(result, shown, baseline.clone()) };
            assert_eq!(
                judged(&[optional, job("SUCCESS", &[], absent())], &new_only()).reason,
                ExitReason::Passed
            );
        }
    }
}

#[test]
fn a_verdict_on_the_product_wins_over_what_cannot_be_said() {
    let jobs = [job("FAILED", &[], unreadable()), job("FAILED", &[], before("SUCCESS", &[]))];
    assert_eq!(judged(&jobs, &new_only()).reason, ExitReason::TestsFailed);
    let jobs = [job("SUCCESS", &[1], unreadable()), job("SUCCESS", &[2], before("SUCCESS", &[]))];
    assert_eq!(judged(&jobs, &new_only()).reason, ExitReason::BugsFound);
}

#[test]
fn a_bug_that_any_baseline_shows_is_known() {
    let jobs = [job("SUCCESS", &[1], before("SUCCESS", &[])), job("SUCCESS", &[], before("SUCCESS", &[1]))];
    let verdict = judged(&jobs, &new_only());
    assert_eq!((verdict.reason, verdict.bugs[0].change), (ExitReason::Passed, BugChange::Known));
    let jobs = [job("SUCCESS", &[1], unreadable()), job("SUCCESS", &[], before("SUCCESS", &[1]))];
    assert_eq!(judged(&jobs, &new_only()).reason, ExitReason::Passed);
}

#[test]
fn a_test_without_a_verdict_says_of_no_bug_that_it_is_gone() {
    let fixed = |jobs: &[Job]| judged(jobs, &Gate::default()).delta.unwrap().bugs_fixed.len();
    assert_eq!(fixed(&[job("SUCCESS", &[], before("SUCCESS", &[1]))]), 1);
    assert_eq!(fixed(&[job("ERROR", &[], before("SUCCESS", &[1]))]), 0);
    let mut unread = job("SUCCESS", &[], before("SUCCESS", &[1]));
    unread.attempts[0].bug_count = Some(1);
    assert_eq!(fixed(&[unread]), 0);
    let both = [job("SUCCESS", &[], before("SUCCESS", &[1])), job("ERROR", &[], before("SUCCESS", &[1]))];
    assert_eq!(fixed(&both), 0, "the other test may still show it");
}

#[test]
fn where_nobody_asked_there_is_no_delta() {
    assert_eq!(judged(&[job("FAILED", &[1], None)], &new_only()).delta, None);
}

#[test]
fn entries_that_lapse_within_a_week_are_named() {
    for (until, want) in [
        ("2026-06-01", Some("ends today")),
        ("2026-06-02", Some("ends tomorrow")),
        ("2026-06-08", Some("ends in 7 days, on 2026-06-08")),
        ("2026-06-09", None),
    ] {
        let what = Quarantined::Test("t1".to_owned());
        let entry = Quarantine { what, until: until.parse().unwrap(), reason: "GAME-1".to_owned() };
        let verdict =
            judged(&[job("FAILED", &[], None)], &Gate { quarantine: vec![entry], ..Gate::default() });
        assert_eq!(verdict.warnings.len(), usize::from(want.is_some()), "{until}");
        assert!(want.is_none_or(|want| verdict.warnings[0].contains(want)), "{:?}", verdict.warnings);
    }
}

/// A test of a random history: what it shows now, and what it showed before.
fn any_test() -> impl Strategy<Value = (bool, Vec<u8>, bool, Vec<u8>)> {
    let shown = || prop::collection::vec(0..6_u8, 0..5);
    (any::<bool>(), shown(), any::<bool>(), shown())
}

fn any_baseline() -> impl Strategy<Value = Option<Baseline>> {
    let found = (any::<bool>(), prop::collection::vec(0..6_u8, 0..5))
        .prop_map(|(passed, shown)| Some(before(word(passed), &shown)));
    prop::strategy::Union::new([
        found.boxed(),
        Just(Some(absent())).boxed(),
        Just(Some(unreadable())).boxed(),
        Just(None).boxed(),
    ])
}

fn word(passed: bool) -> &'static str {
    if passed { "SUCCESS" } else { "FAILED" }
}

fn ids(bugs: &[KnownBug]) -> BTreeSet<String> {
    bugs.iter().map(|bug| bug.bug_id.clone()).collect()
}

fn new_ones(verdict: &Verdict) -> BTreeSet<String> {
    let new = verdict.bugs.iter().filter(|bug| bug.change == BugChange::New);
    new.map(|bug| bug.bug.bug_id.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_add_up(tests in prop::collection::vec((any::<bool>(), prop::collection::vec(0..6_u8, 0..5), any_baseline()), 0..6)) {
        let jobs: Vec<Job> = tests.into_iter().map(|(passed, shown, baseline)| job(word(passed), &shown, baseline)).collect();
        let verdict = judged(&jobs, &new_only());
        let Some(delta) = &verdict.delta else { return Ok(()) };
        prop_assert_eq!(delta.bugs_new + delta.bugs_known + delta.bugs_unclear, verdict.bugs_total());
        let now: BTreeSet<String> = verdict.bugs.iter().map(|bug| bug.bug.bug_id.clone()).collect();
        prop_assert!(ids(&delta.bugs_fixed).is_disjoint(&now));
        let failing = verdict.judgements.iter().filter(|judged| judged.change.is_some_and(|change| change != TestChange::Fixed)).count();
        let failed = jobs.iter().filter(|job| job.baseline.is_some() && job.attempts[0].result == Some(TestResult::Failed)).count();
        prop_assert_eq!(failing, failed);
    }

    #[test]
    fn base_and_head_swapped_swap_new_and_fixed(tests in prop::collection::vec(any_test(), 0..6)) {
        let forth: Vec<Job> = tests.iter().map(|(passed, now, was, then)| job(word(*passed), now, before(word(*was), then))).collect();
        let back: Vec<Job> = tests.iter().map(|(passed, now, was, then)| job(word(*was), then, before(word(*passed), now))).collect();
        let (forth, back) = (judged(&forth, &Gate::default()), judged(&back, &Gate::default()));
        let (Some(there), Some(here)) = (&forth.delta, &back.delta) else { return Ok(()) };
        prop_assert_eq!(new_ones(&forth), ids(&here.bugs_fixed));
        prop_assert_eq!(new_ones(&back), ids(&there.bugs_fixed));
        prop_assert_eq!((there.bugs_known, there.tests_still_failing), (here.bugs_known, here.tests_still_failing));
        prop_assert_eq!((there.tests_newly_failing, there.tests_fixed), (here.tests_fixed, here.tests_newly_failing));
    }

    #[test]
    fn the_order_of_tests_and_what_was_carried_over_change_nothing(
        tests in prop::collection::vec((any::<bool>(), prop::collection::vec(0..6_u8, 0..5), any_baseline()), 0..6),
        carried in any::<u8>(), turn in 0..6_usize,
    ) {
        let jobs: Vec<Job> = tests.into_iter().map(|(passed, shown, baseline)| job(word(passed), &shown, baseline)).collect();
        let mut other = jobs.clone();
        for (index, job) in other.iter_mut().enumerate() {
            job.carried_over = (carried >> index & 1 == 1).then_some(CarriedOver { attempt: 1 });
        }
        let turn = turn % other.len().max(1);
        other.rotate_left(turn);
        let (one, other) = (judged(&jobs, &new_only()), judged(&other, &new_only()));
        prop_assert_eq!(one.reason, other.reason);
        prop_assert_eq!(one.counts(), other.counts());
        prop_assert_eq!(one.delta, other.delta);
    }
}
