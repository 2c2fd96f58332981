//! Performs what the start protocol decides, and tells it what happened. Nothing about posting, adopting and stopping is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use nunu_protocol::{
    Action, Answer, Event, Limits, Millis, Outcome, Poll, PostRef, Powers, Protocol, Seen, StartSpec,
    StopAnswer, text,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::api::{ApiError, Phase, Started, StopReply, start_body};
use crate::model::given::GivenBuilds;
use crate::model::{Failure, RunSpec};

use super::look_back::{self, Earlier};
use super::session::Session;
use super::size::{self, PlanSize, Told};
use super::start;
use super::state::{Record, Standing, StartRecord, What};
use super::story::Story;
use super::tagged::{Found, tagged};
use super::tags::PostTag;

/// A start of this invocation, as far as it can be posted or looked up.
pub(super) struct Planned {
    /// What it is called.
    pub(super) label: String,
    /// What is asked how many jobs there are, while that is not known for sure.
    pub(super) size: Option<PlanSize>,
    /// What to post; `None` for a start that is only recorded.
    pub(super) request: Option<Request>,
}

/// What is posted.
pub(super) struct Request {
    pub(super) spec: RunSpec,
    pub(super) given: GivenBuilds,
    /// Names the start in its tags.
    pub(super) digest: String,
}

/// One POST and what is known of it.
pub(super) struct Posted {
    pub(super) record: Record,
    /// False where nothing is to be written: jobs that were named by their ids.
    pub(super) recorded: bool,
    /// The service's answer, when it named jobs.
    pub(super) started: Option<Started>,
    /// Why it is unclear what became of it.
    pub(super) unclear: Option<ApiError>,
    /// Jobs that looks showed.
    pub(super) found: BTreeMap<String, Found>,
    /// True for a post of an earlier attempt.
    pub(super) earlier: bool,
}

impl Posted {
    pub(super) fn new(record: Record) -> Self {
        Self { record, recorded: true, started: None, unclear: None, found: BTreeMap::new(), earlier: false }
    }

    /// The start it is about.
    pub(super) fn start(&self) -> &StartRecord {
        match &self.record.what {
            What::Start(start) => start,
            What::Upload { .. } => unreachable!("an upload is no start"),
        }
    }
}

/// What a request came to.
pub(super) enum Done {
    Answered(PostRef, Box<Result<Started, ApiError>>),
    Looked(PostRef, u32, Result<Vec<Found>, ApiError>),
    LookedBack(Result<Vec<Found>, ApiError>),
    Stopped(Vec<String>, Result<StopReply, ApiError>),
    Sized(usize, Told),
}

/// The starts of one invocation on their way.
pub(super) struct Starts {
    pub(super) protocol: Protocol<String>,
    pub(super) plans: Vec<Planned>,
    pub(super) posts: BTreeMap<PostRef, Posted>,
    /// True when the build of an equal start of an earlier attempt is surely the same.
    pub(super) same_build: bool,
    /// What an earlier attempt left, in the order the protocol knows it.
    pub(super) earlier: Vec<Earlier>,
    /// The last trouble with a job or a tag.
    pub(super) trouble: BTreeMap<String, String>,
    /// What the first request said that failed on the way out: it decides the reason of a `stop`.
    pub(super) stop_failure: Option<Failure>,
    /// Runs whose job nobody told.
    nameless: BTreeSet<String>,
    /// Jobs whose stop was said.
    pub(super) stopping: BTreeSet<String>,
    /// The moment at `zero`.
    begun: Millis,
    zero: Instant,
    work: JoinSet<Done>,
    /// The newest look that was ordered for each post; earlier ones are of no interest any more.
    looks: BTreeMap<PostRef, u32>,
}

