//! What a check found out, as people read it: a line for each thing, with the fix where it is bad. Pure.

use chrono::NaiveDate;

use crate::model::build::BuildSource;
use crate::model::look::Mark;
use crate::model::verdict::Quarantine;
use crate::model::{ExitReason, Failure};

use super::check_report::{CheckReport, Findings};
use super::context::Context;

/// One thing that was looked at.
pub(super) struct Line {
    pub(super) mark: Mark,
    pub(super) what: &'static str,
    /// May have several lines.
    pub(super) says: String,
}

impl Line {
    fn new(mark: Mark, what: &'static str, says: impl Into<String>) -> Self {
        Self { mark, what, says: says.into() }
    }

    /// Bad: what is wrong, and what to do about it.
    fn bad(what: &'static str, failure: &Failure) -> Self {
        let causes = failure.causes.iter().map(|cause| format!("\n  {cause}"));
        let hints = failure.hints.iter().map(|hint| format!("\nfix: {hint}"));
        let says = std::iter::once(failure.message.clone()).chain(causes).chain(hints).collect::<String>();
        Self::new(Mark::Bad, what, says)
    }

    /// Good, unless there is something to look at.
    fn good(what: &'static str, says: &str, notices: &[String]) -> Self {
        let mark = if notices.is_empty() { Mark::Good } else { Mark::Warning };
        let says =
            std::iter::once(says).chain(notices.iter().map(String::as_str)).collect::<Vec<_>>().join("\n");
        Self::new(mark, what, says)
    }
}

/// All of them, in the order in which a run needs them.
pub(super) fn lines(ctx: &Context, findings: &Findings, report: &CheckReport<'_>) -> Vec<Line> {
    let mut lines = vec![settings(ctx)];
    lines.extend(access(ctx, findings));
    lines.push(tests(findings, report));
    lines.push(devices(findings, report));
    lines.push(build(ctx, findings, report));
    let limits = findings.known.remarks.iter().cloned().chain(ctx.warning_of_host_limit());
    lines.push(Line::good("limits", &report.limits.to_string(), &limits.collect::<Vec<_>>()));
    lines.push(quarantine(&ctx.plan.gate.quarantine, chrono::Utc::now().date_naive()));
    lines
}

/// What somebody set, and where; the defaults are in the verbose log.
fn settings(ctx: &Context) -> Line {
    let set =
        ctx.plan.settings.iter().filter(|setting| setting.source != "default" && setting.name != "command");
    let set: Vec<String> = set.map(|setting| format!("{} ({})", setting.name, setting.source)).collect();
    let says = if set.is_empty() { "all defaults".to_owned() } else { set.join(", ") };
    Line::new(Mark::Good, "settings", says)
}

/// Whether the service answers, and what the key may do there.
fn access(ctx: &Context, findings: &Findings) -> Vec<Line> {
    let origin = &ctx.plan.origin;
    let not_asked = |what| Line::new(Mark::Neutral, what, "not known");
    let proofs = match &findings.proofs {
        Ok(proofs) => proofs,
        Err(failure) if is_of_the_key(failure.reason) => {
            let answers = Line::new(Mark::Good, "service", format!("{origin} answers"));
            return vec![answers, Line::bad("key", failure), not_asked("permissions"), project(ctx)];
        }
        Err(failure) => {
            return vec![
                Line::bad("service", failure),
                not_asked("key"),
                not_asked("permissions"),
                project(ctx),
            ];
        }
    };
    if let Some(failure) = proofs.unreachable() {
        return vec![
            Line::bad("service", &failure),
            not_asked("key"),
            not_asked("permissions"),
            project(ctx),
        ];
    }
    let permissions = match proofs.require(&findings.needed) {
        Err(failure) => Line::bad("permissions", &failure),
        Ok(()) => match findings.unknown() {
            Some(failure) => Line::bad("permissions", &failure),
            None => Line::new(Mark::Good, "permissions", proofs.overview(&findings.needed)),
        },
    };
    vec![
        Line::new(Mark::Good, "service", format!("{origin} answers")),
        Line::new(Mark::Good, "key", findings.key),
        permissions,
        project(ctx),
    ]
}

