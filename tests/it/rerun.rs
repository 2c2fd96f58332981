//! A repeated attempt of a CI run starts only what did not pass, and a pass is what the service says, never a file.

use nunu_sim::{
    Bug, Call, DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_TEST as FIRST, Fault, Generation,
    MULTI_DEVICE_CONFIG, Quirk, SECOND_TEST as SECOND, Scenario, Script, Sim, THIRD_TEST as THIRD,
};

use crate::stage::{Ended, Stage};

/// What the action tells of a job without a matrix.
const LEG: (&str, &str) = ("NUNU_MATRIX_INDEX", "0");

/// A service in which the second test comes to `result`, as the action meets it.
pub(crate) fn second(result: &str) -> Stage {
    second_plays(Script::new(result))
}

fn second_plays(script: Script) -> Stage {
    let stage = Stage::of(Sim::builder().scenario(Scenario::passed().test(SECOND, script)));
    stage.apk(20_000);
    stage.env(LEG.0, LEG.1)
}

/// A run config with these entries on the default deployment configuration, each with further keys.
pub(crate) fn config(entries: &[(&str, &str)]) -> String {
    let entry = |(test, more): &(&str, &str)| format!("  - {{{test}, deployment_config: {CONFIG}{more}}}\n");
    format!("version: 1\nbuild: {{path: game.apk}}\nruns:\n{}", entries.iter().map(entry).collect::<String>())
}

/// Three tests, one each.
fn three() -> String {
    let named = [("a", FIRST), ("b", SECOND), ("c", THIRD)];
    let named = named.map(|(name, test)| format!("name: {name}, test: {test}"));
    config(&[(&named[0], ""), (&named[1], ""), (&named[2], "")])
}

pub(crate) fn run(stage: &Stage, config: &str, more: &[&str]) -> Ended {
    stage.run(&[&["run", "--run-config", config], more].concat())
}

/// The next attempt of the same CI run, on a new machine.
pub(crate) fn attempt(stage: Stage, number: &str) -> Stage {
    stage.forget_state();
    stage.env("GITHUB_RUN_ATTEMPT", number)
}

/// From now on everything passes.
pub(crate) fn all_pass(stage: &Stage) {
    stage.sim.set_scenario(Scenario::passed());
}

/// The tests that were started after the first `before` starts, in order.
pub(crate) fn started_after(stage: &Stage, before: usize) -> Vec<String> {
    let ledger = stage.sim.ledger();
    let jobs = ledger.starts[before..].iter().flat_map(|start| &start.job_ids);
    let test = |id: &String| ledger.jobs.iter().find(|job| job.job_id == *id).unwrap().test_id.clone();
    jobs.map(test).collect()
}

/// What `results.json` calls what each test is counted as.
pub(crate) fn counted(stage: &Stage) -> Vec<String> {
    let results = stage.results();
    let jobs = results["jobs"].as_array().cloned().unwrap_or_default();
    jobs.iter().map(|job| job["counted_as"].as_str().unwrap_or("-").to_owned()).collect()
}

#[test]
fn attempt_two_with_one_of_three_failed_posts_once() {
    let stage = second("FAILED");
    run(&stage, &three(), &[]).is(1, "tests-failed");
    let first: Vec<String> = stage.sim.ledger().jobs.iter().map(|job| job.job_id.clone()).collect();
    all_pass(&stage);
    let stage = attempt(stage, "2");
    let posts = stage.sim.requests_to(Call::StartRun).len();
    let ended = run(&stage, &three(), &[]);
    ended.is(0, "passed");
    assert_eq!(stage.sim.requests_to(Call::StartRun).len() - posts, 1, "{}", ended.log());
    assert_eq!(started_after(&stage, 3), [SECOND]);
    assert_eq!(
        (ended.outputs["tests-total"].as_str(), ended.outputs["tests-passed"].as_str()),
        ("3", "3"),
        "what is carried over counts"
    );
    let ids: Vec<&str> = ended.outputs["job-ids"].split(',').collect();
    assert!(
        ids[0] == first[0] && ids[1] != first[1] && ids[2] == first[2],
        "in the order of the run config: {ids:?}"
    );
    let ledger = stage.sim.ledger();
    let run_of = |job: &str| ledger.jobs.iter().find(|one| one.job_id == job).unwrap().run_ids[0].clone();
    for id in [ids[0], ids[2]] {
        let link = format!("/runs/m/{}/details", run_of(id));
        let told = |line: &str| line.contains("SUCCESS from attempt 1: ") && line.contains(&link);
        assert!(ended.log().lines().any(told), "{link}: {}", ended.log());
    }
    // After an attempt that met the gate everything starts again.
    let stage = attempt(stage, "3");
    run(&stage, &three(), &[]).is(0, "passed");
    assert_eq!(started_after(&stage, 4), [FIRST, SECOND, THIRD]);
}

