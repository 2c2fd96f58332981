//! What passed in an earlier attempt is not started again: when an earlier post stands for a start of this one.

use crate::state::{Phase, Protocol};
use crate::types::{Action, Earlier, Group, Guard, Id, JobState, Settled};

impl<I: Id> Protocol<I> {
    /// The group that is carried over to a start: its newest earlier post, when all of it is there and passed, nothing of the start
    /// runs or may, and it can be nobody else's.
    pub(crate) fn passed_before(&self, start: usize, groups: &[Group<I>]) -> Option<usize> {
        let told_apart = self.powers.earlier == Earlier::Ours || !self.guard(Guard::CarryToldApart);
        if !self.powers.carry || !told_apart {
            return None;
        }
        let ours = || groups.iter().enumerate().filter(|(_, group)| group.start == start);
        if ours().any(|(_, group)| self.may_be_alive(group)) && self.guard(Guard::CarryEnded) {
            return None;
        }
        let newest = ours().map(|(_, group)| group.attempt).max()?;
        let of_newest = ours().filter(|(_, group)| group.attempt == newest).count();
        let decides =
            |group: &Group<I>| (group.attempt == newest && of_newest == 1) || !self.guard(Guard::CarryNewest);
        ours().find(|(_, group)| decides(group) && self.has_passed(group)).map(|(place, _)| place)
    }

    /// True when a job of the group is alive, or one that nobody has seen may be.
    fn may_be_alive(&self, group: &Group<I>) -> bool {
        let full = self.starts[group.start].expected.full(group.jobs.len());
        (group.on_record && !full) || group.jobs.iter().any(|(_, state)| *state == JobState::Live)
    }

    /// True when the group is all that the start would give, and all of it passed.
    fn has_passed(&self, group: &Group<I>) -> bool {
        let failed =
            |state: &JobState| matches!(state, JobState::Stopped | JobState::Ended { passed: false });
        let passed = !group.jobs.iter().any(|(_, state)| failed(state)) || !self.guard(Guard::CarryPassed);
        let whole =
            self.starts[group.start].expected.complete(group.jobs.len()) || !self.guard(Guard::CarryWhole);
        !group.jobs.is_empty() && passed && whole
    }

    /// The start is settled by what an earlier attempt did. Its jobs are none of ours: they have ended, and nothing stops them.
    pub(crate) fn carry_over(&mut self, start: usize, group: usize, out: &mut Vec<Action<I>>) {
        if self.guard(Guard::CarriedIsSettled) {
            self.starts[start].phase = Phase::CarriedOver;
        }
        out.push(Action::CarryOver { start, group });
        out.push(Action::Settled(start, Settled::CarriedOver));
    }
}
