//! The service, the runner and the driver around the protocol, with everything that may go wrong.

use std::collections::BTreeSet;

use super::moves::{Move, Reply};
use super::rules;
use super::state::{Assumption, LIMITS, Made, Posted, Recorded, Setup, Standing, Todo, Who, World};
use crate::state::{Mode, Protocol};
use crate::types::{
    Action, Answer, Cause, Earlier, Event, Guard, JobState, Millis, Outcome, Poll, PostRef, Powers, Record,
    Seen, StartSpec, StopAnswer,
};

/// From a signal to the end of the program.
const TIME_TO_STOP: Millis = 2;
/// How long the safety net works.
const TIME_OF_NET: Millis = 8;

impl World {
    pub(super) fn new(setup: &Setup, off: Option<Guard>) -> Self {
        let mut world = Self {
            setup: *setup,
            off,
            now: 0,
            who: Who::Job,
            attempt: 1,
            kernel: None,
            todo: Vec::new(),
            posted_as: Vec::new(),
            file: Vec::new(),
            posts: Vec::new(),
            deadline: None,
            lost: setup.lost,
            failures: setup.failures,
            strangers: setup.strangers,
            glitches: setup.glitches,
            kills: u8::from(setup.kill),
            named: BTreeSet::new(),
            file_lost: false,
            alive: BTreeSet::new(),
            followed: BTreeSet::new(),
            carries: false,
            carried: Vec::new(),
            unattended: false,
            nets: 1,
            visible_at_stop: BTreeSet::new(),
            rested: false,
        };
        if setup.twin {
            // The other job's is over where it could be carried over.
            let state = if setup.carry { JobState::Ended { passed: true } } else { JobState::Live };
            let job = Made { id: 90, visible: true, state, glitch: false };
            world.posts.push(Posted {
                start: 0,
                attempt: 1,
                at: 0,
                decided: true,
                refused: false,
                twin: true,
                jobs: vec![job],
            });
        }
        world.begin().expect("nothing breaks before anything happens");
        world
    }

    pub(super) fn now(&self) -> Millis {
        self.now
    }

    /// A job begins: the first time, or repeated.
    fn begin(&mut self) -> Result<(), String> {
        let earlier = match (self.attempt, self.setup.twin) {
            (1, _) => Earlier::Nothing,
            (_, false) => Earlier::Ours,
            (_, true) => Earlier::Ambiguous,
        };
        let carry = self.carries;
        let powers = Powers { look: true, earlier, post: true, unclosed_only: false, carry };
        let spec = StartSpec { expected: self.setup.expected, records: Vec::new() };
        self.who = Who::Job;
        self.posted_as.clear();
        self.start_kernel(powers, vec![spec; self.setup.starts]);
        self.step(Event::Begin)
    }

    fn start_kernel(&mut self, powers: Powers, starts: Vec<StartSpec<u8>>) {
        let mut kernel = Protocol::empty(LIMITS, powers);
        kernel.off = self.off;
        self.kernel = Some(kernel.with(starts, self.now));
        self.todo.clear();
        self.followed.clear();
        self.alive.clear();
        self.carried.clear();
        self.deadline = None;
    }

    /// What the state file tells a program that stops everything.
    fn recorded_starts(&mut self, unclosed_only: bool) -> Vec<StartSpec<u8>> {
        self.posted_as.clear();
        let mut specs = Vec::new();
        for start in 0..self.setup.starts {
            let mut records = Vec::new();
            for record in &self.file {
                let posted = &self.posts[record.posted];
                let left = record.standing == Standing::Left;
                if posted.start != start || record.standing == Standing::Closed || (left && !unclosed_only) {
                    continue;
                }
                self.posted_as.push((PostRef { start, post: records.len() }, record.posted));
                records.push(Record {
                    jobs: record.jobs.clone(),
                    complete: record.complete,
                    abandoned: record.abandoned,
                    left,
                    age: self.now - posted.at,
                });
            }
            specs.push(StartSpec { expected: self.setup.expected, records });
        }
        specs
    }

