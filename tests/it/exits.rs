//! Every exit code and reason of the contract, provoked through the built program.

use std::time::Duration;

use nunu_sim::{
    Call, DISABLED_KEY, EXPIRED_KEY, Fault, NO_READ_KEY, START_ONLY_KEY, Scenario, Script, Sim,
    UPLOAD_ONLY_KEY,
};

use crate::stage::Stage;

fn playing(script: Script) -> Stage {
    Stage::of(Sim::builder().scenario(Scenario::of(script)))
}

#[test]
fn a_green_run_uploads_starts_and_reports() {
    let stage = Stage::new();
    let ended = stage.quick(&["--build-path", stage.apk(200_000)]);
    ended.is(0, "passed");
    assert_eq!(ended.outputs["status"], "passed");
    assert_eq!((ended.outputs["tests-total"].as_str(), ended.outputs["tests-passed"].as_str()), ("1", "1"));
    assert_eq!(ended.outputs["build-status"], "uploaded");
    assert_eq!(
        stage.sim.build_digest(&ended.outputs["build-id"]).as_ref(),
        Some(&ended.outputs["build-sha256"])
    );
    assert_eq!(stage.sim.effective_starts(), 1);
    assert!(stage.read("nunu-results/nunu.env").contains("NUNU_OUTPUT_STATUS=passed\n"));
    assert!(stage.read("nunu-results/junit.xml").contains("failures=\"0\" errors=\"0\""));
    assert!(stage.summary().contains("passed: 1 of 1 test passed"));
}

#[test]
fn started_uploaded_checked_dry_run_and_skipped_are_zero() {
    let stage = Stage::new();
    stage.quick(&["--wait=false"]).is(0, "started");
    let stage = Stage::new();
    let build = stage.apk(1000);
    stage.run(&["upload", "--build-path", build]).is(0, "uploaded");
    stage.run(&["check", "--build-path", build]).is(0, "checked");
    stage.quick(&["--build-path", build, "--dry-run"]).is(0, "dry-run");
    assert_eq!((stage.sim.effective_starts(), stage.sim.ledger().complete_builds().len()), (0, 1));
    let stage = Stage::new().env("NUNU_API_TOKEN", "");
    stage.quick(&["--on-missing-token", "skip"]).is(0, "skipped");
}

#[test]
fn product_verdicts_are_one() {
    playing(Script::new("FAILED")).quick(&[]).is(1, "tests-failed");
    playing(Script::new("SKIPPED")).quick(&[]).is(1, "nothing-tested");
    let stage = Stage::of(Sim::builder().scenario(Scenario::bugs()));
    let ended = stage.quick(&["--fail-on", "failed,bugs:low"]);
    ended.is(1, "bugs-found");
    assert_ne!(ended.outputs["bugs-total"], "0");
    let stage = Stage::of(Sim::builder().scenario(Scenario::bugs()));
    stage.quick(&[]).is(0, "passed");
}

#[test]
fn wrong_input_is_two_before_any_request() {
    let stage = Stage::new();
    stage.quick(&["--timeout", "5 parsecs"]).is(2, "invalid-input").says("timeout (from --timeout)");
    stage.run(&["run"]).is(2, "invalid-input").says("nothing to start");
    stage.file("run.yml", b"version: 1\nruns:\n  - tst: x\n");
    stage
        .run(&["run", "--run-config", "run.yml"])
        .is(2, "invalid-config")
        .says("run.yml:3:5")
        .says("did you mean \"test\"");
    assert!(stage.sim.ledger().requests.is_empty());
    assert!(stage.read("nunu-results/junit.xml").contains("errors=\"1\""));
}

#[test]
fn documented_key_errors_are_three() {
    let with = |key: &str| Stage::new().env("NUNU_API_TOKEN", key);
    with("").quick(&[]).is(3, "api-key-missing").says("api-token");
    with("nunu_nobody_knows_this_one")
        .quick(&[])
        .is(3, "api-key-invalid")
        .says("Invalid API key")
        .says("deactivated");
    with(EXPIRED_KEY).quick(&[]).is(3, "api-key-expired").says("API key expired").says("create a new key");
    with(DISABLED_KEY).quick(&[]).is(3, "api-key-disabled").says("API key is disabled").says("Project Admin");
    let stage = with(UPLOAD_ONLY_KEY);
    let ended = stage.quick(&["--build-path", stage.apk(1000)]);
    ended.is(3, "permission-missing").says("project:operate-runs").says("project:read-runs");
    assert!(stage.sim.ledger().builds.is_empty(), "nothing was sent");
    let stage = Stage::new();
    stage.sim.fault(Call::AnyApi, Fault::reply(403, "{\"error\":\"not from this network\"}").forever());
    stage.quick(&[]).is(3, "forbidden").says("not from this network");
}

#[test]
fn a_key_error_while_polling_stops_the_run() {
    let stage = playing(Script::endless());
    stage.sim.fault(Call::GetJob, Fault::reply(403, "{\"error\":\"API key expired\"}").skip(1).forever());
    stage.quick(&[]).is(3, "api-key-expired");
    assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "the run was stopped");
}

