//! Several reports as one: legs of a matrix, shards, other days. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::job::Job;
use crate::model::judge::{decide, judge_union};
use crate::model::run_report::Context;
use crate::model::units::Timestamp;
use crate::model::verdict::{FailOn, Gate, Verdict};
use crate::model::{Build, ExitReason, Failure, RunReport};

/// One of the reports.
pub(crate) struct Leg {
    /// The file as the user named it.
    pub(crate) name: String,
    /// What it says.
    pub(crate) report: RunReport,
}

/// The report of all legs, of which there is at least one. Each test stands before the gate of its leg; with `fail_on` all stand before
/// that, and the quarantine of their leg.
pub(crate) fn union(mut legs: Vec<Leg>, fail_on: Option<&FailOn>) -> Result<RunReport, String> {
    refuse_doubled(&legs)?;
    if let Some(fail_on) = fail_on {
        for leg in &mut legs {
            fail_on.clone_into(&mut leg.report.gate.get_or_insert_default().fail_on);
        }
    }
    let finished_at = most(&legs, |report| report.finished_at).max();
    let finished_at = finished_at.ok_or("there is no results.json to report on")?;
    let verdict = verdict(&legs, finished_at);
    let failure = failure(&legs, verdict.as_ref());
    let normal = legs.first().map_or(ExitReason::Internal, |leg| leg.report.reason);
    let reason = decide(failure.as_ref(), verdict.as_ref(), normal);
    let mut warnings = warnings(&legs, failure.as_ref());
    warnings.extend(verdict.iter().flat_map(|verdict| verdict.warnings.iter().cloned()));
    Ok(RunReport {
        command: "report",
        reason,
        started_at: most(&legs, |report| report.started_at).min().unwrap_or(finished_at),
        finished_at,
        duration: duration(&legs),
        context: context(&legs),
        files: Vec::new(),
        page_url: None,
        build: build(&legs, &mut warnings),
        starts: all(&legs, |report| &report.starts),
        gate: agreed(&legs, |report| report.gate.clone()),
        verdict,
        failure,
        left_running: all(&legs, |report| &report.left_running),
        suspects: legs
            .iter()
            .map(|leg| leg.report.suspects.clone())
            .find(|some| !some.is_empty())
            .unwrap_or_default(),
        warnings,
        test_plan_execution_id: agreed(&legs, |report| report.test_plan_execution_id.clone()),
        run_config: agreed(&legs, |report| report.run_config.clone()),
        unfinished: false,
        jobs: legs.into_iter().flat_map(|leg| leg.report.jobs).collect(),
    })
}

fn most<T>(legs: &[Leg], of: impl Fn(&RunReport) -> T) -> impl Iterator<Item = T> {
    legs.iter().map(move |leg| of(&leg.report))
}

fn all<T: Clone>(legs: &[Leg], of: impl Fn(&RunReport) -> &Vec<T>) -> Vec<T> {
    legs.iter().flat_map(|leg| of(&leg.report)).cloned().collect()
}

/// What all legs say alike; nothing where they differ.
fn agreed<T: Default + PartialEq>(legs: &[Leg], of: impl Fn(&RunReport) -> T) -> T {
    let mut said = most(legs, of);
    let first = said.next().unwrap_or_default();
    if said.all(|other| other == first) { first } else { T::default() }
}

/// A job that two files have would count twice.
fn refuse_doubled(legs: &[Leg]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, leg) in legs.iter().enumerate() {
        for id in leg.report.jobs.iter().map(|job| job.job_id.as_str()).filter(|id| !id.is_empty()) {
            let before = *seen.entry(id).or_insert(index);
            if before != index {
                return Err(format!(
                    "the job {id} is in {} and in {}: give each result once, and of a repeated attempt only the newest results.json",
                    legs[before].name, leg.name
                ));
            }
        }
    }
    Ok(())
}

