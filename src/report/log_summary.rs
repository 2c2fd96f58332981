//! The last lines of the log.

use crate::model::RunReport;
use crate::model::units::duration;
use crate::model::verdict::{Counted, GateStatus};

use super::escape::{address, line};
use super::headline::headline;

/// Passed tests that the log names at its end; the rest is counted.
const MOST_PASSED: usize = 20;

/// What a person reads at the end of the log.
pub(crate) fn closing(report: &RunReport) -> Vec<String> {
    let mut lines = vec![headline(report)];
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
        lines.push(format!("  {word:<12} {}{took}{because}", line(&name, 200)));
        if judgement.is_some_and(|judgement| judgement.standing != GateStatus::Passed) {
            for (_, step) in job.bad_steps().into_iter().take(3) {
                lines.push(format!("               step {}: {}", step.number, line(&step.goal, 200)));
                if let Some(words) = &step.report {
                    lines.push(format!("               | {}", line(words, 400)));
                }
            }
        }
        if let Some(url) = job.deciding().and_then(|run| run.url.as_deref()).and_then(address) {
            lines.push(format!("               {url}"));
        }
    }
    if passed > MOST_PASSED {
        lines.push(format!("  passed       {} more", passed - MOST_PASSED));
    }
    for problem in &report.starts {
        let device =
            problem.device.as_deref().map_or_else(String::new, |device| format!(" on {}", line(device, 100)));
        lines.push(format!(
            "  not started  {}{device}: {}",
            line(&problem.run, 200),
            line(&problem.message, 300)
        ));
    }
    for bug in verdict.iter().flat_map(|verdict| &verdict.bugs).take(20) {
        let severity = bug.bug.severity.as_deref().unwrap_or("unknown");
        let note = match (&bug.quarantined, bug.counts) {
            (Some(why), _) => format!(" ({})", line(why, 100)),
            (None, true) => " (meets fail-on)".to_owned(),
            (None, false) => String::new(),
        };
        lines.push(format!("  bug          {}: {}{note}", line(severity, 20), line(&bug.bug.title, 200)));
    }
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
