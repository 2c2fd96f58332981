//! The starts of one invocation: their protocol, their posts, and the requests that are under way for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use nunu_protocol::{
    Action, Event, Expected, JobState, Limits, Millis, Outcome, PostRef, Powers, Protocol, StartSpec, text,
};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::api::{ApiError, Started, StopReply};
use crate::model::given::GivenBuilds;
use crate::model::{Failure, RunSpec, Target};

use super::context::Context;
use super::jobs_by_tag::Found;
use super::plan_size::{PlanSize, SizeAnswer};
use super::state_file::{Record, StartRecord, What};
use super::tracked_job::Tracked;

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

impl Request {
    /// How many jobs it gives, as far as it tells by itself. Instances are one job, or one each.
    pub(super) fn expected(&self) -> Expected {
        match &self.spec.target {
            _ if self.spec.all_configured_devices => Expected::Unknown,
            Target::Plan(_) => Expected::Unknown,
            Target::Test(_) | Target::Instructions(_) => match self.spec.asked() {
                0 | 1 => Expected::Exactly(1),
                many => Expected::OneOr(many),
            },
        }
    }
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

/// The jobs of one POST of an earlier attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Its tag.
    pub(super) tag: String,
    /// The start it is the same as.
    pub(super) start: usize,
    /// Which attempt posted it; 0 where that is not told.
    pub(super) attempt: u64,
    /// Its jobs.
    pub(super) jobs: Vec<(String, JobState)>,
    /// True when its record is open: more of it may still appear.
    pub(super) on_record: bool,
}

/// What was read of earlier attempts before anything was decided about the starts.
#[derive(Default)]
pub(super) struct Recalled {
    /// Everything with our tags: the answer to the first look back.
    pub(super) found: Option<Vec<Found>>,
    /// Jobs of test plans that stand for a single start.
    pub(super) of_plans: Vec<Earlier>,
    /// Jobs that passed, with all their details, by id; `None` where nothing is carried over.
    pub(super) passed: Option<BTreeMap<String, Tracked>>,
}

/// What a request came to.
pub(super) enum Done {
    Answered(PostRef, Box<Result<Started, ApiError>>),
    Looked(PostRef, u32, Result<Vec<Found>, ApiError>),
    LookedBack(Result<Vec<Found>, ApiError>),
    Stopped(Vec<String>, Result<StopReply, ApiError>),
    Sized(usize, SizeAnswer),
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
    /// What was read of earlier attempts before the starts were settled.
    pub(super) recalled: Recalled,
    /// The last trouble with a job or a tag.
    pub(super) trouble: BTreeMap<String, String>,
    /// What the first request said that failed on the way out: it decides the reason of a `stop`.
    pub(super) stop_failure: Option<Failure>,
    /// Runs whose job nobody told.
    pub(super) nameless: BTreeSet<String>,
    /// Jobs whose stop was said.
    pub(super) stopping: BTreeSet<String>,
    /// The moment at `zero`.
    begun: Millis,
    zero: Instant,
    pub(super) work: JoinSet<Done>,
    /// The newest look that was ordered for each post; earlier ones are of no interest any more.
    pub(super) looks: BTreeMap<PostRef, u32>,
}

impl fmt::Debug for Starts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Starts").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Starts {
    pub(super) fn new(
        ctx: &Context,
        powers: Powers,
        specs: Vec<StartSpec<String>>,
        plans: Vec<Planned>,
        posts: BTreeMap<PostRef, Posted>,
    ) -> Self {
        let limits = Limits::default();
        // Long enough after zero that a post on record can be old.
        let begun = limits.window.max(limits.unknown_job);
        ctx.net.recorder().decision(begun, &text::beginning(powers, &specs), Vec::new());
        Self {
            protocol: Protocol::new(limits, powers, specs, begun),
            plans,
            posts,
            same_build: false,
            earlier: Vec::new(),
            recalled: Recalled::default(),
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

    pub(super) fn now(&self) -> Millis {
        let elapsed = Millis::try_from(self.zero.elapsed().as_millis()).unwrap_or(Millis::MAX);
        elapsed.saturating_add(self.begun)
    }

    pub(super) fn moment(&self, at: Millis) -> Instant {
        self.zero + Duration::from_millis(at.saturating_sub(self.begun))
    }

    pub(super) fn step(&mut self, ctx: &Context, event: Event<String>) -> Vec<Action<String>> {
        let now = self.now();
        let line = text::event(&event);
        let actions = self.protocol.step(event, now);
        ctx.net.recorder().decision(now, &line, actions.iter().map(text::action).collect());
        actions
    }

    /// Changes the record of a post, here and in the state file.
    pub(super) fn change(&mut self, ctx: &Context, at: PostRef, change: impl FnOnce(&mut Record)) {
        let Some(posted) = self.posts.get_mut(&at) else { return };
        change(&mut posted.record);
        if posted.recorded {
            ctx.records.put(&posted.record);
        }
    }
}
