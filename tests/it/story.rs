//! The job as its user sees it: split phases, cancelling, re-attaching, generations, and what is written on the way.

use std::time::Duration;

use nunu_sim::{
    Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_PLAN, DEFAULT_TEST, Fault, Generation, Quirk, Scenario, Script,
    Sim,
};

use crate::stage::Stage;

fn endless() -> Stage {
    Stage::of(Sim::builder().scenario(Scenario::endless()))
}

const QUICK: [&str; 5] =
    ["run", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];

#[test]
fn every_generation_passes_and_fails_alike() {
    for generation in [Generation::V1, Generation::V2, Generation::V3, Generation::V5] {
        let stage = Stage::of(Sim::builder().generation(generation));
        stage.quick(&["--build-path", stage.apk(10_000)]).is(0, "passed");
        let stage = Stage::of(Sim::builder().generation(generation).scenario(Scenario::failed()));
        let ended = stage.quick(&[]);
        ended.is(1, "tests-failed");
        assert_eq!(stage.sim.effective_starts(), 1, "{generation:?}");
        assert!(
            !stage.results()["jobs"][0]["attempts"][0]["players"][0]["steps"][0]["goal"].is_null(),
            "{generation:?}"
        );
    }
}

#[test]
fn odd_replies_are_read_all_the_same() {
    for quirk in [
        Quirk::MissingFields,
        Quirk::IgnoredFilters,
        Quirk::BareEtags,
        Quirk::OldBuildNames,
        Quirk::ExtraFields,
        Quirk::WrappedRun,
        Quirk::NestedBugs,
        Quirk::ReversedParts,
    ] {
        let stage = Stage::of(Sim::builder().quirk(quirk));
        stage.quick(&["--build-path", stage.apk(10_000)]).is(0, "passed");
    }
    // The run has the result that its job lacks.
    Stage::of(Sim::builder().quirk(Quirk::NullResults)).quick(&[]).is(0, "passed");
}

#[test]
fn a_plan_runs_all_its_tests() {
    let stage = Stage::new();
    let ended = stage.run(&[
        "run",
        "--test-plan-id",
        DEFAULT_PLAN,
        "--deployment-config-id",
        DEFAULT_DEPLOYMENT_CONFIG,
    ]);
    ended.is(0, "passed");
    assert!(ended.outputs["tests-total"].parse::<u32>().unwrap() > 1);
    assert!(ended.outputs.contains_key("test-plan-execution-id"));
}

#[test]
#[cfg_attr(windows, ignore = "Windows has no signals to send")]
fn sigint_stops_the_run_within_six_seconds() {
    for (name, code, reason) in
        [("INT", 130, "interrupted"), ("TERM", 143, "interrupted"), ("HUP", 143, "interrupted")]
    {
        let stage = endless();
        let child = stage.spawn(&QUICK);
        stage.wait_until(|sim| !sim.unfinished_jobs().is_empty());
        let ended = stage.end_by(name, child);
        ended.is(code, reason);
        assert_eq!(ended.outputs["status"], "cancelled");
        assert!(stage.sim.ledger().abandoned_jobs().is_empty());
        assert!(stage.read("nunu-results/junit.xml").contains("interrupted"));
    }
}

#[test]
#[cfg_attr(windows, ignore = "Windows has no signals to send")]
fn a_signal_while_the_start_is_under_way_stops_it_too() {
    let stage = endless();
    stage.sim.fault(Call::StartRun, Fault::stall_after().once());
    let child = stage.spawn(&QUICK);
    stage.wait_until(|sim| !sim.unfinished_jobs().is_empty());
    stage.end_by("INT", child).is(130, "interrupted");
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
}

#[test]
fn a_killed_job_is_stopped_by_the_next_step() {
    let stage = endless();
    let mut child = stage.spawn(&QUICK);
    stage.wait_until_followed();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(stage.read("nunu-results/junit.xml").contains("unfinished"), "no older green report is left");
    assert_eq!(stage.results()["unfinished"], true);
    let net = stage.run(&["stop", "--best-effort"]);
    assert_eq!(net.code, 0, "{}", net.log());
    assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "{}", net.log());
}

#[test]
fn the_safety_net_is_harmless_after_a_start() {
    let stage = endless();
    stage
        .run(&["start", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG])
        .is(0, "started");
    assert_eq!(stage.run(&["stop", "--best-effort"]).code, 0);
    assert_eq!(stage.sim.ledger().abandoned_jobs().len(), 1, "left on purpose");
    assert_eq!(stage.run(&["stop"]).code, 0);
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
    assert_eq!(stage.state()["records"][0]["standing"], "done");
}