#[test]
fn every_generation_of_the_service_remembers() {
    let of = |generation| {
        let scenario = Scenario::passed().test(SECOND, Script::new("FAILED"));
        let stage = Stage::of(Sim::builder().generation(generation).scenario(scenario));
        stage.apk(20_000);
        let stage = stage.env(LEG.0, LEG.1);
        run(&stage, &three(), &[]).is(1, "tests-failed");
        all_pass(&stage);
        let stage = attempt(stage, "2");
        let ended = run(&stage, &three(), &[]);
        ended.is(0, "passed");
        // The oldest one lists no builds: each attempt sends its own, and no run of another one counts for it.
        let again: &[&str] = if generation == Generation::V1 { &[FIRST, SECOND, THIRD] } else { &[SECOND] };
        assert_eq!(started_after(&stage, 3), again, "{generation:?}: {}", ended.log());
    };
    std::thread::scope(|scope| {
        for generation in [Generation::V1, Generation::V2, Generation::V3, Generation::V5] {
            scope.spawn(move || of(generation));
        }
    });
}

#[test]
fn instances_pass_together_or_not_at_all() {
    for quirk in [None, Some(Quirk::InstancesAsRuns)] {
        let mut script = Script::attempts(&["SUCCESS", "FAILED"]);
        script.side_by_side = true;
        let scenario = match quirk {
            Some(_) => Scenario::passed().test(SECOND, script),
            None => Scenario::passed().nth(2, Script::new("FAILED")),
        };
        let mut builder = Sim::builder().scenario(scenario);
        if let Some(quirk) = quirk {
            builder = builder.quirk(quirk);
        }
        let stage = Stage::of(builder);
        stage.apk(20_000);
        let stage = stage.env(LEG.0, LEG.1);
        let twice = config(&[
            (&format!("name: a, test: {FIRST}"), ""),
            (&format!("name: b, test: {SECOND}, instances: 2"), ""),
            (&format!("name: c, test: {THIRD}, instances: 2"), ""),
        ]);
        run(&stage, &twice, &[]).is(1, "tests-failed");
        all_pass(&stage);
        let stage = attempt(stage, "2");
        let ended = run(&stage, &twice, &[]);
        ended.is(0, "passed");
        assert_eq!(ended.outputs["tests-passed"], "5");
        let again: std::collections::BTreeSet<String> = started_after(&stage, 3).into_iter().collect();
        assert_eq!(again.into_iter().collect::<Vec<_>>(), [SECOND], "{quirk:?}: {}", ended.log());
    }
}

#[test]
fn starts_of_unknown_size_are_never_carried_over() {
    let lab = format!(
        "  - {{name: lab, test: {FIRST}, deployment_config: {MULTI_DEVICE_CONFIG}, all_configured_devices: true}}\n"
    );
    let all = config(&[(&format!("name: b, test: {SECOND}"), "")]) + &lab;
    let stage = second("FAILED");
    run(&stage, &all, &[]).is(1, "tests-failed");
    all_pass(&stage);
    let stage = attempt(stage, "2");
    run(&stage, &all, &[]).is(0, "passed");
    assert_eq!(stage.sim.effective_starts(), 4);
}

