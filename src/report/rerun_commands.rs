//! The commands that run tests again. Pure.

use std::collections::BTreeMap;

use crate::model::job::Job;
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
    again.into_iter().map(|(config, tests)| command(build, &tests.join(","), config)).collect()
}

/// The command that runs one test again with the same build, where test and deployment configuration are known.
pub(super) fn test_again(report: &RunReport, job: &Job) -> Option<String> {
    let test = job.test_id.as_deref().filter(|id| may_be_id(id))?;
    let config = job.deployment_config.as_deref().filter(|id| may_be_id(id))?;
    Some(command(&stored_build(report), test, config))
}

/// The flags that name the build of the report, where it is stored.
pub(super) fn stored_build(report: &RunReport) -> String {
    let build = report.build.as_ref().and_then(|build| build.id.as_deref()).filter(|id| may_be_id(id));
    build.map_or_else(String::new, |id| format!(" --build-id {id}"))
}

fn command(build: &str, tests: &str, config: &str) -> String {
    format!("nunu-ci run{build} --test-id {tests} --deployment-config-id {config}")
}
