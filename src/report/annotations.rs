//! Annotations on the host, and the links on GitLab's job page.

use serde_json::json;

use crate::model::annotation::{Annotation, Level};
use crate::model::job::Job;
use crate::model::verdict::{GateStatus, Judgement};
use crate::model::{RunReport, TestResult};

use super::escape::{address, line, shortened};
use super::headline::headline;

/// GitHub cuts messages at 4,096 characters.
const LONGEST: usize = 4000;
/// Links that a job page stands.
const MOST_LINKS: usize = 100;

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
                GateStatus::Failed if failed => errors.push(make(Level::Error, &job.name(), &message)),
                GateStatus::Failed => others.push(make(Level::Error, &job.name(), &message)),
                GateStatus::Tolerated => tolerated.push(make(Level::Warning, &job.name(), &message)),
                GateStatus::Passed | GateStatus::Inconclusive => {}
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
fn why(job: &Job, judgement: &Judgement) -> String {
    let mut message = line(&judgement.because, 500);
    if let Some((_, step)) = job.bad_steps().first() {
        message = format!("{message}: {}", line(&step.goal, 300));
        if let Some(words) = &step.report {
            message = format!("{message}\n{}", shortened(words, 2000));
        }
    }
    message
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
