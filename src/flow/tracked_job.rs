//! What we know of one job while it goes on, and what a new look at it changes. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use nunu_protocol::JobState;

use crate::api::{Bugs, instances_of};
use crate::model::TestResult;
use crate::model::job::{Attempt, Job};

use super::announce::Announced;
use super::jobs_by_tag::state_of;
use super::state_file::StartRecord;
use super::tags::is_invocation_tag;

/// Details that the service does not know of a run that has ended are asked for that long.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// Without one good answer for that long, the service counts as gone.
pub(super) const GONE_AFTER: Duration = Duration::from_secs(600);

/// What is asked to learn how a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PollBy {
    /// The job; every generation but the oldest.
    Job,
    /// The run with this id; the oldest generation has no jobs to read.
    Run(String),
}

/// One job on its way.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    /// What the report will say.
    pub(super) report: Job,
    /// What to ask.
    pub(super) poll: PollBy,
    /// Position of its start among those of the invocation.
    pub(super) start: usize,
    /// Tag that all jobs of its invocation share: one list call reads them all.
    pub(super) group: Option<String>,
    /// All deployment configurations that it was started with; empty where nobody knows.
    pub(super) configuration: String,
    /// True while looks at it fail.
    troubled: bool,
    /// When run details were read last.
    pub(super) details_at: Option<Duration>,
    /// Since when details of ended runs could not be read.
    details_missing_since: Option<Duration>,
    /// Runs whose details are final: they are not read again.
    settled: BTreeSet<String>,
    /// What the log has said of it.
    announced: Announced,
}

impl Tracked {
    /// A job that was just started.
    pub(super) fn new(report: Job, poll: PollBy) -> Self {
        Self {
            report,
            poll,
            start: 0,
            group: None,
            configuration: String::new(),
            troubled: false,
            details_at: None,
            details_missing_since: None,
            settled: BTreeSet::new(),
            announced: Announced::default(),
        }
    }

    /// The same, with the deployment configurations that it was started with.
    pub(super) fn configured(mut self, configuration: &str) -> Self {
        configuration.clone_into(&mut self.configuration);
        self
    }

    /// The same, with the tag that its invocation shares.
    pub(super) fn in_group(mut self, group: Option<String>) -> Self {
        self.group = group;
        self
    }

    /// True while the service still works on it, as far as we know.
    pub(super) fn is_unfinished(&self) -> bool {
        self.report.lost.is_none() && !self.report.is_completed()
    }

    /// True while anything of it may still be learnt: it goes on, or details of an ended run are missing.
    pub(super) fn is_open(&self) -> bool {
        self.is_unfinished() || !self.unsettled_runs().is_empty()
    }

    /// Ended runs that decide, and whose details are still to be read.
    pub(super) fn unsettled_runs(&self) -> Vec<String> {
        if !self.report.is_completed() {
            return Vec::new();
        }
        let runs = self.report.deciding_runs().into_iter().map(|run| run.run_id.clone());
        runs.filter(|run| !run.is_empty() && !self.settled.contains(run)).collect()
    }

    /// Takes what a look at the job brought. Details already read are kept.
    pub(super) fn apply(&mut self, fresh: Job) {
        self.troubled = false;
        let old = &mut self.report;
        old.status = fresh.status.or(old.status.take());
        old.queue_rejection = fresh.queue_rejection.or(old.queue_rejection.take());
        old.stopped_by = fresh.stopped_by.or(old.stopped_by.take());
        old.created_at = fresh.created_at.or(old.created_at);
        old.completed_at = fresh.completed_at.or(old.completed_at);
        old.test_id = fresh.test_id.or(old.test_id.take());
        old.test_name = fresh.test_name.or(old.test_name.take());
        old.device = old.device.take().or(fresh.device);
        old.build_id = fresh.build_id.or(old.build_id.take());
        let known = std::mem::take(&mut old.attempts);
        if fresh.attempts.is_empty() {
            old.attempts = known;
            return;
        }
        old.attempts = fresh
            .attempts
            .into_iter()
            .map(|attempt| match known.iter().find(|known| known.run_id == attempt.run_id) {
                Some(known) => with_details_of(attempt, known),
                None => attempt,
            })
            .collect();
        for run in old.attempts.iter_mut().filter(|run| run.run_id.is_empty()) {
            run.unreadable = Some("the job does not say which run it is".to_owned());
        }
    }

