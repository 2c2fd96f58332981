//! The job summary: five seconds to understand, complete as far as it fits, and never too big.

use std::fmt::Write as _;

use crate::model::run_report::{JobReport, Player, Step};
use crate::model::units::{bytes, duration};
use crate::model::verdict::{JudgedBug, Judgement, Standing};
use crate::model::{Reason, RunReport, Status, TestResult};

use super::brief::bad_steps;
use super::escape::{code, inline, line, link, quote};

/// GitHub refuses summaries over 1 MiB for a step; others may write to the same one.
pub const LARGEST: usize = 900 * 1024;

/// How much is told. Each rung tells less than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rung {
    Full,
    FailingOnly,
    OneLine,
    Names,
}

/// The fullest summary that fits.
#[must_use]
pub fn markdown(report: &RunReport) -> String {
    for rung in [Rung::Full, Rung::FailingOnly, Rung::OneLine] {
        let text = render(report, rung);
        if text.len() <= LARGEST {
            return text;
        }
    }
    let mut text = render(report, Rung::Names);
    if text.len() > LARGEST {
        let note = "\n\n_The rest did not fit; results.json has everything._\n";
        let mut end = LARGEST - note.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let end = text[..end].rfind('\n').unwrap_or(end);
        text.truncate(end);
        text.push_str(note);
    }
    text
}

/// The verdict in one line: word, counts, time.
#[must_use]
pub(super) fn headline(report: &RunReport) -> String {
    if report.unfinished {
        return "unfinished: the job has not reported yet".to_owned();
    }
    let word = match report.reason.status() {
        Status::Passed => "passed",
        Status::Failed if report.reason == Reason::NothingTested => "failed: nothing was tested",
        Status::Failed if report.reason == Reason::BugsFound => "failed: bugs found",
        Status::Failed => "failed",
        Status::Error => "error",
        Status::TimedOut => "timed out",
        Status::Stalled => "stalled",
        Status::Cancelled => "cancelled",
        Status::Started => "started",
        Status::Uploaded => "uploaded",
        Status::Checked => "checked",
        Status::Skipped => "skipped",
    };
    let mut text = word.to_owned();
    if report.verdict.is_some() {
        let plural = if report.tests_total() == 1 { "test" } else { "tests" };
        let _ = write!(text, ": {} of {} {plural} passed", report.tests_passed(), report.tests_total());
        if report.tests_failed() > 0 {
            let _ = write!(text, ", {} failed", report.tests_failed());
        }
        match report.bugs_total() {
            0 => {}
            1 => text.push_str(", 1 bug"),
            many => {
                let _ = write!(text, ", {many} bugs");
            }
        }
    }
    let _ = write!(text, " in {}", duration(report.duration));
    text
}

fn render(report: &RunReport, rung: Rung) -> String {
    let mut out = String::new();
    let sign = match report.reason.status() {
        _ if report.unfinished => "⏳",
        Status::Passed | Status::Started | Status::Uploaded | Status::Checked => "✅",
        Status::Skipped => "⏭️",
        Status::Cancelled => "🚫",
        _ => "❌",
    };
    let _ = writeln!(out, "## {sign} nunu.ai play-test {}\n", inline(&headline(report)));
    failure(&mut out, report);
    left_running(&mut out, report);
    tests(&mut out, report, rung);
    starts(&mut out, report);
    failing(&mut out, report, rung);
    bugs(&mut out, report, rung);
    origin(&mut out, report);
    warnings(&mut out, report);
    reproduce(&mut out, report);
    out
}

fn failure(out: &mut String, report: &RunReport) {
    let Some(failure) = &report.failure else { return };
    let mut lines = failure.message.lines();
    let _ =
        writeln!(out, "**{}** {}\n", code(failure.reason.as_str()), inline(lines.next().unwrap_or_default()));
    for more in lines.take(100) {
        let _ = writeln!(out, "- {}", inline(more.trim()));
    }
    for cause in failure.causes.iter().take(50) {
        let _ = writeln!(out, "- caused by: {}", inline(cause));
    }
    for hint in &failure.hints {
        let _ = writeln!(out, "- **what to do:** {}", inline(hint));
    }
    out.push('\n');
}

