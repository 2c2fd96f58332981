//! What to start.

use crate::model::build::BuildSource;
use crate::model::{BuildSpec, RunSpec, Target, may_be_id};

use super::layers::Source;
use super::plan::Command;
use super::resolve::Resolver;
use super::runs::FileRun;

/// The runs to start: those named by a flag, an input or a variable, else those of the run config.
pub(super) fn runs(resolver: &mut Resolver<'_>, command: Command, build: &BuildSpec) -> Vec<RunSpec> {
    let tests = resolver.items("test-id");
    let plans = resolver.items("test-plan-id");
    let deployment = resolver.text("deployment-config-id");
    if !matches!(command, Command::Run | Command::Start | Command::Check) {
        return Vec::new();
    }
    let quick = |items: Vec<String>, target: fn(String) -> Target| -> Vec<RunSpec> {
        items.into_iter().map(|id| RunSpec::of(target(id))).collect()
    };
    let mut runs: Vec<RunSpec> = match (tests, plans) {
        (Some((_, by)), Some((_, with))) if by.layer() == with.layer() => {
            resolver.problems.push(format!("test-plan-id (from {with}): excludes test-id (from {by}): keep one, or list both in a run config"));
            return Vec::new();
        }
        (Some((items, by)), Some((_, with))) if by.layer() < with.layer() => quick(items, Target::Test),
        (Some((items, _)), None) => quick(items, Target::Test),
        (_, Some((items, _))) => quick(items, Target::Plan),
        (None, None) => return from_file(resolver, command, build, deployment.as_deref()),
    };
    for run in &mut runs {
        run.deployment_config.clone_from(&deployment);
    }
    if let (Some(run), None) = (runs.first(), &deployment) {
        let what = format!(
            "deployment-config-id (not set): {} needs to know where to run; set it to the id or name of a deployment configuration",
            run.label
        );
        resolver.problems.push(what);
    }
    unique(&mut runs);
    runs
}

/// The runs of the run config, completed with the setting `deployment-config-id`.
fn from_file(
    resolver: &mut Resolver<'_>,
    command: Command,
    build: &BuildSpec,
    deployment: Option<&str>,
) -> Vec<RunSpec> {
    let mut runs = std::mem::take(&mut resolver.file.runs);
    let may_have_none = command == Command::Check && build.source != BuildSource::None;
    let broken = resolver.config_is_broken();
    if runs.is_empty() && !broken && !may_have_none {
        resolver.problems.push("test-id (not set): there is nothing to start; set test-id or test-plan-id, or list runs in a run config (.nunu/run.yml)".to_owned());
    }
    for FileRun { path, spec } in &mut runs {
        if spec.deployment_config.is_none() {
            spec.deployment_config = deployment.map(str::to_owned);
        }
        // A misspelt key explains a missing one already.
        if spec.deployment_config.is_some() || broken {
            continue;
        }
        // Only deployments for every player or slot make the default one dispensable (API reference, `POST runs`).
        let needs = [
            (spec.players.is_empty() && spec.slots.is_empty(), ""),
            (spec.all_configured_devices, "all_configured_devices: "),
            (!spec.extra_builds.is_empty(), "extra_builds: "),
        ];
        if let Some((_, why)) = needs.into_iter().find(|(needed, _)| *needed) {
            let what = format!("{why}needs a deployment_config here, or the setting deployment-config-id");
            resolver.complain_in_file(path, &what);
        }
    }
    runs.into_iter().map(|run| run.spec).collect()
}

/// Makes labels unique: the same test may be started twice.
fn unique(runs: &mut [RunSpec]) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, run) in runs.iter_mut().enumerate() {
        if !seen.insert(run.label.clone()) {
            run.label = format!("{} ({})", run.label, index + 1);
        }
    }
}

/// Job ids are copied from an output; whatever else is no id.
pub(super) fn check_ids(resolver: &mut Resolver<'_>, name: &str, source: &Source, ids: &[String]) {
    for id in ids.iter().filter(|id| !may_be_id(id)) {
        let shown: String = id.chars().take(60).collect();
        resolver.complain(
            name,
            source,
            &format!("\"{shown}\" is not a job id: use the output job-ids of the start"),
        );
    }
}