#[test]
fn a_repeated_attempt_goes_on_with_its_own_run() {
    let stage = Stage::of(
        Sim::builder().scenario(Scenario::of(Script::new("SUCCESS").runs_for(Duration::from_secs(4)))),
    );
    let args = [&QUICK[..], &["--build-path", stage.apk(20_000)]].concat();
    let mut child = stage.spawn(&args);
    stage.sim.wait_until(Duration::from_secs(10), |sim| !sim.unfinished_jobs().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    // A hosted runner begins the second attempt on a new machine.
    let recorded = stage.work().join("../temp/nunu-state");
    let _ = std::fs::remove_dir_all(recorded);
    let stage = stage.env("GITHUB_RUN_ATTEMPT", "2");
    stage.run(&args).is(0, "passed").says("of an earlier attempt");
    assert_eq!(stage.sim.effective_starts(), 1);
}

#[test]
fn another_leg_of_the_matrix_starts_its_own_run() {
    let stage = Stage::of(
        Sim::builder().scenario(Scenario::of(Script::new("SUCCESS").runs_for(Duration::from_secs(3)))),
    );
    let mut child = stage.spawn(&QUICK);
    stage.sim.wait_until(Duration::from_secs(10), |sim| !sim.unfinished_jobs().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let stage = stage.env("GITHUB_RUN_ATTEMPT", "2").env("NUNU_MATRIX_INDEX", "1");
    stage.run(&QUICK).is(0, "passed");
    assert_eq!(stage.sim.effective_starts(), 2);
}

#[test]
fn an_unanswered_start_is_found_by_its_tag() {
    let stage = Stage::new();
    stage.sim.fault(Call::StartRun, Fault::drop_after().once());
    stage.quick(&[]).is(0, "passed").says("looking for runs with the tag");
    assert_eq!(stage.sim.effective_starts(), 1);
}

#[test]
fn a_stored_build_is_not_sent_again() {
    let stage = Stage::new();
    let build = stage.apk(50_000);
    stage.quick(&["--build-path", build]).is(0, "passed");
    let again = stage.quick(&["--build-path", build]);
    again.is(0, "passed");
    assert_eq!(again.outputs["build-status"], "reused");
    assert_eq!(stage.sim.ledger().complete_builds().len(), 1);
}

#[test]
fn artifacts_come_into_the_results_folder() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::failed()));
    stage.quick(&["--artifacts", "failed"]).is(1, "tests-failed");
    let saved = &stage.results()["jobs"][0]["attempts"][0]["players"][0]["artifacts"][0]["saved_as"];
    let path = saved.as_str().unwrap_or_default();
    assert!(stage.work().join("nunu-results").join(path).is_file(), "{saved}");
    assert!(stage.read("nunu-results/junit.xml").contains("[[ATTACHMENT|nunu-results/artifacts/"));
}

#[test]
fn names_instead_of_ids_are_looked_up() {
    let stage = Stage::new();
    let good = "version: 1\nruns:\n  - {test: smoke TEST, deployment_config: Android phone}\n";
    stage.run(&["run", "--run-config", good]).is(0, "passed");
    let bad = "version: 1\nruns:\n  - {test: Smok test, deployment_config: Android phone}\n";
    stage.run(&["run", "--run-config", bad]).is(2, "invalid-config").says("did you mean \"Smoke test\"");
}

#[test]
fn init_writes_files_that_check_accepts_and_never_overwrites() {
    let stage = Stage::new();
    stage.apk(1000);
    let first = stage.run(&["init"]);
    assert_eq!(first.code, 0, "{}", first.log());
    let written = stage.read(".nunu/run.yml");
    assert!(written.contains("game.apk") && written.contains(DEFAULT_TEST), "{written}");
    stage.file(".nunu/run.yml", b"# mine");
    stage.run(&["init"]).says("stays as it is");
    assert_eq!(stage.read(".nunu/run.yml"), "# mine");
    stage.file(".nunu/run.yml", written.as_bytes());
    stage.run(&["check"]).is(0, "checked");
    assert_eq!(stage.sim.effective_starts(), 0);
}

#[test]
fn data_goes_to_stdout_for_machines() {
    let stage = Stage::new();
    let schema = stage.run(&["schema"]);
    assert!(serde_json::from_str::<serde_json::Value>(&schema.stdout).is_ok());
    let results = stage.run(&["schema", "--results"]);
    assert!(results.stdout.contains("schema_version"));
    let version = stage.run(&["--version"]);
    assert_eq!(version.stdout, format!("nunu-ci {}\n", env!("CARGO_PKG_VERSION")));
    assert!(stage.run(&["--help"]).stdout.contains("--build-path"));
}

/// The largest resident size a process has had, in KiB (Linux: `VmHWM` in `/proc/PID/status`).
fn peak_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_large_build_arrives_bit_for_bit_in_little_memory() {
    let stage = Stage::of(Sim::builder().part_size(20_000_000)).env("NUNU_MULTIPART", "always");
    let build = stage.apk(200_000_000);
    let mut child = stage.spawn(&["upload", "--build-path", build]);
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(child.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = stage.end(child);
    ended.is(0, "uploaded");
    assert_eq!(
        stage.sim.build_digest(&ended.outputs["build-id"]).as_ref(),
        Some(&ended.outputs["build-sha256"])
    );
    assert!(!cfg!(target_os = "linux") || (1..48 * 1024).contains(&peak), "peak of {peak} KiB");
}

#[test]
fn a_build_that_changes_while_it_is_sent_is_noticed() {
    let stage = Stage::new();
    let build = stage.apk(1_200_000);
    let busy = stage.sim.fault(Call::PutSingle, Fault::status(503).forever());
    let child = stage.spawn(&["upload", "--build-path", build]);
    stage.wait_until(|sim| !sim.requests_to(Call::PutSingle).is_empty());
    let path = stage.work().join(build);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() - 100;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    stage.sim.clear_fault(busy);
    stage.end(child).is(4, "build-changed");
    assert!(stage.sim.open_uploads().is_empty());
}

#[test]
fn a_service_out_of_reach_is_a_network_error() {
    // Nobody listens on the discard port; the budget of a call, no longer than the timeout, passes before anything is said.
    let stage = Stage::new().env("NUNU_API_URL", "http://127.0.0.1:9");
    stage
        .run(&[
            "check",
            "--timeout",
            "10s",
            "--test-id",
            DEFAULT_TEST,
            "--deployment-config-id",
            DEFAULT_DEPLOYMENT_CONFIG,
        ])
        .is(7, "network-error")
        .says("127.0.0.1:9");
}
