//! Several reports judged as one. Each test stands before the gate of its own report; bugs and baselines are those of all.

use chrono::NaiveDate;

use super::{JudgedBug, Judgement, Verdict, delta_of, judge, overall, worst_first};
use crate::model::delta::{self, BugChange};
use crate::model::job::Job;
use crate::model::verdict::Gate;

/// The word of each report's gate on its tests; judgements are in the order of all tests, report by report.
pub(crate) fn judge_union(reports: &[(&[Job], &Gate)], today: NaiveDate) -> Verdict {
    let all: Vec<Job> = reports.iter().flat_map(|(jobs, _)| jobs.iter().cloned()).collect();
    let gate_of: Vec<&Gate> = reports.iter().flat_map(|(jobs, gate)| jobs.iter().map(|_| *gate)).collect();
    let mut gates: Vec<&Gate> = Vec::new();
    for (_, gate) in reports {
        if !gates.contains(gate) {
            gates.push(gate);
        }
    }
    if let [gate] = gates.as_slice() {
        return judge(&all, gate, today);
    }
    let mut judgements: Vec<Option<Judgement>> = vec![None; all.len()];
    let (mut bugs, mut warnings): (Vec<JudgedBug>, Vec<String>) = (Vec::new(), Vec::new());
    for gate in gates {
        let places: Vec<usize> = (0..all.len()).filter(|&place| gate_of[place] == gate).collect();
        let jobs: Vec<Job> = places.iter().map(|&place| all[place].clone()).collect();
        let verdict = judge(&jobs, gate, today);
        for (&place, judgement) in places.iter().zip(verdict.judgements) {
            judgements[place] = Some(judgement);
        }
        for mut bug in verdict.bugs {
            bug.jobs.iter_mut().for_each(|job| *job = places[*job]);
            add(&mut bugs, bug);
        }
        warnings.extend(verdict.warnings);
    }
    worst_first(&mut bugs);
    let judgements: Vec<Judgement> = judgements.into_iter().flatten().collect();
    let reason = overall(&judgements, &all, bugs.iter().any(|bug| bug.counts));
    let delta = delta::was_asked(&all).then(|| delta_of(&all, &judgements, &bugs));
    Verdict { reason, judgements, bugs, delta, warnings }
}

/// Adds what one gate says of a bug: it counts where any says so, and is known where any baseline shows it.
fn add(bugs: &mut Vec<JudgedBug>, other: JudgedBug) {
    let Some(bug) = bugs.iter_mut().find(|bug| bug.bug.bug_id == other.bug.bug_id) else {
        bugs.push(other);
        return;
    };
    let rank = |bug: &JudgedBug| (bug.bug.severity_rank(), bug.bug.confidence_rank());
    if rank(&other) > rank(bug) {
        bug.bug = other.bug;
    }
    bug.jobs.extend(other.jobs);
    bug.jobs.sort_unstable();
    bug.counts |= other.counts;
    bug.quarantined = bug.quarantined.take().filter(|_| !bug.counts).and(other.quarantined);
    bug.change = match (bug.change, other.change) {
        (BugChange::Known, _) | (_, BugChange::Known) => BugChange::Known,
        (BugChange::Unclear, _) | (_, BugChange::Unclear) => BugChange::Unclear,
        (BugChange::New, BugChange::New) => BugChange::New,
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{
        Just, ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };

    use super::judge_union;
    use crate::model::job::{Attempt, Bug, Confidence, Job, JobStatus, Severity};
    use crate::model::judge::judge;
    use crate::model::verdict::{BugGate, FailOn, Gate};
    use crate::model::{ExitReason, TestResult};

    fn job(result: &str, bug: Option<&str>) -> Job {
        let bugs =
            bug.map(|id| Bug { bug_id: id.to_owned(), severity: Some("high".to_owned()), ..Bug::default() });
        let run = Attempt {
            result: Some(TestResult::parse(result)),
            bugs: bugs.into_iter().collect(),
            ..Attempt::default()
        };
        Job { required: true, status: Some(JobStatus::Completed), attempts: vec![run], ..Job::default() }
    }

    fn strict() -> Gate {
        let bugs = vec![BugGate { severity: Severity::High, confidence: Confidence::Low }];
        Gate { fail_on: FailOn { bugs, ..FailOn::default() }, ..Gate::default() }
    }

    fn lenient() -> Gate {
        Gate { fail_on: FailOn { failed: false, ..FailOn::default() }, ..Gate::default() }
    }

    fn today() -> chrono::NaiveDate {
        "2026-06-01".parse().unwrap()
    }

    #[test]
    fn each_test_stands_before_the_gate_of_its_own_report() {
        let (strict, lenient) = (strict(), lenient());
        let passed = [job("SUCCESS", Some("b1"))];
        let failed = [job("FAILED", Some("b1"))];
        let verdict = judge_union(&[(&failed, &lenient), (&passed, &lenient)], today());
        assert_eq!(verdict.reason, ExitReason::Passed);
        let verdict = judge_union(&[(&failed, &lenient), (&passed, &strict)], today());
        assert_eq!(verdict.reason, ExitReason::BugsFound);
        assert_eq!(
            (verdict.bugs.len(), verdict.bugs[0].jobs.as_slice()),
            (1, &[0, 1][..]),
            "one bug, two tests"
        );
        let verdict = judge_union(&[(&failed, &strict), (&passed, &lenient)], today());
        assert_eq!(verdict.reason, ExitReason::TestsFailed);
        assert_eq!(judge_union(&[], today()).reason, ExitReason::NothingTested);
    }

    fn any_jobs() -> impl Strategy<Value = Vec<Job>> {
        let word =
            prop_oneof![Just("SUCCESS"), Just("FAILED"), Just("ERROR"), Just("STOPPED"), Just("SKIPPED")];
        let bug = prop::option::of(prop_oneof![Just("b1"), Just("b2")]);
        prop::collection::vec((word, bug).prop_map(|(word, bug)| job(word, bug)), 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_union_is_green_only_where_each_part_is_or_tested_nothing(one in any_jobs(), two in any_jobs()) {
            let (strict, lenient) = (strict(), lenient());
            let parts = [judge(&one, &strict, today()), judge(&two, &lenient, today())];
            let union = judge_union(&[(&one, &strict), (&two, &lenient)], today());
            let good = |reason| matches!(reason, ExitReason::Passed | ExitReason::NothingTested);
            prop_assert_eq!(good(union.reason), parts.iter().all(|part| good(part.reason)));
            let judged: Vec<_> = parts.iter().flat_map(|part| part.judgements.iter().cloned()).collect();
            prop_assert_eq!(&union.judgements, &judged);
            prop_assert!(union.bugs.iter().all(|bug| bug.jobs.iter().all(|&job| job < one.len() + two.len())));
        }
    }
}
