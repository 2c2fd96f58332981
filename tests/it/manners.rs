//! Manners at a terminal: data on stdout, talk on stderr, and no more than was asked for.

use serde_json::Value;

use crate::stage::Stage;

/// What `jq` would get.
fn data(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout:?}"))
}

#[test]
fn an_upload_prints_its_id_and_nothing_else() {
    let stage = Stage::new().off_ci();
    let ended = stage.run(&["upload", "--build-path", stage.apk(1000)]);
    assert_eq!(ended.code, 0, "{}", ended.log());
    assert_eq!(ended.stdout.trim(), stage.sim.ledger().builds[0].build_id);
    assert!(ended.stderr.contains("uploaded game.apk"), "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
    let quiet = stage.run(&["upload", "--build-path", "game.apk", "--quiet"]);
    assert_eq!(quiet.stdout, ended.stdout, "the same build is the same id");
    // Where the key goes is said whatever is asked for.
    let address = stage.sim.api_url();
    let origin = address.split("/api").next().unwrap();
    assert_eq!(quiet.stderr, format!("requests go to {origin} (api-url from NUNU_API_URL)\n"));
}

#[test]
fn json_is_the_report_whatever_the_end() {
    let stage = Stage::new().off_ci();
    let ended = stage.quick(&["--json", "--build-path", stage.apk(1000)]);
    assert_eq!(data(&ended.stdout), stage.results());
    assert_eq!(data(&ended.stdout)["exit_reason"], "passed");
    // Mistakes and missing keys end early, and say so all the same.
    let ended = stage.run(&["run", "--json", "--quiet", "--timeout", "soon"]);
    assert_eq!((ended.code, &data(&ended.stdout)["exit_reason"]), (2, &"invalid-input".into()));
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    let stage = Stage::new().off_ci().env("NUNU_API_TOKEN", "");
    let ended = stage.quick(&["--json"]);
    assert_eq!(data(&ended.stdout)["exit_reason"], "api-key-missing");
}

#[test]
fn a_check_tells_machines_what_it_tells_people() {
    let stage = Stage::new().off_ci().env("NUNU_DEPLOYMENT_CONFIG_ID", nunu_sim::DEFAULT_DEPLOYMENT_CONFIG);
    let args = ["check", "--build-path", stage.apk(1000), "--test-id", nunu_sim::DEFAULT_TEST];
    let found = data(&stage.run(&[&args[..], &["--json"]].concat()).stdout);
    assert_eq!(found["build"]["action"], "upload");
    let digest = found["build"]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(found["limits"]["timeout_seconds"], 12_600);
    assert_eq!(found["runs"][0]["target_name"], "Smoke test");
    let standing = |name: &str| {
        let all = found["permissions"].as_array().unwrap();
        all.iter().find(|permission| permission["name"] == name).unwrap()["standing"].clone()
    };
    assert_eq!(standing("project:operate-runs"), "proved");
    let table = stage.run(&args);
    table
        .says("nunu-ci: checked, exit code 0")
        .says(&digest)
        .says("Smoke test")
        .says("NUNU_DEPLOYMENT_CONFIG_ID");
    // Stored once, it would be used again.
    stage.run(&["upload", "--build-path", "game.apk"]).says("exit code 0");
    let found = data(&stage.run(&[&args[..], &["--json"]].concat()).stdout);
    assert_eq!((&found["build"]["action"], &found["build"]["sha256"]), (&"reuse".into(), &digest.into()));
    assert_eq!(found["build"]["id"], stage.sim.ledger().builds[0].build_id);
    assert_eq!((stage.sim.effective_starts(), stage.sim.ledger().builds.len()), (0, 1));
}

#[test]
fn a_bare_call_greets_and_leaves_nothing() {
    let bare =
        || Stage::new().off_ci().env("NUNU_API_URL", "").env("NUNU_API_TOKEN", "").env("NUNU_POLL", "");
    let stage = bare();
    let ended = stage.run(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "nothing was tested: {}", ended.log());
    ended.says("nunu-ci init ").says("nunu-ci check ").says("nunu-ci help ");
    assert!(!ended.log().contains("error: "), "{}", ended.log());
    assert_eq!(std::fs::read_dir(stage.work()).unwrap().count(), 0);
    // In a CI, and where anything was said, it is a job that lacks something.
    bare().env("CI", "true").run(&[]).says("error: test-id (not set)");
    bare().env("NUNU_TIMEOUT", "1h").run(&[]).says("error: test-id (not set)");
    let stage = bare();
    stage.file(".nunu/run.yml", b"version: 1\nruns: []\n");
    stage.run(&[]).says("error: ");
}

#[test]
fn commands_that_everybody_tries_are_there_and_typos_are_explained() {
    let stage = Stage::new().off_ci();
    for (words, want) in [
        (&["help"][..], "Commands:"),
        (&["help", "stop"], "--best-effort"),
        (&["version"], concat!("nunu-ci ", env!("CARGO_PKG_VERSION"))),
    ] {
        let ended = stage.run(words);
        assert!(ended.code == 0 && ended.stdout.contains(want), "{words:?}: {}", ended.log());
    }
    let ended = stage.run(&["chekc"]);
    assert_eq!(ended.code, 2);
    ended.says("there is no command \"chekc\"; did you mean check?").says("nunu-ci help COMMAND");
}

#[test]
fn a_log_says_each_thing_once_and_by_its_name() {
    let stage = Stage::new();
    stage.file(
        ".nunu/run.yml",
        b"version: 1\nruns:\n  - {name: a, test: Smoke test, deployment_config: Android phone}\n  - {name: b, test: Smoke test, deployment_config: Android phone}\n",
    );
    let ended = stage.run(&["run"]);
    ended.is(0, "passed").says("a: starting test \"Smoke test\"");
    for once in ["test Smoke test is ", "deployment configuration Android phone is "] {
        assert_eq!(ended.log().matches(once).count(), 1, "{}", ended.log());
    }
    let build = stage.apk(1000);
    stage.run(&["upload", "--build-path", build]).is(0, "uploaded");
    let again = stage.run(&["upload", "--build-path", build]);
    again.is(0, "uploaded").says("stored already (sent nothing)");
}
