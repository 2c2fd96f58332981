//! Replies made at random, by our own model of the documented shapes: fields missing, null, of unknown words, or not documented at
//! all. Whatever comes: no panic, reports that hold their schema, and no green job without a SUCCESS for every test asked for.

use fastrand::Rng;
use nunu_sim::{
    Artifact, Call, DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_PLAN as PLAN, DEFAULT_TEST as TEST, Fault,
    Quirk, Scenario, Script, Sim,
};
use serde_json::{Map, Value, json};

use crate::faults::{AT_ONCE, Cell, run};
use crate::stage::Stage;

/// Rounds of each kind; compiled with `NUNU_REPLY_ROUNDS=500` there are as many.
fn rounds() -> u64 {
    option_env!("NUNU_REPLY_ROUNDS").and_then(|rounds| rounds.parse().ok()).unwrap_or(50)
}

/// Draws values.
struct Draw(Rng);

impl Draw {
    fn one<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.0.usize(..words.len())]
    }

    fn often(&mut self, of: u32) -> bool {
        self.0.u32(..of) > 0
    }

    /// The value, or what an optional field may be instead: null.
    fn maybe(&mut self, value: Value) -> Value {
        if self.often(4) { value } else { Value::Null }
    }

    /// Something that no document describes.
    fn odd(&mut self) -> Value {
        match self.0.u32(..7) {
            0 => json!("unexpected"),
            1 => json!(-1),
            2 => json!(1.5e300),
            3 => json!([]),
            4 => json!([[{ "deep": [null] }]]),
            5 => json!({ "id": 7 }),
            _ => json!(true),
        }
    }

    /// The object with some fields null (a patch removes them) or odd, and some unknown ones.
    fn worn(&mut self, mut object: Map<String, Value>) -> Value {
        for value in object.values_mut() {
            match self.0.u32(..24) {
                0 => *value = Value::Null,
                1 => *value = self.odd(),
                _ => {}
            }
        }
        if !self.often(3) {
            object.insert(format!("future_{}", self.0.u8(..)), self.odd());
        }
        Value::Object(object)
    }

    fn result(&mut self) -> Value {
        let words = [
            "SUCCESS",
            "SUCCESS",
            "SUCCESS",
            "SUCCESS",
            "success",
            "FAILED",
            "failure",
            "ERROR",
            "TIMEOUT",
            "BLOCKED",
            "SKIPPED",
            "STOPPED",
            "MAX_STEPS",
            "PARTIAL",
            "",
        ];
        let word = self.one(&words);
        self.maybe(json!(word))
    }

    fn time(&mut self) -> Value {
        let second = self.0.u32(..60);
        let time = format!("2026-03-03T15:50:{second:02}.601048+00:00");
        let time = if self.often(12) { json!(time) } else { self.odd() };
        self.maybe(time)
    }

    fn start(&mut self) -> (u16, Value) {
        let object = json!({ "message": "queued", "ok": self.often(8), "requested_count": self.0.u32(..3),
            "started_count": self.0.u32(..3), "successful_count": null, "failed_count": self.0.u32(..2),
            "results": [{ "device_label": "Pixel 8", "ok": self.often(3), "status": 201, "data": {} }] });
        let mut object = object.as_object().cloned().unwrap();
        object.retain(|_, _| !self.often(3));
        (if self.often(6) { 201 } else { 207 }, self.worn(object))
    }

    /// A finished job of the runs that it really has, so that their details can be read.
    fn job(&mut self) -> Value {
        let mut patch = json!({ "status": self.one(&["COMPLETED", "COMPLETED", "completed", "Completed"]),
            "test_name": self.maybe(json!("Shop")), "completed_at": self.time(), "platform": self.maybe(json!("phone")),
            "build_id": self.maybe(json!("other")), "tags": ["a", null, 1], "retries": { "total": self.0.u32(..3) } });
        if !self.often(10) {
            patch["queue_rejection_reason"] = json!("no device");
        }
        if !self.often(10) {
            patch["stopped_by"] = self.odd();
        }
        let object = patch.as_object().cloned().unwrap();
        self.worn(object)
    }

    fn run(&mut self) -> Value {
        let step = json!({ "step_number": 1, "run_state": "COMPLETED", "run_result": self.result(), "duration_ms": 1.5,
            "report": self.maybe(json!("done")), "test": self.maybe(json!({ "goal": "play" })), "items": self.maybe(json!([])) });
        let artifact = json!([{ "filename": "a/../b", "size": self.odd() }]);
        let player = json!({ "id": self.maybe(json!("p-1")), "player_number": self.0.u32(..2), "result": self.result(),
            "steps": self.maybe(json!([step])), "artifacts": self.maybe(artifact) });
        let apps = json!([{ "role": "main", "build_id": self.maybe(json!("other")), "player_number": self.maybe(json!(1)) }]);
        let count = json!({ "bug_count": self.0.u32(..2) });
        let build = json!({ "id": self.maybe(json!("other")) });
        let object = json!({ "state": "COMPLETED", "result": self.result(), "bug_info": self.maybe(count),
            "players": self.maybe(json!([player])), "apps": self.maybe(apps), "started_at": self.time(),
            "duration_ms": self.odd(), "build": self.maybe(build) });
        let object = object.as_object().cloned().unwrap();
        self.worn(object)
    }

    fn bugs(&mut self) -> Value {
        let bug = json!({ "id": self.maybe(json!("o1")), "bug_id": self.maybe(json!("b1")), "title": self.maybe(json!("Sky")),
            "severity": self.one(&["low", "critical", "odd"]), "confidence": self.maybe(json!("high")), "detected_at": self.time() });
        let pages = json!({ "total_count": self.0.u32(..3), "total_pages": self.0.u32(..3) });
        let object = json!({ "data": self.maybe(json!([bug])), "pagination": self.maybe(pages) });
        let object = object.as_object().cloned().unwrap();
        self.worn(object)
    }

    fn part_urls(&mut self) -> Value {
        let url = self.one(&["http://127.0.0.1:9/part", "no address", "", "/storage"]);
        let part = json!({ "part_number": self.0.u32(..3), "url": self.maybe(json!(url)) });
        let part = part.as_object().cloned().unwrap();
        let part = self.worn(part);
        self.maybe(json!([part]))
    }

    /// A list of whatever: jobs, runs, executions, tests, plans.
    fn list(&mut self) -> Value {
        let entry = json!({ "id": self.one(&["e1", "../e", ""]), "job_id": self.maybe(json!("j9")),
            "multiplayer_run_id": "r9", "status": self.one(&["COMPLETED", "RUNNING", "odd"]), "tags": self.maybe(json!([])),
            "total_tests": self.0.u32(..5), "name": self.maybe(json!("Shop")), "runs": self.maybe(json!([])),
            "created_at": self.time(), "result": self.result(), "state": "COMPLETED" });
        let entry = entry.as_object().cloned().unwrap();
        let entries: Vec<Value> = (0..self.0.usize(..3)).map(|_| self.worn(entry.clone())).collect();
        let pages = json!({ "page": 0, "total_count": self.0.u32(..200), "total_pages": self.0.u32(..3) });
        let object = json!({ "data": self.maybe(json!(entries)), "pagination": self.maybe(pages) });
        let object = object.as_object().cloned().unwrap();
        self.worn(object)
    }

    /// A test or a plan by itself.
    fn thing(&mut self) -> Value {
        let object = json!({ "id": self.maybe(json!("t9")), "name": self.maybe(json!("Shop")), "test_items": self.odd(),
            "quarantined": self.often(2), "test_type": self.one(&["task", "discovery", "odd"]), "max_seconds": self.odd() });
        let mut object = object.as_object().cloned().unwrap();
        object.retain(|_, _| !self.often(3));
        self.worn(object)
    }

    /// An answer to a stop.
    fn stop(&mut self) -> Value {
        let failed = json!([{ "job_id": "j9", "error": self.maybe(json!("busy")) }]);
        let object = json!({ "stopped": self.maybe(json!(["j9"])), "stopped_job_ids": self.maybe(json!([])),
            "failed": self.maybe(failed), "not_found": self.maybe(json!(["j8"])), "message": self.odd(), "success": self.often(2),
            "results": self.odd() });
        let mut object = object.as_object().cloned().unwrap();
        object.retain(|_, _| !self.often(3));
        self.worn(object)
    }

    /// Any of the fields that replies about builds have.
    fn build(&mut self) -> Value {
        let object = json!({ "upload_type": self.one(&["single-part", "multipart", "odd"]), "build_id": self.maybe(json!("b-1")),
            "upload_id": self.maybe(json!("upload-0123456789abcdef")), "total_parts": self.0.u32(..3), "part_size": self.odd(),
            "object_key": self.maybe(json!("k/f")), "status": self.one(&["OK", "ready", "uploading", "success", "odd"]),
            "upload_urls": self.part_urls() });
        let mut object = object.as_object().cloned().unwrap();
        object.retain(|_, _| !self.often(3));
        self.worn(object)
    }
}