#[test]
fn builds_that_cannot_be_sent_are_four() {
    let stage = Stage::new();
    stage.quick(&["--build-path", "nothing.apk"]).is(4, "build-not-found");
    stage.file("a.exe", b"MZ");
    stage.file("b.exe", b"MZ");
    stage.quick(&["--build-path", "*.exe"]).is(4, "build-ambiguous").says("a.exe").says("b.exe");
    stage.file("empty.exe", b"");
    stage.quick(&["--build-path", "empty.exe"]).is(4, "build-empty");
    stage.file("cut.apk", b"PK not really");
    stage.quick(&["--build-path", "cut.apk"]).is(4, "build-unsupported");
    assert!(stage.sim.ledger().builds.is_empty());
    let stage = Stage::of(Sim::builder().capacity(1000));
    stage.quick(&["--build-path", stage.apk(5000)]).is(4, "quota-exceeded").says("auto-delete");
    let stage = Stage::of(Sim::builder().max_size(1000));
    stage.quick(&["--build-path", stage.apk(5000)]).is(4, "build-too-large");
}

#[test]
fn a_refused_upload_is_five_and_leaves_nothing_open() {
    let stage = Stage::new();
    stage.sim.fault(Call::Complete, Fault::reply(400, "{\"error\":\"bad parts\"}").forever());
    stage.quick(&["--build-path", stage.apk(1000)]).is(5, "upload-failed");
    assert!(stage.sim.open_uploads().is_empty());
    assert_eq!(stage.sim.effective_starts(), 0);
}

#[test]
fn refused_and_partial_starts_are_six() {
    let stage = Stage::new();
    stage
        .run(&[
            "run",
            "--test-id",
            "00000000-0000-4000-8000-000000000000",
            "--deployment-config-id",
            nunu_sim::DEFAULT_DEPLOYMENT_CONFIG,
        ])
        .is(6, "start-failed");
    let stage = Stage::new();
    stage.sim.fault(Call::StartRun, Fault::reply(400, "{\"error\":\"no slot is free\"}").skip(1));
    let config = format!(
        "version: 1\nruns:\n  - {{name: good, test: {test}, deployment_config: {dc}}}\n  - {{name: bad, test: {test}, deployment_config: {dc}}}\n",
        test = nunu_sim::DEFAULT_TEST,
        dc = nunu_sim::DEFAULT_DEPLOYMENT_CONFIG
    );
    let ended = stage.run(&["run", "--run-config", &config]);
    ended.is(6, "start-incomplete");
    assert_eq!(ended.outputs["tests-passed"], "1", "what did start is waited for");
}

#[test]
fn no_product_verdict_is_seven() {
    for result in ["ERROR", "TIMEOUT", "BLOCKED", "SOMETHING_NEW"] {
        playing(Script::new(result)).quick(&[]).is(7, "run-error");
    }
    playing(Script::rejected("no device is free")).quick(&[]).is(7, "run-error").says("no device is free");
}

#[test]
fn a_service_that_is_gone_is_seven_for_check() {
    let stage = Stage::new();
    stage.sim.fault(Call::AnyApi, Fault::reply(501, "{\"error\":\"moved\"}").forever());
    stage
        .run(&[
            "check",
            "--test-id",
            nunu_sim::DEFAULT_TEST,
            "--deployment-config-id",
            nunu_sim::DEFAULT_DEPLOYMENT_CONFIG,
            "--timeout",
            "10s",
        ])
        .is(7, "service-error");
    let stage = Stage::new().env("NUNU_API_URL", "http://127.0.0.1:9");
    let mut child = stage.spawn(&["wait", "--job-ids", "j1", "--timeout", "2s"]);
    // The first answers have not come, and it asks again.
    while stage.read("nunu-results/diagnostics.jsonl").lines().count() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it is patient");
        std::thread::yield_now();
    }
    assert!(child.try_wait().unwrap().is_none(), "it is patient");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn our_deadline_is_eight_and_a_stall_nine() {
    let stage = playing(Script::endless());
    stage.quick(&["--timeout", "2s"]).is(8, "timeout");
    assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "the run was stopped");
    let stage = playing(Script::endless()).env("NUNU_STALL", "2s");
    stage.quick(&[]).is(9, "stalled");
    assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "the run was stopped");
}

#[test]
fn somebody_elses_stop_is_ten() {
    let stage = playing(Script::endless().stopped_by_other(Duration::from_millis(200)));
    let ended = stage.quick(&[]);
    ended.is(10, "stopped-remotely");
    assert_eq!(ended.outputs["status"], "error");
}

#[test]
fn split_phases_work_with_keys_of_one_permission() {
    let mut stage = Stage::new().env("NUNU_API_TOKEN", UPLOAD_ONLY_KEY);
    let build = stage.apk(1000);
    let uploaded = stage.run(&["upload", "--build-path", build]);
    uploaded.is(0, "uploaded");
    stage.set("NUNU_API_TOKEN", START_ONLY_KEY);
    let build_id = uploaded.outputs["build-id"].clone();
    let args = [
        "start",
        "--build-id",
        &build_id,
        "--test-id",
        nunu_sim::DEFAULT_TEST,
        "--deployment-config-id",
        nunu_sim::DEFAULT_DEPLOYMENT_CONFIG,
    ];
    stage.run(&args).is(0, "started");
    stage.set("NUNU_API_TOKEN", nunu_sim::READ_ONLY_KEY);
    stage.run(&["wait"]).is(0, "passed");
    assert_eq!(stage.sim.effective_starts(), 1);
}

#[test]
fn a_key_that_may_not_read_cannot_run() {
    let stage = Stage::new().env("NUNU_API_TOKEN", NO_READ_KEY);
    stage.quick(&[]).is(3, "permission-missing").says("project:read-runs");
    assert_eq!(stage.sim.effective_starts(), 0);
}
