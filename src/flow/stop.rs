//! Stopping: everything of this invocation on the way out, and what earlier ones left by the command `stop`.
//!
//! Works with its own short timeouts and does not depend on anything that the signal cancelled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nunu_protocol::{Cause, Event};
use tokio::time::{Instant, sleep, sleep_until};

use crate::api::{ApiError, Phase, UploadHandle};
use crate::model::run_report::LeftRunning;
use crate::model::secrets::Owner;
use crate::model::{ExitReason, Failure};

use super::context::Context;
use super::recorded_starts::{RecordedStarts, records};
use super::run_state::RunState;
use super::start_driver::{happened, work_until};
use super::state_file::{Record, RecordStatus, What};

/// How long `stop` looks for jobs that may still appear. They do within 20 s of their start.
const TIME_TO_STOP: Duration = Duration::from_secs(60);

/// All of it, from the signal to the last answer; reports and the exit fit into what is left of 6 s.
pub(super) const AFTER_A_SIGNAL: Duration = Duration::from_millis(4500);
/// The same when nobody is in a hurry: the jobs of an unclear start may appear within 20 s.
const WITHOUT_A_SIGNAL: Duration = Duration::from_secs(25);

/// Stops every unfinished job of the run, also those whose start was not answered, and notes what could not be stopped.
pub(super) async fn everything(ctx: &Context, state: &mut RunState, cause: Cause) {
    let time =
        if matches!(cause, Cause::Cancelled | Cause::Panic) { AFTER_A_SIGNAL } else { WITHOUT_A_SIGNAL };
    stop_for(ctx, state, cause, time).await;
    tell_the_rest(ctx, state);
}

/// The same, for that long, without a word about what could not be stopped; a signal makes it short.
pub(super) async fn stop_for(ctx: &Context, state: &mut RunState, cause: Cause, time: Duration) {
    if state.starts.as_ref().is_none_or(|starts| starts.outcome().is_some()) {
        return;
    }
    let deadline = Instant::now() + time;
    happened(ctx, state, Event::End(cause));
    if state.starts.as_ref().is_some_and(|starts| starts.outcome().is_none() && starts.stopping.is_empty()) {
        ctx.log.info("stopping what may have been started");
    }
    let cut = async {
        let hurry = async {
            ctx.cancel.token().cancelled().await;
            sleep(AFTER_A_SIGNAL).await;
        };
        tokio::select! {
            () = sleep_until(deadline) => {}
            () = hurry => {}
        }
    };
    if !work_until(ctx, state, cut, |protocol| protocol.outcome().is_some()).await {
        happened(ctx, state, Event::TimeUp);
    }
    name_the_rest(state);
}

/// Says what may run on without us.
pub(super) fn tell_the_rest(ctx: &Context, state: &RunState) {
    for left in &state.left_running {
        if left.job_ids.is_empty() {
            ctx.log.warn(told(left));
        } else {
            ctx.log.error(told(left));
        }
    }
}

/// What could not be stopped, and why.
pub(super) fn told(left: &LeftRunning) -> String {
    match &left.tag {
        Some(tag) if left.job_ids.is_empty() => {
            format!("the start with the tag {tag} was not answered: {}", left.why)
        }
        _ => format!("could not stop {}: {}", left.job_ids.join(", "), left.why),
    }
}

/// Notes what may run on without us.
pub(super) fn name_the_rest(state: &mut RunState) {
    let Some(starts) = &state.starts else { return };
    let mut left: Vec<LeftRunning> = Vec::new();
    for rest in starts.protocol.left() {
        let tag = starts
            .posts
            .get(&rest.post)
            .map(|posted| posted.start().tag.clone())
            .filter(|tag| !tag.is_empty());
        let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for id in rest.jobs {
            let why = starts.trouble.get(&id).map_or("the service did not answer in time", String::as_str);
            by_reason.entry(why.to_owned()).or_default().push(id);
        }
        for (why, job_ids) in by_reason {
            left.push(LeftRunning { job_ids, tag: tag.clone(), why });
        }
        if let Some(tag) = tag.filter(|_| rest.unseen) {
            let trouble = starts.trouble.get(&tag).cloned();
            let why = trouble.unwrap_or_else(|| "jobs of it may still appear".to_owned());
            left.push(LeftRunning { job_ids: Vec::new(), tag: Some(tag), why });
        }
    }
    state.left_running = left;
}

/// The command `stop`: stops recorded unfinished jobs (or those named), finds starts whose answer never came by their tag, and
/// cancels a recorded open upload.
pub(super) async fn recorded(ctx: &Context) -> Result<(), Failure> {
    let mut trouble = Trouble::default();
    let mut recorded = RecordedStarts::default();
    recorded.add_named(ctx, ctx.plan.job_ids.clone());
    // The safety net ends what this job left, whatever else it is told to stop.
    let named = !ctx.plan.job_ids.is_empty() && !ctx.plan.best_effort;
    let mut idle = recorded.specs.is_empty();
    for record in if named { Vec::new() } else { records(ctx)? } {
        if matches!(record.what, What::Start(_)) {
            idle &= ctx.plan.best_effort && record.status == RecordStatus::Left;
            recorded.add(record, true);
        } else {
            idle = false;
            match cancel_upload(ctx, &record).await {
                Ok(()) => ctx.records.mark(&BTreeSet::from([record.id.clone()]), RecordStatus::Done),
                Err(error) => {
                    trouble.met(&error, &format!("could not cancel the upload of record {}", record.id));
                }
            }
        }
    }
    if idle {
        ctx.log.info("nothing to stop");
        return Ok(());
    }
    let mut state =
        RunState { starts: Some(recorded.begin(ctx, ctx.plan.best_effort)), ..RunState::default() };
    stop_for(ctx, &mut state, Cause::Stop, TIME_TO_STOP).await;
    if let Some(starts) = &mut state.starts {
        trouble.first = trouble.first.or(starts.stop_failure.take());
    }
    trouble.lines.extend(state.left_running.iter().map(told));
    if trouble.lines.is_empty() { Ok(()) } else { Err(trouble.failure()) }
}

/// What could not be done, and the first error of the service on the way: it decides the reason.
#[derive(Default)]
struct Trouble {
    lines: Vec<String>,
    first: Option<Failure>,
}

impl Trouble {
    fn met(&mut self, error: &ApiError, what: &str) {
        self.lines.push(format!("{what}: {error}"));
        self.first.get_or_insert_with(|| error.failure(Phase::Stop));
    }

    fn failure(self) -> Failure {
        let (reason, hints) =
            self.first.map_or((ExitReason::ServiceError, Vec::new()), |first| (first.reason, first.hints));
        let failure =
            Failure { causes: self.lines, hints, ..Failure::new(reason, "not everything could be stopped") };
        failure.hint(
            "run nunu-ci stop again, or stop the jobs on the dashboard; the service ends a run by itself after 5.5 hours",
        )
    }
}

async fn cancel_upload(ctx: &Context, record: &Record) -> Result<(), ApiError> {
    let What::Upload { build_id, object_key, upload_id } = &record.what else { return Ok(()) };
    if let Some(secret) = upload_id {
        ctx.net.secret(secret, Owner::Lent);
    }
    let handle = UploadHandle {
        build_id: build_id.clone(),
        object_key: object_key.clone(),
        upload_id: upload_id.clone().map(Into::into),
    };
    ctx.api.urgent().cancel_upload(&handle).await?;
    ctx.log.info(format!("cancelled the unfinished upload of build {build_id}"));
    Ok(())
}
