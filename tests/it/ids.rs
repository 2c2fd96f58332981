//! Wrong ids, and what the service tells of right ones, before anything is sent.

use nunu_sim::{
    Builder, Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_PLAN, DEFAULT_TEST, DeploymentConfig, Fault,
    Generation, START_ONLY_KEY, Sim, TestCase, WINDOWS_CONFIG,
};

use crate::stage::{Ended, Stage};

/// An id that nothing has.
const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";
const OTHER: &str = "00000000-0000-4000-8000-000000000001";

/// A run of this test or plan with a build to send.
fn run(stage: &Stage, target: [&str; 2], more: &[&str]) -> Ended {
    let mut args = vec!["run", target[0], target[1], "--build-path", stage.apk(5_000)];
    args.extend(["--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG]);
    args.extend_from_slice(more);
    stage.run(&args)
}

#[track_caller]
fn nothing_was_sent(stage: &Stage) {
    for call in [Call::Initiate, Call::AnyStart, Call::AnyPut] {
        assert!(stage.sim.requests_to(call).is_empty(), "{call}");
    }
}

#[test]
fn wrong_ids_are_refused_before_the_build_is_sent() {
    for (target, words) in [
        (["--test-id", NOBODYS], "no test of this project has the id"),
        (["--test-plan-id", NOBODYS], "no test plan of this project has the id"),
    ] {
        let stage = Stage::new();
        run(&stage, target, &[]).is(6, "start-failed").says(words).says("not found").says("project-id");
        nothing_was_sent(&stage);
        let check = ["check", target[0], target[1], "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];
        stage.run(&check).is(6, "start-failed").says(words);
    }
    let stage = Stage::new();
    let ended = run(&stage, ["--test-id", &format!("{NOBODYS},{DEFAULT_TEST},{OTHER}")], &["--dry-run"]);
    ended.is(6, "start-failed").says(NOBODYS).says(OTHER);
    nothing_was_sent(&stage);
}

/// A service that lacks something, with a name.
type Service = (&'static str, fn(Builder) -> Builder);

#[test]
fn a_service_without_these_look_ups_locks_nobody_out() {
    let services: [Service; 4] = [
        ("no test by itself", |service| service.lacking(Call::GetTest).lacking(Call::GetPlan)),
        ("no tests at all", |service| {
            let gone =
                [Call::GetTest, Call::ListTests, Call::GetPlan, Call::ListPlans, Call::DeploymentConfigs];
            gone.into_iter().fold(service, Builder::lacking)
        }),
        ("the oldest generation", |service| service.generation(Generation::V1)),
        ("the second generation", |service| service.generation(Generation::V2)),
    ];
    for (name, service) in services {
        let stage = Stage::of(service(Sim::builder()));
        let ended = run(&stage, ["--test-id", DEFAULT_TEST], &[]);
        assert_eq!(ended.code, 0, "{name}: {}", ended.log());
        if name != "the oldest generation" {
            let stage = Stage::of(service(Sim::builder()));
            let ended = run(&stage, ["--test-plan-id", DEFAULT_PLAN], &[]);
            assert_eq!(ended.code, 0, "{name}: {}", ended.log());
        }
        // The start itself tells.
        if name != "no test by itself" {
            let stage = Stage::of(service(Sim::builder()));
            run(&stage, ["--test-id", NOBODYS], &[]).is(6, "start-failed");
            assert_eq!(stage.sim.ledger().complete_builds().len(), 1, "{name}");
        }
    }
}

#[test]
fn no_other_trouble_of_a_look_up_blocks() {
    for fault in [
        Fault::status(500),
        Fault::reply(400, "{\"error\":\"no\"}"),
        Fault::reply(403, "{\"error\":\"API key missing required permission: project:edit-tests\"}"),
        Fault::reply(404, "<html>not here</html>"),
        Fault::reply(200, "[]"),
        Fault::reply(200, "garbage"),
        Fault::drop_before(),
        Fault::stall(),
    ] {
        let stage = Stage::new();
        for call in [Call::GetTest, Call::GetPlan, Call::ListTests, Call::ListPlans, Call::DeploymentConfigs]
        {
            stage.sim.fault(call, fault.clone().forever());
        }
        run(&stage, ["--test-id", DEFAULT_TEST], &[]).is(0, "passed");
    }
    let stage = Stage::new().env("NUNU_API_TOKEN", START_ONLY_KEY);
    let start = ["start", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];
    stage.run(&start).is(0, "started");
}

const QUARANTINED: &str = "11111111-0000-4000-8000-000000000000";
const DISCOVERY: &str = "22222222-0000-4000-8000-000000000000";

#[test]
fn what_the_service_tells_is_said_before_anything_is_sent() {
    let ids = format!("{QUARANTINED},{DISCOVERY}");
    let words = [
        "the test \"Old shop\" is quarantined on the service",
        "\"Roam\" is a discovery test: it checks nothing",
        "bugs:high",
        "timeout is 1 h; the service lets these tests run longer: \"Old shop\" (5 h 30 min), \"Roam\" (5 h 30 min)",
        "the build is for android, but the deployment configuration \"Windows VM\" plays on windows",
        "the build is no zip, but the deployment configuration \"Windows VM\" takes a zip",
    ];
    let stage = || {
        Stage::of(
            Sim::builder()
                .test(TestCase::new(QUARANTINED, "Old shop").quarantined())
                .test(TestCase::new(DISCOVERY, "Roam").kind("discovery"))
                .deployment_config(DeploymentConfig::new(WINDOWS_CONFIG, "Windows VM", "windows").zipped()),
        )
    };
    let args = |command, build| {
        let target = ["--test-id", &ids, "--deployment-config-id", WINDOWS_CONFIG];
        [&[command, "--build-path", build, "--timeout", "1h"], target.as_slice()].concat()
    };
    let run = stage();
    let ended = run.run(&args("run", run.apk(5_000)));
    let log = ended.log();
    let sending = log.find("::group::Build").unwrap();
    for words in words {
        assert!(log.find(words).is_some_and(|at| at < sending), "no \"{words}\" before the build in:\n{log}");
    }
    let warnings = run.results()["warnings"].to_string();
    assert!(
        warnings.contains("quarantined on the service") && !warnings.contains("timeout is"),
        "{warnings}"
    );
    let check = stage();
    let ended = check.run(&args("check", check.apk(5_000)));
    ended.is(0, "checked").says("quarantined verification test \"Old shop\"").says("discovery test \"Roam\"");
    for words in words {
        ended.says(words);
    }
    // Where bugs fail the job, and nobody set a timeout, there is nothing to advise.
    let quiet = stage();
    let target = ["--test-id", DISCOVERY, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];
    let ended = quiet.run(&[&["run", "--fail-on", "failed,bugs:high"], target.as_slice()].concat());
    ended.is(0, "passed");
    assert!(
        !ended.log().contains("checks nothing") && !ended.log().contains("lets these tests"),
        "{}",
        ended.log()
    );
}
