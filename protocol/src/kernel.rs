//! What each event changes in what is known of the starts, and what is to be done then.

use std::collections::BTreeMap;

use crate::state::{Job, Mode, Phase, Post, PostState, Protocol, RecordState, Start, Stop};
use crate::types::{
    Action, Answer, Cause, Earlier, Event, Group, Guard, Id, JobState, Limits, Millis, Outcome, Poll,
    PostRef, Powers, Settled, StartSpec, StopAnswer,
};

impl<I: Id> Protocol<I> {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(limits: Limits, powers: Powers, starts: Vec<StartSpec<I>>, now: Millis) -> Self {
        Self::empty(limits, powers).with(starts, now)
    }

    pub(crate) const fn empty(limits: Limits, powers: Powers) -> Self {
        Self {
            limits,
            powers,
            mode: Mode::Idle,
            starts: Vec::new(),
            jobs: BTreeMap::new(),
            #[cfg(test)]
            off: None,
        }
    }

    pub(crate) fn with(self, starts: Vec<StartSpec<I>>, now: Millis) -> Self {
        let mut protocol = self;
        for spec in starts {
            protocol.add(spec, now);
        }
        protocol
    }

    fn add(&mut self, spec: StartSpec<I>, now: Millis) {
        let start = self.starts.len();
        let mut posts = Vec::with_capacity(spec.records.len());
        for record in spec.records {
            let state = match (record.abandoned, record.complete) {
                (true, _) => PostState::Abandoned,
                (false, true) => PostState::Clear,
                (false, false) => PostState::Unclear,
            };
            let at = PostRef { start, post: posts.len() };
            for job in &record.jobs {
                self.insert(job.clone(), at, JobState::Live);
            }
            let left = record.left && self.powers.unclosed_only && self.guard(Guard::LeftIsLeft);
            // What may still appear is looked for a whole window from now on; what was named appears within its own.
            let changed_at = if state == PostState::Clear { now.saturating_sub(record.age) } else { now };
            posts.push(Post {
                record: if left { RecordState::Left } else { RecordState::Open },
                seen: record.jobs.into_iter().collect(),
                ..Post::new(state, changed_at)
            });
        }
        self.starts.push(Start {
            expected: spec.expected,
            posts,
            phase: Phase::Waiting,
            began: None,
            incomplete: false,
        });
    }

    /// Takes what happened; the actions are to be performed in order.
    pub fn step(&mut self, event: Event<I>, now: Millis) -> Vec<Action<I>> {
        let mut out = Vec::new();
        if matches!(self.mode, Mode::Finished(_)) {
            return out;
        }
        match event {
            Event::Begin => self.begin(now, &mut out),
            Event::LookedBack(groups) => self.looked_back(groups, now, &mut out),
            Event::Answered(at, answer) => self.answered(at, answer, now, &mut out),
            Event::Looked(at, seen) => self.looked(at, seen, now, &mut out),
            Event::Size(start, expected) => self.starts[start].expected = expected,
            Event::Polled(job, poll) => self.polled(&job, poll, now, &mut out),
            Event::StopAnswered(job, answer) => self.stop_answered(&job, answer, now),
            Event::End(cause) => self.end(cause),
            Event::Leave => self.leave(&mut out),
            Event::TimeUp => self.time_up(&mut out),
            Event::Tick => {}
        }
        self.advance(now, &mut out);
        out
    }

    /// True when a rule is in force; always, but for a test that switches it off.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests switch guards off"))]
    pub(crate) fn guard(&self, guard: Guard) -> bool {
        #[cfg(test)]
        return self.off != Some(guard);
        #[cfg(not(test))]
        {
            let _ = guard;
            true
        }
    }

    fn begin(&mut self, now: Millis, out: &mut Vec<Action<I>>) {
        if self.powers.earlier != Earlier::Nothing && self.guard(Guard::LookBackFirst) {
            self.mode = Mode::LookingBack { since: now };
            out.push(Action::LookBack(now));
        } else {
            self.mode = Mode::Starting;
        }
    }

