//! All the user said becomes one [`Plan`].

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use secrecy::{ExposeSecret as _, SecretString};

use crate::model::run_report::Context;
use crate::model::service::{KeyKind, SERVICE};
use crate::model::verdict::Gate;
use crate::model::{Env, Failure, Workspace, may_be_id};

use super::args::Args;
use super::build;
use super::file::{self, FileConfig, Raw};
use super::gate::{baseline, fail_on};
use super::key;
use super::layers::{Layers, Source};
use super::plan::{Artifacts, Command, OnEnd, OnMissingToken, Plan, Poll, ReportPlan, Wait};
use super::rerun::rerun;
use super::resolve::Resolver;
use super::secret_names::is_secret_setting;
use super::settings::default_of;
use super::source::{self, RunConfig, run_config, run_config_again};
use super::targets::{check_ids, runs};
use super::values::{self, at_least_a_second};
use super::variables::{SHORTEST_SECRET, Variables};
use super::yaml::{Document, Placed};

/// A key of that many bytes does not stand in another value by chance.
const SURELY_A_KEY: usize = 16;

/// What `stop` cannot do without; whatever else is wrong must not keep it from stopping what costs money.
const NEEDED_TO_STOP: [&str; 7] =
    ["api-token", "token-file", "api-url", "project-id", "job-ids", "command", "on-missing-token"];

/// The results folder as far as it can be told without a plan: reports of wrong input go there too. `None` where the repository's
/// content leads out of the workspace.
pub(crate) fn results_dir(args: &Args, env: &Env, cwd: &Path) -> Option<PathBuf> {
    let layers = Layers::new(args, env);
    if let Some(found) = layers.get("results-dir") {
        return Some(cwd.join(found.value.trim()));
    }
    let workspace = Workspace::find(env, cwd);
    let in_file = match run_config_again(&layers, cwd, &workspace) {
        RunConfig::Text { text, .. } => Document::parse(&text, &Variables::of(&layers).0)
            .ok()
            .and_then(|document| Some(document.root.get("report")?.get("dir")?.as_str()?.trim().to_owned())),
        _ => None,
    };
    // A variable that is missing must not become the name of a folder, and what leads elsewhere was refused.
    let in_file = in_file
        .filter(|dir| !dir.is_empty() && !dir.contains("${"))
        .map(|dir| cwd.join(dir))
        .filter(|dir| workspace.holds(dir));
    in_file.or_else(|| Some(cwd.join(default_results_dir())).filter(|dir| workspace.holds(dir)))
}

fn default_results_dir() -> String {
    default_of("results-dir", |text| Ok(text.to_owned()))
}

/// The command as far as it can be told without a plan; `None` when nothing names one, or not a known one.
pub(crate) fn command_of(args: &Args, env: &Env) -> Option<Command> {
    let layers = Layers::new(args, env);
    args.command.or_else(|| Command::parse(layers.get("command")?.value.trim()))
}

/// True when nobody said anything: no flag, no variable of ours, no run config in its usual place.
pub(crate) fn is_silent(args: &Args, env: &Env, cwd: &Path) -> bool {
    let ours = |name: &str| ["NUNU_", "INPUT_"].iter().any(|begins| name.starts_with(begins));
    let variables = env.iter().any(|(name, value)| ours(name) && !value.is_empty());
    *args == Args::default() && !variables && source::usual(cwd).is_none()
}

/// True when every detail is asked for, as far as it can be told without a plan.
pub(crate) fn is_verbose(args: &Args, env: &Env) -> bool {
    Layers::new(args, env).get("verbose").is_some_and(|found| values::boolean(&found.value) == Ok(true))
}

/// Whom to ask as whom, for commands that work without a plan.
#[derive(Debug)]
pub(crate) struct Access {
    /// Origin of the service.
    pub(crate) origin: String,
    /// What named it.
    pub(crate) origin_source: String,
    /// The API key, from every place where `run` looks for it.
    pub(crate) key: Option<SecretString>,
    /// Project, when named.
    pub(crate) project_id: Option<String>,
    /// Things a person should know about the key.
    pub(crate) notices: Vec<String>,
}

/// Whom to ask as whom.
pub(crate) fn access(args: &Args, env: &Env, cwd: &Path) -> Result<Access, String> {
    let layers = Layers::new(args, env);
    let (origin, origin_source) = match layers.address()? {
        Some(found) => {
            let source = found.source.to_string();
            (values::origin(&found.value).map_err(|what| format!("api-url (from {source}): {what}"))?, source)
        }
        None => (SERVICE.to_owned(), Source::Default.to_string()),
    };
    let found = key::find(args, env, cwd);
    if let Some(problem) = found.problem {
        return Err(problem);
    }
    let project_id = layers.get("project-id").map(|found| found.value.trim().to_owned());
    Ok(Access { origin, origin_source, key: found.key, project_id, notices: found.notices })
}

