//! What is new since the baseline, over several CI runs of one repository.

use nunu_sim::{
    Bug, Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Fault, Generation, Quirk, Scenario, Script, Sim,
    TestCase,
};
use serde_json::json;

use crate::stage::{Ended, Stage};

const BASE: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f80910111213";
const HEAD: &str = "ffffffffffffffffffffffffffffffffffffffff";

/// A repository on GitHub, and its CI runs one after the other.
struct Repository {
    stage: Stage,
    runs: u32,
}

impl Repository {
    fn new() -> Self {
        Self::of(Stage::of(Sim::builder().quirk(Quirk::OwnOrder)))
    }

    fn of(stage: Stage) -> Self {
        Self { stage, runs: 0 }
    }

    /// What the tests of the next runs do.
    fn plays(&self, script: Script) -> &Self {
        self.stage.sim.set_scenario(Scenario::of(script));
        self
    }

    fn next_run(&mut self, branch: &str, commit: &str) {
        self.runs += 1;
        self.stage.set("GITHUB_RUN_ID", &self.runs.to_string());
        self.stage.set("GITHUB_REF_TYPE", "branch");
        self.stage.set("GITHUB_REF_NAME", branch);
        self.stage.set("GITHUB_SHA", commit);
        self.stage.set("GITHUB_EVENT_PATH", "");
        self.stage.set("GITHUB_EVENT_NAME", "push");
    }

    fn push(&mut self, branch: &str, commit: &str, more: &[&str]) -> Ended {
        self.next_run(branch, commit);
        self.run(more)
    }

    fn pull_request(&mut self, base_commit: &str, more: &[&str]) -> Ended {
        self.next_run("7/merge", HEAD);
        self.event(
            "pull_request",
            &json!({"pull_request": {"number": 7, "title": "Sword", "head": {"ref": "main", "sha": HEAD},
                "base": {"ref": "main", "sha": base_commit}}}),
        );
        self.run(more)
    }

    fn event(&mut self, name: &str, event: &serde_json::Value) {
        let path = self.stage.path("event.json");
        std::fs::write(&path, event.to_string()).unwrap();
        self.stage.set("GITHUB_EVENT_PATH", &path.display().to_string());
        self.stage.set("GITHUB_EVENT_NAME", name);
    }

    fn run(&self, more: &[&str]) -> Ended {
        self.run_of(DEFAULT_TEST, DEFAULT_DEPLOYMENT_CONFIG, more)
    }

    fn run_of(&self, test: &str, configuration: &str, more: &[&str]) -> Ended {
        // Every run is a job of its own, on a new machine.
        let _ = std::fs::remove_file(self.stage.path("output"));
        self.stage.forget_state();
        let mut args = vec!["run", "--test-id", test, "--deployment-config-id", configuration];
        args.extend_from_slice(more);
        self.stage.run(&args)
    }
}

fn bug(id: &str, severity: &str) -> Bug {
    Bug::new(&format!("Bug {id}"), severity, "high").id(id)
}

fn passes_with(bugs: Vec<Bug>) -> Script {
    Script::new("SUCCESS").bugs(bugs)
}

#[test]
fn a_pull_request_is_compared_with_its_base() {
    let mut repository = Repository::new();
    repository.plays(passes_with(vec![bug("old", "high"), bug("gone", "low")]));
    repository.push("main", BASE, &[]).is(0, "passed").says("no baseline: no run of main");
    repository.plays(Script::new("FAILED").bugs(vec![bug("old", "high"), bug("fresh", "high")]));
    let ended = repository.pull_request(BASE, &["--fail-on", "new-bugs:high,newly-failed"]);
    ended.is(1, "tests-failed");
    ended.says("1 new bug, 1 known, 1 fixed; 1 test newly failing (baseline: main @ 1a2b3c4, less than a minute ago)");
    ended.says(
        "baseline: main @ 1a2b3c4, less than a minute ago, passed (the commit that the change is based on)",
    );
    ended.says("first failure in 1");
    for (output, want) in
        [("bugs-new", "1"), ("bugs-fixed", "1"), ("tests-newly-failing", "1"), ("tests-carried-over", "0")]
    {
        assert_eq!(ended.outputs[output], want, "{output}");
    }
    let base = &repository.stage.sim.ledger().jobs[0];
    assert!(ended.outputs["baseline-run-url"].contains(&base.run_ids[0]));
    let junit = repository.stage.read("nunu-results/junit.xml");
    for property in [
        r#"name="change" value="newly-failing""#,
        r#"name="baseline-rule" value="merge-base""#,
        r#"name="bugs-new" value="1""#,
        r#"name="history-passed" value="1""#,
    ] {
        assert!(junit.contains(property), "no {property} in\n{junit}");
    }
}

