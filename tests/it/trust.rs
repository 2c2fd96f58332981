//! Who may decide what: outputs are no settings, inputs count where they are inputs, and the repository's content cannot change where
//! the key goes or what is read.

use std::process::Command;

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
    stage.file(".nunu/run.yml", b"version: 1\nbuild: { id: \"${NUNU_OUTPUT_BUILD_ID}\" }\nruns: []\n");
    stage.run(&["run"]).is(2, "invalid-config").says("write NUNU_BUILD_ID: $NUNU_OUTPUT_BUILD_ID");
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

/// A run config whose agents get a text with a variable in it.
fn agents_read(stage: &Stage, lines: &str) {
    let text = format!(
        "version: 1\nruns:\n  - test: {}\n    deployment_config: {}\n{lines}",
        nunu_sim::DEFAULT_TEST,
        nunu_sim::DEFAULT_DEPLOYMENT_CONFIG
    );
    stage.file(".nunu/run.yml", text.as_bytes());
}

#[test]
fn a_pull_request_reads_no_variable_that_nobody_named() {
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "NUNU_SHOP_PASSWORD",
        "CI_REPOSITORY_URL",
    ] {
        let stage = Stage::new().env(name, "hunter2-of-the-host");
        agents_read(&stage, &format!("    template_data: {{ x: \"${{{name}}}\" }}\n"));
        let ended = stage.run(&["run"]);
        ended.is(2, "invalid-config").says(&format!("config-env: {name}"));
        assert!(!ended.log().contains("hunter2"), "{}", ended.log());
        assert!(stage.sim.ledger().requests.is_empty());
    }
}

