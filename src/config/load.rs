//! All the user said becomes one [`Plan`].

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use secrecy::{ExposeSecret as _, SecretString};

use crate::model::build::BuildSource;
use crate::model::run::RunOptions;
use crate::model::run_report::{Confidence, Context, Severity};
use crate::model::verdict::{BugGate, FailOn, Gate};
use crate::model::{BuildSpec, Env, Failure, Reason, RunSpec, Target};

use super::args::Args;
use super::build;
use super::file::{self, FileConfig};
use super::key;
use super::layers::Layers;
use super::plan::{Artifacts, Command, OnEnd, OnMissingToken, Plan, Poll, ReportPlan, Wait};
use super::resolve::Resolver;
use super::values;
use super::yaml::{Document, LARGEST};

/// Folder for results when nothing else is said.
const RESULTS: &str = "nunu-results";

/// The results folder as far as it can be told without a plan: reports of wrong input go there too.
#[must_use]
pub fn results_dir(args: &Args, env: &Env, cwd: &Path) -> PathBuf {
    let layers = Layers { args, env };
    cwd.join(layers.get("results-dir").map_or_else(|| RESULTS.to_owned(), |found| found.value))
}

/// The origin of the service, for commands that work without a plan.
///
/// # Errors
/// What is wrong with the setting `api-url`.
pub fn origin_of(args: &Args, env: &Env) -> Result<String, String> {
    let layers = Layers { args, env };
    layers
        .get("api-url")
        .map_or_else(|| Ok("https://nunu.ai".to_owned()), |found| values::origin(&found.value))
}

/// Makes the plan; `context` fills templates and derived names.
///
/// # Errors
/// Every problem with what the user said, at once.
pub fn plan(
    args: &Args,
    env: &Env,
    cwd: &Path,
    context: &Context,
    today: NaiveDate,
) -> Result<Plan, Failure> {
    let layers = Layers { args, env };
    let mut problems = Vec::new();
    let source = run_config(&layers, cwd, &mut problems);
    let (mut document, mut config) = (None, FileConfig::default());
    if let Some((name, text)) = &source {
        match Document::parse(name, text, env) {
            Ok(mut parsed) => {
                config = file::read(&mut parsed);
                document = Some(parsed);
            }
            Err(problem) => {
                return Err(Failure::new(Reason::InvalidConfig, problem)
                    .hint("nunu-ci init writes a run config to start from"));
            }
        }
    }
    let notices = layers.misspelt();
    let mut resolver = Resolver {
        layers,
        file: config,
        document,
        problems,
        special: Vec::new(),
        settings: Vec::new(),
        notices,
    };
    let found = key::find(args, env, cwd);
    resolver.problems.extend(found.problem);
    resolver.notices.extend(found.notices);
    let plan = assemble(&mut resolver, args, env, cwd, context, today, found.key);
    resolver.verdict()?;
    resolver.record_defaults();
    let token = if plan.key.is_some() { "***" } else { "-" };
    let token_source = if found.source.is_empty() { "default".to_owned() } else { found.source };
    let mut settings =
        vec![super::plan::Setting { name: "api-token", value: token.to_owned(), source: token_source }];
    settings.append(&mut resolver.settings);
    for setting in &mut settings {
        if setting.name == "github-token" && setting.value != "-" {
            "***".clone_into(&mut setting.value);
        }
    }
    Ok(Plan { settings, notices: resolver.notices, ..plan })
}

/// Name and text of the run config, when there is one.
fn run_config(layers: &Layers<'_>, cwd: &Path, problems: &mut Vec<String>) -> Option<(String, String)> {
    let Some(found) = layers.get("run-config") else {
        let name = [".nunu/run.yml", ".nunu/run.yaml"].into_iter().find(|name| cwd.join(name).is_file())?;
        return read_file(name, name, ".nunu", cwd, problems);
    };
    if found.value.contains('\n') || found.value.trim_start().starts_with('{') {
        return Some(("run-config".to_owned(), found.value));
    }
    let name = found.value.trim();
    read_file(name, name, &found.source.to_string(), cwd, problems)
}

