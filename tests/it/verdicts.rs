//! Verdicts that must not lie: starts in part, instances, other builds, hidden bugs, jobs that cannot be read.

use nunu_sim::{
    AppSource, Bug, Call, DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_PLAN, DEFAULT_PROJECT,
    DEFAULT_TEST as TEST, DeploymentConfig, Device, Fault, IOS_CONFIG, MULTI_DEVICE_CONFIG, Quirk, Scenario,
    Script, Sim, THIRD_TEST,
};
use serde_json::{Value, json};

use crate::stage::{Ended, Stage};

fn playing(script: Script) -> Stage {
    Stage::of(Sim::builder().scenario(Scenario::of(script)))
}

/// A run config with one entry of the default test and these keys.
fn config(keys: &str) -> String {
    format!("version: 1\nruns:\n  - {{name: smoke, test: {TEST}, deployment_config: {CONFIG}, {keys}}}\n")
}

/// `tests-total`, `tests-passed` and `tests-failed`.
fn counted(ended: &Ended) -> [&str; 3] {
    ["tests-total", "tests-passed", "tests-failed"].map(|name| ended.outputs[name].as_str())
}

#[test]
fn a_part_of_a_start_is_six_however_it_is_said() {
    for (status, patch) in [
        (207, json!({})),
        (207, json!({ "ok": true, "message": null, "build_id": null })),
        (207, json!({ "requested_count": 1, "started_count": 1, "failed_count": 0 })),
        (207, json!({ "failed_count": 1 })),
        (201, json!({ "failed_count": 1 })),
        (201, json!({ "requested_count": 2, "started_count": 1 })),
        (201, json!({ "requested_count": 2, "successful_count": 1 })),
        (201, json!({ "results": [{ "device_label": "Pixel 8", "ok": false, "error": "busy" }] })),
        (201, json!({ "device_runs": [{ "label": "Pixel 8", "ok": false }] })),
    ] {
        let stage = Stage::new();
        stage.sim.fault(Call::StartRun, Fault::altered(status, patch));
        let ended = stage.quick(&[]);
        ended.is(6, "start-incomplete");
        assert_eq!(counted(&ended), ["1", "1", "0"], "what did start is waited for");
        assert_eq!(stage.sim.effective_starts(), 1);
    }
}

#[test]
fn fewer_instances_than_asked_are_six() {
    let stage = Stage::of(Sim::builder().quirk(Quirk::InstancesAsRuns));
    stage.sim.fault(Call::StartRun, Fault::altered(201, json!({ "requested_count": 2, "started_count": 2 })));
    stage
        .run(&["run", "--run-config", &config("instances: 3")])
        .is(6, "start-incomplete")
        .says("only 2 of 3 runs started");
}

#[test]
fn what_did_start_of_a_part_is_left_running_when_nobody_waits() {
    for args in [vec!["start"], vec!["run", "--wait=false"]] {
        let stage = playing(Script::endless());
        stage.sim.fault(Call::StartRun, Fault::altered(207, json!({})));
        let more = ["--test-id", TEST, "--deployment-config-id", CONFIG];
        let ended = stage.run(&[args, more.to_vec()].concat());
        ended.is(6, "start-incomplete");
        let running = stage.sim.unfinished_jobs();
        assert_eq!(running.len(), 1, "it runs on: {}", ended.log());
        ended.says(&format!("leaving {} to run", running[0].job_id));
        assert_eq!(ended.outputs["job-ids"], running[0].job_id);
        assert_eq!(stage.state()["records"][0]["standing"], "left");
        assert_eq!(stage.run(&["stop"]).code, 0);
    }
}

