//! Starts of which only a part is known: never taken for the whole, never left running unsaid, never paid twice.

use std::time::{Duration, Instant};

use nunu_sim::{
    Call, DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_PLAN, DEFAULT_TEST as TEST, Fault,
    MULTI_DEVICE_CONFIG, Quirk, SECOND_TEST, Scenario, Script, Sim,
};
use serde_json::json;

use crate::faults::{Cell, run};
use crate::stage::Stage;

/// All of them: almost all of their time is waiting.
const AT_ONCE: usize = 32;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn passing(after: Duration) -> Script {
    Script::new("SUCCESS").runs_for(after)
}

fn playing(scenario: Scenario) -> Stage {
    Stage::of(Sim::builder().scenario(scenario)).env("NUNU_MATRIX_INDEX", "0")
}

const PLAN: [&str; 5] = ["run", "--test-plan-id", DEFAULT_PLAN, "--deployment-config-id", CONFIG];
const QUICK: [&str; 5] = ["run", "--test-id", TEST, "--deployment-config-id", CONFIG];

/// With a build of their own: what picks its build itself is never gone on with.
fn with_build(stage: &Stage, args: [&'static str; 5]) -> Vec<&'static str> {
    [&args[..], &["--build-path", stage.apk(10_000)]].concat()
}

/// The second attempt of the same CI run, on a new machine.
fn second_attempt(stage: Stage) -> Stage {
    stage.forget_state();
    stage.env("GITHUB_RUN_ATTEMPT", "2")
}

fn job_count(ended: &crate::stage::Ended) -> usize {
    ended.outputs["job-ids"].split(',').count()
}

/// The answer to the start of a plan is lost, and nobody tells how large the plan is.
fn a_plan_of_unknown_size(answers_at_first: bool) {
    let scenario = Scenario::of(passing(seconds(5))).one_by_one(seconds(1), seconds(2));
    let builder = Sim::builder().scenario(scenario);
    let builder = if answers_at_first {
        // In the middle of the trouble that lost the answer.
        builder
            .fault(Call::GetPlan, Fault::html_502().skip(1).forever())
            .fault(Call::ListExecutions, Fault::html_502().forever())
    } else {
        builder.lacking(Call::GetPlan).lacking(Call::ListExecutions)
    };
    let stage = Stage::of(builder);
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let ended = stage.run(&PLAN);
    ended.is(6, "start-incomplete").says("nobody knows whether that is all");
    assert_eq!((job_count(&ended), ended.outputs["tests-passed"].as_str()), (3, "3"), "{}", ended.log());
    assert_eq!(stage.sim.effective_starts(), 1);
}

/// One look that fails does not hide the size of a plan.
fn a_plan_whose_size_is_told_late() {
    let stage = playing(Scenario::of(passing(seconds(9))).one_by_one(seconds(1), seconds(2)));
    stage.sim.fault(Call::GetPlan, Fault::html_502().skip(1).once());
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let ended = stage.run(&PLAN);
    ended.is(0, "passed");
    assert_eq!((job_count(&ended), stage.sim.effective_starts()), (3, 1), "{}", ended.log());
}

/// The execution of a plan counts its tests, also where nobody tells the plan's items.
fn a_plan_whose_execution_tells_its_size() {
    let scenario = Scenario::of(passing(seconds(9))).one_by_one(seconds(1), seconds(2));
    let stage = Stage::of(Sim::builder().scenario(scenario).lacking(Call::GetPlan));
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let ended = stage.run(&PLAN);
    ended.is(0, "passed");
    assert_eq!((job_count(&ended), stage.sim.effective_starts()), (3, 1), "{}", ended.log());
}

/// On several devices a plan has more jobs than items.
fn a_plan_on_all_devices_is_as_large_as_its_execution_says() {
    let stage = playing(Scenario::of(passing(seconds(9))).one_by_one(seconds(1), seconds(1)));
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let config = format!(
        "version: 1\nruns:\n  - {{test_plan: {DEFAULT_PLAN}, deployment_config: {MULTI_DEVICE_CONFIG}, all_configured_devices: true}}\n"
    );
    let ended = stage.run(&["run", "--run-config", &config]);
    ended.is(0, "passed");
    assert_eq!((job_count(&ended), stage.sim.effective_starts()), (6, 1), "{}", ended.log());
}

/// A job of a plan of known size that appears after the window joins the others.
fn the_last_job_of_a_plan_comes_late() {
    let scenario = Scenario::of(passing(seconds(36))).nth(2, passing(seconds(34)).invisible_for(seconds(30)));
    let stage = playing(scenario);
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let ended = stage.run(&PLAN);
    ended.says("only 2 of 3 jobs started").is(0, "passed");
    assert_eq!((job_count(&ended), stage.sim.effective_starts()), (3, 1), "{}", ended.log());
}

fn all_devices_with_a_lost_answer() {
    let stage = playing(Scenario::of(passing(seconds(3))));
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let config = format!(
        "version: 1\nruns:\n  - {{test: {TEST}, deployment_config: {MULTI_DEVICE_CONFIG}, all_configured_devices: true}}\n"
    );
    let ended = stage.run(&["run", "--run-config", &config]);
    ended.is(6, "start-incomplete");
    assert_eq!((job_count(&ended), ended.outputs["tests-passed"].as_str()), (2, "2"), "{}", ended.log());
    assert_eq!(stage.sim.effective_starts(), 1);
}

/// Three instances are three jobs, or one.
fn instances_with_a_lost_answer(as_runs: bool) {
    let builder = Sim::builder().scenario(Scenario::of(passing(seconds(2))));
    let builder = if as_runs { builder.quirk(Quirk::InstancesAsRuns) } else { builder };
    let stage = Stage::of(builder);
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let config =
        format!("version: 1\nruns:\n  - {{test: {TEST}, deployment_config: {CONFIG}, instances: 3}}\n");
    let ended = stage.run(&["run", "--run-config", &config]);
    ended.is(0, "passed");
    let jobs = if as_runs { 1 } else { 3 };
    assert_eq!((job_count(&ended), ended.outputs["tests-passed"].as_str()), (jobs, "3"), "{}", ended.log());
}

/// The repeated job finds one of three jobs, and the others come.
fn a_plan_that_is_still_being_created_is_adopted_whole() {
    let stage = playing(Scenario::of(passing(seconds(18))).one_by_one(seconds(1), seconds(4)));
    let args = with_build(&stage, PLAN);
    let child = stage.spawn(&args);
    stage.wait_until(|sim| sim.unfinished_jobs().iter().any(|job| job.visible));
    stage.kill(child);
    assert!(stage.sim.unfinished_jobs().iter().any(|job| !job.visible), "too slow to see it");
    let stage = second_attempt(stage);
    let ended = stage.run(&args);
    ended.is(0, "passed").says("of an earlier attempt");
    assert_eq!((job_count(&ended), stage.sim.effective_starts()), (3, 1), "{}", ended.log());
}

/// One of three jobs had passed when the job was repeated: it is read and counts.
fn a_plan_in_part_finished_is_adopted_whole() {
    let stage = playing(Scenario::of(passing(seconds(12))).nth(0, Script::new("SUCCESS")));
    let args = with_build(&stage, PLAN);
    let child = stage.spawn(&args);
    stage.wait_until(|sim| sim.ledger().jobs.iter().any(|job| job.finished_at.is_some()));
    stage.wait_until_followed();
    stage.kill(child);
    let stage = second_attempt(stage);
    let ended = stage.run(&args);
    ended.is(0, "passed").says("of an earlier attempt");
    assert_eq!((job_count(&ended), ended.outputs["tests-passed"].as_str()), (3, "3"), "{}", ended.log());
    assert_eq!(stage.sim.effective_starts(), 1);
}

/// The job is repeated where its state file is, before the list shows anything of what was started.
fn a_start_on_record_that_is_not_shown_yet(answered: bool) {
    let stage = playing(Scenario::of(passing(seconds(22))).one_by_one(seconds(10), seconds(1)));
    if !answered {
        stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    }
    let child = stage.spawn(&QUICK);
    stage.wait_until(|sim| sim.effective_starts() == 1);
    if answered {
        stage.wait_until_followed();
    }
    stage.kill(child);
    assert!(stage.sim.unfinished_jobs().iter().all(|job| !job.visible), "too slow to see it");
    let stage = stage.env("GITHUB_RUN_ATTEMPT", "2");
    let ended = stage.run(&QUICK);
    ended.is(0, "passed").says("an earlier attempt may have started it");
    assert_eq!((job_count(&ended), stage.sim.effective_starts()), (1, 1), "{}", ended.log());
}

/// The list cannot be had when the job is repeated: nothing is paid again before it can.
fn a_list_that_fails_at_first() {
    let stage = playing(Scenario::of(passing(seconds(15))));
    let args = with_build(&stage, QUICK);
    let child = stage.spawn(&args);
    stage.wait_until_followed();
    stage.kill(child);
    let stage = second_attempt(stage);
    stage.sim.fault(Call::ListJobs, Fault::status(503).skip(1).times(2));
    stage.run(&args).is(0, "passed").says("503 from GET /jobs").says("going on with it");
    assert_eq!(stage.sim.effective_starts(), 1);
}

fn a_list_that_never_answers() {
    let stage = playing(Scenario::of(Script::endless()));
    let args = with_build(&stage, QUICK);
    let child = stage.spawn(&args);
    stage.wait_until_followed();
    stage.kill(child);
    let stage = second_attempt(stage);
    stage.sim.fault(Call::ListJobs, Fault::status(503).skip(1).forever());
    let ended = stage.run(&[&args[..], &["--timeout", "8s"]].concat());
    assert_ne!(ended.code, 0, "{}", ended.log());
    assert_eq!(stage.sim.effective_starts(), 1, "{}", ended.log());
}

/// Two legs of a matrix that the host does not tell apart do not take each other's runs when they are repeated.
fn legs_that_cannot_be_told_apart() {
    let stage = playing(Scenario::of(Script::endless())).env("NUNU_MATRIX_INDEX", "");
    let args = with_build(&stage, QUICK);
    for leg in 1..=2 {
        let child = stage.spawn(&args);
        stage.wait_until(|sim| sim.effective_starts() == leg);
        stage.wait_until_followed();
        stage.kill(child);
        stage.forget_state();
    }
    let stage = second_attempt(stage);
    stage.sim.set_scenario(Scenario::passed());
    stage.run(&args).is(0, "passed");
    assert_eq!(stage.sim.effective_starts(), 3);
    assert_eq!(stage.sim.ledger().abandoned_jobs().len(), 2, "the other leg's run goes on");
}

/// A `start` of two entries is killed before the second is answered.
fn killed_between_two_starts(stage: &Stage) {
    let entry =
        |name: &str, test: &str| format!("  - {{name: {name}, test: {test}, deployment_config: {CONFIG}}}\n");
    let config = format!("version: 1\nruns:\n{}{}", entry("first", TEST), entry("second", SECOND_TEST));
    stage.sim.fault(Call::AnyStart, Fault::stall_after().skip(1).once());
    let child = stage.spawn(&["start", "--run-config", &config]);
    stage.wait_until(|sim| sim.effective_starts() == 2);
    stage.kill(child);
}

/// The second entry of a killed `start` cannot be found by the `wait` after it.
fn a_wait_for_a_start_that_shows_nothing() {
    let hidden = Scenario::passed().test(SECOND_TEST, Script::endless().invisible_for(seconds(600)));
    let stage = playing(hidden);
    killed_between_two_starts(&stage);
    let ended = stage.run(&["wait"]);
    assert_ne!(ended.code, 0, "{}", ended.log());
    assert_eq!(ended.outputs["exit-code"], ended.code.to_string());
    let tag = stage.sim.ledger().starts[1].tags.iter().find(|tag| tag.starts_with("nunu-ci.post")).cloned();
    let open = stage.state()["records"].to_string();
    assert!(tag.is_none_or(|tag| open.contains(&tag)), "{open}");
}

/// It can be found a while later.
fn a_wait_for_a_start_whose_list_fails_at_first() {
    let stage = playing(Scenario::of(passing(seconds(8))));
    killed_between_two_starts(&stage);
    stage.sim.fault(Call::ListJobs, Fault::status(503).skip(1).times(1));
    let ended = stage.run(&["wait"]);
    ended.is(0, "passed");
    assert_eq!(job_count(&ended), 2, "{}", ended.log());
}

/// The timeout counts while nobody knows what runs.
fn a_wait_for_a_start_whose_list_never_answers() {
    let stage = playing(Scenario::passed());
    killed_between_two_starts(&stage);
    stage.sim.fault(Call::ListJobs, Fault::status(503).skip(1).forever());
    let ended = stage.run(&["wait", "--timeout", "3s"]);
    ended.is(8, "timeout").says("without a clear answer to their start");
    let tag = stage.sim.ledger().starts[1].tags.iter().find(|tag| tag.starts_with("nunu-ci.post")).cloned();
    let left = stage.results()["left_running"].to_string();
    assert!(tag.is_none_or(|tag| left.contains(&tag)), "{left}");
}

/// So does a signal.
fn a_signal_while_a_list_never_answers() {
    let stage = playing(Scenario::passed());
    killed_between_two_starts(&stage);
    stage.sim.fault(Call::ListJobs, Fault::status(503).skip(1).forever());
    let before = stage.sim.requests_to(Call::ListJobs).len();
    let child = stage.spawn(&["wait"]);
    stage.wait_until(|sim| sim.requests_to(Call::ListJobs).len() > before + 1);
    stage.end_by("TERM", child).is(143, "interrupted");
}

/// A job that is not found for long is stopped, or named where it cannot be.
fn a_job_that_is_not_found(fault: Fault, can_stop: bool) {
    let stage = playing(Scenario::of(Script::endless()));
    stage.sim.fault(Call::GetJob, fault.forever());
    if !can_stop {
        stage.sim.fault(Call::Stop, Fault::status(404).skip(1).forever());
    }
    let began = Instant::now();
    let ended = stage.run(&QUICK);
    ended.is(7, "run-error");
    assert!(began.elapsed() < seconds(300), "it was polled for minutes");
    let job = &ended.outputs["job-ids"];
    if can_stop {
        assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "{}", ended.log());
    } else {
        assert_eq!(&stage.results()["left_running"][0]["job_ids"][0], job);
        stage.sim.clear_faults();
        assert_eq!(stage.run(&["stop"]).code, 0);
        assert!(stage.sim.ledger().abandoned_jobs().is_empty());
    }
}

/// A start was given up, and its job appears after the program has ended.
fn late_jobs_of_an_abandoned_post_are_stopped_by_the_next_stop() {
    let stage = playing(Scenario::of(Script::endless()).nth(0, Script::endless().invisible_for(seconds(30))));
    stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
    let ended = stage.run(&["start", "--test-id", TEST, "--deployment-config-id", CONFIG]);
    ended.is(0, "started");
    let jobs: Vec<String> = stage.sim.ledger().jobs.iter().map(|job| job.job_id.clone()).collect();
    assert_eq!((jobs.len(), &ended.outputs["job-ids"]), (2, &jobs[1]));
    let net = stage.run(&["stop", "--best-effort"]);
    let running: Vec<String> =
        stage.sim.ledger().abandoned_jobs().iter().map(|job| job.job_id.clone()).collect();
    assert_eq!(running, [jobs[1].clone()], "what was left on purpose runs on, nothing else: {}", net.log());
}

/// An answer that was understood and lacks the build is no reason to open another upload.
fn an_upload_without_a_build_is_opened_once() {
    let stage = Stage::new();
    stage.sim.fault(Call::Initiate, Fault::altered(201, json!({ "build_id": null })).forever());
    let ended = stage.quick(&["--build-path", stage.apk(10_000)]);
    ended.is(5, "upload-failed").says("no build_id");
    assert_eq!(stage.sim.requests_to(Call::Initiate).len(), 1, "{}", ended.log());
}

fn cell(name: &str, test: impl Fn() + Send + Sync + 'static) -> Cell {
    (name.to_owned(), Box::new(test))
}

#[test]
fn a_part_of_a_start_is_never_taken_for_the_whole() {
    let cells = [
        cell("a plan whose size nobody tells", || a_plan_of_unknown_size(false)),
        cell("a plan whose size is told at first", || a_plan_of_unknown_size(true)),
        cell("a plan whose size is told late", a_plan_whose_size_is_told_late),
        cell("a plan whose execution tells its size", a_plan_whose_execution_tells_its_size),
        cell("a plan on all devices", a_plan_on_all_devices_is_as_large_as_its_execution_says),
        cell("the last job of a plan comes late", the_last_job_of_a_plan_comes_late),
        cell("all devices, lost answer", all_devices_with_a_lost_answer),
        cell("instances as jobs, lost answer", || instances_with_a_lost_answer(false)),
        cell("instances as runs, lost answer", || instances_with_a_lost_answer(true)),
        cell("a plan still being created", a_plan_that_is_still_being_created_is_adopted_whole),
        cell("a plan in part finished", a_plan_in_part_finished_is_adopted_whole),
        cell("on record, not shown, answered", || a_start_on_record_that_is_not_shown_yet(true)),
        cell("on record, not shown, unanswered", || a_start_on_record_that_is_not_shown_yet(false)),
        cell("a list that fails at first", a_list_that_fails_at_first),
        cell("a list that never answers", a_list_that_never_answers),
        cell("legs that cannot be told apart", legs_that_cannot_be_told_apart),
        cell("a wait, nothing shown", a_wait_for_a_start_that_shows_nothing),
        cell("a wait, the list fails at first", a_wait_for_a_start_whose_list_fails_at_first),
        cell("a wait, the list never answers", a_wait_for_a_start_whose_list_never_answers),
        cell("a signal, the list never answers", a_signal_while_a_list_never_answers),
        cell("a job, 404", || a_job_that_is_not_found(Fault::status(404), true)),
        cell("a job, 404 as a web page", || {
            a_job_that_is_not_found(Fault::reply(404, "<html>gone</html>"), true);
        }),
        cell("a job, 404 for stops too", || a_job_that_is_not_found(Fault::status(404), false)),
        cell("a job, 400", || a_job_that_is_not_found(Fault::status(400), true)),
        cell("an abandoned post", late_jobs_of_an_abandoned_post_are_stopped_by_the_next_stop),
        cell("an upload without a build", an_upload_without_a_build_is_opened_once),
    ];
    run("starts", AT_ONCE, &cells);
}
