//! Starting and stopping.

use serde_json::{Value, json};

use super::request::ApiRequest;
use crate::call::Call;
use crate::generation::{Generation, Quirk};
use crate::ids::uuid;
use crate::jobs::Job;
use crate::ledger::{StartRecord, UploadState};
use crate::reply::Reply;
use crate::resources::{DeploymentConfig, Device, Plan, TestCase};
use crate::state::{Execution, State};
use crate::wire::Wire;

/// What a start is about.
enum Target {
    Test(TestCase),
    Plan(Plan),
    Words(TestCase),
}

/// A start that was found good.
struct Order {
    target: Target,
    config: Option<DeploymentConfig>,
    build: Option<(String, String)>,
    tags: Vec<String>,
    retries: u32,
    instances: u32,
    /// Instances that one job has.
    runs_of_a_job: u32,
    all_devices: bool,
}

/// `POST runs`
pub(super) fn run(request: &ApiRequest, key_id: &str) -> Reply {
    request.inner.with(|state| {
        let given: Vec<&str> = ["multiplayer_test_id", "test_plan_id", "instructions"]
            .into_iter()
            .filter(|n| request.field(n).is_some())
            .collect();
        let [only] = given.as_slice() else {
            return failure(
                request,
                400,
                "exactly one of multiplayer_test_id, test_plan_id or instructions is required",
            );
        };
        let text = request.text(only).unwrap_or_default();
        let target = match *only {
            "multiplayer_test_id" => {
                state.resources.test(text).cloned().map(Target::Test).ok_or("multiplayer test not found")
            }
            "test_plan_id" => {
                state.resources.plan(text).cloned().map(Target::Plan).ok_or("test plan not found")
            }
            _ if request.inner.config.generation == Generation::V1 => {
                return failure(request, 400, "multiplayer_test_id or test_plan_id is required");
            }
            _ => Ok(Target::Words(TestCase::new(
                &uuid(),
                request.text("name").unwrap_or("[api] ephemeral test"),
            ))),
        };
        match target {
            Ok(target) => carry_out(request, state, target, key_id),
            Err(message) => failure(request, 404, message),
        }
    })
}

/// `POST test-plans/{id}/runs`
pub(super) fn plan(request: &ApiRequest, key_id: &str) -> Reply {
    request.inner.with(|state| match state.resources.plan(&request.routed.id).cloned() {
        Some(plan) => carry_out(request, state, Target::Plan(plan), key_id),
        None => failure(request, 404, "test plan not found"),
    })
}

fn carry_out(request: &ApiRequest, state: &mut State, target: Target, key_id: &str) -> Reply {
    match checked(request, state, target) {
        Ok(order) if order.all_devices => on_all_devices(request, state, &order, key_id),
        Ok(order) => {
            let device = order.config.as_ref().and_then(|c| c.devices.first()).cloned();
            if let Some((status, message)) = device.as_ref().and_then(|d| d.refuses.clone()) {
                return failure(request, status, &message);
            }
            let (job_ids, execution) = enqueue(request, state, &order, &[device], key_id);
            started(request, state, &order, &job_ids, execution.as_deref())
        }
        Err((status, message)) => failure(request, status, &message),
    }
}

/// An error in this generation's shape.
fn failure(request: &ApiRequest, status: u16, message: &str) -> Reply {
    if request.inner.config.generation <= Generation::V2 {
        return Reply::json(
            status,
            &json!({ "ok": false, "status": status, "message": message, "error": message }),
        );
    }
    Reply::error(status, message)
}

type Refused = (u16, String);

fn bad<T>(message: &str) -> Result<T, Refused> {
    Err((400, message.to_owned()))
}

fn number(request: &ApiRequest, name: &str, least: u64, most: u64, default: u32) -> Result<u32, Refused> {
    match request.field(name) {
        None => Ok(default),
        Some(value) => match value.as_u64().filter(|n| (least..=most).contains(n)) {
            Some(n) => Ok(u32::try_from(n).unwrap_or(default)),
            None => bad(&format!("{name} must be between {least} and {most}")),
        },
    }
}