/// The runs of a job as the patched replies tell them: what the job says, else the details.
fn followed(seed: u64) {
    let mut draw = Draw(Rng::with_seed(seed));
    let instances = draw.0.usize(1..4);
    let stage = Stage::of(Sim::builder().quirk(Quirk::InstancesAsRuns));
    let (status, start) = draw.start();
    let (job, run, bugs) = (draw.job(), draw.run(), draw.bugs());
    let gated = draw.often(2);
    let skip_start = draw.often(2);
    if !skip_start {
        stage.sim.fault(Call::StartRun, Fault::altered(status, start.clone()));
    }
    let details = draw.often(2);
    if details {
        stage.sim.fault(Call::GetRun, Fault::altered(200, run.clone()).forever());
    }
    let (alter_job, alter_bugs) = (draw.often(2), draw.often(2));
    let mut job = job;
    let mut results = vec![json!("SUCCESS"); instances];
    if alter_job {
        // Runs of its own: as many as asked for, or a few more or less.
        if draw.often(2) {
            results = (0..draw.0.usize(..instances + 2)).map(|_| draw.result()).collect();
            let of_run = |(number, result): (usize, &Value)| {
                json!({ "multiplayer_run_id": format!("run{number}"), "state": "COMPLETED", "result": result,
                    "started_at": format!("2026-03-03T15:50:{number:02}Z"), "completed_at": null })
            };
            job["runs"] = results.iter().enumerate().map(of_run).collect();
        }
        stage.sim.fault(Call::GetJob, Fault::altered(200, job.clone()).forever());
    }
    if alter_bugs {
        stage.sim.fault(Call::RunBugs, Fault::altered(200, bugs.clone()).forever());
    }
    let config = format!(
        "version: 1\nruns:\n  - {{name: smoke, test: {TEST}, deployment_config: {CONFIG}, instances: {instances}}}\n"
    );
    let mut args = vec!["run", "--run-config", &config, "--timeout", "4s"];
    if gated {
        args.extend(["--fail-on", "failed,error,timeout,blocked,stopped,bugs:critical"]);
    }
    let ended = stage.run(&args);
    let told =
        format!("seed {seed}: start {status} {start}, job {job}, run {run}, bugs {bugs}\n{}", ended.log());
    assert!((0..=10).contains(&ended.code), "{told}");
    if ended.code != 0 {
        return;
    }
    let succeeded = |result: &Value| result.as_str().is_some_and(|word| word.eq_ignore_ascii_case("SUCCESS"));
    let repeated = |result: &Value| {
        result.as_str().is_some_and(|word| ["ERROR", "TIMEOUT", "STOPPED", "MAX_STEPS"].contains(&word))
    };
    // What a job does not say, the details may.
    let silent = |result: &Value| result.is_null() || result == "";
    let said =
        |result: &&Value| succeeded(result) || (silent(result) && details && succeeded(&run["result"]));
    assert!(results.iter().filter(said).count() >= instances, "green without a SUCCESS for each: {told}");
    assert!(results.iter().all(|result| said(&result) || repeated(result)), "green beside a final: {told}");
    assert!(skip_start || status == 201, "green after a part of a start: {told}");
    assert_eq!(ended.outputs["tests-passed"], ended.outputs["tests-total"], "{told}");
    assert!(ended.outputs["tests-total"].parse::<usize>().unwrap() >= instances, "{told}");
}