#[test]
fn what_is_known_does_not_block_a_change() {
    let mut repository = Repository::new();
    repository.plays(Script::new("FAILED").bugs(vec![bug("old", "critical")]));
    repository.push("main", BASE, &["--fail-on", "new-bugs:high,newly-failed"]).is(1, "tests-failed");
    let ended = repository.pull_request("0000000000", &["--fail-on", "new-bugs:high,newly-failed"]);
    // The base was red, and the merge base was never built.
    ended.is(0, "passed").says("FAILED, as its baseline did").says("the newest run of the base branch");
    assert_eq!(ended.outputs["bugs-new"], "0");
    repository.pull_request("0000000000", &[]).is(1, "tests-failed");
    repository.pull_request("0000000000", &["--fail-on", "failed,newly-failed"]).is(1, "tests-failed");
    repository.pull_request(BASE, &["--fail-on", "newly-failed", "--baseline", "none"]).is(1, "tests-failed");
}

#[test]
fn a_merge_queue_is_compared_with_its_base() {
    let mut repository = Repository::new();
    repository.plays(Script::new("SUCCESS"));
    repository.push("main", BASE, &[]).is(0, "passed");
    repository.next_run("gh-readonly-queue/main/pr-7-1a2b3c4", HEAD);
    repository.event(
        "merge_group",
        &json!({"merge_group": {"base_ref": "refs/heads/main", "base_sha": BASE, "head_sha": HEAD,
            "head_ref": "refs/heads/gh-readonly-queue/main/pr-7-1a2b3c4"}}),
    );
    repository.run(&[]).is(0, "passed").says("(the commit that the change is based on)");
    // The run of the queue is a pull request's, and no baseline of main.
    repository.push("main", HEAD, &[]).says("baseline: main @ 1a2b3c4");
}

#[test]
fn a_push_is_compared_with_the_newest_finished_run_with_a_verdict() {
    let mut repository = Repository::new();
    repository.plays(Script::new("SUCCESS"));
    repository.push("main", BASE, &[]).is(0, "passed");
    repository.plays(Script::new("ERROR"));
    repository.push("main", "eeeeeeee", &[]).is(7, "run-error");
    // One still runs: the one before counts.
    repository.plays(Script::endless());
    repository.push("main", "dddddddd", &["--wait", "false"]).is(0, "started");
    repository.plays(Script::new("FAILED"));
    let ended = repository.push("main", HEAD, &["--fail-on", "newly-failed"]);
    ended
        .is(1, "tests-failed")
        .says("baseline: main @ 1a2b3c4")
        .says("the newest earlier run of the same branch");
    ended.says("on main: ✅").says("⚠");
    // It is red now, and its retry on the same commit is the newest.
    repository.plays(Script::new("SUCCESS"));
    let ended = repository.push("main", BASE, &[]);
    ended.is(0, "passed").says("baseline: main @ fffffff").says("no test newly failing, 1 fixed");
    for job in repository.stage.sim.unfinished_jobs() {
        repository.stage.sim.stop_from_dashboard(&job.job_id);
    }
}

#[test]
fn the_commit_that_a_change_stands_on_wins_over_newer_ones() {
    let mut repository = Repository::new();
    repository.plays(Script::new("SUCCESS"));
    repository.push("main", BASE, &[]).is(0, "passed");
    repository.plays(Script::new("FAILED"));
    repository.push("main", HEAD, &[]).is(1, "tests-failed");
    repository
        .pull_request(BASE, &["--fail-on", "newly-failed"])
        .is(1, "tests-failed")
        .says("main @ 1a2b3c4");
    let week = week_of(&repository);
    // A long-lived change: its base was tested weeks ago.
    repository.stage.sim.retag(&week, "nunu-ci.week.2020-W01");
    repository.pull_request(BASE, &[]).says("no baseline: no run of main in the last 8 weeks");
}

fn week_of(repository: &Repository) -> String {
    let jobs = repository.stage.sim.ledger().jobs;
    jobs.iter().flat_map(|job| job.tags.clone()).find(|tag| tag.starts_with("nunu-ci.week.")).unwrap()
}

/// The tag of the week so many weeks ago.
fn week_ago(weeks: i64) -> String {
    (chrono::Utc::now() - chrono::TimeDelta::weeks(weeks)).format("nunu-ci.week.%G-W%V").to_string()
}