#[test]
fn a_start_that_no_device_took_is_posted_once() {
    let mut lab = DeploymentConfig::new(MULTI_DEVICE_CONFIG, "Android device lab", "android");
    lab.source = AppSource::BuildStorage;
    lab.multi_device = true;
    lab.devices = vec![
        Device::refusing("Pixel 8", 503, "no free device"),
        Device::refusing("Galaxy S24", 400, "not paired"),
    ];
    let stage = Stage::of(Sim::builder().deployment_config(lab));
    let config = format!(
        "version: 1\nruns:\n  - {{test: {TEST}, deployment_config: {MULTI_DEVICE_CONFIG}, all_configured_devices: true}}\n"
    );
    let ended = stage.run(&["run", "--run-config", &config]);
    ended.is(6, "start-failed").says("Pixel 8: no free device").says("Galaxy S24: not paired");
    assert_eq!(stage.sim.requests_to(Call::StartRun).len(), 1, "{}", ended.log());
    let problems = &stage.results()["start_problems"];
    assert_eq!((&problems[0]["device"], &problems[1]["device"]), (&json!("Pixel 8"), &json!("Galaxy S24")));
}

#[test]
fn instances_of_one_job_are_tests_of_their_own() {
    for (results, code, reason, counts) in [
        (vec!["SUCCESS"; 3], 0, "passed", ["3", "3", "0"]),
        (vec!["FAILED", "FAILED", "SUCCESS"], 1, "tests-failed", ["3", "1", "2"]),
        (vec!["SUCCESS", "SUCCESS", "FAILED"], 1, "tests-failed", ["3", "2", "1"]),
        (vec!["SUCCESS", "ERROR", "SUCCESS"], 7, "run-error", ["3", "2", "0"]),
    ] {
        let scenario = Scenario::of(Script::attempts(&results));
        let stage = Stage::of(Sim::builder().quirk(Quirk::InstancesAsRuns).scenario(scenario));
        let ended = stage.run(&["run", "--run-config", &config("instances: 3")]);
        ended.is(code, reason);
        assert_eq!(counted(&ended), counts, "{results:?}");
        assert_eq!(ended.outputs["run-ids"].split(',').count(), 3);
        assert_eq!(ended.outputs["job-ids"].split(',').count(), 1);
        let written = stage.results();
        let tests = written["jobs"].as_array().unwrap();
        assert!(tests.iter().all(|test| test["attempts"][0]["players"][0]["steps"][0].is_object()));
        let junit = stage.read("nunu-results/junit.xml");
        assert!(junit.contains("instance 3 of 3"), "{junit}");
    }
}

#[test]
fn a_failed_run_is_never_cured_by_the_next() {
    let stage = playing(Script::attempts(&["FAILED", "SUCCESS"]));
    let ended = stage.run(&["run", "--run-config", &config("retries: 2")]);
    ended.is(1, "tests-failed");
    assert!(!ended.log().contains("flaky"), "{}", ended.log());
    let stage = playing(Script::attempts(&["ERROR", "SUCCESS"]));
    let ended = stage.run(&["run", "--run-config", &config("retries: 2")]);
    ended.is(0, "passed").says("flaky");
    assert_eq!(counted(&ended), ["1", "1", "0"]);
}

#[test]
fn jobs_of_unknown_size_are_as_many_tests_as_they_have_verdicts() {
    let scenario = Scenario::of(Script::attempts(&["FAILED", "SUCCESS"]));
    let stage = Stage::of(Sim::builder().quirk(Quirk::InstancesAsRuns).scenario(scenario));
    let started = stage.run(&["start", "--run-config", &config("instances: 2")]);
    started.is(0, "started");
    let stage = stage.env("GITHUB_JOB", "another");
    let ended = stage.run(&["wait", "--job-ids", &started.outputs["job-ids"]]);
    ended.is(1, "tests-failed");
    assert_eq!(counted(&ended), ["2", "1", "1"]);
}

