//! What `check` found, as a table for people and as JSON for machines: the same data.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::config::Poll;
use crate::model::build::BuildSource;
use crate::model::units::{bytes, duration};
use crate::model::{Platform, RunSpec, Target};
use crate::upload::reservation;

use super::check::Findings;
use super::context::Context;
use super::run_state::RunState;
use super::service_facts::deployment_configs;

/// The table.
pub(super) fn table(ctx: &Context, findings: &Findings) -> String {
    let plan = &ctx.plan;
    let mut out = String::from("Settings (value, and where it came from)\n");
    for setting in &plan.settings {
        let value = setting.value.replace('\n', " ");
        let _ = writeln!(out, "  {:<22} {value:<40} {}", setting.name, setting.source);
    }
    if !findings.resolved.is_empty() {
        out.push_str("Names\n");
    }
    for (name, id) in &findings.resolved {
        let _ = writeln!(out, "  {name:<22} {id}");
    }
    let _ = writeln!(out, "API key: {}", findings.key);
    for (permission, _, standing) in &findings.permissions {
        let _ = writeln!(out, "  {:<32} {standing:<26} to {}", permission.as_str(), permission.purpose());
    }
    build(&mut out, ctx, findings);
    out.push_str(if plan.runs.is_empty() { "Runs: none\n" } else { "Runs: would start\n" });
    for run in &plan.runs {
        let _ = writeln!(out, "  {}: {}", run.label, sentence(run, findings));
    }
    limits(&mut out, ctx, findings);
    out
}

fn build(out: &mut String, ctx: &Context, findings: &Findings) {
    let spec = &ctx.plan.build;
    match (&findings.build, &spec.source) {
        (Some(found), _) => {
            let verb = match &found.stored {
                Some(id) => format!("would use {id}, which the service stores already, for"),
                None => "would upload".to_owned(),
            };
            let build = &found.build;
            let _ = writeln!(
                out,
                "Build: {verb} {} ({}, {}) as \"{}\"",
                build.file_name.as_deref().unwrap_or_default(),
                bytes(build.size_bytes.unwrap_or_default()),
                build.platform.map_or("", |platform| platform.as_str()),
                spec.name
            );
            let _ = writeln!(out, "  sha256 {}", build.sha256.as_deref().unwrap_or_default());
            if !spec.tags.is_empty() {
                let _ = writeln!(out, "  tags   {}", spec.tags.join(", "));
            }
        }
        (None, BuildSource::Id(id)) => {
            let _ = writeln!(out, "Build: would use the stored build {id}");
        }
        _ => out.push_str("Build: the one each deployment configuration picks\n"),
    }
}

fn limits(out: &mut String, ctx: &Context, findings: &Findings) {
    let wait = &ctx.plan.wait;
    out.push_str("Time limits\n");
    if wait.enabled {
        let _ =
            writeln!(out, "  {:<22} {} from the start to the last result", "timeout", duration(wait.timeout));
    } else {
        let _ = writeln!(out, "  {:<22} the job does not wait", "timeout");
    }
    let stall = wait.stall.map_or_else(|| "off".to_owned(), duration);
    let _ = writeln!(out, "  {:<22} {stall}", "stall");
    if let Some(minutes) = reserved(ctx, findings) {
        let _ = writeln!(out, "  {:<22} {minutes} min for the upload", "upload-timeout");
    }
    if let Some(limit) = ctx.host.job_limit() {
        let _ = writeln!(out, "  {:<22} {}", "this host's limit", duration(limit));
    }
}

/// Minutes that the service keeps the upload open.
fn reserved(ctx: &Context, findings: &Findings) -> Option<u16> {
    let size = findings.build.as_ref().filter(|found| found.stored.is_none())?.build.size_bytes?;
    Some(reservation(size, ctx.plan.build.upload_timeout_minutes))
}

/// An id with its name, when that is known.
fn named(id: &str, findings: &Findings) -> String {
    match findings.known.names.get(id) {
        Some(name) => format!("\"{name}\" ({id})"),
        None => id.to_owned(),
    }
}

fn target(target: &Target, findings: &Findings) -> String {
    match target {
        Target::Test(id) => format!("{} {}", test_words(id, findings), named(id, findings)),
        Target::Plan(id) => format!("test plan {}", named(id, findings)),
        Target::Instructions(words) => format!("one-off: {}", words.lines().next().unwrap_or_default()),
    }
}

