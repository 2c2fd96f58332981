//! The result in one line.

use std::fmt::Write as _;

use crate::model::units::duration;
use crate::model::{BuildOrigin, ExitReason, RunReport, Status};

/// The verdict in one line: word, counts, time.
pub(super) fn headline(report: &RunReport) -> String {
    if report.unfinished {
        return "unfinished: the job has not reported yet".to_owned();
    }
    let word = match report.reason.status() {
        Status::Passed => "passed",
        Status::Failed if report.reason == ExitReason::NothingTested => "failed: nothing was tested",
        Status::Failed if report.reason == ExitReason::BugsFound => "failed: bugs found",
        Status::Failed => "failed",
        Status::Error => "error",
        Status::TimedOut => "timed out",
        Status::Stalled => "stalled",
        Status::Cancelled => "cancelled",
        Status::Started => "started",
        Status::Uploaded if is_reused(report) => "stored already (sent nothing)",
        Status::Uploaded => "uploaded",
        Status::Checked => "checked",
        Status::Skipped => "skipped",
    };
    let mut text = word.to_owned();
    if report.verdict.is_some() {
        text.push_str(&counted(report));
        let delta = report.verdict.as_ref().and_then(|verdict| verdict.delta.as_ref());
        if let Some(newly) = delta.map(|delta| delta.tests_newly_failing).filter(|newly| *newly > 0) {
            let _ = write!(text, " ({newly} newly failing)");
        }
        match report.bugs_total() {
            0 => {}
            1 => text.push_str(", 1 bug"),
            many => {
                let _ = write!(text, ", {many} bugs");
            }
        }
        if let Some(delta) = delta.filter(|_| report.bugs_total() > 0) {
            let _ = write!(text, " ({} new)", delta.bugs_new);
        }
    }
    let _ = write!(text, " in {}", duration(report.duration));
    text
}

/// The counts in words: every test is in exactly one of them.
fn counted(report: &RunReport) -> String {
    let counts = report.counts();
    let plural = if counts.total == 1 { "test" } else { "tests" };
    let others = counts.parts().into_iter().skip(1).filter(|(count, _)| *count > 0);
    let others: Vec<String> = others.map(|(count, counted)| format!("{count} {}", counted.words())).collect();
    // Where nothing passed and nothing is wrong, the reader wants to know what happened instead.
    if counts.passed == 0 && report.reason.exit_code() == 0 && !others.is_empty() {
        return format!(": {} of {} {plural}", others.join(", "), counts.total);
    }
    let mut text = format!(": {} of {} {plural} passed", counts.passed, counts.total);
    for other in others {
        let _ = write!(text, ", {other}");
    }
    text
}

fn is_reused(report: &RunReport) -> bool {
    report.build.as_ref().is_some_and(|build| build.origin == BuildOrigin::Reused)
}