    fn looked_back(&mut self, groups: Option<Vec<Group<I>>>, now: Millis, out: &mut Vec<Action<I>>) {
        let Mode::LookingBack { since } = self.mode else { return };
        let Some(groups) = groups else {
            if now.saturating_sub(since) < self.limits.all_posts {
                out.push(Action::LookBack(now + self.limits.look_every));
            } else {
                // Whether there is something to go on with is not known, so nothing may be paid for.
                self.mode = Mode::Starting;
                self.settle_unknown(0, out);
            }
            return;
        };
        self.mode = Mode::Starting;
        for start in 0..self.starts.len() {
            if let Some(group) = self.passed_before(start, &groups) {
                self.carry_over(start, group, out);
                continue;
            }
            // Of several equal posts any may be followed by another job of the pipeline.
            let equal = groups.iter().filter(|group| group.start == start).count() > 1;
            if equal && self.powers.earlier == Earlier::Ambiguous && self.guard(Guard::AdoptTheOnly) {
                continue;
            }
            self.take_up_groups(start, &groups, now, out);
        }
    }

    /// One post of an earlier attempt is gone on with: one with a live job, else one on record that may still show some. Whatever
    /// else of it runs is stopped.
    fn take_up_groups(&mut self, start: usize, groups: &[Group<I>], now: Millis, out: &mut Vec<Action<I>>) {
        let live = |group: &Group<I>| group.jobs.iter().any(|(_, state)| *state == JobState::Live);
        let mut adopted = false;
        for of_live in [true, false] {
            let ours = |group: &Group<I>| group.start == start && live(group) == of_live;
            for (index, group) in groups.iter().enumerate().filter(|(_, group)| ours(group)) {
                let full = self.starts[start].expected.full(group.jobs.len());
                let may_show_more = group.on_record && !full && self.guard(Guard::LookUpRecords);
                let adopt = !adopted && self.may_adopt(&group.jobs, may_show_more);
                adopted |= adopt;
                if adopt || of_live || may_show_more {
                    let state = if adopt { PostState::Unclear } else { PostState::Abandoned };
                    let at = self.take_up(start, group, state, now);
                    out.push(Action::TakeUp(at, index));
                    self.stop_late(at, now, out);
                }
            }
        }
    }

    /// An earlier attempt's jobs can be ours when one of them is alive, or may be, and nobody stopped any.
    fn may_adopt(&self, jobs: &[(I, JobState)], may_show_more: bool) -> bool {
        let live = may_show_more || jobs.iter().any(|(_, state)| *state == JobState::Live);
        let stopped = jobs.iter().any(|(_, state)| *state == JobState::Stopped);
        (live || !self.guard(Guard::AdoptLive)) && (!stopped || !self.guard(Guard::AdoptUnstopped))
    }

    /// True when somebody has stopped a job of the post.
    pub(crate) fn is_stopped(&self, at: PostRef) -> bool {
        let stopped = |id: &I| self.jobs[id].state == JobState::Stopped;
        self.post(at).seen.iter().any(stopped) && self.guard(Guard::AdoptUnstopped)
    }

    fn take_up(&mut self, start: usize, group: &Group<I>, state: PostState, now: Millis) -> PostRef {
        let at = PostRef { start, post: self.starts[start].posts.len() };
        for (id, state) in &group.jobs {
            self.insert(id.clone(), at, *state);
        }
        let seen = group.jobs.iter().map(|(id, _)| id.clone()).collect();
        let lived = group.jobs.iter().any(|(_, state)| *state == JobState::Live);
        self.starts[start].posts.push(Post { earlier: true, lived, seen, ..Post::new(state, now) });
        at
    }

    fn answered(&mut self, at: PostRef, answer: Answer<I>, now: Millis, out: &mut Vec<Action<I>>) {
        if self.post(at).state != PostState::Pending {
            return;
        }
        match answer {
            Answer::Clear { jobs, partial } => {
                for id in &jobs {
                    self.insert(id.clone(), at, JobState::Live);
                }
                let post = self.post_mut(at);
                post.state = PostState::Clear;
                post.seen.extend(jobs);
                self.starts[at.start].incomplete |= partial;
                self.follow(at, !partial, out);
            }
            Answer::Refused if self.guard(Guard::RefusalIsFinal) => {
                self.post_mut(at).state = PostState::Refused;
                self.starts[at.start].phase = Phase::Refused;
                self.close(at, out);
                out.push(Action::Settled(at.start, Settled::Refused));
            }
            Answer::Refused | Answer::Unclear => {
                let post = self.post_mut(at);
                post.state = PostState::Unclear;
                post.changed_at = now;
                post.window_over = false;
                if matches!(self.mode, Mode::Starting) {
                    self.look_up(at, now, out);
                }
            }
        }
    }