/// The gates' word, as soon as one leg waited for results: what another one only started has none yet.
fn verdict(legs: &[Leg], finished_at: Timestamp) -> Option<Verdict> {
    let judged = legs.iter().any(|leg| leg.report.verdict.is_some());
    let gates: Vec<Gate> = legs.iter().map(|leg| leg.report.gate.clone().unwrap_or_default()).collect();
    let parts: Vec<(&[Job], &Gate)> = legs.iter().map(|leg| leg.report.jobs.as_slice()).zip(&gates).collect();
    judged.then(|| judge_union(&parts, finished_at.date_naive()))
}

/// The error of our own that wins: that of a leg; else a leg that never reported, unless the product has failed anyway.
fn failure(legs: &[Leg], verdict: Option<&Verdict>) -> Option<Failure> {
    let counts = |failure: &&(&Leg, &Failure)| verdict.is_none() || failure.1.reason.exit_code() != 0;
    let own: Vec<(&Leg, &Failure)> =
        legs.iter().filter_map(|leg| Some((leg, leg.report.failure.as_ref()?))).collect();
    // The first reason of the table that is none of success.
    let first = own
        .iter()
        .filter(counts)
        .min_by_key(|(_, failure)| (failure.reason.exit_code() == 0, failure.reason));
    if let Some((leg, failure)) = first {
        let mut failure = (*failure).clone();
        if legs.len() > 1 {
            failure.message = format!("{}: {}", leg.name, failure.message);
        }
        return Some(failure);
    }
    let product = matches!(
        verdict.map(|verdict| verdict.reason),
        Some(ExitReason::TestsFailed | ExitReason::BugsFound)
    );
    let lost = legs.iter().find(|leg| leg.report.unfinished).filter(|_| !product)?;
    Some(
        Failure::new(ExitReason::RunError, never_reported(lost))
            .hint("run that job again; its results are missing"),
    )
}

fn never_reported(leg: &Leg) -> String {
    format!("{}: the job was killed before it could report", leg.name)
}

/// Warnings of all legs, and what became of legs that did not decide; those of the judge come anew.
fn warnings(legs: &[Leg], failure: Option<&Failure>) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let mut add = |warning: String| {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    };
    for leg in legs {
        let of_judge = leg.report.verdict.as_ref().map_or(&[][..], |verdict| &verdict.warnings);
        leg.report.warnings.iter().filter(|warning| !of_judge.contains(warning)).cloned().for_each(&mut add);
        let told = |message: &str| failure.is_some_and(|failure| failure.message.ends_with(message));
        if let Some(own) = leg.report.failure.as_ref().filter(|own| !told(&own.message)) {
            add(format!("{}: {}", leg.name, own.message));
        }
        if leg.report.unfinished && !told(&never_reported(leg)) {
            add(never_reported(leg));
        }
    }
    warnings
}

/// The time in which any leg was at work: legs side by side count once, the nights between days not at all.
fn duration(legs: &[Leg]) -> Duration {
    let mut spans: Vec<(Timestamp, Timestamp)> = most(legs, |report| {
        (
            report.started_at,
            report
                .started_at
                .checked_add_signed(chrono::TimeDelta::from_std(report.duration).unwrap_or_default())
                .unwrap_or(report.started_at),
        )
    })
    .collect();
    spans.sort_unstable();
    let mut total = chrono::TimeDelta::zero();
    let mut end = Timestamp::MIN_UTC;
    for (began, ended) in spans {
        let began = began.max(end);
        if ended > began {
            total += ended - began;
            end = ended;
        }
    }
    total.to_std().unwrap_or_default()
}

/// Where the legs ran, as far as they agree.
fn context(legs: &[Leg]) -> Context {
    Context {
        ci: agreed(legs, |report| report.context.ci.clone()),
        ci_url: agreed(legs, |report| report.context.ci_url.clone()),
        commit: agreed(legs, |report| report.context.commit.clone()),
        commit_subject: agreed(legs, |report| report.context.commit_subject.clone()),
        branch: agreed(legs, |report| report.context.branch.clone()),
        pull_request: agreed(legs, |report| report.context.pull_request),
        pull_request_title: agreed(legs, |report| report.context.pull_request_title.clone()),
        repository_url: agreed(legs, |report| report.context.repository_url.clone()),
        build_number: agreed(legs, |report| report.context.build_number.clone()),
    }
}

