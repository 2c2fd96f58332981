//! The results folder: what a run removes, leaves alone and writes, also when it cannot.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nunu_sim::{Artifact, Bug, Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Fault, Scenario, Script, Sim};

use crate::stage::Stage;

const QUICK: [&str; 5] =
    ["run", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];

/// Every file in the results folder with its bytes.
fn files(stage: &Stage) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(stage.work().join("nunu-results"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn a_results_folder_that_cannot_be_written_ends_the_job_before_it_begins() {
    let stage = Stage::new();
    stage.file("nunu-results", b"a file");
    let ended = stage.quick(&["--build-path", stage.apk(1000)]);
    ended.is(2, "invalid-input").says("results-dir: cannot write to").says("nunu-ci: error (invalid-input)");
    assert!(stage.summary().contains("results-dir"), "{}", stage.summary());
    assert_eq!(stage.sim.effective_starts(), 0);
    assert!(stage.sim.ledger().builds.is_empty());
}

/// A disk that is full at the end, as far as the program can tell: nothing can be created in the folder any more.
#[test]
fn a_pass_that_cannot_be_written_is_none() {
    for (scenario, code, reason) in
        [(Scenario::passed(), 7, "results-not-written"), (Scenario::failed(), 1, "tests-failed")]
    {
        let stage = Stage::of(Sim::builder().scenario(scenario));
        let busy = stage.sim.fault(Call::GetJob, Fault::reply(503, "{}").forever());
        let child = stage.spawn(&QUICK);
        assert!(
            stage.sim.wait_until(Duration::from_secs(60), |sim| !sim.requests_to(Call::GetJob).is_empty())
        );
        let (folder, aside) = (stage.work().join("nunu-results"), stage.work().join("aside"));
        fs::rename(&folder, &aside).unwrap();
        fs::write(&folder, "in the way").unwrap();
        stage.sim.clear_fault(busy);
        let ended = stage.end(child);
        ended.is(code, reason).says("cannot write the report files");
        assert_eq!(ended.outputs["tests-total"], "1");
        assert!(stage.summary().contains(if code == 7 { "cannot write the report files" } else { "FAILED" }));
        let left = fs::read_to_string(aside.join("junit.xml")).unwrap();
        assert!(left.contains("unfinished"), "{left}");
    }
}

#[test]
fn a_slip_of_the_pen_leaves_the_last_reports_alone() {
    let stage = Stage::new();
    stage.quick(&[]).is(0, "passed");
    let before = files(&stage);
    assert!(before.len() >= 5, "{:?}", before.keys());
    let check = [&["check"], &QUICK[1..]].concat();
    for args in [&["help"][..], &["uplaod"], &["--buid-path", "x"], &check, &["upload", "--platform", "x"]] {
        stage.run(args);
        assert!(files(&stage) == before, "{args:?}");
    }
    // At a desk nobody collects files, so the last reports stay until a run begins.
    let stage = stage.off_ci();
    for args in [&["run", "--buid-path", "x"][..], &["run", "--timeout", "soon"], &[]] {
        stage.run(args);
        assert!(files(&stage) == before, "{args:?}");
    }
}

#[test]
fn a_ci_never_publishes_the_green_report_of_another_run() {
    let stage = Stage::new();
    let slips =
        [&["run", "--timeout", "soon"][..], &["start", "--timeout", "soon"], &["wait", "--nothing", "x"]];
    for slip in slips {
        stage.quick(&[]).is(0, "passed");
        let ended = stage.run(slip);
        assert_eq!(ended.code, 2, "{}", ended.log());
        let junit = stage.read("nunu-results/junit.xml");
        assert!(junit.contains("errors=\"1\"") && junit.contains("tests=\"1\""), "{slip:?}: {junit}");
    }
}

#[test]
fn a_run_removes_what_the_last_one_left_and_nothing_else() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::failed()));
    stage.file("nunu-results/coverage.xml", b"<coverage/>");
    stage.quick(&["--artifacts", "all"]).is(1, "tests-failed");
    let listed: Vec<String> = serde_json::from_value(stage.results()["files"].clone()).unwrap();
    let artifact = listed.iter().find(|file| file.starts_with("artifacts/")).unwrap();
    for file in &listed {
        assert!(stage.work().join("nunu-results").join(file).is_file(), "{file}");
    }
    stage.file("nunu-results/artifacts/theirs.txt", b"x");
    stage.quick(&[]).is(1, "tests-failed");
    assert!(!stage.work().join("nunu-results").join(artifact).exists());
    assert!(!stage.read("nunu-results/coverage.xml").is_empty());
    assert!(!stage.read("nunu-results/artifacts/theirs.txt").is_empty());
    let theirs = fs::read_dir(stage.work().join("nunu-results/artifacts")).unwrap().count();
    assert_eq!(theirs, 1, "the folders of the run are gone too");
}

