//! From arguments and environment to a reason to exit with.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use crate::api::Api;
use crate::ci::{Host, Loudness, stream};
use crate::config::{self, Args, Command, OnMissingToken, Parsed, Plan};
use crate::http::{Net, detours, install_crypto};
use crate::model::run_report::Context;
use crate::model::secrets::Owner;
use crate::model::{Env, ExitReason, Failure, Log, Secrets, Workspace};
use crate::report;

use super::cancel::Cancel;
use super::deliver::Told;
use super::finish::{self, Began};
use super::session::{Session, longest_silence};
use super::state::{Place, StateFile};
use super::story::Story;
use super::tags::invocation_tag;
use super::{bug, commands, forge, init, recorded, wrong};

/// For somebody who typed the program's name to see what it is. Nothing was tested, so the exit code is not 0.
const GREETING: &str = "\
nunu-ci uploads a build to nunu.ai, lets AI agents play-test it on real devices, and lets the result decide your CI job.

There is no run config (.nunu/run.yml) in this folder, and no setting, so there is nothing to do yet. To begin:

  nunu-ci init     write a run config and a workflow for your CI
  nunu-ci check    tell what would happen, and whether the API key is good for it; changes nothing
  nunu-ci help     all commands; nunu-ci help run: every setting";

/// Everything around the plan.
pub(super) struct Surroundings {
    pub(super) args: Args,
    /// False when the command line could not be understood.
    pub(super) understood: bool,
    pub(super) env: Env,
    pub(super) cwd: PathBuf,
    pub(super) host: Host,
    pub(super) context: Context,
    pub(super) secrets: Secrets,
    pub(super) log: Log,
    pub(super) cancel: Cancel,
    pub(super) began: Began,
}

/// Runs one invocation, with the program's name first in the command line; always ends in a reason.
pub(super) async fn run(command_line: &[String], env: Env, cwd: PathBuf, cancel: Cancel) -> ExitReason {
    let began = Began::now();
    let secrets = Secrets::default();
    let parsed = config::parse(command_line);
    let args = match &parsed {
        Ok(Parsed::Help(text)) => {
            print(text);
            return ExitReason::Passed;
        }
        Ok(Parsed::Args(args)) => args.clone(),
        Err(_) => config::guess(command_line),
    };
    let understood = parsed.is_ok();
    if args.version && understood {
        print(&version(args.verbose()));
        return ExitReason::Passed;
    }
    // The command is a setting too: an action has no command line of its own.
    let command = config::command_of(&args, &env);
    if command == Some(Command::Schema) && understood {
        print(if args.results { report::results_schema() } else { config::schema() });
        return ExitReason::Passed;
    }
    let host = Host::detect(&env, &cwd);
    let verbose = config::is_verbose(&args, &env) || host.debug_requested();
    let loudness = if args.quiet {
        Loudness::Quiet
    } else if verbose {
        Loudness::Verbose
    } else {
        Loudness::Normal
    };
    let log = Log::new(host.console(secrets.clone(), loudness, args.json));
    for (name, owner) in config::secret_variables() {
        if let Some(value) = env.get(&name) {
            mask(&log, &secrets, value.trim(), owner);
        }
    }
    let context = host.context();
    let around = Surroundings { args, understood, env, cwd, host, context, secrets, log, cancel, began };
    if let Err(failure) = parsed {
        return wrong::tell(&around, &failure);
    }
    around.log.debug(format!("nunu-ci {} on {}", env!("CARGO_PKG_VERSION"), around.context.ci));
    // In a CI the same is a job that tests nothing, and has to say so in its reports.
    if around.context.ci == "none" && config::is_silent(&around.args, &around.env, &around.cwd) {
        around.log.info(GREETING);
        return ExitReason::InvalidInput;
    }
    match command {
        Some(Command::Init) => init::init(&around).await,
        _ => planned(around).await,
    }
}

/// Registers a secret and has the host mask all its forms.
pub(super) fn mask(log: &Log, secrets: &Secrets, value: &str, owner: Owner) {
    // Hosts mask within a line, so every line of a value that was pasted wrongly is a secret of its own.
    let lines = value.lines().map(str::trim).filter(|line| *line != value);
    for form in std::iter::once(value).chain(lines).flat_map(|secret| secrets.register(secret, owner)) {
        log.mask(&form);
    }
}

/// Says in one line where the key goes, whenever that is not the service itself by the straight way.
pub(super) fn say_where(around: &Surroundings, origin: &str, source: &str) {
    let detours = detours(&around.env);
    if origin == config::SERVICE && detours.is_empty() {
        return;
    }
    let address = if origin == config::SERVICE {
        origin.to_owned()
    } else {
        format!("{origin} (api-url from {source})")
    };
    let told: Vec<String> = std::iter::once(address).chain(detours).collect();
    around.log.notice(format!("requests go to {}", told.join(", ")));
}