#[test]
fn whatever_is_no_pass_is_started_again() {
    std::thread::scope(|scope| {
        for result in ["ERROR", "TIMEOUT", "BLOCKED", "STOPPED", "SKIPPED", "PARTIAL", ""] {
            scope.spawn(move || {
                let stage = second(result);
                run(&stage, &three(), &["--fail-on", "failed,error,timeout,blocked,stopped,skipped"]);
                all_pass(&stage);
                let stage = attempt(stage, "2");
                let fail_on = "failed,error,timeout,blocked,stopped,skipped";
                run(&stage, &three(), &["--fail-on", fail_on]).is(0, "passed");
                assert_eq!(started_after(&stage, 3), [SECOND], "{result}");
            });
        }
    });
}

#[test]
fn what_is_missing_or_cannot_be_read_is_started_again() {
    // The second start was refused.
    let stage = second("SUCCESS");
    stage.sim.fault(Call::StartRun, Fault::status(400).skip(1).once());
    run(&stage, &three(), &[]).is(6, "start-incomplete");
    let stage = attempt(stage, "2");
    run(&stage, &three(), &[]).is(0, "passed");
    assert_eq!(started_after(&stage, 2), [SECOND]);
    // The bugs of the first test cannot be read.
    let stage = second("FAILED");
    run(&stage, &three(), &[]).is(1, "tests-failed");
    all_pass(&stage);
    stage.sim.fault(Call::RunBugs, Fault::status(404).once());
    let stage = attempt(stage, "2");
    run(&stage, &three(), &[]).is(0, "passed");
    assert_eq!(started_after(&stage, 3).len(), 2);
    // Nothing can be listed.
    let stage = second("FAILED");
    run(&stage, &three(), &[]).is(1, "tests-failed");
    all_pass(&stage);
    stage.sim.fault(Call::ListJobs, Fault::status(400).skip(1).once());
    let stage = attempt(stage, "2");
    run(&stage, &three(), &[]).is(0, "passed").says("earlier attempts could not be read");
    assert_eq!(started_after(&stage, 3).len(), 3);
}

#[test]
fn a_success_whose_bugs_failed_the_gate_is_started_again() {
    let bug = Bug::new("the shop is empty", "high", "high");
    let stage = second_plays(Script::new("SUCCESS").bugs(vec![bug]));
    let gate = ["--fail-on", "failed,bugs:high"];
    run(&stage, &three(), &gate).is(1, "bugs-found");
    all_pass(&stage);
    let stage = attempt(stage, "2");
    run(&stage, &three(), &gate).is(0, "passed");
    assert_eq!(started_after(&stage, 3), [SECOND]);
}

/// A name, what changes around the job, and further keys of the first entry.
type Change = (&'static str, fn(Stage) -> Stage, &'static str);

#[test]
fn nothing_is_carried_over_from_another_start() {
    let changes: &[Change] = &[
        (
            "another build",
            |stage| {
                stage.apk(30_000);
                stage
            },
            "",
        ),
        ("another body", |stage| stage, ", retries: 1"),
        ("other tags", |stage| stage, ", tags: [late]"),
        ("another CI run", |stage| stage.env("GITHUB_RUN_ID", "4712"), ""),
        ("another job", |stage| stage.env("GITHUB_JOB", "other"), ""),
        ("another leg", |stage| stage.env(LEG.0, "1"), ""),
        ("another step", |stage| stage.env("GITHUB_ACTION", "nunu_2"), ""),
        (
            "another address",
            |stage| {
                let url = stage.sim.api_url().replace("127.0.0.1", "localhost");
                stage.env("NUNU_API_URL", &url)
            },
            "",
        ),
    ];
    std::thread::scope(|scope| {
        for (name, change, keys) in changes {
            scope.spawn(move || {
                let both = |keys: &str| {
                    config(&[
                        (&format!("name: a, test: {FIRST}"), keys),
                        (&format!("name: b, test: {SECOND}"), keys),
                    ])
                };
                let stage = second("FAILED");
                run(&stage, &both(""), &[]).is(1, "tests-failed");
                let stage = change(attempt(stage, "2"));
                let ended = run(&stage, &both(keys), &[]);
                ended.is(1, "tests-failed");
                assert_eq!(started_after(&stage, 2), [FIRST, SECOND], "{name}: {}", ended.log());
            });
        }
    });
}