/// True for what only a service that answers can say.
const fn is_of_the_key(reason: ExitReason) -> bool {
    reason.exit_code() == ExitReason::ApiKeyInvalid.exit_code()
}

fn project(ctx: &Context) -> Line {
    match &ctx.plan.project_id {
        Some(project) => Line::new(Mark::Good, "project", project.clone()),
        None => Line::new(Mark::Good, "project", "the one that the key belongs to"),
    }
}

fn tests(findings: &Findings, report: &CheckReport<'_>) -> Line {
    let failure = findings.resolved.as_ref().err().cloned().or_else(|| findings.known.require().err());
    if let Some(failure) = failure {
        return Line::bad("tests", &failure);
    }
    let runs: Vec<String> = report.runs.iter().map(ToString::to_string).collect();
    if runs.is_empty() {
        return Line::new(Mark::Neutral, "tests", "none would start");
    }
    Line::good("tests", &runs.join("\n"), &findings.known.about_tests)
}

fn devices(findings: &Findings, report: &CheckReport<'_>) -> Line {
    let mut names: Vec<&String> = report.runs.iter().flat_map(|run| &run.named_configs).collect();
    names.dedup();
    if names.is_empty() {
        return Line::new(Mark::Neutral, "devices", "no deployment configuration is named");
    }
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    Line::good("devices", &names.join(", "), &findings.known.about_configs)
}

fn build(ctx: &Context, findings: &Findings, report: &CheckReport<'_>) -> Line {
    match (&findings.build, &report.build) {
        (Err(failure), _) => Line::bad("build", failure),
        (Ok(_), Some(build)) => Line::good("build", &build.to_string(), &findings.notes),
        (Ok(_), None) if ctx.plan.no_build => Line::new(Mark::Neutral, "build", "left out"),
        // Only a signal keeps a build from being read.
        (Ok(_), None) if matches!(ctx.plan.build.source, BuildSource::Path(_)) => {
            Line::new(Mark::Neutral, "build", "not known")
        }
        (Ok(_), None) => Line::new(Mark::Good, "build", "the one that each deployment configuration picks"),
    }
}

fn quarantine(entries: &[Quarantine], today: NaiveDate) -> Line {
    if entries.is_empty() {
        return Line::new(Mark::Good, "quarantine", "nothing is tolerated");
    }
    let ended = entries.iter().filter(|entry| entry.until < today);
    let ended = ended.map(|entry| format!("the entry of {} ended on {}: remove it", entry.what, entry.until));
    let notices: Vec<String> =
        ended.chain(entries.iter().filter_map(|entry| entry.lapses_soon(today))).collect();
    let hold = entries.iter().filter(|entry| entry.until >= today).count();
    Line::good("quarantine", &format!("{hold} of {} entries hold", entries.len()), &notices)
}

#[cfg(test)]
mod tests {
    use super::{Mark, NaiveDate, Quarantine, quarantine};
    use crate::model::verdict::Quarantined;

    #[test]
    fn an_entry_that_ends_within_a_week_is_named() {
        let day = |day| NaiveDate::from_ymd_opt(2027, 1, day).unwrap();
        let until = |until| Quarantine {
            what: Quarantined::Bug(format!("b{until}")),
            until: day(until),
            reason: "GAME-1".to_owned(),
        };
        let line = quarantine(&[until(1), until(10), until(16), until(31)], day(9));
        assert_eq!(line.mark, Mark::Warning);
        assert!(line.says.starts_with("3 of 4 entries hold\n"), "{}", line.says);
        assert!(
            line.says.contains("bug b1 ended on 2027-01-01") && line.says.contains("bug b10 ends tomorrow")
        );
        assert!(line.says.contains("bug b16 ends in 7 days") && !line.says.contains("b31"), "{}", line.says);
        assert_eq!(quarantine(&[until(31)], day(9)).mark, Mark::Good);
        assert_eq!(quarantine(&[], day(9)).mark, Mark::Good);
    }
}
