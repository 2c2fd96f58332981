//! Performs what the start protocol decides, and tells it what happened. Nothing about posting, adopting and stopping is decided here.

use nunu_protocol::{
    Action, Answer, Event, Expected, JobState, Millis, Poll, PostRef, Protocol, Seen, StopAnswer,
};
use tokio::time::sleep_until;

use crate::api::{ApiError, Phase, Started, StopReply, start_body};

use super::context::Context;
use super::earlier_attempt;
use super::jobs_by_tag::{Found, tagged};
use super::place_tags;
use super::plan_size::{self, SizeAnswer};
use super::publish;
use super::run_state::RunState;
use super::start_results;
use super::starts::{Done, Posted, Starts};
use super::state_file::RecordStatus;
use super::tags::PostTag;

/// Performs what follows from an event.
pub(super) fn happened(ctx: &Context, state: &mut RunState, event: Event<String>) {
    let Some(starts) = &mut state.starts else { return };
    let actions = starts.step(ctx, event);
    // Nothing that is written or said may hold up a stop.
    for action in &actions {
        send(ctx, starts, action);
    }
    let mut news = false;
    for action in actions {
        news |= matches!(action, Action::Follow { .. } | Action::Settled(..));
        perform(ctx, state, action);
    }
    let stopping = state.starts.as_ref().is_some_and(|starts| starts.protocol.is_stopping());
    if news && !stopping {
        publish::interim(ctx, state);
    }
}

fn perform(ctx: &Context, state: &mut RunState, action: Action<String>) {
    let Some(starts) = &mut state.starts else { return };
    match action {
        Action::LookBack(_) | Action::TakeUp(..) | Action::Look(..) | Action::Finish(_) => {}
        Action::Record(at) => {
            let Some(request) = starts.plans.get(at.start).and_then(|planned| planned.request.as_ref())
            else {
                return;
            };
            let tag = PostTag::new(&request.digest, &ctx.records.place.attempt, fastrand::u32(..));
            let record = ctx.records.open_start(&request.spec, &tag, &request.given);
            ctx.records.put(&record);
            starts.posts.insert(at, Posted::new(record));
        }
        Action::Post(at) => {
            start_results::say_posting(ctx, starts, &state.names, at);
            post(ctx, starts, at);
        }
        Action::CarryOver { start, group } => start_results::carry_over(ctx, state, start, group),
        Action::Abandon(at) => starts.change(ctx, at, |record| {
            if let Some(start) = record.start_mut() {
                start.abandoned = true;
            }
        }),
        Action::Follow { post, jobs, complete } => start_results::follow(ctx, state, post, &jobs, complete),
        Action::Settled(start, how) => start_results::settled(ctx, state, start, how),
        Action::Stop(jobs, _) => start_results::say_stopping(ctx, state, &jobs),
        Action::Close(at) => starts.change(ctx, at, |record| record.status = RecordStatus::Done),
        Action::Leave(at) => starts.change(ctx, at, |record| record.status = RecordStatus::Left),
    }
}

/// Looks and stops leave at once, or when they are due.
fn send(ctx: &Context, starts: &mut Starts, action: &Action<String>) {
    match action {
        Action::LookBack(when) => {
            let due = starts.moment(*when);
            let api = ctx.api.once();
            let tags = earlier_attempt::tags(ctx);
            let recalled = starts.recalled.found.take();
            starts.work.spawn(async move {
                if let Some(found) = recalled {
                    return Done::LookedBack(Ok(found));
                }
                sleep_until(due).await;
                let jobs = earlier_attempt::read(&api, &tags).await;
                Done::LookedBack(jobs.map(|jobs| jobs.into_iter().map(Found::of_job).collect()))
            });
        }
        // Whose jobs are looked for next.
        Action::TakeUp(at, group) => earlier_attempt::take_up(ctx, starts, *at, *group),
        Action::Look(at, when) => look(ctx, starts, *at, *when),
        Action::Stop(ids, when) => {
            let due = starts.moment(*when);
            let (api, ids) = (ctx.api.urgent(), ids.clone());
            starts.work.spawn(async move {
                sleep_until(due).await;
                let reply = api.stop(&ids).await;
                Done::Stopped(ids, reply)
            });
        }
        _ => {}
    }
}

fn look(ctx: &Context, starts: &mut Starts, at: PostRef, when: Millis) {
    let Some(posted) = starts.posts.get(&at) else { return };
    let due = starts.moment(when);
    let tag = posted.start().tag.clone();
    let api = if starts.protocol.is_stopping() { ctx.api.urgent() } else { ctx.api.once() };
    let number = starts.looks.entry(at).or_default();
    *number += 1;
    let number = *number;
    starts.work.spawn(async move {
        sleep_until(due).await;
        Done::Looked(at, number, tagged(&api, &tag).await)
    });
    if let Some(size) = starts.plans.get(at.start).and_then(|planned| planned.size.clone()) {
        let api = ctx.api.once();
        let start = at.start;
        let execution = posted.found.values().find_map(|found| found.test_plan_execution_id.clone());
        starts.work.spawn(async move { Done::Sized(start, plan_size::ask(&api, &size, execution).await) });
    }
}

