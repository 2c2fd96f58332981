//! What a check found out, as one value: shown as a table to people, or dumped as JSON for machines.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::config::Poll;
use crate::model::build::BuildSource;
use crate::model::units::{bytes, duration};
use crate::model::{Build, Permission, Platform, RunSpec, Target};
use crate::upload::reservation;

use super::context::Context;
use super::service_facts::{Known, deployment_configs};

/// What a check asked, and what it was told.
pub(super) struct Findings {
    /// The kind of the key.
    pub(super) key: &'static str,
    /// Each permission, whether it is needed, and what is known of it.
    pub(super) permissions: Vec<(Permission, bool, &'static str)>,
    /// The build that would be sent, and the stored one that would be used in its place.
    pub(super) build: Option<(Build, Option<String>)>,
    /// Names that stood in the plan, and the ids they became.
    pub(super) resolved: Vec<(String, String)>,
    /// What the service tells of what the plan names.
    pub(super) known: Known,
}

/// The value that is shown.
#[derive(Serialize)]
pub(super) struct CheckReport<'a> {
    schema_version: u32,
    settings: Vec<SettingLine<'a>>,
    names: Vec<ResolvedName<'a>>,
    key: &'static str,
    permissions: Vec<PermissionLine>,
    build: Option<BuildLine<'a>>,
    runs: Vec<RunLine<'a>>,
    #[serde(serialize_with = "seconds")]
    timeout_seconds: Option<Duration>,
    limits: Limits,
    warnings: &'a [String],
    #[serde(skip)]
    no_build: bool,
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
enum BuildLine<'a> {
    Given { id: &'a str },
    Upload(FileLine<'a>),
    Reuse(FileLine<'a>),
}

#[derive(Serialize)]
struct FileLine<'a> {
    id: Option<&'a str>,
    file_name: Option<&'a str>,
    platform: Option<&'static str>,
    size_bytes: Option<u64>,
    sha256: Option<&'a str>,
    name: &'a str,
    tags: &'a [String],
}

#[derive(Serialize)]
struct RunLine<'a> {
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
    named_configs: Vec<String>,
    agent_config: Option<&'a str>,
    agent_config_name: Option<&'a str>,
    retries: Option<u8>,
    instances: Option<u8>,
    all_configured_devices: bool,
    required: bool,
}

#[derive(Serialize)]
struct Limits {
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
        let permissions = findings.permissions.iter().map(|&(name, needed, standing)| PermissionLine {
            name,
            needed,
            standing,
        });
        Self {
            schema_version: 1,
            settings: settings.collect(),
            names: findings.resolved.iter().map(|(name, id)| ResolvedName { name, id }).collect(),
            key: findings.key,
            permissions: permissions.collect(),
            build: BuildLine::of(ctx, findings),
            runs: plan.runs.iter().map(|run| RunLine::of(run, &findings.known)).collect(),
            timeout_seconds: Some(plan.wait.timeout),
            limits: Limits::of(ctx, findings),
            warnings,
            no_build: plan.no_build,
        }
    }
}

impl<'a> BuildLine<'a> {
    fn of(ctx: &'a Context, findings: &'a Findings) -> Option<Self> {
        let spec = &ctx.plan.build;
        let Some((build, stored)) = &findings.build else {
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
        let sent = findings.build.as_ref().filter(|(_, stored)| stored.is_none());
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

impl fmt::Display for CheckReport<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "Settings (value, and where it came from)")?;
        for setting in &self.settings {
            let value = setting.value.replace('\n', " ");
            writeln!(out, "  {:<22} {value:<40} {}", setting.name, setting.source)?;
        }
        if !self.names.is_empty() {
            writeln!(out, "Names")?;
        }
        for ResolvedName { name, id } in &self.names {
            writeln!(out, "  {name:<22} {id}")?;
        }
        writeln!(out, "API key: {}", self.key)?;
        for PermissionLine { name, standing, .. } in &self.permissions {
            writeln!(out, "  {:<32} {standing:<26} to {}", name.as_str(), name.purpose())?;
        }
        match &self.build {
            Some(build) => build.fmt(out)?,
            None if self.no_build => writeln!(out, "Build: left out")?,
            None => writeln!(out, "Build: the one each deployment configuration picks")?,
        }
        writeln!(out, "Runs: {}", if self.runs.is_empty() { "none" } else { "would start" })?;
        for run in &self.runs {
            writeln!(out, "  {run}")?;
        }
        writeln!(out, "Time limits")?;
        self.limits.fmt(out)
    }
}

impl fmt::Display for BuildLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, file) = match self {
            Self::Given { id } => return writeln!(out, "Build: would use the stored build {id}"),
            Self::Upload(file) => ("would upload".to_owned(), file),
            Self::Reuse(file) => {
                let id = file.id.unwrap_or_default();
                (format!("would use {id}, which the service stores already, for"), file)
            }
        };
        writeln!(
            out,
            "Build: {verb} {} ({}, {}) as \"{}\"",
            file.file_name.unwrap_or_default(),
            bytes(file.size_bytes.unwrap_or_default()),
            file.platform.unwrap_or_default(),
            file.name
        )?;
        writeln!(out, "  sha256 {}", file.sha256.unwrap_or_default())?;
        if !file.tags.is_empty() {
            writeln!(out, "  tags   {}", file.tags.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for RunLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.name, self.target)?;
        if let Some(agent) = self.agent_config {
            write!(out, ", played by {}", with_name(agent, self.agent_config_name))?;
        }
        if !self.named_configs.is_empty() {
            write!(out, ", on {}", self.named_configs.join(", "))?;
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
        let mut line = |name: &str, value: &str| writeln!(out, "  {name:<22} {value}");
        let timeout = match self.timeout_seconds {
            Some(limit) if self.wait => format!("{} from the start to the last result", duration(limit)),
            _ => "the job does not wait".to_owned(),
        };
        line("timeout", &timeout)?;
        line("stall", &self.stall_seconds.map_or_else(|| "off".to_owned(), duration))?;
        if let Some(minutes) = self.upload_timeout_minutes {
            line("upload-timeout", &format!("{minutes} min for the upload"))?;
        }
        if let Some(limit) = self.host_seconds {
            line("this host's limit", &duration(limit))?;
        }
        Ok(())
    }
}