/// Checks the body against the documented rules.
fn checked(request: &ApiRequest, state: &State, target: Target) -> Result<Order, Refused> {
    let newest = request.inner.config.generation >= Generation::V5;
    let players = request.field("player_deployment_configs").or(request.field("slot_deployment_configs"));
    let config = match request.text("deployment_config_id") {
        Some(id) => Some(known_config(state, id)?),
        None if players.is_some() => {
            let ids = players.and_then(Value::as_object).into_iter().flatten();
            ids.filter_map(|(_, v)| v.get("deployment_config_id")?.as_str())
                .map(|id| known_config(state, id))
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .next()
        }
        None => return bad("deployment_config_id is required"),
    };
    let build = match request.text("build_id") {
        None => None,
        Some(id) => Some(usable_build(request, state, id, config.as_ref())?),
    };
    if matches!(target, Target::Words(_)) && newest && request.field("agent_config_id").is_none() {
        return bad("agent_config_id is required with instructions");
    }
    if let Some(agent) = request.text("agent_config_id")
        && !state.resources.agents.iter().any(|a| a.id == agent)
    {
        return Err((404, "agent config not found".to_owned()));
    }
    let all_devices = newest && request.flag("run_on_all_configured_devices") == Some(true);
    if all_devices && (players.is_some() || !config.as_ref().is_some_and(|c| c.multi_device)) {
        return bad("deployment config does not allow runs on all configured devices");
    }
    let mut tags = request
        .list("additional_tags")
        .map_err(|r| (r.status, "additional_tags must be a list of strings".to_owned()))?;
    if matches!(target, Target::Words(_)) {
        tags.insert(0, "api".to_owned());
    }
    let (retries, instances) = match target {
        Target::Test(_) => (number(request, "retries", 0, 10, 0)?, number(request, "instances", 1, 10, 1)?),
        _ => (0, 1),
    };
    let as_runs = request.inner.config.has(Quirk::InstancesAsRuns);
    let runs_of_a_job = if as_runs { instances } else { 1 };
    Ok(Order { target, config, build, tags, retries, instances, runs_of_a_job, all_devices })
}

fn known_config(state: &State, id: &str) -> Result<DeploymentConfig, Refused> {
    state.resources.config(id).cloned().ok_or_else(|| (404, "deployment config not found".to_owned()))
}

fn usable_build(
    request: &ApiRequest,
    state: &State,
    id: &str,
    config: Option<&DeploymentConfig>,
) -> Result<(String, String), Refused> {
    let Some(config) = config else { return bad("build_id requires deployment_config_id") };
    if config.source.provider() != Some("build-storage") {
        return bad("build_id is only supported when the deployment config uses Build Storage");
    }
    let build = state.build(id).filter(|b| matches!(b.state, UploadState::Open | UploadState::Complete));
    let Some(build) = build else { return Err((404, "selected build not found".to_owned())) };
    if !config.fits(&build.platform) {
        return bad("selected build does not match the platform of the deployment config");
    }
    let fixed = &request.inner.config;
    let status = build.status(request.inner.clock.now(), fixed.ready_after, &fixed.build_status);
    if !["ok", "ready"].contains(&status.to_lowercase().as_str()) {
        return bad("selected build is not ready");
    }
    Ok((build.id.clone(), build.name.clone()))
}

/// The tests of an order with the retries of each.
fn tests(state: &State, order: &Order) -> Vec<(TestCase, u32)> {
    match &order.target {
        Target::Test(test) | Target::Words(test) => {
            vec![(test.clone(), order.retries); (order.instances / order.runs_of_a_job) as usize]
        }
        Target::Plan(plan) => {
            let known = |id: &str| {
                state.resources.test(id).cloned().unwrap_or_else(|| TestCase::new(id, "Deleted test"))
            };
            plan.items.iter().map(|(id, retries)| (known(id), *retries)).collect()
        }
    }
}

