//! Fuzz targets of this module: remote text stays text in every format.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use crate::fuzzing::Pieces;
use crate::model::job::{Artifact, Attempt, Bug, Job, Player, Step, StepItem};
use crate::model::judge::{decide, judge};
use crate::model::run_report::{Context, Suspect};
use crate::model::units::Timestamp;
use crate::model::verdict::Gate;
use crate::model::{Build, BuildOrigin, ExitReason, Failure, RunReport, TestResult};

use super::annotations::gitlab;
use super::artifact_path::safe_artifact_path;
use super::brief::brief;
use super::comment::comment;
use super::ctrf::ctrf;
use super::dotenv::dotenv;
use super::escape::{address, code, inline, link, quote, xml};
use super::markdown::LARGEST;
use super::outputs::{Files, outputs};
use super::read::read;
use super::{json, junit};

#[path = "report_page.rs"]
mod report_page;

pub(crate) use report_page::{assert_inert_page, page};

/// The entities that we write.
const ENTITIES: [&str; 6] = ["&lt;", "&gt;", "&amp;", "&#58;", "&#46;", "&nbsp;"];

/// One line without active markup.
fn assert_inert(made: &str) {
    let mut rest = made;
    while let Some(letter) = rest.chars().next() {
        let mut used = letter.len_utf8();
        let at = made.len() - rest.len();
        let next = rest[used..].chars().next();
        match letter {
            // A commit hash, as code.
            '`' => {
                let code =
                    rest.get(1..41).is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
                assert!(code && rest[41..].starts_with('`'), "{made:?}");
                used = 42;
            }
            '_' => {
                let word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
                assert!(word(made[..at].chars().next_back()) && word(next), "{made:?}");
            }
            '=' => assert!(at > 0, "{made:?}"),
            '#' | '~' | '^' | '!' | '$' => panic!("{made:?}"),
            '\\' if "#!$~^".contains(next.unwrap_or(' ')) => {
                let after = rest[2..].chars().next();
                assert!(after.is_none_or(|letter| letter != '"' && !letter.is_alphanumeric()), "{made:?}");
                used = 2;
            }
            '\\' => used += rest[1..].chars().next().map_or(0, char::len_utf8),
            '&' => {
                let entity = ENTITIES.iter().find(|entity| rest.starts_with(**entity));
                assert!(entity.is_some(), "{made:?}");
                used = entity.map_or(1, |entity| entity.len());
            }
            '@' => assert!(rest[1..].starts_with('\u{200b}'), "{made:?}"),
            _ => assert!(!"<>*[]|{}\n\r\t".contains(letter) && !letter.is_control(), "{made:?}"),
        }
        rest = &rest[used..];
    }
    let lower = made.to_ascii_lowercase();
    assert!(!lower.contains("://") && !lower.contains("www."), "{made:?}");
    assert!(!made.starts_with(['-', '+']), "{made:?} begins a list");
    let after_digits = made.trim_start_matches(|letter: char| letter.is_ascii_digit());
    assert!(
        after_digits.len() == made.len() || !after_digits.starts_with(['.', ')']),
        "{made:?} begins a list"
    );
}

/// Text in Markdown: paragraphs, code spans, quotes, links.
pub(crate) fn markdown(data: &[u8]) {
    let mut pieces = Pieces::of(data);
    let (text, url) = (pieces.text(), pieces.text());
    assert_inert(&inline(&text));
    let span = code(&text);
    let inside = span.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    assert!(
        span.is_empty() || inside.is_some_and(|inside| !inside.contains(['`', '<', '\n', '\r'])),
        "{span:?}"
    );
    for line in quote(&text).split_terminator('\n') {
        assert_inert(line.strip_prefix("> ").map_or("<", |line| line.strip_suffix("  ").unwrap_or(line)));
    }
    if let Some(url) = address(&url) {
        assert!(
            !url.contains(['(', ')', '<', '>', '"', '\\', '`', ' ', '[', ']']) && url.is_ascii(),
            "{url:?}"
        );
        assert!(link(&text, Some(&url)).ends_with(&format!("]({url})")));
    } else {
        assert_inert(&link(&text, Some(&url)));
    }
}

