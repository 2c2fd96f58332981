//! The job summary: five seconds to understand, complete as far as it fits, and never too big.

use std::fmt::Write as _;

use crate::model::units::bytes;
use crate::model::{RunReport, Status};

use super::delta_words::delta_sentence;
use super::escape::{address, code, inline, line};
use super::headline::headline;
use super::markdown_table::tests;
use super::markdown_tests::{bugs, failing};
use super::page::{Page, detail_levels};
use super::rerun_commands::{failed_again, stored_build};

/// GitHub refuses summaries over 1 MiB for a step; others may write to the same one.
pub(crate) const LARGEST: usize = 900 * 1024;

/// The fullest summary that fits.
pub(crate) fn markdown(report: &RunReport) -> String {
    detail_levels()
        .map(|level| render(report, Page::new(level, LARGEST)))
        .find_map(Page::finish)
        .unwrap_or_else(|| format!("## nunu.ai play-test {}\n", inline(&headline(report))))
}

fn render(report: &RunReport, mut page: Page) -> Page {
    let sign = match report.reason.status() {
        _ if report.unfinished => "⏳",
        Status::Passed | Status::Started | Status::Uploaded | Status::Checked => "✅",
        Status::Skipped => "⏭️",
        Status::Cancelled => "🚫",
        _ => "❌",
    };
    page.line(&format!("## {sign} nunu.ai play-test {}\n", inline(&headline(report))));
    if let Some(delta) = delta_sentence(report) {
        page.line(&format!("{}\n", inline(&line(&delta, 500))));
    }
    failure(&mut page, report);
    left_running(&mut page, report);
    tests(&mut page, report);
    starts(&mut page, report);
    failing(&mut page, report);
    bugs(&mut page, report);
    origin(&mut page, report);
    warnings(&mut page, report);
    reproduce(&mut page, report);
    page
}

fn failure(page: &mut Page, report: &RunReport) {
    let Some(failure) = &report.failure else { return };
    let words = page.level.words().min(2000);
    let mut lines = failure.message.lines();
    let first = inline(&line(lines.next().unwrap_or_default(), words));
    page.line(&format!("**{}** {first}\n", code(failure.reason.as_str())));
    page.list(lines, "lines", |page, more| page.line(&format!("- {}", inline(&line(more, words)))));
    page.list(failure.causes.iter(), "causes", |page, cause| {
        page.line(&format!("- caused by: {}", inline(&line(cause, words))));
    });
    page.list(failure.hints.iter(), "hints", |page, hint| {
        page.line(&format!("- **what to do:** {}", inline(&line(hint, words))));
    });
    page.line("");
}

fn left_running(page: &mut Page, report: &RunReport) {
    if report.left_running.is_empty() {
        return;
    }
    page.line("### ⚠️ May still be running\n");
    page.list(report.left_running.iter(), "starts", |page, left| {
        let ids = left.job_ids.iter().map(|id| code(id)).collect::<Vec<_>>().join(", ");
        let what =
            if ids.is_empty() { "a start whose answer never came".to_owned() } else { format!("jobs {ids}") };
        let tag = left.tag.as_deref().map_or_else(String::new, |tag| format!(" (tag {})", code(tag)));
        page.line(&format!("- {what}{tag}: {}", inline(&line(&left.why, 1000))));
    });
    page.line("\nStop them on the dashboard or with `nunu-ci stop`; the service ends a run by itself after at most 5.5 hours.\n");
}

fn starts(page: &mut Page, report: &RunReport) {
    if report.starts.is_empty() {
        return;
    }
    page.line("### Not started\n");
    page.list(report.starts.iter(), "starts", |page, problem| {
        let device = problem
            .device
            .as_deref()
            .map_or_else(String::new, |device| format!(" on {}", inline(&line(device, 100))));
        let tag = problem.tag.as_deref().map_or_else(String::new, |tag| format!(" (tag {})", code(tag)));
        let message = inline(&line(&problem.message, page.level.words().min(2000)));
        page.line(&format!("- **{}**{device}: {message}{tag}", inline(&line(&problem.run, 200))));
    });
    page.line("");
}

fn origin(page: &mut Page, report: &RunReport) {
    let mut rows = Vec::new();
    if let Some(build) = &report.build {
        let mut text = build.name.as_deref().map_or_else(String::new, |name| inline(&line(name, 200)));
        for part in [
            build.file_name.as_deref().map(code),
            build.platform.map(|platform| platform.as_str().to_owned()),
            build.size_bytes.map(bytes),
            build.id.as_deref().map(code),
        ]
        .into_iter()
        .flatten()
        {
            let _ = write!(text, "{}{part}", if text.is_empty() { "" } else { ", " });
        }
        if !text.is_empty() {
            rows.push(format!("**Build** {text} ({})", build.origin.as_str()));
        }
    }
    let context = &report.context;
    if let Some(commit) = &context.commit {
        let short: String = commit.chars().take(7).collect();
        let subject = context
            .commit_subject
            .as_deref()
            .map_or_else(String::new, |subject| format!(" {}", inline(&line(subject, 200))));
        let branch = context
            .branch
            .as_deref()
            .map_or_else(String::new, |branch| format!(" on {}", inline(&line(branch, 100))));
        rows.push(format!("**Commit** {}{subject}{branch}", code(&short)));
    }
    if let Some(url) = report.page_url.as_deref().and_then(address) {
        rows.push(format!("**Report** with pictures and time lines: [report.html]({url})"));
    }
    if !rows.is_empty() {
        page.line(&format!("{}\n", rows.join("<br>\n")));
    }
}

fn warnings(page: &mut Page, report: &RunReport) {
    if report.warnings.is_empty() {
        return;
    }
    page.line("### Warnings\n");
    page.list(report.warnings.iter().take(50), "warnings", |page, warning| {
        page.line(&format!("- {}", inline(&line(warning, 1000))));
    });
    if report.warnings.len() > 50 {
        page.line(&format!("- and {} more", report.warnings.len() - 50));
    }
    page.line("");
}

/// How to see the same on one's own machine; only where something is to be looked at.
fn reproduce(page: &mut Page, report: &RunReport) {
    if report.reason.exit_code() == 0 || report.unfinished {
        return;
    }
    let commands = failed_again(report, &stored_build(report));
    if commands.is_empty() {
        return;
    }
    page.line("<details><summary>Run the failed tests again</summary>\n\n```sh");
    page.list(commands.iter(), "deployment configurations", |page, command| page.line(command));
    page.line("```\n\n</details>");
}