fn left_running(out: &mut String, report: &RunReport) {
    if report.left_running.is_empty() {
        return;
    }
    out.push_str("### ⚠️ May still be running\n\n");
    for left in &report.left_running {
        let ids = left.job_ids.iter().map(|id| code(id)).collect::<Vec<_>>().join(", ");
        let what =
            if ids.is_empty() { "a start whose answer never came".to_owned() } else { format!("jobs {ids}") };
        let tag = left.tag.as_deref().map_or_else(String::new, |tag| format!(" (tag {})", code(tag)));
        let _ = writeln!(out, "- {what}{tag}: {}", inline(&left.why));
    }
    out.push_str("\nStop them on the dashboard or with `nunu-ci stop`; the service ends a run by itself after at most 5.5 hours.\n\n");
}

fn sign(judgement: Option<&Judgement>) -> &'static str {
    match judgement.map(|judgement| (judgement.standing, judgement.flaky)) {
        Some((Standing::Passed, true)) => "⚠️ flaky",
        Some((Standing::Passed, false)) => "✅ passed",
        Some((Standing::Failed, _)) => "❌ failed",
        Some((Standing::Tolerated, _)) => "⚠️ tolerated",
        Some((Standing::Inconclusive, _)) => "➖ inconclusive",
        None => "▶️ started",
    }
}

fn judged(report: &RunReport) -> impl Iterator<Item = (&JobReport, Option<&Judgement>)> {
    report
        .jobs
        .iter()
        .enumerate()
        .map(|(index, job)| (job, report.verdict.as_ref().and_then(|verdict| verdict.judgements.get(index))))
}

fn device(job: &JobReport) -> String {
    if let Some(device) = &job.device {
        return device.clone();
    }
    let mut devices: Vec<&str> = job
        .deciding()
        .map(|run| run.players.iter().filter_map(|player| player.device.as_deref()).collect())
        .unwrap_or_default();
    devices.dedup();
    devices.join(", ")
}