/// Makes the plan; `context` fills templates and derived names. `learn` is told every secret that the run config takes in, before
/// anything that could quote it is said.
pub(crate) fn plan(
    args: &Args,
    env: &Env,
    cwd: &Path,
    context: &Context,
    today: NaiveDate,
    mut learn: impl FnMut(&str),
) -> Result<Plan, Failure> {
    let layers = Layers::new(args, env);
    let workspace = Workspace::find(env, cwd);
    let source = run_config(&layers, cwd, &workspace);
    let (variables, wrong) = Variables::of(&layers);
    let mut notices = layers.misspelt();
    notices.extend(layers.inputs_in_vain());
    let mut resolver = Resolver {
        layers,
        file: FileConfig::default(),
        document: None,
        problems: Vec::new(),
        file_problems: Vec::new(),
        special: Vec::new(),
        settings: Vec::new(),
        notices,
        remarks: Vec::new(),
        workspace,
    };
    for (source, what) in wrong {
        resolver.complain("config-env", &source, &what);
    }
    resolver.items("config-env");
    take_in(&mut resolver, &source, &variables, &mut learn);
    let found = key::find(args, env, cwd);
    resolver.problems.extend(found.problem);
    resolver.notices.extend(found.notices);
    let plan = assemble(&mut resolver, args, cwd, context, today, found.key);
    if let Some(key) = &plan.key {
        refuse_the_key_elsewhere(&mut resolver, key.expose_secret());
    }
    if plan.command == Command::Stop {
        resolver.forgive(&NEEDED_TO_STOP);
    }
    resolver.verdict()?;
    resolver.record_defaults();
    let token = if plan.key.is_some() { "***" } else { "-" };
    let token_source = if found.source.is_empty() { "default".to_owned() } else { found.source };
    let mut settings =
        vec![super::plan::Setting { name: "api-token", value: token.to_owned(), source: token_source }];
    settings.append(&mut resolver.settings);
    for setting in &mut settings {
        if is_secret_setting(setting.name) && setting.value != "-" {
            "***".clone_into(&mut setting.value);
        }
    }
    Ok(Plan { settings, notices: resolver.notices, remarks: resolver.remarks, ..plan })
}

/// The key in another setting would reach the state file, the reports and the service's records.
fn refuse_the_key_elsewhere(resolver: &mut Resolver<'_>, key: &str) {
    let holds = |value: &str| value.trim() == key || (key.len() >= SURELY_A_KEY && value.contains(key));
    for setting in resolver.settings.iter().filter(|setting| holds(&setting.value)) {
        resolver.problems.push(format!(
            "{} (from {}): holds the API key, which belongs into api-token alone",
            setting.name, setting.source
        ));
    }
}

/// Reads the run config, when there is one.
fn take_in<'a>(
    resolver: &mut Resolver<'a>,
    source: &'a RunConfig,
    variables: &Variables<'_>,
    learn: &mut impl FnMut(&str),
) {
    match source {
        RunConfig::None => resolver.record("run-config", "-".to_owned(), &Source::Default),
        RunConfig::Text { text, source } => {
            resolver.record("run-config", text.name.clone(), source);
            match Document::parse(text, variables) {
                Ok(mut document) => {
                    resolver.file = file::read(&mut document);
                    let (secret, plain): (Vec<_>, Vec<_>) =
                        std::mem::take(&mut document.let_in).into_iter().partition(Placed::is_secret);
                    for placed in secret {
                        learn(&placed.value.value);
                    }
                    for Placed { value, path } in plain {
                        resolver.remarks.push(format!("config-env: the value of {} in {path} is not kept secret; only one of {SHORTEST_SECRET} characters or more in template_data or instructions is", value.name));
                    }
                    resolver.document = Some(document);
                }
                Err(problem) => resolver.file_problems.push(problem),
            }
        }
        RunConfig::Missing(why) => resolver.problems.push(why.clone()),
        RunConfig::Unreadable(why) => resolver.file_problems.push(why.clone()),
    }
}

fn assemble(
    resolver: &mut Resolver<'_>,
    args: &Args,
    cwd: &Path,
    context: &Context,
    today: NaiveDate,
    key: Option<SecretString>,
) -> Plan {
    let command = command(resolver, args);
    let date = today.format("%Y-%m-%d").to_string();
    if let Err(problem) = resolver.layers.address() {
        resolver.problems.push(problem);
    }
    let origin = resolver.value("api-url", values::origin);
    let project_id = project(resolver, key.as_ref());
    let build = build::build(resolver, command, cwd, context, &date, args.no_build);
    let mut runs = runs(resolver, command, &build);
    let rerun = rerun(resolver, command, cwd, &mut runs);
    let job_ids = job_ids(resolver, args.best_effort);
    let wait = wait(resolver);
    let gate = Gate { fail_on: fail_on(resolver), quarantine: std::mem::take(&mut resolver.file.quarantine) };
    let baseline = resolver.value("baseline", baseline);
    let report = report(resolver, cwd);
    let on_missing_token = resolver.value(
        "on-missing-token",
        values::one_of(&[("fail", OnMissingToken::Fail), ("skip", OnMissingToken::Skip)]),
    );
    resolver.switch("verbose");
    Plan {
        command,
        key,
        on_missing_token,
        origin,
        project_id,
        build,
        runs,
        rerun,
        wait,
        gate,
        baseline,
        report,
        job_ids,
        dry_run: resolver.switch("dry-run"),
        best_effort: args.best_effort,
        no_build: args.no_build,
        settings: Vec::new(),
        notices: Vec::new(),
        remarks: Vec::new(),
    }
}

