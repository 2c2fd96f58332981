//! `report.html`: inert, complete, within its limits, and written for the browsers of `tests/packaging/check_page.py`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::reports::{all, bug, job, player, report, step};
use crate::model::baseline::{
    Baseline, BaselineRule, BaselineRun, CarriedOver, History, KnownBug, PastResult,
};
use crate::model::job::{Artifact, Job};
use crate::model::units::parse_time;
use crate::model::verdict::Gate;
use crate::model::{RunReport, TestResult};
use crate::report::evidence::{LARGEST, write};
use crate::report::fuzz::assert_inert_page;

/// The page of a report, with the pictures in this folder.
fn page_in(report: &RunReport, dir: &Path) -> String {
    let mut made = Vec::new();
    write(report, dir, &mut made).unwrap();
    String::from_utf8(made).unwrap()
}

/// The page without pictures.
pub(super) fn page(report: &RunReport) -> String {
    page_in(report, Path::new("/nowhere"))
}

/// A screenshot of a shop: a picture that no library had to make.
fn screenshot(size: usize, seed: usize) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..size {
        pixels.push(0);
        for x in 0..size / 2 {
            let card = (size / 8..size * 3 / 8).contains(&x) && y % (size / 4) > size / 16 && y > size / 8;
            let shade = u8::try_from(y * 90 / size).unwrap();
            let button = y > size * 7 / 8 && (size / 8..size * 3 / 8).contains(&x);
            pixels.extend(match (button, card) {
                (true, _) => [216, 64, 58],
                (_, true) => [238, 224, 190],
                _ => [38 + shade / 2, 46 + shade, u8::try_from(120 + seed * 13 % 100).unwrap()],
            });
        }
    }
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &pixels).unwrap();
    let bytes = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
    let head = [bytes(size / 2).as_slice(), &bytes(size), &[8, 2, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", head), (b"IDAT", packed.finish().unwrap()), (b"IEND", Vec::new())] {
        let mut crc = flate2::Crc::new();
        let body = [name.as_slice(), &data].concat();
        crc.update(&body);
        png.extend([bytes(data.len()).as_slice(), &body, &crc.sum().to_be_bytes()].concat());
    }
    png
}

/// Leaves a file of a run in `dir`.
fn file(dir: &Path, run: &str, name: &str, bytes: &[u8]) -> Artifact {
    let path = format!("artifacts/{run}/{run}-1/{name}");
    let place = dir.join(&path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, bytes).unwrap();
    Artifact {
        file_name: name.to_owned(),
        url: format!("https://bouncer.nunu.ai/{path}"),
        size_bytes: None,
        saved_as: Some(path),
    }
}

fn at(second: u32) -> Option<chrono::DateTime<chrono::Utc>> {
    parse_time(&format!("2026-03-03T15:{:02}:{:02}Z", 50 + second / 60, second % 60))
}

