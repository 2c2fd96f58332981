//! Jobs: what a start leaves behind, and how it looks at any moment; touches nothing.
//!
//! A job has no timers. Its whole life follows from its script, its start and its stop.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Moment;
use crate::resources::TestCase;
use crate::scenario::{Attempt, Script};

/// Results after which the service tries again.
const RETRIED: &[&str] = &["ERROR", "TIMEOUT", "STOPPED", "MAX_STEPS"];

/// Who stopped a job, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) at: Moment,
    /// The id of the key, or none for somebody in the dashboard.
    pub(crate) key: Option<String>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Queued,
    Starting,
    Running,
    Stopping,
    CleaningUp,
    Completed,
}

impl Phase {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::CleaningUp => "CLEANING_UP",
            Self::Completed => "COMPLETED",
        }
    }
}

/// One attempt as it looks now.
#[derive(Debug, Clone)]
pub(crate) struct RunView {
    pub(crate) index: usize,
    pub(crate) started: Option<Moment>,
    pub(crate) ended: Option<Moment>,
    /// Final result; none while it runs.
    pub(crate) result: Option<String>,
}

impl RunView {
    pub(crate) fn state(&self) -> &'static str {
        match (self.started, self.ended) {
            (_, Some(_)) => "COMPLETED",
            (Some(_), None) => "RUNNING",
            (None, None) => "INITIALIZING",
        }
    }
}

/// A job as it looks now.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) phase: Phase,
    pub(crate) done_at: Option<Moment>,
    pub(crate) rejected: bool,
    pub(crate) stop: Option<Stop>,
    /// In the order of time.
    pub(crate) runs: Vec<RunView>,
}

/// One started test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) created: Moment,
    pub(crate) script: Script,
    pub(crate) retries: u32,
    pub(crate) run_ids: Vec<String>,
    pub(crate) test: TestCase,
    pub(crate) device: String,
    pub(crate) kind: String,
    pub(crate) build: Option<(String, String)>,
    /// Branch that its build was made from.
    pub(crate) branch: String,
    pub(crate) execution: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) template: Option<Value>,
    pub(crate) key_id: String,
    pub(crate) stop: Option<Stop>,
    pub(crate) stop_requests: u32,
}

impl Job {
    /// Fits the script to what was asked for: players of the test, attempts for the retries.
    pub(crate) fn fit(script: &mut Script, test: &TestCase, retries: u32, instances: u32) -> Vec<String> {
        for attempt in &mut script.attempts {
            if let [only] = attempt.players.as_slice() {
                attempt.players = vec![only.clone(); usize::try_from(test.players.max(1)).unwrap_or(1)];
            }
        }
        script.side_by_side |= instances > 1;
        while script.attempts.len() < instances as usize {
            let Some(last) = script.attempts.last().cloned() else { break };
            script.attempts.push(last);
        }
        while script.attempts.len() <= retries as usize && !script.side_by_side {
            match script.attempts.last() {
                Some(last) if last.result.as_deref().is_some_and(|r| RETRIED.contains(&r)) => {
                    script.attempts.push(last.clone());
                }
                _ => break,
            }
        }
        script.attempts.iter().map(|_| crate::ids::run_id()).collect()
    }

    fn effective_stop(&self) -> Option<Stop> {
        let remote = self.script.stopped_remotely.map(|after| Stop { at: self.created + after, key: None });
        match (self.stop.clone(), remote) {
            (Some(own), Some(remote)) => Some(if own.at <= remote.at { own } else { remote }),
            (own, remote) => own.or(remote),
        }
    }

    /// The end of the last attempt, were it not stopped.
    fn natural_end(&self) -> Moment {
        let start = self.created + self.script.queued + self.script.starting;
        if self.script.side_by_side {
            return start + self.script.attempts.iter().map(|a| a.duration).max().unwrap_or_default();
        }
        self.script.attempts.iter().fold(start, |at, a| at + a.duration)
    }

    /// How the job looks at `now`.
    pub(crate) fn view(&self, now: Moment) -> View {
        let dequeued = self.created + self.script.queued;
        let stop = self.effective_stop().filter(|s| s.at <= now && s.at < self.natural_end());
        let rejected = self.script.rejection.is_some();
        if rejected && stop.as_ref().is_none_or(|s| s.at >= dequeued) {
            let done = now >= dequeued;
            let phase = if done { Phase::Completed } else { Phase::Queued };
            return View {
                phase,
                done_at: done.then_some(dequeued),
                rejected: done,
                stop: None,
                runs: Vec::new(),
            };
        }
        let runs = self.runs(now, stop.as_ref());
        let (phase, done_at) = match &stop {
            Some(stop) => {
                let never_ran = stop.at < dequeued;
                let stopped = stop.at + self.script.stopping;
                let done = stopped + if never_ran { Duration::ZERO } else { self.script.cleaning };
                match now {
                    _ if now >= done => (Phase::Completed, Some(done)),
                    _ if now >= stopped => (Phase::CleaningUp, None),
                    _ => (Phase::Stopping, None),
                }
            }
            None => self.undisturbed(now),
        };
        View { phase, done_at, rejected: false, stop, runs }
    }

    fn undisturbed(&self, now: Moment) -> (Phase, Option<Moment>) {
        let dequeued = self.created + self.script.queued;
        let end = self.natural_end();
        let done = end + self.script.cleaning;
        match now {
            _ if now < dequeued => (Phase::Queued, None),
            _ if now < dequeued + self.script.starting => (Phase::Starting, None),
            _ if now < end => (Phase::Running, None),
            _ if now < done => (Phase::CleaningUp, None),
            _ => (Phase::Completed, Some(done)),
        }
    }