#[test]
fn a_baseline_of_an_earlier_week_is_found() {
    let mut repository = Repository::new();
    repository.plays(Script::new("FAILED"));
    repository.push("main", BASE, &[]).is(1, "tests-failed");
    let week = week_of(&repository);
    assert_eq!(week, week_ago(0));
    repository.stage.sim.retag(&week, &week_ago(7));
    repository.push("main", HEAD, &["--fail-on", "newly-failed"]).is(0, "passed").says("main @ 1a2b3c4");
    repository.stage.sim.retag(&week_ago(7), &week_ago(8));
    repository.stage.sim.retag(&week, "nunu-ci.week.2020-W01");
    repository.push("main", HEAD, &["--fail-on", "newly-failed"]).is(1, "tests-failed").says("no baseline");
}

#[test]
fn a_renamed_test_stays_the_same_and_another_one_is_new() {
    let mut repository = Repository::of(Stage::of(Sim::builder().test(TestCase::new("t-new", "Smoke test"))));
    repository.plays(Script::new("SUCCESS").test_name("Old name"));
    repository.push("main", BASE, &[]).is(0, "passed");
    repository.plays(Script::new("SUCCESS").test_name("New name"));
    repository.push("main", HEAD, &[]).is(0, "passed").says("baseline: main @ 1a2b3c4");
    // The same name, and another test.
    repository.next_run("main", HEAD);
    repository.run_of("t-new", DEFAULT_DEPLOYMENT_CONFIG, &[]).is(0, "passed").says("no baseline");
}

#[test]
fn another_configuration_branch_or_repository_is_another_place() {
    let mut repository = Repository::new();
    repository.plays(Script::new("SUCCESS"));
    repository.push("main", BASE, &[]).is(0, "passed");
    repository.push("release", BASE, &[]).is(0, "passed").says("no baseline: no run of release");
    repository
        .push("release", HEAD, &["--baseline", "main"])
        .is(0, "passed")
        .says("main @ 1a2b3c4")
        .says("that the setting baseline names");
    repository.next_run("main", HEAD);
    repository.run_of(DEFAULT_TEST, nunu_sim::IOS_CONFIG, &[]).is(0, "passed").says("no baseline");
    repository.stage.set("GITHUB_REPOSITORY", "acme/other");
    repository.push("main", HEAD, &[]).is(0, "passed").says("no baseline");
}

#[test]
fn every_generation_finds_its_baseline() {
    for generation in [Generation::V1, Generation::V2, Generation::V3, Generation::V5] {
        for quirk in [Quirk::OwnOrder, Quirk::IgnoredFilters] {
            let mut repository =
                Repository::of(Stage::of(Sim::builder().generation(generation).quirk(quirk)));
            repository.plays(passes_with(vec![bug("old", "high")]));
            repository.push("main", BASE, &[]).is(0, "passed");
            repository.plays(passes_with(vec![bug("old", "high"), bug("fresh", "low")]));
            let ended = repository.pull_request(BASE, &["--fail-on", "new-bugs:low"]);
            ended.is(1, "bugs-found").says("1 new bug, 1 known, 0 fixed").says("main @ 1a2b3c4");
            assert!(repository.stage.sim.ledger().violations.is_empty());
        }
    }
}

#[test]
fn a_baseline_that_cannot_be_read_is_no_verdict_on_the_product() {
    let mut repository = Repository::new();
    repository.plays(passes_with(vec![bug("old", "high")]));
    repository.push("main", BASE, &[]).is(0, "passed");
    let broken = repository.stage.sim.fault(Call::ListRuns, Fault::status(400).forever());
    let ended = repository.pull_request(BASE, &["--fail-on", "new-bugs:high"]);
    ended.is(7, "service-error").says("the baseline that fail-on asks for could not be read");
    repository
        .pull_request(BASE, &[])
        .is(0, "passed")
        .says("could not be read, so what is new cannot be said");
    repository.plays(Script::new("FAILED"));
    repository.pull_request(BASE, &["--fail-on", "newly-failed"]).is(7, "service-error");
    repository.plays(Script::new("SUCCESS"));
    repository.pull_request(BASE, &["--fail-on", "failed,newly-failed,new-bugs:high"]).is(0, "passed");
    repository.stage.sim.clear_fault(broken);
}

