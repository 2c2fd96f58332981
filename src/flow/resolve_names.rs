//! Names become ids, by the service's own lists. Ids need no list and no permission for it.

use crate::api::{ApiError, Named, Phase};
use crate::config::{Plan, is_id, resolve_name};
use crate::model::verdict::{Gate, Quarantined};
use crate::model::{ExitReason, Failure, RunSpec, Target};

use super::context::Context;

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Test,
    Plan,
    DeploymentConfig,
    AgentConfig,
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Plan => "test plan",
            Self::DeploymentConfig => "deployment configuration",
            Self::AgentConfig => "agent configuration",
        }
    }
}

/// What the plan names, with ids in place of names.
pub(super) struct Resolved {
    runs: Vec<RunSpec>,
    gate: Gate,
    /// Each name, and the id that it became.
    names: Vec<(String, String)>,
}

impl Resolved {
    /// Puts the ids into the plan. Gives the names and what they became.
    pub(super) fn into_plan(self, plan: &mut Plan) -> Vec<(String, String)> {
        plan.runs = self.runs;
        plan.gate = self.gate;
        self.names
    }
}

/// Finds the id of every name in the plan.
pub(super) async fn resolve(ctx: &Context) -> Result<Resolved, Failure> {
    let mut runs = ctx.plan.runs.clone();
    let mut gate = ctx.plan.gate.clone();
    let mut wanted: Vec<(Kind, &mut String)> = Vec::new();
    for spec in &mut runs {
        collect(spec, &mut wanted);
    }
    for entry in &mut gate.quarantine {
        if let Quarantined::Test(test) = &mut entry.what {
            wanted.push((Kind::Test, test));
        }
    }
    wanted.retain(|(_, name)| !is_id(name));
    let names = look_up(ctx, wanted).await?;
    Ok(Resolved { runs, gate, names })
}

fn collect<'a>(spec: &'a mut RunSpec, wanted: &mut Vec<(Kind, &'a mut String)>) {
    match &mut spec.target {
        Target::Test(name) => wanted.push((Kind::Test, name)),
        Target::Plan(name) => wanted.push((Kind::Plan, name)),
        Target::Instructions(_) => {}
    }
    wanted.extend(spec.deployment_config.iter_mut().map(|name| (Kind::DeploymentConfig, name)));
    wanted.extend(spec.agent_config.iter_mut().map(|name| (Kind::AgentConfig, name)));
    for deployment in spec.players.values_mut().chain(spec.slots.values_mut()) {
        wanted.push((Kind::DeploymentConfig, &mut deployment.deployment_config));
    }
}

async fn look_up(
    ctx: &Context,
    mut wanted: Vec<(Kind, &mut String)>,
) -> Result<Vec<(String, String)>, Failure> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for kind in [Kind::Test, Kind::Plan, Kind::DeploymentConfig, Kind::AgentConfig] {
        if !wanted.iter().any(|(wanted, _)| *wanted == kind) {
            continue;
        }
        let candidates: Vec<(String, String)> = list(ctx, kind)
            .await
            .map_err(|error| {
                error
                    .failure(Phase::Check)
                    .hint(format!("ids instead of names need no list of every {}", kind.noun()))
            })?
            .into_iter()
            .map(|named| (named.id, named.name))
            .collect();
        for (_, name) in wanted.iter_mut().filter(|(wanted, _)| *wanted == kind) {
            match resolve_name(kind.noun(), name, &candidates) {
                Ok(id) => {
                    let name = std::mem::replace(*name, id.clone());
                    if !found.contains(&(name.clone(), id.clone())) {
                        ctx.log.info(format!("{} {name} is {id}", kind.noun()));
                        found.push((name, id));
                    }
                }
                // A configuration may have an id that is not a UUID, such as `ac_default`.
                Err(_) if candidates.iter().any(|(id, _)| id == &**name) => {}
                Err(problem) => problems.push(problem),
            }
        }
    }
    if problems.is_empty() {
        return Ok(found);
    }
    problems.sort();
    problems.dedup();
    Err(Failure::new(ExitReason::InvalidConfig, problems.join("\n"))
        .hint("correct the name in the run config, or put the id from the dashboard in its place"))
}

async fn list(ctx: &Context, kind: Kind) -> Result<Vec<Named>, ApiError> {
    match kind {
        Kind::Test => ctx.api.tests().await,
        Kind::Plan => ctx.api.test_plans().await,
        Kind::DeploymentConfig => ctx.api.deployment_configs().await,
        Kind::AgentConfig => ctx.api.agent_configs().await,
    }
}
