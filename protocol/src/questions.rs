//! What the driver asks: how things stand, and what may run on.

use crate::state::{Job, Mode, PostState, Protocol, RecordState};
use crate::types::{Expected, Guard, Id, JobState, Left, Outcome, PostRef};

impl<I: Id> Protocol<I> {
    /// What may run on without us, by post.
    #[must_use]
    pub fn left(&self) -> Vec<Left<I>> {
        if !self.guard(Guard::NameTheRest) {
            return Vec::new();
        }
        let mut left = Vec::new();
        for at in self.posts() {
            let post = self.post(at);
            if post.record != RecordState::Open {
                continue;
            }
            let jobs: Vec<I> = post.seen.iter().filter(|id| self.jobs[*id].may_run()).cloned().collect();
            let searched = post.window_over && matches!(post.state, PostState::Abandoned);
            let unseen = post.is_unclear() && !searched && !self.is_whole(at);
            if unseen || !jobs.is_empty() {
                left.push(Left { post: at, jobs, unseen });
            }
        }
        left
    }

    /// Jobs that are followed and have not ended.
    pub fn unfinished(&self) -> impl Iterator<Item = &I> {
        self.jobs.iter().filter(|(_, job)| job.followed && job.is_unfinished()).map(|(id, _)| id)
    }

    /// True while starts are still to be settled.
    #[must_use]
    pub const fn is_starting(&self) -> bool {
        matches!(self.mode, Mode::Idle | Mode::LookingBack { .. } | Mode::Starting)
    }

    /// True while everything is being stopped.
    #[must_use]
    pub const fn is_stopping(&self) -> bool {
        matches!(self.mode, Mode::Stopping(_))
    }

    /// True for a job that is known to stand so, and of which something was heard last time.
    #[must_use]
    pub fn stands_as(&self, id: &I, state: JobState) -> bool {
        let same =
            |job: &Job| job.state == state && job.missing_since.is_none() && job.silent_since.is_none();
        self.jobs.get(id).is_some_and(same)
    }

    /// True for a job that was seen before.
    #[must_use]
    pub fn knows(&self, id: &I) -> bool {
        self.jobs.contains_key(id)
    }

    /// True while a list of all jobs may show something new: jobs of an unclear post, or of one that was given up.
    #[must_use]
    pub fn may_show_more(&self) -> bool {
        self.posts().into_iter().any(|at| self.post(at).is_unclear() && !self.full(at))
    }

    /// The size of a start, as far as it is known.
    #[must_use]
    pub fn expected(&self, start: usize) -> Expected {
        self.starts[start].expected
    }

    /// True for a job that is not waited for any more, since nothing is heard of it.
    #[must_use]
    pub fn gave_up(&self, id: &I) -> bool {
        self.jobs.get(id).is_some_and(|job| job.given_up)
    }

    /// True for a post whose jobs nobody wants: it was given up for a later one.
    #[must_use]
    pub fn is_abandoned(&self, at: PostRef) -> bool {
        self.post(at).state == PostState::Abandoned
    }

