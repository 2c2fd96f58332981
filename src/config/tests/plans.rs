//! What becomes of what a person said.

use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

use super::world::{DEPLOYMENT, TEST, World};
use crate::config::{Artifacts, OnEnd, Plan, Poll, results_dir};
use crate::config::{Parsed, command_of, parse};
use crate::model::build::BuildSource;
use crate::model::{Env, Permission, Platform, Target};

const QUICK: [&str; 4] = ["--test-id", TEST, "--deployment-config-id", DEPLOYMENT];

fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    QUICK.iter().chain(more).copied().collect()
}

fn setting<'a>(plan: &'a Plan, name: &str) -> (&'a str, &'a str) {
    let found = plan.settings.iter().find(|setting| setting.name == name).unwrap();
    (&found.value, &found.source)
}

#[test]
fn the_contracts_example_is_understood() {
    let world = World::new().env("NUNU_PROJECT_ID", "p-1").config(
        "# yaml-language-server: $schema=./nunu-ci.schema.json
version: 1
project_id: ${NUNU_PROJECT_ID}
build:
  path: build/app.apk
  tags: [nightly]
runs:
  - name: smoke
    test: 789e0123-e89b-12d3-a456-426614174000
    deployment_config: 456e7890-e89b-12d3-a456-426614174000
    tags: [ci]
    retries: 1
    instances: 2
    template_data: { country: CH, deep: { n: 1.5, list: [true, null] } }
    options: { performance_monitoring: true, mobile_geolocation: London, mobile_gpslocation: auto, mobile_auto_grant_permissions: true }
    extra_builds: { 1: b1 }
    players: { 1: { deployment_config: c, build: b } }
  - name: plan
    test_plan: Nightly
    slots:   { 2: { deployment_config: d } }
    deployment_config: ac_default
    required: false
  - instructions: Open the shop
    agent_config: ac_default
    deployment_config: Pixel
    all_configured_devices: true
    options: { mobile_gpslocation: { lat: 47.5, long: -8 } }
wait:  { timeout: 90m }
gate:
  fail_on: [failed, error, \"bugs:high\"]
  quarantine:
    - { bug: a1b2c3d4, until: 2027-01-31, reason: \"GAME-123\" }
    - { test: 789e0123-e89b-12d3-a456-426614174000, until: 2027-01-31, reason: \"flaky device\" }
report: { dir: results, artifacts: failed }
",
    );
    let plan = world.good(&["run"]);
    assert_eq!(plan.project_id.as_deref(), Some("p-1"));
    assert_eq!(plan.build.source, BuildSource::Path(world.path("build/app.apk")));
    assert_eq!((plan.build.platform, plan.build.name.as_str()), (Some(Platform::Android), "Fix the door"));
    assert_eq!(plan.build.tags, ["nightly"]);
    assert_eq!(plan.wait.timeout, Duration::from_secs(5400));
    assert_eq!(
        (plan.report.dir.clone(), plan.report.artifacts.clone()),
        (world.path("results"), Artifacts::Failed)
    );
    assert_eq!(
        (plan.gate.quarantine.len(), plan.gate.fail_on.timeout, plan.gate.fail_on.bugs.len()),
        (2, false, 1)
    );
    let labels: Vec<&str> = plan.runs.iter().map(|run| run.label.as_str()).collect();
    assert_eq!(labels, ["smoke", "plan", "run 3"]);
    assert_eq!((plan.runs[0].retries, plan.runs[0].instances), (Some(1), Some(2)));
    assert_eq!(
        serde_json::to_string(plan.runs[0].template_data.as_ref().unwrap()).unwrap(),
        r#"{"country":"CH","deep":{"list":[true,null],"n":1.5}}"#
    );
    assert_eq!(
        serde_json::to_string(&plan.runs[2].options).unwrap(),
        r#"{"mobile_gpslocation":{"lat":"47.5","long":"-8"}}"#
    );
    assert!(!plan.runs[1].required && plan.runs[2].all_configured_devices);
    assert_eq!(plan.permissions(), Permission::ALL);
    // The same text, given instead of a path.
    let inline = std::fs::read_to_string(world.path(".nunu/run.yml")).unwrap();
    assert_eq!(
        World::new().env("NUNU_PROJECT_ID", "p-1").env("NUNU_RUN_CONFIG", &inline).good(&[]).runs,
        plan.runs
    );
}

#[test]
fn defaults_are_those_of_the_contract() {
    let plan = World::new().good(&quick(&[]));
    assert_eq!(plan.origin, "https://nunu.ai");
    assert_eq!(plan.build.source, BuildSource::None);
    assert_eq!((plan.wait.enabled, plan.wait.timeout), (true, Duration::from_secs(12_600)));
    assert_eq!(
        (plan.wait.poll, plan.wait.on_timeout, plan.wait.on_cancel),
        (Poll::Auto, OnEnd::Stop, OnEnd::Stop)
    );
    assert_eq!((plan.wait.stall, plan.build.reuse, plan.build.parallel), (None, true, None));
    assert!(plan.report.dir.ends_with("nunu-results") && plan.report.dir.is_absolute());
    let fails = &plan.gate.fail_on;
    assert!(fails.failed && fails.error && fails.timeout && fails.blocked && fails.stopped && !fails.skipped);
    assert_eq!(plan.notices, Vec::<String>::new());
    assert_eq!(plan.permissions(), [Permission::OperateRuns, Permission::ReadRuns]);
}

#[test]
fn a_higher_layer_replaces_a_lower_one() {
    let config = "version: 1\nbuild: { id: from-file, name: n }\nruns: [{ test: a, deployment_config: b }, { test: a, deployment_config: c }]\nwait: { timeout: 5m, poll: 2s, stall: false }\nreport: { annotations: 3 }\n";
    let world = World::new().config(config).env("NUNU_TIMEOUT", "6m");
    let plan = world.good(&["run", "--name", "flag"]);
    assert_eq!(plan.build.source, BuildSource::Id("from-file".to_owned()));
    assert_eq!((plan.build.name.as_str(), plan.wait.timeout.as_secs()), ("flag", 360));
    assert_eq!(
        (plan.wait.poll, plan.wait.stall, plan.report.annotations),
        (Poll::Every(Duration::from_secs(2)), None, 3)
    );
    let labels: Vec<&str> = plan.runs.iter().map(|run| run.label.as_str()).collect();
    assert_eq!(labels, ["a", "a (2)"], "the same test twice needs no names");
    assert_eq!(setting(&plan, "name"), ("flag", "--name"));
    assert_eq!(setting(&plan, "timeout"), ("6m", "NUNU_TIMEOUT"));
    assert_eq!(setting(&plan, "poll"), ("2s", "wait.poll in the run config"));
    assert_eq!(setting(&plan, "command"), ("run", "command line"));
    assert_eq!(setting(&plan, "run-config"), (".nunu/run.yml", "default"));
    assert_eq!(setting(&plan, "api-token"), ("***", "NUNU_API_TOKEN"));

    // A path from above replaces the id of the file, and test-id replaces runs.
    let world = world
        .container_action()
        .env("INPUT_BUILD-PATH", "build/*.apk")
        .env("NUNU_BUILD_ID", "lower")
        .env("NUNU_TEST_ID", "one,\ntwo # no");
    let plan = world.good(&["run", "--deployment-config-id", "d"]);
    assert_eq!(plan.build.source, BuildSource::Path(world.path("build/app.apk")));
    let targets: Vec<Target> = plan.runs.iter().map(|run| run.target.clone()).collect();
    assert_eq!(targets, [Target::Test("one".to_owned()), Target::Test("two".to_owned())]);
    let plan = world.env("INPUT_TEST_PLAN_ID", "p").good(&[
        "run",
        "--deployment-config-id",
        "d",
        "--build-id",
        "top",
    ]);
    assert_eq!(plan.build.source, BuildSource::Id("top".to_owned()));
    assert_eq!(plan.runs[0].target, Target::Plan("p".to_owned()));
}

#[test]
fn a_gate_that_became_empty_is_not_set_and_an_empty_one_is_refused() {
    let gate = |fail_on: &str| {
        let text = format!(
            "version: 1\nruns: [{{ test: a, deployment_config: b }}]\ngate: {{ fail_on: {fail_on} }}\n"
        );
        World::new().config(&text)
    };
    let usual = World::new().good(&quick(&[])).gate.fail_on;
    for empty in ["[\"${NUNU_X:-}\"]", "\"${NUNU_X:-}\"", "[\"\", null]", "\" , # nothing\"", "null", "\"\""]
    {
        let plan = gate(empty).good(&["run"]);
        assert_eq!(plan.gate.fail_on, usual, "{empty}");
        assert_eq!(setting(&plan, "fail-on").1, "default", "{empty}");
    }
    for (name, value) in [("NUNU_FAIL_ON", ","), ("NUNU_FAIL_ON", "# none"), ("NUNU_FAIL_ON", " ")] {
        assert_eq!(World::new().env(name, value).good(&quick(&[])).gate.fail_on, usual);
    }
    assert_eq!(World::new().good(&quick(&["--fail-on", ", ,"])).gate.fail_on, usual);
    // A variable without items does not hide the run config's gate.
    let plan = gate("[blocked]").env("NUNU_FAIL_ON", ",").good(&["run"]);
    assert!(plan.gate.fail_on.blocked && !plan.gate.fail_on.failed);
    let (reason, text) = gate("[]").wrong(&["run"]);
    assert!(reason.exit_code() == 2 && text.contains("required: false"), "{text}");
}

#[test]
fn the_setting_completes_entries_without_a_deployment() {
    let world = World::new().config("version: 1\nruns: [{ test: a }, { test: b, deployment_config: own }, { test: c, players: { 1: { deployment_config: p } } }]\n");
    let plan = world.good(&["--deployment-config-id", "d"]);
    let deployments: Vec<Option<&str>> =
        plan.runs.iter().map(|run| run.deployment_config.as_deref()).collect();
    assert_eq!(deployments, [Some("d"), Some("own"), Some("d")]);
}

#[test]
fn names_and_tags_are_filled_in_and_cut() {
    let mut world = World::new();
    world.context.branch = Some("feature/".to_owned() + &"x".repeat(80));
    let plan = world.good(&quick(&[
        "--build-path",
        "build/app.apk",
        "--name",
        "{short_commit} #{run_number} {date}",
        "--tags",
        "{branch},ci,ci",
    ]));
    assert_eq!(plan.build.name, "0123456 #17 2026-11-23");
    assert_eq!(plan.build.tags[0].chars().count(), 50);
    assert_eq!(plan.build.tags[1..], ["ci"]);
    assert!(plan.notices[0].contains("was cut to 50 characters"), "{:?}", plan.notices);
    let derived = |context: fn(&mut World)| {
        let mut world = World::new();
        context(&mut world);
        world.good(&quick(&["--build-path", "build/app.apk"])).build.name
    };
    assert_eq!(
        derived(|world| world.context.pull_request_title = Some("Add\ta door ".to_owned())),
        "Adda door"
    );
    assert_eq!(derived(|world| world.context.commit_subject = Some("é".repeat(300))), "é".repeat(255));
    assert_eq!(derived(|world| world.context.commit_subject = None), "app.apk #17");
    let (_, text) =
        World::new().wrong(&quick(&["--build-path", "build/app.apk", "--name", &"x".repeat(256)]));
    assert!(text.contains("has 256 characters, at most 255"), "{text}");
}

#[test]
fn what_deserves_a_word_is_a_notice() {
    let world = World::new()
        .env("NUNU_API_TOKEN", " nunu_key \n")
        .env("NUNU_FILE", "build/app.apk")
        .env("NUNU_POLL", "30");
    let plan = world.good(&quick(&[]));
    assert_eq!(plan.build.source, BuildSource::Path(world.path("build/app.apk")));
    let notices = plan.notices.join("\n");
    for part in [
        "white space around the API key",
        "NUNU_FILE is deprecated: use build-path",
        "30 without a unit means 30 minutes",
    ] {
        assert!(notices.contains(part), "{part}: {notices}");
    }
    let plan = World::new().good(&quick(&["--file", "build/app.apk"]));
    assert_eq!(plan.notices, ["--file is deprecated: use build-path"]);
}

#[test]
fn stop_stops_whatever_else_is_wrong() {
    let world = World::new()
        .config("version: 1\nproject_id: p\nbuild: { path: '${OUT}' }\nbanana: 1\n")
        .env("NUNU_TIMEOUT", "soon");
    let plan = world.good(&["stop"]);
    assert_eq!(plan.project_id.as_deref(), Some("p"));
    assert_eq!(plan.notices.len(), 3, "{:?}", plan.notices);
    assert!(world.plan(&["wait"]).is_err());
    assert!(world.plan(&["stop", "--api-url", "nowhere"]).is_err());
    assert!(World::new().config("a: [\n").good(&["stop"]).notices[0].contains(".nunu/run.yml:"));
}

#[test]
fn each_command_needs_its_own() {
    let world = World::new().config(&format!("version: 1\nbuild: {{ path: build/app.apk }}\nruns: [{{ test: {TEST}, deployment_config: {DEPLOYMENT} }}]\n"));
    assert_eq!(world.good(&["upload"]).permissions(), [Permission::ManageBuildStorage]);
    assert!(world.good(&["upload"]).runs.is_empty());
    assert_eq!(world.good(&["start", "--build-id", "b"]).permissions(), [Permission::OperateRuns]);
    assert_eq!(
        world.good(&["run", "--wait", "false"]).permissions(),
        [Permission::ManageBuildStorage, Permission::OperateRuns]
    );
    assert_eq!(world.good(&["check"]).permissions(), Permission::ALL[..3]);
    for command in ["wait", "stop"] {
        let plan = World::new().good(&[command, "--job-ids", "a,b", "--build-path", "nowhere.apk"]);
        assert_eq!(plan.job_ids, ["a", "b"]);
        assert_eq!(
            plan.permissions(),
            [if command == "wait" { Permission::ReadRuns } else { Permission::OperateRuns }]
        );
    }
}

#[test]
fn a_report_without_a_plan_goes_where_the_config_says() {
    let Parsed::Args(args) = parse(&["nunu-ci".to_owned()]).unwrap() else { panic!() };
    let dir = |world: &World, env: &Env| results_dir(&args, env, world.cwd());
    let world = World::new().config("report: { dir: here }\nbanana: 1\n");
    assert_eq!(dir(&world, &Env::default()), Some(world.path("here")));
    assert_eq!(dir(&world, &Env::from([("NUNU_RESULTS_DIR", "../there")])), Some(world.path("../there")));
    for outside in ["\"${X}\"", "../there", "/etc"] {
        let world = World::new().config(&format!("report: {{ dir: {outside} }}\n"));
        assert_eq!(dir(&world, &Env::default()), Some(world.path("nunu-results")));
    }
    #[cfg(unix)]
    {
        let world = World::new();
        std::os::unix::fs::symlink("/etc", world.path("nunu-results")).unwrap();
        assert_eq!(dir(&world, &Env::default()), None);
    }
    let env = Env::from([("NUNU_COMMAND", "upload")]);
    assert_eq!(command_of(&args, &env).map(crate::config::Command::as_str), Some("upload"));
    assert_eq!(command_of(&args, &Env::from([("NUNU_COMMAND", "fly")])), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Whatever is said: a plan, or a failure of the codes 2 and 4 that shows no key.
    #[test]
    fn nothing_that_is_said_breaks_it(
        text in any::<String>(),
        keys in proptest::collection::vec("(version|build|runs|wait|gate|report|  path|  - test|  tags|  timeout|    options|  fail_on|    players): (1|\\[a, 2\\]|\\{1: \\{deployment_config: c\\}\\}|90m|\\$\\{[A-Z]{0,2}(:-x)?\\}|&a x|\\*a|<<|\"\\\\q\"|)", 0..12),
        words in proptest::collection::vec("[ -~]{0,12}", 6),
    ) {
        let names = ["NUNU_TAGS", "INPUT_FAIL-ON", "NUNU_API_URL", "NUNU_TIMEOUT", "NUNU_ARTIFACTS", "NUNU_NAME"];
        for config in [text + "\n", format!("version: 1\n{}\n", keys.join("\n"))] {
            let mut world = World::new().container_action().env("NUNU_RUN_CONFIG", &config);
            for (name, word) in names.iter().zip(&words) {
                world = world.env(name, word);
            }
            for command in ["run", "upload", "start", "wait", "stop", "check"] {
                if let Err(failure) = world.plan(&[command, "--build-path", &words[0]]) {
                    prop_assert!([2, 4].contains(&failure.reason.exit_code()));
                    prop_assert!(!failure.to_string().contains("nunu_key_of_tests"));
                }
            }
        }
    }
}

#[test]
fn writing_a_default_out_changes_nothing() {
    use crate::config::{DefaultValue, SETTINGS};
    let plan = |world: &World| {
        let mut plan = world.good(&quick(&["--build-path", "build/app.apk"]));
        plan.settings.clear();
        format!("{plan:?}").replace(&*world.cwd().to_string_lossy(), "<cwd>")
    };
    let usual = plan(&World::new());
    let mut read = 0;
    for setting in SETTINGS {
        if let DefaultValue::Text(text) = setting.default {
            assert_eq!(plan(&World::new().env(&setting.variable(), text)), usual, "{}", setting.name);
            read += 1;
        }
    }
    assert!(read > 15, "{read}");
    let gate = World::new().good(&quick(&[])).gate;
    assert_eq!(gate.fail_on, crate::model::verdict::FailOn::default());
}
