//! The short forms: annotations, the last lines of the log, GitLab's links, the comment.

use serde_json::json;

use crate::model::annotation::{Annotation, Level};
use crate::model::run_report::{JobReport, Player, Step};
use crate::model::units::duration;
use crate::model::verdict::{Counted, Judgement, Standing};
use crate::model::{RunReport, TestResult};

use super::escape::{address, line, shortened};
use super::markdown::headline;

/// GitHub cuts messages at 4,096 characters.
const LONGEST: usize = 4000;
/// Passed tests that the log names at its end; the rest is counted.
const MOST_PASSED: usize = 20;
/// Links that a job page stands.
const MOST_LINKS: usize = 100;

/// Steps of the deciding run that did not succeed, worst first as the players come.
pub(super) fn bad_steps(job: &JobReport) -> Vec<(&Player, &Step)> {
    let Some(run) = job.deciding() else { return Vec::new() };
    run.players
        .iter()
        .flat_map(|player| player.steps.iter().map(move |step| (player, step)))
        .filter(|(_, step)| !matches!(step.result, None | Some(TestResult::Success | TestResult::Skipped)))
        .collect()
}

/// At most `most` annotations, worst first; the last error says how many more there are.
pub(crate) fn annotations(report: &RunReport, most: usize) -> Vec<Annotation> {
    let make = |level, title: &str, message: &str| Annotation {
        level,
        title: line(title, 200),
        message: shortened(message, LONGEST).into_owned(),
    };
    let mut errors = Vec::new();
    if let Some(failure) = report.failure.as_ref().filter(|_| report.reason.exit_code() != 0) {
        errors.push(make(Level::Error, &format!("nunu-ci: {}", report.reason), &failure.to_string()));
    }
    let mut warnings: Vec<_> =
        report.warnings.iter().map(|warning| make(Level::Warning, "nunu-ci", warning)).collect();
    if let Some(verdict) = &report.verdict {
        // A verdict on the product comes before what says nothing about it.
        let (mut others, mut tolerated) = (Vec::new(), Vec::new());
        for (job, judgement) in report.jobs.iter().zip(&verdict.judgements) {
            let message = why(job, judgement);
            let failed = job.deciding().is_some_and(|run| run.result == Some(TestResult::Failed));
            match judgement.standing {
                Standing::Failed if failed => errors.push(make(Level::Error, &job.name(), &message)),
                Standing::Failed => others.push(make(Level::Error, &job.name(), &message)),
                Standing::Tolerated => tolerated.push(make(Level::Warning, &job.name(), &message)),
                Standing::Passed | Standing::Inconclusive => {}
            }
        }
        for judged in &verdict.bugs {
            let severity = judged.bug.severity.as_deref().unwrap_or("unknown severity");
            let note = judged.quarantined.as_deref().map_or_else(String::new, |why| format!(" ({why})"));
            let title = format!("bug ({severity}): {}{note}", judged.bug.title);
            let words = judged.bug.description.as_deref().unwrap_or_default();
            if judged.counts {
                errors.push(make(Level::Error, &title, words));
            } else {
                tolerated.push(make(Level::Warning, &title, words));
            }
        }
        errors.extend(others);
        warnings.extend(tolerated);
        if report.failure.is_none() && errors.is_empty() && report.reason.exit_code() != 0 {
            errors.push(make(Level::Error, &format!("nunu-ci: {}", report.reason), &headline(report)));
        }
    }
    let mut all = errors;
    if all.len() > most && most > 0 {
        let more = all.len() - (most - 1);
        all.truncate(most - 1);
        all.push(make(Level::Error, "nunu-ci", &format!("and {more} more in the summary")));
    }
    all.extend(warnings);
    if report.reason.exit_code() == 0 && report.failure.is_none() {
        all.push(make(Level::Notice, "nunu-ci", &headline(report)));
    }
    all.truncate(most);
    all
}

/// Why a job stands as it does, with the first step that went wrong and the agent's words on it.
fn why(job: &JobReport, judgement: &Judgement) -> String {
    let mut message = line(&judgement.because, 500);
    if let Some((_, step)) = bad_steps(job).first() {
        message = format!("{message}: {}", line(&step.goal, 300));
        if let Some(words) = &step.report {
            message = format!("{message}\n{}", shortened(words, 2000));
        }
    }
    message
}

/// What a person reads at the end of the log.
pub(crate) fn closing(report: &RunReport) -> Vec<String> {
    let mut lines = vec![headline(report)];
    let verdict = report.verdict.as_ref();
    let mut passed = 0;
    for (index, job) in report.jobs.iter().enumerate() {
        let judgement = verdict.and_then(|verdict| verdict.judgements.get(index));
        if judgement.is_some_and(|judgement| judgement.standing == Standing::Passed && !judgement.flaky) {
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
            .filter(|judgement| judgement.standing != Standing::Passed && judgement.because != "FAILED")
            .map_or_else(String::new, |judgement| format!(": {}", line(&judgement.because, 300)));
        let name = job.name();
        lines.push(format!("  {word:<12} {}{took}{because}", line(&name, 200)));
        if judgement.is_some_and(|judgement| judgement.standing != Standing::Passed) {
            for (_, step) in bad_steps(job).into_iter().take(3) {
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

/// `gl-annotations.json`: links on GitLab's job page (GitLab, "artifacts:reports:annotations").
pub(crate) fn gitlab(report: &RunReport) -> String {
    let mut links = Vec::new();
    for job in &report.jobs {
        let Some(run) = job.deciding() else { continue };
        if let Some(url) = run.url.as_deref().and_then(address) {
            let word = run.result.as_ref().map_or("no result", TestResult::as_str);
            links.push(json!({"external_link": {"label": line(&format!("{}: {word}", job.name()), 200), "url": url}}));
        }
        for player in run.players.iter().filter(|_| run.players.len() > 1) {
            if let Some(url) = player.url.as_deref().and_then(address) {
                links.push(json!({"external_link": {"label": line(&format!("{}: player {}", job.name(), player.number), 200), "url": url}}));
            }
        }
    }
    links.truncate(MOST_LINKS);
    format!("{}\n", json!({ "nunu.ai": links }))
}
