//! What is new since the baseline, over several CI runs of one repository.

use nunu_sim::{Bug, Quirk, Scenario, Script, Sim};
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
        // Every run is a job of its own, on a new machine.
        let _ = std::fs::remove_file(self.stage.path("output"));
        self.stage.forget_state();
        self.stage.quick(more)
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