    fn runs(&self, now: Moment, stop: Option<&Stop>) -> Vec<RunView> {
        let until = stop.map_or(now, |s| s.at.min(now));
        let dequeued = self.created + self.script.queued;
        let mut start = dequeued + self.script.starting;
        let mut runs = Vec::new();
        for (index, attempt) in self.script.attempts.iter().enumerate() {
            let visible = if index == 0 || self.script.side_by_side { dequeued } else { start };
            if until < visible {
                break;
            }
            let end = start + attempt.duration;
            let finished = until >= end;
            let stopped_at = stop.filter(|_| !finished).map(|s| s.at);
            runs.push(RunView {
                index,
                started: (until >= start).then_some(start),
                ended: stopped_at.or(finished.then_some(end)),
                result: match stopped_at {
                    Some(_) => Some("STOPPED".to_owned()),
                    None if finished => attempt.result.clone(),
                    None => None,
                },
            });
            if !self.script.side_by_side {
                start = end;
            }
        }
        runs
    }

    /// Whether lists and look-ups know the job already.
    pub(crate) fn visible(&self, now: Moment) -> bool {
        now >= self.created + self.script.invisible
    }

    /// Asks the job to stop. False when it is over already.
    pub(crate) fn request_stop(&mut self, now: Moment, key: &str) -> bool {
        self.stop_requests += 1;
        let view = self.view(now);
        match view.phase {
            Phase::Completed => false,
            Phase::CleaningUp if view.stop.is_none() => false,
            _ => {
                if view.stop.is_none() {
                    self.stop = Some(Stop { at: now, key: Some(key.to_owned()) });
                }
                true
            }
        }
    }

    pub(crate) fn attempt(&self, index: usize) -> Option<&Attempt> {
        self.script.attempts.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn job(mut script: Script, retries: u32) -> Job {
        let test = TestCase::new("t", "Test");
        let run_ids = Job::fit(&mut script, &test, retries, 1);
        Job {
            id: "j".to_owned(),
            created: MS * 1000,
            script,
            retries,
            run_ids,
            test,
            device: String::new(),
            kind: String::new(),
            build: None,
            branch: String::new(),
            execution: None,
            tags: Vec::new(),
            template: None,
            key_id: String::new(),
            stop: None,
            stop_requests: 0,
        }
    }

    #[test]
    fn passes_every_state_in_order() {
        let job = job(Script::new("SUCCESS"), 0);
        let seen: Vec<&str> = [0, 14, 15, 29, 30, 89, 90, 104, 105]
            .map(|ms| job.view(job.created + MS * ms).phase.word())
            .to_vec();
        assert_eq!(
            seen,
            [
                "QUEUED",
                "QUEUED",
                "STARTING",
                "STARTING",
                "RUNNING",
                "RUNNING",
                "CLEANING_UP",
                "CLEANING_UP",
                "COMPLETED"
            ]
        );
    }

    #[test]
    fn repeats_an_error_but_never_a_verdict() {
        let results = |result: &str, retries| {
            let job = job(Script::new(result), retries);
            job.view(MS * 100_000).runs.into_iter().filter_map(|r| r.result).collect::<Vec<_>>()
        };
        assert_eq!(results("ERROR", 2), ["ERROR", "ERROR", "ERROR"]);
        assert_eq!(results("FAILED", 2), ["FAILED"]);
        assert_eq!(results("ERROR", 0), ["ERROR"]);
    }

    #[test]
    fn instances_run_side_by_side() {
        let mut script = Script::attempts(&["FAILED", "SUCCESS"]);
        let test = TestCase::new("t", "Test");
        let ids = Job::fit(&mut script, &test, 0, 3);
        assert_eq!((ids.len(), script.attempts.len()), (3, 3));
        let job = Job { run_ids: ids, script, ..job(Script::new("SUCCESS"), 0) };
        let view = job.view(job.created + MS * 105);
        let results: Vec<_> = view.runs.iter().filter_map(|run| run.result.as_deref()).collect();
        assert_eq!((view.phase, results), (Phase::Completed, vec!["FAILED", "SUCCESS", "SUCCESS"]));
        assert!(view.runs.iter().all(|run| run.started == view.runs[0].started));
    }

    #[test]
    fn stops_once_and_says_when_it_is_too_late() {
        let mut running = job(Script::endless(), 0);
        let at = running.created + MS * 50;
        assert!(running.request_stop(at, "k"));
        assert!(running.request_stop(at + MS, "k"));
        assert_eq!(running.view(at + MS).phase, Phase::Stopping);
        let over = running.view(at + MS * 1000);
        assert_eq!((over.phase, over.runs[0].result.as_deref()), (Phase::Completed, Some("STOPPED")));
        assert!(!running.request_stop(at + MS * 1000, "k"));

        let mut tidying = job(Script::new("SUCCESS"), 0);
        assert!(!tidying.request_stop(tidying.created + MS * 95, "k"), "only cleaning up");

        let mut queued = job(Script::stuck_in_queue(), 0);
        assert!(queued.request_stop(queued.created + MS, "k"));
        assert!(queued.view(MS * 100_000).runs.is_empty());

        let refused = job(Script::rejected("no device"), 0).view(MS * 2000);
        assert_eq!((refused.phase, refused.rejected, refused.runs.len()), (Phase::Completed, true, 0));
    }
}