fn tests(out: &mut String, report: &RunReport, rung: Rung) {
    if report.jobs.is_empty() {
        return;
    }
    out.push_str(
        "| Result | Test | Device | Time | Attempts | Bugs |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let mut left_out = 0;
    for (job, judgement) in judged(report) {
        let good =
            judgement.is_some_and(|judgement| judgement.standing == Standing::Passed && !judgement.flaky);
        if good && rung > Rung::Full {
            left_out += 1;
            continue;
        }
        let run = job.deciding();
        let name = job.name();
        let because = judgement
            .filter(|judgement| judgement.standing != Standing::Passed && judgement.because != "FAILED")
            .map_or_else(String::new, |judgement| format!(" {}", inline(&line(&judgement.because, 200))));
        let took = run.and_then(|run| run.duration).map_or_else(String::new, duration);
        let bugs = run.map_or(0, |run| run.bugs.len());
        let _ = writeln!(
            out,
            "| {}{because} | {} | {} | {took} | {} | {} |",
            sign(judgement),
            link(&line(&name, 150), run.and_then(|run| run.url.as_deref())),
            inline(&line(&device(job), 100)),
            job.attempts.len(),
            if bugs == 0 { String::new() } else { bugs.to_string() },
        );
    }
    if left_out > 0 {
        let _ = writeln!(out, "\n…and {left_out} more that passed.");
    }
    out.push('\n');
}

fn starts(out: &mut String, report: &RunReport) {
    if report.starts.is_empty() {
        return;
    }
    out.push_str("### Not started\n\n");
    for problem in &report.starts {
        let device =
            problem.device.as_deref().map_or_else(String::new, |device| format!(" on {}", inline(device)));
        let tag = problem.tag.as_deref().map_or_else(String::new, |tag| format!(" (tag {})", code(tag)));
        let _ = writeln!(out, "- **{}**{device}: {}{tag}", inline(&problem.run), inline(&problem.message));
    }
    out.push('\n');
}

fn failing(out: &mut String, report: &RunReport, rung: Rung) {
    let mut heading = false;
    for (job, judgement) in judged(report) {
        let Some(judgement) = judgement.filter(|judgement| !matches!(judgement.standing, Standing::Passed))
        else {
            continue;
        };
        if !heading {
            out.push_str("### What failed\n\n");
            heading = true;
        }
        let url = job.deciding().and_then(|run| run.url.as_deref());
        let _ = writeln!(out, "#### {} {}\n", sign(Some(judgement)), link(&line(job.title(), 150), url));
        if rung < Rung::Names && judgement.because != "FAILED" {
            let _ = writeln!(out, "{}\n", inline(&judgement.because));
        }
        if let Some(why) =
            job.deciding().and_then(|run| run.unreadable.as_deref()).filter(|_| rung < Rung::OneLine)
        {
            let _ = writeln!(out, "Details are missing: {}\n", inline(why));
        }
        for (player, step) in bad_steps(job) {
            failing_step(out, job, player, step, rung);
        }
        out.push('\n');
    }
}

fn failing_step(out: &mut String, job: &JobReport, player: &Player, step: &Step, rung: Rung) {
    let word = step.result.as_ref().map_or("no result", TestResult::as_str);
    let several = job.deciding().is_some_and(|run| run.players.len() > 1);
    let who = if several { format!(" (player {})", player.number) } else { String::new() };
    let goal = match rung {
        Rung::Full | Rung::FailingOnly => line(&step.goal, 2000),
        Rung::OneLine => line(&step.goal, 160),
        Rung::Names => line(&step.goal, 60),
    };
    let _ = writeln!(out, "- **Step {}{who}: {}** ({})", step.number, inline(&goal), inline(word));
    if rung >= Rung::OneLine {
        return;
    }
    if let Some(words) = step.report.as_deref().filter(|words| !words.trim().is_empty()) {
        let quoted = quote(words);
        let _ = writeln!(
            out,
            "\n{}\n",
            quoted.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        );
    }
    for item in step.items.iter().filter(|item| item.status != "passed").take(20) {
        let comment =
            item.comment.as_deref().map_or_else(String::new, |comment| format!(": {}", inline(comment)));
        let _ = writeln!(
            out,
            "  - {} {} {}{comment}",
            inline(&item.status),
            inline(&item.id),
            inline(&item.expected)
        );
    }
    if let Some(moment) = moment(job, step) {
        let _ = writeln!(out, "  - {} in the {}", moment, link("recording", player.url.as_deref()));
    }
    for artifact in player.artifacts.iter().filter(|artifact| artifact.saved_as.is_some()).take(10) {
        let _ = writeln!(out, "  - {}", code(artifact.saved_as.as_deref().unwrap_or_default()));
    }
}

/// How far into the run a step began, as a player shows it.
fn moment(job: &JobReport, step: &Step) -> Option<String> {
    let began = job.deciding()?.started_at?;
    let seconds = (step.started_at? - began).num_seconds();
    (seconds >= 0).then(|| format!("at {}:{:02}", seconds / 60, seconds % 60))
}

fn bugs(out: &mut String, report: &RunReport, rung: Rung) {
    let Some(verdict) = report.verdict.as_ref().filter(|verdict| !verdict.bugs.is_empty()) else { return };
    let _ = writeln!(out, "### Bugs ({})\n", verdict.bugs.len());
    for judged in &verdict.bugs {
        bug(out, judged, rung);
    }
    out.push('\n');
}

fn bug(out: &mut String, judged: &JudgedBug, rung: Rung) {
    let bug = &judged.bug;
    let title = if bug.title.trim().is_empty() { &bug.bug_id } else { &bug.title };
    let most = if rung >= Rung::Names { 60 } else { 200 };
    let _ = write!(out, "- **{}**", inline(&line(title, most)));
    let severity = bug.severity.as_deref().unwrap_or("unknown severity");
    let _ = write!(out, " — {}", inline(&line(severity, 40)));
    if rung < Rung::Names {
        if let Some(confidence) = &bug.confidence {
            let _ = write!(out, ", {} confidence", inline(&line(confidence, 40)));
        }
        if let Some(category) = &bug.category {
            let _ = write!(out, ", {}", inline(&line(category, 40)));
        }
        let _ = write!(
            out,
            ", seen in {} {}",
            judged.jobs.len(),
            if judged.jobs.len() == 1 { "test" } else { "tests" }
        );
    }
    if judged.counts {
        out.push_str(" ❌");
    }
    if let Some(why) = &judged.quarantined {
        let _ = write!(out, " ({})", inline(&line(why, 200)));
    }
    out.push('\n');
    if rung >= Rung::OneLine {
        return;
    }
    for (label, text) in [("", &bug.description), ("to reproduce: ", &bug.reproduction_steps)] {
        if let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) {
            let quoted = quote(&format!("{label}{text}"));
            let _ = writeln!(
                out,
                "\n{}\n",
                quoted.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
            );
        }
    }
    if let Some(url) = &bug.screenshot_url {
        let _ = writeln!(out, "  - {}", link("screenshot", Some(url)));
    }
}

