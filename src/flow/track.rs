//! What we know of one job while it goes on, and what a new look at it changes. Pure.

use std::time::Duration;

use crate::model::TestResult;
use crate::model::run_report::{Attempt, Bug, JobReport, Player};
use crate::model::units::duration;

use super::tags::is_invocation_tag;

/// A job that the service does not know is waited for that long: the newest one may not have reached every replica.
pub(super) const UNKNOWN_FOR: Duration = Duration::from_secs(30);

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
    pub(super) report: JobReport,
    /// What to ask.
    pub(super) poll: PollBy,
    /// Tag that all jobs of its invocation share: one list call reads them all.
    pub(super) group: Option<String>,
    /// Since when the service does not know it.
    pub(super) missing_since: Option<Duration>,
    /// True once it has been unknown for too long: it will not be asked again.
    pub(super) lost: bool,
    /// When run details were read last.
    pub(super) details_at: Option<Duration>,
    /// True once the details of the deciding run are final.
    pub(super) settled: bool,
    announced: Announced,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Announced {
    ended: bool,
    status: Option<String>,
    attempts: usize,
    device: bool,
    step: Option<(u64, u64)>,
}

impl Tracked {
    /// A job that was just started.
    #[must_use]
    pub(super) fn new(report: JobReport, poll: PollBy) -> Self {
        Self {
            report,
            poll,
            group: None,
            missing_since: None,
            lost: false,
            details_at: None,
            settled: false,
            announced: Announced::default(),
        }
    }

    /// The same, with the tag that its invocation shares.
    #[must_use]
    pub(super) fn in_group(mut self, group: Option<String>) -> Self {
        self.group = group;
        self
    }

    /// True while the service still works on it, as far as we know.
    #[must_use]
    pub(super) fn is_unfinished(&self) -> bool {
        !self.lost && !self.report.is_completed()
    }

    /// Takes what a look at the job brought. Details already read are kept.
    pub(super) fn apply(&mut self, fresh: JobReport) {
        self.missing_since = None;
        let old = &mut self.report;
        old.status = fresh.status.or(old.status.take());
        old.queue_rejection = fresh.queue_rejection.or(old.queue_rejection.take());
        old.stopped_by = fresh.stopped_by.or(old.stopped_by.take());
        old.created_at = fresh.created_at.or(old.created_at);
        old.completed_at = fresh.completed_at.or(old.completed_at);
        old.test_id = fresh.test_id.or(old.test_id.take());
        old.test_name = fresh.test_name.or(old.test_name.take());
        old.device = old.device.take().or(fresh.device);
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

    /// Takes the bugs of the deciding run.
    pub(super) fn take_bugs(&mut self, bugs: Vec<Bug>) {
        if let Some(attempt) = self.report.attempts.last_mut() {
            attempt.bugs = bugs;
        }
    }

    /// Notes why details of the deciding run are missing.
    pub(super) fn note_unreadable(&mut self, why: &[String]) {
        if let Some(attempt) = self.report.attempts.last_mut() {
            attempt.unreadable = (!why.is_empty()).then(|| why.join("; "));
        }
    }

    /// Notes that the service does not know the job, `elapsed` after the wait began.
    pub(super) fn miss(&mut self, elapsed: Duration) {
        let since = *self.missing_since.get_or_insert(elapsed);
        if elapsed.saturating_sub(since) >= UNKNOWN_FOR {
            self.lost = true;
        }
    }

    /// Everything that counts as progress, in one string; a stall is the absence of changes here.
    #[must_use]
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
        let name = self.name();
        let mut lines = Vec::new();
        if self.report.status != self.announced.status {
            if let Some(line) = self.status_line(&name) {
                lines.push(line);
            }
            self.announced.status.clone_from(&self.report.status);
        }
        let attempts = self.report.attempts.len();
        if attempts > self.announced.attempts.max(1) {
            let before = &self.report.attempts[attempts - 2];
            let result = before.result.as_ref().map_or("no result", TestResult::as_str);
            lines.push(format!(
                "{name}: attempt {attempts} begins, attempt {} ended with {result}",
                attempts - 1
            ));
            self.announced.step = None;
        }
        self.announced.attempts = attempts;
        if let Some(line) = self.device_line(&name) {
            lines.push(line);
        }
        if let Some(line) = self.step_line(&name) {
            lines.push(line);
        }
        lines
    }

    /// What to call the job in a line: the run's label, and the test where the label does not say it all.
    #[must_use]
    pub(super) fn name(&self) -> String {
        self.report.name()
    }