#[test]
fn artifacts_are_bounded_and_each_has_a_path() {
    let files = ["notes?.md", "NOTES_.md", "logs", "logs/game.log"].map(|name| Artifact::new(name, name));
    let script = Script::new("FAILED").artifacts(&files);
    let stage = Stage::of(Sim::builder().scenario(Scenario::of(script)));
    stage.quick(&["--artifacts", "all"]).is(1, "tests-failed");
    let artifacts = stage.results()["jobs"][0]["attempts"][0]["players"][0]["artifacts"].clone();
    for artifact in artifacts.as_array().unwrap() {
        let path = format!("nunu-results/{}", artifact["saved_as"].as_str().unwrap());
        assert_eq!(stage.read(&path), artifact["file_name"].as_str().unwrap(), "{path}");
    }
    assert_eq!(artifacts.as_array().unwrap().len(), files.len());

    // A host that never ends a file.
    stage.sim.fault(Call::GetArtifact, Fault::endless_body().forever());
    stage.quick(&["--artifacts", "all"]).is(1, "tests-failed").says("larger than the");
    assert!(!stage.results()["files"].to_string().contains("artifacts/"));
}

/// A start and a wait are one story: the requests of both are in one file.
#[test]
fn a_wait_keeps_the_requests_of_its_start() {
    let stage = Stage::new();
    let start = [&["start"], &QUICK[1..]].concat();
    stage.run(&start).is(0, "started");
    stage.run(&["wait"]).is(0, "passed");
    let requests = stage.read("nunu-results/diagnostics.jsonl");
    assert!(requests.contains("\"POST\"") && requests.matches("\"GET\"").count() > 1, "{requests}");
}

#[test]
fn a_kill_while_files_are_fetched_leaves_final_reports() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::failed()));
    stage.sim.fault(Call::GetArtifact, Fault::stall().forever());
    let mut child = stage.spawn(&[&QUICK[..], &["--artifacts", "all"]].concat());
    assert!(
        stage.sim.wait_until(Duration::from_secs(60), |sim| !sim.requests_to(Call::GetArtifact).is_empty())
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let results = stage.results();
    assert_eq!(results["unfinished"], false);
    assert_eq!(results["exit_reason"], "tests-failed");
    let listed = results["files"].to_string();
    assert!(listed.contains("artifacts/"), "{listed}");
    assert!(stage.read("nunu-results/junit.xml").contains("<failure"));
}

/// What nobody asked for is small and a picture; the page holds it.
#[test]
fn the_page_has_screenshots_although_no_artifact_is_asked_for() {
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 90]].concat();
    let files = [
        Artifact::new("shots/step 2.png", picture.clone()),
        Artifact::new("shots/page.png", "<html><script>alert(1)</script>"),
        Artifact::new("shots/vector.svg", "<svg onload=\"alert(1)\"/>"),
        Artifact::new("hidden.jpg", picture).hidden(),
        Artifact::new("notes.md", "notes"),
    ];
    let mut bug = Bug::new("Nothing is bought", "high", "high");
    bug.details = serde_json::json!({ "screenshot_url": "screenshots/crash.png" });
    let script = Script::new("FAILED").artifacts(&files).bugs(vec![bug]);
    let stage = Stage::of(Sim::builder().scenario(Scenario::of(script)));
    stage.quick(&[]).is(1, "tests-failed").says("2 screenshots are not in the page");
    let page = stage.read("nunu-results/report.html");
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 2, "{page}");
    for (name, there) in [("step%202.png", true), ("crash.png", true), ("page.png", false), ("svg", false)] {
        assert_eq!(page.contains(&format!("{name}\"")), there, "{name}");
    }
    let files = stage.results()["files"].to_string();
    assert_eq!(files.matches("artifacts/").count(), 2, "{files}");
    assert_eq!(stage.results()["warnings"].as_array().map(Vec::len), Some(0));
    // What passed has no screenshots but those of its bugs.
    let stage = Stage::of(Sim::builder().scenario(Scenario::bugs()));
    stage.quick(&[]).is(0, "passed");
    assert_eq!(stage.results()["files"].to_string().matches("artifacts/").count(), 1);
    stage.quick(&["--artifacts", "all"]).is(0, "passed");
    let page = stage.read("nunu-results/report.html");
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 1, "{page}");
    assert!(page.contains("main menu reached") || !page.contains("The end of the device log"));
}

#[test]
fn the_page_shows_the_end_of_the_device_log_and_the_recording() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::failed()));
    stage.quick(&["--artifacts", "failed"]).is(1, "tests-failed");
    let page = stage.read("nunu-results/report.html");
    assert!(page.contains("test ended: FAILED"), "{page}");
    assert!(page.contains("recording.mp4#t="), "{page}");
}
