//! The parts of the summary that tell what was tested and what was found.

use std::fmt::Write as _;

use crate::model::job::{Job, Player, Step};
use crate::model::verdict::{Counted, GateStatus, JudgedBug, Judgement};
use crate::model::{RunReport, TestResult};

use super::delta_words::{
    baseline_sentence, bug_change_words, has_failed, history_sentence, history_strip, test_change_words,
};
use super::escape::{address, code, inline, line, link, quote, shortened};
use super::page::{Depth, Page};
use super::same_failure::grouped;

/// Names of tests in a row.
const MOST_NAMES: usize = 20;

/// A job and the gate's word on it.
pub(super) type Judged<'a> = (&'a Job, Option<&'a Judgement>);

pub(super) fn sign(judgement: Option<&Judgement>) -> &'static str {
    match judgement.map(|judgement| (judgement.counted, judgement.flaky)) {
        Some((Counted::Passed, true)) => "⚠️ flaky",
        Some((Counted::Passed, false)) => "✅ passed",
        Some((Counted::Failed, _)) => "❌ failed",
        Some((Counted::NoVerdict, _)) => "❌ no verdict",
        Some((Counted::Stopped, _)) => "❌ stopped",
        Some((Counted::Tolerated, _)) => "⚠️ tolerated",
        Some((Counted::Skipped, _)) => "➖ skipped",
        None => "▶️ started",
    }
}

/// Jobs with their judgements, what needs eyes first.
pub(super) fn judged(report: &RunReport) -> Vec<Judged<'_>> {
    let judgement = |index| report.verdict.as_ref().and_then(|verdict| verdict.judgements.get(index));
    let mut jobs: Vec<Judged<'_>> =
        report.jobs.iter().enumerate().map(|(index, job)| (job, judgement(index))).collect();
    jobs.sort_by_key(|(_, judgement)| match judgement.map(|one| (one.standing, one.flaky)) {
        Some((GateStatus::Failed, _)) => 0,
        Some((GateStatus::Tolerated, _)) => 1,
        None | Some((GateStatus::Inconclusive, _)) => 2,
        Some((GateStatus::Passed, true)) => 3,
        Some((GateStatus::Passed, false)) => 4,
    });
    jobs
}

/// Tests that came to the same at the same place, in the order of their first.
pub(super) fn alike<'a>(tests: impl IntoIterator<Item = Judged<'a>>) -> Vec<Vec<Judged<'a>>> {
    let counted = |(_, judgement): &Judged<'_>| judgement.map(|judgement| judgement.counted);
    let mut groups = Vec::new();
    for (_, mut rest) in grouped(tests, |test| *test) {
        while let Some(first) = rest.first().map(counted) {
            let (same, others) = rest.into_iter().partition(|test| counted(test) == first);
            groups.push(same);
            rest = others;
        }
    }
    groups
}

/// What did not pass, with the steps that say why.
pub(super) fn failing(page: &mut Page, report: &RunReport) {
    let standing = |judgement: Option<&Judgement>| judgement.map(|judgement| judgement.standing);
    let (failed, others): (Vec<_>, Vec<_>) = judged(report)
        .into_iter()
        .filter(|(_, one)| standing(*one).is_some_and(|standing| standing != GateStatus::Passed))
        .partition(|(_, one)| standing(*one) == Some(GateStatus::Failed));
    for (heading, jobs) in [("What did not pass", failed), ("What does not count", others)] {
        if !jobs.is_empty() {
            page.line(&format!("### {heading}\n"));
            page.list(alike(jobs).into_iter(), "groups of tests", |page, tests| group(page, report, &tests));
        }
    }
}

