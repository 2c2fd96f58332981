//! What is known of the starts of one invocation, as data.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
use crate::types::Guard;
use crate::types::{Cause, Expected, Id, JobState, Limits, Millis, Outcome, PostRef, Powers};

/// Everything known about the starts of one invocation. See the crate's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Protocol<I> {
    pub(crate) limits: Limits,
    pub(crate) powers: Powers,
    pub(crate) mode: Mode,
    pub(crate) starts: Vec<Start<I>>,
    pub(crate) jobs: BTreeMap<I, Job>,
    #[cfg(test)]
    pub(crate) off: Option<Guard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    Idle,
    LookingBack { since: Millis },
    Starting,
    Following,
    Stopping(Cause),
    Finished(Outcome),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Start<I> {
    pub(crate) expected: Expected,
    pub(crate) posts: Vec<Post<I>>,
    pub(crate) phase: Phase,
    /// When the first post left, or the first look for a recorded one began.
    pub(crate) began: Option<Millis>,
    /// True when jobs are missing, or may be.
    pub(crate) incomplete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Waiting,
    Posting,
    LookingUp(usize),
    Following(usize),
    CarriedOver,
    Refused,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PostState {
    /// Sent, not answered.
    Pending,
    /// The service named its jobs.
    Clear,
    /// It started nothing.
    Refused,
    /// Its answer says nothing; looks tell its jobs.
    Unclear,
    /// Given up for a later post.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RecordState {
    Open,
    Closed,
    Left,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and every combination occurs")]
pub(crate) struct Post<I> {
    pub(crate) state: PostState,
    /// True for a post that an earlier attempt made.
    pub(crate) earlier: bool,
    /// True once a job of it was seen alive.
    pub(crate) lived: bool,
    pub(crate) record: RecordState,
    /// Jobs that carry its tag.
    pub(crate) seen: BTreeSet<I>,
    /// When the set changed last; at first when the answer became unclear.
    pub(crate) changed_at: Millis,
    /// Good looks in a row that changed nothing, at most 2.
    pub(crate) quiet: u8,
    /// The same, since everything has to stop; `None` before the first look from then on.
    pub(crate) quiet_stopping: Option<u8>,
    /// True once a good look found that a whole window changed nothing.
    pub(crate) window_over: bool,
    /// True while a look is ordered and not done.
    pub(crate) looking: bool,
    /// True when the key may not look.
    pub(crate) denied: bool,
}

impl<I: Id> Post<I> {
    pub(crate) fn new(state: PostState, now: Millis) -> Self {
        Self {
            state,
            earlier: false,
            lived: false,
            record: RecordState::Open,
            seen: BTreeSet::new(),
            changed_at: now,
            quiet: 0,
            quiet_stopping: None,
            window_over: false,
            looking: false,
            denied: false,
        }
    }

    /// True when looks may still show jobs that nobody has seen.
    pub(crate) const fn is_unclear(&self) -> bool {
        matches!(self.state, PostState::Pending | PostState::Unclear | PostState::Abandoned)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) post: PostRef,
    pub(crate) state: JobState,
    pub(crate) stop: Stop,
    /// Since when the service does not know it.
    pub(crate) missing_since: Option<Millis>,
    /// Since when nothing is answered about it.
    pub(crate) silent_since: Option<Millis>,
    /// True once that has lasted too long.
    pub(crate) given_up: bool,
    pub(crate) followed: bool,
}

impl Job {
    /// Takes up what was shown of it. A job that ended stays so.
    pub(crate) fn heard(&mut self, state: JobState) {
        if !matches!(self.state, JobState::Ended { .. }) {
            self.state = state;
        }
        self.missing_since = None;
        self.silent_since = None;
    }

    /// True while it may run.
    pub(crate) const fn may_run(&self) -> bool {
        let live = matches!(self.state, JobState::Live) || self.given_up;
        live && !matches!(self.stop, Stop::Done)
    }

    /// True while waiting for it makes sense.
    pub(crate) const fn is_unfinished(&self) -> bool {
        !matches!(self.state, JobState::Ended { .. }) && !self.given_up && !matches!(self.stop, Stop::Done)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stop {
    No,
    Asked,
    Failed,
    /// It cannot be stopped from here.
    Impossible,
    Done,
}