/// An upload whose replies are changed: it ends in a documented way.
fn uploaded(seed: u64) {
    let mut draw = Draw(Rng::with_seed(seed));
    let multipart = if draw.often(2) { "always" } else { "never" };
    let stage = Stage::of(Sim::builder().part_size(4_000)).env("NUNU_MULTIPART", multipart);
    let build = stage.apk(10_000);
    for call in [
        Call::Initiate,
        Call::PartUrls,
        Call::Complete,
        Call::ListBuilds,
        Call::GetBuild,
        Call::DeploymentConfigs,
    ] {
        if !draw.often(3) {
            stage.sim.fault(call, Fault::altered(200, draw.build()).forever());
        }
    }
    let args = ["run", "--build-path", build, "--test-id", TEST, "--deployment-config-id", "Android phone"];
    let ended = stage.run(&[&args[..], &["--timeout", "10s"]].concat());
    assert!((0..=10).contains(&ended.code), "seed {seed}: {}", ended.log());
    assert!(ended.code != 0 || ended.outputs["tests-passed"] == "1", "seed {seed}: {}", ended.log());
}

/// A plan: its start, what lists and look-ups say of it, also after a lost answer, and the files that its runs left.
fn planned(seed: u64) {
    let mut draw = Draw(Rng::with_seed(seed));
    let files = ["shot.png", "play.mp4"].map(|name| Artifact::new(name, name));
    let script = Script::new("SUCCESS").artifacts(&files);
    let stage = Stage::of(Sim::builder().scenario(Scenario::of(script)));
    let lost = !draw.often(3);
    let start = draw.start();
    let altered = !lost && draw.often(2);
    if lost {
        stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    } else if altered {
        stage.sim.fault(Call::StartPlan, Fault::altered(start.0, start.1.clone()));
    }
    for call in [Call::ListJobs, Call::ListRuns, Call::ListExecutions, Call::ListPlans, Call::ListTests] {
        if !draw.often(3) {
            stage.sim.fault(call, Fault::altered(200, draw.list()).forever());
        }
    }
    for call in [Call::GetExecution, Call::GetPlan, Call::GetTest] {
        if !draw.often(3) {
            stage.sim.fault(call, Fault::altered(200, draw.thing()).forever());
        }
    }
    for call in [Call::ListArtifacts, Call::GetArtifact, Call::StorageGet] {
        if !draw.often(3) {
            let status = [200, 204, 302, 403, 404, 500][draw.0.usize(..6)];
            let body = draw.list().to_string();
            stage.sim.fault(call, Fault::reply(status, body).forever());
        }
    }
    let args = ["run", "--test-plan-id", PLAN, "--deployment-config-id", CONFIG, "--artifacts", "all"];
    let ended = stage.run(&[&args[..], &["--timeout", "4s"]].concat());
    let told = format!("seed {seed}: lost {lost}, start {altered} {start:?}\n{}", ended.log());
    assert!((0..=10).contains(&ended.code), "{told}");
    if ended.code == 0 {
        let jobs = stage.sim.ledger().jobs.len();
        assert!(!altered || start.0 == 201, "green after a part of a start: {told}");
        assert_eq!(ended.outputs["tests-passed"], jobs.to_string(), "{told}");
        assert_eq!(ended.outputs["tests-total"], jobs.to_string(), "{told}");
    }
}