fn read_file(
    name: &str,
    path: &str,
    source: &str,
    cwd: &Path,
    problems: &mut Vec<String>,
) -> Option<(String, String)> {
    let path = cwd.join(path);
    let mut complain = |what: String| problems.push(format!("run-config (from {source}): {what}"));
    match fs::metadata(&path) {
        Ok(about) if about.len() > LARGEST as u64 => {
            complain(format!("{name} is larger than {LARGEST} bytes, which no run config is"));
            return None;
        }
        Ok(about) if about.is_dir() => {
            complain(format!("{name} is a folder; name the file in it"));
            return None;
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            complain(format!("there is no {name} in {}; nunu-ci init writes one", cwd.display()));
            return None;
        }
        Err(error) => {
            complain(format!("cannot read {name}: {error}"));
            return None;
        }
    }
    match fs::read(&path).map(String::from_utf8) {
        Ok(Ok(text)) => Some((name.to_owned(), text)),
        Ok(Err(_)) => {
            complain(format!("{name} is not UTF-8 text"));
            None
        }
        Err(error) => {
            complain(format!("cannot read {name}: {error}"));
            None
        }
    }
}

fn assemble(
    resolver: &mut Resolver<'_>,
    args: &Args,
    env: &Env,
    cwd: &Path,
    context: &Context,
    today: NaiveDate,
    key: Option<SecretString>,
) -> Plan {
    let command = command(resolver, args);
    let date = today.format("%Y-%m-%d").to_string();
    let origin = resolver.parsed("api-url", values::origin).unwrap_or_else(|| "https://nunu.ai".to_owned());
    let project_id = project(resolver, key.as_ref());
    let build = build::build(resolver, command, cwd, context, &date);
    let runs = runs(resolver, command, &build);
    let job_ids = resolver.items("job-ids").map(|(items, _)| items).unwrap_or_default();
    check_ids(resolver, "job-ids", &job_ids);
    let wait = wait(resolver);
    let gate = Gate { fail_on: fail_on(resolver), quarantine: std::mem::take(&mut resolver.file.quarantine) };
    let report = report(resolver, env, cwd);
    let on_missing_token = resolver
        .word("on-missing-token", &[("fail", OnMissingToken::Fail), ("skip", OnMissingToken::Skip)])
        .unwrap_or_default();
    resolver.switch("verbose");
    Plan {
        command,
        key,
        on_missing_token,
        origin,
        project_id,
        build,
        runs,
        wait,
        gate,
        report,
        job_ids,
        dry_run: resolver.switch("dry-run"),
        best_effort: args.best_effort,
        settings: Vec::new(),
        notices: Vec::new(),
    }
}

fn command(resolver: &mut Resolver<'_>, args: &Args) -> Command {
    let words = Command::ALL.map(|command| (command.as_str(), command));
    let set = resolver.word("command", &words);
    args.command.or(set).unwrap_or_default()
}

fn project(resolver: &mut Resolver<'_>, key: Option<&SecretString>) -> Option<String> {
    let project = resolver.parsed("project-id", |text| {
        let good = text.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if good {
            Ok(text.trim().to_owned())
        } else {
            Err(format!("\"{}\" is not a project id: copy it from the dashboard's address", text.trim()))
        }
    });
    let organisation = key.is_some_and(|key| key.expose_secret().starts_with("nunu_org_"));
    if organisation
        && project.is_none()
        && !resolver.problems.iter().any(|problem| problem.starts_with("project-id"))
    {
        resolver.problems.push("project-id (not set): an organisation key (nunu_org_...) works only with the project's id; copy it from the dashboard's address".to_owned());
    }
    project
}