#[test]
fn a_pull_request_cannot_forge_a_baseline() {
    let mut repository = Repository::new();
    repository.plays(Script::new("FAILED"));
    // Its branch is called main, as in a fork.
    repository.pull_request(BASE, &[]).is(1, "tests-failed");
    repository.pull_request(BASE, &["--fail-on", "newly-failed"]).is(1, "tests-failed").says("no baseline");
    let tag = repository.stage.sim.ledger().jobs[0]
        .tags
        .iter()
        .find(|tag| tag.starts_with("nunu-ci.place."))
        .cloned()
        .unwrap();
    let config =
        format!("version: 1\nruns: [{{ test: {DEFAULT_TEST}, deployment_config: dc, tags: [{tag}] }}]\n");
    repository.stage.file("run.yml", config.as_bytes());
    repository.stage.run(&["run", "--run-config", "run.yml"]).is(2, "invalid-config");
    // Workflows that run on main whatever they check out.
    repository.next_run("main", HEAD);
    repository.event("workflow_run", &json!({"workflow_run": {"head_branch": "main"}}));
    repository.run(&[]).is(1, "tests-failed");
    let jobs = repository.stage.sim.ledger().jobs;
    assert!(!jobs.last().unwrap().tags.iter().any(|tag| tag.starts_with("nunu-ci.place.")));
}

#[test]
fn off_a_ci_nothing_is_a_baseline_and_nothing_is_asked() {
    let stage = Stage::new().off_ci();
    stage.quick(&[]);
    assert!(stage.sim.requests_to(Call::ListRuns).is_empty());
    let tags = &stage.sim.ledger().jobs[0].tags;
    assert!(
        !tags.iter().any(|tag| tag.starts_with("nunu-ci.place.") || tag.starts_with("nunu-ci.c.")),
        "{tags:?}"
    );
}

#[test]
fn a_flaky_test_is_told_from_a_broken_one() {
    let mut repository = Repository::new();
    let fails_at = |step: usize| {
        let steps: Vec<nunu_sim::Step> = (0..3)
            .map(|at| {
                nunu_sim::Step::new(format!("step {at}"), if at == step { "FAILED" } else { "SUCCESS" })
            })
            .collect();
        Script::new("FAILED").steps(&steps)
    };
    for (commit, script) in
        [("aaaaaaaa", fails_at(0)), ("bbbbbbbb", Script::new("SUCCESS")), ("cccccccc", fails_at(1))]
    {
        repository.plays(script);
        repository.push("main", commit, &[]);
    }
    repository.plays(fails_at(2));
    let ended = repository.push("main", HEAD, &[]);
    ended.says("on main: ❌✅❌ failed 2 of 3, each time another step: flaky");
    repository.plays(fails_at(2));
    repository
        .push("main", "dddddddd", &[])
        .says("on main: ❌✅❌❌ failed 3 of 4, each time another step: flaky");
}

#[test]
fn looking_back_costs_one_list_a_test() {
    let tests: Vec<String> = (0..30).map(|number| format!("test-{number}")).collect();
    let ids: Vec<&str> = tests.iter().map(String::as_str).collect();
    let mut builder = Sim::builder().quirk(Quirk::OwnOrder).plan(nunu_sim::Plan::new("plan", "All", &ids));
    for id in &tests {
        builder = builder.test(TestCase::new(id, id));
    }
    let mut repository = Repository::of(Stage::of(builder));
    repository.plays(Script::new("SUCCESS"));
    let plan =
        ["run", "--test-plan-id", "plan", "--deployment-config-id", nunu_sim::DEFAULT_DEPLOYMENT_CONFIG];
    let run = |repository: &mut Repository, commit: &str| {
        repository.next_run("main", commit);
        repository.stage.forget_state();
        let before = (
            repository.stage.sim.requests_to(Call::ListRuns).len(),
            repository.stage.sim.requests_to(Call::RunBugs).len(),
        );
        repository.stage.run(&plan).is(0, "passed");
        let after = (
            repository.stage.sim.requests_to(Call::ListRuns).len(),
            repository.stage.sim.requests_to(Call::RunBugs).len(),
        );
        (after.0 - before.0, after.1 - before.1)
    };
    assert_eq!(run(&mut repository, BASE), (8 * 30, 30), "there is nothing in eight weeks");
    // One bug in one baseline.
    repository.stage.sim.set_scenario(Scenario::passed().test("test-7", passes_with(vec![bug("b", "low")])));
    assert_eq!(run(&mut repository, HEAD), (30, 30), "its own bugs are read as ever");
    assert_eq!(run(&mut repository, BASE), (30, 31), "and those of one baseline");
}