    /// Takes what a look at one of its runs brought.
    pub(super) fn apply_run(&mut self, run: Job) {
        for details in run.attempts {
            self.apply_details(details, run.test_name.clone());
        }
    }

    /// Takes run details of the attempt with that run id.
    pub(super) fn apply_details(&mut self, mut details: Attempt, test_name: Option<String>) {
        if self.report.test_name.is_none() {
            self.report.test_name = test_name;
        }
        if let Some(place) = self.report.attempts.iter_mut().find(|known| known.run_id == details.run_id) {
            // What the job says decides; the run is asked where the job says nothing, and where it denies a success:
            // of two answers that disagree, the one that would be green is not believed.
            let denied = place.result == Some(TestResult::Success) && details.result.is_some();
            if !denied {
                details.result = place.result.take().or(details.result);
            }
            details.started_at = details.started_at.or(place.started_at);
            details.completed_at = details.completed_at.or(place.completed_at);
            details.duration = details.duration.or(place.duration);
            details.url = details.url.or(place.url.take());
            if details.bugs.is_empty() {
                details.bugs = std::mem::take(&mut place.bugs);
            }
            *place = details;
        }
    }

    /// Remembers the invocation that the job's tags name, when it was not known.
    pub(super) fn learn_group(&mut self, tags: &[String]) {
        if self.group.is_none() {
            self.group = tags.iter().find(|tag| is_invocation_tag(tag)).cloned();
        }
    }

    fn run_mut(&mut self, run_id: &str) -> Option<&mut Attempt> {
        self.report.attempts.iter_mut().find(|run| run.run_id == run_id)
    }

    /// Takes the bugs of a run. The greater count is believed: what is counted and not listed is unknown.
    pub(super) fn take_bugs(&mut self, run_id: &str, read: Bugs) {
        if let Some(run) = self.run_mut(run_id) {
            run.bugs = read.bugs;
            run.bug_count = run.bug_count.max(Some(read.count));
        }
    }

    /// What a try to read the details of an ended run came to, `elapsed` after the wait began: final when everything was read,
    /// when `last`, or when it has failed for too long. True when it is final.
    pub(super) fn settle(&mut self, run_id: &str, trouble: &[String], elapsed: Duration, last: bool) -> bool {
        if trouble.is_empty() {
            self.details_missing_since = None;
        } else {
            let since = *self.details_missing_since.get_or_insert(elapsed);
            if !last && elapsed.saturating_sub(since) < UNKNOWN_FOR {
                return false;
            }
        }
        self.settled.insert(run_id.to_owned());
        if let Some(run) = self.run_mut(run_id) {
            run.unreadable = (!trouble.is_empty()).then(|| trouble.join("; "));
        }
        true
    }

    /// Notes that a look at it failed; true when the look before did not.
    pub(super) fn note_trouble(&mut self) -> bool {
        !std::mem::replace(&mut self.troubled, true)
    }

    /// Nothing is heard of it any more: it is not waited for.
    pub(super) fn give_up(&mut self, why: String) {
        self.report.lost.get_or_insert(why);
    }

    /// How it stands, for the start protocol.
    pub(super) fn state(&self) -> JobState {
        let report = &self.report;
        let tests = report.deciding_runs();
        let passed = !tests.is_empty() && tests.iter().all(|run| run.result == Some(TestResult::Success));
        state_of(report.status.as_ref(), passed)
    }

    /// Everything that counts as progress, in one string; a stall is the absence of changes here.
    pub(super) fn fingerprint(&self) -> String {
        use std::fmt::Write as _;
        let mut print = format!("{}={:?}", self.report.job_id, self.report.status);
        for attempt in &self.report.attempts {
            let _ = write!(print, ";{}:{:?}:{:?}", attempt.run_id, attempt.state, attempt.result);
            for player in &attempt.players {
                let _ = write!(print, ",{}:{:?}", player.id, player.state);
                for step in &player.steps {
                    let _ = write!(print, "/{:?}{:?}", step.state, step.result);
                }
            }
        }
        print
    }

    /// Lines for what changed since the last call, in the order it happened.
    pub(super) fn changes(&mut self) -> Vec<String> {
        self.announced.changes(&self.report)
    }

    /// The lines that tell how each test of the job ended, once.
    pub(super) fn ending(&mut self) -> Vec<String> {
        if self.is_open() { Vec::new() } else { self.announced.ending(&self.report) }
    }

    /// What to call the job in a line: the run's label, and the test where the label does not say it all.
    pub(super) fn name(&self) -> String {
        self.report.name()
    }
}

