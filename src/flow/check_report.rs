//! What a check found out, as one value: shown in lines to people, or dumped as JSON for machines.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::api::{Phase, Proof};
use crate::config::Poll;
use crate::model::build::BuildSource;
use crate::model::units::{bytes, duration};
use crate::model::{Build, Failure, Permission, Platform, RunSpec, Target};
use crate::upload::reservation;

use super::context::Context;
use super::preflight::Proofs;
use super::service_facts::{Known, deployment_configs};

/// What a check asked, and what it was told.
pub(super) struct Findings {
    /// The kind of the key.
    pub(super) key: &'static str,
    /// Permissions that this job needs.
    pub(super) needed: Vec<Permission>,
    /// What is known of each permission.
    pub(super) proofs: Result<Proofs, Failure>,
    /// The build that would be sent, and the stored one that would be used in its place.
    pub(super) build: Result<Option<(Build, Option<String>)>, Failure>,
    /// What a person should know of the build.
    pub(super) notes: Vec<String>,
    /// Names that stood in the plan, and the ids they became.
    pub(super) resolved: Result<Vec<(String, String)>, Failure>,
    /// What the service tells of what the plan names.
    pub(super) known: Known,
}

impl Findings {
    /// What fails the check: the build first, as it does before a run.
    pub(super) fn first_failure(&self) -> Option<Failure> {
        let proofs = self.proofs.as_ref().map_err(Clone::clone);
        let build = self.build.as_ref().err().cloned();
        let missing = || proofs.clone().and_then(|proofs| proofs.require(&self.needed)).err();
        let unresolved = || self.resolved.as_ref().err().cloned();
        build
            .or_else(missing)
            .or_else(unresolved)
            .or_else(|| self.known.require().err())
            .or_else(|| self.unknown())
    }

    /// A check that proved nothing at all is no check.
    pub(super) fn unknown(&self) -> Option<Failure> {
        let proofs = self.proofs.as_ref().ok()?;
        proofs.0.iter().find_map(|(permission, proof)| match proof {
            Proof::Unknown(error)
                if self.needed.contains(permission) && *permission != Permission::OperateRuns =>
            {
                Some(error.failure(Phase::Check))
            }
            _ => None,
        })
    }

    /// What is known of one permission, in words.
    fn standing(&self, permission: Permission) -> &'static str {
        let proofs = self.proofs.as_ref().ok();
        let proof = proofs.and_then(|proofs| proofs.0.iter().find(|(known, _)| *known == permission));
        match (self.needed.contains(&permission), proof) {
            (true, Some((_, Proof::Proved))) => "proved",
            (true, Some((_, Proof::Missing(_)))) => "missing",
            (false, Some((_, Proof::Proved))) => "there, but not needed",
            (false, Some((_, Proof::Missing(_)))) => "not there, and not needed",
            _ => "not known",
        }
    }

    fn built(&self) -> Option<&(Build, Option<String>)> {
        self.build.as_ref().ok().and_then(Option::as_ref)
    }
}

/// The value that is shown.
#[derive(Serialize)]
pub(super) struct CheckReport<'a> {
    schema_version: u32,
    settings: Vec<SettingLine<'a>>,
    names: Vec<ResolvedName<'a>>,
    key: &'static str,
    permissions: Vec<PermissionLine>,
    pub(super) build: Option<BuildLine<'a>>,
    pub(super) runs: Vec<RunLine<'a>>,
    #[serde(serialize_with = "seconds")]
    timeout_seconds: Option<Duration>,
    pub(super) limits: Limits,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct SettingLine<'a> {
    name: &'static str,
    value: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct ResolvedName<'a> {
    name: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct PermissionLine {
    name: Permission,
    needed: bool,
    standing: &'static str,
}