/// A report whose every remote text comes from the input.
fn report(data: &[u8]) -> RunReport {
    let mut pieces = Pieces::of(data);
    let mut text = || pieces.text().into_owned();
    let bug = Bug {
        id: text(),
        bug_id: text(),
        title: text(),
        description: Some(text()),
        severity: Some(text()),
        reproduction_steps: Some(text()),
        screenshot_url: Some(text()),
        ..Bug::default()
    };
    let item = StepItem { id: text(), expected: text(), status: text(), comment: Some(text()) };
    let step = Step {
        number: 1,
        goal: text(),
        result: Some(TestResult::parse(&text())),
        report: Some(text()),
        items: vec![item],
        ..Step::default()
    };
    let artifact = Artifact { file_name: text(), url: text(), size_bytes: None, saved_as: Some(text()) };
    let player = Player {
        id: text(),
        device: Some(text()),
        steps: vec![step],
        artifacts: vec![artifact],
        ..Player::default()
    };
    let attempt = Attempt {
        run_id: text(),
        url: Some(text()),
        state: Some(text()),
        result: Some(TestResult::parse(&text())),
        players: vec![player],
        bugs: vec![bug],
        unreadable: Some(text()),
        ..Attempt::default()
    };
    let job = Job {
        run: text(),
        required: true,
        job_id: text(),
        test_id: Some(text()),
        test_name: Some(text()),
        device: Some(text()),
        status: Some(crate::model::job::JobStatus::Completed),
        queue_rejection: Some(text()),
        stopped_by: Some(text()),
        attempts: vec![attempt],
        ..Job::default()
    };
    let failure = Failure::new(ExitReason::RunError, text()).cause(text()).hint(text());
    let context = Context {
        commit_subject: Some(text()),
        branch: Some(text()),
        ci_url: Some(text()),
        ..Context::default()
    };
    let build = Build {
        id: Some(text()),
        origin: BuildOrigin::Given,
        name: Some(text()),
        file_name: Some(text()),
        ..Build::none()
    };
    let jobs = vec![job];
    let failure = data.len().is_multiple_of(2).then_some(failure);
    let verdict = Some(judge(&jobs, &Gate::default(), chrono::NaiveDate::default()));
    RunReport {
        command: "run",
        reason: decide(failure.as_ref(), verdict.as_ref(), ExitReason::Passed),
        started_at: Timestamp::default(),
        finished_at: Timestamp::default(),
        duration: Duration::from_secs(1),
        context,
        page_url: Some(text()),
        build: Some(build),
        jobs,
        starts: Vec::new(),
        gate: Some(Gate::default()),
        verdict,
        failure,
        left_running: Vec::new(),
        suspects: vec![Suspect { commit: text(), subject: text() }],
        warnings: vec![text()],
        test_plan_execution_id: Some(text()),
        run_config: Some(text()),
        files: Vec::new(),
        unfinished: false,
    }
}

/// The summary and the comment: bounded, and every tag in them is one of ours.
pub(crate) fn summary(data: &[u8]) {
    let report = report(data);
    for (text, most) in
        [(super::markdown(&report), LARGEST), (comment(&report, "acme/game playtest"), 65_536)]
    {
        assert!(text.len() <= most, "{} bytes", text.len());
        let ours =
            ["details>", "/details>", "summary>", "/summary>", "br>", "!-- nunu-ci acme/game playtest -->"];
        for after in text.split('<').skip(1) {
            assert!(ours.iter().any(|tag| after.starts_with(tag)), "a tag of somebody else: {text}");
        }
        assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
    }
}

/// `JUnit` is well-formed and has the elements that we put in, whatever the text.
pub(crate) fn junit_file(data: &[u8]) {
    let report = report(data);
    let elements = well_formed(&junit(&report, "nunu-results/"));
    for (name, most) in [("testsuites", 1), ("testsuite", 4), ("testcase", 8), ("script", 0)] {
        assert!(elements.iter().filter(|element| *element == name).count() <= most, "{elements:?}");
    }
    let known = [
        "testsuites",
        "testsuite",
        "testcase",
        "properties",
        "property",
        "failure",
        "error",
        "flakyFailure",
        "flakyError",
        "rerunFailure",
        "rerunError",
        "skipped",
        "system-out",
        "system-err",
    ];
    assert!(elements.iter().all(|element| known.contains(&element.as_str())), "{elements:?}");
    assert!(xml(&String::from_utf8_lossy(data)).chars().all(is_xml));
}