/// The jobs of a recorded start, as they are before the first look.
pub(super) fn of_start(start: &StartRecord) -> Vec<Tracked> {
    let device = |id: &str| start.devices.iter().find(|(job, _)| job == id).map(|(_, device)| device.clone());
    let instances =
        start.instances.map(|asked| instances_of(&start.job_ids, &start.devices, start.started, asked));
    let of_job = |id: &str| {
        let place = start.job_ids.iter().position(|job| job == id)?;
        instances.as_ref()?.get(place).copied()
    };
    let report = |id: &str| Job {
        run: start.label.clone(),
        required: start.required,
        job_id: id.to_owned(),
        device: device(id),
        deployment_config: start.deployment_config.clone(),
        instances: of_job(id),
        given: start.given.clone(),
        ..Job::default()
    };
    if start.run_ids.is_empty() {
        let group = (!start.invocation.is_empty()).then(|| start.invocation.clone());
        return start
            .job_ids
            .iter()
            .map(|id| {
                Tracked::new(report(id), PollBy::Job).in_group(group.clone()).configured(&start.configuration)
            })
            .collect();
    }
    start
        .run_ids
        .iter()
        .enumerate()
        .map(|(index, run)| {
            let id = start.job_ids.get(index).unwrap_or(run);
            Tracked::new(report(id), PollBy::Run(run.clone())).configured(&start.configuration)
        })
        .collect()
}

/// The newer look at an attempt, with what only run details tell.
fn with_details_of(mut fresh: Attempt, known: &Attempt) -> Attempt {
    fresh.result = fresh.result.or_else(|| known.result.clone());
    fresh.state = fresh.state.or_else(|| known.state.clone());
    fresh.started_at = fresh.started_at.or(known.started_at);
    fresh.completed_at = fresh.completed_at.or(known.completed_at);
    fresh.duration = fresh.duration.or(known.duration);
    fresh.url = fresh.url.or_else(|| known.url.clone());
    fresh.players.clone_from(&known.players);
    fresh.bugs.clone_from(&known.bugs);
    fresh.bug_count = known.bug_count;
    fresh.builds.clone_from(&known.builds);
    fresh.unreadable.clone_from(&known.unreadable);
    fresh
}

#[cfg(test)]
mod tests {
    use super::{Duration, PollBy, Tracked, UNKNOWN_FOR};
    use crate::model::TestResult;
    use crate::model::job::{Attempt, Job, JobStatus, Player, Step};

    fn job() -> Job {
        Job { run: "smoke".to_owned(), job_id: "j1".to_owned(), ..Job::default() }
    }

    fn attempt(id: &str, result: Option<TestResult>) -> Attempt {
        Attempt { run_id: id.to_owned(), result, ..Attempt::default() }
    }

    fn looked(status: &str, attempts: Vec<Attempt>) -> Job {
        Job { status: Some(JobStatus::parse(status)), attempts, ..job() }
    }

    #[test]
    fn announces_every_change_once() {
        let mut tracked = Tracked::new(job(), PollBy::Job);
        tracked.apply(looked("QUEUED", vec![]));
        assert_eq!(tracked.changes(), ["smoke: queued"]);
        assert!(tracked.changes().is_empty());
        tracked.apply(looked("RUNNING", vec![attempt("r1", None)]));
        assert_eq!(tracked.changes(), ["smoke: running"]);
        let steps = vec![
            Step {
                goal: "log in".to_owned(),
                state: Some("COMPLETED".to_owned()),
                result: Some(TestResult::Success),
                ..Step::default()
            },
            Step { goal: "buy a sword".to_owned(), state: Some("RUNNING".to_owned()), ..Step::default() },
        ];
        let player = Player { number: 1, device: Some("Pixel 8".to_owned()), steps, ..Player::default() };
        tracked.apply_details(
            Attempt { players: vec![player], ..attempt("r1", None) },
            Some("Checkout".to_owned()),
        );
        assert_eq!(
            tracked.changes(),
            ["smoke / Checkout: on Pixel 8", "smoke / Checkout: step 2 of 2: buy a sword"]
        );
        tracked.apply(looked("RUNNING", vec![attempt("r1", Some(TestResult::Error)), attempt("r2", None)]));
        assert_eq!(tracked.changes(), ["smoke / Checkout: attempt 2 begins, attempt 1 ended with ERROR"]);
        tracked.apply(looked(
            "COMPLETED",
            vec![attempt("r1", Some(TestResult::Error)), attempt("r2", Some(TestResult::Success))],
        ));
        assert!(tracked.changes().is_empty());
        assert!(tracked.ending().is_empty(), "its details are still to be read");
        assert!(tracked.settle("r2", &[], Duration::ZERO, false));
        assert_eq!(tracked.ending(), ["smoke / Checkout: SUCCESS"]);
        assert!(tracked.ending().is_empty());
    }

