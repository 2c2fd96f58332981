//! What the log says of a job on its way: every change once. Pure.

use std::collections::BTreeSet;

use crate::model::TestResult;
use crate::model::baseline::History;
use crate::model::job::{Job, JobStatus, Player};
use crate::model::live::TestRow;
use crate::model::look::Mark;
use crate::model::units::{Timestamp, duration};

/// What was said already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Announced {
    ended: bool,
    status: Option<JobStatus>,
    attempts: usize,
    repeats: BTreeSet<String>,
    device: bool,
    step: Option<(u64, u64)>,
}

impl Announced {
    /// Lines for what changed since the last call, in the order it happened.
    pub(super) fn changes(&mut self, report: &Job) -> Vec<String> {
        let name = report.name();
        let mut lines = Vec::new();
        if report.status != self.status {
            if let Some(line) = status_line(report, &name) {
                lines.push(line);
            }
            self.status.clone_from(&report.status);
        }
        let attempts = report.attempts.len();
        if attempts > self.attempts {
            self.step = None;
        }
        for test in report.tests().iter().filter(|_| attempts > self.attempts) {
            let [.., before, newest] = test.attempts.as_slice() else { continue };
            if self.repeats.insert(newest.run_id.clone()) {
                let number = test.attempts.len();
                let result = before.result.as_ref().map_or("no result", TestResult::as_str);
                lines.push(format!(
                    "{}: attempt {number} begins, attempt {} ended with {result}",
                    test.name(),
                    number - 1
                ));
            }
        }
        self.attempts = attempts;
        if let Some(line) = self.device_line(report, &name) {
            lines.push(line);
        }
        if let Some(line) = self.step_line(report, &name) {
            lines.push(line);
        }
        lines
    }

    fn device_line(&mut self, report: &Job, name: &str) -> Option<String> {
        if self.device || report.device.is_some() {
            return None;
        }
        let players = &report.deciding()?.players;
        let devices: Vec<&str> = players.iter().filter_map(|player| player.device.as_deref()).collect();
        if devices.is_empty() {
            return None;
        }
        self.device = true;
        Some(format!("{name}: on {}", devices.join(", ")))
    }

    fn step_line(&mut self, report: &Job, name: &str) -> Option<String> {
        if report.is_completed() {
            return None;
        }
        let attempt = report.deciding()?;
        let player = attempt.players.iter().find(|player| current_step(player).is_some())?;
        let (at, goal) = current_step(player)?;
        let place = (player.number, at);
        if self.step == Some(place) {
            return None;
        }
        let who =
            if attempt.players.len() > 1 { format!(" (player {})", player.number) } else { String::new() };
        let total = player.steps.len() + player.steps_left_out;
        let line = format!("{name}: step {at} of {total}{who}: {goal}");
        self.step = Some(place);
        Some(line)
    }

    /// The lines that tell how each test of the job ended, once.
    pub(super) fn ending(&mut self, report: &Job) -> Vec<String> {
        if self.ended {
            return Vec::new();
        }
        self.ended = true;
        report.tests().iter().map(result_line).collect()
    }
}

/// How a job stands, as a row for whoever watches.
pub(super) fn live_row(report: &Job, now: Timestamp) -> TestRow {
    let run = report.deciding();
    let step = run.and_then(|run| {
        run.players.iter().find_map(|player| {
            let (at, goal) = current_step(player)?;
            Some(format!("step {at} of {}: {goal}", player.steps.len() + player.steps_left_out))
        })
    });
    let ended = report.is_completed() || report.lost.is_some();
    let results: Vec<&TestResult> =
        report.deciding_runs().into_iter().filter_map(|run| run.result.as_ref()).collect();
    let (mark, detail) = match &report.status {
        _ if ended && results.is_empty() => (Mark::Neutral, "ended".to_owned()),
        _ if ended => {
            let bad = results.iter().find(|result| ***result != TestResult::Success);
            let mark = match bad {
                None => Mark::Good,
                Some(TestResult::Skipped) => Mark::Neutral,
                Some(_) => Mark::Bad,
            };
            (mark, bad.copied().unwrap_or(&TestResult::Success).as_str().to_ascii_lowercase())
        }
        None => (Mark::Waiting, "not seen yet".to_owned()),
        Some(JobStatus::Queued) => (Mark::Waiting, "queued".to_owned()),
        Some(status) => {
            (Mark::Running, step.unwrap_or_else(|| status.as_str().to_ascii_lowercase().replace('_', " ")))
        }
    };
    let since = run.and_then(|run| run.started_at).filter(|_| mark == Mark::Running);
    TestRow {
        mark,
        name: report.name(),
        detail,
        elapsed: match since {
            Some(since) => (now - since).to_std().ok(),
            None => run.and_then(|run| run.duration),
        },
        usual: report.history.as_ref().and_then(History::usual_duration),
        url: run.and_then(|run| run.url.clone()),
    }
}

fn status_line(report: &Job, name: &str) -> Option<String> {
    let status = report.status.as_ref()?;
    Some(match status {
        JobStatus::Queued => format!("{name}: queued"),
        JobStatus::Starting => format!("{name}: starting"),
        JobStatus::Running => match report.deciding().and_then(|attempt| attempt.url.as_deref()) {
            Some(url) => format!("{name}: running, watch it at {url}"),
            None => format!("{name}: running"),
        },
        JobStatus::Stopping => format!("{name}: being stopped"),
        JobStatus::CleaningUp => format!("{name}: cleaning up"),
        // The line with the result follows once it has been read.
        JobStatus::Completed => return None,
        JobStatus::Unknown(word) => format!("{name}: {}", word.to_ascii_lowercase()),
    })
}

fn result_line(test: &Job) -> String {
    let name = test.name();
    if let Some(why) = &test.lost {
        return format!("{name}: {why}");
    }
    if let Some(why) = &test.queue_rejection {
        return format!("{name}: rejected by the queue: {why}");
    }
    let Some(attempt) = test.deciding() else {
        return match &test.stopped_by {
            Some(_) => format!("{name}: stopped before it ran"),
            None => format!("{name}: ended without a run"),
        };
    };
    let result = attempt.result.as_ref().map_or("no result", TestResult::as_str);
    let took = attempt.duration.map_or_else(String::new, |took| format!(" after {}", duration(took)));
    let queued = match (test.created_at, attempt.started_at) {
        (Some(created), Some(started)) => (started - created).to_std().ok().filter(|wait| wait.as_secs() > 0),
        _ => None,
    };
    let queued = queued.map_or_else(String::new, |wait| format!(", queued {} before", duration(wait)));
    let bugs = match attempt.bugs.len() {
        0 => String::new(),
        1 => ", 1 bug".to_owned(),
        many => format!(", {many} bugs"),
    };
    let other = test.other_build().map_or_else(String::new, |other| format!(", but {other}"));
    format!("{name}: {result}{took}{queued}{bugs}{other}")
}

/// Number (as people count, from 1) and goal of the step a player is at.
fn current_step(player: &Player) -> Option<(u64, &str)> {
    let at = player
        .steps
        .iter()
        .position(|step| step.result.is_none() && step.state.as_deref() == Some("RUNNING"))?;
    Some((u64::try_from(at).unwrap_or(0) + 1, player.steps[at].goal.as_str()))
}
