//! The last lines of the log.

use crate::model::RunReport;
use crate::model::look::Mark;
use crate::model::units::duration;
use crate::model::verdict::{Counted, GateStatus, Judgement};

use super::delta_words::{
    baseline_sentence, bug_change_words, carried_over_words, delta_sentence, has_failed, history_sentence,
    history_strip, test_change_words,
};
use super::escape::{address, line};
use super::headline::headline;

/// Baselines that the log names; most jobs have one commit to compare with.
const MOST_BASELINES: usize = 5;
/// Passed tests that the log names at its end; the rest is counted.
const MOST_PASSED: usize = 20;

/// One of the last lines.
pub(crate) struct ClosingLine {
    /// How what it is about stands, where it is about one thing.
    pub(crate) mark: Option<Mark>,
    pub(crate) text: String,
}

impl From<String> for ClosingLine {
    fn from(text: String) -> Self {
        Self { mark: None, text }
    }
}

/// What a person reads at the end of the log.
pub(crate) fn closing(report: &RunReport) -> Vec<ClosingLine> {
    let mark = if report.reason.exit_code() == 0 { Mark::Good } else { Mark::Bad };
    let mut lines = vec![ClosingLine { mark: Some(mark), text: headline(report) }];
    lines.extend(delta_sentence(report).map(|words| line(&words, 400).into()));
    lines.extend(baselines(report).into_iter().map(ClosingLine::from));
    let verdict = report.verdict.as_ref();
    let mut passed = 0;
    for (index, job) in report.jobs.iter().enumerate() {
        let judgement = verdict.and_then(|verdict| verdict.judgements.get(index));
        if judgement.is_some_and(|judgement| judgement.standing == GateStatus::Passed && !judgement.flaky) {
            passed += 1;
            if passed > MOST_PASSED {
                continue;
            }
        }
        let word = judgement.map_or("started", |judgement| match judgement.counted {
            Counted::Passed if judgement.flaky => "flaky",
            Counted::Passed => "passed",
            Counted::Failed => "FAILED",
            Counted::NoVerdict => "NO VERDICT",
            Counted::Stopped => "STOPPED",
            Counted::Tolerated => "tolerated",
            Counted::Skipped => "skipped",
        });
        let took = job
            .deciding()
            .and_then(|run| run.duration)
            .map_or_else(String::new, |took| format!(" in {}", duration(took)));
        let because = judgement
            .filter(|judgement| judgement.standing != GateStatus::Passed && judgement.because != "FAILED")
            .map_or_else(String::new, |judgement| format!(": {}", line(&judgement.because, 300)));
        let name = job.name();
        let change = judgement.and_then(|judgement| judgement.change);
        let beside: Vec<String> = change
            .map(|change| test_change_words(change).to_owned())
            .into_iter()
            .chain(job.carried_over.map(carried_over_words))
            .collect();
        let beside = if beside.is_empty() { String::new() } else { format!(" ({})", beside.join(", ")) };
        let text = format!("  {word:<12} {}{took}{beside}{because}", line(&name, 200));
        lines.push(ClosingLine { mark: Some(judgement.map_or(Mark::Running, mark_of)), text });
        if judgement.is_some_and(|judgement| judgement.standing != GateStatus::Passed) {
            for (_, step) in job.bad_steps().into_iter().take(3) {
                lines.push(format!("               step {}: {}", step.number, line(&step.goal, 200)).into());
                if let Some(words) = &step.report {
                    lines.push(format!("               | {}", line(words, 400)).into());
                }
            }
        }
        if let Some(history) = &job.history
            && let Some(words) = history_sentence(history, has_failed(job))
        {
            let strip = history_strip(history);
            lines.push(format!("               on {}: {strip} {words}", line(&history.branch, 100)).into());
        }
        if let Some(url) = job.deciding().and_then(|run| run.url.as_deref()).and_then(address) {
            lines.push(format!("               {url}").into());
        }
    }
    if passed > MOST_PASSED {
        lines.push(format!("  passed       {} more", passed - MOST_PASSED).into());
    }
    for problem in &report.starts {
        let device =
            problem.device.as_deref().map_or_else(String::new, |device| format!(" on {}", line(device, 100)));
        lines.push(
            format!("  not started  {}{device}: {}", line(&problem.run, 200), line(&problem.message, 300))
                .into(),
        );
    }
    for bug in verdict.iter().flat_map(|verdict| &verdict.bugs).take(20) {
        let severity = bug.bug.severity.as_deref().unwrap_or("unknown");
        let note = match (&bug.quarantined, bug.counts) {
            (Some(why), _) => format!(" ({})", line(why, 100)),
            (None, true) => " (meets fail-on)".to_owned(),
            (None, false) => String::new(),
        };
        let compared = verdict.is_some_and(|verdict| verdict.delta.is_some());
        let note = if compared { format!(", {}{note}", bug_change_words(bug.change)) } else { note };
        lines.push(
            format!("  bug          {}: {}{note}", line(severity, 20), line(&bug.bug.title, 200)).into(),
        );
    }
    let fixed = verdict.and_then(|verdict| verdict.delta.as_ref()).map(|delta| delta.bugs_fixed.as_slice());
    for bug in fixed.unwrap_or_default().iter().take(20) {
        let severity = bug.severity.as_deref().unwrap_or("unknown");
        lines.push(format!("  bug fixed    {}: {}", line(severity, 20), line(&bug.title, 200)).into());
    }
    lines.extend(left_running(report).into_iter().map(ClosingLine::from));
    lines
}

/// What may still run although nobody wants it.
fn left_running(report: &RunReport) -> Vec<String> {
    let mut lines = Vec::new();
    for left in &report.left_running {
        let what = if left.job_ids.is_empty() {
            "a start whose answer never came".to_owned()
        } else {
            left.job_ids.join(", ")
        };
        let tag = left.tag.as_deref().map_or_else(String::new, |tag| format!(", tag {tag}"));
        lines.push(format!(
            "  may still run: {what}{tag}: {}; the service ends a run by itself after at most 5.5 hours",
            line(&left.why, 300)
        ));
    }
    lines
}

fn mark_of(judgement: &Judgement) -> Mark {
    match judgement.counted {
        Counted::Passed if judgement.flaky => Mark::Warning,
        Counted::Passed => Mark::Good,
        Counted::Failed | Counted::NoVerdict | Counted::Stopped => Mark::Bad,
        Counted::Tolerated => Mark::Warning,
        Counted::Skipped => Mark::Neutral,
    }
}

/// What the tests are compared with, by which rule, with links: tests of one commit are one line.
fn baselines(report: &RunReport) -> Vec<String> {
    let mut told: Vec<(String, Option<String>, usize)> = Vec::new();
    for job in &report.jobs {
        let Some(baseline) = &job.baseline else { continue };
        let words = baseline_sentence(baseline, report.finished_at);
        match told.iter_mut().find(|(known, ..)| *known == words) {
            Some((.., count)) => *count += 1,
            None => told.push((words, baseline.run().and_then(|run| address(run.url.as_deref()?)), 1)),
        }
    }
    let left_out = told.len().saturating_sub(MOST_BASELINES);
    told.truncate(MOST_BASELINES);
    let mut lines: Vec<String> = told
        .into_iter()
        .map(|(words, url, count)| {
            let url = url.map_or_else(String::new, |url| format!(" {url}"));
            let tests = if count == 1 { String::new() } else { format!(" ({count} tests)") };
            format!("  {}{tests}{url}", line(&words, 300))
        })
        .collect();
    if left_out > 0 {
        lines.push(format!("  {left_out} more baselines are in results.json"));
    }
    lines
}
