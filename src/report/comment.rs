//! The sticky comment on a pull or merge request.

use std::fmt::Write as _;

use crate::model::RunReport;
use crate::model::verdict::GateStatus;

use super::escape::{code, inline, line, link};
use super::headline::headline;
use super::markdown_tests::judged;

/// The first line of our comment, by which the next run finds it. `place` says which job of the pipeline it belongs to, so that jobs
/// side by side (legs of a matrix, say) do not overwrite each other's.
pub(crate) fn comment_mark(place: &str) -> String {
    let place: String =
        place.chars().filter(|letter| letter.is_ascii_alphanumeric() || "/_. ".contains(*letter)).collect();
    format!("<!-- nunu-ci {} -->", place.trim())
}

/// The comment: the verdict, what failed, and where to read on.
pub(crate) fn comment(report: &RunReport, place: &str) -> String {
    let mut out = format!("{}\n", comment_mark(place));
    let sign = if report.reason.exit_code() == 0 { "✅" } else { "❌" };
    let _ = writeln!(out, "{sign} **nunu.ai play-test {}**\n", inline(&headline(report)));
    for (job, judgement) in judged(report)
        .into_iter()
        .filter(|(_, judgement)| judgement.is_some_and(|judgement| judgement.standing == GateStatus::Failed))
        .take(10)
    {
        let because = judgement.map_or_else(String::new, |judgement| inline(&line(&judgement.because, 200)));
        let _ = writeln!(
            out,
            "- {}: {because}",
            link(&line(&job.name(), 150), job.deciding().and_then(|run| run.url.as_deref()))
        );
    }
    if let Some(failure) = &report.failure {
        let _ = writeln!(out, "- {}", inline(&line(&failure.message, 300)));
    }
    for judged in report.verdict.iter().flat_map(|verdict| &verdict.bugs).take(10) {
        let severity = judged.bug.severity.as_deref().unwrap_or("unknown");
        let _ = writeln!(out, "- bug ({}): {}", inline(severity), inline(&line(&judged.bug.title, 150)));
    }
    if let Some(url) = report.context.ci_url.as_deref() {
        let commit: String = report.context.commit.as_deref().unwrap_or_default().chars().take(7).collect();
        let _ = writeln!(out, "\n{} {}", link("CI run", Some(url)), code(&commit));
    }
    out
}