    /// A program that stops what the state file tells.
    fn stop_recorded(&mut self, cause: Cause, time: Millis) -> Result<(), String> {
        let starts = self.recorded_starts(cause == Cause::Stop);
        let powers = Powers {
            look: true,
            earlier: Earlier::Nothing,
            post: false,
            unclosed_only: cause == Cause::Stop,
            carry: false,
        };
        self.start_kernel(powers, starts);
        self.deadline = Some(self.now + time);
        self.note_visible();
        self.step(Event::End(cause))
    }

    /// Lets something happen.
    pub(super) fn perform(&mut self, movement: Move) -> Result<(), String> {
        match movement {
            Move::Post(at, reply) => self.answer(at, reply),
            Move::LateEffect { posted, starts } => {
                self.take_effect(posted, if starts { self.setup.jobs } else { 0 }, false);
                Ok(())
            }
            Move::Look(at, good) => {
                self.todo.retain(|todo| !matches!(todo, Todo::Look(look, _) if *look == at));
                self.failures -= u8::from(!good);
                let seen = if good { Seen::Jobs(self.visible(self.posted(at))) } else { Seen::Failed };
                self.step(Event::Looked(at, seen))
            }
            Move::LookShowsNothing(at) => {
                self.todo.retain(|todo| !matches!(todo, Todo::Look(look, _) if *look == at));
                self.step(Event::Looked(at, Seen::Jobs(Vec::new())))
            }
            Move::LookBack(good) => {
                self.todo.retain(|todo| !matches!(todo, Todo::LookBack(_)));
                self.failures -= u8::from(!good);
                self.look_back(good)
            }
            Move::Stop { jobs, answered, effective } => self.stop(&jobs, answered, effective),
            Move::JobAppears(id) => {
                self.job_mut(id).visible = true;
                Ok(())
            }
            Move::JobEnds { job, passed } => {
                self.job_mut(job).state = JobState::Ended { passed };
                Ok(())
            }
            Move::StrangerStops(id) => {
                self.strangers -= 1;
                self.job_mut(id).state = JobState::Stopped;
                Ok(())
            }
            Move::JobIsNotFound(id) => {
                self.glitches -= 1;
                self.job_mut(id).glitch = true;
                Ok(())
            }
            Move::Signal => {
                self.deadline = Some(self.now + TIME_TO_STOP);
                self.note_visible();
                self.step(Event::End(Cause::Cancelled))
            }
            Move::Panic => self.stop_recorded(Cause::Panic, TIME_TO_STOP),
            Move::Kill => {
                self.kills -= 1;
                self.unattended = true;
                self.gone();
                Ok(())
            }
            Move::SafetyNet => {
                self.who = Who::Net;
                self.unattended = false;
                self.nets -= 1;
                self.stop_recorded(Cause::Stop, TIME_OF_NET)
            }
            Move::Repeat { state_file, carry } => {
                self.attempt += 1;
                self.unattended = false;
                self.carries = carry;
                if !state_file {
                    self.file.clear();
                    self.file_lost = true;
                }
                self.begin()
            }
            Move::Rest => {
                self.rested = true;
                rules::at_rest(self)
            }
            Move::TimePasses => self.time_passes(),
        }
    }

    fn gone(&mut self) {
        self.kernel = None;
        self.todo.clear();
        self.who = Who::Nobody;
        self.deadline = None;
    }

    fn time_passes(&mut self) -> Result<(), String> {
        self.now += 1;
        if !self.setup.late && !self.drops(Assumption::JobsAreShownInTime) {
            for post in &mut self.posts {
                if post.at + LIMITS.window <= self.now {
                    post.jobs.iter_mut().for_each(|job| job.visible = true);
                }
            }
        }
        if self.deadline.is_some_and(|deadline| deadline <= self.now) {
            self.step(Event::TimeUp)?;
        }
        // While jobs are followed, a list shows them, and whatever else carries our tags.
        if self.kernel.as_ref().is_some_and(|kernel| kernel.mode == Mode::Following) {
            for (at, posted) in self.posted_as.clone() {
                self.step(Event::Looked(at, Seen::Jobs(self.visible(posted))))?;
            }
        }
        let followed: Vec<u8> =
            self.kernel.as_ref().map(|kernel| kernel.unfinished().copied().collect()).unwrap_or_default();
        for id in followed {
            let job = self.job(id);
            let poll = if self.is_unknown(job) { Poll::NotFound } else { Poll::State(job.state) };
            self.step(Event::Polled(id, poll))?;
        }
        self.step(Event::Tick)
    }

