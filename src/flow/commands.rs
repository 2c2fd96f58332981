//! What each command does, in order.

use nunu_protocol::{Cause, Event};

use crate::config::{Command, OnEnd};
use crate::model::{Build, ExitReason, Failure, Permission};
use crate::upload::InspectedBuild;

use super::cancel::Cancel;
use super::context::Context;
use super::preflight::prove;
use super::run_state::RunState;
use super::service_facts::{self, Shape};
use super::start::{BuildRef, start_all};
use super::start_driver::happened;
use super::{artifacts, bug, check, look_back, poll, publish, resolve_names, resume, stop, upload_build};

/// Runs the plan's command. What happened is in the run state, whatever is returned; a signal is no error here.
pub(super) async fn execute(ctx: &mut Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    match ctx.plan.command {
        Command::Run => run(ctx, state).await,
        Command::Upload => upload(ctx, state).await,
        Command::Start => start(ctx, state).await,
        Command::Wait => wait(ctx, state).await,
        Command::Check => {
            let cancel = ctx.cancel.clone();
            unless_cancelled(&cancel, check::check(ctx, state)).await
        }
        // These need no plan, or no report, and are handled before.
        Command::Stop
        | Command::Init
        | Command::Explain
        | Command::Completions
        | Command::Schema
        | Command::Report => Ok(ExitReason::Passed),
    }
}

async fn run(ctx: &mut Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    let inspected = prepare(ctx, state).await?;
    let stored = upload_build::store(ctx, state, inspected).await?;
    if ctx.plan.dry_run {
        return Ok(dry_run(ctx));
    }
    if ctx.cancel.token().is_cancelled() {
        return Ok(ExitReason::Started);
    }
    begin(ctx, state, &stored).await?;
    if ctx.cancel.token().is_cancelled() {
        return Ok(ExitReason::Started);
    }
    if !ctx.plan.wait.enabled {
        leave(ctx, state, "wait is off");
        return incomplete(state).map_or(Ok(ExitReason::Started), Err);
    }
    follow(ctx, state).await
}

async fn upload(ctx: &mut Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    let inspected = prepare(ctx, state).await?;
    upload_build::store(ctx, state, inspected).await?;
    Ok(if ctx.plan.dry_run { dry_run(ctx) } else { ExitReason::Uploaded })
}

async fn start(ctx: &mut Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    let inspected = prepare(ctx, state).await?;
    let stored = upload_build::store(ctx, state, inspected).await?;
    if ctx.plan.dry_run {
        return Ok(dry_run(ctx));
    }
    begin(ctx, state, &stored).await?;
    if !ctx.cancel.token().is_cancelled() {
        leave(ctx, state, "started");
    }
    incomplete(state).map_or(Ok(ExitReason::Started), Err)
}

async fn wait(ctx: &mut Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    let cancel = ctx.cancel.clone();
    unless_cancelled(&cancel, async {
        ready(ctx).await?;
        ctx.log.end_group();
        resume::collect(ctx, state).await
    })
    .await?;
    follow(ctx, state).await
}

/// Looks at the build, and asks about the key and all that will be started.
async fn prepare(ctx: &mut Context, state: &mut RunState) -> Result<Option<InspectedBuild>, Failure> {
    let cancel = ctx.cancel.clone();
    unless_cancelled(&cancel, async {
        let inspected = upload_build::look(ctx).await?;
        ready(ctx).await?;
        if ctx.plan.command != Command::Upload && !ctx.plan.runs.is_empty() {
            let shape = inspected.as_ref().map(Shape::of);
            let known = Box::pin(service_facts::look_up(&ctx.api, &ctx.plan, shape)).await;
            for remark in &known.remarks {
                ctx.log.info(remark);
            }
            for notice in known.notices() {
                ctx.log.warn(notice);
            }
            state.warnings.extend(known.notices().cloned());
            known.require()?;
            state.names = known.names;
        }
        ctx.log.end_group();
        Ok(inspected)
    })
    .await
}

/// Work that changes nothing: a signal ends it at once, however patient it is.
async fn unless_cancelled<T>(
    cancel: &Cancel,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cancel.token().cancelled() => Err(interrupted(cancel.reason().unwrap_or(ExitReason::Interrupted))),
        done = work => done,
    }
}

/// Proves permissions and turns names into ids.
async fn ready(ctx: &mut Context) -> Result<(), Failure> {
    ctx.log.group("Checking the key");
    let needed = ctx.plan.permissions();
    let proofs = prove(&ctx.api, &needed, &ctx.log).await?;
    proofs.require(&needed)?;
    // A wait sends nothing and has a time limit of its own: what runs must not be given up for a minute without the service.
    if ctx.plan.command != Command::Wait
        && let Some(unreachable) = proofs.unreachable()
    {
        return Err(unreachable);
    }
    ctx.may_read = proofs.may(Permission::ReadRuns);
    ctx.log.info(proofs.overview(&needed));
    resolve_names::resolve(ctx).await?.into_plan(&mut ctx.plan);
    Ok(())
}

