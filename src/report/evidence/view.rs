//! The page as values: what it says, and in which order. Pure.

use std::collections::BTreeMap;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::model::job::Job;
use crate::model::units::{bytes, duration, format_time};
use crate::model::verdict::{GateStatus, JudgedBug};
use crate::model::{Failure, RunReport, Status};

use super::super::delta_words::{bug_change_words, delta_sentence};
use super::super::escape::address;
use super::super::headline::headline;
use super::super::markdown_tests::{Judged, judged};
use super::super::page::{Depth, DetailLevel};
use super::super::same_failure::grouped;
use super::pictures::Pictures;
use super::test_view::{Around, Link, PictureView, TestView, device, picture, recording};
use super::words::{Mood, Text, text};

/// The style of the page, and what makes it answer to keys. Part of the program, so they need no escaping.
const STYLE: &str = include_str!("../../../templates/report/page.css");
const SCRIPT: &str = include_str!("../../../templates/report/page.js");

/// The whole page.
#[derive(Template)]
#[template(path = "report/page.html")]
pub(super) struct View<'a> {
    title: String,
    mood: Mood,
    headline: String,
    delta: Vec<Text<'a>>,
    counts: Vec<Share>,
    facts: Vec<(&'static str, Link<'a>)>,
    failure: Option<&'a Failure>,
    notes: Vec<Note<'a>>,
    warnings: Vec<Text<'a>>,
    groups: Vec<Group<'a>>,
    others: Vec<TestView<'a>>,
    bugs: Vec<BugView<'a>>,
    passed: Vec<TestView<'a>>,
    /// Tests and bugs beyond those that are shown.
    beyond: usize,
    pictures_left_out: usize,
    around: Around<'a>,
    finished: String,
}

/// How many tests came to what.
struct Share {
    count: usize,
    words: &'static str,
    mood: Mood,
    /// Its part of the bar.
    x: usize,
    width: usize,
}

/// A list of things to look at.
struct Note<'a> {
    title: &'static str,
    lines: Vec<Text<'a>>,
}

/// Tests that fail for the same reason.
struct Group<'a> {
    /// Its place, from 0.
    number: usize,
    /// `148 tests fail at`, where there are several.
    title: Option<(String, Text<'a>)>,
    tests: Vec<TestView<'a>>,
}

struct BugView<'a> {
    title: Text<'a>,
    mood: Mood,
    facts: Vec<Text<'a>>,
    description: Vec<Text<'a>>,
    reproduction: Vec<Text<'a>>,
    /// Tests that show it: number and name.
    tests: Vec<(usize, Text<'a>)>,
    picture: Option<PictureView<'a>>,
    links: Vec<Link<'a>>,
}

/// A test and its place in the report, from 1.
type Numbered<'a> = (usize, Judged<'a>);

impl<'a> View<'a> {
    pub(super) fn of(report: &'a RunReport, pictures: &'a Pictures, level: DetailLevel) -> Self {
        let around = Around { report, pictures, words: level.words() };
        let index = |job: &Job| report.jobs.iter().position(|one| std::ptr::eq(one, job)).unwrap_or(0) + 1;
        let (mut failed, mut others, mut passed) = (Vec::new(), Vec::new(), Vec::new());
        for (job, judgement) in judged(report) {
            let list = match judgement.map(|one| (one.standing, one.flaky)) {
                Some((GateStatus::Failed, _)) => &mut failed,
                Some((GateStatus::Passed, false)) => &mut passed,
                _ => &mut others,
            };
            list.push((index(job), (job, judgement)));
        }
        let shown = |list: &[Numbered<'a>]| -> Vec<TestView<'a>> {
            list.iter()
                .take(level.most())
                .map(|&(number, judged)| TestView::of(around, number, judged))
                .collect()
        };
        let mut passed_tests = shown(&passed);
        if level.depth > Depth::Full {
            // Their names tell enough.
            for test in &mut passed_tests {
                test.runs.clear();
            }
        }
        let bugs = report.verdict.as_ref().map_or(&[][..], |verdict| &verdict.bugs);
        let beyond = |count: usize| count.saturating_sub(level.most());
        Self {
            title: text(&format!("{}: nunu.ai play-test", headline(report)), 200).into_owned(),
            mood: mood(report),
            headline: headline(report),
            delta: delta(around),
            counts: shares(report),
            facts: facts(around),
            failure: report.failure.as_ref(),
            notes: notes(around),
            warnings: report.warnings.iter().take(50).map(|warning| around.text(warning)).collect(),
            beyond: [failed.len(), others.len(), passed.len(), bugs.len()].into_iter().map(beyond).sum(),
            groups: groups(around, failed.into_iter().take(level.most())),
            others: shown(&others),
            bugs: bugs.iter().take(level.most()).map(|bug| bug_view(around, bug)).collect(),
            passed: passed_tests,
            pictures_left_out: pictures.left_out(report),
            around,
            finished: format_time(report.finished_at),
        }
    }
}

impl View<'_> {
    /// What the page may load: its own style and script, and the pictures inside it.
    fn policy() -> String {
        let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
        format!(
            "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
            hash(STYLE),
            hash(SCRIPT)
        )
    }
}