fn runs(resolver: &mut Resolver<'_>, command: Command, build: &BuildSpec) -> Vec<RunSpec> {
    let tests = resolver.items("test-id");
    let plans = resolver.items("test-plan-id");
    let deployment = resolver.text("deployment-config-id");
    if !matches!(command, Command::Run | Command::Start | Command::Check) {
        return Vec::new();
    }
    let quick = |items: Vec<String>, target: fn(String) -> Target| -> Vec<RunSpec> {
        items.into_iter().map(|id| quick_start(target(id))).collect()
    };
    let from_file = tests.is_none() && plans.is_none();
    let mut runs = match (tests, plans) {
        (Some((_, by)), Some((_, with))) if by.layer() == with.layer() => {
            resolver.problems.push(format!("test-plan-id (from {with}): excludes test-id (from {by}): keep one, or list both in a run config"));
            return Vec::new();
        }
        (Some((items, by)), Some((_, with))) if by.layer() < with.layer() => quick(items, Target::Test),
        (Some((items, _)), None) => quick(items, Target::Test),
        (_, Some((items, _))) => quick(items, Target::Plan),
        (None, None) => std::mem::take(&mut resolver.file.runs),
    };
    let broken_file = resolver.document.as_ref().is_some_and(|document| !document.problems.is_empty());
    let may_have_none = command == Command::Check && build.source != BuildSource::None;
    let broken_config =
        broken_file || resolver.problems.iter().any(|problem| problem.starts_with("run-config"));
    if runs.is_empty() && !broken_config && !may_have_none {
        resolver.problems.push("test-id (not set): there is nothing to start; set test-id or test-plan-id, or list runs in a run config (.nunu/run.yml)".to_owned());
    }
    let mut seen = std::collections::BTreeSet::new();
    for (index, run) in runs.iter_mut().enumerate() {
        if run.deployment_config.is_none() {
            run.deployment_config.clone_from(&deployment);
        }
        if !seen.insert(run.label.clone()) {
            run.label = format!("{} ({})", run.label, index + 1);
        }
        if run.deployment_config.is_none() && run.players.is_empty() && run.slots.is_empty() {
            let what = "names no deployment configuration; set deployment-config-id, or deployment_config in the run config";
            match &mut resolver.document {
                // A misspelt key explains it already.
                Some(_) if from_file && broken_file => {}
                Some(document) if from_file => document.problem(&format!("runs[{index}]"), what),
                _ => resolver.problems.push(format!("{}: {what}", run.label)),
            }
        }
    }
    runs
}

/// A run that is only named, with everything else as the service has it.
fn quick_start(target: Target) -> RunSpec {
    RunSpec {
        label: target.value().to_owned(),
        target,
        deployment_config: None,
        agent_config: None,
        tags: Vec::new(),
        retries: None,
        instances: None,
        template_data: None,
        options: RunOptions::default(),
        extra_builds: std::collections::BTreeMap::new(),
        all_configured_devices: false,
        players: std::collections::BTreeMap::new(),
        slots: std::collections::BTreeMap::new(),
        required: true,
    }
}

fn check_ids(resolver: &mut Resolver<'_>, name: &str, ids: &[String]) {
    for id in ids {
        if id.len() > 100
            || id.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '/')
        {
            resolver
                .problems
                .push(format!("{name}: \"{}\" is not a job id", id.chars().take(60).collect::<String>()));
        }
    }
}

fn wait(resolver: &mut Resolver<'_>) -> Wait {
    let on_end = [("stop", OnEnd::Stop), ("leave", OnEnd::Leave)];
    let at_least_a_second = |text: &str| {
        values::duration(text).and_then(|span| {
            if span < Duration::from_secs(1) { Err("has to be at least 1s".to_owned()) } else { Ok(span) }
        })
    };
    Wait {
        enabled: resolver.switch("wait"),
        timeout: resolver
            .parsed("timeout", at_least_a_second)
            .unwrap_or(Duration::from_secs(3 * 3600 + 1800)),
        poll: resolver
            .parsed("poll", |text| {
                if text.trim() == "auto" { Ok(Poll::Auto) } else { at_least_a_second(text).map(Poll::Every) }
            })
            .unwrap_or_default(),
        on_timeout: resolver.word("on-timeout", &on_end).unwrap_or_default(),
        on_cancel: resolver.word("on-cancel", &on_end).unwrap_or_default(),
        stall: resolver
            .parsed("stall", |text| {
                if ["off", "false"].contains(&text.trim()) {
                    Ok(None)
                } else {
                    at_least_a_second(text).map(Some)
                }
            })
            .flatten(),
    }
}