async fn planned(around: Surroundings) -> ExitReason {
    let today = chrono::Utc::now().date_naive();
    let learn = |secret: &str| mask(&around.log, &around.secrets, secret, Owner::User);
    let plan = match config::plan(&around.args, &around.env, &around.cwd, &around.context, today, learn) {
        Ok(plan) => plan,
        Err(failure) if around.args.best_effort => {
            around.log.warn(failure.to_string());
            return ExitReason::Passed;
        }
        Err(failure) => return wrong::tell(&around, &failure),
    };
    if let Some(failure) = state_leads_out(&around) {
        if plan.best_effort {
            around.log.warn(failure.to_string());
            return ExitReason::Passed;
        }
        return wrong::tell(&around, &failure);
    }
    if let Some(key) = &plan.key {
        use secrecy::ExposeSecret as _;
        mask(&around.log, &around.secrets, key.expose_secret(), Owner::Key);
    }
    let from = plan.settings.iter().find(|setting| setting.name == "api-url");
    say_where(&around, &plan.origin, from.map_or("default", |setting| setting.source.as_str()));
    for notice in &plan.notices {
        around.log.warn(notice);
    }
    for remark in &plan.remarks {
        around.log.info(remark);
    }
    for setting in &plan.settings {
        around.log.debug(format!(
            "{} = {} ({})",
            setting.name,
            setting.value.replace('\n', "\\n"),
            setting.source
        ));
    }
    let Some(key) = plan.key.clone() else { return without_key(&around, &plan) };
    install_crypto();
    let agent = user_agent(&around.env);
    let net = match Net::new(&around.env, &agent, around.secrets.clone(), around.log.clone()) {
        Ok(net) => net,
        Err(error) => {
            let mut failure = Failure::new(ExitReason::InvalidInput, error.to_string());
            failure.hints = error.hints();
            return wrong::tell(&around, &failure);
        }
    };
    let api = Api::new(net.clone(), &plan.origin, plan.project_id.as_deref(), &key)
        .for_at_most(longest_silence(&plan));
    let session = session(around, plan, api, net);
    carry_out(session).await
}

/// The usual state folder can be content of the repository, which must not decide where we write.
fn state_leads_out(around: &Surroundings) -> Option<Failure> {
    if around.env.get("RUNNER_TEMP").is_some() {
        return None;
    }
    let folder = around.host.state_dir(&around.cwd);
    let workspace = Workspace::find(&around.env, &around.cwd);
    if workspace.holds(&folder) {
        return None;
    }
    let failure = Failure::new(
        ExitReason::InvalidInput,
        format!("the state folder {} does not end in the workspace {}", folder.display(), workspace.shown()),
    );
    Some(
        failure
            .hint("remove the link that leads out of it, or set RUNNER_TEMP to a folder for temporary files"),
    )
}

fn session(around: Surroundings, plan: Plan, api: Api, net: Net) -> Session {
    let identity = around.host.identity();
    let place = Place {
        run: identity.run,
        job: identity.job,
        matrix: identity.matrix,
        step: identity.step,
        attempt: identity.attempt,
    };
    let nonce = if place.run.is_empty() { format!("{:016x}", fastrand::u64(..)) } else { String::new() };
    let mut parts: Vec<&str> = place.parts().to_vec();
    let project = plan.project_id.clone().unwrap_or_default();
    parts.extend([around.context.ci.as_str(), plan.origin.as_str(), project.as_str(), nonce.as_str()]);
    let invocation = invocation_tag(&parts);
    let workspace = Workspace::find(&around.env, &around.cwd);
    let host = &around.host;
    let state = StateFile::new(host.state_dir(&around.cwd), around.cancel.clone(), around.log.clone());
    Session {
        state: state.without_committed(|path| host.is_committed(path)),
        details: around.host.details(env!("CARGO_PKG_VERSION")),
        json: around.args.json,
        plan,
        host: around.host,
        context: around.context,
        env: around.env,
        log: around.log,
        secrets: around.secrets,
        api,
        net,
        cancel: around.cancel,
        workspace,
        place,
        invocation,
        may_read: true,
        began: around.began,
        told: Told::default(),
    }
}

async fn carry_out(mut session: Session) -> ExitReason {
    session.cancel.begin();
    if session.plan.command == Command::Stop {
        return stop(&session).await;
    }
    let mut story = Story::default();
    let dir = session.plan.command.reports().then(|| session.plan.report.dir.clone());
    if let Err(failure) = finish::first(&session, &story) {
        story.failure = Some(failure);
        return finish::tell(&session, &story, ExitReason::Internal, None).reason;
    }
    if let Some(dir) = &dir {
        record(&session, &dir.join(report::DIAGNOSTICS));
    }
    warn_of_limits(&session, &mut story);
    let normal = perform(&mut session, &mut story).await;
    let telling = AssertUnwindSafe(|| finish::tell(&session, &story, normal, dir.as_deref()));
    let Ok(report) = std::panic::catch_unwind(telling) else { return unreported(&session) };
    if session.plan.report.comment && session.cancel.reason().is_none() {
        forge::comment(&session, &report).await;
    }
    report.reason
}

