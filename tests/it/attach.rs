//! Going on with what an earlier attempt left, and never with what is somebody else's.

use std::process::Command;
use std::time::Duration;

use nunu_sim::{
    Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_PLAN, DEFAULT_TEST, Fault, Generation, Quirk, Scenario, Script,
    Sim,
};

use crate::stage::{Ended, Stage};

const QUICK: [&str; 5] =
    ["run", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];

/// A service whose runs pass after so many seconds.
fn passing_after(seconds: u64) -> Stage {
    Stage::of(
        Sim::builder().scenario(Scenario::of(Script::new("SUCCESS").runs_for(Duration::from_secs(seconds)))),
    )
}

/// Starts the program, waits until something runs on the service, and kills it as a lost machine does.
fn killed_while_it_runs(stage: &Stage, args: &[&str]) {
    let before = stage.sim.effective_starts();
    let child = stage.spawn(args);
    stage.wait_until(|sim| sim.effective_starts() > before);
    stage.wait_until_followed();
    stage.kill(child);
}

/// The second attempt of the same CI run; a hosted runner begins it on a new machine, without the state file.
fn second_attempt(stage: Stage) -> Stage {
    let _ = std::fs::remove_dir_all(stage.work().join("../temp/nunu-state"));
    stage.env("GITHUB_RUN_ATTEMPT", "2")
}

fn first_job(stage: &Stage) -> String {
    stage.sim.ledger().jobs[0].job_id.clone()
}

fn adopted(ended: &Ended) -> bool {
    ended.log().contains("of an earlier attempt")
}

#[test]
fn two_steps_of_one_job_keep_their_own_runs() {
    let stage = passing_after(5);
    killed_while_it_runs(&stage, &QUICK);
    let first = first_job(&stage);
    // The other step starts the very same test, in the same attempt and in the next.
    let stage = stage.env("GITHUB_ACTION", "nunu_2");
    let ended = stage.run(&QUICK);
    ended.is(0, "passed");
    assert!(!adopted(&ended) && ended.outputs["job-ids"] != first, "{}", ended.log());
    let stage = second_attempt(stage).env("GITHUB_ACTION", "nunu_3");
    let ended = stage.run(&QUICK);
    assert!(!adopted(&ended) && ended.outputs["job-ids"] != first, "{}", ended.log());
    assert_eq!(stage.sim.effective_starts(), 3);
}

#[test]
fn two_legs_of_a_matrix_go_on_with_their_own_runs() {
    let stage = passing_after(5).env("NUNU_MATRIX_INDEX", "0");
    let args = [&QUICK[..], &["--build-path", stage.apk(20_000)]].concat();
    killed_while_it_runs(&stage, &args);
    stage.sim.set_scenario(Scenario::of(Script::new("SUCCESS").runs_for(Duration::from_secs(14))));
    let stage = stage.env("NUNU_MATRIX_INDEX", "1");
    killed_while_it_runs(&stage, &args);
    let jobs: Vec<String> = stage.sim.ledger().jobs.iter().map(|job| job.job_id.clone()).collect();
    let mut stage = second_attempt(stage);
    for (leg, job) in ["0", "1"].into_iter().zip(&jobs) {
        stage = stage.env("NUNU_MATRIX_INDEX", leg);
        let ended = stage.run(&args);
        ended.is(0, "passed");
        assert_eq!(&ended.outputs["job-ids"], job, "leg {leg}");
    }
    assert_eq!(stage.sim.effective_starts(), 2);
}

#[test]
fn another_job_or_another_run_of_the_pipeline_starts_its_own() {
    for (name, value) in [("GITHUB_JOB", "other-job"), ("GITHUB_RUN_ID", "4712")] {
        let stage = passing_after(4);
        killed_while_it_runs(&stage, &QUICK);
        let stage = second_attempt(stage).env(name, value);
        assert!(!adopted(stage.run(&QUICK).is(0, "passed")), "{name}");
        assert_eq!(stage.sim.effective_starts(), 2, "{name}");
    }
}

#[test]
fn another_start_is_not_the_same_start() {
    let stage = passing_after(4);
    killed_while_it_runs(&stage, &QUICK);
    let stage = second_attempt(stage);
    let config = format!(
        "runs: [{{test: {DEFAULT_TEST}, deployment_config: {DEFAULT_DEPLOYMENT_CONFIG}, retries: 1}}]\nversion: 1\n"
    );
    assert!(!adopted(stage.run(&["run", "--run-config", &config]).is(0, "passed")));
    assert_eq!(stage.sim.effective_starts(), 2);
}

#[test]
fn what_was_stopped_or_is_finished_is_not_adopted() {
    for stopped in [true, false] {
        let stage =
            if stopped { Stage::of(Sim::builder().scenario(Scenario::endless())) } else { Stage::new() };
        killed_while_it_runs(&stage, &QUICK);
        let first = first_job(&stage);
        if stopped {
            stage.sim.stop_from_dashboard(&first);
        }
        assert!(stage.sim.wait_until(Duration::from_secs(20), |sim| sim.unfinished_jobs().is_empty()));
        stage.sim.set_scenario(Scenario::default());
        let stage = second_attempt(stage);
        let ended = stage.run(&QUICK);
        ended.is(0, "passed");
        assert!(!adopted(&ended) && ended.outputs["job-ids"] != first, "{}", ended.log());
        assert_eq!(stage.sim.effective_starts(), 2);
    }
}