/// Tests that are alike: the first one whole, the others by name.
fn group(page: &mut Page, report: &RunReport, tests: &[Judged<'_>]) {
    let Some(((job, judgement), others)) = tests.split_first() else { return };
    if let Some(judgement) = judgement {
        failing_job(page, report, job, judgement);
    }
    if others.is_empty() {
        return;
    }
    let names: Vec<String> = others.iter().take(MOST_NAMES).map(|(job, _)| named(job)).collect();
    let more = others.len().saturating_sub(MOST_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let plural = if others.len() == 1 { "1 more test" } else { &format!("{} more tests", others.len()) };
    page.line(&format!("The same in **{plural}**: {}{more}.\n", names.join(", ")));
}

/// The test, as a link to its run.
fn named(job: &Job) -> String {
    link(&line(&job.name(), 150), job.deciding().and_then(|run| run.url.as_deref()))
}

fn failing_job(page: &mut Page, report: &RunReport, job: &Job, judgement: &Judgement) {
    let run = job.deciding();
    page.line(&format!("#### {} {}\n", sign(Some(judgement)), named(job)));
    if page.level.depth < Depth::Names {
        if judgement.because != "FAILED" {
            page.line(&format!("{}\n", inline(&judgement.because)));
        }
        for line in compared(report, job, judgement) {
            page.line(&format!("{line}\n"));
        }
    }
    let unreadable = run.and_then(|run| run.unreadable.as_deref());
    if let Some(why) = unreadable.filter(|_| page.level.depth < Depth::OneLine) {
        page.line(&format!("Details are missing: {}\n", inline(why)));
    }
    let steps = job.bad_steps();
    let some = !steps.is_empty();
    page.list(steps.into_iter(), "failing steps", |page, (player, step)| {
        failing_step(page, job, player, step);
    });
    if some {
        page.line("");
    }
}

/// How a test stands beside its baseline and its history, a line each.
fn compared(report: &RunReport, job: &Job, judgement: &Judgement) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(baseline) = &job.baseline {
        let change = judgement
            .change
            .map_or_else(String::new, |change| format!("**{}**; ", test_change_words(change)));
        let sentence = inline(&line(&baseline_sentence(baseline, report.finished_at), 400));
        let url = baseline.run().and_then(|run| address(run.url.as_deref()?));
        let link = url.map_or_else(String::new, |url| format!(" ([run]({url}))"));
        lines.push(format!("{change}{sentence}{link}"));
    }
    if let Some(history) = &job.history
        && let Some(sentence) = history_sentence(history, has_failed(job))
    {
        lines.push(format!("{} {}", history_strip(history), inline(&sentence)));
    }
    lines
}

fn failing_step(page: &mut Page, job: &Job, player: &Player, step: &Step) {
    let depth = page.level.depth;
    let word = step.result.as_ref().map_or("no result", TestResult::as_str);
    let several = job.deciding().is_some_and(|run| run.players.len() > 1);
    let who = if several { format!(" (player {})", player.number) } else { String::new() };
    let goal = inline(&line(&step.goal, page.level.words().min(2000)));
    let said = step.report.as_deref().filter(|words| !words.trim().is_empty());
    let brief = said
        .filter(|_| depth == Depth::OneLine)
        .map_or_else(String::new, |said| format!(": {}", inline(&line(said, page.level.words()))));
    page.line(&format!("- **Step {}{who}: {goal}** ({}){brief}", step.number, inline(word)));
    if depth >= Depth::OneLine {
        return;
    }
    if let Some(words) = said {
        quoted(page, words);
    }
    for item in step.items.iter().filter(|item| item.status != "passed").take(20) {
        let comment = item
            .comment
            .as_deref()
            .map_or_else(String::new, |comment| format!(": {}", inline(&line(comment, 1000))));
        let expected = inline(&line(&item.expected, 1000));
        page.line(&format!("  - {} {} {expected}{comment}", inline(&item.status), inline(&item.id)));
    }
    if let Some(moment) = moment(job, step) {
        page.line(&format!("  - {} in the {}", moment, link("recording", player.url.as_deref())));
    }
    for artifact in player.artifacts.iter().filter(|artifact| artifact.saved_as.is_some()).take(10) {
        page.line(&format!("  - {}", code(artifact.saved_as.as_deref().unwrap_or_default())));
    }
}

/// Words of the service below a list item.
fn quoted(page: &mut Page, words: &str) {
    let quoted = quote(&shortened(words, page.level.words()));
    let indented: Vec<String> = quoted.lines().map(|line| format!("  {line}")).collect();
    page.gap();
    page.line(&format!("{}\n", indented.join("\n")));
}

/// How far into the run a step began, as a player shows it.
fn moment(job: &Job, step: &Step) -> Option<String> {
    let began = job.deciding()?.started_at?;
    let seconds = (step.started_at? - began).num_seconds();
    (seconds >= 0).then(|| format!("at {}:{:02}", seconds / 60, seconds % 60))
}

/// Bugs, worst first.
pub(super) fn bugs(page: &mut Page, report: &RunReport) {
    let Some(verdict) = report.verdict.as_ref().filter(|verdict| !verdict.bugs.is_empty()) else { return };
    page.line(&format!("### Bugs ({})\n", verdict.bugs.len()));
    let asked = verdict.delta.is_some();
    page.list(verdict.bugs.iter(), "bugs", |page, judged| bug(page, judged, asked));
    page.line("");
    let fixed = verdict.delta.as_ref().map_or(&[][..], |delta| &delta.bugs_fixed);
    if !fixed.is_empty() {
        page.line("Fixed since the baseline:\n");
        page.list(fixed.iter(), "bugs", |page, bug| {
            page.line(&format!("- {}", inline(&line(&bug.title, 200))));
        });
        page.line("");
    }
}

fn bug(page: &mut Page, judged: &JudgedBug, asked: bool) {
    let depth = page.level.depth;
    let bug = &judged.bug;
    let title = if bug.title.trim().is_empty() { &bug.bug_id } else { &bug.title };
    let severity = bug.severity.as_deref().unwrap_or("unknown severity");
    let new = if asked { format!("{}, ", bug_change_words(judged.change)) } else { String::new() };
    let mut head = format!(
        "- **{}** — {new}{}",
        inline(&line(title, page.level.words().min(200))),
        inline(&line(severity, 40))
    );
    if depth < Depth::Names {
        if let Some(confidence) = &bug.confidence {
            let _ = write!(head, ", {} confidence", inline(&line(confidence, 40)));
        }
        if let Some(category) = &bug.category {
            let _ = write!(head, ", {}", inline(&line(category, 40)));
        }
        let tests = if judged.jobs.len() == 1 { "test" } else { "tests" };
        let _ = write!(head, ", seen in {} {tests}", judged.jobs.len());
    }
    if judged.counts {
        head.push_str(" ❌");
    }
    if let Some(why) = &judged.quarantined {
        let _ = write!(head, " ({})", inline(&line(why, 200)));
    }
    page.line(&head);
    if depth >= Depth::OneLine {
        return;
    }
    for (label, text) in [("", &bug.description), ("to reproduce: ", &bug.reproduction_steps)] {
        if let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) {
            quoted(page, &format!("{label}{text}"));
        }
    }
    if let Some(url) = &bug.screenshot_url {
        page.line(&format!("  - {}", link("screenshot", Some(url))));
    }
}
