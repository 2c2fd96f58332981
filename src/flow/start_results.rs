//! What becomes of starts: said in the log, and taken into the records and the state of the run.

use std::collections::{BTreeMap, BTreeSet};

use nunu_protocol::{Expected, PostRef, Settled};

use crate::api::{ApiError, Phase, Started};
use crate::model::baseline::CarriedOver;
use crate::model::run_report::StartProblem;
use crate::model::{ExitReason, Failure, RunSpec, Target};

use super::context::Context;
use super::earlier_attempt;
use super::run_state::RunState;
use super::starts::{Planned, Starts};
use super::state_file::StartRecord;
use super::tracked_job::{self, Tracked};

/// Says that a start is about to be posted.
pub(super) fn say_posting(ctx: &Context, starts: &Starts, names: &BTreeMap<String, String>, at: PostRef) {
    let Some(planned) = starts.plans.get(at.start) else { return };
    let earlier =
        starts.posts.iter().any(|(other, posted)| other.start == at.start && *other < at && !posted.earlier);
    if earlier {
        ctx.log.info(format!("{}: nothing was started, trying again", planned.label));
    }
    let what = planned.request.as_ref().map_or_else(String::new, |request| describe(&request.spec, names));
    // A start without a name of its own is called by its id.
    let label = names.get(&planned.label).unwrap_or(&planned.label);
    ctx.log.info(format!("{label}: starting{what}"));
}

/// Says which jobs are about to be stopped, once.
pub(super) fn say_stopping(ctx: &Context, state: &mut RunState, jobs: &[String]) {
    let Some(starts) = &mut state.starts else { return };
    let new: Vec<&str> =
        jobs.iter().filter(|id| !starts.stopping.contains(*id)).map(String::as_str).collect();
    let Some(first) = new.first() else { return };
    if starts.protocol.is_stopping() {
        ctx.log.info(match new.len() {
            1 => format!("stopping job {first}"),
            many => format!("stopping {many} jobs"),
        });
    } else if jobs.iter().any(|id| starts.protocol.gave_up(id)) {
        ctx.log.warn(format!("nothing is heard of job {}: stopping it", new.join(", ")));
    } else {
        ctx.log.warn(format!("{} of a start that was given up, stopping", new.join(", ")));
    }
    starts.stopping.extend(jobs.iter().cloned());
}

/// Takes jobs of a post as ours: into the record, and to those that are followed.
pub(super) fn follow(ctx: &Context, state: &mut RunState, at: PostRef, jobs: &[String], complete: bool) {
    let Some(starts) = &mut state.starts else { return };
    let known: BTreeSet<String> = state.jobs.iter().map(|tracked| tracked.report.job_id.clone()).collect();
    let Some(posted) = starts.posts.get(&at) else { return };
    let (started, found) = (posted.started.clone(), posted.found.clone());
    starts.change(ctx, at, |record| {
        let Some(start) = record.start_mut() else { return };
        start.complete = complete;
        match &started {
            Some(started) => take_answer(start, started),
            None => {
                for id in jobs {
                    if start.job_ids.contains(id) {
                        continue;
                    }
                    start.job_ids.push(id.clone());
                    let found = found.get(id);
                    start.run_ids.extend(found.and_then(|found| found.run_id.clone()));
                    let execution = found.and_then(|found| found.test_plan_execution_id.clone());
                    start.test_plan_execution_id = start.test_plan_execution_id.take().or(execution);
                }
            }
        }
    });
    let Some(posted) = starts.posts.get(&at) else { return };
    let start = posted.start();
    if state.test_plan_execution_id.is_none() {
        state.test_plan_execution_id.clone_from(&start.test_plan_execution_id);
    }
    let new: Vec<Tracked> = tracked_job::of_start(start)
        .into_iter()
        .filter(|tracked| !known.contains(&tracked.report.job_id))
        .collect();
    if complete {
        // What was missing has come.
        let tag = start.tag.clone();
        state.problems.retain(|problem| problem.tag.as_deref() != Some(&tag));
    }
    if posted.earlier {
        let count = new.len();
        ctx.log.info(format!(
            "{}: {count} job{} of an earlier attempt still unfinished, going on with {}",
            start.label,
            if count == 1 { "" } else { "s" },
            if count == 1 { "it" } else { "them" },
        ));
    }
    add(state, at.start, new);
}

