//! The words of the protocol: what can happen, what can be done, what is known beforehand.

use std::fmt::Debug;
use std::hash::Hash;

/// A moment, in milliseconds of whatever clock the caller uses; only differences count.
pub type Millis = u64;

/// Names a job. Strings in production, small numbers in the explorer.
pub trait Id: Clone + Debug + Eq + Hash + Ord {}
impl<T: Clone + Debug + Eq + Hash + Ord> Id for T {}

/// One POST of one start, by their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PostRef {
    /// Position of the start.
    pub start: usize,
    /// Position of the post among those of its start.
    pub post: usize,
}

/// Times and counts of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Between two looks for the jobs of an unclear post.
    pub look_every: Millis,
    /// Within this time after a post, each of its jobs is shown by the service.
    pub window: Millis,
    /// All posts of one start happen within this time; also the longest that a silent service is asked.
    pub all_posts: Millis,
    /// Posts of one start at most.
    pub posts: usize,
    /// Between two looks, and between two tries of a stop, once everything is to be stopped.
    pub stop_every: Millis,
    /// A job that the service does not know is given up after this time.
    pub unknown_job: Millis,
    /// A job about which nothing is answered is given up after this time.
    pub silent_job: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            look_every: 3_000,
            window: 20_000,
            all_posts: 90_000,
            posts: 3,
            stop_every: 400,
            unknown_job: 30_000,
            silent_job: 600_000,
        }
    }
}

/// How many jobs one start gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Nobody knows.
    Unknown,
    /// That many.
    Exactly(usize),
    /// One job with that many runs in it, or that many jobs.
    OneOr(usize),
}

impl Expected {
    /// True when a set of `count` jobs can be the whole of it.
    #[must_use]
    pub const fn complete(self, count: usize) -> bool {
        match self {
            Self::Unknown => false,
            Self::Exactly(all) => count >= all,
            Self::OneOr(all) => count == 1 || count >= all,
        }
    }

    /// True when no further job can come after `count` of them.
    pub(crate) const fn full(self, count: usize) -> bool {
        match self {
            Self::Unknown => false,
            Self::Exactly(all) | Self::OneOr(all) => count >= all,
        }
    }
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobState {
    /// Queued, starting or running.
    Live,
    /// Somebody stopped it, or is about to.
    Stopped,
    /// It ended by itself.
    Ended {
        /// True for a success.
        passed: bool,
    },
}

/// Whether an earlier attempt may have left jobs that are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Earlier {
    /// There is none.
    Nothing,
    /// What carries our tags is ours.
    Ours,
    /// Of several equal posts some are another job's: the host does not tell equal jobs of a pipeline apart, such as the legs of a
    /// matrix.
    Ambiguous,
}

/// What may be done with this key and by this command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a power of its own")]
pub struct Powers {
    /// Jobs can be listed.
    pub look: bool,
    /// What an earlier attempt may have left.
    pub earlier: Earlier,
    /// Starts may be posted; `false` for a wait or a stop of recorded starts.
    pub post: bool,
    /// Only what nobody left on purpose is ours: the safety net.
    pub unclosed_only: bool,
    /// What passed in an earlier attempt is carried over.
    pub carry: bool,
}

/// A start of this invocation, before anything was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StartSpec<I> {
    /// Its size.
    pub expected: Expected,
    /// Posts of it that are on record.
    pub records: Vec<Record<I>>,
}

/// A post as the state file tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record<I> {
    /// Its jobs, where they were known.
    pub jobs: Vec<I>,
    /// True when the service's own answer, or a look-up that saw all of them, named these jobs.
    pub complete: bool,
    /// True when it was given up for a later post: its jobs are to be stopped.
    pub abandoned: bool,
    /// True when it was left running on purpose.
    pub left: bool,
    /// How long ago it was posted, as far as clocks tell.
    pub age: Millis,
}

/// The jobs of one post of an earlier attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group<I> {
    /// The start it is the same as.
    pub start: usize,
    /// Which attempt posted it; a later one has a greater number.
    pub attempt: u64,
    /// Its jobs, as far as they are shown. Where something may be carried over, passed means that it counts so.
    pub jobs: Vec<(I, JobState)>,
    /// True when its record is open: more of it may still appear.
    pub on_record: bool,
}