fn mood(report: &RunReport) -> Mood {
    match report.reason.status() {
        _ if report.unfinished => Mood::None,
        Status::Passed | Status::Started | Status::Uploaded | Status::Checked => Mood::Passed,
        Status::Failed => Mood::Failed,
        Status::Skipped | Status::Cancelled => Mood::None,
        Status::Error | Status::TimedOut | Status::Stalled => Mood::Broken,
    }
}

/// The counts that are not nought, and their parts of a bar of 1000.
fn shares(report: &RunReport) -> Vec<Share> {
    let counts = report.counts();
    let mut x = 0;
    let parts = counts.parts().into_iter().filter(|(count, _)| *count > 0);
    parts
        .map(|(count, counted)| {
            let share = Share {
                count,
                words: counted.words(),
                mood: Mood::of_counted(counted),
                x: x * 1000 / counts.total,
                width: count * 1000 / counts.total,
            };
            x += count;
            share
        })
        .collect()
}

/// What is new since the baseline, and the bugs that are gone.
fn delta(around: Around<'_>) -> Vec<Text<'_>> {
    let sentence = delta_sentence(around.report).map(|words| text(&words, around.words).into_owned().into());
    let delta = around.report.verdict.as_ref().and_then(|verdict| verdict.delta.as_ref());
    let fixed = delta.into_iter().flat_map(|delta| &delta.bugs_fixed).take(20);
    let fixed = fixed.map(|bug| format!("fixed: {}", text(&bug.title, around.words.min(200))).into());
    sentence.into_iter().chain(fixed).collect()
}

/// What was tested, where and when.
fn facts(around: Around<'_>) -> Vec<(&'static str, Link<'_>)> {
    let (report, context) = (around.report, &around.report.context);
    let joined = |parts: Vec<Option<Text<'_>>>| {
        let parts: Vec<Text<'_>> =
            parts.into_iter().flatten().filter(|part| !part.trim().is_empty()).collect();
        parts.join(", ")
    };
    let mut facts: Vec<(&'static str, String, Option<&str>)> = Vec::new();
    if let Some(build) = &report.build {
        let parts = vec![
            build.name.as_deref().map(|name| around.text(name)),
            build.file_name.as_deref().map(|name| around.text(name)),
            build.platform.map(|platform| platform.as_str().into()),
            build.size_bytes.map(|size| bytes(size).into()),
            build.id.as_deref().map(|id| text(id, 128)),
            Some(build.origin.as_str().into()),
        ];
        facts.push(("Build", joined(parts), None));
    }
    let commit =
        context.commit.as_deref().map(|commit| text(commit, 7).trim_end_matches('…').to_owned().into());
    let subject = context.commit_subject.as_deref().map(|subject| around.text(subject));
    facts.push(("Commit", joined(vec![commit, subject]), None));
    facts.push(("Branch", joined(vec![context.branch.as_deref().map(|branch| around.text(branch))]), None));
    let number = context.pull_request.map(|number| format!("#{number}").into());
    let title = context.pull_request_title.as_deref().map(|title| around.text(title));
    facts.push(("Pull request", joined(vec![number, title]), None));
    let mut devices: BTreeMap<String, usize> = BTreeMap::new();
    for device in report.jobs.iter().map(device).filter(|device| !device.is_empty()) {
        *devices.entry(device).or_default() += 1;
    }
    let devices = devices.into_iter().take(20).map(|(device, tests)| {
        Some(if tests > 1 { format!("{device} ({tests} tests)") } else { device }.into())
    });
    facts.push(("Devices", joined(devices.collect()), None));
    let ci =
        context.build_number.as_deref().map(|number| format!("{} {}", context.ci, text(number, 40)).into());
    let ci = ci.or_else(|| context.ci_url.as_deref().and(Some("CI run".into())));
    facts.push(("CI", joined(vec![ci]), context.ci_url.as_deref()));
    facts.push(("Took", duration(report.duration), None));
    facts.push(("Exit", format!("code {}, {}", report.reason.exit_code(), report.reason), None));
    let told = facts.into_iter().filter(|(_, words, _)| !words.is_empty());
    told.map(|(name, words, href)| (name, Link { words: words.into(), href: href.and_then(address) }))
        .collect()
}

/// What may still run, and what was not started.
fn notes(around: Around<'_>) -> Vec<Note<'_>> {
    let report = around.report;
    let running = report.left_running.iter().map(|left| {
        let ids = if left.job_ids.is_empty() {
            "a start whose answer never came".to_owned()
        } else {
            left.job_ids.join(", ")
        };
        let tag = left.tag.as_deref().map_or_else(String::new, |tag| format!(" (tag {tag})"));
        text(&format!("{ids}{tag}: {}", left.why), around.words).into_owned().into()
    });
    let starts = report.starts.iter().map(|problem| {
        let device = problem.device.as_deref().map_or_else(String::new, |device| format!(" on {device}"));
        text(&format!("{}{device}: {}", problem.run, problem.message), around.words).into_owned().into()
    });
    let notes = [
        Note { title: "May still be running", lines: running.collect() },
        Note { title: "Not started", lines: starts.collect() },
    ];
    notes.into_iter().filter(|note| !note.lines.is_empty()).collect()
}

/// Failed tests, equal failures together.
fn groups<'a>(around: Around<'a>, failed: impl Iterator<Item = Numbered<'a>>) -> Vec<Group<'a>> {
    let groups = grouped(failed, |(_, judged)| *judged).into_iter().enumerate();
    groups
        .map(|(number, (at, tests))| {
            let several = at.filter(|_| tests.len() > 1);
            Group {
                number,
                title: several
                    .map(|at| (format!("{} tests fail at", tests.len()), text(at, around.words.min(300)))),
                tests: tests
                    .into_iter()
                    .map(|(number, judged)| TestView::of(around, number, judged))
                    .collect(),
            }
        })
        .collect()
}

fn bug_view<'a>(around: Around<'a>, judged: &'a JudgedBug) -> BugView<'a> {
    let bug = &judged.bug;
    let job = |index: usize| around.report.jobs.get(index);
    let run = judged.jobs.first().and_then(|&index| job(index)?.deciding());
    let lines = |raw: &'a Option<String>| around.lines(raw.as_deref().unwrap_or_default());
    let player = run.and_then(|run| run.players.get(usize::try_from(bug.player_number.unwrap_or(0)).ok()?));
    let seen = player.zip(bug.detected_at).and_then(|(player, at)| recording(player, run?.second_of(at)?));
    let screenshot =
        bug.screenshot_url.as_deref().and_then(address).filter(|_| bug.screenshot_saved_as.is_none());
    let screenshot = screenshot.map(|href| Link { words: "screenshot".into(), href: Some(href) });
    let confidence =
        bug.confidence.as_deref().map(|confidence| format!("{} confidence", text(confidence, 40)).into());
    let asked = around.report.verdict.as_ref().is_some_and(|verdict| verdict.delta.is_some());
    let change = asked.then(|| bug_change_words(judged.change).into());
    let quarantined = judged.quarantined.as_deref().map(|why| around.text(why));
    let severity = bug.severity.as_deref().map_or("unknown severity".into(), |severity| text(severity, 40));
    BugView {
        title: text(
            if bug.title.trim().is_empty() { &bug.bug_id } else { &bug.title },
            around.words.min(300),
        ),
        mood: if judged.counts { Mood::Failed } else { Mood::Tolerated },
        facts: [
            Some(severity),
            change,
            confidence,
            bug.category.as_deref().map(|category| text(category, 40)),
            quarantined,
        ]
        .into_iter()
        .flatten()
        .collect(),
        description: lines(&bug.description),
        reproduction: lines(&bug.reproduction_steps),
        tests: judged
            .jobs
            .iter()
            .take(20)
            .filter_map(|&index| Some((index + 1, text(&job(index)?.label(), 200).into_owned().into())))
            .collect(),
        picture: bug.screenshot_saved_as.as_deref().map(|path| picture(around, path)),
        links: seen.into_iter().chain(screenshot).collect(),
    }
}
