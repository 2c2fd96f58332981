//! From arguments and environment to a reason to exit with.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use crate::api::Api;
use crate::ci::stream::Stream;
use crate::ci::{self, Host, Loudness, Revision};
use crate::config::{self, Args, Command, OnMissingToken, Parsed, Plan};
use crate::http::{Net, install_crypto};
use crate::model::look::Look;
use crate::model::secrets::Owner;
use crate::model::{Env, ExitReason, Failure, Log, Secrets, Workspace};
use crate::report;

use super::cancel::Cancel;
use super::context::{Began, Context, Reporting, Surroundings, longest_silence};
use super::outputs::{Outputs, print};
use super::pr_comment::Commenter;
use super::records::Records;
use super::run_state::RunState;
use super::state_file::{Place, StateFile};
use super::{bug, commands, explain, init, pr_comment, publish, report_again, stop};

/// For somebody who typed the program's name to see what it is. Nothing was tested, so the exit code is not 0.
const GREETING: &str = "\
nunu-ci uploads a build to nunu.ai, lets AI agents play-test it on real devices, and lets the result decide your CI job.

There is no run config (.nunu/run.yml) in this folder, and no setting, so there is nothing to do yet. To begin:

  nunu-ci init     write a run config and a workflow for your CI
  nunu-ci check    tell what would happen, and whether the API key is good for it; changes nothing
  nunu-ci help     all commands; nunu-ci help run: all of one";

