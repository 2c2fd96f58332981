//! The summary's table of tests: a column that says nothing is not there, and what passed is folded.

use crate::model::RunReport;
use crate::model::units::duration;
use crate::model::verdict::{Counted, GateStatus, Judgement};

use super::delta_words::{carried_over_words, test_change_words};
use super::escape::{inline, line, link};
use super::markdown_tests::{Judged, judged, sign};
use super::page::{Depth, Page};

/// So many that passed are shown unfolded where nothing else is to be seen.
const FEW: usize = 10;

/// What a column says of a test; nothing where it has nothing to say.
type Cell = fn(&RunReport, Judged<'_>) -> String;

const COLUMNS: [(&str, Cell); 8] = [
    ("Result", |_, (_, judgement)| sign(judgement).to_owned()),
    ("Test", |_, (job, _)| link(&line(&job.label(), 150), job.deciding().and_then(|run| run.url.as_deref()))),
    ("Why", |_, test| inline(&why(test))),
    ("Since the baseline", |report, (job, judgement)| {
        let asked = report.verdict.as_ref().is_some_and(|verdict| verdict.delta.is_some());
        let change = judgement.and_then(|judged| judged.change).filter(|_| asked).map(test_change_words);
        let carried = job.carried_over.map(carried_over_words);
        [change.map(str::to_owned), carried].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }),
    ("Device", |_, (job, _)| inline(&line(&job.devices(), 100))),
    // A time stays on one line, however narrow its column.
    ("Time", |_, (job, _)| {
        let took = job.deciding().and_then(|run| run.duration);
        took.map_or_else(String::new, |took| duration(took).replace(' ', "\u{a0}"))
    }),
    ("Attempts", |_, (job, _)| number(job.attempts.len(), 1)),
    ("Bugs", |_, (job, _)| number(job.deciding().map_or(0, |run| run.bugs.len()), 0)),
];

/// A number that is more than the usual one.
fn number(count: usize, usual: usize) -> String {
    if count > usual { count.to_string() } else { String::new() }
}

/// The gate's word, where it says more than the result, and the first step that went wrong.
pub(super) fn why((job, judgement): Judged<'_>) -> String {
    let because = judgement
        .filter(|judged| judged.standing != GateStatus::Passed && judged.because != "FAILED")
        .map(|judged| line(&judged.because, 200));
    let step = judgement.filter(|judged| judged.counted != Counted::Passed).and_then(|_| {
        job.bad_steps().first().map(|(_, step)| format!("step {}: {}", step.number, line(&step.goal, 100)))
    });
    [because, step].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The table of tests.
pub(super) fn tests(page: &mut Page, report: &RunReport) {
    if report.jobs.is_empty() {
        return;
    }
    let clean = |judgement: Option<&Judgement>| {
        judgement.is_some_and(|judgement| judgement.standing == GateStatus::Passed && !judgement.flaky)
    };
    let (passed, others): (Vec<_>, Vec<_>) = judged(report).into_iter().partition(|(_, one)| clean(*one));
    table(page, report, &others);
    if passed.is_empty() {
        return;
    }
    if page.level.depth > Depth::Full {
        page.line(&format!("…and {} more that passed.\n", passed.len()));
    } else if others.is_empty() && passed.len() <= FEW {
        table(page, report, &passed);
    } else {
        page.line(&format!("<details><summary>✅ {} passed</summary>\n", passed.len()));
        table(page, report, &passed);
        page.line("</details>\n");
    }
}

fn table(page: &mut Page, report: &RunReport, tests: &[Judged<'_>]) {
    if tests.is_empty() {
        return;
    }
    let says = |cell: Cell| tests.iter().any(|test| !cell(report, *test).is_empty());
    let columns: Vec<&(&str, Cell)> = COLUMNS.iter().filter(|(_, cell)| says(*cell)).collect();
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    page.line(&format!("| {} |\n|{}", headings.join(" | "), " --- |".repeat(headings.len())));
    page.list(tests.iter(), "tests", |page, test| {
        let cells: Vec<String> = columns.iter().map(|(_, cell)| cell(report, *test)).collect();
        page.line(&format!("| {} |", cells.join(" | ")));
    });
    page.line("");
}