/// What the service said to a post.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer<I> {
    /// It started these jobs.
    Clear {
        /// The jobs.
        jobs: Vec<I>,
        /// True when it also says that others were not started.
        partial: bool,
    },
    /// It started nothing and never will.
    Refused,
    /// Nobody can tell: a timeout, a reset, a server error, an unreadable success.
    Unclear,
}

/// What a look for the jobs of a post brought.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Seen<I> {
    /// All jobs that carry its tag.
    Jobs(Vec<(I, JobState)>),
    /// Nothing: the service did not answer.
    Failed,
    /// The key may not look.
    Denied,
}

/// What a look at one job brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Poll {
    /// How it stands.
    State(JobState),
    /// The service does not know it.
    NotFound,
    /// No answer about it.
    Failed,
}

/// What the service said to the stop of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopAnswer {
    /// It is stopped, or had ended before.
    Done,
    /// The service does not know it.
    NotFound,
    /// Not stopped, or no answer.
    Failed,
    /// Not stopped, and asking again would not help.
    Impossible,
}

/// Why everything is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A signal.
    Cancelled,
    /// Our own deadline, or a stall.
    Deadline,
    /// An error of ours: what was started cannot be used.
    Failure,
    /// A bug of ours.
    Panic,
    /// The command `stop`.
    Stop,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event<I> {
    /// Begin with the first start.
    Begin,
    /// The jobs of earlier attempts; `None` when they could not be read.
    LookedBack(Option<Vec<Group<I>>>),
    /// A post was answered, or its answer is not waited for any more.
    Answered(PostRef, Answer<I>),
    /// The jobs with the tag of a post were looked for.
    Looked(PostRef, Seen<I>),
    /// The size of a start became known.
    Size(usize, Expected),
    /// A followed job was looked at.
    Polled(I, Poll),
    /// A job was asked to stop.
    StopAnswered(I, StopAnswer),
    /// Everything has to stop.
    End(Cause),
    /// Everything goes on without us, on purpose.
    Leave,
    /// The time for stopping is over.
    TimeUp,
    /// Nothing but time passed.
    Tick,
}

/// How a start was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    /// Its jobs are followed.
    Started {
        /// False when jobs are missing, or may be.
        complete: bool,
    },
    /// What an earlier attempt started counts.
    CarriedOver,
    /// The service refused it.
    Refused,
    /// Nobody knows whether it was started.
    Unknown,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action<I> {
    /// Read the jobs of earlier attempts, not before this moment.
    LookBack(Millis),
    /// A group of the look back is looked up as this post from here on.
    TakeUp(PostRef, usize),
    /// The jobs of this group of the look back count as this start, which is not posted.
    CarryOver {
        /// The start.
        start: usize,
        /// Position of the group.
        group: usize,
    },
    /// Write the record of a post that is about to leave.
    Record(PostRef),
    /// Post.
    Post(PostRef),
    /// Note in its record that a post was given up for a later one.
    Abandon(PostRef),
    /// Look for the jobs with the tag of this post, not before this moment.
    Look(PostRef, Millis),
    /// These jobs of a post are ours: record and follow them.
    Follow {
        /// The post.
        post: PostRef,
        /// The jobs that are new to us.
        jobs: Vec<I>,
        /// True when the record now names all of them.
        complete: bool,
    },
    /// Stop these jobs, not before this moment.
    Stop(Vec<I>, Millis),
    /// Close the record of a post: nothing of it runs, and nothing of it can come.
    Close(PostRef),
    /// Mark the record of a post as left running on purpose.
    Leave(PostRef),
    /// Nothing more is decided about this start; the next one begins.
    Settled(usize, Settled),
    /// Nothing more is to be done.
    Finish(Outcome),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Everything that was expected ended with a success.
    Passed,
    /// Everything that was expected ended, not all of it with a success.
    NotPassed,
    /// Something was not started, or nobody knows whether it was.
    Incomplete,
    /// Left running on purpose.
    Left,
    /// Stopped.
    Stopped(Cause),
}