#[test]
fn an_unfinished_run_and_its_build_are_used_again() {
    let stage = passing_after(6);
    let args = [&QUICK[..], &["--build-path", stage.apk(200_000)]].concat();
    killed_while_it_runs(&stage, &args);
    let first = first_job(&stage);
    let stage = second_attempt(stage);
    let ended = stage.run(&args);
    ended.is(0, "passed").says("of an earlier attempt");
    assert_eq!(
        (ended.outputs["job-ids"].as_str(), ended.outputs["build-status"].as_str()),
        (&*first, "reused")
    );
    assert_eq!(stage.sim.effective_starts(), 1);
    assert_eq!(stage.sim.ledger().builds.len(), 1, "sent once");
}

#[test]
fn all_jobs_of_a_plan_are_adopted_together() {
    let stage = passing_after(5);
    // Only of a build that is known it can be said that it is the same.
    let plan = [
        "run",
        "--test-plan-id",
        DEFAULT_PLAN,
        "--deployment-config-id",
        DEFAULT_DEPLOYMENT_CONFIG,
        "--build-path",
        stage.apk(20_000),
    ];
    killed_while_it_runs(&stage, &plan);
    let jobs = stage.sim.ledger().jobs.len();
    assert!(jobs > 1);
    let stage = second_attempt(stage);
    let ended = stage.run(&plan);
    ended.is(0, "passed").says("of an earlier attempt");
    assert_eq!(ended.outputs["job-ids"].split(',').count(), jobs);
    assert_eq!(stage.sim.effective_starts(), 1);
}

/// The start took effect, its answer was lost, and the program with it: only the tag is known.
#[test]
fn a_start_whose_answer_never_came_is_found_by_another_process() {
    for generation in [Generation::V1, Generation::V2, Generation::V3, Generation::V5] {
        let builder = || Sim::builder().generation(generation).scenario(Scenario::endless());
        for builder in [builder(), builder().quirk(Quirk::IgnoredFilters)] {
            let stage = Stage::of(builder);
            stage.sim.fault(Call::StartRun, Fault::drop_after().once());
            let child = stage.spawn(&QUICK);
            assert!(stage.sim.wait_until(Duration::from_secs(20), |sim| sim.effective_starts() == 1));
            stage.kill(child);
            let record = &stage.state()["records"][0];
            assert_eq!(record["standing"], "open", "{generation:?}: {record}");
            let net = stage.run(&["stop", "--best-effort"]);
            assert_eq!(net.code, 0, "{generation:?}: {}", net.log());
            if generation == Generation::V1 {
                // The oldest service tells the job's id in the answer to the start alone; what cannot be stopped is not called done.
                net.says("could not stop").says("ends a run by itself after 5.5 hours");
                assert_eq!(stage.state()["records"][0]["standing"], "open");
                assert_eq!(stage.run(&["stop"]).code, 7);
                continue;
            }
            assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "{generation:?}: {}", net.log());
            assert_eq!(stage.sim.effective_starts(), 1);
        }
    }
}

/// The same program survives the lost answer: it finds the run by its tag and follows it.
#[test]
fn a_lost_answer_is_looked_up_in_every_generation() {
    let lost = |generation| {
        let stage = Stage::of(Sim::builder().generation(generation));
        stage.sim.fault(Call::StartRun, Fault::drop_after().once());
        stage.quick(&[]).is(0, "passed").says("looking for runs with the tag");
        assert_eq!(stage.sim.effective_starts(), 1, "{generation:?}");
    };
    std::thread::scope(|scope| {
        for generation in [Generation::V1, Generation::V2, Generation::V3, Generation::V5] {
            scope.spawn(move || lost(generation));
        }
    });
}

/// A service with many runs that knows no filters is not read to its end for every look.
#[test]
fn a_service_that_ignores_filters_is_not_read_to_its_end() {
    let others = 450;
    let builder = Sim::builder().quirk(Quirk::IgnoredFilters);
    let stage = Stage::of(builder);
    for _ in 0..others / 10 {
        stage_other_run(&stage, 10);
    }
    let before = stage.sim.requests_to(Call::ListJobs).len();
    stage.sim.set_scenario(Scenario::of(Script::new("SUCCESS").runs_for(Duration::from_secs(3))));
    let ended = stage.run(&[
        "run",
        "--test-plan-id",
        DEFAULT_PLAN,
        "--deployment-config-id",
        DEFAULT_DEPLOYMENT_CONFIG,
    ]);
    ended.is(0, "passed");
    let polls = stage.sim.requests_to(Call::ListJobs).len() - before;
    // Three seconds at one look a second, two pages a look at most, and one request for the permission.
    assert!((2..=14).contains(&polls), "{polls} pages were read");
}

/// Somebody else starts a test so many times at once.
fn stage_other_run(stage: &Stage, instances: u32) {
    let body = format!(
        r#"{{"multiplayer_test_id":"{DEFAULT_TEST}","deployment_config_id":"{DEFAULT_DEPLOYMENT_CONFIG}","instances":{instances}}}"#
    );
    let sent = Command::new("curl")
        .args(["-sf", "-o", "/dev/null", "-X", "POST", "-H", "Content-Type: application/json"])
        .args(["-H", &format!("X-Api-Key: {}", nunu_sim::DEFAULT_KEY)])
        .args(["-d", &body, &format!("{}/api/v1/runs", stage.sim.api_url())])
        .status();
    assert!(sent.is_ok_and(|sent| sent.success()));
}

#[test]
fn where_the_configuration_picks_the_build_nothing_is_adopted() {
    let stage = passing_after(5);
    killed_while_it_runs(&stage, &QUICK);
    let stage = second_attempt(stage);
    assert!(!adopted(stage.run(&QUICK).is(0, "passed")));
    assert_eq!(stage.sim.effective_starts(), 2);
}
