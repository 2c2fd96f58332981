//! An upload in the background of a job that does other work meanwhile: two processes share one state file.

use nunu_sim::{Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Host, Scenario, Sim, UploadState};

use crate::stage::Stage;

const START: [&str; 5] =
    ["start", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];

/// A service whose storage takes some seconds for the build.
fn stage() -> Stage {
    Stage::of(
        Sim::builder().scenario(Scenario::endless()).part_size(200_000).throttle(Host::Storage, 400_000),
    )
    .env("NUNU_MULTIPART", "always")
}

/// `upload` as a background step, with a results folder of its own.
fn upload(stage: &Stage) -> std::process::Child {
    let args = ["upload", "--build-path", stage.apk(1_000_000), "--results-dir", "nunu-upload"];
    let child = stage.spawn(&args);
    stage.wait_until(|sim| !sim.requests_to(Call::PutPart(1)).is_empty());
    child
}

/// Records that nobody has closed.
fn open_records(stage: &Stage) -> usize {
    let written = stage.state();
    let records = written["records"].as_array().cloned().unwrap_or_default();
    assert!(!records.is_empty(), "{written}");
    records.iter().filter(|record| record["status"] == "open").count()
}

#[test]
fn an_upload_in_the_background_and_a_start_share_the_state_file() {
    let stage = stage();
    let background = upload(&stage);
    // Another process records, starts and closes while the upload is open.
    stage.run(&START).is(0, "started");
    assert_eq!(stage.sim.open_uploads().len(), 1, "the upload goes on");
    let uploaded = stage.end(background);
    uploaded.is(0, "uploaded");
    let build = uploaded.outputs["build-id"].clone();
    let started = stage.run(&[&START[..], &["--build-id", &build]].concat());
    started.is(0, "started");
    let starts = stage.sim.ledger().starts;
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[1].build_id.as_deref(), Some(build.as_str()));
    assert_eq!(open_records(&stage), 0, "{}", stage.state());
    // Harmless after success, as a safety net has to be.
    assert_eq!(stage.run(&["stop", "--best-effort"]).code, 0);
    assert!(stage.sim.open_uploads().is_empty());
}

#[test]
fn a_background_upload_that_is_cancelled_leaves_what_the_other_process_started() {
    let stage = stage();
    let background = upload(&stage);
    stage.run(&START).is(0, "started");
    let ended = stage.end_by("TERM", background);
    assert_eq!(ended.code, 143, "{}", ended.log());
    let states: Vec<_> = stage.sim.ledger().builds.iter().map(|build| build.state).collect();
    assert_eq!(states, [UploadState::Cancelled]);
    assert_eq!(stage.sim.effective_starts(), 1);
    assert_eq!(stage.sim.unfinished_jobs().len(), 1, "the start is not the upload's to stop");
    assert_eq!(open_records(&stage), 0, "{}", stage.state());
}

#[test]
fn a_background_upload_that_is_killed_is_cancelled_by_the_next_stop() {
    let stage = stage();
    let background = upload(&stage);
    stage.run(&START).is(0, "started");
    stage.kill(background);
    assert_eq!(stage.sim.open_uploads().len(), 1);
    assert_eq!(stage.run(&["stop", "--best-effort"]).code, 0);
    assert!(stage.sim.open_uploads().is_empty());
    assert_eq!(stage.sim.unfinished_jobs().len(), 1, "the start was left on purpose");
}