#[test]
fn nothing_is_carried_over_to_another_label_or_configuration() {
    let entry = |name: &str, test: &str, device: &str| {
        format!("  - {{name: {name}, test: {test}, deployment_config: {device}}}\n")
    };
    let of = |name: &str, device: &str| {
        format!(
            "version: 1\nbuild: {{path: game.apk}}\nruns:\n{}{}",
            entry(name, FIRST, device),
            entry("b", SECOND, CONFIG)
        )
    };
    for (name, device) in [("other", CONFIG), ("a", MULTI_DEVICE_CONFIG)] {
        let stage = second("FAILED");
        run(&stage, &of("a", CONFIG), &[]).is(1, "tests-failed");
        all_pass(&stage);
        let stage = attempt(stage, "2");
        run(&stage, &of(name, device), &[]).is(0, "passed");
        assert_eq!(started_after(&stage, 2), [FIRST, SECOND], "{name} {device}");
    }
}

#[test]
fn equal_starts_of_one_job_are_told_apart_by_their_labels() {
    let two = config(&[(&format!("name: a, test: {FIRST}"), ""), (&format!("name: b, test: {FIRST}"), "")]);
    let stage = second("SUCCESS");
    stage.sim.set_scenario(Scenario::passed().nth(1, Script::new("FAILED")));
    run(&stage, &two, &[]).is(1, "tests-failed");
    let first = stage.sim.ledger().jobs[0].job_id.clone();
    let stage = attempt(stage, "2");
    let ended = run(&stage, &two, &[]);
    ended.is(0, "passed");
    assert_eq!(started_after(&stage, 2), [FIRST]);
    assert_eq!(
        ended.outputs["job-ids"].split(',').next(),
        Some(first.as_str()),
        "used once, for its own label"
    );
}

#[test]
fn legs_that_cannot_be_told_apart_carry_nothing_over() {
    let stage = second("FAILED").env(LEG.0, "");
    run(&stage, &three(), &[]).is(1, "tests-failed");
    all_pass(&stage);
    let stage = attempt(stage, "2");
    run(&stage, &three(), &[]).is(0, "passed").says("NUNU_MATRIX_INDEX");
    assert_eq!(started_after(&stage, 3).len(), 3);
}

#[test]
fn where_the_configuration_picks_the_build_nothing_is_carried_over() {
    let stage = second("FAILED");
    let picked = three().replace("build: {path: game.apk}\n", "");
    run(&stage, &picked, &[]).is(1, "tests-failed");
    all_pass(&stage);
    let stage = attempt(stage, "2");
    run(&stage, &picked, &["--rerun", "failed"]).is(0, "passed").says("the configuration picks the build");
    assert_eq!(started_after(&stage, 3).len(), 3);
}

#[test]
fn no_edited_file_turns_red_green() {
    let stage = second("FAILED");
    run(&stage, &three(), &[]).is(1, "tests-failed");
    let edit = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("FAILED", "SUCCESS").replace("\"failed\"", "\"passed\"");
        std::fs::write(path, text.replace("\"exit_code\": 1", "\"exit_code\": 0")).unwrap();
    };
    // Of the second test the state file now says that its job is the first one's.
    let records = stage.path("temp/nunu-state/state.json");
    let text = std::fs::read_to_string(&records).unwrap();
    let jobs: Vec<String> = stage.sim.ledger().jobs.iter().map(|job| job.job_id.clone()).collect();
    std::fs::write(&records, text.replace(&jobs[1], &jobs[0]).replace("\"done\"", "\"open\"")).unwrap();
    edit(&records);
    edit(&stage.work().join("nunu-results/results.json"));
    std::fs::copy(stage.work().join("nunu-results/results.json"), stage.work().join("edited.json")).unwrap();
    let stage = stage.env("GITHUB_RUN_ATTEMPT", "2");
    let ended = run(&stage, &three(), &[]);
    ended.is(1, "tests-failed");
    assert_eq!(started_after(&stage, 3), [SECOND], "{}", ended.log());
    assert_eq!(counted(&stage), ["passed", "failed", "passed"]);
    run(&stage, &three(), &["--rerun-from", "edited.json"])
        .is(2, "invalid-input")
        .says("nothing to start again");
}