fn fail_on(resolver: &mut Resolver<'_>) -> FailOn {
    let Some((items, source)) = resolver.items("fail-on") else { return FailOn::default() };
    let mut fail_on = FailOn {
        failed: false,
        error: false,
        timeout: false,
        blocked: false,
        stopped: false,
        skipped: false,
        bugs: Vec::new(),
    };
    for item in items {
        match item.to_ascii_lowercase().as_str() {
            "failed" => fail_on.failed = true,
            "error" => fail_on.error = true,
            "timeout" => fail_on.timeout = true,
            "blocked" => fail_on.blocked = true,
            "stopped" => fail_on.stopped = true,
            "skipped" => fail_on.skipped = true,
            word => match word.strip_prefix("bugs:").map(bug_gate) {
                Some(Some(gate)) => fail_on.bugs.push(gate),
                Some(None) => resolver.complain(
                    "fail-on",
                    &source,
                    &format!("\"{item}\": write bugs:<severity>[:<confidence>] with low, medium, high or critical, and low, medium or high"),
                ),
                None => {
                    let known = ["failed", "error", "timeout", "blocked", "stopped", "skipped", "bugs:high"];
                    let near = values::nearest(word, known);
                    let near = near.map_or_else(|| format!("known are {}", known.join(", ")), |near| format!("did you mean {near}?"));
                    resolver.complain("fail-on", &source, &format!("\"{item}\" is nothing that can fail the job; {near}"));
                }
            },
        }
    }
    fail_on
}

fn bug_gate(words: &str) -> Option<BugGate> {
    let (severity, confidence) = words.split_once(':').unwrap_or((words, "low"));
    Some(BugGate {
        severity: match severity.trim() {
            "low" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            "critical" => Severity::Critical,
            _ => return None,
        },
        confidence: match confidence.trim() {
            "low" => Confidence::Low,
            "medium" => Confidence::Medium,
            "high" => Confidence::High,
            _ => return None,
        },
    })
}

fn report(resolver: &mut Resolver<'_>, env: &Env, cwd: &Path) -> ReportPlan {
    let dir = resolver.text("results-dir").unwrap_or_else(|| RESULTS.to_owned());
    let comment = resolver.switch("comment");
    let github_token =
        resolver.text("github-token").or_else(|| env.get("NUNU_GITLAB_TOKEN").map(str::to_owned));
    ReportPlan {
        dir: cwd.join(dir),
        artifacts: artifacts(resolver),
        annotations: resolver.parsed("annotations", |text| number(text, 0, 10)).unwrap_or(10),
        comment,
        github_token: github_token.map(SecretString::from),
    }
}

fn artifacts(resolver: &mut Resolver<'_>) -> Artifacts {
    let Some((items, source)) = resolver.items("artifacts") else { return Artifacts::None };
    match items.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["none"] => Artifacts::None,
        ["failed"] => Artifacts::Failed,
        ["all"] => Artifacts::All,
        globs => {
            for &pattern in globs {
                if let Err(error) = glob::Pattern::new(pattern) {
                    resolver.complain(
                        "artifacts",
                        &source,
                        &format!("\"{pattern}\" is not a glob: {}", error.msg),
                    );
                }
            }
            Artifacts::Globs(items)
        }
    }
}

pub(super) fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("\"{}\" is not a whole number from {least} to {most}", text.trim()))
}

pub(super) fn whole_minutes(text: &str) -> Result<u16, String> {
    let span = values::duration(text)?;
    let wrong = || format!("\"{}\" is not a number of whole minutes from 1 to 1440", text.trim());
    if span.as_secs() % 60 != 0 {
        return Err(wrong());
    }
    u16::try_from(span.as_secs() / 60).ok().filter(|minutes| (1..=1440).contains(minutes)).ok_or_else(wrong)
}