#[test]
fn another_build_than_ours_is_no_verdict() {
    for (call, patch) in [
        (Call::GetJob, json!({ "build_id": "other" })),
        (Call::GetRun, json!({ "build": { "id": "other" } })),
        (Call::GetRun, json!({ "build": null, "apps": [{ "role": "main", "build_id": "other" }] })),
        (Call::GetRun, json!({ "apps": [{ "role": "main", "player_number": 1, "build_id": "other" }] })),
    ] {
        let stage = Stage::new();
        stage.sim.fault(call, Fault::altered(200, patch).forever());
        let ended = stage.quick(&["--build-path", stage.apk(10_000)]);
        ended.is(7, "run-error");
        let words = format!("build other was tested, not build {}", ended.outputs["build-id"]);
        ended.says(&words);
        assert!(stage.summary().contains("build other was tested"), "{}", stage.summary());
        assert!(stage.read("nunu-results/junit.xml").contains(&words));
    }
    for patch in [json!({ "build_id": null, "build": null, "apps": null }), json!({ "apps": [] })] {
        let stage = Stage::new();
        stage.sim.fault(Call::GetRun, Fault::altered(200, patch).forever());
        stage.quick(&["--build-path", stage.apk(10_000)]).is(0, "passed");
    }
}

#[test]
fn every_player_whose_configuration_takes_it_gets_the_build() {
    let match_of_two = |second: &str| {
        let stage = Stage::new();
        let build = stage.apk(10_000);
        let config = format!(
            "version: 1\nbuild: {{path: {build}}}\nruns:\n  - {{test: {THIRD_TEST}, deployment_config: {CONFIG}, players: {{2: {{deployment_config: {second}}}}}}}\n"
        );
        let ended = stage.run(&["run", "--run-config", &config]);
        let body = stage.sim.ledger().starts[0].body.clone();
        (ended, body["build_id"].clone(), body["player_deployment_configs"]["2"]["build_id"].clone())
    };
    for second in [MULTI_DEVICE_CONFIG, CONFIG] {
        let (ended, ours, theirs) = match_of_two(second);
        ended.is(0, "passed");
        assert_eq!((&theirs, theirs.is_string()), (&ours, true));
    }
    let (ended, _, theirs) = match_of_two(IOS_CONFIG);
    assert_eq!(theirs, Value::Null);
    ended.says("is not given to player 2").says(IOS_CONFIG);
}

fn bugs(count: usize, critical: usize) -> Vec<Bug> {
    let severity = |number| if number == critical { "critical" } else { "low" };
    (0..count).map(|number| Bug::new(&format!("Bug {number}"), severity(number), "high")).collect()
}

#[test]
fn a_bug_gate_sees_every_page() {
    for (count, critical, code, reason) in
        [(45, 44, 1, "bugs-found"), (45, 99, 0, "passed"), (250, 249, 1, "bugs-found")]
    {
        let stage = playing(Script::new("SUCCESS").bugs(bugs(count, critical)));
        let ended = stage.quick(&["--fail-on", "failed,error,bugs:critical"]);
        ended.is(code, reason);
        assert_eq!(ended.outputs["bugs-total"], count.to_string());
    }
    let scenario = Scenario::of(Script::new("SUCCESS").bugs(bugs(45, 44)));
    let stage = Stage::of(Sim::builder().quirk(Quirk::OneBugPage).scenario(scenario));
    stage
        .quick(&["--fail-on", "failed,error,bugs:critical"])
        .is(7, "run-error")
        .says("not all of its bugs could be read");
    assert_eq!(stage.quick(&[]).code, 0, "without a bug gate they change nothing");
}

#[test]
fn details_that_come_late_are_waited_for() {
    for fault in [Fault::status(404).times(2), Fault::status(500).times(2), Fault::html_502().times(2)] {
        let stage = Stage::new();
        stage.sim.fault(Call::GetRun, fault);
        stage.quick(&["--fail-on", "failed,error,bugs:critical"]).is(0, "passed");
        assert!(stage.results()["jobs"][0]["attempts"][0]["unreadable"].is_null());
    }
}

