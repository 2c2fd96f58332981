//! Everything that only reads: jobs, runs, bugs, tests, plans, configurations.

use serde_json::{Value, json};

use super::request::ApiRequest;
use crate::call::Call;
use crate::generation::{Generation, Quirk};
use crate::jobs::{Job, Phase, RunView};
use crate::reply::Reply;
use crate::state::State;
use crate::wire::Wire;

/// Answers a `GET`.
pub(super) fn answer(request: &ApiRequest) -> Reply {
    let wire = Wire::new(&request.inner);
    request.inner.with(|state| match request.routed.call {
        Call::ListJobs => list_jobs(request, state, wire),
        Call::GetJob => get_job(request, state, wire),
        Call::ListRuns => list_runs(request, state, wire),
        Call::GetRun | Call::RunBugs | Call::RunLive => get_run(request, state, wire),
        Call::ListExecutions => {
            let fits = |wanted: Option<&str>, have: &Value| wanted.is_none_or(|w| have.as_str() == Some(w));
            let routed = &request.routed;
            let items = state.executions.iter().rev().map(|e| wire.execution(e, state)).filter(|e| {
                fits(routed.param("test_plan_id"), &e["test_plan_id"])
                    && fits(routed.param("build_id"), &e["build_id"])
                    && fits(routed.param("status"), &e["status"])
            });
            request.page(items.collect(), 20)
        }
        Call::GetExecution => {
            let found = state.executions.iter().find(|e| e.id == request.routed.id);
            one(wire, found.map(|e| wire.execution(e, state)), "test plan execution not found")
        }
        _ => resources(request, state, wire),
    })
}

fn one(wire: Wire<'_>, found: Option<Value>, missing: &str) -> Reply {
    found.map_or_else(|| Reply::error(404, missing), |value| Reply::json(200, &wire.finish(value)))
}

fn resources(request: &ApiRequest, state: &State, wire: Wire<'_>) -> Reply {
    let all = &state.resources;
    let id = &request.routed.id;
    let search = request.routed.param("search").map(str::to_lowercase);
    let named = |name: &str| search.as_ref().is_none_or(|s| name.to_lowercase().contains(s));
    match request.routed.call {
        Call::ListTests => {
            let items = all.tests.iter().filter(|t| named(&t.name)).map(Wire::test_summary).collect();
            request.page(items, 25)
        }
        Call::GetTest => one(wire, all.test(id).map(|t| wire.test(t)), "test not found"),
        Call::ListPlans => {
            let items = all.plans.iter().filter(|p| named(&p.name)).map(|p| wire.plan(p)).collect();
            request.page(items, 20)
        }
        Call::GetPlan => one(wire, all.plan(id).map(|p| wire.plan(p)), "test plan not found"),
        Call::DeploymentConfigs => request.page(all.configs.iter().map(|c| wire.config(c)).collect(), 25),
        Call::AgentConfigs => request.page(all.agents.iter().map(Wire::agent).collect(), 25),
        _ => Reply::error(404, "not found"),
    }
}

/// The filters that lists of jobs and of runs share.
fn selected(request: &ApiRequest, job: &Job) -> bool {
    let routed = &request.routed;
    if request.inner.config.has(Quirk::IgnoredFilters) {
        return true;
    }
    let all_tags = routed
        .param("tags")
        .is_none_or(|tags| tags.split(',').all(|t| job.tags.iter().any(|have| have == t)));
    all_tags
        && routed.param("multiplayer_test_id").is_none_or(|id| id == job.test.id)
        && routed.param("test_plan_execution_id").is_none_or(|id| job.execution.as_deref() == Some(id))
        && routed.param("job_id").is_none_or(|id| id == job.id)
}

/// An order that is the same for every page, and no other one's.
fn own_order(id: &str) -> u64 {
    id.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)).rotate_left(7))
}

fn list_jobs(request: &ApiRequest, state: &State, wire: Wire<'_>) -> Reply {
    let status = request.routed.param("status").unwrap_or("all");
    if !["queued", "running", "completed", "all"].contains(&status) {
        return Reply::error(400, "status must be one of queued, running, completed, all");
    }
    let ignored = request.inner.config.has(Quirk::IgnoredFilters);
    let items = state.jobs.iter().rev().filter(|job| {
        let phase = job.view(wire.now).phase;
        let filed = match phase {
            Phase::Queued => "queued",
            Phase::Completed => "completed",
            _ => "running",
        };
        job.visible(wire.now) && selected(request, job) && (ignored || status == "all" || status == filed)
    });
    let mut items: Vec<&Job> = items.collect();
    if request.inner.config.has(Quirk::OwnOrder) {
        items.sort_by_key(|job| own_order(&job.id));
    }
    if items.iter().any(|job| job.script.unreadable) {
        return Reply::error(500, "internal error");
    }
    request.page(items.into_iter().map(|job| wire.job(job)).collect(), 20)
}

