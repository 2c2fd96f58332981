//! Which runs of a job are attempts of one test, and which are tests of their own. Pure.
//!
//! The service tries again only after ERROR, TIMEOUT or STOPPED. Every other result is the final one of an instance, so that
//! a FAILED beside a SUCCESS is another instance, never cured by it.

use super::job::{Attempt, Job};
use super::result::TestResult;

/// True when the service may try again after this run.
fn may_be_repeated(run: &Attempt) -> bool {
    matches!(run.result, Some(TestResult::Error | TestResult::Timeout | TestResult::Stopped))
}

/// True when both times are known, and `next` began before `run` had ended: instances run side by side, attempts never do.
fn overlap(run: &Attempt, next: &Attempt) -> bool {
    matches!((run.completed_at, next.started_at), (Some(ended), Some(began)) if began < ended)
}

/// Positions of the runs of each test, in the order of time; a test without a run has none. `instances` is how many tests the job
/// was asked for, when that is known: there are at least so many.
pub(super) fn chains(runs: &[Attempt], instances: Option<usize>) -> Vec<Vec<usize>> {
    let finals = runs.iter().filter(|run| run.result.is_some() && !may_be_repeated(run)).count();
    let wanted = instances.unwrap_or(finals).max(1);
    // So many runs more than tests: attempts that repeat another one.
    let mut repeats = runs.len().saturating_sub(wanted);
    let mut order: Vec<usize> = (0..runs.len()).collect();
    // What has not begun yet comes after what has.
    order.sort_by_key(|&at| runs[at].started_at.is_none() && runs[at].result.is_none());
    let mut chains: Vec<Vec<usize>> = Vec::new();
    for at in order {
        let before =
            |chain: &Vec<usize>| chain.last().map(|&last| &runs[last]).filter(|run| may_be_repeated(run));
        let in_turn = chains
            .iter()
            .enumerate()
            .filter(|(_, chain)| before(chain).is_some_and(|run| !overlap(run, &runs[at])))
            .max_by_key(|(_, chain)| before(chain).and_then(|run| run.completed_at))
            .map(|(place, _)| place)
            .filter(|_| repeats > 0);
        // Clocks may disagree: where the number of tests is known, it counts for more than the times.
        let at_all = || {
            let full = instances.is_some() && chains.len() >= wanted;
            chains.iter().position(|chain| before(chain).is_some()).filter(|_| full)
        };
        match in_turn.or_else(at_all) {
            Some(place) => {
                chains[place].push(at);
                repeats = repeats.saturating_sub(1);
            }
            None => chains.push(vec![at]),
        }
    }
    chains.resize(chains.len().max(wanted), Vec::new());
    chains
}

impl Job {
    /// The tests that this job is: one, or one for each instance. Each has its own attempts, the deciding one last.
    pub(crate) fn tests(&self) -> Vec<Self> {
        let chains = chains(&self.attempts, self.instances);
        let of = chains.len();
        let bare = Self { attempts: Vec::new(), ..self.clone() };
        chains
            .into_iter()
            .enumerate()
            .map(|(index, chain)| Self {
                instance: (of > 1).then_some((index + 1, of)),
                attempts: chain.into_iter().map(|at| self.attempts[at].clone()).collect(),
                ..bare.clone()
            })
            .collect()
    }

