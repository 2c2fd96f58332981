//! Starts of an earlier command, as the start protocol takes them: found in the state file, or named by `job-ids`.

use std::collections::BTreeMap;

use nunu_protocol::{Earlier, Expected, PostRef, Powers, StartSpec};

use crate::model::units::parse_time;
use crate::model::{ExitReason, Failure};

use super::context::Context;
use super::plan_size::PlanSize;
use super::starts::{Planned, Posted, Starts};
use super::state_file::{Record, RecordStatus, StartRecord, What};
use super::tags::PostTag;

/// Records that are not finished, of this job.
pub(super) fn records(ctx: &Context) -> Result<Vec<Record>, Failure> {
    let all = ctx.records.all().map_err(|error| {
        Failure::new(ExitReason::InvalidInput, format!("cannot read {}", ctx.records.path().display()))
            .because(&error)
            .hint("remove the file, and name the jobs with the setting job-ids")
    })?;
    let ours = |record: &Record| {
        // Outside of a CI everything in the folder is this person's; inside, other jobs may share a machine.
        let here = ctx.records.place.run.is_empty() || record.place.same_job(&ctx.records.place);
        record.status != RecordStatus::Done && here
    };
    Ok(all.into_iter().filter(ours).collect())
}

/// Recorded starts, as the start protocol takes them.
#[derive(Default)]
pub(super) struct RecordedStarts {
    pub(super) specs: Vec<StartSpec<String>>,
    plans: Vec<Planned>,
    posts: BTreeMap<PostRef, Posted>,
    /// Which start each digest is.
    known: BTreeMap<String, usize>,
}

impl RecordedStarts {
    /// Adds what one record tells. The posts of one start are told apart by their tags.
    pub(super) fn add(&mut self, record: Record, recorded: bool) {
        let What::Start(start) = &record.what else { return };
        let same = PostTag::parse(&start.tag).map(|tag| format!("{} {}", start.invocation, tag.start));
        let index = same.as_ref().and_then(|same| self.known.get(same).copied()).unwrap_or(self.specs.len());
        if index == self.specs.len() {
            let expected = match (&start.test_plan_id, start.instances) {
                (None, Some(0 | 1)) => Expected::Exactly(1),
                (None, Some(many)) => Expected::OneOr(many),
                (Some(_), _) | (None, None) => Expected::Unknown,
            };
            self.specs.push(StartSpec { expected, records: Vec::new() });
            let by_items = start.instances.is_some();
            let size = start.test_plan_id.clone().map(|plan| PlanSize { plan, by_items });
            self.plans.push(Planned { label: start.label.clone(), size, request: None });
            self.known.extend(same.map(|same| (same, index)));
        }
        let made = parse_time(&record.at);
        let age = made.map_or(0, |made| (chrono::Utc::now() - made).num_milliseconds());
        // Jobs that a person names have been shown to that person.
        let age = if recorded { u64::try_from(age).unwrap_or(0) } else { u64::MAX };
        let records = &mut self.specs[index].records;
        let at = PostRef { start: index, post: records.len() };
        let mut posted = Posted { recorded, ..Posted::new(record) };
        let start = posted.start();
        records.push(nunu_protocol::Record {
            jobs: start.ids(),
            complete: start.complete,
            abandoned: start.abandoned,
            left: posted.record.status == RecordStatus::Left,
            age,
        });
        posted.earlier = false;
        self.posts.insert(at, posted);
    }

    /// Adds jobs that were named by their ids.
    pub(super) fn add_named(&mut self, ctx: &Context, ids: Vec<String>) {
        if !ids.is_empty() {
            let start = StartRecord {
                label: "job".to_owned(),
                required: true,
                job_ids: ids,
                complete: true,
                ..StartRecord::default()
            };
            self.add(ctx.records.open(What::Start(Box::new(start))), false);
        }
    }

    pub(super) fn begin(self, ctx: &Context, unclosed_only: bool) -> Starts {
        let powers = Powers {
            look: ctx.may_read,
            earlier: Earlier::Nothing,
            post: false,
            unclosed_only,
            carry: false,
        };
        Starts::new(ctx, powers, self.specs, self.plans, self.posts)
    }
}