    fn polled(&mut self, id: &I, poll: Poll, now: Millis, out: &mut Vec<Action<I>>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let (since, limit) = match poll {
            Poll::State(state) => {
                job.heard(state);
                return;
            }
            Poll::NotFound => (job.missing_since.get_or_insert(now), self.limits.unknown_job),
            Poll::Failed => (job.silent_since.get_or_insert(now), self.limits.silent_job),
        };
        if now.saturating_sub(*since) < limit || job.given_up {
            return;
        }
        job.given_up = true;
        if self.guard(Guard::StopGivenUp) {
            self.stop(vec![id.clone()], now, out);
        } else if let Some(job) = self.jobs.get_mut(id) {
            job.stop = Stop::Done;
        }
    }

    fn stop_answered(&mut self, id: &I, answer: StopAnswer, now: Millis) {
        let Some(at) = self.jobs.get(id).map(|job| job.post) else { return };
        let post = self.post(at);
        let patience = self.limits.window.max(self.limits.unknown_job);
        let fresh = post.state == PostState::Clear && now.saturating_sub(post.changed_at) < patience;
        let hidden = fresh && self.guard(Guard::StopHidden);
        let Some(job) = self.jobs.get_mut(id) else { return };
        job.stop = match answer {
            StopAnswer::Done => Stop::Done,
            // A job that the service does not know has ended, unless that is all we ever heard of it.
            StopAnswer::NotFound if !job.given_up && !hidden => Stop::Done,
            StopAnswer::NotFound | StopAnswer::Failed => Stop::Failed,
            StopAnswer::Impossible => Stop::Impossible,
        };
    }

    fn end(&mut self, cause: Cause) {
        if matches!(self.mode, Mode::Stopping(_)) {
            return;
        }
        self.mode = Mode::Stopping(cause);
        for at in self.posts() {
            // What was ordered for later is ordered again, for this moment.
            let post = self.post_mut(at);
            post.looking = false;
            post.quiet_stopping = None;
        }
    }

    fn leave(&mut self, out: &mut Vec<Action<I>>) {
        for at in self.posts() {
            let post = self.post_mut(at);
            let ours = post.state != PostState::Abandoned;
            if post.record == RecordState::Open && ours {
                post.record = RecordState::Left;
                out.push(Action::Leave(at));
            }
        }
        self.finish(Outcome::Left, out);
    }

    fn time_up(&mut self, out: &mut Vec<Action<I>>) {
        if let Mode::Stopping(cause) = self.mode {
            self.close_what_is_over(out);
            self.finish(Outcome::Stopped(cause), out);
        }
    }

    /// What follows from the state alone.
    fn advance(&mut self, now: Millis, out: &mut Vec<Action<I>>) {
        if self.mode == Mode::Starting {
            self.begin_starts(now, out);
        }
        match self.mode {
            Mode::Starting => self.keep_looking(now, out),
            Mode::Following => {
                self.keep_looking(now, out);
                self.finish_when_done(out);
            }
            Mode::Stopping(cause) => self.keep_stopping(cause, now, out),
            Mode::Idle | Mode::LookingBack { .. } | Mode::Finished(_) => {}
        }
    }

    /// Each start waits for the one before it to be settled.
    fn begin_starts(&mut self, now: Millis, out: &mut Vec<Action<I>>) {
        let mut start = 0;
        while start < self.starts.len() {
            match self.starts[start].phase {
                Phase::Waiting => self.begin_start(start, now, out),
                Phase::Posting | Phase::LookingUp(_) => return,
                // What a job of several starts cannot know of one of them, it does not use of the others.
                Phase::Unknown if self.powers.post => {
                    self.end(Cause::Failure);
                    return;
                }
                Phase::Following(_) | Phase::CarriedOver | Phase::Refused | Phase::Unknown => start += 1,
            }
        }
        self.mode = Mode::Following;
    }

    fn begin_start(&mut self, start: usize, now: Millis, out: &mut Vec<Action<I>>) {
        let ours = |post: &Post<I>| matches!(post.state, PostState::Clear | PostState::Unclear);
        let Some(post) = self.starts[start].posts.iter().rposition(ours) else {
            self.post_anew(start, now, out);
            return;
        };
        let at = PostRef { start, post };
        let post = self.post(at);
        // What an earlier attempt started has had its time to appear, once it is as much as expected.
        let whole = post.earlier && (self.full(at) || !self.guard(Guard::AdoptSettled));
        if post.state == PostState::Clear || whole {
            self.follow(at, true, out);
        } else {
            self.starts[start].began.get_or_insert(now);
            self.look_up(at, now, out);
        }
    }