/// Characters of XML 1.0 (section 2.2).
fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Reads XML strictly enough to notice text that became markup; gives back the names of all elements.
fn well_formed(text: &str) -> Vec<String> {
    assert!(text.chars().all(is_xml), "a character that XML does not have: {text:?}");
    let Some((_, mut rest)) = text.split_once("?>") else { panic!("no declaration: {text}") };
    let (mut open, mut seen): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    while let Some((before, after)) = rest.split_once('<') {
        assert_text(before);
        let Some((tag, next)) = after.split_once('>') else { panic!("an open tag in {text}") };
        rest = next;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.trim()), "{text}");
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name:?} in {text}");
        seen.push(name.to_owned());
        if !closed {
            open.push(name);
        }
        let quoted: Vec<&str> = attributes.split('"').collect();
        assert!(quoted.len() % 2 == 1, "{tag:?}");
        quoted.iter().skip(1).step_by(2).for_each(|value| assert_text(value));
        for name in quoted.iter().step_by(2).filter(|name| !name.trim().is_empty()) {
            let name = name.trim().strip_suffix('=').unwrap_or("?");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:_".contains(&byte)),
                "{tag:?}"
            );
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest:?}");
    seen
}

/// Text or a value: every `&` is one of XML's own entities or a number.
fn assert_text(text: &str) {
    for after in text.split('&').skip(1) {
        let entity = after.split(';').next().unwrap_or_default();
        let known = ["lt", "gt", "amp", "quot", "apos"].contains(&entity) || entity.starts_with('#');
        assert!(known && after.len() > entity.len(), "&{after}");
    }
}

/// `results.json` and GitLab's annotations are JSON that says the same.
pub(crate) fn results_json(data: &[u8]) {
    let report = report(data);
    for text in [json(&report), gitlab(&report)] {
        let read: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert!(read.is_ok(), "{text}");
    }
    let read: serde_json::Value = serde_json::from_str(&json(&report)).unwrap_or_default();
    let bug = read.pointer("/bugs/0/bug_id").and_then(serde_json::Value::as_str).map(Cow::from);
    assert!(bug.is_none_or(|bug| bug == report.jobs[0].attempts[0].bugs[0].bug_id), "{read}");
}

/// `ctrf.json` is JSON whose counts add up, in which no text has a control character, and whose links are addresses.
pub(crate) fn ctrf_file(data: &[u8]) {
    let report = report(data);
    let text = ctrf(&report);
    let Ok(read) = serde_json::from_str::<serde_json::Value>(&text) else { panic!("{text}") };
    let summary = &read["results"]["summary"];
    let counts = ["passed", "failed", "skipped", "pending", "other"].map(|name| summary[name].as_u64());
    let sum: u64 = counts.into_iter().flatten().sum();
    assert_eq!(Some(sum), summary["tests"].as_u64(), "{text}");
    assert_eq!(summary["failed"] == 0, report.reason.exit_code() == 0, "{text}");
    each_text(&read, &mut |name, text| {
        let plain = |letter: char| !letter.is_control() || (letter == '\n' && name == "message");
        assert!(text.chars().all(plain), "{name}: {text:?}");
        let is_link = matches!(name, "run_url" | "url" | "source" | "buildUrl" | "repositoryUrl");
        assert!(!is_link || address(text).is_some(), "{name}: {text:?}");
    });
}

/// The brief is bounded, and no word of others stands outside of its fences.
pub(crate) fn brief_file(data: &[u8]) {
    let text = brief(&report(data), "nunu-results/");
    assert!(text.len() <= super::brief::LARGEST, "{} bytes", text.len());
    assert!(
        text.chars().all(|letter| letter == '\n' || !letter.is_control()) && !text.contains('<'),
        "{text:?}"
    );
    let (mut fence, mut outside): (Option<&str>, usize) = (None, 0);
    for line in text.lines() {
        match fence {
            Some(closing) if line == closing => fence = None,
            Some(_) => assert!(line.contains(": "), "{line:?}"),
            None if line.starts_with("~~~") => fence = line.strip_suffix("text"),
            None => outside += line.len(),
        }
    }
    // Ours alone: the same, whatever others say.
    assert!(fence.is_none() && outside < 2000, "{outside}: {text}");
}