impl fmt::Debug for Starts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Starts").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Starts {
    pub(super) fn new(
        session: &Session,
        powers: Powers,
        specs: Vec<StartSpec<String>>,
        plans: Vec<Planned>,
        posts: BTreeMap<PostRef, Posted>,
    ) -> Self {
        let limits = Limits::default();
        // Long enough after zero that a post on record can be old.
        let begun = limits.window.max(limits.unknown_job);
        session.net.recorder().decision(begun, &text::beginning(powers, &specs), Vec::new());
        Self {
            protocol: Protocol::new(limits, powers, specs, begun),
            plans,
            posts,
            same_build: false,
            earlier: Vec::new(),
            trouble: BTreeMap::new(),
            stop_failure: None,
            nameless: BTreeSet::new(),
            stopping: BTreeSet::new(),
            begun,
            zero: Instant::now(),
            work: JoinSet::new(),
            looks: BTreeMap::new(),
        }
    }

    /// The outcome, once nothing more is to be done.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.protocol.outcome()
    }

    /// The next thing that came to an end; never, when nothing is under way.
    pub(super) async fn next(&mut self) -> Done {
        match self.work.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    fn now(&self) -> Millis {
        let elapsed = Millis::try_from(self.zero.elapsed().as_millis()).unwrap_or(Millis::MAX);
        elapsed.saturating_add(self.begun)
    }

    fn moment(&self, at: Millis) -> Instant {
        self.zero + Duration::from_millis(at.saturating_sub(self.begun))
    }

    fn step(&mut self, session: &Session, event: Event<String>) -> Vec<Action<String>> {
        let now = self.now();
        let line = text::event(&event);
        let actions = self.protocol.step(event, now);
        session.net.recorder().decision(now, &line, actions.iter().map(text::action).collect());
        actions
    }

    /// Looks and stops leave at once, or when they are due.
    fn send(&mut self, session: &Session, action: &Action<String>) {
        match action {
            Action::LookBack(when) => {
                let due = self.moment(*when);
                let api = session.api.once();
                let tags = look_back::tags(session);
                self.work.spawn(async move {
                    sleep_until(due).await;
                    Done::LookedBack(look_back::read(&api, &tags).await)
                });
            }
            // Whose jobs are looked for next.
            Action::TakeUp(at, group) => look_back::take_up(session, self, *at, *group),
            Action::Look(at, when) => self.look(session, *at, *when),
            Action::Stop(ids, when) => {
                let due = self.moment(*when);
                let (api, ids) = (session.api.urgent(), ids.clone());
                self.work.spawn(async move {
                    sleep_until(due).await;
                    let reply = api.stop(&ids).await;
                    Done::Stopped(ids, reply)
                });
            }
            _ => {}
        }
    }

    fn look(&mut self, session: &Session, at: PostRef, when: Millis) {
        let Some(posted) = self.posts.get(&at) else { return };
        let due = self.moment(when);
        let tag = posted.start().tag.clone();
        let api = if self.protocol.is_stopping() { session.api.urgent() } else { session.api.once() };
        let number = self.looks.entry(at).or_default();
        *number += 1;
        let number = *number;
        self.work.spawn(async move {
            sleep_until(due).await;
            Done::Looked(at, number, tagged(&api, &tag).await)
        });
        if let Some(size) = self.plans.get(at.start).and_then(|planned| planned.size.clone()) {
            let api = session.api.once();
            let start = at.start;
            let execution = posted.found.values().find_map(|found| found.test_plan_execution_id.clone());
            self.work.spawn(async move { Done::Sized(start, size::ask(&api, &size, execution).await) });
        }
    }

    fn post(&mut self, session: &Session, at: PostRef) {
        let Some(request) = self.plans.get(at.start).and_then(|planned| planned.request.as_ref()) else {
            return;
        };
        let Some(posted) = self.posts.get(&at) else { return };
        let mut tags = request.spec.tags.clone();
        tags.extend([session.invocation.clone(), posted.start().tag.clone()]);
        let body = start_body(&request.spec, &request.given, &tags);
        let (api, spec) = (session.api.clone(), request.spec.clone());
        self.work.spawn(async move {
            let answer = api.start(&spec, &body).await;
            Done::Answered(at, Box::new(answer))
        });
    }
}