/// Starts everything.
async fn begin(ctx: &Context, state: &mut RunState, stored: &Build) -> Result<(), Failure> {
    ctx.log.group("Starting");
    let digest = stored.sha256.as_deref().or(stored.id.as_deref()).unwrap_or_default();
    let begun =
        start_all(ctx, state, BuildRef { id: stored.id.as_deref(), platform: stored.platform, digest }).await;
    publish::interim(ctx, state);
    ctx.log.end_group();
    begun
}

/// Follows the jobs to their end and fetches what they left.
async fn follow(ctx: &Context, state: &mut RunState) -> Result<ExitReason, Failure> {
    bug::provoke(&ctx.broken_at, "after-start");
    ctx.log.group("Running");
    let ended = poll::until_done(ctx, state).await;
    ctx.log.end_group();
    ended?;
    if ctx.cancel.token().is_cancelled() {
        return Ok(ExitReason::Started);
    }
    look_back::look_back(ctx, state).await;
    if ctx.cancel.token().is_cancelled() {
        return Ok(ExitReason::Started);
    }
    stop::name_the_rest(state);
    stop::tell_the_rest(ctx, state);
    state.failure = incomplete(state);
    artifacts::download(ctx, state, ExitReason::Passed).await;
    state.failure.take().map_or(Ok(ExitReason::Passed), Err)
}

/// The failure of starts that gave no or not all jobs, once everything else is told.
fn incomplete(state: &RunState) -> Option<Failure> {
    let first = state.problems.first()?;
    let what: Vec<String> = state
        .problems
        .iter()
        .map(|problem| match &problem.device {
            Some(device) => format!("{} on {device}: {}", problem.run, problem.message),
            None => format!("{}: {}", problem.run, problem.message),
        })
        .collect();
    let mut failure = Failure::new(
        ExitReason::StartIncomplete,
        format!(
            "not everything was started: {} did not start in full",
            if what.len() == 1 { first.run.clone() } else { format!("{} starts", what.len()) }
        ),
    );
    failure.causes = what;
    Some(failure.hint("the jobs that did start are in the report; fix the refused ones and run again"))
}

/// Closes the records of what goes on without us, on purpose.
fn leave(ctx: &Context, state: &mut RunState, why: &str) {
    state.left_on_purpose = true;
    happened(ctx, state, Event::Leave);
    let ours = state.jobs.iter().filter(|tracked| tracked.report.carried_over.is_none());
    let jobs: Vec<&str> = ours.map(|tracked| tracked.report.job_id.as_str()).collect();
    ctx.log.info(format!(
        "{why}: leaving {} to run; nunu-ci wait follows, nunu-ci stop ends them",
        jobs.join(", ")
    ));
}

fn dry_run(ctx: &Context) -> ExitReason {
    ctx.log.info("dry run: nothing was uploaded and nothing was started");
    ExitReason::DryRun
}

/// What has to happen when the command ended with a failure or a signal: nothing is left running, unless the user wants it so.
pub(super) async fn clean_up(ctx: &Context, state: &mut RunState) {
    bug::provoke(&ctx.broken_at, "clean-up");
    let wanted = if ctx.cancel.reason().is_some() {
        ctx.plan.wait.on_cancel
    } else if state.failure.as_ref().is_some_and(|failure| failure.reason == ExitReason::Timeout) {
        ctx.plan.wait.on_timeout
    } else {
        OnEnd::Stop
    };
    // What did start of a start that is not whole goes on all the same.
    if state.left_on_purpose {
        return;
    }
    if state.starts.as_ref().is_none_or(|starts| starts.outcome().is_some()) {
        return;
    }
    match wanted {
        OnEnd::Leave => leave(ctx, state, "as wanted"),
        OnEnd::Stop => stop::everything(ctx, state, cause(ctx, state)).await,
    }
}

/// Why everything is stopped.
fn cause(ctx: &Context, state: &RunState) -> Cause {
    match state.failure.as_ref().map(|failure| failure.reason) {
        _ if ctx.cancel.token().is_cancelled() => Cause::Cancelled,
        Some(ExitReason::Timeout | ExitReason::Stalled) => Cause::Deadline,
        Some(ExitReason::Internal) => Cause::Panic,
        _ => Cause::Failure,
    }
}

/// The failure that a signal is.
pub(super) fn interrupted(reason: ExitReason) -> Failure {
    let signal = match reason {
        ExitReason::Interrupted if cfg!(windows) => "Ctrl-C",
        ExitReason::Interrupted => "SIGINT",
        _ if cfg!(windows) => "Ctrl-Break",
        _ => "SIGTERM",
    };
    Failure::new(reason, format!("interrupted by {signal}"))
}