/// A test of a shop that fails in the middle, with all that may be known of it.
fn shop(dir: &Path, number: usize, screen: &[u8]) -> Job {
    let run = format!("run{number}");
    let words = ["Open the shop", "Buy the starter pack", "Equip the sword"];
    let results = ["SUCCESS", "FAILED", "SKIPPED"];
    let said = "I opened the shop and tapped **Buy** three times. Each time the button flashed, and nothing else happened.\nThe coins stayed at 50, and the starter pack did not appear in the inventory.";
    let mut steps: Vec<_> = (1..)
        .zip(words.iter().zip(results))
        .map(|(number, (goal, result))| step(number, goal, result, if number == 2 { said } else { "" }))
        .collect();
    for (step, (from, to)) in steps.iter_mut().zip([(70, 102), (104, 196), (196, 196)]) {
        (step.started_at, step.ended_at) = (at(from), at(to));
        step.duration = Some(Duration::from_secs(u64::from(to - from)));
    }
    steps[1].items[0].comment = Some("the balance did not change".to_owned());
    "The starter pack is in the inventory".clone_into(&mut steps[1].items[0].expected);
    let mut who = player(1, steps);
    who.id = format!("{run}-1");
    who.artifacts = vec![
        file(dir, &run, "step-2.png", screen),
        file(dir, &run, "recording.mp4", b"x"),
        file(dir, &run, "device_log.log", b"x"),
    ];
    who.log_tail = Some("03-03 15:52:58 W/Billing: purchase pending\n03-03 15:53:01 E/Billing: no answer from the store: timeout after 3000 ms\n03-03 15:53:02 I/Shop: buy button enabled".to_owned());
    let mut job = job(&format!("Shop {number}"), "FAILED", vec![who]);
    job.test_id = Some(format!("test-{number}"));
    job.created_at = at(0);
    job.attempts[0].run_id = run;
    let known =
        |id: &str, title: &str| KnownBug { bug_id: id.to_owned(), title: title.to_owned(), severity: None };
    job.baseline = Some(Baseline::Found(Box::new(BaselineRun {
        job_id: "job-0".to_owned(),
        run_id: "old0".to_owned(),
        url: Some("https://nunu.ai/nexus/p/runs/m/old0/details".to_owned()),
        branch: "main".to_owned(),
        commit: Some("89abcdef01".to_owned()),
        finished_at: parse_time("2026-03-03T10:55:00Z"),
        rule: BaselineRule::BaseBranch,
        result: TestResult::Success,
        bugs: vec![known("bug-2", "\"Equipped\" is cut off"), known("bug-0", "The shop opens twice")],
    })));
    job.history = Some(History {
        branch: "main".to_owned(),
        results: (0..14_u64)
            .map(|back| PastResult {
                run_id: format!("old{back}"),
                url: Some(format!("https://nunu.ai/nexus/p/runs/m/old{back}/details")),
                commit: Some("89abcdef".to_owned()),
                result: Some(TestResult::parse(
                    ["SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "SUCCESS", "ERROR"]
                        [usize::try_from(back).unwrap() % 6],
                )),
                finished_at: at(0),
                duration: Some(Duration::from_secs(170 + back)),
                failing_step: None,
            })
            .collect(),
    });
    job
}

/// A report with screenshots, history, attempts and bugs.
fn shops(dir: &Path) -> RunReport {
    let mut jobs: Vec<Job> = (1..=3).map(|number| shop(dir, number, &screenshot(640, number))).collect();
    let mut flaky = shop(dir, 4, &screenshot(64, 4));
    let mut again = flaky.attempts[0].clone();
    flaky.attempts[0].result = Some(TestResult::Error);
    flaky.attempts[0].started_at = at(10);
    flaky.attempts[0].completed_at = at(40);
    flaky.attempts[0].players =
        vec![player(1, vec![step(1, "Open the shop", "ERROR", "The device lost its connection.")])];
    "run4a".clone_into(&mut flaky.attempts[0].run_id);
    again.result = Some(TestResult::Success);
    again.started_at = at(60);
    for step in again.players.iter_mut().flat_map(|player| &mut player.steps) {
        step.result = Some(TestResult::Success);
    }
    flaky.attempts.push(again);
    let mut carried = job("Login", "SUCCESS", vec![player(1, vec![step(1, "Log in", "SUCCESS", "")])]);
    carried.carried_over = Some(CarriedOver { attempt: 1 });
    let mut found = bug("bug-1", "Buying the starter pack changes nothing", "critical");
    found.detected_at = at(140);
    found.player_number = Some(0);
    found.screenshot_saved_as = file(dir, "run1", "bugs/bug-1.png", &screenshot(640, 7)).saved_as;
    jobs[0].attempts[0].bugs = vec![found, bug("bug-2", "\"Equipped\" is cut off in the inventory", "low")];
    jobs.extend([
        flaky,
        carried,
        job("Tutorial", "SUCCESS", vec![player(1, vec![step(1, "Finish the tutorial", "SUCCESS", "")])]),
    ]);
    report(jobs, &Gate::default(), None)
}

#[test]
fn every_page_is_inert_and_loads_nothing() {
    let home = tempfile::tempdir().unwrap();
    for (name, report) in all().into_iter().chain([("shops", shops(home.path()))]) {
        let made = page_in(&report, home.path());
        assert!(made.len() <= LARGEST, "{name}: {} bytes", made.len());
        assert_inert_page(&made);
    }
}

#[test]
fn the_policy_names_the_style_and_the_script_and_nothing_else() {
    let (_, report) = &all()[0];
    let made = page(report);
    let inside = |tag: &str| {
        let (_, rest) = made.split_once(&format!("<{tag}>")).unwrap();
        let text = rest.split_once(&format!("</{tag}>")).unwrap().0;
        format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
    };
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        inside("style"),
        inside("script")
    );
    assert!(made.contains(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")));
    assert!(include_str!("../../../templates/report/page.css").len() < 15_000);
}

#[test]
fn a_thousand_tests_with_five_hundred_screenshots_fit() {
    let home = tempfile::tempdir().unwrap();
    let noise: Vec<u8> =
        (0..60_000_u32).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let small = screenshot(16, 1);
    let jobs = (0..1000).map(|number| {
        if number % 2 == 1 {
            return job(
                &format!("Test {number}"),
                "SUCCESS",
                vec![player(1, vec![step(1, "play", "SUCCESS", "")])],
            );
        }
        let mut one = shop(home.path(), number, &small);
        one.attempts[0].players[0].artifacts =
            vec![file(home.path(), &format!("run{number}"), "step-2.png", &[&small[..], &noise].concat())];
        one
    });
    let report = report(jobs.collect(), &Gate::default(), None);
    let began = Instant::now();
    let made = page_in(&report, home.path());
    println!("page: {} bytes in {:.1} s", made.len(), began.elapsed().as_secs_f64());
    assert!(made.len() <= LARGEST, "{} bytes", made.len());
    let inlined = made.matches("src=\"data:image/png;base64,").count();
    assert!(inlined > 50, "only {inlined}");
    assert!(made.contains(&format!("{} screenshots are not in this page", 500 - inlined)));
    assert!(made.contains("500 tests fail at <em>Buy the starter pack</em>"));
    let base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    let texts: String = made.split("image/png;base64,").map(|text| text.trim_start_matches(base64)).collect();
    for number in 0..1000 {
        let kind = if number % 2 == 1 { "Test" } else { "Shop" };
        assert!(texts.contains(&format!("> smoke / {kind} {number}<")), "{number}");
    }
}

#[test]
fn only_pictures_by_their_first_bytes_are_shown() {
    let home = tempfile::tempdir().unwrap();
    let mut one = shop(home.path(), 1, b"");
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>";
    let kinds: [(&str, &[u8]); 6] = [
        ("a.png", &screenshot(16, 1)),
        ("b.jpg", b"\xff\xd8\xff\xe0 a picture"),
        ("c.webp", b"RIFF\x10\0\0\0WEBPVP8 "),
        ("d.png", svg),
        ("e.jpg", b"<html><script>alert(1)</script>"),
        ("f.png", b""),
    ];
    one.attempts[0].players[0].artifacts =
        kinds.iter().map(|(name, bytes)| file(home.path(), "run1", name, bytes)).collect();
    let made = page_in(&report(vec![one], &Gate::default(), None), home.path());
    for (kind, count) in
        [("data:image/png", 1), ("data:image/jpeg", 1), ("data:image/webp", 1), ("data:", 4), ("onload", 0)]
    {
        assert_eq!(made.matches(kind).count(), count, "{kind}");
    }
    assert_eq!(made.matches("<figcaption><a href=\"artifacts/run1/run1-1/").count(), 6, "each is linked");
}

#[test]
fn the_page_tells_what_happened_before_it_shows_it() {
    let home = tempfile::tempdir().unwrap();
    let made = page_in(&shops(home.path()), home.path());
    let mut from = 0;
    for words in [
        "failed: 3 of 6 tests passed, 3 failed (3 newly failing), 2 bugs (1 new)",
        "1 new bug, 1 known, 1 fixed; 3 tests newly failing (baseline: main @ 89abcde, 5 h ago)",
        "fixed: The shop opens twice",
        "<strong>3</strong> passed",
        "<strong>6</strong> in all",
        "<dt>Build</dt>",
        "<dt>Commit</dt>",
        "<dt>Devices</dt>",
        "3 tests fail at <em>Buy the starter pack</em>",
        "smoke / Shop 1",
        "queued 23 s, booting 47 s, 3 steps 2 min 6 s",
        "artifacts/run1/run1-1/recording.mp4#t=81\" rel=\"noreferrer\">recording at 1:21",
        "The coins stayed at 50",
        "E/Billing: no answer",
        "data:image/png;base64,",
        "baseline: main @ 89abcde, 5 h ago, passed (the newest run of the base branch)",
        "On main: failed 2 of 14, 2 without a verdict, usually passes in 2 min 57 s",
        "nunu-ci run --build-id b-1 --test-id test-1",
        "Attempt 2 of 2",
        "Buying the starter pack changes nothing",
        ">new</span>",
        "buy a sword",
        "recording at 1:57",
        "<summary><h2>Passed (2)</h2></summary>",
        "carried over from attempt 1",
    ] {
        let found = made[from..].find(words);
        assert!(
            found.is_some(),
            "{words:?} is not in, or comes too early:\n{}",
            &made[from..(from + 3000).min(made.len())]
        );
        from += found.unwrap();
    }
}

/// Leaves the page of every report beside the tests' programs, for a real browser.
#[test]
fn pages_are_there_to_be_opened() {
    let program = std::env::current_exe().unwrap();
    let pages = program.parent().unwrap().with_file_name("pages");
    let _ = fs::remove_dir_all(&pages);
    fs::create_dir_all(&pages).unwrap();
    for (name, report) in all() {
        fs::write(pages.join(format!("{name}.html")), page(&report)).unwrap();
    }
    fs::write(pages.join("shops.html"), page_in(&shops(&pages), &pages)).unwrap();
}
