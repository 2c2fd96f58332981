//! What each command does, in order.

use nunu_protocol::{Cause, Event};

use crate::config::{Command, OnEnd};
use crate::model::{Build, ExitReason, Failure, Permission};
use crate::upload::Inspected;

use super::cancel::Cancel;
use super::known::Shape;
use super::preflight::prove;
use super::session::Session;
use super::start::{BuildRef, start_all};
use super::starts::happened;
use super::story::Story;
use super::{artifacts, bug, build, check, known, recorded, resolve, stop, watch};

/// Runs the plan's command. What happened is in the story, whatever is returned; a signal is no error here.
pub(super) async fn execute(session: &mut Session, story: &mut Story) -> Result<ExitReason, Failure> {
    match session.plan.command {
        Command::Run => run(session, story).await,
        Command::Upload => upload(session, story).await,
        Command::Start => start(session, story).await,
        Command::Wait => wait(session, story).await,
        Command::Check => {
            let cancel = session.cancel.clone();
            unless_cancelled(&cancel, check::check(session, story)).await
        }
        // These need no plan, or no report, and are handled before.
        Command::Stop | Command::Init | Command::Schema => Ok(ExitReason::Passed),
    }
}

async fn run(session: &mut Session, story: &mut Story) -> Result<ExitReason, Failure> {
    let inspected = prepare(session, story).await?;
    let stored = build::store(session, story, inspected).await?;
    if session.plan.dry_run {
        return Ok(dry_run(session));
    }
    if session.cancel.token().is_cancelled() {
        return Ok(ExitReason::Started);
    }
    begin(session, story, &stored).await?;
    if session.cancel.token().is_cancelled() {
        return Ok(ExitReason::Started);
    }
    if !session.plan.wait.enabled {
        leave(session, story, "wait is off");
        return incomplete(story).map_or(Ok(ExitReason::Started), Err);
    }
    follow(session, story).await
}

async fn upload(session: &mut Session, story: &mut Story) -> Result<ExitReason, Failure> {
    let inspected = prepare(session, story).await?;
    build::store(session, story, inspected).await?;
    Ok(if session.plan.dry_run { dry_run(session) } else { ExitReason::Uploaded })
}

async fn start(session: &mut Session, story: &mut Story) -> Result<ExitReason, Failure> {
    let inspected = prepare(session, story).await?;
    let stored = build::store(session, story, inspected).await?;
    if session.plan.dry_run {
        return Ok(dry_run(session));
    }
    begin(session, story, &stored).await?;
    if !session.cancel.token().is_cancelled() {
        leave(session, story, "started");
    }
    incomplete(story).map_or(Ok(ExitReason::Started), Err)
}

async fn wait(session: &mut Session, story: &mut Story) -> Result<ExitReason, Failure> {
    let cancel = session.cancel.clone();
    unless_cancelled(&cancel, async {
        ready(session).await?;
        session.log.end_group();
        recorded::collect(session, story).await
    })
    .await?;
    follow(session, story).await
}

/// Looks at the build, and asks about the key and all that will be started.
async fn prepare(session: &mut Session, story: &mut Story) -> Result<Option<Inspected>, Failure> {
    let cancel = session.cancel.clone();
    unless_cancelled(&cancel, async {
        let inspected = build::look(session).await?;
        ready(session).await?;
        if session.plan.command != Command::Upload && !session.plan.runs.is_empty() {
            let shape = inspected.as_ref().map(Shape::of);
            let known = Box::pin(known::look(&session.api, &session.plan, shape)).await;
            for remark in &known.remarks {
                session.log.info(remark);
            }
            for notice in &known.notices {
                session.log.warn(notice);
            }
            story.warnings.extend(known.notices.iter().cloned());
            known.require()?;
        }
        session.log.end_group();
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
async fn ready(session: &mut Session) -> Result<(), Failure> {
    session.log.group("Checking the key");
    let needed = session.plan.permissions();
    let proofs = prove(&session.api, &needed, &session.log).await?;
    proofs.require(&needed)?;
    // A wait sends nothing and has a patience of its own: what runs must not be given up for a minute without the service.
    if session.plan.command != Command::Wait
        && let Some(unreachable) = proofs.unreachable()
    {
        return Err(unreachable);
    }
    session.may_read = proofs.may(Permission::ReadRuns);
    session.log.info(proofs.overview(&needed));
    resolve::names(session).await?;
    Ok(())
}

/// Starts everything.
async fn begin(session: &Session, story: &mut Story, stored: &Build) -> Result<(), Failure> {
    session.log.group("Starting");
    let digest = stored.sha256.as_deref().or(stored.id.as_deref()).unwrap_or_default();
    let begun =
        start_all(session, story, BuildRef { id: stored.id.as_deref(), platform: stored.platform, digest })
            .await;
    session.known(story);
    session.log.end_group();
    begun
}

/// Follows the jobs to their end and fetches what they left.
async fn follow(session: &Session, story: &mut Story) -> Result<ExitReason, Failure> {
    bug::provoke(&session.env, "after-start");
    session.log.group("Running");
    let ended = watch::until_done(session, story).await;
    session.log.end_group();
    ended?;
    if session.cancel.token().is_cancelled() {
        return Ok(ExitReason::Started);
    }
    stop::name_the_rest(story);
    stop::tell_the_rest(session, story);
    story.failure = incomplete(story);
    artifacts::download(session, story, ExitReason::Passed).await;
    story.failure.take().map_or(Ok(ExitReason::Passed), Err)
}

/// The failure of starts that gave no or not all jobs, once everything else is told.
fn incomplete(story: &Story) -> Option<Failure> {
    let first = story.problems.first()?;
    let what: Vec<String> = story
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
fn leave(session: &Session, story: &mut Story, why: &str) {
    story.left_on_purpose = true;
    happened(session, story, Event::Leave);
    let jobs: Vec<&str> = story.jobs.iter().map(|tracked| tracked.report.job_id.as_str()).collect();
    session.log.info(format!(
        "{why}: leaving {} to run; nunu-ci wait follows, nunu-ci stop ends them",
        jobs.join(", ")
    ));
}

fn dry_run(session: &Session) -> ExitReason {
    session.log.info("dry run: nothing was uploaded and nothing was started");
    ExitReason::DryRun
}

/// What has to happen when the command ended with a failure or a signal: nothing is left running, unless the user wants it so.
pub(super) async fn clean_up(session: &Session, story: &mut Story) {
    bug::provoke(&session.env, "clean-up");
    let wanted = if session.cancel.reason().is_some() {
        session.plan.wait.on_cancel
    } else if story.failure.as_ref().is_some_and(|failure| failure.reason == ExitReason::Timeout) {
        session.plan.wait.on_timeout
    } else {
        OnEnd::Stop
    };
    // What did start of a start that is not whole goes on all the same.
    if story.left_on_purpose {
        return;
    }
    if story.starts.as_ref().is_none_or(|starts| starts.outcome().is_some()) {
        return;
    }
    match wanted {
        OnEnd::Leave => leave(session, story, "as wanted"),
        OnEnd::Stop => stop::everything(session, story, cause(session, story)).await,
    }
}

/// Why everything is stopped.
fn cause(session: &Session, story: &Story) -> Cause {
    match story.failure.as_ref().map(|failure| failure.reason) {
        _ if session.cancel.token().is_cancelled() => Cause::Cancelled,
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