/// What becomes of the build.
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub(super) enum BuildLine<'a> {
    Given { id: &'a str },
    Upload(FileLine<'a>),
    Reuse(FileLine<'a>),
}

#[derive(Serialize)]
pub(super) struct FileLine<'a> {
    id: Option<&'a str>,
    file_name: Option<&'a str>,
    platform: Option<&'static str>,
    size_bytes: Option<u64>,
    sha256: Option<&'a str>,
    name: &'a str,
    tags: &'a [String],
}

#[derive(Serialize)]
pub(super) struct RunLine<'a> {
    name: &'a str,
    target: String,
    kind: &'static str,
    target_id: Option<&'a str>,
    target_name: Option<&'a str>,
    test_type: Option<&'a str>,
    quarantined_on_service: Option<bool>,
    #[serde(serialize_with = "seconds")]
    max_seconds: Option<Duration>,
    deployment_config: Option<&'a str>,
    deployment_config_name: Option<&'a str>,
    deployment_configs: Vec<&'a str>,
    /// The same with their names, for people.
    #[serde(skip)]
    pub(super) named_configs: Vec<String>,
    agent_config: Option<&'a str>,
    agent_config_name: Option<&'a str>,
    retries: Option<u8>,
    instances: Option<u8>,
    all_configured_devices: bool,
    required: bool,
}

#[derive(Serialize)]
pub(super) struct Limits {
    wait: bool,
    #[serde(serialize_with = "seconds")]
    timeout_seconds: Option<Duration>,
    #[serde(serialize_with = "seconds")]
    stall_seconds: Option<Duration>,
    #[serde(serialize_with = "seconds")]
    poll_seconds: Option<Duration>,
    /// Minutes that the service keeps the upload open.
    upload_timeout_minutes: Option<u16>,
    #[serde(serialize_with = "seconds")]
    host_seconds: Option<Duration>,
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs()).serialize(serializer)
}

impl<'a> CheckReport<'a> {
    /// What was found out about the plan.
    pub(super) fn of(ctx: &'a Context, findings: &'a Findings, warnings: &'a [String]) -> Self {
        let plan = &ctx.plan;
        let settings = plan.settings.iter().map(|setting| SettingLine {
            name: setting.name,
            value: &setting.value,
            source: &setting.source,
        });
        let permissions = Permission::ALL.map(|name| PermissionLine {
            name,
            needed: findings.needed.contains(&name),
            standing: findings.standing(name),
        });
        Self {
            schema_version: 1,
            settings: settings.collect(),
            names: findings.resolved.iter().flatten().map(|(name, id)| ResolvedName { name, id }).collect(),
            key: findings.key,
            permissions: permissions.into(),
            build: BuildLine::of(ctx, findings),
            runs: plan.runs.iter().map(|run| RunLine::of(run, &findings.known)).collect(),
            timeout_seconds: Some(plan.wait.timeout),
            limits: Limits::of(ctx, findings),
            warnings,
        }
    }
}

impl<'a> BuildLine<'a> {
    fn of(ctx: &'a Context, findings: &'a Findings) -> Option<Self> {
        let spec = &ctx.plan.build;
        let Some((build, stored)) = findings.built() else {
            return match &spec.source {
                BuildSource::Id(id) => Some(Self::Given { id }),
                BuildSource::None | BuildSource::Path(_) => None,
            };
        };
        let file = FileLine {
            id: stored.as_deref(),
            file_name: build.file_name.as_deref(),
            platform: build.platform.map(Platform::as_str),
            size_bytes: build.size_bytes,
            sha256: build.sha256.as_deref(),
            name: &spec.name,
            tags: &spec.tags,
        };
        Some(if stored.is_some() { Self::Reuse(file) } else { Self::Upload(file) })
    }
}

impl<'a> RunLine<'a> {
    fn of(run: &'a RunSpec, known: &'a Known) -> Self {
        let (kind, id) = match &run.target {
            Target::Test(id) => ("test", Some(id.as_str())),
            Target::Plan(id) => ("test_plan", Some(id.as_str())),
            Target::Instructions(_) => ("instructions", None),
        };
        let facts = id.and_then(|id| known.tests.get(id));
        let name = |id: Option<&str>| id.and_then(|id| known.names.get(id)).map(String::as_str);
        let target = match &run.target {
            Target::Test(id) => format!("{} {}", test_words(id, known), with_name(id, name(Some(id)))),
            Target::Plan(id) => format!("test plan {}", with_name(id, name(Some(id)))),
            Target::Instructions(words) => format!("one-off: {}", words.lines().next().unwrap_or_default()),
        };
        let configs: Vec<&str> = deployment_configs(run).map(String::as_str).collect();
        Self {
            name: &run.label,
            target,
            kind,
            target_id: id,
            target_name: name(id),
            test_type: facts.and_then(|facts| facts.kind.as_deref()),
            quarantined_on_service: facts.map(|facts| facts.quarantined),
            max_seconds: facts.and_then(|facts| facts.longest),
            deployment_config: run.deployment_config.as_deref(),
            deployment_config_name: name(run.deployment_config.as_deref()),
            named_configs: configs.iter().map(|id| with_name(id, name(Some(id)))).collect(),
            deployment_configs: configs,
            agent_config: run.agent_config.as_deref(),
            agent_config_name: name(run.agent_config.as_deref()),
            retries: run.retries,
            instances: run.instances,
            all_configured_devices: run.all_configured_devices,
            required: run.required,
        }
    }
}