    /// Lets something happen to the protocol, and performs what it says.
    pub(super) fn step(&mut self, event: Event<u8>) -> Result<(), String> {
        let Some(kernel) = &mut self.kernel else { return Ok(()) };
        let actions = kernel.step(event, self.now);
        self.obey(actions)?;
        let leaves = self.setup.leave && self.who == Who::Job;
        if leaves && self.kernel.as_ref().is_some_and(|kernel| kernel.mode == Mode::Following) {
            return self.step(Event::Leave);
        }
        Ok(())
    }

    pub(super) fn obey(&mut self, actions: Vec<Action<u8>>) -> Result<(), String> {
        for action in actions {
            rules::before(self, &action)?;
            self.carry_out(action)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, action: Action<u8>) -> Result<(), String> {
        match action {
            Action::LookBack(when) => self.todo.push(Todo::LookBack(when)),
            Action::TakeUp(..) | Action::CarryOver { .. } | Action::Settled(..) => {}
            Action::Record(at) => {
                let posted = self.new_post(at);
                self.file.push(Recorded {
                    posted,
                    jobs: Vec::new(),
                    complete: false,
                    abandoned: false,
                    standing: Standing::Open,
                });
            }
            Action::Post(at) => {
                self.new_post(at);
                self.todo.push(Todo::Post(at));
            }
            Action::Abandon(at) => self.change_record(at, |record| record.abandoned = true),
            Action::Look(at, when) => {
                self.todo.retain(|todo| !matches!(todo, Todo::Look(look, _) if *look == at));
                self.todo.push(Todo::Look(at, when));
            }
            Action::Follow { post, jobs, complete } => {
                let posted = self.posted(post);
                self.followed.insert(posted);
                if !self.file.iter().any(|record| record.posted == posted) {
                    self.file.push(Recorded {
                        posted,
                        jobs: Vec::new(),
                        complete: false,
                        abandoned: false,
                        standing: Standing::Open,
                    });
                }
                self.change_record(post, |record| {
                    record.jobs.extend(jobs);
                    record.complete |= complete;
                    record.standing = Standing::Open;
                });
            }
            Action::Stop(jobs, when) => self.todo.push(Todo::Stop(jobs, when)),
            Action::Close(at) => self.change_record(at, |record| record.standing = Standing::Closed),
            Action::Leave(at) => self.change_record(at, |record| record.standing = Standing::Left),
            Action::Finish(outcome) => {
                rules::at_end(self, outcome)?;
                if self.who == Who::Job && !matches!(outcome, Outcome::Left) {
                    let left = self.kernel.as_ref().map(Protocol::left).unwrap_or_default();
                    let named: Vec<usize> = left.iter().map(|left| self.posted(left.post)).collect();
                    self.named.extend(named);
                } else if self.who == Who::Net {
                    let left = self.kernel.as_ref().map(Protocol::left).unwrap_or_default();
                    self.named = left.iter().map(|left| self.posted(left.post)).collect();
                }
                self.gone();
            }
        }
        self.todo.sort();
        Ok(())
    }

    fn change_record(&mut self, at: PostRef, change: impl FnOnce(&mut Recorded)) {
        let posted = self.posted(at);
        if let Some(record) = self.file.iter_mut().find(|record| record.posted == posted) {
            change(record);
        }
    }

    /// The POST of the service that a post of the protocol is.
    fn new_post(&mut self, at: PostRef) -> usize {
        if let Some((_, posted)) = self.posted_as.iter().find(|(known, _)| *known == at) {
            return *posted;
        }
        self.posts.push(Posted {
            start: at.start,
            attempt: self.attempt,
            at: self.now,
            decided: false,
            refused: false,
            twin: false,
            jobs: Vec::new(),
        });
        self.posted_as.push((at, self.posts.len() - 1));
        self.posts.len() - 1
    }

    pub(super) fn is_awaited(&self, posted: usize) -> bool {
        self.todo.iter().any(|todo| matches!(todo, Todo::Post(at) if self.posted(*at) == posted))
    }

    fn answer(&mut self, at: PostRef, reply: Reply) -> Result<(), String> {
        self.todo.retain(|todo| *todo != Todo::Post(at));
        let posted = self.posted(at);
        let all = self.setup.jobs;
        self.lost -= u8::from(reply != Reply::Started);
        let count = match reply {
            Reply::Started | Reply::StartedLost => all,
            Reply::StartedInPart | Reply::PartLost => 1,
            Reply::Refused | Reply::NothingLost => 0,
        };
        let known = matches!(reply, Reply::Started | Reply::StartedInPart);
        self.take_effect(posted, count, known && !self.setup.hidden);
        self.posts[posted].refused = reply == Reply::Refused;
        let jobs = self.posts[posted].jobs.iter().map(|job| job.id).collect();
        let answer = match reply {
            Reply::Started => Answer::Clear { jobs, partial: false },
            Reply::StartedInPart => Answer::Clear { jobs, partial: true },
            Reply::Refused => Answer::Refused,
            Reply::StartedLost | Reply::PartLost | Reply::NothingLost => Answer::Unclear,
        };
        self.step(Event::Answered(at, answer))
    }

    fn take_effect(&mut self, posted: usize, count: u8, visible: bool) {
        let first = u8::try_from(posted).expect("few") * 8;
        let post = &mut self.posts[posted];
        post.decided = true;
        post.jobs = (0..count)
            .map(|number| Made { id: first + number, visible, state: JobState::Live, glitch: false })
            .collect();
    }

    pub(super) fn visible(&self, posted: usize) -> Vec<(u8, JobState)> {
        self.posts[posted]
            .jobs
            .iter()
            .filter(|job| job.visible && !job.glitch)
            .map(|job| (job.id, job.state))
            .collect()
    }

    fn stop(&mut self, jobs: &[u8], answered: bool, effective: bool) -> Result<(), String> {
        self.todo.retain(|todo| !matches!(todo, Todo::Stop(ids, _) if ids == jobs));
        self.failures -= u8::from(!answered);
        let given_up: Vec<u8> = self
            .kernel
            .iter()
            .flat_map(|kernel| kernel.jobs.iter().filter(|(_, job)| job.given_up).map(|(id, _)| *id))
            .collect();
        for id in jobs {
            rules::stopping(self, *id)?;
            // The service stops what it cannot find for a while; what it has not found for long, it does not know.
            let found = !(self.is_unknown(self.job(*id)) && (self.setup.hidden || given_up.contains(id)));
            let job = self.job_mut(*id);
            if effective && found && job.state == JobState::Live {
                job.state = JobState::Stopped;
            }
        }
        for id in jobs {
            let unknown = self.is_unknown(self.job(*id)) && (self.setup.hidden || given_up.contains(id));
            let answer = match (answered, unknown) {
                (false, _) => StopAnswer::Failed,
                (true, true) => StopAnswer::NotFound,
                (true, false) => StopAnswer::Done,
            };
            self.step(Event::StopAnswered(*id, answer))?;
        }
        Ok(())
    }

    /// True for a job that the service does not find when it is asked for.
    const fn is_unknown(&self, job: &Made) -> bool {
        job.glitch || (self.setup.hidden && !job.visible)
    }

    fn note_visible(&mut self) {
        let jobs = self.posts.iter().flat_map(|post| &post.jobs);
        self.visible_at_stop = jobs.filter(|job| job.visible).map(|job| job.id).collect();
    }

    fn job_mut(&mut self, id: u8) -> &mut Made {
        self.posts.iter_mut().flat_map(|post| &mut post.jobs).find(|job| job.id == id).expect("known")
    }
}
