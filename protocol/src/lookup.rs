//! What looks for the jobs of a post mean: adopt, post again, follow late ones, stop them, close the record.

use crate::state::{Job, Mode, Phase, PostState, Protocol, RecordState, Stop};
use crate::types::{Action, Cause, Guard, Id, JobState, Millis, Outcome, PostRef, Seen};

/// Good looks in a row that have to change nothing before a set counts as settled.
const QUIET: u8 = 2;

impl<I: Id> Protocol<I> {
    /// Begins the look-up of an unclear post.
    pub(crate) fn look_up(&mut self, at: PostRef, now: Millis, out: &mut Vec<Action<I>>) {
        if !self.powers.look {
            self.settle_unknown(at.start, out);
            return;
        }
        self.starts[at.start].phase = Phase::LookingUp(at.post);
        self.order_look(at, now + self.limits.look_every, out);
    }

    fn order_look(&mut self, at: PostRef, when: Millis, out: &mut Vec<Action<I>>) {
        let post = self.post_mut(at);
        if !post.looking {
            post.looking = true;
            out.push(Action::Look(at, when));
        }
    }

    pub(crate) fn looked(&mut self, at: PostRef, seen: Seen<I>, now: Millis, out: &mut Vec<Action<I>>) {
        let stopping = matches!(self.mode, Mode::Stopping(_));
        let post = self.post_mut(at);
        post.looking = false;
        if stopping {
            post.quiet_stopping.get_or_insert(0);
        }
        let new = match seen {
            Seen::Jobs(jobs) => self.take_look(at, jobs, now),
            Seen::Failed if !self.guard(Guard::RepostAfterAnswer) => self.take_look(at, Vec::new(), now),
            Seen::Failed => Vec::new(),
            Seen::Denied => {
                self.post_mut(at).denied = true;
                Vec::new()
            }
        };
        let start = &self.starts[at.start];
        match (start.posts[at.post].state, start.phase) {
            _ if stopping => {}
            (PostState::Abandoned, _) => self.stop_late(at, now, out),
            (PostState::Unclear, Phase::LookingUp(current)) if current == at.post => {
                self.decide(at, now, out);
            }
            (PostState::Unclear, Phase::Following(current)) if current == at.post && !new.is_empty() => {
                self.join(at, new, out);
            }
            _ => {}
        }
    }

    /// Takes in what a good look showed; the jobs that are new.
    fn take_look(&mut self, at: PostRef, jobs: Vec<(I, JobState)>, now: Millis) -> Vec<I> {
        let window = self.limits.window;
        let mut new = Vec::new();
        for (id, state) in jobs {
            self.post_mut(at).lived |= state == JobState::Live;
            if self.post_mut(at).seen.insert(id.clone()) {
                new.push(id.clone());
            }
            match self.jobs.get_mut(&id) {
                Some(job) => job.heard(state),
                None => self.insert(id, at, state),
            }
        }
        let post = self.post_mut(at);
        if new.is_empty() {
            post.quiet = QUIET.min(post.quiet + 1);
            post.quiet_stopping = post.quiet_stopping.map(|quiet| QUIET.min(quiet + 1));
            post.window_over |= now.saturating_sub(post.changed_at) >= window;
        } else {
            post.quiet = 0;
            post.quiet_stopping = post.quiet_stopping.map(|_| 0);
            post.changed_at = now;
            post.window_over = false;
        }
        new
    }

    /// Adopts what was found, posts again, looks again, or gives up.
    fn decide(&mut self, at: PostRef, now: Millis, out: &mut Vec<Action<I>>) {
        let start = &self.starts[at.start];
        let post = &start.posts[at.post];
        let out_of_time = start.began.is_some_and(|began| now.saturating_sub(began) >= self.limits.all_posts);
        if post.denied {
            self.settle_unknown(at.start, out);
            return;
        }
        // What an earlier attempt started is gone on with only when some of it lives.
        let dead = post.earlier && !post.lived && self.guard(Guard::AdoptLive);
        if post.seen.is_empty() || dead {
            let searched = post.window_over
                || self.full(at)
                || (post.quiet > 0 && !self.guard(Guard::RepostAfterWindow));
            let more = start.posts.iter().filter(|post| !post.earlier).count() < self.limits.posts
                || !self.guard(Guard::PostsAreCounted);
            match (out_of_time, searched) {
                (false, false) => self.order_look(at, now + self.limits.look_every, out),
                (false, true) if more && self.powers.post => {
                    self.post_mut(at).state = PostState::Abandoned;
                    out.push(Action::Abandon(at));
                    self.post_anew(at.start, now, out);
                }
                (true, _) | (false, true) => self.settle_unknown(at.start, out),
            }
            return;
        }
        if post.earlier && self.is_stopped(at) {
            // What somebody stopped in part is not gone on with, and nobody else would end the rest.
            self.post_mut(at).state = PostState::Abandoned;
            self.stop_late(at, now, out);
            self.post_anew(at.start, now, out);
            return;
        }
        let post = self.post(at);
        let unknown_size = !self.guard(Guard::UnknownIsIncomplete)
            && matches!(self.starts[at.start].expected, crate::types::Expected::Unknown);
        let complete = self.starts[at.start].expected.complete(post.seen.len())
            || unknown_size
            || !self.guard(Guard::AdoptComplete);
        let settled = post.quiet >= QUIET && (complete || post.window_over);
        let whole = post.earlier && self.full(at);
        if settled || whole || out_of_time {
            self.follow(at, complete, out);
        } else {
            self.order_look(at, now + self.limits.look_every, out);
        }
    }