    /// The outcome, once nothing more is to be done.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.mode {
            Mode::Finished(outcome) => Some(outcome),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, JobState, Left, PostRef, Protocol};
    use crate::types::{
        Answer, Cause, Earlier, Event, Limits, Poll, Powers, Record, Seen, StartSpec, StopAnswer,
    };

    const POST: PostRef = PostRef { start: 0, post: 0 };
    /// When the program began.
    const NOW: u64 = 100;
    const LIMITS: Limits = Limits {
        look_every: 3,
        window: 20,
        all_posts: 90,
        posts: 1,
        stop_every: 1,
        unknown_job: 30,
        silent_job: 600,
    };

    fn protocol(expected: usize, records: Vec<Record<u8>>) -> Protocol<u8> {
        let post = records.is_empty();
        let powers =
            Powers { look: true, earlier: Earlier::Nothing, post, unclosed_only: !post, carry: false };
        let start = StartSpec { expected: Expected::Exactly(expected), records };
        Protocol::new(LIMITS, powers, vec![start], NOW)
    }

    /// After the answer to the only post.
    fn answered(expected: usize, answer: Answer<u8>) -> Protocol<u8> {
        let mut protocol = protocol(expected, Vec::new());
        protocol.step(Event::Begin, NOW);
        protocol.step(Event::Answered(POST, answer), NOW);
        protocol
    }

    fn named(jobs: &[u8], unseen: bool) -> Vec<Left<u8>> {
        vec![Left { post: POST, jobs: jobs.to_vec(), unseen }]
    }

    #[test]
    fn it_is_starting_until_everything_is_settled() {
        let mut pending = protocol(1, Vec::new());
        assert!(pending.is_starting() && !pending.is_stopping());
        pending.step(Event::Begin, NOW);
        assert!(pending.is_starting() && !pending.is_stopping());
        let mut settled = answered(1, Answer::Clear { jobs: vec![1], partial: false });
        assert!(!settled.is_starting() && !settled.is_stopping());
        settled.step(Event::End(Cause::Cancelled), NOW);
        assert!(!settled.is_starting() && settled.is_stopping());
    }

    #[test]
    fn a_job_stands_so_only_while_it_is_heard_of() {
        let mut protocol = answered(1, Answer::Clear { jobs: vec![1], partial: false });
        assert!(protocol.knows(&1) && !protocol.knows(&2));
        assert!(protocol.stands_as(&1, JobState::Live));
        assert!(!protocol.stands_as(&1, JobState::Stopped) && !protocol.stands_as(&2, JobState::Live));
        for silence in [Poll::NotFound, Poll::Failed] {
            protocol.step(Event::Polled(1, silence), NOW);
            assert!(!protocol.stands_as(&1, JobState::Live), "{silence:?}");
            protocol.step(Event::Polled(1, Poll::State(JobState::Live)), NOW);
            assert!(protocol.stands_as(&1, JobState::Live), "{silence:?}");
        }
    }

    #[test]
    fn more_can_come_of_what_nobody_has_named() {
        assert!(answered(2, Answer::Unclear).may_show_more());
        // The service itself said which did not start.
        let partial = answered(2, Answer::Clear { jobs: vec![1], partial: true });
        assert!(!partial.may_show_more());
        assert_eq!(partial.left(), named(&[1], false));
        let mut found = answered(1, Answer::Unclear);
        found.step(Event::Looked(POST, Seen::Jobs(vec![(1, JobState::Live)])), NOW + 3);
        assert!(!found.may_show_more());
        assert_eq!(found.left(), named(&[1], false));
    }

    #[test]
    fn what_was_never_seen_is_named() {
        let mut searched = answered(1, Answer::Unclear);
        for second in [3, 20] {
            searched.step(Event::Looked(POST, Seen::Jobs(Vec::new())), NOW + second);
        }
        assert_eq!(searched.left(), named(&[], true), "the start is not known to have failed");
        let abandoned = Record { jobs: Vec::new(), complete: false, abandoned: true, left: false, age: 25 };
        let mut hurried = protocol(1, vec![abandoned]);
        hurried.step(Event::End(Cause::Stop), NOW);
        hurried.step(Event::TimeUp, NOW + 1);
        assert_eq!(hurried.left(), named(&[], true), "nobody had the time to look");
    }

    #[test]
    fn an_old_job_that_the_service_does_not_know_has_ended() {
        for (age, left) in [(25, Vec::new()), (5, named(&[1], false))] {
            let named = Record { jobs: vec![1], complete: true, abandoned: false, left: false, age };
            let mut protocol = protocol(1, vec![named]);
            protocol.step(Event::End(Cause::Stop), NOW + 10);
            protocol.step(Event::StopAnswered(1, StopAnswer::NotFound), NOW + 10);
            assert_eq!(protocol.left(), left, "{age}");
        }
    }
}