fn command(resolver: &mut Resolver<'_>, args: &Args) -> Command {
    if let Some(command) = args.command {
        resolver.record("command", command.as_str().to_owned(), &Source::CommandLine);
        return command;
    }
    let words = Command::ALL.map(|command| (command.as_str(), command));
    resolver.value("command", values::one_of(&words))
}

/// The jobs that `wait` and `stop` are told of. The safety net takes no ids from a variable: what an earlier job of the pipeline
/// handed on is none of its business.
fn job_ids(resolver: &mut Resolver<'_>, best_effort: bool) -> Vec<String> {
    let Some((ids, source)) = resolver.items("job-ids") else { return Vec::new() };
    if let (true, Source::Variable(name)) = (best_effort, &source) {
        resolver.notices.push(format!("job-ids (from {name}): stop --best-effort ends what this job left open and ignores this variable; to stop those jobs too write nunu-ci stop --best-effort --job-ids \"${name}\""));
        return Vec::new();
    }
    check_ids(resolver, "job-ids", &source, &ids);
    ids
}

fn project(resolver: &mut Resolver<'_>, key: Option<&SecretString>) -> Option<String> {
    let set = resolver.found("project-id").is_some();
    let project = resolver.parsed("project-id", |text| {
        let text = text.trim();
        if text.is_empty() || may_be_id(text) {
            Ok(text.to_owned())
        } else {
            Err(format!("\"{text}\" is not a project id: copy it from the dashboard's address"))
        }
    });
    let organisation = key.is_some_and(|key| KeyKind::of(key.expose_secret()) == KeyKind::Organisation);
    if organisation && !set {
        resolver.problems.push("project-id (not set): an organisation key (nunu_org_...) works only with the project's id; copy it from the dashboard's address".to_owned());
    }
    project.filter(|project| !project.is_empty())
}

/// A bare number means minutes; where that is hardly what was meant, it is said.
fn bare_numbers(resolver: &mut Resolver<'_>) {
    for (name, suspicious) in [("poll", 2), ("stall", 240), ("timeout", 600)] {
        let Some((Raw::Text(text), source)) = resolver.found(name) else { continue };
        let text = text.trim();
        if text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse().is_ok_and(|number: u64| number >= suspicious)
        {
            resolver.notices.push(format!("{name} (from {source}): {text} without a unit means {text} minutes; write {text}s if seconds are meant"));
        }
    }
}

fn wait(resolver: &mut Resolver<'_>) -> Wait {
    let on_end = [("stop", OnEnd::Stop), ("leave", OnEnd::Leave)];
    bare_numbers(resolver);
    Wait {
        enabled: resolver.switch("wait"),
        timeout: resolver.value("timeout", at_least_a_second),
        poll: resolver.value("poll", |text| match text.trim() {
            "auto" => Ok(Poll::Auto),
            every => at_least_a_second(every).map(Poll::Every),
        }),
        on_timeout: resolver.value("on-timeout", values::one_of(&on_end)),
        on_cancel: resolver.value("on-cancel", values::one_of(&on_end)),
        stall: resolver.value("stall", |text| match text.trim() {
            "off" | "false" => Ok(None),
            span => at_least_a_second(span).map(Some),
        }),
    }
}

fn report(resolver: &mut Resolver<'_>, cwd: &Path) -> ReportPlan {
    let source = resolver.found("results-dir").map_or(Source::Default, |(_, source)| source);
    let dir = resolver.text("results-dir").unwrap_or_else(default_results_dir);
    if matches!(source, Source::File(_) | Source::Default) && !resolver.in_workspace(&cwd.join(&dir)) {
        let what = resolver.leads_out(&dir, "results-dir");
        resolver.complain("results-dir", &source, &what);
    }
    let comment = resolver.switch("comment");
    let github_token = resolver.text("github-token");
    ReportPlan {
        dir: cwd.join(dir),
        artifacts: artifacts(resolver),
        annotations: resolver.value("annotations", |text| values::number(text, 0, 10)),
        comment,
        github_token: github_token.map(SecretString::from),
    }
}

fn artifacts(resolver: &mut Resolver<'_>) -> Artifacts {
    let (items, source) = resolver.items_or_default("artifacts");
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