fn post(ctx: &Context, starts: &mut Starts, at: PostRef) {
    let Some(request) = starts.plans.get(at.start).and_then(|planned| planned.request.as_ref()) else {
        return;
    };
    let Some(posted) = starts.posts.get(&at) else { return };
    let mut tags = request.spec.tags.clone();
    tags.extend([ctx.records.invocation.clone(), posted.start().tag.clone()]);
    let configuration = request.spec.configuration();
    tags.extend(place_tags::of_start(
        &ctx.revision,
        ctx.records.run.as_deref(),
        &configuration,
        chrono::Utc::now(),
    ));
    let body = start_body(&request.spec, &request.given, &tags);
    let (api, spec) = (ctx.api.clone(), request.spec.clone());
    starts.work.spawn(async move {
        let answer = api.start(&spec, &body).await;
        Done::Answered(at, Box::new(answer))
    });
}

/// Takes what a request came to.
pub(super) fn take(ctx: &Context, state: &mut RunState, done: Done) {
    match done {
        Done::Answered(at, answer) => answered(ctx, state, at, *answer),
        Done::Looked(at, number, look) => {
            let newest = state.starts.as_ref().and_then(|starts| starts.looks.get(&at).copied());
            if newest == Some(number) {
                looked(ctx, state, at, look);
            }
        }
        Done::LookedBack(look) => {
            let Some(starts) = &mut state.starts else { return };
            let groups = earlier_attempt::groups(ctx, starts, look);
            happened(ctx, state, Event::LookedBack(groups));
        }
        Done::Stopped(ids, reply) => stopped(ctx, state, &ids, reply),
        Done::Sized(start, answer) => take_size(ctx, state, start, &answer),
    }
}

/// Takes the size of a plan's start. What the execution says stays; the items are the next best.
fn take_size(ctx: &Context, state: &mut RunState, start: usize, answer: &SizeAnswer) {
    let Some(starts) = &mut state.starts else { return };
    let Some(planned) = starts.plans.get_mut(start) else { return };
    let Some(size) = &mut planned.size else { return };
    let tests = match *answer {
        SizeAnswer::ByExecution(tests) => {
            planned.size = None;
            tests
        }
        SizeAnswer::ByItems(tests) if size.by_items => {
            size.by_items = false;
            tests
        }
        SizeAnswer::ByItems(_) | SizeAnswer::Nothing => return,
    };
    happened(ctx, state, Event::Size(start, Expected::Exactly(tests)));
}

fn answered(ctx: &Context, state: &mut RunState, at: PostRef, answer: Result<Started, ApiError>) {
    let Some(starts) = &mut state.starts else { return };
    let (Some(planned), Some(posted)) = (starts.plans.get(at.start), starts.posts.get_mut(&at)) else {
        return;
    };
    let event = match answer {
        Ok(started) => {
            let jobs = ids_of(&started);
            let nameless = jobs.iter().filter(|id| started.run_ids.contains(id));
            starts.nameless.extend(nameless.cloned());
            let asked = planned.request.as_ref().map_or(1, |request| request.spec.asked());
            let partial = started.is_partial(u64::try_from(asked).unwrap_or(u64::MAX));
            posted.started = Some(started);
            Answer::Clear { jobs, partial }
        }
        Err(error) if error.is_unclear() => {
            ctx.log.warn(format!("{}: it is unclear whether the start took effect: {error}", planned.label));
            if !starts.protocol.is_stopping() && ctx.may_read {
                ctx.log.info(format!(
                    "{}: looking for runs with the tag {}",
                    planned.label,
                    posted.start().tag
                ));
            }
            posted.unclear = Some(error);
            Answer::Unclear
        }
        Err(error) => {
            start_results::refused(ctx, state, at, &error);
            Answer::Refused
        }
    };
    happened(ctx, state, Event::Answered(at, event));
}

/// What the jobs of a start are known by: their ids, or those of their runs where none is told.
fn ids_of(started: &Started) -> Vec<String> {
    if started.run_ids.is_empty() {
        return started.job_ids.clone();
    }
    let id = |(place, run): (usize, &String)| started.job_ids.get(place).unwrap_or(run).clone();
    started.run_ids.iter().enumerate().map(id).collect()
}

fn looked(ctx: &Context, state: &mut RunState, at: PostRef, look: Result<Vec<Found>, ApiError>) {
    let Some(starts) = &mut state.starts else { return };
    let seen = match look {
        Ok(found) => Seen::Jobs(shown(starts, at, found)),
        Err(error) => {
            ctx.log.debug(format!("the look-up failed: {error}"));
            if starts.protocol.is_stopping() {
                starts.stop_failure.get_or_insert_with(|| error.failure(Phase::Stop));
            }
            if let Some(posted) = starts.posts.get(&at) {
                starts.trouble.insert(posted.start().tag.clone(), error.to_string());
            }
            if error.is_auth() { Seen::Denied } else { Seen::Failed }
        }
    };
    happened(ctx, state, Event::Looked(at, seen));
}