/// What may run on without us.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Left<I> {
    /// The post it comes from.
    pub post: PostRef,
    /// Jobs that are not known to have ended.
    pub jobs: Vec<I>,
    /// True when the post may have made jobs that nobody has seen.
    pub unseen: bool,
}

/// The rules that keep the promise. Tests switch one off at a time and see the promise break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// A post leaves only after its record is written.
    RecordBeforePost,
    /// A second post only after a whole window of looks that saw nothing.
    RepostAfterWindow,
    /// A second post only after an answer to a look.
    RepostAfterAnswer,
    /// A definite refusal is never posted again.
    RefusalIsFinal,
    /// At most so many posts of one start.
    PostsAreCounted,
    /// A set that is smaller than expected is not adopted before the window is over.
    AdoptComplete,
    /// A set of unknown size is adopted only when the whole window did not change it, and counts as incomplete.
    UnknownIsIncomplete,
    /// Jobs of an adopted post that appear later are followed as well.
    LateJobsJoin,
    /// Jobs of an abandoned post that appear later are stopped.
    LateJobsStop,
    /// Waiting does not end while an unclear post may still show jobs.
    WindowBeforeEnd,
    /// A record is closed only when nothing of its post runs and nothing can come.
    CloseWhenOver,
    /// Everything known is stopped when everything has to stop.
    StopKnown,
    /// Jobs that nobody has named are looked for when everything has to stop.
    StopByTag,
    /// Looking for jobs to stop goes on until two looks found nothing new and the window is over.
    StopUntilQuiet,
    /// A stop that failed is tried again.
    StopAgain,
    /// A job that its post's answer named may not be shown yet: that the service does not know it says nothing at first.
    StopHidden,
    /// A job that is given up is stopped.
    StopGivenUp,
    /// What could not be stopped is named.
    NameTheRest,
    /// Nothing is posted in a repeated attempt before the earlier one was read.
    LookBackFirst,
    /// Of an earlier attempt, a post that is on record and may still show jobs is looked up before anything is posted.
    LookUpRecords,
    /// Of an earlier attempt, only a post with a live job is adopted.
    AdoptLive,
    /// Of an earlier attempt, nothing that somebody stopped is adopted.
    AdoptUnstopped,
    /// Of an earlier attempt, a post is adopted only when no other could be meant.
    AdoptTheOnly,
    /// The jobs of an earlier attempt are looked up like those of an unclear post before they are adopted.
    AdoptSettled,
    /// Success needs everything that was expected.
    SuccessNeedsAll,
    /// What was left running on purpose is nobody's to stop.
    LeftIsLeft,
    /// Nothing that is alive, or may be, is carried over.
    CarryEnded,
    /// What did not pass, or was stopped, is not carried over.
    CarryPassed,
    /// Only a post with all of its jobs is carried over.
    CarryWhole,
    /// The newest earlier post of a start decides, and it has to be the only one of its attempt.
    CarryNewest,
    /// Nothing is carried over where another job's posts cannot be told from ours: it may use the same ones.
    CarryToldApart,
    /// What is carried over is not posted.
    CarriedIsSettled,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::RecordBeforePost,
        Self::RepostAfterWindow,
        Self::RepostAfterAnswer,
        Self::RefusalIsFinal,
        Self::PostsAreCounted,
        Self::AdoptComplete,
        Self::UnknownIsIncomplete,
        Self::LateJobsJoin,
        Self::LateJobsStop,
        Self::WindowBeforeEnd,
        Self::CloseWhenOver,
        Self::StopKnown,
        Self::StopByTag,
        Self::StopUntilQuiet,
        Self::StopAgain,
        Self::StopHidden,
        Self::StopGivenUp,
        Self::NameTheRest,
        Self::LookBackFirst,
        Self::LookUpRecords,
        Self::AdoptLive,
        Self::AdoptUnstopped,
        Self::AdoptTheOnly,
        Self::AdoptSettled,
        Self::SuccessNeedsAll,
        Self::LeftIsLeft,
        Self::CarryEnded,
        Self::CarryPassed,
        Self::CarryWhole,
        Self::CarryNewest,
        Self::CarryToldApart,
        Self::CarriedIsSettled,
    ];
}