    #[test]
    fn keeps_details_over_later_looks() {
        let mut tracked = Tracked::new(job(), PollBy::Job);
        tracked.apply(looked("RUNNING", vec![attempt("r1", None)]));
        tracked.apply_details(Attempt { bug_count: Some(2), ..attempt("r1", None) }, None);
        tracked.apply(looked("COMPLETED", vec![attempt("r1", Some(TestResult::Failed))]));
        assert_eq!(tracked.report.attempts[0].bug_count, Some(2));
        assert_eq!(tracked.report.attempts[0].result, Some(TestResult::Failed));
        tracked.apply_details(attempt("r1", Some(TestResult::Success)), None);
        assert_eq!(tracked.report.attempts[0].result, Some(TestResult::Failed), "what the job says decides");
    }

    #[test]
    fn a_success_that_the_run_denies_is_not_believed() {
        let mut tracked = Tracked::new(job(), PollBy::Job);
        tracked.apply(looked("COMPLETED", vec![attempt("r1", Some(TestResult::Success))]));
        tracked.apply_details(attempt("r1", None), None);
        assert_eq!(tracked.report.attempts[0].result, Some(TestResult::Success), "silence denies nothing");
        tracked.apply_details(attempt("r1", Some(TestResult::Failed)), None);
        assert_eq!(tracked.report.attempts[0].result, Some(TestResult::Failed));
    }

    #[test]
    fn details_get_the_patience_that_jobs_have() {
        let mut tracked = Tracked::new(job(), PollBy::Job);
        tracked.apply(looked("COMPLETED", vec![attempt("r1", Some(TestResult::Success))]));
        let why = ["404".to_owned()];
        assert!(!tracked.settle("r1", &why, Duration::from_secs(10), false));
        assert!(tracked.is_open() && !tracked.is_unfinished());
        assert!(!tracked.settle("r1", &why, Duration::from_secs(10) + UNKNOWN_FOR / 2, false));
        assert!(tracked.report.attempts[0].unreadable.is_none());
        assert!(tracked.settle("r1", &why, Duration::from_secs(10) + UNKNOWN_FOR, false));
        assert_eq!(tracked.report.attempts[0].unreadable.as_deref(), Some("404"));
        assert!(!tracked.is_open());
        let mut late = Tracked::new(job(), PollBy::Job);
        late.apply(looked("COMPLETED", vec![attempt("r1", None)]));
        assert!(late.settle("r1", &why, Duration::ZERO, true), "at the end there is no other look");
    }

    #[test]
    fn every_instance_ends_with_a_line_of_its_own() {
        let report = Job { instances: Some(3), ..job() };
        let mut tracked = Tracked::new(report, PollBy::Job);
        let runs = vec![
            attempt("r1", Some(TestResult::Failed)),
            attempt("r2", Some(TestResult::Error)),
            attempt("r3", Some(TestResult::Success)),
        ];
        tracked.apply(looked("COMPLETED", runs));
        assert_eq!(tracked.unsettled_runs(), ["r1", "r2", "r3"]);
        for run in ["r1", "r2", "r3"] {
            assert!(tracked.ending().is_empty());
            tracked.settle(run, &[], Duration::ZERO, false);
        }
        assert_eq!(
            tracked.ending(),
            [
                "smoke, instance 1 of 3: FAILED",
                "smoke, instance 2 of 3: ERROR",
                "smoke, instance 3 of 3: SUCCESS"
            ]
        );
    }

    #[test]
    fn every_step_changes_the_fingerprint() {
        let mut tracked = Tracked::new(job(), PollBy::Job);
        tracked.apply(looked("RUNNING", vec![attempt("r1", None)]));
        let before = tracked.fingerprint();
        let step = Step { state: Some("RUNNING".to_owned()), ..Step::default() };
        let player = Player { steps: vec![step], ..Player::default() };
        tracked.apply_details(Attempt { players: vec![player], ..attempt("r1", None) }, None);
        assert_ne!(tracked.fingerprint(), before);
    }
}
