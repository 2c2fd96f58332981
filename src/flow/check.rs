//! The command `check`: what would happen, and is the key good for it? Changes nothing.

use crate::model::build::BuildSource;
use crate::model::redact::Redact as _;
use crate::model::service::KeyKind;
use crate::model::{Build, ExitReason, Failure, Permission};
use crate::upload::{InspectedBuild, Purpose, Wanted, find_stored};

use super::check_lines::lines;
use super::check_report::{CheckReport, Findings};
use super::context::Context;
use super::outputs::print;
use super::preflight::{Proofs, prove};
use super::run_state::RunState;
use super::service_facts::{self, Known, Shape};
use super::{resolve_names, upload_build};

/// Validates, proves, and prints a line for each thing. One that is bad does not keep the others from being looked at.
pub(super) async fn check(ctx: &mut Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    let needed = ctx.plan.permissions();
    let inspected = upload_build::look(ctx).await;
    let of_build = inspected.as_ref().ok().and_then(Option::as_ref);
    let notes: Vec<String> = of_build.iter().flat_map(|build| build.notes.iter().cloned()).collect();
    let shape = of_build.map(Shape::of);
    let proofs = prove(&ctx.api, &Permission::ALL, &ctx.log).await;
    let usable = proofs.as_ref().ok().filter(|proofs| proofs.require(&needed).is_ok());
    let resolved = match usable {
        Some(_) => resolve_names::resolve(ctx).await.map(|resolved| resolved.into_plan(&mut ctx.plan)),
        None => Ok(Vec::new()),
    };
    let build = match inspected {
        Ok(Some(inspected)) => digest(ctx, inspected, proofs.as_ref().ok()).await,
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    let known = match &proofs {
        Ok(_) => Box::pin(service_facts::look_up(&ctx.api, &ctx.plan, shape)).await,
        Err(_) => Known::default(),
    };
    state.build = build.as_ref().ok().and_then(Option::as_ref).map(|(build, _)| build.clone());
    let findings = Findings { key: kind(ctx), needed, proofs, build, notes, resolved, known };
    state.warnings.extend(findings.notes.iter().chain(findings.known.notices()).cloned());
    state.warnings.extend(findings.known.remarks.iter().chain(&ctx.warning_of_host_limit()).cloned());
    let today = chrono::Utc::now().date_naive();
    state.warnings.extend(ctx.plan.gate.quarantine.iter().filter_map(|entry| entry.lapses_soon(today)));
    let others = others(ctx, &findings);
    state.warnings.extend(others.iter().cloned());
    show(ctx, &findings, &state.warnings, &others);
    findings.first_failure().map_or(Ok(ExitReason::Checked), Err)
}

/// Dumps what was found out for machines, or prints it for people; `others` are warnings that belong to no line.
fn show(ctx: &Context, findings: &Findings, warnings: &[String], others: &[String]) {
    let report = CheckReport::of(ctx, findings, warnings);
    if ctx.reporting.json {
        let mut data = serde_json::to_value(&report).unwrap_or_default();
        data.redact(&ctx.secrets);
        print(&data.to_string());
        return;
    }
    for line in lines(ctx, findings, &report) {
        ctx.log.marked(line.mark, line.what, &line.says);
    }
    for warning in others {
        ctx.log.warn(warning);
    }
}

/// Reads the whole build, as `run` will: a folder is zipped. The build as it will be stored, and the id of the stored one that
/// would be used in its place; `None` when a signal came first.
async fn digest(
    ctx: &Context,
    inspected: InspectedBuild,
    proofs: Option<&Proofs>,
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
    let stored = if spec.reuse && proofs.is_some_and(|proofs| proofs.proved(Permission::ManageBuildStorage)) {
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

/// Warnings that are about nothing that has a line of its own.
fn others(ctx: &Context, findings: &Findings) -> Vec<String> {
    let mut others = Vec::new();
    let proved =
        |permission: &Permission| findings.proofs.as_ref().is_ok_and(|proofs| proofs.proved(*permission));
    let spare = Permission::ALL.into_iter().filter(|permission| !findings.needed.contains(permission));
    let spare: Vec<&str> = spare.filter(proved).map(Permission::as_str).collect();
    if !spare.is_empty() && !findings.needed.is_empty() {
        others.push(format!("the key may do more than this job needs: {}", spare.join(", ")));
    }
    if matches!(ctx.plan.build.source, BuildSource::Path(_)) && !ctx.plan.runs.is_empty() {
        others.push(
            "if the project has a Build Storage run trigger, the upload itself starts a second run"
                .to_owned(),
        );
    }
    others
}