#[test]
fn the_setting_decides_where_somebody_sets_it() {
    let stage = second("FAILED");
    run(&stage, &three(), &[]).is(1, "tests-failed");
    let stage = attempt(stage, "2");
    run(&stage, &three(), &["--rerun", "all"]).is(1, "tests-failed");
    assert_eq!(started_after(&stage, 3).len(), 3);
    // The newest attempt decides, whatever came before it.
    stage.sim.set_scenario(Scenario::passed().test(FIRST, Script::new("FAILED")));
    let stage = attempt(stage, "3");
    run(&stage, &three(), &["--rerun", "all"]).is(1, "tests-failed");
    all_pass(&stage);
    let stage = attempt(stage, "4");
    let ended = run(&stage, &three(), &[]);
    ended.is(0, "passed").says("from attempt 3");
    assert_eq!(started_after(&stage, 9), [FIRST]);
    // Everything passed, and whoever wants nothing started anew gets it so.
    let stage = attempt(stage, "5");
    let ended = run(&stage, &three(), &["--rerun", "failed"]);
    ended.is(0, "passed").says("from attempt 4").says("from attempt 3");
    assert_eq!(stage.sim.effective_starts(), 10);
    assert_eq!(ended.outputs["tests-passed"], "3");
    // Who does not wait cannot count what was.
    let started = run(&stage, &three(), &["--rerun", "failed", "--wait=false"]);
    started.is(0, "started").says("only a run that waits carries results over");
    assert_eq!(stage.sim.effective_starts(), 13);
}

#[test]
fn what_lives_is_gone_on_with_and_what_passed_is_carried_over() {
    let stage = second_plays(Script::endless());
    let child = stage.spawn(&["run", "--run-config", &three()]);
    stage.wait_until(|sim| sim.effective_starts() == 3 && sim.unfinished_jobs().len() == 1);
    stage.kill(child);
    let jobs: Vec<String> = stage.sim.ledger().jobs.iter().map(|job| job.job_id.clone()).collect();
    let stage = attempt(stage, "2");
    let ended = run(&stage, &three(), &["--timeout", "4s"]);
    ended.is(8, "timeout").says("of an earlier attempt").says("SUCCESS from attempt 1");
    assert_eq!(stage.sim.effective_starts(), 3, "{}", ended.log());
    let ledger = stage.sim.ledger();
    let stops: Vec<u32> = ledger.jobs.iter().map(|job| job.stop_requests).collect();
    assert!(stops[0] == 0 && stops[1] > 0 && stops[2] == 0, "what is carried over is not stopped: {stops:?}");
    let left = stage.results()["left_running"].to_string();
    assert!(!left.contains(&jobs[0]) && !left.contains(&jobs[2]), "{left}");
}

/// A bug that the baseline has counts as little in an earlier attempt as in this one.
#[test]
fn a_success_with_a_known_bug_is_carried_over_where_only_new_ones_count() {
    let with_bug =
        || Script::new("SUCCESS").bugs(vec![Bug::new("the shop is empty", "high", "high").id("old")]);
    let stage = second("SUCCESS").env("GITHUB_REF_TYPE", "branch").env("GITHUB_REF_NAME", "main");
    stage.sim.set_scenario(Scenario::passed().test(FIRST, with_bug()));
    run(&stage, &three(), &[]).is(0, "passed");
    let stage = attempt(stage, "1").env("GITHUB_RUN_ID", "4712");
    stage.sim.set_scenario(Scenario::passed().test(FIRST, with_bug()).test(SECOND, Script::new("FAILED")));
    let known = ["--fail-on", "failed,new-bugs:high"];
    run(&stage, &three(), &known).is(1, "tests-failed");
    let stage = attempt(stage, "2");
    run(&stage, &three(), &known).is(1, "tests-failed");
    assert_eq!(started_after(&stage, 6), [SECOND]);
    let stage = attempt(stage, "3");
    run(&stage, &three(), &["--fail-on", "failed,bugs:high"]).is(1, "tests-failed");
    assert_eq!(started_after(&stage, 7), [FIRST, SECOND], "where every bug counts it did not pass");
}