/// The branch that the build was made from, as its upload said.
fn branch(state: &State, order: &Order) -> String {
    let build = order.build.as_ref().and_then(|(id, _)| state.build(id));
    let branch = build.and_then(|build| build.request.pointer("/details/vcs/branch")?.as_str());
    branch.unwrap_or_default().to_owned()
}

/// Makes the jobs; from here on the start has taken effect.
fn enqueue(
    request: &ApiRequest,
    state: &mut State,
    order: &Order,
    devices: &[Option<Device>],
    key_id: &str,
) -> (Vec<String>, Option<String>) {
    let now = request.inner.clock.now();
    let tests = tests(state, order);
    let execution = match &order.target {
        Target::Plan(_) if request.inner.config.generation > Generation::V1 => Some(uuid()),
        _ => None,
    };
    let mut job_ids = Vec::new();
    let branch = branch(state, order);
    for device in devices {
        for (test, retries) in &tests {
            let before = state.jobs.iter().filter(|job| job.test.id == test.id && job.branch == branch);
            let before = before.count();
            let mut script = state
                .scenario
                .script(&test.id, state.jobs.len(), job_ids.len(), (&branch, before))
                .scaled(1.0 / request.inner.config.speed);
            let run_ids = Job::fit(&mut script, test, *retries, order.runs_of_a_job);
            let job = Job {
                id: uuid(),
                created: now,
                script,
                retries: *retries,
                run_ids,
                test: test.clone(),
                device: device.as_ref().map_or_else(|| "Device".to_owned(), |d| d.label.clone()),
                kind: order.config.as_ref().map_or_else(|| "android".to_owned(), |c| c.kind.clone()),
                build: order.build.clone(),
                branch: branch.clone(),
                execution: execution.clone(),
                tags: order.tags.clone(),
                template: request.field("template_data").cloned(),
                key_id: key_id.to_owned(),
                stop: None,
                stop_requests: 0,
            };
            job_ids.push(job.id.clone());
            state.jobs.push(job);
        }
    }
    if let (Target::Plan(plan), Some(id)) = (&order.target, &execution) {
        let (plan, build) = ((plan.id.clone(), plan.name.clone()), order.build.clone());
        state.executions.push(Execution { id: id.clone(), plan, build, job_ids: job_ids.clone() });
    }
    state.starts.push(StartRecord {
        at: now,
        call: request.routed.call,
        body: request.body.clone().unwrap_or_default(),
        tags: order.tags.clone(),
        job_ids: job_ids.clone(),
        execution_id: execution.clone(),
        build_id: order.build.as_ref().map(|(id, _)| id.clone()),
    });
    (job_ids, execution)
}

/// The reply to a start on one device.
fn started(
    request: &ApiRequest,
    state: &State,
    order: &Order,
    job_ids: &[String],
    execution: Option<&str>,
) -> Reply {
    let build = order.build.as_ref().map(|(id, _)| id);
    let wire = Wire::new(&request.inner);
    let (status, value) = match request.inner.config.generation {
        Generation::V1 => {
            let first = job_ids.first().and_then(|id| state.job(id));
            let data = json!({ "job_id": first.map(|j| &j.id), "multiplayer_run_id": first.and_then(|j| j.run_ids.first()) });
            (201, json!({ "ok": true, "status": 201, "message": "queued", "data": data }))
        }
        Generation::V2 => {
            let mut data =
                json!({ "message": "successfully queued test!", "build_id": build, "job_ids": job_ids });
            if let Some(id) = execution {
                data["test_plan_execution_id"] = json!(id);
            }
            (200, json!({ "ok": true, "status": 200, "message": "successfully queued test!", "data": data }))
        }
        Generation::V3 | Generation::V5 => (
            201,
            match (&order.target, request.routed.call) {
                (Target::Words(test), _) => json!({ "test_id": test.id, "job_ids": job_ids }),
                (Target::Plan(_), Call::StartPlan) => {
                    json!({ "job_ids": job_ids, "test_plan_execution_id": execution })
                }
                (Target::Plan(_), _) => {
                    json!({ "message": "successfully queued test plan!", "build_id": build,
                "job_ids": job_ids, "test_plan_execution_id": execution })
                }
                (Target::Test(_), _) => {
                    json!({ "message": "successfully queued test!", "build_id": build, "job_ids": job_ids })
                }
            },
        ),
    };
    Reply::json(status, &wire.finish(value))
}

