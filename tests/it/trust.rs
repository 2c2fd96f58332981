//! Who may decide what: outputs are no settings, inputs count where they are inputs, and the repository's content cannot change where
//! the key goes or what is read.

use nunu_sim::{Scenario, Script, Sim};

use crate::stage::Stage;

#[test]
fn outputs_of_an_earlier_job_change_nothing() {
    let mut stage = Stage::new();
    for (name, value) in [
        ("NUNU_OUTPUT_BUILD_ID", "of-another-job"),
        ("NUNU_OUTPUT_STATUS", "failed"),
        ("NUNU_OUTPUT_JOB_IDS", "of-another-job"),
        ("NUNU_OUTPUT_DRY_RUN", "true"),
    ] {
        stage.set(name, value);
    }
    let ended = stage.quick(&[]);
    ended.is(0, "passed");
    assert_eq!(ended.outputs["build-status"], "none");
    assert!(!ended.log().contains("NUNU_OUTPUT"), "{}", ended.log());
    stage
        .run(&["wait"])
        .is(2, "invalid-input")
        .says("NUNU_JOB_IDS: $NUNU_OUTPUT_JOB_IDS")
        .says("nunu-ci wait --job-ids \"$NUNU_OUTPUT_JOB_IDS\"");
}

#[test]
fn the_safety_net_takes_no_ids_from_a_variable() {
    let mut stage = Stage::of(Sim::builder().scenario(Scenario::of(Script::endless())));
    let jobs = stage.quick(&["--wait=false"]).outputs["job-ids"].clone();
    stage.set("NUNU_JOB_IDS", &jobs);
    let net = stage.run(&["stop", "--best-effort"]);
    assert_eq!(net.code, 0, "{}", net.log());
    net.says("job-ids (from NUNU_JOB_IDS)").says("nunu-ci stop --best-effort --job-ids \"$NUNU_JOB_IDS\"");
    assert_eq!(stage.sim.ledger().abandoned_jobs().len(), 1, "what another job started goes on");
    let named = stage.run(&["stop", "--best-effort", "--job-ids", &jobs]);
    assert_eq!(named.code, 0, "{}", named.log());
    assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "an id that a flag names is stopped");
}

#[test]
fn what_can_be_no_id_is_refused_before_any_request() {
    let stage = Stage::new();
    for bad in ["$(id)", "a/../b", "..", "a b;c"] {
        for command in ["wait", "stop"] {
            let ended = stage.run(&[command, "--job-ids", bad]);
            assert_eq!(ended.code, 2, "{}", ended.log());
            ended.says("job-ids (from --job-ids)").says("is not a job id");
        }
        stage.quick(&["--build-id", bad]).is(2, "invalid-input").says("is not a build id");
        stage.quick(&["--project-id", bad]).is(2, "invalid-input").says("is not a project id");
    }
    assert!(stage.sim.ledger().requests.is_empty());
}

#[test]
fn an_input_of_an_earlier_step_decides_nothing() {
    // In a step, and under the composite action.
    for action in ["", "composite"] {
        let stage = Stage::new()
            .env("NUNU_ACTION", action)
            .env("INPUT_API-URL", "http://127.0.0.1:9")
            .env("INPUT_API_URL", "http://127.0.0.1:9")
            .env("NUNU_INPUT_API_URL", "http://127.0.0.1:9")
            .env("INPUT_API-TOKEN", "nunu_key_of_another_account")
            .env("INPUT_DRY-RUN", "true")
            .env("INPUT_FAIL-ON", "blocked");
        let ended = stage.quick(&[]);
        ended
            .is(0, "passed")
            .says("INPUT_FAIL-ON is not read here")
            .says("write NUNU_FAIL_ON: blocked")
            .says("write NUNU_DRY_RUN: true");
        assert!(!ended.stderr.contains("nunu_key_of_another_account"));
    }
}

#[test]
fn a_docker_container_action_reads_its_inputs() {
    let stage = Stage::new()
        .env("GITHUB_WORKSPACE", "/github/workspace")
        .env("INPUT_TEST-ID", nunu_sim::DEFAULT_TEST)
        .env("INPUT_DEPLOYMENT-CONFIG-ID", nunu_sim::DEFAULT_DEPLOYMENT_CONFIG)
        .env("INPUT_WAIT", "false");
    stage.run(&[]).is(0, "started");
}

#[test]
fn under_the_action_the_address_comes_from_the_input_alone() {
    for name in ["NUNU_ACTION_ENV_API_URL", "NUNU_ACTION_ENV_BASE_URL", "NUNU_BASE_URL"] {
        let mut stage = Stage::new().env("NUNU_ACTION", "composite").env("NUNU_API_URL", "");
        let address = stage.sim.api_url();
        stage.set(name, &address);
        stage
            .quick(&[])
            .is(2, "invalid-input")
            .says("input alone")
            .says(&format!("with: api-url: {address}"));
        assert!(stage.sim.ledger().requests.is_empty());
        // With the input it goes on, whatever the job's environment holds.
        stage.set("NUNU_API_URL", &address);
        stage.set(name, "http://127.0.0.1:9");
        stage.quick(&["--dry-run"]).is(0, "dry-run");
    }
}
