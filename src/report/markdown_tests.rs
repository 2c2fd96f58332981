//! The parts of the summary that tell what was tested and what was found.

use std::fmt::Write as _;

use crate::model::job::{Job, Player, Step};
use crate::model::units::duration;
use crate::model::verdict::{Counted, GateStatus, JudgedBug, Judgement};
use crate::model::{RunReport, TestResult};

use super::escape::{code, inline, line, link, quote, shortened};
use super::page::{Depth, Page};

/// A job and the gate's word on it.
pub(super) type Judged<'a> = (&'a Job, Option<&'a Judgement>);

fn sign(judgement: Option<&Judgement>) -> &'static str {
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

/// The table of tests.
pub(super) fn tests(page: &mut Page, report: &RunReport) {
    if report.jobs.is_empty() {
        return;
    }
    let jobs = judged(report);
    let passed = |judgement: Option<&Judgement>| {
        judgement.is_some_and(|judgement| judgement.standing == GateStatus::Passed && !judgement.flaky)
    };
    let good = jobs.iter().filter(|(_, judgement)| passed(*judgement)).count();
    let shown = if page.level.depth > Depth::Full { jobs.len() - good } else { jobs.len() };
    if shown > 0 {
        page.line(
            "| Result | Test | Device | Time | Attempts | Bugs |\n| --- | --- | --- | --- | --- | --- |",
        );
        page.list(jobs.iter().take(shown), "tests", |page, (job, judgement)| row(page, job, *judgement));
    }
    if shown < jobs.len() {
        page.line(&format!("\n…and {good} more that passed."));
    }
    page.line("");
}

fn row(page: &mut Page, job: &Job, judgement: Option<&Judgement>) {
    let run = job.deciding();
    let because = judgement
        .filter(|judgement| judgement.standing != GateStatus::Passed && judgement.because != "FAILED")
        .map_or_else(String::new, |judgement| format!(": {}", inline(&line(&judgement.because, 200))));
    // A time stays on one line, however narrow its column.
    let took = run
        .and_then(|run| run.duration)
        .map_or_else(String::new, |took| duration(took).replace(' ', "\u{a0}"));
    let bugs = run.map_or(0, |run| run.bugs.len());
    page.line(&format!(
        "| {}{because} | {} | {} | {took} | {} | {} |",
        sign(judgement),
        link(&line(&job.label(), 150), run.and_then(|run| run.url.as_deref())),
        inline(&line(&job.devices(), 100)),
        job.attempts.len(),
        if bugs == 0 { String::new() } else { bugs.to_string() },
    ));
}

/// What did not pass, with the steps that say why.
pub(super) fn failing(page: &mut Page, report: &RunReport) {
    let (failed, others): (Vec<_>, Vec<_>) = judged(report)
        .into_iter()
        .filter_map(|(job, judgement)| {
            Some((job, judgement.filter(|one| one.standing != GateStatus::Passed)?))
        })
        .partition(|(_, judgement)| judgement.standing == GateStatus::Failed);
    for (heading, jobs) in [("What did not pass", failed), ("What does not count", others)] {
        if !jobs.is_empty() {
            page.line(&format!("### {heading}\n"));
            page.list(jobs.into_iter(), "tests", |page, (job, judgement)| failing_job(page, job, judgement));
        }
    }
}

fn failing_job(page: &mut Page, job: &Job, judgement: &Judgement) {
    let run = job.deciding();
    let name = link(&line(&job.name(), 150), run.and_then(|run| run.url.as_deref()));
    page.line(&format!("#### {} {name}\n", sign(Some(judgement))));
    if page.level.depth < Depth::Names && judgement.because != "FAILED" {
        page.line(&format!("{}\n", inline(&judgement.because)));
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
    page.list(verdict.bugs.iter(), "bugs", bug);
    page.line("");
}

fn bug(page: &mut Page, judged: &JudgedBug) {
    let depth = page.level.depth;
    let bug = &judged.bug;
    let title = if bug.title.trim().is_empty() { &bug.bug_id } else { &bug.title };
    let severity = bug.severity.as_deref().unwrap_or("unknown severity");
    let mut head = format!(
        "- **{}** — {}",
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
