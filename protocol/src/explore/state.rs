//! What is known of a small world at one moment.

use std::collections::BTreeSet;

use crate::state::Protocol;
use crate::types::{Expected, Guard, JobState, Limits, Millis, PostRef};

/// Time is counted in looks. The proportions are those of production, shortened.
pub(super) const LIMITS: Limits = Limits {
    look_every: 1,
    window: 4,
    all_posts: 16,
    posts: 3,
    stop_every: 1,
    unknown_job: 3,
    silent_job: 6,
};
/// A world: how large, and how much may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "switches that are set independently")]
pub(super) struct Setup {
    pub(super) name: &'static str,
    pub(super) expected: Expected,
    /// Jobs that one whole start gives.
    pub(super) jobs: u8,
    pub(super) starts: usize,
    /// Answers to posts that may get lost.
    pub(super) lost: u8,
    /// Looks and stops that may fail.
    pub(super) failures: u8,
    /// Jobs that a stranger may stop.
    pub(super) strangers: u8,
    /// Jobs that the service may stop to find.
    pub(super) glitches: u8,
    /// The runner may be killed, and the job repeated.
    pub(super) kill: bool,
    /// The command is `start`: what was started is left running.
    pub(super) leave: bool,
    /// An equal start of the same place exists, which another job goes on with.
    pub(super) twin: bool,
    /// Jobs may appear after the window. Not assumed of the service, and only what was seen is promised then.
    pub(super) late: bool,
    /// Jobs that an answer named may be shown and known only at the end of the window.
    pub(super) hidden: bool,
    /// An assumption that does not hold in this world.
    pub(super) dropped: Option<Assumption>,
    /// Jobs may also fail.
    pub(super) red: bool,
    /// The program may have a bug.
    pub(super) panics: bool,
    /// A job that is repeated may carry over what passed.
    pub(super) carry: bool,
    /// How often the job runs at most.
    pub(super) attempts: u8,
}

impl Setup {
    /// Histories end here: whatever happens has happened, since each lost answer costs at most a window and a look.
    pub(super) fn horizon(&self) -> Millis {
        Millis::from(self.attempts) * 5
            + (LIMITS.window + 1) * Millis::from(self.lost)
            + LIMITS.unknown_job * Millis::from(self.glitches)
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            name: "",
            expected: Expected::Exactly(1),
            jobs: 1,
            starts: 1,
            lost: 1,
            failures: 0,
            strangers: 0,
            glitches: 0,
            kill: false,
            leave: false,
            twin: false,
            late: false,
            hidden: false,
            dropped: None,
            red: true,
            panics: false,
            carry: false,
            attempts: 1,
        }
    }
}

/// What the promise rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Assumption {
    /// Within the window after a POST, the list shows each of its jobs.
    JobsAreShownInTime,
    /// A list that is asked for a tag shows all that carries it.
    ListsAreWhole,
    /// What the service calls stopped does not run.
    StopsAreTrue,
    /// Where equal jobs cannot be told apart, each of them started something.
    EqualJobsStart,
    /// A repeated job begins no earlier than a window after the last POST of the one before.
    RepeatsComeLater,
}

impl Assumption {
    pub(super) const ALL: [Self; 5] = [
        Self::JobsAreShownInTime,
        Self::ListsAreWhole,
        Self::StopsAreTrue,
        Self::EqualJobsStart,
        Self::RepeatsComeLater,
    ];
}

/// One POST as the service sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Posted {
    pub(super) start: usize,
    pub(super) attempt: u8,
    pub(super) at: Millis,
    /// False while nobody knows whether it takes effect.
    pub(super) decided: bool,
    pub(super) refused: bool,
    pub(super) twin: bool,
    pub(super) jobs: Vec<Made>,
}

/// A job as the service knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Made {
    pub(super) id: u8,
    pub(super) visible: bool,
    pub(super) state: JobState,
    /// The service does not find it any more when it is asked for.
    pub(super) glitch: bool,
}

/// A record of the state file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Recorded {
    pub(super) posted: usize,
    pub(super) jobs: Vec<u8>,
    pub(super) complete: bool,
    pub(super) abandoned: bool,
    pub(super) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    Open,
    Left,
    Closed,
}

/// What the driver has been told to do and has not done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Todo {
    LookBack(Millis),
    Post(PostRef),
    Look(PostRef, Millis),
    Stop(Vec<u8>, Millis),
}

impl Todo {
    /// When it is due.
    pub(super) const fn when(&self) -> Millis {
        match self {
            Self::Post(_) => 0,
            Self::LookBack(when) | Self::Look(_, when) | Self::Stop(_, when) => *when,
        }
    }
}

/// Who runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Job,
    Net,
    Nobody,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and every combination occurs")]
pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) off: Option<Guard>,
    pub(super) now: Millis,
    pub(super) who: Who,
    pub(super) attempt: u8,
    pub(super) kernel: Option<Protocol<u8>>,
    pub(super) todo: Vec<Todo>,
    /// Which POST of the service each post of the protocol is.
    pub(super) posted_as: Vec<(PostRef, usize)>,
    pub(super) file: Vec<Recorded>,
    pub(super) posts: Vec<Posted>,
    /// When everything must have been stopped.
    pub(super) deadline: Option<Millis>,
    pub(super) lost: u8,
    pub(super) failures: u8,
    pub(super) strangers: u8,
    pub(super) glitches: u8,
    pub(super) kills: u8,
    /// POSTs whose jobs somebody was told of when a program ended.
    pub(super) named: BTreeSet<usize>,
    /// The killed job's state file is gone.
    pub(super) file_lost: bool,
    /// POSTs of which a job was alive when this program found them.
    pub(super) alive: BTreeSet<usize>,
    /// POSTs whose jobs this program follows.
    pub(super) followed: BTreeSet<usize>,
    /// What passed in an earlier attempt is carried over by this one.
    pub(super) carries: bool,
    /// Starts that this program carried over, with the POST each.
    pub(super) carried: Vec<(usize, usize)>,
    /// A killed program has left things to others.
    pub(super) unattended: bool,
    pub(super) nets: u8,
    /// Live jobs that a look would have shown when everything had to stop.
    pub(super) visible_at_stop: BTreeSet<u8>,
    pub(super) rested: bool,
}

impl World {
    pub(super) fn posted(&self, at: PostRef) -> usize {
        self.posted_as.iter().find(|(known, _)| *known == at).expect("known").1
    }

    /// True when a look or a stop has failed.
    pub(super) const fn failed(&self) -> bool {
        self.failures < self.setup.failures
    }

    /// True when the job could be seen during the whole way out.
    pub(super) fn visible_since_stop(&self, id: u8) -> bool {
        self.visible_at_stop.contains(&id)
    }

    pub(super) fn job(&self, id: u8) -> &Made {
        self.posts.iter().flat_map(|post| &post.jobs).find(|job| job.id == id).expect("known")
    }
}