#[test]
fn what_config_env_lets_in_reaches_the_agents_and_nobody_else() {
    const SECRET: &str = "correct horse*<battery>";
    let stage = Stage::new()
        .env("SHOP_LOGIN", SECRET)
        .env("REGION", "eu")
        .env("TRACK", "nightly-track")
        .env("NUNU_CONFIG_ENV", "SHOP_LOGIN, REGION\nTRACK");
    agents_read(
        &stage,
        "    name: \"smoke ${TRACK}\"\n    template_data: { login: \"me: ${SHOP_LOGIN}\", region: \"${REGION}\" }\n",
    );
    let ended = stage.run(&["run", "--verbose"]);
    ended
        .is(0, "passed")
        .says("the value of REGION in runs[0].template_data.region is not kept secret")
        .says("the value of TRACK in runs[0].name is not kept secret");
    let ledger = stage.sim.ledger();
    let start = ledger.requests_to(nunu_sim::Call::StartRun)[0].body.clone().unwrap();
    assert!(start.to_string().contains("correct horse"), "the service gets it: {start}");
    let shown: Vec<&str> = ended.stdout.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    let shown = shown.join("\n");
    assert!(ended.stdout.contains("::add-mask::correct horse"), "the host is told");
    let mut texts = vec![shown, ended.stderr.clone(), stage.summary()];
    for file in ["results.json", "junit.xml", "summary.md", "report.html", "nunu.env", "diagnostics.jsonl"] {
        texts.push(stage.read(&format!("nunu-results/{file}")));
    }
    for text in texts {
        assert!(!text.contains("correct horse"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_planted_run_config_shows_no_other_file() {
    use std::os::unix::fs::symlink;
    let stage = Stage::new();
    let home = stage.work().parent().unwrap().to_owned();
    std::fs::write(home.join(".netrc"), "machine shop login me password hunter2\n\tx: [\n").unwrap();
    std::fs::create_dir(stage.work().join(".nunu")).unwrap();
    symlink("../../.netrc", stage.work().join(".nunu/run.yml")).unwrap();
    let ended = stage.run(&["run"]);
    ended.is(2, "invalid-input").says("ends outside of the workspace").says("NUNU_RUN_CONFIG: .nunu/run.yml");
    // Named, it is read; but its lines are not shown.
    let named = stage.run(&["run", "--run-config", ".nunu/run.yml"]);
    named.is(2, "invalid-config").says(".nunu/run.yml:2:");
    for text in [
        ended.log(),
        named.log(),
        stage.summary(),
        stage.read("nunu-results/results.json"),
        stage.read("nunu-results/junit.xml"),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(stage.sim.ledger().requests.is_empty());
}

#[cfg(unix)]
#[test]
fn paths_of_the_run_config_end_in_the_workspace_and_others_anywhere() {
    use std::os::unix::fs::symlink;
    let stage = Stage::new();
    let home = stage.work().parent().unwrap().to_owned();
    stage.apk(1000);
    std::fs::rename(stage.work().join("game.apk"), home.join("beside.apk")).unwrap();
    symlink("../beside.apk", stage.work().join("link.apk")).unwrap();
    for path in ["../beside.apk", "link.apk", "../*.apk", "/etc/passwd", "/**/*.zzz"] {
        agents_read(&stage, &format!("build: {{ path: \"{path}\" }}\n"));
        stage
            .run(&["run"])
            .is(2, "invalid-config")
            .says("ends outside of the workspace")
            .says(&format!("NUNU_BUILD_PATH: {path}"));
    }
    agents_read(&stage, "report: { dir: ../elsewhere }\n");
    stage.run(&["run"]).is(2, "invalid-config").says("NUNU_RESULTS_DIR: ../elsewhere");
    assert!(stage.sim.ledger().requests.is_empty() && !home.join("elsewhere").exists());
    // A build beside the workspace, and results beside it, where the pipeline says so.
    agents_read(&stage, "build: { path: nowhere.apk }\nreport: { dir: nowhere }\n");
    let stage = stage.env("NUNU_BUILD_PATH", "../beside.apk").env("NUNU_RESULTS_DIR", "../elsewhere");
    stage.run(&["run"]).is(0, "passed");
    assert!(home.join("elsewhere/results.json").is_file());
}

#[cfg(unix)]
#[test]
fn a_linked_workspace_is_one() {
    let stage = Stage::new();
    let home = stage.work().parent().unwrap().to_owned();
    std::os::unix::fs::symlink("game", home.join("jenkins")).unwrap();
    stage.apk(1000);
    agents_read(&stage, "build: { path: game.apk }\nreport: { dir: out/results }\n");
    let linked = home.join("jenkins").display().to_string();
    for name in ["WORKSPACE", "GITHUB_WORKSPACE"] {
        let stage_env = [(name, linked.as_str()), ("PWD", linked.as_str())];
        let mut command = stage.command(&["run"]);
        command.envs(stage_env).current_dir(&linked);
        stage.end(command.spawn().unwrap()).is(0, "passed");
        assert!(!stage.read("out/results/results.json").is_empty());
    }
}

#[cfg(unix)]
#[test]
fn a_config_by_pipe_is_read_and_an_endless_one_is_not() {
    let stage = Stage::new();
    agents_read(&stage, "");
    let text = std::fs::read(stage.work().join(".nunu/run.yml")).unwrap();
    // Not in the stage's folders, all of which are read in the search for secrets.
    let elsewhere = tempfile::tempdir().unwrap();
    let pipe = elsewhere.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Whoever writes waits until somebody reads.
    let named = pipe.display().to_string();
    std::thread::spawn(move || std::fs::write(&pipe, text));
    stage.run(&["run", "--run-config", &named, "--dry-run"]).is(0, "dry-run");
    stage.run(&["run", "--run-config", "/dev/zero"]).is(2, "invalid-config").says("larger than");
    let ended = stage.run(&["run", "--token-file", "/dev/zero"]);
    ended.is(2, "invalid-input").says("more than 65536 bytes");
}

#[test]
fn where_the_key_goes_is_said_whenever_it_is_not_the_usual_place() {
    let stage = Stage::new().env("NO_PROXY", "").env("SSL_CERT_FILE", "/nowhere/corp.pem");
    let stage = stage.env("HTTPS_PROXY", "http://me:hunter2@proxy.corp:3128");
    let origin = stage.sim.api_url();
    let origin = origin.split("/api").next().unwrap().to_owned();
    let line = format!(
        "requests go to {origin} (api-url from NUNU_API_URL), through the proxy proxy.corp:3128 (HTTPS_PROXY), trusting also the certificates of /nowhere/corp.pem (SSL_CERT_FILE)"
    );
    for more in [&[][..], &["--quiet"]] {
        let ended = stage.quick(more);
        ended.is(0, "passed");
        assert_eq!(ended.log().matches(&line).count(), 1, "{}", ended.log());
        assert!(
            !ended.log().lines().any(|shown| shown.contains("hunter2") && !shown.starts_with("::add-mask::"))
        );
    }
    // The usual place needs no word; without a key nothing is sent to it.
    let usual = Stage::new().env("NUNU_API_URL", "").env("NUNU_API_TOKEN", "");
    assert!(!usual.quick(&[]).log().contains("requests go to"));
}

#[test]
fn a_hostile_repository_changes_neither_host_nor_key_nor_way() {
    let stage = Stage::new();
    for line in [
        "api_url: http://127.0.0.1:9",
        "api_token: x",
        "proxy: http://127.0.0.1:9",
        "ca: evil.pem",
        "config_env: [HOME]",
    ] {
        agents_read(&stage, &format!("{line}\n"));
        stage.run(&["run"]).is(2, "invalid-config");
    }
    assert!(stage.sim.ledger().requests.is_empty());
    for name in [".env", ".netrc", ".npmrc", "nunu.env", "nunu-results/nunu.env"] {
        stage.file(
            name,
            b"NUNU_API_URL=http://127.0.0.1:9\nNUNU_API_TOKEN=other\nHTTPS_PROXY=http://127.0.0.1:9\n",
        );
    }
    agents_read(&stage, "");
    stage.run(&["run"]).is(0, "passed");
}

/// A tree of links, as Bazel makes it, ends outside of the workspace: only the pipeline's author may name it.
#[cfg(unix)]
#[test]
fn a_build_behind_a_link_out_of_the_workspace_is_named_by_flag() {
    let stage = Stage::new();
    let built = stage.path("cache/bazel/execroot/bin");
    std::fs::create_dir_all(&built).unwrap();
    std::fs::rename(stage.work().join(stage.apk(10_000)), built.join("app.apk")).unwrap();
    std::os::unix::fs::symlink(&built, stage.work().join("bazel-bin")).unwrap();
    let target = [nunu_sim::DEFAULT_TEST, nunu_sim::DEFAULT_DEPLOYMENT_CONFIG];
    let runs = format!("runs: [{{ test: {}, deployment_config: {} }}]\n", target[0], target[1]);
    stage.file(
        ".nunu/run.yml",
        format!("version: 1\nbuild: {{ path: bazel-bin/app.apk }}\n{runs}").as_bytes(),
    );
    let refused = stage.run(&["run"]);
    assert_eq!(refused.code, 2, "{}", refused.log());
    refused.says("build-path: bazel-bin/app.apk");
    assert!(stage.sim.ledger().requests.is_empty());
    let ended = stage.run(&["run", "--build-path", "bazel-bin/app.apk"]);
    ended.is(0, "passed");
    assert_eq!(ended.outputs["build-status"], "uploaded");
}

/// The folders of `init` may be links that somebody planted.
#[cfg(unix)]
#[test]
fn init_writes_through_no_link() {
    let stage = Stage::new();
    let elsewhere = stage.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, stage.work().join(".nunu")).unwrap();
    let ended = stage.run(&["init"]);
    assert_eq!(ended.code, 2, "{}", ended.log());
    ended.says("is no folder of ours");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// A state file that a checkout brought names no jobs: neither to wait for nor to stop.
#[cfg(unix)]
#[test]
fn a_committed_state_file_stops_nothing() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::of(Script::endless()))).env("RUNNER_TEMP", "");
    stage.quick(&["--wait=false"]).is(0, "started");
    let planted = std::fs::read(stage.work().join(".nunu-state/state.json")).unwrap();
    std::fs::remove_dir_all(stage.work().join(".nunu-state")).unwrap();
    stage.file(".nunu-state/state.json", &planted);
    for (command, code) in [(&["wait"][..], 2), (&["stop"], 2), (&["stop", "--best-effort"], 0)] {
        let ended = stage.command(command).output().unwrap();
        let log = [&ended.stdout[..], &ended.stderr].concat();
        let log = String::from_utf8_lossy(&log);
        assert_eq!(ended.status.code(), Some(code), "{command:?}: {log}");
        assert!(log.contains("was not written by nunu-ci"), "{log}");
    }
    assert_eq!(stage.sim.ledger().abandoned_jobs().len(), 1);
}

/// The same where the mode tells nothing: the checkout was made with a umask of 077. And where a link leads to the file.
#[cfg(unix)]
#[test]
fn a_state_file_that_git_tracks_or_a_link_leads_to_is_not_ours() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::of(Script::endless()))).env("RUNNER_TEMP", "");
    let refused = |why: &str| {
        for (command, code) in [(&["wait"][..], 2), (&["stop"], 2), (&["stop", "--best-effort"], 0)] {
            let ended = stage.command(command).output().unwrap();
            let log = String::from_utf8_lossy(&[&ended.stdout[..], &ended.stderr].concat()).into_owned();
            assert_eq!(ended.status.code(), Some(code), "{command:?}: {log}");
            assert!(log.contains(why), "{log}");
        }
        assert_eq!(stage.sim.ledger().abandoned_jobs().len(), 1);
    };
    stage.quick(&["--wait=false"]).is(0, "started");
    let (folder, elsewhere) = (stage.work().join(".nunu-state"), stage.work().join("elsewhere"));
    std::fs::rename(&folder, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
    refused("was not written by nunu-ci: it is a link");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&elsewhere, &folder).unwrap();
    for args in [&["init", "-q"][..], &["add", "-f", ".nunu-state/state.json"]] {
        assert!(Command::new("git").current_dir(stage.work()).args(args).status().unwrap().success());
    }
    refused("was not written by nunu-ci: the checkout brought it");
    // What a run of ours has written since then is ours.
    stage.quick(&["--wait=false"]).is(0, "started");
    assert_eq!(stage.run(&["stop"]).code, 0);
    assert_eq!(stage.sim.ledger().abandoned_jobs().len(), 1, "the first was never on record here");
}