    /// Jobs of the adopted post that appear later are ours as well.
    fn join(&mut self, at: PostRef, new: Vec<I>, out: &mut Vec<Action<I>>) {
        if !self.guard(Guard::LateJobsJoin) {
            return;
        }
        for id in &new {
            if let Some(job) = self.jobs.get_mut(id) {
                job.followed = true;
            }
        }
        let start = &mut self.starts[at.start];
        let complete = start.expected.complete(start.posts[at.post].seen.len());
        if complete {
            start.incomplete = false;
        }
        out.push(Action::Follow { post: at, jobs: new, complete });
    }

    /// Jobs of a post that was given up are stopped whenever they are seen.
    pub(crate) fn stop_late(&mut self, at: PostRef, now: Millis, out: &mut Vec<Action<I>>) {
        if self.post(at).state != PostState::Abandoned || !self.guard(Guard::LateJobsStop) {
            return;
        }
        let running: Vec<I> = self
            .post(at)
            .seen
            .iter()
            .filter(|id| {
                let job = &self.jobs[*id];
                job.state == JobState::Live && matches!(job.stop, Stop::No | Stop::Failed)
            })
            .cloned()
            .collect();
        self.stop(running, now, out);
    }

    /// True while an unclear post of ours may still show jobs, and looks can tell.
    pub(crate) fn wants_looks(&self, at: PostRef) -> bool {
        let post = self.post(at);
        self.guard(Guard::WindowBeforeEnd)
            && self.powers.look
            && post.is_unclear()
            && !post.denied
            && !post.window_over
            && !self.full(at)
            && self.starts[at.start].phase != Phase::Unknown
    }

    /// Looks go on beside the other work until the window of every unclear post is over.
    pub(crate) fn keep_looking(&mut self, now: Millis, out: &mut Vec<Action<I>>) {
        for at in self.posts() {
            if self.wants_looks(at) && self.post(at).state != PostState::Pending {
                self.order_look(at, now + self.limits.look_every, out);
            }
        }
    }

    /// True when a whole window of looks showed all there is of a post: looking for more is over.
    pub(crate) fn is_searched(&self, at: PostRef) -> bool {
        let post = self.post(at);
        if !self.guard(Guard::StopUntilQuiet) && post.quiet_stopping.unwrap_or(0) > 0 {
            return true;
        }
        let stopping = matches!(self.mode, Mode::Stopping(_) | Mode::Finished(Outcome::Stopped(_)));
        let quiet = !stopping || post.quiet_stopping.is_some_and(|quiet| quiet >= QUIET);
        post.state != PostState::Pending && post.window_over && quiet
    }

    /// True when no job of the post can be unseen: all that were expected were seen, or a whole window showed no more and nobody
    /// expected more. Whoever breaks off on the way leaves that to the command `stop`.
    pub(crate) fn is_whole(&self, at: PostRef) -> bool {
        let start = &self.starts[at.start];
        let adopted = start.phase == Phase::Following(at.post) && !start.incomplete;
        let stop =
            matches!(self.mode, Mode::Stopping(Cause::Stop) | Mode::Finished(Outcome::Stopped(Cause::Stop)));
        self.full(at) || (self.is_searched(at) && (adopted || stop))
    }

    /// True when nothing of the post runs and nothing of it can come.
    fn is_over(&self, at: PostRef) -> bool {
        let post = self.post(at);
        let runs = post.seen.iter().any(|id| self.jobs[id].may_run());
        let settled = match post.state {
            PostState::Clear | PostState::Refused => true,
            PostState::Pending | PostState::Unclear | PostState::Abandoned => self.is_whole(at),
        };
        (!runs && settled) || !self.guard(Guard::CloseWhenOver)
    }

    pub(crate) fn close_what_is_over(&mut self, out: &mut Vec<Action<I>>) {
        for at in self.posts() {
            if self.is_over(at) {
                self.close(at, out);
            }
        }
    }

    pub(crate) fn close(&mut self, at: PostRef, out: &mut Vec<Action<I>>) {
        let post = self.post_mut(at);
        if post.record == RecordState::Open {
            post.record = RecordState::Closed;
            out.push(Action::Close(at));
        }
    }

    /// True for jobs that nobody left running on purpose.
    pub(crate) fn is_ours(&self, job: &Job) -> bool {
        self.post(job.post).record == RecordState::Open
    }

    /// Stops what runs, looks for what nobody has named, and ends when nothing is left to do.
    pub(crate) fn keep_stopping(&mut self, cause: Cause, now: Millis, out: &mut Vec<Action<I>>) {
        let again = now + self.limits.stop_every;
        let pick = |protocol: &Self, wanted: Stop| -> Vec<I> {
            let running = |job: &Job| {
                (job.state == JobState::Live || job.given_up) && job.stop == wanted && protocol.is_ours(job)
            };
            protocol.jobs.iter().filter(|(_, job)| running(job)).map(|(id, _)| id.clone()).collect()
        };
        if self.guard(Guard::StopKnown) {
            let known = pick(self, Stop::No);
            self.stop(known, now, out);
        }
        if self.guard(Guard::StopAgain) {
            let failed = pick(self, Stop::Failed);
            self.stop(failed, again, out);
        }
        let mut busy = self.jobs.values().any(|job| job.stop == Stop::Asked);
        for at in self.posts() {
            let post = self.post(at);
            let settled = self.full(at) || self.is_searched(at);
            if !post.is_unclear() || settled || post.record != RecordState::Open {
                continue;
            }
            busy |= post.state == PostState::Pending;
            if self.powers.look && !post.denied && self.guard(Guard::StopByTag) {
                let when = if post.quiet_stopping.is_none() { now } else { again };
                self.order_look(at, when, out);
                busy = true;
            }
        }
        self.close_what_is_over(out);
        if !busy {
            self.finish(Outcome::Stopped(cause), out);
        }
    }
}