/// A start on every device: 201 when all start, 207 when some do, 500 when none does.
fn on_all_devices(request: &ApiRequest, state: &mut State, order: &Order, key_id: &str) -> Reply {
    let devices: Vec<Device> = order.config.as_ref().map(|c| c.devices.clone()).unwrap_or_default();
    let willing: Vec<Option<Device>> =
        devices.iter().filter(|d| d.refuses.is_none()).cloned().map(Some).collect();
    let (job_ids, execution) = if willing.is_empty() {
        (Vec::new(), None)
    } else {
        enqueue(request, state, order, &willing, key_id)
    };
    let mut left = job_ids.chunks((job_ids.len() / willing.len().max(1)).max(1));
    let results: Vec<Value> = devices
        .iter()
        .map(|device| match &device.refuses {
            None => {
                let own = left.next().unwrap_or_default();
                json!({ "device_label": device.label, "ok": true, "status": 201,
                    "message": "successfully queued test!", "data": { "job_ids": own } })
            }
            Some((status, message)) => json!({ "device_label": device.label, "ok": false, "status": status,
                "message": message, "error": message }),
        })
        .collect();
    // Counts are of runs: every device has all instances.
    let runs = |devices: usize| devices * order.instances as usize;
    let (requested, good) = (runs(devices.len()), runs(willing.len()));
    let status = match good {
        0 => 500,
        _ if good == requested => 201,
        _ => 207,
    };
    let mut value = json!({
        "ok": good > 0, "job_ids": job_ids, "requested_count": requested, "started_count": good,
        "successful_count": good, "failed_count": requested - good,
    });
    let name = if matches!(order.target, Target::Words(_)) { "device_runs" } else { "results" };
    value[name] = json!(results);
    if let Some(id) = execution {
        value["test_plan_execution_id"] = json!(id);
    }
    Reply::json(status, &Wire::new(&request.inner).finish(value))
}

/// `POST runs/stop`
pub(super) fn stop(request: &ApiRequest, key_id: &str) -> Reply {
    let ids = match request.list("job_ids") {
        Ok(ids) if !ids.is_empty() => ids,
        _ => return failure(request, 400, "job_ids must have at least one id"),
    };
    let now = request.inner.clock.now();
    request.inner.with(|state| {
        let (mut results, mut stopped) = (Vec::new(), 0);
        for id in &ids {
            let known = |job: &&mut Job| &job.id == id && job.visible(now);
            let Some(job) = state.jobs.iter_mut().find(known) else { continue };
            let value = if job.request_stop(now, key_id) {
                stopped += 1;
                json!({ "job_id": id, "ok": true, "status": 200, "message": "Job stopped" })
            } else {
                json!({ "job_id": id, "ok": false, "status": 500, "error": "Job already completed" })
            };
            results.push(value);
        }
        if results.is_empty() {
            if request.inner.config.generation >= Generation::V3 {
                return Reply::error(404, "no jobs found in your project matching the provided IDs");
            }
            return Reply::json(
                404,
                &json!({ "ok": false, "message": "No jobs found in your project matching the provided IDs",
                "received_count": ids.len(), "stopped_count": 0, "results": [] }),
            );
        }
        let all = stopped == ids.len();
        let message = if all {
            format!("Successfully stopped {stopped} job(s)")
        } else {
            format!("Stopped {stopped}/{} job(s)", ids.len())
        };
        let value = json!({ "ok": all, "message": message, "received_count": ids.len(),
            "stopped_count": stopped, "results": results });
        Reply::json(if all { 200 } else { 207 }, &Wire::new(&request.inner).finish(value))
    })
}