/// Runs one invocation, with the program's name first in the command line; always ends in a reason.
pub(super) async fn run(command_line: &[String], env: Env, cwd: PathBuf, cancel: Cancel) -> ExitReason {
    let began = Began::now();
    let secrets = Secrets::default();
    let parsed = config::parse(command_line);
    let look = ci::look(Stream::Out, &env);
    let args = match &parsed {
        Ok(Parsed::Help(help)) => {
            print(&config::help_page(help, look));
            return ExitReason::Passed;
        }
        Ok(Parsed::Args(args)) => args.clone(),
        Err(_) => config::guess(command_line),
    };
    let understood = parsed.is_ok();
    // The command is a setting too: an action has no command line of its own.
    let command = config::command_of(&args, &env);
    if understood && let Some(answer) = answer(&args, command, look) {
        return answer;
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
    let reporting = Reporting {
        began,
        origin: host.context(),
        cwd: cwd.clone(),
        json: args.json,
        outputs: Outputs::default(),
    };
    let around = Surroundings { args, understood, env, cwd, host, log, secrets, cancel, reporting };
    for (name, owner) in config::secret_variables() {
        if let Some(value) = around.env.get(&name) {
            around.mask(value.trim(), owner);
        }
    }
    if let Err(failure) = parsed {
        return publish::end_without_plan(&around, failure);
    }
    around.log.debug(format!("nunu-ci {} on {}", env!("CARGO_PKG_VERSION"), around.reporting.origin.ci));
    // In a CI the same is a job that tests nothing, and has to say so in its reports.
    if around.reporting.origin.ci == "none" && config::is_silent(&around.args, &around.env, &around.cwd) {
        around.log.info(GREETING);
        return ExitReason::InvalidInput;
    }
    match command {
        Some(Command::Explain) => publish::end_without_plan(
            &around,
            explain::unknown(around.args.word.as_deref().unwrap_or_default()),
        ),
        Some(Command::Init) => init::init(&around).await,
        _ => planned(around).await,
    }
}

/// What needs neither a plan nor a host: an answer on stdout.
fn answer(args: &Args, command: Option<Command>, look: Look) -> Option<ExitReason> {
    let text = match command {
        _ if args.version => version(args.verbose()),
        Some(Command::Schema) if args.results => report::results_schema().to_owned(),
        Some(Command::Schema) => config::schema().to_owned(),
        Some(Command::Completions) => config::completions(args.word.as_deref()?),
        Some(Command::Explain) => explain::text(args.word.as_deref(), look)?,
        _ => return None,
    };
    print(&text);
    Some(ExitReason::Passed)
}

async fn planned(around: Surroundings) -> ExitReason {
    let today = chrono::Utc::now().date_naive();
    let learn = |secret: &str| around.mask(secret, Owner::User);
    let plan =
        match config::plan(&around.args, &around.env, &around.cwd, &around.reporting.origin, today, learn) {
            Ok(plan) => plan,
            Err(failure) if around.args.best_effort => {
                around.log.warn(failure.to_string());
                return ExitReason::Passed;
            }
            Err(failure) => return publish::end_without_plan(&around, failure),
        };
    if let Some(failure) = state_leads_out(&around) {
        if plan.best_effort {
            around.log.warn(failure.to_string());
            return ExitReason::Passed;
        }
        return publish::end_without_plan(&around, failure);
    }
    if let Some(key) = &plan.key {
        use secrecy::ExposeSecret as _;
        around.mask(key.expose_secret(), Owner::Key);
    }
    let from = plan.settings.iter().find(|setting| setting.name == "api-url");
    if plan.command != Command::Report {
        around.say_where(&plan.origin, from.map_or("default", |setting| setting.source.as_str()));
    }
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
    if plan.command == Command::Report {
        return reported(&around, &plan)
            .await
            .unwrap_or_else(|failure| publish::end_without_plan(&around, failure));
    }
    let Some(key) = plan.key.clone() else { return without_key(&around, &plan) };
    let net = match net(&around) {
        Ok(net) => net,
        Err(failure) => return publish::end_without_plan(&around, failure),
    };
    let api = Api::new(net.clone(), &plan.origin, plan.project_id.as_deref(), &key)
        .for_at_most(longest_silence(&plan));
    carry_out(context(around, plan, api, net)).await
}

fn net(around: &Surroundings) -> Result<Net, Failure> {
    install_crypto();
    let agent = user_agent(&around.env);
    Net::new(&around.env, &agent, around.secrets.clone(), around.log.clone()).map_err(|error| {
        let mut failure = Failure::new(ExitReason::InvalidInput, error.to_string());
        failure.hints = error.hints();
        failure
    })
}

/// The command `report`: no key, and no request but for the comment that is wanted.
async fn reported(around: &Surroundings, plan: &Plan) -> Result<ExitReason, Failure> {
    let net = plan.report.comment.then(|| net(around)).transpose()?;
    let report = report_again::report(around, plan)?;
    if let Some(net) = &net {
        let commenter = Commenter {
            host: &around.host,
            log: &around.log,
            secrets: &around.secrets,
            net,
            token: plan.report.github_token.as_ref(),
            pull_request: around.reporting.origin.pull_request,
        };
        pr_comment::comment(&commenter, &report).await;
    }
    Ok(report.reason)
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

fn context(around: Surroundings, plan: Plan, api: Api, net: Net) -> Context {
    let identity = around.host.identity();
    let place = Place {
        run: identity.run,
        job: identity.job,
        matrix: identity.matrix,
        step: identity.step,
        attempt: identity.attempt,
    };
    let folder = around.host.state_dir(&around.cwd);
    let records = Records::new(
        StateFile::new(folder, around.cancel.clone(), around.log.clone())
            .without_committed(|path| around.host.is_committed(path)),
        place,
        &around.reporting.origin.ci,
        &plan.origin,
        plan.project_id.as_deref(),
        around.log.clone(),
    );
    let off_ci = around.host.kind() == ci::Kind::None;
    Context {
        records,
        revision: if off_ci { Revision::default() } else { around.host.revision() },
        workspace: Workspace::find(&around.env, &around.cwd),
        temp_folders: crate::upload::TempFolders::of(&around.env),
        jobs_handed_on: around.env.get("NUNU_OUTPUT_JOB_IDS").is_some(),
        broken_at: bug::BrokenAt::of(&around.env),
        plan,
        host: around.host,
        log: around.log,
        secrets: around.secrets,
        cancel: around.cancel,
        reporting: around.reporting,
        net,
        api,
        may_read: true,
    }
}

async fn carry_out(mut ctx: Context) -> ExitReason {
    ctx.cancel.begin();
    if ctx.plan.command == Command::Stop {
        return stop_recorded(&ctx).await;
    }
    let mut state = RunState::default();
    if let Err(failure) = publish::first(&ctx, &state) {
        state.failure = Some(failure);
        return publish::end(&ctx, &state, ExitReason::Internal, false).reason;
    }
    if ctx.plan.command.reports() {
        record(&ctx, &ctx.plan.report.dir.join(report::DIAGNOSTICS));
    }
    warn_of_limits(&ctx, &mut state);
    let normal = perform(&mut ctx, &mut state).await;
    let publishing = AssertUnwindSafe(|| publish::end(&ctx, &state, normal, true));
    let Ok(report) = std::panic::catch_unwind(publishing) else {
        let failure = bug::failure(&ctx.cancel);
        publish::end_without_report(&ctx, &failure);
        return failure.reason;
    };
    if ctx.plan.report.comment && ctx.cancel.reason().is_none() {
        let commenter = Commenter {
            host: &ctx.host,
            log: &ctx.log,
            secrets: &ctx.secrets,
            net: &ctx.net,
            token: ctx.plan.report.github_token.as_ref(),
            pull_request: ctx.reporting.origin.pull_request,
        };
        pr_comment::comment(&commenter, &report).await;
    }
    report.reason
}

/// Executes the plan and cleans up after what went wrong, a bug of ours included. Gives the reason of an end without failure or verdict.
async fn perform(ctx: &mut Context, state: &mut RunState) -> ExitReason {
    let cancel = ctx.cancel.clone();
    let ended = bug::guarded(&cancel, Box::pin(commands::execute(ctx, state))).await;
    let normal = match ended {
        Ok(Ok(normal)) => normal,
        Ok(Err(failure)) | Err(failure) => {
            state.failure = Some(failure);
            ExitReason::Internal
        }
    };
    if cancel.bug().is_none()
        && let Some(reason) = cancel.reason()
    {
        state.failure = Some(commands::interrupted(reason));
    }
    if state.failure.is_some() && !bug::survives(Box::pin(commands::clean_up(ctx, state))).await {
        state.give_up("a bug of nunu-ci ended the attempt to stop it");
    }
    if cancel.bug().is_some() {
        state.failure = Some(bug::failure(&cancel));
    }
    normal
}

/// Has every request noted from now on.
fn record(ctx: &Context, path: &Path) {
    // A wait goes on with the requests that a start began to note.
    let opened = if ctx.plan.command == Command::Wait {
        ctx.net.recorder().append(path)
    } else {
        ctx.net.recorder().open(path)
    };
    if let Err(error) = opened {
        ctx.log.warn(format!("cannot write {}: {error}", path.display()));
    }
}

fn warn_of_limits(ctx: &Context, state: &mut RunState) {
    let waits = matches!(ctx.plan.command, Command::Run | Command::Wait) && ctx.plan.wait.enabled;
    if waits && let Some(warning) = ctx.warning_of_host_limit() {
        ctx.log.warn(&warning);
        state.warnings.push(warning);
    }
}

async fn stop_recorded(ctx: &Context) -> ExitReason {
    let recorder = ctx.plan.report.dir.join(report::DIAGNOSTICS);
    if recorder.is_file()
        && let Err(error) = ctx.net.recorder().append(&recorder)
    {
        ctx.log.debug(format!("cannot write {}: {error}", recorder.display()));
    }
    match stop::recorded(ctx).await {
        Ok(()) => ExitReason::Passed,
        Err(failure) if ctx.plan.best_effort => {
            ctx.log.warn(failure.to_string());
            ExitReason::Passed
        }
        Err(failure) => {
            publish::log_failure(&ctx.log, &failure);
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
    publish::end_without_plan(around, failure)
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
