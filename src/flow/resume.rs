//! The start of a `wait`: the jobs that an earlier command started, or that are named, are taken up.

use std::collections::BTreeSet;

use nunu_protocol::Event;

use crate::model::{ExitReason, Failure};

use super::context::Context;
use super::deadline::Deadline;
use super::publish;
use super::recorded_starts::{RecordedStarts, records};
use super::run_state::RunState;
use super::start_driver::{happened, work_until};
use super::stopwatch::Stopwatch;

/// Gathers the jobs to wait for.
pub(super) async fn collect(ctx: &Context, state: &mut RunState) -> Result<(), Failure> {
    let mut recorded = RecordedStarts::default();
    let mut named: BTreeSet<String> = ctx.plan.job_ids.iter().cloned().collect();
    let by_id = !named.is_empty();
    let all = if by_id { records(ctx).unwrap_or_default() } else { records(ctx)? };
    for mut record in all {
        let Some(start) = record.start_mut() else { continue };
        let mut whole = true;
        if by_id {
            // Jobs named by id may have a record here, which then gives label and tag, and is closed with its last job.
            let before = start.job_ids.len();
            start.job_ids.retain(|id| named.remove(id));
            whole = start.job_ids.len() == before;
            if start.job_ids.is_empty() {
                continue;
            }
        }
        recorded.add(record, whole);
    }
    let rest = ctx.plan.job_ids.iter().filter(|id| named.contains(*id)).cloned().collect();
    recorded.add_named(ctx, rest);
    if recorded.specs.is_empty() {
        return Err(nothing_to_wait_for(ctx));
    }
    state.clock = Some(Stopwatch::start());
    let end = Deadline::of(ctx);
    state.starts = Some(recorded.begin(ctx, false));
    happened(ctx, state, Event::Begin);
    let settled = work_until(ctx, state, end.comes(), |protocol| !protocol.is_starting()).await;
    if !settled {
        let starts = state.starts.iter().flat_map(|starts| &starts.plans);
        let labels: Vec<&str> = starts.map(|planned| planned.label.as_str()).collect();
        let labels =
            labels.into_iter().filter(|label| !state.jobs.iter().any(|job| job.report.run == *label));
        return end.verdict(&labels.collect::<Vec<_>>());
    }
    if state.jobs.is_empty() && state.problems.is_empty() {
        return Err(nothing_to_wait_for(ctx));
    }
    if !by_id {
        ctx.log.info(format!("waiting for {} recorded job(s)", state.jobs.len()));
    }
    publish::interim(ctx, state);
    Ok(())
}

fn nothing_to_wait_for(ctx: &Context) -> Failure {
    let mut failure = Failure::new(
        ExitReason::InvalidInput,
        "there is nothing to wait for: no unfinished job is recorded here",
    )
    .cause(format!("looked in {}", ctx.records.path().display()));
    if ctx.jobs_handed_on {
        failure = failure.hint("an earlier job of this pipeline handed on its jobs, and outputs are no settings; hand them on by a variable of this job: NUNU_JOB_IDS: $NUNU_OUTPUT_JOB_IDS (or: nunu-ci wait --job-ids \"$NUNU_OUTPUT_JOB_IDS\")");
    }
    failure.hint("run nunu-ci start before, in the same job, or name the jobs with the setting job-ids (the output job-ids of the start)")
}