/// Whatever the service says to a stop, the program ends in time.
fn stopped(seed: u64) {
    let mut draw = Draw(Rng::with_seed(seed));
    let stage = Stage::of(Sim::builder().scenario(Scenario::of(Script::endless())));
    let status = [200, 200, 207, 404, 409][draw.0.usize(..5)];
    stage.sim.fault(Call::Stop, Fault::altered(status, draw.stop()).forever());
    if !draw.often(2) {
        stage.sim.fault(Call::ListJobs, Fault::altered(200, draw.list()).forever());
    }
    let args = ["run", "--test-id", TEST, "--deployment-config-id", CONFIG];
    let child = stage.spawn(&args);
    stage.wait_until_followed();
    let ended = stage.end_by("TERM", child);
    assert_eq!(ended.code, 143, "seed {seed}: {}", ended.log());
}

#[test]
fn random_replies_never_make_a_green_job_of_nothing() {
    let cells: Vec<Cell> = (0..rounds())
        .flat_map(|seed| {
            let followed: Cell = (format!("followed {seed}"), Box::new(move || followed(seed)));
            let uploaded: Cell = (format!("uploaded {seed}"), Box::new(move || uploaded(seed)));
            let planned: Cell = (format!("planned {seed}"), Box::new(move || planned(seed)));
            let stopped: Cell = (format!("stopped {seed}"), Box::new(move || stopped(seed)));
            [followed, uploaded, planned, stopped]
        })
        .collect();
    run("random replies", AT_ONCE, &cells);
}