/// `test`, or with what the service tells of it: `quarantined discovery test`.
fn test_words(id: &str, findings: &Findings) -> String {
    let facts = findings.known.tests.get(id);
    let mut words = Vec::new();
    if facts.is_some_and(|facts| facts.quarantined) {
        words.push("quarantined");
    }
    words.extend(facts.and_then(|facts| facts.kind.as_deref()));
    words.push("test");
    words.join(" ")
}

fn sentence(run: &RunSpec, findings: &Findings) -> String {
    let mut out = target(&run.target, findings);
    if let Some(agent) = &run.agent_config {
        let _ = write!(out, ", played by {}", named(agent, findings));
    }
    let configs: Vec<String> = deployment_configs(run).map(|id| named(id, findings)).collect();
    if !configs.is_empty() {
        let _ = write!(out, ", on {}", configs.join(", "));
    }
    if let Some(retries) = run.retries.filter(|&retries| retries > 0) {
        let _ = write!(out, ", up to {retries} more attempts");
    }
    if let Some(instances) = run.instances.filter(|&instances| instances > 1) {
        let _ = write!(out, ", {instances} times");
    }
    if run.all_configured_devices {
        out.push_str(", on every configured device");
    }
    if !run.required {
        out.push_str(", cannot fail the job");
    }
    out
}

/// The same for machines.
pub(super) fn machine(ctx: &Context, state: &RunState, findings: &Findings) -> Value {
    let (plan, wait) = (&ctx.plan, &ctx.plan.wait);
    json!({
        "schema_version": 1,
        "settings": plan.settings.iter().map(|setting| json!({
            "name": setting.name, "value": setting.value, "source": setting.source,
        })).collect::<Vec<_>>(),
        "names": findings.resolved.iter().map(|(name, id)| json!({"name": name, "id": id})).collect::<Vec<_>>(),
        "key": findings.key,
        "permissions": findings.permissions.iter().map(|(permission, needed, standing)| json!({
            "name": permission.as_str(), "needed": needed, "standing": standing,
        })).collect::<Vec<_>>(),
        "build": build_for_machines(ctx, findings),
        "runs": plan.runs.iter().map(|run| run_for_machines(run, findings)).collect::<Vec<_>>(),
        "timeout_seconds": wait.timeout.as_secs(),
        "limits": {
            "wait": wait.enabled,
            "timeout_seconds": wait.timeout.as_secs(),
            "stall_seconds": wait.stall.map(|stall| stall.as_secs()),
            "poll_seconds": match wait.poll { Poll::Auto => None, Poll::Every(every) => Some(every.as_secs()) },
            "upload_timeout_minutes": reserved(ctx, findings),
            "host_seconds": ctx.host.job_limit().map(|limit| limit.as_secs()),
        },
        "warnings": state.warnings,
    })
}

fn build_for_machines(ctx: &Context, findings: &Findings) -> Value {
    let spec = &ctx.plan.build;
    match (&findings.build, &spec.source) {
        (Some(found), _) => json!({
            "action": if found.stored.is_some() { "reuse" } else { "upload" },
            "id": found.stored,
            "file_name": found.build.file_name,
            "platform": found.build.platform.map(Platform::as_str),
            "size_bytes": found.build.size_bytes,
            "sha256": found.build.sha256,
            "name": spec.name,
            "tags": spec.tags,
        }),
        (None, BuildSource::Id(id)) => json!({"action": "given", "id": id}),
        _ => Value::Null,
    }
}

fn run_for_machines(run: &RunSpec, findings: &Findings) -> Value {
    let (kind, id) = match &run.target {
        Target::Test(id) => ("test", Some(id)),
        Target::Plan(id) => ("test_plan", Some(id)),
        Target::Instructions(_) => ("instructions", None),
    };
    let facts = id.and_then(|id| findings.known.tests.get(id));
    let name = |id: Option<&String>| id.and_then(|id| findings.known.names.get(id));
    json!({
        "name": run.label,
        "target": target(&run.target, findings),
        "kind": kind,
        "target_id": id,
        "target_name": name(id),
        "test_type": facts.and_then(|facts| facts.kind.as_ref()),
        "quarantined_on_service": facts.map(|facts| facts.quarantined),
        "max_seconds": facts.and_then(|facts| facts.longest).map(|longest| longest.as_secs()),
        "deployment_config": run.deployment_config,
        "deployment_config_name": name(run.deployment_config.as_ref()),
        "deployment_configs": deployment_configs(run).collect::<Vec<_>>(),
        "agent_config": run.agent_config,
        "agent_config_name": name(run.agent_config.as_ref()),
        "retries": run.retries,
        "instances": run.instances,
        "all_configured_devices": run.all_configured_devices,
        "required": run.required,
    })
}
