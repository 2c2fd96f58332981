//! Tests that fail for the same reason. Pure.

use std::collections::HashMap;

use super::markdown_tests::Judged;

/// Where a test fails: the goal of its first step that did not succeed, else the gate's word on it.
pub(super) fn failing_at((job, judgement): Judged<'_>) -> Option<&str> {
    let step = job.bad_steps().first().map(|(_, step)| step.goal.as_str());
    step.or_else(|| judgement.map(|judged| judged.because.as_str())).filter(|at| !at.trim().is_empty())
}

/// The tests in groups that fail at the same place, in the order of their first.
pub(super) fn grouped<'a, T>(
    tests: impl IntoIterator<Item = T>,
    judged: impl Fn(&T) -> Judged<'a>,
) -> Vec<(Option<&'a str>, Vec<T>)> {
    let mut groups: Vec<(Option<&str>, Vec<T>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for test in tests {
        let at = failing_at(judged(&test));
        if let Some(&index) = at.and_then(|at| known.get(at)) {
            groups[index].1.push(test);
            continue;
        }
        if let Some(at) = at {
            known.insert(at, groups.len());
        }
        groups.push((at, vec![test]));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::tests::reports::{job, player, step};
    use super::grouped;

    #[test]
    fn tests_that_fail_at_the_same_step_are_one_group() {
        let failing = |name: &str, goal: &str| {
            job(
                name,
                "FAILED",
                vec![player(1, vec![step(1, "open", "SUCCESS", ""), step(2, goal, "FAILED", "")])],
            )
        };
        let jobs =
            [failing("A", "buy"), failing("B", "equip"), failing("C", "buy"), job("D", "FAILED", vec![])];
        let groups = grouped(&jobs, |job| (job, None));
        let names: Vec<(Option<&str>, Vec<&str>)> =
            groups.iter().map(|(at, jobs)| (*at, jobs.iter().map(|job| job.title()).collect())).collect();
        assert_eq!(names, [(Some("buy"), vec!["A", "C"]), (Some("equip"), vec!["B"]), (None, vec!["D"])]);
    }
}