/// Executes the plan and cleans up after what went wrong, a bug of ours included. Gives the reason of an end without failure or verdict.
async fn perform(session: &mut Session, story: &mut Story) -> ExitReason {
    let cancel = session.cancel.clone();
    let ended = bug::guarded(&cancel, Box::pin(commands::execute(session, story))).await;
    let normal = match ended {
        Ok(Ok(normal)) => normal,
        Ok(Err(failure)) | Err(failure) => {
            story.failure = Some(failure);
            ExitReason::Internal
        }
    };
    if cancel.bug().is_none()
        && let Some(reason) = cancel.reason()
    {
        story.failure = Some(commands::interrupted(reason));
    }
    if story.failure.is_some() && !bug::survives(Box::pin(commands::clean_up(session, story))).await {
        story.give_up("a bug of nunu-ci ended the attempt to stop it");
    }
    if cancel.bug().is_some() {
        story.failure = Some(bug::failure(&cancel));
    }
    normal
}

/// The report itself broke: the one of before, which says that it is unfinished, stays, and the host learns the end.
fn unreported(session: &Session) -> ExitReason {
    let failure = bug::failure(&session.cancel);
    wrong::error(&session.log, &failure);
    let reason = failure.reason;
    session.sinks().outputs(vec![
        ("status", reason.status().as_str().to_owned()),
        ("exit-code", reason.exit_code().to_string()),
        ("exit-reason", reason.to_string()),
    ]);
    session.sinks().close(reason);
    reason
}

/// Has every request noted from now on.
fn record(session: &Session, path: &Path) {
    // A wait goes on with the story that a start began.
    let opened = if session.plan.command == Command::Wait {
        session.net.recorder().append(path)
    } else {
        session.net.recorder().open(path)
    };
    if let Err(error) = opened {
        session.log.warn(format!("cannot write {}: {error}", path.display()));
    }
}

fn warn_of_limits(session: &Session, story: &mut Story) {
    let waits = matches!(session.plan.command, Command::Run | Command::Wait) && session.plan.wait.enabled;
    if let Some(limit) = session.host.job_limit().filter(|limit| waits && session.plan.wait.timeout >= *limit)
    {
        let warning = format!(
            "timeout is {}, but this host ends the job after {}: set it lower, so that the job can stop its runs and report",
            crate::model::units::duration(session.plan.wait.timeout),
            crate::model::units::duration(limit)
        );
        session.log.warn(&warning);
        story.warnings.push(warning);
    }
}

async fn stop(session: &Session) -> ExitReason {
    let recorder = session.plan.report.dir.join(report::DIAGNOSTICS);
    if recorder.is_file()
        && let Err(error) = session.net.recorder().append(&recorder)
    {
        session.log.debug(format!("cannot write {}: {error}", recorder.display()));
    }
    match recorded::stop(session).await {
        Ok(()) => ExitReason::Passed,
        Err(failure) if session.plan.best_effort => {
            session.log.warn(failure.to_string());
            ExitReason::Passed
        }
        Err(failure) => {
            wrong::error(&session.log, &failure);
            failure.reason
        }
    }
}

/// No key arrived.
fn without_key(around: &Surroundings, plan: &Plan) -> ExitReason {
    if plan.best_effort {
        around.log.info("no API key here, so there is nothing that could have been started");
        return ExitReason::Passed;
    }
    let mut failure = Failure::new(ExitReason::ApiKeyMissing, "no API key arrived: api-token is not set")
        .hint("set api-token (NUNU_API_TOKEN) from the CI's secret store");
    if let Some(why) = around.host.secrets_unavailable() {
        failure = failure.hint(why);
    } else if around.host.kind() == crate::ci::Kind::GitHub {
        failure = failure.hint("on GitHub, pull requests from forks and Dependabot get no secrets");
    }
    if plan.on_missing_token == OnMissingToken::Skip {
        failure.reason = ExitReason::Skipped;
        around.log.warn("no API key arrived, and on-missing-token is skip: nothing was tested");
    }
    wrong::tell(around, &failure)
}

fn user_agent(env: &Env) -> String {
    let reference: String = env
        .get("NUNU_ACTION_REF")
        .unwrap_or_default()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(*letter))
        .take(40)
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    if reference.is_empty() {
        format!("nunu-ci/{version}")
    } else {
        format!("nunu-ci/{version} (action {reference})")
    }
}

/// What `--version` prints.
fn version(verbose: bool) -> String {
    let version = format!("nunu-ci {}", env!("CARGO_PKG_VERSION"));
    if !verbose {
        return version;
    }
    let sources = option_env!("NUNU_SOURCE_DIGEST").unwrap_or("not recorded");
    format!("{version}\nsources: {sources}\ntarget: {}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// Data for stdout.
pub(super) fn print(text: &str) {
    stream::data(format!("{}\n", text.trim_end()));
}
