//! What a repeated job finds of the attempts before it, and what it makes of that.

use super::rules;
use super::state::{Recorded, Standing, World};
use crate::types::{Action, Event, Group, JobState};

impl World {
    /// The answer to a look back.
    pub(super) fn look_back(&mut self, good: bool) -> Result<(), String> {
        if !good {
            return self.step(Event::LookedBack(None));
        }
        let mut groups = Vec::new();
        let mut origins = Vec::new();
        for (posted, post) in self.posts.iter().enumerate() {
            let jobs = self.visible(posted);
            let open = |record: &Recorded| record.posted == posted && record.standing == Standing::Open;
            let on_record = self.file.iter().any(open);
            if post.attempt < self.attempt && (!jobs.is_empty() || on_record) {
                let attempt = post.attempt.into();
                groups.push(Group { start: post.start, attempt, jobs, on_record });
                origins.push(posted);
            }
        }
        // What was given up comes last, as the driver sorts it.
        let given_up =
            |posted: &usize| self.file.iter().any(|record| record.posted == *posted && record.abandoned);
        let mut sorted: Vec<(Group<u8>, usize)> = groups.into_iter().zip(origins).collect();
        sorted.sort_by_key(|(_, posted)| given_up(posted));
        let (groups, origins): (Vec<_>, Vec<_>) = sorted.into_iter().unzip();
        let Some(kernel) = &mut self.kernel else { return Ok(()) };
        let actions = kernel.step(Event::LookedBack(Some(groups)), self.now);
        for action in &actions {
            match action {
                Action::TakeUp(at, group) => {
                    self.posted_as.push((*at, origins[*group]));
                    if self.posts[origins[*group]].jobs.iter().any(|job| job.state == JobState::Live) {
                        self.alive.insert(origins[*group]);
                    }
                }
                Action::CarryOver { start, group } => {
                    rules::carrying(self, *start, origins[*group])?;
                    self.carried.push((*start, origins[*group]));
                }
                _ => {}
            }
        }
        self.obey(actions)
    }
}
