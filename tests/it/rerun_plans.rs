//! Test plans in a repeated attempt, and what a `results.json` names to start again.

use nunu_sim::{Call, DEFAULT_PLAN, DEFAULT_TEST as FIRST, Fault, SECOND_TEST as SECOND, Scenario, Script};
use serde_json::Value;

use crate::rerun::{all_pass, attempt, config, counted, run, second, started_after};

fn plan() -> String {
    config(&[(&format!("name: nightly, test_plan: {DEFAULT_PLAN}"), "")])
}

#[test]
fn a_plan_is_split_into_its_failed_tests() {
    let stage = second("FAILED");
    run(&stage, &plan(), &[]).is(1, "tests-failed");
    let stage = attempt(stage, "2");
    let ended = run(&stage, &plan(), &[]);
    ended.is(1, "tests-failed").says("SUCCESS from attempt 1");
    let again = stage.sim.ledger().starts[1].clone();
    assert_eq!((again.call, &again.body["retries"]), (Call::StartRun, &Value::from(0)));
    assert_eq!(started_after(&stage, 1), [SECOND]);
    assert_eq!(counted(&stage), ["passed", "failed", "passed"]);
    // And once more: two tests of the plan, and one that was started by itself.
    all_pass(&stage);
    let stage = attempt(stage, "3");
    run(&stage, &plan(), &[]).is(0, "passed");
    assert_eq!(started_after(&stage, 2), [SECOND]);
    let stage = attempt(stage, "4");
    run(&stage, &plan(), &["--rerun", "failed"])
        .is(0, "passed")
        .says("from attempt 1")
        .says("from attempt 3");
    assert_eq!(stage.sim.effective_starts(), 3);
    let stage = attempt(stage, "5");
    run(&stage, &plan(), &[]).is(0, "passed");
    assert_eq!(stage.sim.ledger().starts[3].call, Call::StartPlan, "after a pass the plan is a plan again");
}

#[test]
fn a_plan_that_cannot_be_split_is_started_whole_and_says_so() {
    let stage = second("FAILED");
    run(&stage, &plan(), &[]).is(1, "tests-failed");
    all_pass(&stage);
    stage.sim.fault(Call::GetPlan, Fault::status(404).forever());
    let stage = attempt(stage, "2");
    run(&stage, &plan(), &[]).is(0, "passed").says("started whole although 2 of its 3 tests passed");
    assert_eq!(started_after(&stage, 1).len(), 3);
    assert!(stage.results()["warnings"].to_string().contains("started whole"));
}

#[test]
fn a_plan_that_passed_beside_a_failed_test_is_carried_over_whole() {
    let both = config(&[
        (&format!("name: nightly, test_plan: {DEFAULT_PLAN}"), ""),
        (&format!("name: b, test: {SECOND}"), ""),
    ]);
    let stage = second("SUCCESS");
    stage.sim.set_scenario(Scenario::passed().nth(3, Script::new("FAILED")));
    run(&stage, &both, &[]).is(1, "tests-failed");
    let stage = attempt(stage, "2");
    let ended = run(&stage, &both, &[]);
    ended.is(0, "passed");
    assert_eq!(started_after(&stage, 2), [SECOND]);
    assert_eq!(ended.outputs["tests-passed"], "4");
}

#[test]
fn a_results_file_names_what_to_start_again_elsewhere() {
    let both = config(&[
        (&format!("name: nightly, test_plan: {DEFAULT_PLAN}"), ""),
        (&format!("name: a, test: {FIRST}"), ""),
    ]);
    let stage = second("FAILED");
    run(&stage, &both, &[]).is(1, "tests-failed");
    all_pass(&stage);
    std::fs::rename(stage.work().join("nunu-results/results.json"), stage.work().join("theirs.json"))
        .unwrap();
    stage.forget_state();
    // Somebody's own machine, where nothing is known of the CI run.
    let stage = stage.off_ci();
    let ended = run(&stage, &both, &["--rerun-from", "theirs.json"]);
    assert_eq!(ended.code, 0, "{}", ended.log());
    ended.says("nightly: rerun-from names 1 of its tests");
    assert_eq!(started_after(&stage, 2), [SECOND]);
}
