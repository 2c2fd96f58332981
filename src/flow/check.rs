//! The command `check`: what would happen, and is the key good for it? Changes nothing.

use std::fmt::Write as _;

use serde_json::json;

use crate::api::{KeyKind, Proof};
use crate::model::build::BuildSource;
use crate::model::units::{bytes, duration};
use crate::model::{Build, Failure, Permission, Reason, Target};
use crate::upload::Inspected;

use super::preflight::{Proofs, prove};
use super::resolve;
use super::session::Session;
use super::story::Story;

/// Validates, proves, and prints a table.
///
/// # Errors
/// The first thing that would keep the job from running.
pub(super) async fn check(session: &mut Session, story: &mut Story) -> Result<Reason, Failure> {
    let needed = session.plan.permissions();
    let inspected = super::build::look(session).await?;
    if let Some(build) = &inspected {
        story.build = Some(Build {
            name: Some(session.plan.build.name.clone()),
            file_name: Some(build.file_name.clone()),
            platform: Some(build.platform),
            size_bytes: Some(build.size_bytes),
            ..Build::none()
        });
        story.warnings.extend(build.notes.iter().cloned());
    }
    let proofs = prove(&session.api, &Permission::ALL, &session.log).await?;
    let resolved = if proofs.require(&needed).is_ok() { resolve::names(session).await } else { Ok(()) };
    warn(session, story, &proofs).await;
    if session.json {
        session.data(&machine(session, story, &proofs, &needed, inspected.as_ref()).to_string());
    } else {
        for line in table(session, &proofs, &needed, inspected.as_ref()).lines() {
            session.log.info(line);
        }
        for warning in &story.warnings {
            session.log.warn(warning);
        }
    }
    proofs.require(&needed)?;
    resolved?;
    // A check that proved nothing at all is no check.
    let unknown = proofs.0.iter().find_map(|(permission, proof)| match proof {
        Proof::Unknown(error) if needed.contains(permission) && *permission != Permission::OperateRuns => {
            Some(error)
        }
        _ => None,
    });
    match unknown {
        Some(error) => Err(error.failure(crate::api::Phase::Check)),
        None => Ok(Reason::Checked),
    }
}

fn kind(session: &Session) -> &'static str {
    match session.api.key_kind() {
        KeyKind::Project => "project key",
        KeyKind::Organisation => "organisation key",
        KeyKind::Other => "key of an unknown kind",
    }
}

fn standing(proofs: &Proofs, needed: &[Permission], permission: Permission) -> &'static str {
    let proof = proofs.0.iter().find(|(known, _)| *known == permission).map(|(_, proof)| proof);
    match (needed.contains(&permission), proof) {
        (true, Some(Proof::Proved)) => "proved",
        (true, Some(Proof::Missing(_))) => "missing",
        (false, Some(Proof::Proved)) => "there, but not needed",
        (false, Some(Proof::Missing(_))) => "not there, and not needed",
        _ => "not known",
    }
}

fn table(session: &Session, proofs: &Proofs, needed: &[Permission], build: Option<&Inspected>) -> String {
    let plan = &session.plan;
    let mut out = String::from("Settings\n");
    for setting in &plan.settings {
        let _ = writeln!(
            out,
            "  {:<22} {:<40} {}",
            setting.name,
            setting.value.replace('\n', " "),
            setting.source
        );
    }
    let _ = writeln!(out, "API key: {}", kind(session));
    for permission in Permission::ALL {
        let _ = writeln!(out, "  {:<32} {}", permission.as_str(), standing(proofs, needed, permission));
    }
    match (build, &plan.build.source) {
        (Some(build), _) => {
            let _ = writeln!(
                out,
                "Build: would upload {} ({}, {}) as \"{}\"",
                build.file_name,
                bytes(build.size_bytes),
                build.platform.as_str(),
                plan.build.name
            );
        }
        (None, BuildSource::Id(id)) => {
            let _ = writeln!(out, "Build: {id}");
        }
        _ => out.push_str("Build: the one each deployment configuration picks\n"),
    }
    if plan.runs.is_empty() {
        out.push_str("Runs: none\n");
    } else {
        out.push_str("Runs: would start\n");
    }
    for run in &plan.runs {
        let _ = writeln!(out, "  {}: {}", run.label, target(&run.target));
    }
    let _ = writeln!(out, "Time: at most {} from the start to the last result", duration(plan.wait.timeout));
    out
}

fn target(target: &Target) -> String {
    match target {
        Target::Test(id) => format!("test {id}"),
        Target::Plan(id) => format!("test plan {id}"),
        Target::Instructions(words) => format!("one-off: {}", words.lines().next().unwrap_or_default()),
    }
}

async fn warn(session: &Session, story: &mut Story, proofs: &Proofs) {
    let plan = &session.plan;
    if let Some(limit) = session.host.job_limit().filter(|limit| plan.wait.timeout >= *limit) {
        story.warnings.push(format!(
            "timeout is {}, but this host ends the job after {}: set it lower, so that the job can stop its runs and report",
            duration(plan.wait.timeout),
            duration(limit)
        ));
    }
    let needed = plan.permissions();
    let spare: Vec<&str> = Permission::ALL
        .into_iter()
        .filter(|permission| !needed.contains(permission) && proofs.proved(*permission))
        .map(Permission::as_str)
        .collect();
    if !spare.is_empty() && !needed.is_empty() {
        story.warnings.push(format!("the key may do more than this job needs: {}", spare.join(", ")));
    }
    if matches!(plan.build.source, BuildSource::Path(_)) && !plan.runs.is_empty() {
        story.warnings.push(
            "if the project has a Build Storage run trigger, the upload itself starts a second run"
                .to_owned(),
        );
    }
    if plan.build.source != BuildSource::None && proofs.proved(Permission::ViewConfigs) {
        let configs = session.api.once().deployment_configs().await.unwrap_or_default();
        for run in &plan.runs {
            let config = configs.iter().find(|config| Some(&config.id) == run.deployment_config.as_ref());
            if let Some(config) = config.filter(|config| config.takes_builds == Some(false)) {
                story.warnings.push(format!(
                    "{}: the deployment configuration \"{}\" takes no uploaded build",
                    run.label, config.name
                ));
            }
        }
    }
}

fn machine(
    session: &Session,
    story: &Story,
    proofs: &Proofs,
    needed: &[Permission],
    build: Option<&Inspected>,
) -> serde_json::Value {
    let plan = &session.plan;
    json!({
        "schema_version": 1,
        "settings": plan.settings.iter().map(|setting| json!({"name": setting.name, "value": setting.value, "source": setting.source})).collect::<Vec<_>>(),
        "key": kind(session),
        "permissions": Permission::ALL.map(|permission| json!({
            "name": permission.as_str(),
            "needed": needed.contains(&permission),
            "standing": standing(proofs, needed, permission),
        })),
        "build": build.map(|build| json!({
            "file_name": build.file_name,
            "platform": build.platform.as_str(),
            "size_bytes": build.size_bytes,
            "name": plan.build.name,
        })),
        "runs": plan.runs.iter().map(|run| json!({"name": run.label, "target": target(&run.target), "deployment_config": run.deployment_config})).collect::<Vec<_>>(),
        "timeout_seconds": plan.wait.timeout.as_secs(),
        "warnings": story.warnings,
    })
}