/// Shows every text to `see`, with the name of its field.
fn each_text(value: &serde_json::Value, see: &mut impl FnMut(&str, &str)) {
    fn inner(name: &str, value: &serde_json::Value, see: &mut impl FnMut(&str, &str)) {
        match value {
            serde_json::Value::String(text) => see(name, text),
            serde_json::Value::Array(items) => items.iter().for_each(|item| inner(name, item, see)),
            serde_json::Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| inner(name, field, see));
            }
            _ => {}
        }
    }
    inner("", value, see);
}

/// The dotenv file holds known names and plain values, in 5 KB; outputs have one line.
pub(crate) fn dotenv_file(data: &[u8]) {
    let report = report(data);
    let files = Files {
        results: PathBuf::from("r.json"),
        junit: PathBuf::from("j.xml"),
        summary: PathBuf::from("s.md"),
    };
    let known: Vec<(&str, String)> = outputs(&report, Some(&files));
    for (_, value) in &known {
        assert!(!value.contains(char::is_control), "{value:?}");
    }
    let text = dotenv(&report, &files).text;
    assert!(
        text.len() <= 5 * 1024 && text.lines().count() <= 20 && (text.is_empty() || text.ends_with('\n')),
        "{text}"
    );
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { panic!("{line:?}") };
        let output = name.trim_start_matches("NUNU_OUTPUT_").to_ascii_lowercase().replace('_', "-");
        assert!(
            name.starts_with("NUNU_OUTPUT_") && known.iter().any(|(known, _)| *known == output),
            "{line:?}"
        );
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:@%+=,~-".contains(&byte);
        assert!(value.bytes().all(plain), "{line:?}");
    }
}

/// Downloads stay in their folder, under names that every system takes.
pub(crate) fn artifact_path(data: &[u8]) {
    let mut pieces = Pieces::of(data);
    let (name, run, player) = (pieces.text(), pieces.text(), pieces.text());
    let or =
        |text: Cow<'_, str>, other: &str| if text.is_empty() { other.to_owned() } else { text.into_owned() };
    let Some(path) = safe_artifact_path(&or(run, "r1"), &or(player, "r1-1"), &name) else { return };
    let parts: Vec<&str> = path.split('/').collect();
    assert!(parts.len() >= 4 && parts[0] == "artifacts", "{path:?}");
    for part in parts {
        assert!(!part.is_empty() && part.len() <= 255 && !part.starts_with(".."), "{path:?}");
        assert!(!part.ends_with(['.', ' ']) && part.trim() == part, "{path:?}");
        assert!(!part.contains(['\\', ':', '<', '>', '"', '|', '?', '*']), "{path:?}");
        assert!(
            !part.contains(|letter: char| letter.is_control() || ('\u{202a}'..='\u{202e}').contains(&letter)),
            "{path:?}"
        );
        let stem = part.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
        assert!(
            !["con", "prn", "aux", "nul", "com1", "lpt1", "conin$", "conout$"].contains(&stem.as_str()),
            "{path:?}"
        );
    }
}

/// What is read as a `results.json`: anything is refused or read; what is read holds ids and paths that are harmless, and says the
/// same when it is written and read again.
pub(crate) fn results_read(data: &[u8]) {
    let Ok(report) = read(data) else { return };
    for (_, value) in outputs(&report, None) {
        assert!(!value.contains(char::is_control), "{value:?}");
    }
    let runs = report.jobs.iter().flat_map(|job| &job.attempts);
    for artifact in runs.flat_map(|run| &run.players).flat_map(|player| &player.artifacts) {
        let path = artifact.saved_as.as_deref().unwrap_or("x");
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\\', ':']));
    }
    assert_eq!(read(json(&report).as_bytes()).map(|again| json(&again)), Ok(json(&report)));
}