/// Performs what follows from an event.
pub(super) fn happened(session: &Session, story: &mut Story, event: Event<String>) {
    let Some(starts) = &mut story.starts else { return };
    let actions = starts.step(session, event);
    // Nothing that is written or said may hold up a stop.
    for action in &actions {
        starts.send(session, action);
    }
    let mut news = false;
    for action in actions {
        news |= matches!(action, Action::Follow { .. } | Action::Settled(..));
        perform(session, story, action);
    }
    let stopping = story.starts.as_ref().is_some_and(|starts| starts.protocol.is_stopping());
    if news && !stopping {
        session.known(story);
    }
}

fn perform(session: &Session, story: &mut Story, action: Action<String>) {
    let Some(starts) = &mut story.starts else { return };
    match action {
        Action::LookBack(_) | Action::TakeUp(..) | Action::Look(..) | Action::Finish(_) => {}
        Action::Record(at) => {
            let Some(request) = starts.plans.get(at.start).and_then(|planned| planned.request.as_ref())
            else {
                return;
            };
            let tag = PostTag::new(&request.digest, &session.place.attempt, fastrand::u32(..));
            let record = session.open_start(&request.spec, &tag, &request.given);
            session.put(&record);
            starts.posts.insert(at, Posted::new(record));
        }
        Action::Post(at) => {
            start::say_posting(session, starts, at);
            starts.post(session, at);
        }
        Action::Abandon(at) => change(session, starts, at, |record| {
            if let Some(start) = record.start_mut() {
                start.abandoned = true;
            }
        }),
        Action::Follow { post, jobs, complete } => start::follow(session, story, post, &jobs, complete),
        Action::Settled(start, how) => start::settled(session, story, start, how),
        Action::Stop(jobs, _) => start::say_stopping(session, story, &jobs),
        Action::Close(at) => change(session, starts, at, |record| record.standing = Standing::Done),
        Action::Leave(at) => change(session, starts, at, |record| record.standing = Standing::Left),
    }
}

/// Changes the record of a post, here and in the state file.
pub(super) fn change(session: &Session, starts: &mut Starts, at: PostRef, change: impl FnOnce(&mut Record)) {
    if let Some(posted) = starts.posts.get_mut(&at) {
        change(&mut posted.record);
        if posted.recorded {
            session.put(&posted.record);
        }
    }
}

/// Takes what a request came to.
pub(super) fn take(session: &Session, story: &mut Story, done: Done) {
    match done {
        Done::Answered(at, answer) => answered(session, story, at, *answer),
        Done::Looked(at, number, look) => {
            let newest = story.starts.as_ref().and_then(|starts| starts.looks.get(&at).copied());
            if newest == Some(number) {
                looked(session, story, at, look);
            }
        }
        Done::LookedBack(look) => {
            let Some(starts) = &mut story.starts else { return };
            let groups = look_back::groups(session, starts, look);
            happened(session, story, Event::LookedBack(groups));
        }
        Done::Stopped(ids, reply) => stopped(session, story, &ids, reply),
        Done::Sized(start, told) => size::take(session, story, start, &told),
    }
}

fn answered(session: &Session, story: &mut Story, at: PostRef, answer: Result<Started, ApiError>) {
    let Some(starts) = &mut story.starts else { return };
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
            session
                .log
                .warn(format!("{}: it is unclear whether the start took effect: {error}", planned.label));
            if !starts.protocol.is_stopping() && session.may_read {
                session.log.info(format!(
                    "{}: looking for runs with the tag {}",
                    planned.label,
                    posted.start().tag
                ));
            }
            posted.unclear = Some(error);
            Answer::Unclear
        }
        Err(error) => {
            start::refused(session, story, at, &error);
            Answer::Refused
        }
    };
    happened(session, story, Event::Answered(at, event));
}

