//! All files again from what earlier jobs left: the command `report`.

use std::collections::BTreeSet;
use std::fs;

use nunu_sim::{Scenario, Sim};
use serde_json::{Value, json};

use crate::stage::Stage;

/// The files of a report that say the same whatever command wrote them.
const SAME: [&str; 3] = ["junit.xml", "summary.md", "brief.md"];

/// Two legs of a matrix in folders of `legs`: one passed, one failed, with its files.
fn legs() -> Stage {
    let stage = Stage::of(Sim::builder().scenario(Scenario::passed()));
    stage.quick(&["--results-dir", "legs/pixel"]).is(0, "passed");
    stage.sim.set_scenario(Scenario::failed());
    let failed = stage.quick(&["--results-dir", "legs/galaxy", "--artifacts", "all"]);
    failed.is(1, "tests-failed");
    stage
}

/// Changes a `results.json` that a leg left.
fn change(stage: &Stage, leg: &str, change: impl FnOnce(&mut Value)) {
    let name = format!("legs/{leg}/results.json");
    let mut file: Value = serde_json::from_str(&stage.read(&name)).unwrap();
    change(&mut file);
    stage.file(&name, file.to_string().as_bytes());
}

#[test]
fn one_results_json_gives_its_files_again_without_a_key_and_without_a_request() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::failed()));
    stage.quick(&["--artifacts", "all"]).is(1, "tests-failed");
    let before = SAME.map(|name| stage.read(&format!("nunu-results/{name}")));
    let files = stage.results()["files"].clone();
    assert!(files.to_string().contains("artifacts/"));
    let stage = stage.env("NUNU_API_TOKEN", "");
    let asked = stage.sim.ledger().requests.len();
    for file in [&["report"][..], &["report", "nunu-results/results.json"]] {
        stage.run(file).is(1, "tests-failed");
        assert_eq!(SAME.map(|name| stage.read(&format!("nunu-results/{name}"))), before);
        let again = stage.results();
        assert_eq!(again["command"], "report");
        let listed =
            |files: &Value| files.as_array().unwrap().iter().map(Value::to_string).collect::<BTreeSet<_>>();
        assert_eq!(listed(&again["files"]), listed(&files));
        for file in files.as_array().unwrap() {
            assert!(stage.work().join("nunu-results").join(file.as_str().unwrap()).is_file(), "{file}");
        }
    }
    assert_eq!(stage.sim.ledger().requests.len(), asked, "nothing is asked of the service");
}

#[test]
fn legs_of_a_matrix_are_one_report_with_one_gate() {
    let stage = legs();
    let ended = stage.run(&["report", "legs"]);
    ended.is(1, "tests-failed").says("legs/galaxy/results.json");
    assert_eq!(ended.outputs["tests-total"], "2");
    assert_eq!((&*ended.outputs["tests-passed"], &*ended.outputs["tests-failed"]), ("1", "1"));
    assert_eq!(stage.results()["jobs"].as_array().unwrap().len(), 2);
    assert!(stage.read("nunu-results/junit.xml").contains("tests-total\" value=\"2\""));
    // Files that are not in the results folder are not linked, and that is said.
    ended.says("of its files are not linked");
    assert!(!stage.read("nunu-results/ctrf.json").contains("artifacts/"));
    // Where the legs lie in it they are, and nothing of theirs is removed.
    for _ in 0..2 {
        stage.run(&["report", "--results-dir", "legs"]).is(1, "tests-failed");
        let ctrf: Value = serde_json::from_str(&stage.read("legs/ctrf.json")).unwrap();
        let attached = ctrf["results"]["tests"][0]["attachments"][0]["path"].as_str().unwrap();
        assert!(attached.starts_with("galaxy/artifacts/"), "{attached}");
        assert!(stage.work().join("legs").join(attached).is_file(), "{attached}");
    }
    // The pipeline may judge all of them by another gate.
    stage.run(&["report", "legs", "--fail-on", "error"]).is(0, "passed");
    assert!(stage.read("nunu-results/summary.md").starts_with("## ✅"));
}

#[test]
fn what_a_leg_did_not_finish_is_no_pass() {
    let stage = legs();
    // A killed job leaves this.
    change(&stage, "galaxy", |file| {
        file["unfinished"] = true.into();
        file["exit_reason"] = "internal".into();
        file["verdict"] = Value::Null;
        file["jobs"] = json!([]);
    });
    let ended = stage.run(&["report", "legs"]);
    ended.is(7, "run-error").says("killed before it could report");
    assert_eq!(ended.outputs["tests-passed"], "1");
    // An error of a leg's own wins over results.
    let stage = legs();
    change(&stage, "pixel", |file| {
        let failure = json!({"exit_reason": "start-incomplete", "message": "not everything was started", "causes": [], "hints": []});
        file["failure"] = failure;
    });
    stage.run(&["report", "legs"]).is(6, "start-incomplete").says("legs/pixel/results.json: not everything");
}

#[test]
fn what_cannot_be_one_report_is_refused_and_changes_nothing() {
    let stage = legs();
    stage.run(&["report", "legs"]).is(1, "tests-failed");
    let before = stage.read("nunu-results/results.json");
    let (pixel, galaxy) = ("legs/pixel/results.json", "legs/galaxy/results.json");
    stage.run(&["report", pixel, pixel]).is(2, "invalid-input").says("give each result once");
    stage.run(&["report", "elsewhere/results.json"]).is(2, "invalid-input").says("cannot read it");
    fs::create_dir(stage.work().join("empty")).unwrap();
    stage.run(&["report", "empty"]).is(2, "invalid-input").says("there is no results.json in it");
    change(&stage, "pixel", |file| file["schema_version"] = 1.into());
    stage.run(&["report", pixel, galaxy]).is(2, "invalid-input").says("its schema_version is 1");
    change(&stage, "pixel", |file| {
        file["schema_version"] = 2.into();
        file["jobs"][0]["job_id"] = "../../x".into();
    });
    stage.run(&["report", pixel]).is(2, "invalid-input").says("is no id");
    assert_eq!(stage.read("nunu-results/results.json"), before);
}