/// Notes what a look showed of a post.
fn shown(starts: &mut Starts, at: PostRef, found: Vec<Found>) -> Vec<(String, JobState)> {
    let Some(posted) = starts.posts.get_mut(&at) else { return Vec::new() };
    let earlier = posted.earlier;
    let state = |found: &Found| if earlier { found.state_of_earlier() } else { found.state };
    let jobs = found.iter().map(|found| (found.id.clone(), state(found))).collect();
    starts.nameless.extend(found.iter().filter(|found| found.is_nameless()).map(|found| found.id.clone()));
    posted.found.extend(found.into_iter().map(|found| (found.id.clone(), found)));
    jobs
}

/// Tells what a list of an invocation's jobs shows of each of its posts: late jobs are noticed without a request of their own.
pub(super) fn listed(ctx: &Context, state: &mut RunState, tag: &str, found: &[Found]) {
    let Some(starts) = &mut state.starts else { return };
    let of_tag = |(_, posted): &(&PostRef, &Posted)| posted.start().invocation == tag;
    let posts: Vec<PostRef> = starts.posts.iter().filter(of_tag).map(|(at, _)| *at).collect();
    for at in posts {
        let Some(starts) = &mut state.starts else { return };
        let Some(posted) = starts.posts.get(&at) else { continue };
        let own = |found: &&Found| found.tags.contains(&posted.start().tag);
        let own: Vec<Found> = found.iter().filter(own).cloned().collect();
        let new = own.iter().any(|found| !starts.protocol.knows(&found.id));
        if new || (starts.protocol.is_abandoned(at) && !own.is_empty()) {
            let jobs = shown(starts, at, own);
            happened(ctx, state, Event::Looked(at, Seen::Jobs(jobs)));
        }
    }
}

/// Tells what a look at one job brought; what is known already is no news.
pub(super) fn polled(ctx: &Context, state: &mut RunState, id: &str, poll: Poll) {
    let Some(starts) = &mut state.starts else { return };
    let id = id.to_owned();
    let known = matches!(poll, Poll::State(state) if starts.protocol.stands_as(&id, state));
    if !known {
        happened(ctx, state, Event::Polled(id, poll));
    }
}

fn stopped(ctx: &Context, state: &mut RunState, ids: &[String], reply: Result<StopReply, ApiError>) {
    let Some(starts) = &mut state.starts else { return };
    let mut answers: Vec<(String, StopAnswer)> = Vec::new();
    match reply {
        Ok(reply) => {
            let done = reply.stopped.iter().chain(&reply.already_done);
            answers.extend(done.map(|id| (id.clone(), StopAnswer::Done)));
            for id in reply.unknown {
                // The oldest service tells runs alone in its lists, and stops by job alone: such a run goes on.
                let nameless = starts.nameless.contains(&id);
                let answer = if nameless { StopAnswer::Impossible } else { StopAnswer::NotFound };
                let why = if nameless {
                    "the service told only the id of the run, and stops by the id of the job alone"
                } else {
                    "the service does not know it"
                };
                starts.trouble.insert(id.clone(), why.to_owned());
                answers.push((id, answer));
            }
            for (id, why) in reply.failed {
                starts.trouble.insert(id.clone(), why);
                answers.push((id, StopAnswer::Failed));
            }
        }
        Err(error) => {
            let answer = if error.is_auth() { StopAnswer::Impossible } else { StopAnswer::Failed };
            starts.stop_failure.get_or_insert_with(|| error.failure(Phase::Stop));
            for id in ids {
                starts.trouble.insert(id.clone(), error.to_string());
                answers.push((id.clone(), answer));
            }
        }
    }
    let done: Vec<String> =
        answers.iter().filter(|(_, answer)| *answer == StopAnswer::Done).map(|(id, _)| id.clone()).collect();
    if !done.is_empty() {
        ctx.log.info(format!("stopped {}", done.join(", ")));
    }
    state.stopped_by_us(done.iter());
    for (id, answer) in answers {
        happened(ctx, state, Event::StopAnswered(id, answer));
    }
}

/// Works until `enough` is true or `cut` comes; true for the former.
pub(super) async fn work_until(
    ctx: &Context,
    state: &mut RunState,
    cut: impl Future<Output = ()>,
    enough: impl Fn(&Protocol<String>) -> bool,
) -> bool {
    tokio::pin!(cut);
    loop {
        let Some(starts) = &mut state.starts else {
            cut.await;
            return false;
        };
        if enough(&starts.protocol) {
            return true;
        }
        let done = tokio::select! {
            biased;
            () = &mut cut => return false,
            done = starts.next() => done,
        };
        take(ctx, state, done);
    }
}
