//! What may happen next: everything that service, runner and time can do.

use super::state::{Assumption, LIMITS, Made, Posted, Todo, Who, World};
use crate::state::{Mode, Protocol};
use crate::types::{JobState, PostRef};

/// How the service takes a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// Starts everything and says so.
    Started,
    /// Starts a part and says so.
    StartedInPart,
    /// Starts nothing and says so.
    Refused,
    /// Starts everything; the answer is lost.
    StartedLost,
    /// Starts a part; the answer is lost.
    PartLost,
    /// Starts nothing; the answer is lost.
    NothingLost,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Move {
    Post(PostRef, Reply),
    /// A POST that nobody waits for takes effect, or not.
    LateEffect {
        posted: usize,
        starts: bool,
    },
    Look(PostRef, bool),
    LookShowsNothing(PostRef),
    LookBack(bool),
    Stop {
        jobs: Vec<u8>,
        answered: bool,
        effective: bool,
    },
    JobAppears(u8),
    JobEnds {
        job: u8,
        passed: bool,
    },
    StrangerStops(u8),
    JobIsNotFound(u8),
    Signal,
    Panic,
    Kill,
    SafetyNet,
    Repeat {
        state_file: bool,
        carry: bool,
    },
    Rest,
    TimePasses,
}

impl World {
    /// Everything that can happen now.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        if self.rested || self.now >= self.setup.horizon() {
            return moves;
        }
        let mut due = false;
        // What is due at the same moment is done in one order: nothing in it depends on the other.
        let posting = self.todo.iter().filter(|todo| matches!(todo, Todo::Post(_)));
        let other = self.todo.iter().find(|todo| !matches!(todo, Todo::Post(_)) && todo.when() <= self.now);
        for todo in posting.chain(other) {
            due |= self.moves_of(todo, &mut moves);
        }
        let looks = other.is_some_and(|todo| matches!(todo, Todo::Look(..) | Todo::LookBack(_)));
        for (posted, post) in self.posts.iter().enumerate() {
            if !post.decided && !self.is_awaited(posted) {
                due |= post.at < self.now;
                moves.push(Move::LateEffect { posted, starts: true });
                if !self.setup.twin || self.drops(Assumption::EqualJobsStart) {
                    moves.push(Move::LateEffect { posted, starts: false });
                }
            }
            for job in &post.jobs {
                // Only looks notice that a job appears, and only time, that it ends.
                if (looks || self.setup.late) && self.may_appear(post, job) {
                    moves.push(Move::JobAppears(job.id));
                }
                if !due {
                    self.moves_of_job(post, job, &mut moves);
                }
            }
        }
        self.moves_of_runner(&mut moves);
        // With nobody there time changes only what a repeated job finds.
        let idle =
            self.who == Who::Nobody && self.posts.iter().all(|post| post.at + LIMITS.window <= self.now);
        if !due && !idle {
            moves.push(Move::TimePasses);
        }
        moves
    }

    /// The outcomes of something the driver has to do; true when it has to be done now.
    fn moves_of(&self, todo: &Todo, moves: &mut Vec<Move>) -> bool {
        match todo {
            Todo::Post(at) => {
                let mut replies = vec![Reply::Started];
                if self.lost > 0 {
                    replies.extend([Reply::StartedLost, Reply::NothingLost, Reply::Refused]);
                    if self.setup.jobs > 1 {
                        replies.extend([Reply::StartedInPart, Reply::PartLost]);
                    }
                }
                moves.extend(replies.into_iter().map(|reply| Move::Post(*at, reply)));
                self.posts[self.posted(*at)].at < self.now
            }
            Todo::LookBack(when) if *when <= self.now => {
                moves.push(Move::LookBack(true));
                if self.failures > 0 {
                    moves.push(Move::LookBack(false));
                }
                true
            }
            Todo::Look(at, when) if *when <= self.now => {
                moves.push(Move::Look(*at, true));
                if self.drops(Assumption::ListsAreWhole) {
                    moves.push(Move::LookShowsNothing(*at));
                }
                if self.failures > 0 {
                    moves.push(Move::Look(*at, false));
                }
                true
            }
            Todo::Stop(jobs, when) if *when <= self.now => {
                moves.push(Move::Stop { jobs: jobs.clone(), answered: true, effective: true });
                if self.drops(Assumption::StopsAreTrue) {
                    moves.push(Move::Stop { jobs: jobs.clone(), answered: true, effective: false });
                }
                if self.failures > 0 {
                    moves.push(Move::Stop { jobs: jobs.clone(), answered: false, effective: true });
                    moves.push(Move::Stop { jobs: jobs.clone(), answered: false, effective: false });
                }
                true
            }
            Todo::LookBack(_) | Todo::Look(..) | Todo::Stop(..) => false,
        }
    }

    pub(super) fn drops(&self, assumption: Assumption) -> bool {
        self.setup.dropped == Some(assumption)
    }

    const fn may_appear(&self, post: &Posted, job: &Made) -> bool {
        !job.visible && (!self.setup.late || self.now < post.at + 2 * LIMITS.window)
    }

    fn moves_of_job(&self, post: &Posted, job: &Made, moves: &mut Vec<Move>) {
        if job.state != JobState::Live || post.twin {
            return;
        }
        // A job that nobody knows of does not end unseen: it would be one that was never there.
        if job.visible {
            moves.push(Move::JobEnds { job: job.id, passed: true });
            if self.setup.red {
                moves.push(Move::JobEnds { job: job.id, passed: false });
            }
            if self.strangers > 0 {
                moves.push(Move::StrangerStops(job.id));
            }
            let followed = |kernel: &Protocol<u8>| kernel.unfinished().any(|id| *id == job.id);
            if self.glitches > 0 && self.kernel.as_ref().is_some_and(followed) {
                moves.push(Move::JobIsNotFound(job.id));
            }
        }
    }

    fn moves_of_runner(&self, moves: &mut Vec<Move>) {
        let undecided = self.posts.iter().any(|post| !post.decided);
        match self.who {
            Who::Job => {
                let stopping =
                    self.kernel.as_ref().is_some_and(|kernel| matches!(kernel.mode, Mode::Stopping(_)));
                if !stopping && (!self.setup.carry || self.carries) {
                    moves.push(Move::Signal);
                    if self.setup.panics {
                        moves.push(Move::Panic);
                    }
                }
                if self.kills > 0 {
                    moves.push(Move::Kill);
                }
            }
            Who::Net => {}
            Who::Nobody => {
                if self.nets > 0 && (self.setup.kill || self.setup.leave || self.setup.panics) {
                    moves.push(Move::SafetyNet);
                }
                if !self.unattended && !undecided {
                    moves.push(Move::Rest);
                }
                // Assumed without a state file: a repeated job begins no earlier than a window after the last POST of the one before.
                let over = self.posts.iter().all(|post| post.at + LIMITS.window <= self.now)
                    || self.drops(Assumption::RepeatsComeLater);
                if self.attempt < self.setup.attempts && !undecided {
                    // The last attempt is the one to look at, and one in between starts everything anew.
                    let carry = self.setup.carry && self.attempt + 1 == self.setup.attempts;
                    if self.setup.kill {
                        moves.push(Move::Repeat { state_file: true, carry });
                    }
                    if over {
                        moves.push(Move::Repeat { state_file: false, carry });
                    }
                }
            }
        }
    }
}
