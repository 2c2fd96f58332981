//! The command `check`: what would happen, and is the key good for it? Changes nothing.

use std::collections::BTreeMap;

use crate::api::{KeyKind, Named, Proof};
use crate::model::build::BuildSource;
use crate::model::units::duration;
use crate::model::{Build, Failure, Permission, Reason, RunSpec, Target};
use crate::upload::{Inspected, Places, Purpose, Wanted, find_stored};

use super::preflight::{Proofs, prove};
use super::session::Session;
use super::story::Story;
use super::{check_text, resolve};

/// What a check found out, for people and for machines alike.
pub(super) struct Findings {
    /// The kind of the key.
    pub(super) key: &'static str,
    /// Each permission, whether it is needed, and what is known of it.
    pub(super) permissions: Vec<(Permission, bool, &'static str)>,
    /// The build that would be sent.
    pub(super) build: Option<Found>,
    /// Names that stood in the plan, and the ids they became.
    pub(super) resolved: Vec<(String, String)>,
    /// Names of the ids in the plan, as far as the service shows them.
    pub(super) names: BTreeMap<String, String>,
}

/// The build that would be sent.
pub(super) struct Found {
    /// As it will be stored.
    pub(super) build: Build,
    /// The stored build that would be used in its place.
    pub(super) stored: Option<String>,
}

/// Validates, proves, and prints a table.
///
/// # Errors
/// The first thing that would keep the job from running.
pub(super) async fn check(session: &mut Session, story: &mut Story) -> Result<Reason, Failure> {
    let needed = session.plan.permissions();
    let inspected = super::build::look(session).await?;
    story.warnings.extend(inspected.iter().flat_map(|build| build.notes.iter().cloned()));
    let proofs = prove(&session.api, &Permission::ALL, &session.log).await?;
    let resolved =
        if proofs.require(&needed).is_ok() { resolve::names(session).await } else { Ok(Vec::new()) };
    let build = match inspected {
        Some(inspected) => digest(session, inspected, &proofs).await?,
        None => None,
    };
    story.build = build.as_ref().map(|found| found.build.clone());
    let names = look_around(session, story, &proofs).await;
    warn(session, story, &proofs, &needed);
    let findings = Findings {
        key: kind(session),
        permissions: Permission::ALL
            .map(|permission| {
                (permission, needed.contains(&permission), standing(&proofs, &needed, permission))
            })
            .to_vec(),
        build,
        resolved: resolved.as_ref().cloned().unwrap_or_default(),
        names,
    };
    if session.json {
        session.data(&check_text::machine(session, story, &findings).to_string());
    } else {
        for line in check_text::table(session, &findings).lines() {
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

/// Reads the whole build, as `run` will: a folder is zipped. `None` when a signal came first.
async fn digest(session: &Session, inspected: Inspected, proofs: &Proofs) -> Result<Option<Found>, Failure> {
    let (spec, cancel) = (&session.plan.build, session.cancel.token());
    let digested = async {
        let prepared = inspected.prepare(&Places::of(&session.env), &session.log, cancel).await?;
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
        purpose: if session.plan.runs.is_empty() { Purpose::Storage } else { Purpose::Runs },
    };
    let stored = if spec.reuse && proofs.proved(Permission::ManageBuildStorage) {
        find_stored(&session.api.once(), &wanted, &session.log).await.map(|build| build.id)
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
    Ok(Some(Found { build, stored }))
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

/// Every deployment configuration that a run names.
pub(super) fn deployment_configs(run: &RunSpec) -> impl Iterator<Item = &String> {
    let others = run.players.values().chain(run.slots.values()).map(|other| &other.deployment_config);
    run.deployment_config.iter().chain(others)
}

/// Names of the ids in the plan, and warnings about what the lists say of them. Lists that the key may not read are passed over.
async fn look_around(session: &Session, story: &mut Story, proofs: &Proofs) -> BTreeMap<String, String> {
    let (api, runs) = (session.api.once(), &session.plan.runs);
    let mut names = BTreeMap::new();
    let mut take = |noun: &str, ids: Vec<&String>, known: &[Named], warnings: &mut Vec<String>| {
        names.extend(known.iter().map(|named| (named.id.clone(), named.name.clone())));
        for id in ids.into_iter().filter(|id| crate::config::is_id(id) && !known.is_empty()) {
            if !known.iter().any(|named| named.id == *id) {
                warnings.push(format!(
                    "no {noun} of this project has the id {id}: was it deleted, or does it belong to another project?"
                ));
            }
        }
    };
    let of = |wanted: fn(&Target) -> Option<&String>| -> Vec<&String> {
        runs.iter().filter_map(|run| wanted(&run.target)).collect()
    };
    let tests = of(|target| if let Target::Test(id) = target { Some(id) } else { None });
    if !tests.is_empty() {
        take("test", tests, &api.tests().await.unwrap_or_default(), &mut story.warnings);
    }
    let plans = of(|target| if let Target::Plan(id) = target { Some(id) } else { None });
    if !plans.is_empty() && proofs.proved(Permission::ReadRuns) {
        take("test plan", plans, &api.test_plans().await.unwrap_or_default(), &mut story.warnings);
    }
    if !proofs.proved(Permission::ViewConfigs) || runs.is_empty() {
        return names;
    }
    let agents: Vec<&String> = runs.iter().filter_map(|run| run.agent_config.as_ref()).collect();
    if !agents.is_empty() {
        take(
            "agent configuration",
            agents,
            &api.agent_configs().await.unwrap_or_default(),
            &mut story.warnings,
        );
    }
    let configs = api.deployment_configs().await.unwrap_or_default();
    let wanted = runs.iter().flat_map(deployment_configs).collect();
    take("deployment configuration", wanted, &configs, &mut story.warnings);
    if session.plan.build.source != BuildSource::None {
        for run in runs {
            for config in configs.iter().filter(|config| config.takes_builds == Some(false)) {
                if deployment_configs(run).any(|id| *id == config.id) {
                    story.warnings.push(format!(
                        "{}: the deployment configuration \"{}\" takes no uploaded build: the run will not test this one",
                        run.label, config.name
                    ));
                }
            }
        }
    }
    names
}

fn warn(session: &Session, story: &mut Story, proofs: &Proofs, needed: &[Permission]) {
    let plan = &session.plan;
    if let Some(limit) = session.host.job_limit().filter(|limit| plan.wait.timeout >= *limit) {
        story.warnings.push(format!(
            "timeout is {}, but this host ends the job after {}: set it lower, so that the job can stop its runs and report",
            duration(plan.wait.timeout),
            duration(limit)
        ));
    }
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
}
