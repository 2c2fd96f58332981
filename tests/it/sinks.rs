//! Hostile values on their way through the built program: into `nunu.env`, into ids, into what is taken for a secret.

use nunu_sim::{Call, DEFAULT_KEY, Fault, Scenario, Sim};
use serde_json::json;

use crate::stage::Stage;

/// What a reader sees: no control character, nothing without width.
fn visible(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control() && !"\u{200b}\u{2060}\u{ad}\u{fe0f}".contains(*letter))
        .collect()
}

#[cfg(unix)]
#[test]
fn sourcing_nunu_env_runs_nothing_and_sets_no_setting() {
    for folder in ["r", "$(touch${IFS}pwned)", "`touch${IFS}pwned`", "x;touch pwned;", "a b"] {
        let stage = Stage::new();
        stage.quick(&["--results-dir", folder]).is(0, "passed");
        let shell = std::process::Command::new("sh")
            .args(["-c", "cd \"$1\" && . ./nunu.env && set", "sh", folder])
            .current_dir(stage.work())
            .env_clear()
            .output()
            .unwrap();
        let set = String::from_utf8_lossy(&shell.stdout);
        assert!(shell.status.success() && shell.stderr.is_empty(), "{shell:?}");
        let ours: Vec<&str> = set.lines().filter(|line| line.starts_with("NUNU_")).collect();
        assert!(ours.len() > 10 && ours.iter().all(|line| line.starts_with("NUNU_OUTPUT_")), "{ours:?}");
        let planted = ["pwned".to_owned(), format!("{folder}/pwned")];
        assert!(planted.iter().all(|path| !stage.work().join(path).exists()), "{folder} ran");
    }
}

#[test]
fn what_nunu_env_leaves_out_is_said_where_it_is_how_outputs_travel() {
    let stage = Stage::new().env("GITHUB_ACTIONS", "").env("GITLAB_CI", "true").env("CI_PIPELINE_ID", "99");
    let ended = stage.quick(&["--results-dir", "a b"]);
    assert_eq!(ended.code, 0, "{}", ended.log());
    ended.says("nunu.env leaves out results-file, junit-file, summary-file");
    assert!(stage.read("a b/nunu.env").contains("NUNU_OUTPUT_STATUS=passed\n"));
    let silent = Stage::new().quick(&["--results-dir", "a b"]);
    assert!(!silent.log().contains("leaves out"), "{}", silent.log());
}

#[test]
fn an_id_that_can_be_none_is_refused_with_the_reply() {
    let stage = Stage::new();
    let hostile = "../../x$(touch pwned)";
    let reply = json!({"ok": true, "job_ids": [hostile]}).to_string();
    stage.sim.fault(Call::StartRun, Fault::reply(201, reply).after_effect());
    let job = json!({"job_id": "j1", "status": "COMPLETED", "runs": [{"multiplayer_run_id": hostile, "result": "SUCCESS"}]});
    stage.sim.fault(Call::GetJob, Fault::reply(200, job.to_string()));
    // The start is unclear then, its job is found by its tag; the look is repeated.
    let ended = stage.quick(&[]);
    ended.is(0, "passed").says("job_ids is no id").says("multiplayer_run_id is no id");
    assert_eq!(stage.sim.effective_starts(), 1);
    assert!(ended.outputs.values().all(|value| !value.contains("pwned")), "{:?}", ended.outputs);
    assert!(!stage.read("nunu-results/nunu.env").contains("pwned"));
}

#[test]
fn a_key_with_hidden_characters_in_it_is_seen_through() {
    for hidden in ["\u{200b}", "\u{2060}", "\u{ad}", "\u{1b}", "\n", "\u{fe0f}"] {
        let spread: String =
            DEFAULT_KEY.chars().flat_map(|letter| [letter.to_string(), hidden.to_owned()]).collect();
        let stage = Stage::new();
        let body = json!({"error": format!("no such thing: {spread} (really)")}).to_string();
        stage.sim.fault(Call::StartRun, Fault::reply(400, body));
        let ended = stage.quick(&[]);
        ended.is(6, "start-failed").says("***");
        let masks = |line: &&str| !line.starts_with("::add-mask::");
        let log = ended.log();
        let mut shown: Vec<String> = vec![log.lines().filter(masks).collect(), stage.summary()];
        for file in
            ["results.json", "junit.xml", "summary.md", "report.html", "nunu.env", "diagnostics.jsonl"]
        {
            shown.push(stage.read(&format!("nunu-results/{file}")));
        }
        for text in shown {
            assert!(!visible(&text.replace("\\n", "")).contains(DEFAULT_KEY), "{hidden:?}: {text}");
        }
    }
}

#[test]
fn a_redirect_cannot_choose_what_is_hidden() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::failed()));
    let words = "sig=failed&token=testsuites&X-Amz-Signature=nunu-results/artifacts&X-Amz-Credential=play-test-failed";
    let target = format!("{}/nowhere?{words}", stage.sim.api_url());
    stage.sim.fault(Call::GetArtifact, Fault::status(302).header("Location", &target).forever());
    let ended = stage.quick(&["--artifacts", "all"]);
    ended.is(1, "tests-failed").says("tests-failed");
    assert!(!stage.read("nunu-results/junit.xml").contains("***"));
    assert!(stage.read("nunu-results/junit.xml").contains("<testsuites"));
    assert!(
        !stage.summary().contains("\\*\\*\\*") && stage.summary().contains("failed"),
        "{}",
        stage.summary()
    );
    assert!(ended.stdout.lines().all(|line| !line.starts_with("::add-mask::failed")), "{}", ended.stdout);
}