fn get_job(request: &ApiRequest, state: &State, wire: Wire<'_>) -> Reply {
    let found = state.job(&request.routed.id).filter(|job| job.visible(wire.now));
    if found.is_some_and(|job| job.script.unreadable) {
        return Reply::error(500, "internal error");
    }
    one(wire, found.map(|job| wire.job(job)), "job not found")
}

/// The runs of a job; the oldest API shows the first one from the moment of the start.
fn runs(wire: Wire<'_>, job: &Job) -> Vec<RunView> {
    let view = job.view(wire.now);
    let mut runs = view.runs;
    if wire.old() && runs.is_empty() {
        let ended = view.done_at;
        let result = ended.map(|_| if view.rejected { "ERROR" } else { "STOPPED" }.to_owned());
        runs.push(RunView { index: 0, started: None, ended, result });
    }
    runs
}

fn list_runs(request: &ApiRequest, state: &State, wire: Wire<'_>) -> Reply {
    let wanted = request.routed.param("state").unwrap_or("all");
    if !["running", "completed", "all"].contains(&wanted) {
        return Reply::error(400, "state must be one of running, completed, all");
    }
    // The oldest API has no filter but the state.
    let free = wire.generation() == Generation::V1;
    let mut items = Vec::new();
    let mut jobs: Vec<&Job> =
        state.jobs.iter().rev().filter(|j| j.visible(wire.now) && (free || selected(request, j))).collect();
    if request.inner.config.has(Quirk::OwnOrder) {
        jobs.sort_by_key(|job| own_order(&job.id));
    }
    for job in jobs {
        for run in runs(wire, job).iter().rev() {
            let filed = if run.ended.is_some() { "completed" } else { "running" };
            if wanted == "all" || wanted == filed {
                items.push(wire.run(job, run, false));
            }
        }
    }
    request.page(items, 20)
}

fn get_run(request: &ApiRequest, state: &State, wire: Wire<'_>) -> Reply {
    let id = &request.routed.id;
    let found = state.jobs.iter().filter(|j| j.visible(wire.now)).find_map(|job| {
        let index = job.run_ids.iter().position(|run| run == id)?;
        let run = runs(wire, job).into_iter().find(|r| r.index == index)?;
        Some((job, run))
    });
    let Some((job, run)) = found else { return Reply::error(404, "run not found") };
    let value = match request.routed.call {
        Call::RunBugs => return bugs(request, wire, job, &run),
        Call::RunLive => live(wire, job, &run),
        _ if wire.has(Quirk::WrappedRun) => json!({ "run": wire.run(job, &run, true) }),
        _ => wire.run(job, &run, true),
    };
    Reply::json(200, &wire.finish(value))
}

/// The bugs of a run: the newest API has pages of them.
fn bugs(request: &ApiRequest, wire: Wire<'_>, job: &Job, run: &RunView) -> Reply {
    let run_id = job.run_ids.get(run.index).map_or("", String::as_str);
    let mut items = wire.bugs(job, run);
    match () {
        () if wire.has(Quirk::NestedBugs) => {
            Reply::json(200, &wire.finish(json!({ "detail": { "bugs": items } })))
        }
        () if wire.old() => {
            let value = json!({ "multiplayer_run_id": run_id, "bug_occurrences": items });
            Reply::json(200, &wire.finish(value))
        }
        () if wire.has(Quirk::OneBugPage) => {
            items.truncate(20);
            let pages = json!({ "page": 0, "page_size": 20, "total_count": items.len(), "total_pages": 1 });
            Reply::json(200, &wire.finish(json!({ "data": items, "pagination": pages })))
        }
        () => request.page(items, 20),
    }
}

fn live(wire: Wire<'_>, job: &Job, run: &RunView) -> Value {
    let run_id = job.run_ids.get(run.index).map_or("", String::as_str);
    let players: Vec<Value> = (0..job.attempt(run.index).map_or(0, |a| a.players.len()))
        .map(|n| {
            json!({ "player_number": n, "composite_run_id": wire.player_id(run_id, n), "current_run_id": null,
                "current_step": null, "game_state": null, "screenshot": null, "last_agent_step": null })
        })
        .collect();
    json!({ "multiplayer_run_id": run_id, "state": wire.word(run.state()),
        "test": { "id": job.test.id, "name": job.test.name }, "players": players })
}