impl Limits {
    fn of(ctx: &Context, findings: &Findings) -> Self {
        let wait = &ctx.plan.wait;
        let sent = findings.built().filter(|(_, stored)| stored.is_none());
        let size = sent.and_then(|(build, _)| build.size_bytes);
        Self {
            wait: wait.enabled,
            timeout_seconds: Some(wait.timeout),
            stall_seconds: wait.stall,
            poll_seconds: match wait.poll {
                Poll::Auto => None,
                Poll::Every(every) => Some(every),
            },
            upload_timeout_minutes: size.map(|size| reservation(size, ctx.plan.build.upload_timeout_minutes)),
            host_seconds: ctx.host.job_limit(),
        }
    }
}

/// An id with its name, when that is known.
fn with_name(id: &str, name: Option<&str>) -> String {
    name.map_or_else(|| id.to_owned(), |name| format!("\"{name}\" ({id})"))
}

/// `test`, or with what the service tells of it: `quarantined discovery test`.
fn test_words(id: &str, known: &Known) -> String {
    let facts = known.tests.get(id);
    let mut words = Vec::new();
    if facts.is_some_and(|facts| facts.quarantined) {
        words.push("quarantined");
    }
    words.extend(facts.and_then(|facts| facts.kind.as_deref()));
    words.push("test");
    words.join(" ")
}

impl fmt::Display for BuildLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, file) = match self {
            Self::Given { id } => return write!(out, "would use the stored build {id}"),
            Self::Upload(file) => ("would upload".to_owned(), file),
            Self::Reuse(file) => {
                let id = file.id.unwrap_or_default();
                (format!("would use {id}, which the service stores already, for"), file)
            }
        };
        write!(
            out,
            "{verb} {} ({}, {}) as \"{}\"",
            file.file_name.unwrap_or_default(),
            bytes(file.size_bytes.unwrap_or_default()),
            file.platform.unwrap_or_default(),
            file.name
        )?;
        if !file.tags.is_empty() {
            write!(out, ", tags {}", file.tags.join(", "))?;
        }
        write!(out, "\nsha256 {}", file.sha256.unwrap_or_default())
    }
}

impl fmt::Display for RunLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.name, self.target)?;
        if let Some(agent) = self.agent_config {
            write!(out, ", played by {}", with_name(agent, self.agent_config_name))?;
        }
        if let Some(retries) = self.retries.filter(|&retries| retries > 0) {
            write!(out, ", up to {retries} more attempts")?;
        }
        if let Some(instances) = self.instances.filter(|&instances| instances > 1) {
            write!(out, ", {instances} times")?;
        }
        if self.all_configured_devices {
            out.write_str(", on every configured device")?;
        }
        if !self.required {
            out.write_str(", cannot fail the job")?;
        }
        Ok(())
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timeout_seconds {
            Some(limit) if self.wait => {
                write!(out, "{} from the start to the last result", duration(limit))?;
            }
            _ => out.write_str("the job does not wait")?,
        }
        if let Some(stall) = self.stall_seconds {
            write!(out, ", {} without a change", duration(stall))?;
        }
        if let Some(minutes) = self.upload_timeout_minutes {
            write!(out, ", {minutes} min for the upload")?;
        }
        if let Some(limit) = self.host_seconds {
            write!(out, "; this host ends the job after {}", duration(limit))?;
        }
        Ok(())
    }
}
