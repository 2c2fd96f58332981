//! The command that runs a test again. Pure.

use crate::model::RunReport;
use crate::model::job::Job;

/// The command, where test and deployment configuration are known.
pub(super) fn again(report: &RunReport, job: &Job) -> Option<String> {
    let plain = |id: &&str| crate::model::may_be_id(id);
    let test = job.test_id.as_deref().filter(plain)?;
    let config = job.deployment_config.as_deref().filter(plain)?;
    let build = report.build.as_ref().and_then(|build| build.id.as_deref()).filter(plain);
    let build = build.map_or_else(String::new, |id| format!(" --build-id {id}"));
    Some(format!("nunu-ci run{build} --test-id {test} --deployment-config-id {config}"))
}
