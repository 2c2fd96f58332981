//! `results.json`: everything, for machines. The schema is `docs/results.schema.json`.

use serde::Serialize;

use crate::model::delta::{BugChange, Delta, TestChange};
use crate::model::job::{Bug, Job};
use crate::model::verdict::{Counted, Counts, GateStatus, JudgedBug};
use crate::model::{ExitReason, RunReport, TestResult};

/// Layout of the file; raised when something is renamed or removed.
pub(crate) const SCHEMA_VERSION: u32 = 2;

/// The report itself, and what the judge says of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Results<'a> {
    schema_version: u32,
    tool_version: &'static str,
    status: &'static str,
    exit_code: u8,
    #[serde(flatten)]
    report: &'a RunReport,
    totals: Totals,
    /// The reason that the results alone give; null when nothing was waited for.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    verdict: Option<ExitReason>,
    delta: Option<&'a Delta>,
    jobs: Vec<JobEntry<'a>>,
    bugs: Vec<BugEntry<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Totals {
    #[serde(flatten)]
    counts: Counts,
    bugs: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct JobEntry<'a> {
    #[serde(flatten)]
    job: &'a Job,
    result: Option<&'a TestResult>,
    standing: Option<GateStatus>,
    counted_as: Option<Counted>,
    because: Option<&'a str>,
    flaky: bool,
    change: Option<TestChange>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BugEntry<'a> {
    #[serde(flatten)]
    bug: &'a Bug,
    counts: bool,
    quarantined: Option<&'a str>,
    change: BugChange,
    job_ids: Vec<&'a str>,
}

/// The file's text.
pub(crate) fn json(report: &RunReport) -> String {
    let verdict = report.verdict.as_ref();
    let results = Results {
        schema_version: SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION"),
        status: if report.unfinished { "error" } else { report.reason.status().as_str() },
        exit_code: report.reason.exit_code(),
        report,
        totals: Totals { counts: report.counts(), bugs: report.bugs_total() },
        verdict: verdict.map(|verdict| verdict.reason),
        delta: verdict.and_then(|verdict| verdict.delta.as_ref()),
        jobs: report.jobs.iter().enumerate().map(|(index, job)| job_entry(report, index, job)).collect(),
        bugs: verdict.iter().flat_map(|verdict| &verdict.bugs).map(|bug| bug_entry(report, bug)).collect(),
    };
    let mut text = serde_json::to_string_pretty(&results).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

fn job_entry<'a>(report: &'a RunReport, index: usize, job: &'a Job) -> JobEntry<'a> {
    let judgement = report.verdict.as_ref().and_then(|verdict| verdict.judgements.get(index));
    JobEntry {
        job,
        result: job.deciding().and_then(|run| run.result.as_ref()),
        standing: judgement.map(|judgement| judgement.standing),
        counted_as: judgement.map(|judgement| judgement.counted),
        because: judgement.map(|judgement| judgement.because.as_str()),
        flaky: judgement.is_some_and(|judgement| judgement.flaky),
        change: judgement.and_then(|judgement| judgement.change),
    }
}

fn bug_entry<'a>(report: &'a RunReport, judged: &'a JudgedBug) -> BugEntry<'a> {
    let jobs = judged.jobs.iter().filter_map(|&index| report.jobs.get(index));
    BugEntry {
        bug: &judged.bug,
        counts: judged.counts,
        quarantined: judged.quarantined.as_deref(),
        change: judged.change,
        job_ids: jobs.map(|job| job.job_id.as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::Results;

    /// Writes the schema anew with `NUNU_BLESS=1`, compares it otherwise.
    #[test]
    fn the_published_schema_is_the_schema() {
        let settings = schemars::generate::SchemaSettings::default().for_serialize();
        let schema = settings.into_generator().into_root_schema_for::<Results<'static>>();
        let mut fresh = serde_json::to_value(schema).unwrap();
        fresh["$id"] = "https://raw.githubusercontent.com/OWNER/nunu-ci/main/docs/results.schema.json".into();
        fresh["title"] = "nunu-ci results.json".into();
        let fresh = format!("{}\n", serde_json::to_string_pretty(&fresh).unwrap());
        if option_env!("NUNU_BLESS").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/results.schema.json");
            std::fs::write(path, &fresh).unwrap();
            return;
        }
        assert!(
            fresh == super::super::results_schema(),
            "docs/results.schema.json is not what results.json is: run the test with NUNU_BLESS=1"
        );
    }
}