fn origin(out: &mut String, report: &RunReport) {
    let mut rows = Vec::new();
    if let Some(build) = &report.build {
        let mut text = build.name.as_deref().map_or_else(String::new, inline);
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
    if !rows.is_empty() {
        let _ = writeln!(out, "{}\n", rows.join("<br>\n"));
    }
}

fn warnings(out: &mut String, report: &RunReport) {
    if report.warnings.is_empty() {
        return;
    }
    out.push_str("### Warnings\n\n");
    for warning in report.warnings.iter().take(50) {
        let _ = writeln!(out, "- {}", inline(&line(warning, 1000)));
    }
    if report.warnings.len() > 50 {
        let _ = writeln!(out, "- and {} more", report.warnings.len() - 50);
    }
    out.push('\n');
}

/// How to see the same on one's own machine; only where something is to be looked at.
fn reproduce(out: &mut String, report: &RunReport) {
    if report.reason.exit_code() == 0 || report.unfinished {
        return;
    }
    let tests: Vec<&str> = judged(report)
        .filter(|(_, judgement)| judgement.is_some_and(|judgement| judgement.standing == Standing::Failed))
        .filter_map(|(job, _)| job.test_id.as_deref())
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        .take(10)
        .collect();
    if tests.is_empty() {
        return;
    }
    let build = report.build.as_ref().and_then(|build| build.id.as_deref());
    let build = build.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let build = build.map_or_else(String::new, |id| format!(" --build-id {id}"));
    let _ = writeln!(
        out,
        "<details><summary>Run the failed tests again</summary>\n\n```sh\nnunu-ci run{build} --test-id {} --deployment-config-id ID\n```\n\n</details>\n",
        tests.join(",")
    );
}

/// The sticky comment on a pull or merge request: the verdict, what failed, and where to read on.
#[must_use]
pub fn comment(report: &RunReport) -> String {
    let mut out = format!("{}\n", super::brief::COMMENT_MARK);
    let sign = if report.reason.exit_code() == 0 { "✅" } else { "❌" };
    let _ = writeln!(out, "{sign} **nunu.ai play-test {}**\n", inline(&headline(report)));
    for (job, judgement) in judged(report)
        .filter(|(_, judgement)| judgement.is_some_and(|judgement| judgement.standing == Standing::Failed))
        .take(10)
    {
        let because = judgement.map_or_else(String::new, |judgement| inline(&line(&judgement.because, 200)));
        let _ = writeln!(
            out,
            "- {}: {because}",
            link(&line(job.title(), 150), job.deciding().and_then(|run| run.url.as_deref()))
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
