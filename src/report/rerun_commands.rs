//! The commands that run again what counts against the gate. Pure.

use std::collections::BTreeMap;

use crate::model::verdict::GateStatus;
use crate::model::{RunReport, may_be_id};

use super::markdown_tests::judged;

/// Tests of one command.
const MOST_TESTS: usize = 10;

/// The commands that run again what counts against the gate, one for each deployment configuration; `build` has the flags that name the
/// build.
pub(super) fn failed_again(report: &RunReport, build: &str) -> Vec<String> {
    let mut again: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (job, judgement) in judged(report) {
        let counts = judgement.is_some_and(|judgement| judgement.standing == GateStatus::Failed);
        let (test, config) = (job.test_id.as_deref(), job.deployment_config.as_deref());
        if let (true, Some(test), Some(config)) =
            (counts, test.filter(|id| may_be_id(id)), config.filter(|id| may_be_id(id)))
        {
            let tests = again.entry(config).or_default();
            if !tests.contains(&test) && tests.len() < MOST_TESTS {
                tests.push(test);
            }
        }
    }
    let command = |(config, tests): (&str, Vec<&str>)| {
        format!("nunu-ci run{build} --test-id {} --deployment-config-id {config}", tests.join(","))
    };
    again.into_iter().map(command).collect()
}