    pub(crate) fn post_anew(&mut self, start: usize, now: Millis, out: &mut Vec<Action<I>>) {
        if !self.powers.post {
            self.settle_unknown(start, out);
            return;
        }
        let at = PostRef { start, post: self.starts[start].posts.len() };
        self.starts[start].began.get_or_insert(now);
        self.starts[start].phase = Phase::Posting;
        self.starts[start].posts.push(Post::new(PostState::Pending, now));
        if self.guard(Guard::RecordBeforePost) {
            out.push(Action::Record(at));
        }
        out.push(Action::Post(at));
    }

    pub(crate) fn settle_unknown(&mut self, start: usize, out: &mut Vec<Action<I>>) {
        self.starts[start].phase = Phase::Unknown;
        self.starts[start].incomplete = true;
        out.push(Action::Settled(start, Settled::Unknown));
    }

    /// Follows what is known of a post, and settles its start.
    pub(crate) fn follow(&mut self, at: PostRef, complete: bool, out: &mut Vec<Action<I>>) {
        let jobs: Vec<I> = self.post(at).seen.iter().cloned().collect();
        for id in &jobs {
            if let Some(job) = self.jobs.get_mut(id) {
                job.followed = true;
            }
        }
        self.starts[at.start].phase = Phase::Following(at.post);
        self.starts[at.start].incomplete |= !complete || jobs.is_empty();
        let recorded = complete || self.post(at).state == PostState::Clear;
        out.push(Action::Follow { post: at, jobs, complete: recorded });
        out.push(Action::Settled(at.start, Settled::Started { complete }));
    }

    /// Waiting ends when every followed job has ended and nothing more can appear.
    fn finish_when_done(&mut self, out: &mut Vec<Action<I>>) {
        let waiting = self.unfinished().next().is_some()
            || self.jobs.values().any(|job| job.stop == Stop::Asked)
            || self.posts().into_iter().any(|at| self.wants_looks(at));
        if waiting {
            return;
        }
        let incomplete = self
            .starts
            .iter()
            .any(|start| start.incomplete || matches!(start.phase, Phase::Refused | Phase::Unknown));
        let passed =
            |job: &Job| matches!(job.state, JobState::Ended { passed: true }) && job.stop == Stop::No;
        let all_passed = self.jobs.values().filter(|job| job.followed).all(passed)
            && self
                .starts
                .iter()
                .all(|start| matches!(start.phase, Phase::Following(_) | Phase::CarriedOver));
        let outcome = match (incomplete && self.guard(Guard::SuccessNeedsAll), all_passed) {
            (true, _) => Outcome::Incomplete,
            (false, true) => Outcome::Passed,
            (false, false) => Outcome::NotPassed,
        };
        self.close_what_is_over(out);
        self.finish(outcome, out);
    }

    pub(crate) fn finish(&mut self, outcome: Outcome, out: &mut Vec<Action<I>>) {
        self.mode = Mode::Finished(outcome);
        out.push(Action::Finish(outcome));
    }

    pub(crate) fn stop(&mut self, ids: Vec<I>, at: Millis, out: &mut Vec<Action<I>>) {
        for id in &ids {
            if let Some(job) = self.jobs.get_mut(id) {
                job.stop = Stop::Asked;
            }
        }
        if !ids.is_empty() {
            out.push(Action::Stop(ids, at));
        }
    }

    pub(crate) fn insert(&mut self, id: I, post: PostRef, state: JobState) {
        let fresh = Job {
            post,
            state,
            stop: Stop::No,
            missing_since: None,
            silent_since: None,
            given_up: false,
            followed: false,
        };
        self.jobs.entry(id).and_modify(|job| job.heard(state)).or_insert(fresh);
    }

    pub(crate) fn posts(&self) -> Vec<PostRef> {
        let of = |(start, known): (usize, &Start<I>)| {
            (0..known.posts.len()).map(move |post| PostRef { start, post }).collect::<Vec<_>>()
        };
        self.starts.iter().enumerate().flat_map(of).collect()
    }

    pub(crate) fn post(&self, at: PostRef) -> &Post<I> {
        &self.starts[at.start].posts[at.post]
    }

    pub(crate) fn post_mut(&mut self, at: PostRef) -> &mut Post<I> {
        &mut self.starts[at.start].posts[at.post]
    }

    /// True when no job of the post can be unseen, since all that were expected were seen.
    pub(crate) fn full(&self, at: PostRef) -> bool {
        let start = &self.starts[at.start];
        start.expected.full(start.posts[at.post].seen.len())
    }
}