    /// The runs that decide, one for each test that has one.
    pub(crate) fn deciding_runs(&self) -> Vec<&Attempt> {
        let last = |chain: Vec<usize>| chain.last().map(|&at| &self.attempts[at]);
        chains(&self.attempts, self.instances).into_iter().filter_map(last).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{
        Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };

    use super::{Attempt, Job, TestResult, chains, may_be_repeated};
    use crate::model::units::parse_time;

    /// A run such as `ERROR@0-5`: result, begin and end in seconds; without times where they are left out.
    fn run(text: &str) -> Attempt {
        let (result, times) = text.split_once('@').unwrap_or((text, ""));
        let time = |seconds: &str| parse_time(&format!("2026-03-03T15:50:{seconds:0>2}Z"));
        let (began, ended) = times.split_once('-').unwrap_or(("", ""));
        Attempt {
            run_id: text.to_owned(),
            result: (!result.is_empty()).then(|| TestResult::parse(result)),
            started_at: time(began).filter(|_| !began.is_empty()),
            completed_at: time(ended).filter(|_| !ended.is_empty()),
            ..Attempt::default()
        }
    }

    fn split(runs: &str, instances: Option<usize>) -> String {
        let runs: Vec<Attempt> =
            runs.split_whitespace().map(|text| run(text.trim_start_matches('?'))).collect();
        let chain = |chain: Vec<usize>| {
            let words = chain.iter().map(|&at| runs[at].result.as_ref().map_or("?", TestResult::as_str));
            words.collect::<Vec<_>>().join(" ")
        };
        chains(&runs, instances).into_iter().map(chain).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn runs_are_attempts_only_after_what_the_service_repeats() {
        for (runs, instances, want) in [
            ("SUCCESS", Some(1), "SUCCESS"),
            ("", Some(1), ""),
            ("", None, ""),
            ("", Some(3), ", , "),
            ("ERROR SUCCESS", Some(1), "ERROR SUCCESS"),
            ("ERROR TIMEOUT STOPPED FAILED", Some(1), "ERROR TIMEOUT STOPPED FAILED"),
            ("ERROR TIMEOUT STOPPED FAILED", None, "ERROR TIMEOUT STOPPED FAILED"),
            ("FAILED SUCCESS", Some(1), "FAILED, SUCCESS"),
            ("FAILED SUCCESS", None, "FAILED, SUCCESS"),
            ("SKIPPED SUCCESS", Some(1), "SKIPPED, SUCCESS"),
            ("BLOCKED SUCCESS", Some(1), "BLOCKED, SUCCESS"),
            ("ODD SUCCESS", Some(1), "ODD, SUCCESS"),
            ("SUCCESS ERROR", Some(1), "SUCCESS, ERROR"),
            ("FAILED FAILED SUCCESS", Some(3), "FAILED, FAILED, SUCCESS"),
            ("SUCCESS", Some(3), "SUCCESS, , "),
            ("ERROR SUCCESS", Some(2), "ERROR, SUCCESS"),
            ("ERROR@0-1 ERROR@0-1 SUCCESS@2-3 SUCCESS@2-3", Some(2), "ERROR SUCCESS, ERROR SUCCESS"),
            ("ERROR@0-9 SUCCESS@1-3", None, "ERROR, SUCCESS"),
            ("ERROR@0-9 SUCCESS@1-3", Some(1), "ERROR SUCCESS"),
            ("ERROR@0-1 ?@2-", Some(1), "ERROR ?"),
            ("?@2- ERROR@0-1", Some(1), "?, ERROR"),
        ] {
            assert_eq!(split(runs, instances), want, "{runs} of {instances:?}");
        }
    }

    fn any_run() -> impl Strategy<Value = Attempt> {
        let word = prop_oneof![
            Just("SUCCESS"),
            Just("FAILED"),
            Just("SKIPPED"),
            Just("BLOCKED"),
            Just("ERROR"),
            Just("TIMEOUT"),
            Just("STOPPED"),
            Just("ODD"),
            Just(""),
        ];
        (word, any::<bool>(), 0..30_u8, 0..30_u8).prop_map(|(word, timed, began, took)| {
            run(&if timed { format!("{word}@{began}-{}", began + took) } else { word.to_owned() })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_final_is_a_test_of_its_own(
            mut runs in prop::collection::vec(any_run(), 0..12), instances in prop::option::of(1..5_usize),
        ) {
            runs.sort_by_key(|run| (run.started_at, run.completed_at));
            let job = Job { attempts: runs.clone(), instances, ..Job::default() };
            let tests = job.tests();
            prop_assert_eq!(tests.iter().map(|test| test.attempts.len()).sum::<usize>(), runs.len());
            let finals = runs.iter().filter(|run| run.result.is_some() && !may_be_repeated(run)).count();
            prop_assert!(tests.len() >= finals.max(instances.unwrap_or(1)).max(1));
            for test in &tests {
                let earlier = test.attempts.len().saturating_sub(1);
                prop_assert!(test.attempts[..earlier].iter().all(may_be_repeated));
            }
            let passed = tests.iter().filter(|test| {
                test.deciding().is_some_and(|run| run.result == Some(TestResult::Success))
            });
            let succeeded = runs.iter().filter(|run| run.result == Some(TestResult::Success));
            prop_assert_eq!(passed.count(), succeeded.count());
        }
    }
}
