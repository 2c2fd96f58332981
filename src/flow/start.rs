//! Starting every run exactly once in effect: what is asked of the start protocol.

use std::collections::BTreeMap;

use nunu_protocol::{Event, Expected, Powers, StartSpec};

use crate::api::{Named, given_builds, start_body};
use crate::model::given::GivenBuilds;
use crate::model::{Failure, Platform, RunSpec, Target};

use super::context::Context;
use super::deadline::Deadline;
use super::earlier_attempt;
use super::plan_parts;
use super::plan_size::PlanSize;
use super::recall;
use super::run_state::RunState;
use super::start_driver::{happened, work_until};
use super::starts::{Planned, Request, Starts};
use super::stopwatch::Stopwatch;
use super::tags::start_digest;

/// What is known of the build when runs start.
#[derive(Debug, Clone, Copy)]
pub(super) struct BuildRef<'a> {
    /// Its id, sent with the start.
    pub(super) id: Option<&'a str>,
    /// Its platform, when known.
    pub(super) platform: Option<Platform>,
    /// What it is: its digest, or its id where only that is known. Two starts of the same content are the same start.
    pub(super) digest: &'a str,
}

/// Starts every entry of the plan in order. What started is in the run state, whatever is returned.
pub(super) async fn start_all(
    ctx: &Context,
    state: &mut RunState,
    build: BuildRef<'_>,
) -> Result<(), Failure> {
    let end = Deadline::of(ctx);
    state.clock = Some(Stopwatch::start());
    let starts = tokio::select! {
        () = end.comes() => None,
        starts = prepared(ctx, state, build) => Some(starts),
    };
    let Some(starts) = starts else { return end.verdict(&without_jobs(ctx, state)) };
    state.starts = Some(starts);
    happened(ctx, state, Event::Begin);
    let settled = work_until(ctx, state, end.comes(), |protocol| !protocol.is_starting()).await;
    if let Some(failure) = state.start_failure.take() {
        return Err(failure);
    }
    if !settled {
        return end.verdict(&without_jobs(ctx, state));
    }
    match state.first_refusal.take() {
        Some(failure) if state.jobs.is_empty() => Err(failure),
        _ => Ok(()),
    }
}

/// The entries of the plan of which no job is known.
fn without_jobs<'a>(ctx: &'a Context, state: &RunState) -> Vec<&'a str> {
    let labels = ctx.plan.runs.iter().map(|spec| spec.label.as_str());
    labels.filter(|label| !state.jobs.iter().any(|job| job.report.run == *label)).collect()
}

/// The starts of the plan, before anything was done about them.
async fn prepared(ctx: &Context, state: &mut RunState, build: BuildRef<'_>) -> Starts {
    let runs = plan_parts::only_named(ctx, state).await;
    let configs = known_configs(ctx, build).await;
    let request = |spec: &RunSpec| {
        let takes = |id: &str| configs.iter().find(|config| config.id == id)?.takes(build.platform);
        let given = given_builds(spec, build.id, takes);
        let digest = digest_of(ctx, spec, build.digest);
        Request { spec: spec.clone(), given, digest }
    };
    let requests: Vec<Request> = runs.iter().map(request).collect();
    for request in &requests {
        say_what_is_not_given(ctx, &request.spec, build, &request.given);
    }
    let (again, recalled) = recall::again(ctx, !build.digest.is_empty(), requests, request).await;
    for warning in &again.warnings {
        ctx.log.warn(warning);
    }
    state.warnings.extend(again.warnings.iter().cloned());
    let powers = Powers {
        look: ctx.may_read,
        earlier: earlier_attempt::power(ctx),
        post: true,
        unclosed_only: false,
        carry: recalled.passed.is_some(),
    };
    let mut starts = planned(ctx, powers, again.starts);
    starts.recalled = recalled;
    starts.same_build = !build.digest.is_empty();
    starts
}

fn planned(ctx: &Context, powers: Powers, requests: Vec<(Request, Option<Expected>)>) -> Starts {
    let mut specs = Vec::new();
    let mut plans = Vec::new();
    for (request, expected) in requests {
        let spec = &request.spec;
        specs.push(StartSpec {
            expected: expected.unwrap_or_else(|| request.expected()),
            records: Vec::new(),
        });
        let size = match &spec.target {
            Target::Plan(id) => Some(PlanSize { plan: id.clone(), by_items: !spec.all_configured_devices }),
            Target::Test(_) | Target::Instructions(_) => None,
        };
        plans.push(Planned { label: spec.label.clone(), size, request: Some(request) });
    }
    Starts::new(ctx, powers, specs, plans, BTreeMap::new())
}

/// The deployment configurations, where some player or slot may be given the build and nobody knows yet whether it takes it.
/// None where they cannot be listed.
async fn known_configs(ctx: &Context, build: BuildRef<'_>) -> Vec<Named> {
    let open = |spec: &RunSpec| {
        let parts = spec.players.values().chain(spec.slots.values());
        let mut parts = parts.filter(|part| part.build.is_none());
        parts.any(|part| {
            spec.deployment_config.as_ref().is_some_and(|default| *default != part.deployment_config)
        })
    };
    if build.id.is_none() || !ctx.plan.runs.iter().any(open) {
        return Vec::new();
    }
    ctx.api.once().deployment_configs().await.unwrap_or_else(|error| {
        ctx.log.warn(format!("cannot tell which deployment configurations take the build: {error}"));
        Vec::new()
    })
}

/// Names the players and slots that do not get the build, because their configuration may pick another one.
fn say_what_is_not_given(ctx: &Context, spec: &RunSpec, build: BuildRef<'_>, given: &GivenBuilds) {
    let Some(build) = build.id else { return };
    for (part, map, given) in [("player", &spec.players, &given.players), ("slot", &spec.slots, &given.slots)]
    {
        for number in given.iter().filter(|(_, handed)| handed.build.is_none()).map(|(number, _)| number) {
            let config = map.get(number).map_or("", |part| part.deployment_config.as_str());
            ctx.log.warn(format!(
                "{}: build {build} is not given to {part} {number}: its deployment configuration {config} is not known to take \
                 it, and uses what it picks itself; name a build there (build: ID) to be sure",
                spec.label
            ));
        }
    }
}

/// The digest that makes two starts the same one.
fn digest_of(ctx: &Context, spec: &RunSpec, build_digest: &str) -> String {
    let body = start_body(spec, &given_builds(spec, None, |_| None), &spec.tags).to_string();
    let mut place: Vec<&str> = ctx.records.place.parts().to_vec();
    place.push(&ctx.plan.origin);
    place.push(ctx.plan.project_id.as_deref().unwrap_or_default());
    place.push(spec.target.value());
    start_digest(&body, build_digest, &spec.label, &place)
}