/// What the jobs of a start are known by: their ids, or those of their runs where none is told.
fn ids_of(started: &Started) -> Vec<String> {
    if started.run_ids.is_empty() {
        return started.job_ids.clone();
    }
    let id = |(place, run): (usize, &String)| started.job_ids.get(place).unwrap_or(run).clone();
    started.run_ids.iter().enumerate().map(id).collect()
}

fn looked(session: &Session, story: &mut Story, at: PostRef, look: Result<Vec<Found>, ApiError>) {
    let Some(starts) = &mut story.starts else { return };
    let seen = match look {
        Ok(found) => Seen::Jobs(shown(starts, at, found)),
        Err(error) => {
            session.log.debug(format!("the look-up failed: {error}"));
            if starts.protocol.is_stopping() {
                starts.stop_failure.get_or_insert_with(|| error.failure(Phase::Stop));
            }
            if let Some(posted) = starts.posts.get(&at) {
                starts.trouble.insert(posted.start().tag.clone(), error.to_string());
            }
            if error.is_auth() { Seen::Denied } else { Seen::Failed }
        }
    };
    happened(session, story, Event::Looked(at, seen));
}

/// Notes what a look showed of a post.
fn shown(starts: &mut Starts, at: PostRef, found: Vec<Found>) -> Vec<(String, nunu_protocol::JobState)> {
    let Some(posted) = starts.posts.get_mut(&at) else { return Vec::new() };
    let earlier = posted.earlier;
    let state = |found: &Found| if earlier { found.state_of_earlier() } else { found.state };
    let jobs = found.iter().map(|found| (found.id.clone(), state(found))).collect();
    starts.nameless.extend(found.iter().filter(|found| found.is_nameless()).map(|found| found.id.clone()));
    posted.found.extend(found.into_iter().map(|found| (found.id.clone(), found)));
    jobs
}

/// Tells what a list of an invocation's jobs shows of each of its posts: late jobs are noticed without a request of their own.
pub(super) fn listed(session: &Session, story: &mut Story, tag: &str, found: &[Found]) {
    let Some(starts) = &mut story.starts else { return };
    let of_tag = |(_, posted): &(&PostRef, &Posted)| posted.start().invocation == tag;
    let posts: Vec<PostRef> = starts.posts.iter().filter(of_tag).map(|(at, _)| *at).collect();
    for at in posts {
        let Some(starts) = &mut story.starts else { return };
        let Some(posted) = starts.posts.get(&at) else { continue };
        let own = |found: &&Found| found.tags.contains(&posted.start().tag);
        let own: Vec<Found> = found.iter().filter(own).cloned().collect();
        let new = own.iter().any(|found| !starts.protocol.knows(&found.id));
        if new || (starts.protocol.is_abandoned(at) && !own.is_empty()) {
            let jobs = shown(starts, at, own);
            happened(session, story, Event::Looked(at, Seen::Jobs(jobs)));
        }
    }
}

/// Tells what a look at one job brought; what is known already is no news.
pub(super) fn polled(session: &Session, story: &mut Story, id: &str, poll: Poll) {
    let Some(starts) = &mut story.starts else { return };
    let id = id.to_owned();
    let known = matches!(poll, Poll::State(state) if starts.protocol.stands_as(&id, state));
    if !known {
        happened(session, story, Event::Polled(id, poll));
    }
}

fn stopped(session: &Session, story: &mut Story, ids: &[String], reply: Result<StopReply, ApiError>) {
    let Some(starts) = &mut story.starts else { return };
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
        session.log.info(format!("stopped {}", done.join(", ")));
    }
    story.stopped_by_us(done.iter());
    for (id, answer) in answers {
        happened(session, story, Event::StopAnswered(id, answer));
    }
}

/// Works until `enough` is true or `cut` comes; true for the former.
pub(super) async fn work_until(
    session: &Session,
    story: &mut Story,
    cut: impl Future<Output = ()>,
    enough: impl Fn(&Protocol<String>) -> bool,
) -> bool {
    tokio::pin!(cut);
    loop {
        let Some(starts) = &mut story.starts else {
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
        take(session, story, done);
    }
}
