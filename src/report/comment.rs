//! The sticky comment on a pull or merge request: what a reviewer wants to know before reading on.

use std::fmt::Write as _;

use crate::model::delta::BugChange;
use crate::model::verdict::{GateStatus, JudgedBug};
use crate::model::{RunReport, Status};

use super::delta_words::{bug_change_words, delta_sentence, short, test_change_words};
use super::escape::{code, inline, line, link, quote, shortened};
use super::headline::headline;
use super::markdown_table::why;
use super::markdown_tests::{Judged, alike, judged};

/// Groups of tests, and bugs, that are shown.
const MOST: usize = 5;
/// Characters of the agent's words.
const MOST_WORDS: usize = 500;

/// The first line of our comment, by which the next run finds it. `place` says which job of the pipeline it belongs to, so that jobs
/// side by side (legs of a matrix, say) do not overwrite each other's.
pub(crate) fn comment_mark(place: &str) -> String {
    let place: String =
        place.chars().filter(|letter| letter.is_ascii_alphanumeric() || "/_. ".contains(*letter)).collect();
    format!("<!-- nunu-ci {} -->", place.trim())
}

/// The comment: the verdict, what changed, what failed and what the agent said of it, and where to read on.
pub(crate) fn comment(report: &RunReport, place: &str) -> String {
    let mut out = format!("{}\n", comment_mark(place));
    let sign = match report.reason.status() {
        Status::Skipped => "⏭️",
        _ if report.reason.exit_code() == 0 => "✅",
        _ => "❌",
    };
    let _ = writeln!(out, "### {sign} nunu.ai play-test {}\n", inline(&headline(report)));
    if let Some(delta) = delta_sentence(report) {
        let _ = writeln!(out, "{}\n", inline(&line(&delta, 500)));
    }
    if let Some(failure) = &report.failure {
        let _ = writeln!(out, "{}\n", inline(&line(&failure.message, 300)));
    }
    let failed = judged(report)
        .into_iter()
        .filter(|(_, judgement)| judgement.is_some_and(|judgement| judgement.standing == GateStatus::Failed));
    let groups = alike(failed);
    for tests in groups.iter().take(MOST) {
        out.push_str(&group(report, tests));
    }
    if let Some(more) = groups.get(MOST..).filter(|more| !more.is_empty()) {
        let tests: usize = more.iter().map(Vec::len).sum();
        let _ = writeln!(out, "…and {tests} more that did not pass.\n");
    }
    out.push_str(&bugs(report));
    out.push_str(&origin(report));
    out
}

/// Tests that fail at the same place: the first, what the agent said there, and how many others.
fn group(report: &RunReport, tests: &[Judged<'_>]) -> String {
    let Some((job, judgement)) = tests.first() else { return String::new() };
    let mut out =
        format!("**{}**", link(&line(&job.name(), 150), job.deciding().and_then(|run| run.url.as_deref())));
    let devices = job.devices();
    if !devices.is_empty() && job.device.is_none() {
        let _ = write!(out, " on {}", inline(&line(&devices, 100)));
    }
    let asked = report.verdict.as_ref().is_some_and(|verdict| verdict.delta.is_some());
    if let Some(change) = judgement.and_then(|judged| judged.change).filter(|_| asked) {
        let _ = write!(out, " ({})", test_change_words(change));
    }
    let _ = writeln!(out, ": {}\n", inline(&why((job, *judgement))));
    let said = job.bad_steps().first().and_then(|(_, step)| step.report.as_deref());
    if let Some(said) = said.filter(|said| !said.trim().is_empty()) {
        let _ = writeln!(out, "{}\n", quote(&shortened(said, MOST_WORDS)));
    }
    if let others @ 1.. = tests.len() - 1 {
        let plural = if others == 1 { "1 other test ends" } else { &format!("{others} other tests end") };
        let _ = writeln!(out, "{plural} at the same place.\n");
    }
    out
}

/// Bugs that count or are new; those that were there before are a number.
fn bugs(report: &RunReport) -> String {
    let Some(verdict) = &report.verdict else { return String::new() };
    let asked = verdict.delta.is_some();
    let fresh = |bug: &&JudgedBug| bug.counts || !asked || bug.change != BugChange::Known;
    let (shown, known): (Vec<&JudgedBug>, Vec<&JudgedBug>) = verdict.bugs.iter().partition(fresh);
    let mut out = String::new();
    for judged in shown.iter().take(MOST) {
        let severity = judged.bug.severity.as_deref().unwrap_or("unknown");
        let change = if asked { format!("{}, ", bug_change_words(judged.change)) } else { String::new() };
        let title = inline(&line(&judged.bug.title, 150));
        let _ = writeln!(out, "- bug ({change}{}): {title}", inline(&line(severity, 40)));
    }
    let more = shown.len().saturating_sub(MOST) + known.len();
    if more > 0 {
        let _ =
            writeln!(out, "- and {more} more{}", if shown.len() <= MOST { " that are known" } else { "" });
    }
    out
}

/// Build, commit, and where to read on.
fn origin(report: &RunReport) -> String {
    let context = &report.context;
    let build = report.build.as_ref().and_then(|build| build.file_name.as_deref().or(build.id.as_deref()));
    let parts = [
        build.map(|name| format!("build {}", code(&line(name, 100)))),
        context.commit.as_deref().map(|commit| format!("commit {}", code(&short(commit)))),
        report.page_url.as_deref().map(|url| link("report", Some(url))),
        context.ci_url.as_deref().map(|url| link("CI run", Some(url))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("\n{}\n", parts.join(" · ")) }
}