/// The build, where all legs tested one; a leg may have sent it and another found it stored.
fn build(legs: &[Leg], warnings: &mut Vec<String>) -> Option<Build> {
    let builds: Vec<(&Leg, &Build)> =
        legs.iter().filter_map(|leg| Some((leg, leg.report.build.as_ref()?))).collect();
    let (_, first) = builds.first()?;
    if builds.iter().all(|(_, build)| build.id == first.id) {
        return Some((*first).clone());
    }
    let named =
        builds.iter().map(|(leg, build)| format!("{} ({})", build.id.as_deref().unwrap_or("none"), leg.name));
    warnings.push(format!("these reports are of different builds: {}", named.collect::<Vec<_>>().join(", ")));
    None
}

#[cfg(test)]
mod tests {
    use super::{Leg, union};
    use crate::model::units::parse_time;
    use crate::model::verdict::Gate;
    use crate::model::{ExitReason, Failure, RunReport};
    use crate::report::tests::reports::{all, job, report};

    fn leg(name: &str, report: RunReport) -> Leg {
        Leg { name: name.to_owned(), report }
    }

    fn of(test: &str, result: &str) -> RunReport {
        report(vec![job(test, result, Vec::new())], &Gate::default(), None)
    }

    #[test]
    fn one_report_is_itself_but_for_the_command() {
        for (name, report) in all() {
            let mut made = union(vec![leg("a", report.clone())], None).unwrap();
            made.command = report.command;
            made.files.clone_from(&report.files);
            made.page_url.clone_from(&report.page_url);
            assert_eq!(made, report, "{name}");
        }
    }

    #[test]
    fn what_legs_say_alike_stays_and_the_rest_is_said() {
        let (mut one, mut two) = (of("A", "SUCCESS"), of("B", "SUCCESS"));
        two.context.branch = Some("other".to_owned());
        two.started_at = parse_time("2026-03-03T15:52:00Z").unwrap();
        two.build.as_mut().unwrap().id = Some("b-2".to_owned());
        one.warnings = vec!["look".to_owned()];
        two.warnings.clone_from(&one.warnings);
        let made = union(vec![leg("a", one), leg("b", two)], None).unwrap();
        assert_eq!(made.reason, ExitReason::Passed);
        assert_eq!((made.context.branch.as_deref(), made.build), (None, None));
        assert!(made.context.commit.is_some());
        assert_eq!(made.warnings, ["look", "these reports are of different builds: b-1 (a), b-2 (b)"]);
        assert_eq!(made.duration.as_secs(), 9 * 60, "side by side counts once");
    }

    #[test]
    fn an_error_of_a_leg_wins_and_the_others_are_said() {
        let failure =
            |reason, message: &str| report(Vec::new(), &Gate::default(), Some(Failure::new(reason, message)));
        let legs = vec![
            leg("a", of("A", "FAILED")),
            leg("b", failure(ExitReason::Timeout, "too late")),
            leg("c", failure(ExitReason::StartFailed, "refused")),
            leg("d", failure(ExitReason::Skipped, "no key")),
        ];
        let made = union(legs, None).unwrap();
        assert_eq!(
            (made.reason, made.failure.unwrap().message.as_str()),
            (ExitReason::StartFailed, "c: refused")
        );
        assert_eq!(made.warnings, ["b: too late", "d: no key"]);
        // Without a key nothing was tested in that leg, which it was allowed to.
        let legs = vec![leg("a", of("A", "SUCCESS")), leg("d", failure(ExitReason::Skipped, "no key"))];
        assert_eq!(union(legs, None).unwrap().reason, ExitReason::Passed);
        let lost = RunReport { unfinished: true, verdict: None, ..of("B", "SUCCESS") };
        let made = union(vec![leg("a", of("A", "FAILED")), leg("b", lost)], None).unwrap();
        assert_eq!(made.reason, ExitReason::TestsFailed);
        assert_eq!(made.warnings, ["b: the job was killed before it could report"]);
    }
}
