//! The command `check`: what would happen, and is the key good for it? Changes nothing.

use crate::api::{Phase, Proof};
use crate::model::build::BuildSource;
use crate::model::redact::Redact as _;
use crate::model::service::KeyKind;
use crate::model::{Build, ExitReason, Failure, Permission};
use crate::upload::{InspectedBuild, Purpose, Wanted, find_stored};

use super::check_report::{CheckReport, Findings};
use super::context::Context;
use super::outputs::print;
use super::preflight::{Proofs, prove};
use super::run_state::RunState;
use super::service_facts::{self, Shape};
use super::{resolve_names, upload_build};

/// Validates, proves, and prints a table.
pub(super) async fn check(ctx: &mut Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    let needed = ctx.plan.permissions();
    let inspected = upload_build::look(ctx).await?;
    state.warnings.extend(inspected.iter().flat_map(|build| build.notes.iter().cloned()));
    let proofs = prove(&ctx.api, &Permission::ALL, &ctx.log).await?;
    let mut resolved = Ok(Vec::new());
    if proofs.require(&needed).is_ok() {
        resolved = resolve_names::resolve(ctx).await.map(|resolved| resolved.into_plan(&mut ctx.plan));
    }
    let shape = inspected.as_ref().map(Shape::of);
    let build = match inspected {
        Some(inspected) => digest(ctx, inspected, &proofs).await?,
        None => None,
    };
    state.build = build.as_ref().map(|(build, _)| build.clone());
    let known = Box::pin(service_facts::look_up(&ctx.api, &ctx.plan, shape)).await;
    state.warnings.extend(known.notices.iter().chain(&known.remarks).cloned());
    let today = chrono::Utc::now().date_naive();
    state.warnings.extend(ctx.plan.gate.quarantine.iter().filter_map(|entry| entry.lapses_soon(today)));
    warn(ctx, state, &proofs, &needed);
    let findings = Findings {
        key: kind(ctx),
        permissions: Permission::ALL
            .map(|permission| {
                (permission, needed.contains(&permission), standing(&proofs, &needed, permission))
            })
            .to_vec(),
        build,
        resolved: resolved.as_ref().cloned().unwrap_or_default(),
        known,
    };
    show(ctx, &findings, &state.warnings);
    proofs.require(&needed)?;
    resolved?;
    findings.known.require()?;
    // A check that proved nothing at all is no check.
    let unknown = proofs.0.iter().find_map(|(permission, proof)| match proof {
        Proof::Unknown(error) if needed.contains(permission) && *permission != Permission::OperateRuns => {
            Some(error)
        }
        _ => None,
    });
    match unknown {
        Some(error) => Err(error.failure(Phase::Check)),
        None => Ok(ExitReason::Checked),
    }
}

/// Dumps what was found out for machines, or prints it for people.
fn show(ctx: &Context, findings: &Findings, warnings: &[String]) {
    let report = CheckReport::of(ctx, findings, warnings);
    if ctx.reporting.json {
        let mut data = serde_json::to_value(&report).unwrap_or_default();
        data.redact(&ctx.secrets);
        print(&data.to_string());
    } else {
        for line in report.to_string().lines() {
            ctx.log.info(line);
        }
        for warning in warnings {
            ctx.log.warn(warning);
        }
    }
}

/// Reads the whole build, as `run` will: a folder is zipped. The build as it will be stored, and the id of the stored one that
/// would be used in its place; `None` when a signal came first.
async fn digest(
    ctx: &Context,
    inspected: InspectedBuild,
    proofs: &Proofs,
) -> Result<Option<(Build, Option<String>)>, Failure> {
    let (spec, cancel) = (&ctx.plan.build, ctx.cancel.token());
    let digested = async {
        let prepared = inspected.prepare(&ctx.temp_folders, &ctx.log, cancel).await?;
        let sha256 = prepared.digest(cancel).await?;
        Ok((prepared, sha256))
    };
    let (prepared, sha256) = match digested.await {
        Ok(digested) => digested,
        Err(crate::upload::UploadError::Cancelled) => return Ok(None),
        Err(error) => return Err(error.failure()),
    };
    let wanted = Wanted {
        sha256: &sha256,
        size_bytes: prepared.size_bytes,
        platform: prepared.platform,
        tags: &spec.tags,
        purpose: if ctx.plan.runs.is_empty() { Purpose::Storage } else { Purpose::Runs },
    };
    let stored = if spec.reuse && proofs.proved(Permission::ManageBuildStorage) {
        find_stored(&ctx.api.once(), &wanted, &ctx.log).await.map(|build| build.id)
    } else {
        None
    };
    let build = Build {
        name: Some(spec.name.clone()),
        file_name: Some(prepared.file_name.clone()),
        platform: Some(prepared.platform),
        size_bytes: Some(prepared.size_bytes),
        sha256: Some(sha256),
        ..Build::none()
    };
    Ok(Some((build, stored)))
}

fn kind(ctx: &Context) -> &'static str {
    match ctx.api.key_kind() {
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

fn warn(ctx: &Context, state: &mut RunState, proofs: &Proofs, needed: &[Permission]) {
    let plan = &ctx.plan;
    state.warnings.extend(ctx.warning_of_host_limit());
    let spare: Vec<&str> = Permission::ALL
        .into_iter()
        .filter(|permission| !needed.contains(permission) && proofs.proved(*permission))
        .map(Permission::as_str)
        .collect();
    if !spare.is_empty() && !needed.is_empty() {
        state.warnings.push(format!("the key may do more than this job needs: {}", spare.join(", ")));
    }
    if matches!(plan.build.source, BuildSource::Path(_)) && !plan.runs.is_empty() {
        state.warnings.push(
            "if the project has a Build Storage run trigger, the upload itself starts a second run"
                .to_owned(),
        );
    }
}