    fn status_line(&self, name: &str) -> Option<String> {
        let status = self.report.status.as_deref()?;
        Some(match status {
            "QUEUED" => format!("{name}: queued"),
            "STARTING" => format!("{name}: starting"),
            "RUNNING" => match self.report.deciding().and_then(|attempt| attempt.url.as_deref()) {
                Some(url) => format!("{name}: running, watch it at {url}"),
                None => format!("{name}: running"),
            },
            "STOPPING" => format!("{name}: being stopped"),
            "CLEANING_UP" => format!("{name}: cleaning up"),
            // The line with the result follows once it has been read.
            "COMPLETED" => return None,
            other => format!("{name}: {}", other.to_ascii_lowercase()),
        })
    }

    fn device_line(&mut self, name: &str) -> Option<String> {
        if self.announced.device || self.report.device.is_some() {
            return None;
        }
        let players = &self.report.deciding()?.players;
        let devices: Vec<&str> = players.iter().filter_map(|player| player.device.as_deref()).collect();
        if devices.is_empty() {
            return None;
        }
        self.announced.device = true;
        Some(format!("{name}: on {}", devices.join(", ")))
    }

    fn step_line(&mut self, name: &str) -> Option<String> {
        if self.report.is_completed() {
            return None;
        }
        let attempt = self.report.deciding()?;
        let player = attempt.players.iter().find(|player| current_step(player).is_some())?;
        let (at, goal) = current_step(player)?;
        let place = (player.number, at);
        if self.announced.step == Some(place) {
            return None;
        }
        let who =
            if attempt.players.len() > 1 { format!(" (player {})", player.number) } else { String::new() };
        let total = player.steps.len() + player.steps_left_out;
        let line = format!("{name}: step {at} of {total}{who}: {goal}");
        self.announced.step = Some(place);
        Some(line)
    }

    /// The line that tells how the job ended, once.
    pub(super) fn ending(&mut self) -> Option<String> {
        if self.is_unfinished() || self.announced.ended {
            return None;
        }
        self.announced.ended = true;
        Some(self.result_line())
    }

    fn result_line(&self) -> String {
        let name = self.name();
        if self.lost {
            return format!("{name}: the service does not know job {} any more", self.report.job_id);
        }
        if let Some(why) = &self.report.queue_rejection {
            return format!("{name}: rejected by the queue: {why}");
        }
        let Some(attempt) = self.report.deciding() else {
            return match &self.report.stopped_by {
                Some(_) => format!("{name}: stopped before it ran"),
                None => format!("{name}: ended without a run"),
            };
        };
        let result = attempt.result.as_ref().map_or("no result", TestResult::as_str);
        let took = attempt.duration.map_or_else(String::new, |took| format!(" after {}", duration(took)));
        let queued = match (self.report.created_at, attempt.started_at) {
            (Some(created), Some(started)) => {
                (started - created).to_std().ok().filter(|wait| wait.as_secs() > 0)
            }
            _ => None,
        };
        let queued = queued.map_or_else(String::new, |wait| format!(", queued {} before", duration(wait)));
        let bugs = match attempt.bugs.len() {
            0 => String::new(),
            1 => ", 1 bug".to_owned(),
            many => format!(", {many} bugs"),
        };
        format!("{name}: {result}{took}{queued}{bugs}")
    }
}

/// Number (as people count, from 1) and goal of the step a player is at.
fn current_step(player: &Player) -> Option<(u64, &str)> {
    let at = player
        .steps
        .iter()
        .position(|step| step.result.is_none() && step.state.as_deref() == Some("RUNNING"))?;
    Some((u64::try_from(at).unwrap_or(0) + 1, player.steps[at].goal.as_str()))
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
    fresh.unreadable.clone_from(&known.unreadable);
    fresh
}

#[cfg(test)]
mod tests {
    use super::{Duration, PollBy, Tracked, UNKNOWN_FOR};
    use crate::model::TestResult;
    use crate::model::run_report::{Attempt, JobReport, Player, Step};

    fn job() -> JobReport {
        JobReport { run: "smoke".to_owned(), job_id: "j1".to_owned(), ..JobReport::default() }
    }

    fn attempt(id: &str, result: Option<TestResult>) -> Attempt {
        Attempt { run_id: id.to_owned(), result, ..Attempt::default() }
    }

    fn looked(status: &str, attempts: Vec<Attempt>) -> JobReport {
        JobReport { status: Some(status.to_owned()), attempts, ..job() }
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
        assert_eq!(tracked.result_line(), "smoke / Checkout: SUCCESS");
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
    fn a_job_is_lost_only_after_a_while_without_it() {
        let mut tracked = Tracked::new(job(), PollBy::Job);
        tracked.miss(Duration::from_secs(100));
        assert!(tracked.is_unfinished());
        tracked.apply(looked("QUEUED", vec![]));
        tracked.miss(Duration::from_secs(100) + UNKNOWN_FOR);
        assert!(tracked.is_unfinished(), "it was seen in between");
        tracked.miss(Duration::from_secs(100) + UNKNOWN_FOR * 2);
        assert!(tracked.lost);
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