#[test]
fn a_green_job_has_no_red_in_its_junit() {
    let scenario =
        Scenario::of(Script::new("SUCCESS")).nth(1, Script::new("FAILED")).nth(2, Script::new("ERROR"));
    let stage = Stage::of(Sim::builder().scenario(scenario));
    let entry = |name: &str, required: bool| {
        format!("  - {{name: {name}, test: {TEST}, deployment_config: {CONFIG}, required: {required}}}\n")
    };
    let entries = [entry("good", true), entry("bad", false), entry("broken", false)].concat();
    let ended = stage.run(&["run", "--run-config", &format!("version: 1\nruns:\n{entries}")]);
    ended.is(0, "passed").says("passed: 1 of 3 tests passed, 2 tolerated");
    let junit = stage.read("nunu-results/junit.xml");
    assert!(!junit.contains("<failure") && !junit.contains("<error"), "{junit}");
    assert!(junit.contains("FAILED, not required") && junit.contains("ERROR, not required"), "{junit}");
}

#[test]
fn counts_are_called_by_their_names() {
    let stage = Stage::new();
    let ended = stage.run(&["run", "--run-config", &config("required: false")]);
    ended.is(0, "passed");
    let stage = playing(Script::new("FAILED"));
    let ended = stage.run(&["run", "--run-config", &config("required: false")]);
    ended.is(0, "passed").says("passed: 1 tolerated of 1 test");
    let stage = playing(Script::rejected("no device is free"));
    let ended = stage.quick(&[]);
    ended.is(7, "run-error").says("0 of 1 test passed, 1 without a verdict");
    assert_eq!(counted(&ended), ["1", "0", "0"]);
    let stage = playing(Script::endless());
    let ended = stage.quick(&["--timeout", "2s"]);
    ended.is(8, "timeout").says("0 of 1 test passed, 1 stopped");
    assert_eq!(counted(&ended), ["1", "0", "0"]);
    let totals = &stage.results()["totals"];
    assert_eq!((&totals["stopped"], &totals["failed"]), (&json!(1), &json!(0)));
    assert!(stage.read("nunu-results/junit.xml").contains("<property name=\"tests-stopped\" value=\"1\""));
}

#[test]
fn a_job_that_cannot_be_read_does_not_hide_the_others() {
    let scenario = Scenario::of(Script::new("SUCCESS")).nth(1, Script::new("SUCCESS").unreadable());
    let stage = Stage::of(Sim::builder().scenario(scenario));
    let args = ["run", "--test-plan-id", DEFAULT_PLAN, "--deployment-config-id", CONFIG, "--timeout", "6s"];
    let ended = stage.run(&args);
    ended.is(8, "timeout").says("could not be looked at").says("1 of 3 jobs unfinished");
    assert_eq!(counted(&ended), ["3", "2", "0"]);
}

#[test]
fn the_project_that_was_set_is_the_one_in_links() {
    let stage = Stage::new().env("NUNU_PROJECT_ID", DEFAULT_PROJECT);
    for call in [Call::GetJob, Call::GetRun] {
        stage.sim.fault(call, Fault::altered(200, json!({ "project_id": "a-slug" })).forever());
    }
    let ended = stage.quick(&[]);
    ended.is(0, "passed");
    assert!(ended.outputs["run-url"].contains(DEFAULT_PROJECT), "{}", ended.outputs["run-url"]);
}

#[test]
fn what_failed_can_be_run_again_as_it_is_shown() {
    let stage = playing(Script::new("FAILED"));
    stage.quick(&[]).is(1, "tests-failed");
    let wanted = format!("nunu-ci run --test-id {TEST} --deployment-config-id {CONFIG}\n");
    assert!(stage.summary().contains(&wanted), "{}", stage.summary());
    let stage = Stage::new();
    stage.file(".nunu/run.yml", config("required: true").as_bytes());
    stage.run(&["run"]).is(0, "passed");
    let junit = stage.read("nunu-results/junit.xml");
    assert!(junit.contains("file=\".nunu/run.yml\""), "{junit}");
    let stamp = junit.split("timestamp=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(stamp.len() == 20 && stamp.ends_with('Z'), "{stamp} has whole seconds");
}