/// Takes jobs of an earlier attempt as ours, without a start; each of them once.
pub(super) fn carry_over(ctx: &Context, state: &mut RunState, start: usize, group: usize) {
    let Some(starts) = &mut state.starts else { return };
    let (Some(planned), Some(earlier)) = (starts.plans.get(start), starts.earlier.get(group)) else { return };
    let attempt = earlier_attempt::shown(ctx, earlier.attempt, &starts.earlier);
    let passed = &mut starts.recalled.passed;
    let mut carried = Vec::new();
    for (id, _) in &earlier.jobs {
        let Some(mut tracked) = passed.as_mut().and_then(|passed| passed.remove(id)) else {
            // What does not count may not be missing either.
            let message = format!("job {id} of attempt {attempt} counts for another start already");
            state.problems.push(StartProblem {
                run: planned.label.clone(),
                device: None,
                message,
                tag: None,
            });
            continue;
        };
        tracked.report.carried_over = Some(CarriedOver { attempt });
        // How it came about was told by that attempt.
        let _ = (tracked.changes(), tracked.ending());
        for run in tracked.report.deciding_runs() {
            let link = run.url.clone().unwrap_or_else(|| format!("run {}", run.run_id));
            ctx.log.info(format!("{}: SUCCESS from attempt {attempt}: {link}", tracked.name()));
        }
        carried.push(tracked);
    }
    add(state, start, carried);
}

/// Jobs stand in the order of their starts, whether they are started or carried over.
fn add(state: &mut RunState, start: usize, mut jobs: Vec<Tracked>) {
    for tracked in &mut jobs {
        tracked.start = start;
    }
    state.jobs.append(&mut jobs);
    state.jobs.sort_by_key(|tracked| tracked.start);
}

/// What the service's answer tells of a start.
fn take_answer(start: &mut StartRecord, started: &Started) {
    start.job_ids.clone_from(&started.job_ids);
    start.run_ids.clone_from(&started.run_ids);
    start.test_plan_execution_id.clone_from(&started.test_plan_execution_id);
    start.started = started.started;
    let devices = started.devices.iter();
    start.devices =
        devices.flat_map(|(device, ids)| ids.iter().map(|id| (id.clone(), device.clone()))).collect();
}

/// Says how a start was settled.
pub(super) fn settled(ctx: &Context, state: &mut RunState, start: usize, how: Settled) {
    match how {
        Settled::Started { complete } => began(ctx, state, start, complete),
        Settled::CarriedOver | Settled::Refused => {}
        Settled::Unknown => unknown(ctx, state, start),
    }
}

fn began(ctx: &Context, state: &mut RunState, start: usize, complete: bool) {
    let Some(starts) = &state.starts else { return };
    let Some((at, posted)) = starts.posts.iter().rfind(|(at, _)| at.start == start) else { return };
    let label = posted.start().label.clone();
    let jobs = posted.start().job_ids.len().max(posted.start().run_ids.len());
    let mut problems: Vec<(Option<String>, String)> = Vec::new();
    match &posted.started {
        Some(started) => problems.extend(missing(started, &starts.plans[at.start], jobs)),
        None if !complete => {
            let message = match starts.protocol.expected(start) {
                Expected::Exactly(all) | Expected::OneOr(all) => format!("only {jobs} of {all} jobs started"),
                Expected::Unknown => format!(
                    "{jobs} job{} of it {} found, and nobody knows whether that is all",
                    if jobs == 1 { "" } else { "s" },
                    if jobs == 1 { "was" } else { "were" }
                ),
            };
            problems.push((None, message));
        }
        None => {}
    }
    let tag = posted.started.is_none().then(|| posted.start().tag.clone());
    let recorded_only = starts.plans[at.start].request.is_none();
    for (device, message) in problems {
        match &device {
            Some(device) => ctx.log.error(format!("{label}: not started on {device}: {message}")),
            None => ctx.log.error(format!("{label}: {message}")),
        }
        state.problems.push(StartProblem { run: label.clone(), device, message, tag: tag.clone() });
    }
    if !posted.earlier && !recorded_only {
        let label = state.names.get(&label).unwrap_or(&label);
        ctx.log.info(format!("{label}: started {jobs} {}", if jobs == 1 { "job" } else { "jobs" }));
    }
}

/// What the service says that it did not start, by device where it tells.
fn missing(started: &Started, planned: &Planned, jobs: usize) -> Vec<(Option<String>, String)> {
    let devices = started.failed_devices.iter();
    let devices: Vec<_> = devices.map(|(device, why)| (Some(device.clone()), why.clone())).collect();
    let asked = planned.request.as_ref().map_or(1, |request| request.spec.asked());
    let asked = u64::try_from(asked).unwrap_or(u64::MAX);
    if !devices.is_empty() || !started.is_partial(asked) {
        return devices;
    }
    let begun = started.started.or(u64::try_from(jobs).ok()).unwrap_or_default();
    let wanted =
        started.requested.unwrap_or_default().max(asked).max(begun + started.failed.unwrap_or_default());
    let message = if wanted > begun {
        format!("only {begun} of {wanted} runs started")
    } else {
        "the service says that not all of it started".to_owned()
    };
    vec![(None, message)]
}

/// The service refused a start: nothing of it runs.
pub(super) fn refused(ctx: &Context, state: &mut RunState, at: PostRef, error: &ApiError) {
    let Some(starts) = &state.starts else { return };
    let Some(label) = starts.plans.get(at.start).map(|planned| planned.label.clone()) else { return };
    let failure = error.failure(Phase::Start);
    ctx.log.error(format!("{label}: not started"));
    let problem = |device: Option<String>, message: String| StartProblem {
        run: label.clone(),
        device,
        message,
        tag: None,
    };
    if error.refused.is_empty() {
        state.problems.push(problem(None, failure.message.clone()));
    }
    for (device, words) in &error.refused {
        ctx.log.error(format!("{label}: not started on {device}: {words}"));
        state.problems.push(problem(Some(device.clone()), words.clone()));
    }
    if error.is_auth() {
        // The key is refused: no other start has a better chance.
        state.start_failure.get_or_insert(failure);
    } else {
        state.first_refusal.get_or_insert(failure);
    }
}

/// Nobody knows whether a start took effect. Its record stays open, so that `stop` can find it by its tag.
fn unknown(ctx: &Context, state: &mut RunState, start: usize) {
    let Some(starts) = &state.starts else { return };
    let label = starts.plans[start].label.clone();
    let posted = starts.posts.iter().rfind(|(at, posted)| at.start == start && !posted.earlier);
    let Some((_, posted)) = posted else {
        state.start_failure.get_or_insert(
            Failure::new(ExitReason::StartFailed, format!("{label}: nothing was started, since it is unknown whether runs of an earlier attempt go on"))
                .hint("run the job again when the service answers, or stop the earlier runs on the dashboard"),
        );
        return;
    };
    let tag = posted.start().tag.clone();
    let why = if ctx.may_read {
        starts.trouble.get(&tag).cloned().unwrap_or_else(|| "no run with its tag was found".to_owned())
    } else {
        "the key may not read runs (project:read-runs), so the start cannot be looked up".to_owned()
    };
    let mut failure = Failure::new(
        ExitReason::StartFailed,
        format!("it is unknown whether the run {label} was started: {why}"),
    );
    if let Some(error) = &posted.unclear {
        failure = failure.because(error);
    }
    let failure = failure
        .hint(format!("look for runs with the tag {tag} on the dashboard, and stop them if they are not wanted"))
        .hint(
            "nunu-ci stop finds them by that tag, with a key that has project:read-runs and project:operate-runs",
        );
    state.problems.push(StartProblem {
        run: label,
        device: None,
        message: "it is unknown whether it was started".to_owned(),
        tag: Some(tag),
    });
    if starts.plans[start].request.is_some() {
        state.start_failure.get_or_insert(failure);
    }
}

/// What is started, by its name where that says more than the label.
fn describe(spec: &RunSpec, names: &BTreeMap<String, String>) -> String {
    let called = |id: &String| match names.get(id) {
        Some(name) if *name == spec.label || *id == spec.label => String::new(),
        Some(name) => format!(" \"{name}\""),
        None => format!(" {id}"),
    };
    match &spec.target {
        Target::Test(id) => format!(" test{}", called(id)),
        Target::Plan(id) => format!(" test plan{}", called(id)),
        Target::Instructions(_) => " a one-off test".to_owned(),
    }
}
