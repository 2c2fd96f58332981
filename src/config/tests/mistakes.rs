//! Typical mistakes, and the screen that each gives. The snapshot is what a person reads.

use std::fmt::Write as _;

use super::world::{DEPLOYMENT, TEST, World};

/// A run config with the given lines in its only run.
fn run(lines: &str) -> String {
    format!(
        "version: 1\nruns:\n  - name: smoke\n    test: {TEST}\n    deployment_config: {DEPLOYMENT}\n{lines}"
    )
}

fn whole(lines: &str) -> String {
    run("") + lines
}

struct Screens(String);

impl Screens {
    fn add(&mut self, title: &str, world: &World, line: &[&str]) {
        let (reason, text) = world.wrong(line);
        assert!(!text.contains("hunter2"), "a secret is shown: {text}");
        let _ = writeln!(self.0, "## {title}\n{text}\n=> {reason}, exit code {}\n", reason.exit_code());
    }

    fn config(&mut self, title: &str, text: &str) {
        self.add(title, &World::new().config(text), &["run"]);
    }
}

#[test]
fn mistakes_in_the_run_config() {
    let mut screens = Screens(String::new());
    screens.config("a tab", "version: 1\nruns:\n\t- name: smoke\n");
    screens.config("misspelt keys", &whole("wiat:\n  timeout: 90m\nbuild:\n  pth: build/app.apk\n"));
    screens.config("an unknown key", &run("    banana: 1\n"));
    screens.config("two targets", &run("    test_plan: nightly\n"));
    screens.config("no target", "version: 1\nruns:\n  - name: smoke\n    deployment_config: Pixel\n");
    screens.config(
        "an empty target",
        "version: 1\nruns:\n  - test: ${NUNU_T:-}\n    deployment_config: Pixel\n",
    );
    screens.config("a duration without sense", &whole("wait: { timeout: 90 minutes or so, poll: 0s }\n"));
    screens.config("wrong types", &run("    retries: many\n    instances: [2]\n    required: maybe\n    tags: { a: b }\n    options: on\n"));
    screens.config("out of range", &run("    retries: 11\n    instances: 0\n"));
    screens
        .config("numbers for texts", &whole("project_id: 12\nbuild: { name: 1.10, path: 5, tags: [1] }\n"));
    screens.config("a plan with keys of tests", &format!("version: 1\nruns:\n  - test_plan: nightly\n    deployment_config: {DEPLOYMENT}\n    retries: 1\n    players: {{ 1: {{ deployment_config: a }} }}\n"));
    screens.config("slot 1, and a slot without deployment", &format!("version: 1\nruns:\n  - test_plan: nightly\n    deployment_config: {DEPLOYMENT}\n    slots:\n      1: {{ deployment_config: a }}\n      2: {{ build: b }}\n"));
    screens.config(
        "instructions without agent",
        "version: 1\nruns:\n  - instructions: Open the shop\n    deployment_config: Pixel\n",
    );
    screens.config("auto without a place", &run("    options: { mobile_gpslocation: auto }\n"));
    screens.config(
        "all devices and players",
        &run("    all_configured_devices: true\n    players: { 1: { deployment_config: a } }\n"),
    );
    screens.config(
        "the same name twice",
        &format!("{}  - name: smoke\n    test: other\n    deployment_config: Pixel\n", run("")),
    );
    screens.config("no deployment configuration", &format!("version: 1\nruns:\n  - test: {TEST}\n"));
    screens.config("an API key in the file", &whole("api_key: hunter2\nwait:\n  token: hunter2\n"));
    screens.config(
        "a key of the service in a value",
        &whole("build: { path: nunu_0123456789hunter2, nam: nunu_0123456789hunter2 }\n"),
    );
    screens.config("missing variables", &whole("project_id: ${NUNU_PROJECT}\nwait: { timeout: \"${LIMIT}\" }\nreport: { dir: \"${NUNU_API_TOKEN}\" }\n"));
    screens.config(
        "paths out of the workspace",
        &whole("build: { path: ../../etc/ssh }\nreport: { dir: /etc/results }\n"),
    );
    screens.config("an output for a setting", &whole("project_id: ${NUNU_OUTPUT_BUILD_ID}\n"));
    screens.config("a gate that fails nothing", &whole("gate: { fail_on: [] }\n"));
    screens.config("ids that are none, and a tag of ours", &run("    tags: [nunu-ci.mine]\n    extra_builds: { 1: $(id) }\n    players: { 1: { deployment_config: a, build: ../b } }\n"));
    screens.config(
        "where the key goes",
        &whole(
            "api_url: https://evil.example\nproxy: http://evil.example\nca: evil.pem\nconfig_env: [HOME]\n",
        ),
    );
    screens.config("an expression of GitHub", &whole("project_id: ${{ vars.PROJECT }}\n"));
    screens.config("a variable without quotes inside braces", &whole("wait: { timeout: ${LIMIT} }\n"));
    screens.config("a star without quotes", &whole("build:\n  path: *.apk\n"));
    screens.config("backslashes in double quotes", &whole("build:\n  path: \"C:\\game\\app.apk\"\n"));
    screens.config("a colon in a text", &whole("build:\n  name: Release: the second\n"));
    screens.config("the same key twice", &whole("runs: []\n"));
    screens.config("no version", "runs: []\n");
    screens.config("the wrong version", "version: 2\nruns: []\n");
    screens.config("an empty file", "# nothing\n");
    screens.config("a list at the top", "- version: 1\n");
    screens.config("runs without a hyphen", "version: 1\nruns:\n  test: smoke\n");
    screens.config("a gate that is none", &whole("gate:\n  fail_on: [faild, \"bugs:awful\"]\n  quarantine:\n    - { bug: a, test: b, until: soon }\n"));
    screens.config("a tag", "version: 1\nruns: !custom []\n");
    insta::assert_snapshot!(screens.0);
}

#[test]
fn mistakes_with_settings() {
    let mut screens = Screens(String::new());
    let quick = ["--test-id", TEST, "--deployment-config-id", DEPLOYMENT];
    let with =
        |more: &[&'static str]| -> Vec<&str> { ["run"].iter().chain(&quick).chain(more).copied().collect() };
    let world = World::new;
    screens.add("nothing to start", &world(), &["run"]);
    screens.add("nothing to upload", &world(), &["upload"]);
    screens.add("an unknown flag", &world(), &["run", "--buildpath", "x"]);
    screens.add("an unknown command", &world(), &["uplaod"]);
    screens.add("the key as a flag", &world(), &["run", "--api-token", "hunter2"]);
    screens.add("the key as a file name", &world(), &with(&["--token-file", "nunu_hunter2"]));
    screens.add("no such build", &world(), &with(&["--build-path", "build/ap.apk"]));
    screens.add("no such folder", &world(), &with(&["--build-path", "out/app.apk"]));
    screens.add("a home folder", &world(), &with(&["--build-path", "~/app.apk"]));
    screens.add("a glob without a match", &world(), &with(&["--build-path", "build/*.aab"]));
    screens.add(
        "a glob with two matches",
        &world().file("build/b.apk", "x"),
        &with(&["--build-path", "build/*.apk"]),
    );
    screens.add("an empty build", &world().file("build/b.apk", ""), &with(&["--build-path", "build/b.apk"]));
    screens.add("a folder without platform", &world(), &with(&["--build-path", "build"]));
    screens.add(
        "a wrong platform",
        &world(),
        &with(&["--build-path", "build/app.apk", "--platform", "andriod"]),
    );
    screens.add("a path and an id", &world(), &with(&["--build-path", "build/app.apk", "--build-id", "b"]));
    screens.add("two kinds of target", &world(), &["run", "--test-id", "a", "--test-plan-id", "b"]);
    screens.add("no deployment configuration", &world(), &["run", "--test-id", "smoke"]);
    screens.add(
        "start with a path",
        &world(),
        &["start", "--build-path", "build/app.apk", "--test-id", "a", "--deployment-config-id", "d"],
    );
    screens.add("upload of an id", &world(), &["upload", "--build-id", "b"]);
    screens.add(
        "several at once",
        &world().container_action().env("NUNU_WAIT", "yes").env("INPUT_FAIL-ON", "faild"),
        &with(&["--timeout", "soon", "--upload-timeout", "90s"]),
    );
    screens.add("plain HTTP", &world(), &with(&["--api-url", "http://nunu.ai"]));
    screens.add("an address with a password", &world(), &with(&["--api-url", "https://me:hunter2@nunu.ai"]));
    screens.add(
        "an organisation key without project",
        &world().env("NUNU_API_TOKEN", "nunu_org_hunter2"),
        &with(&[]),
    );
    screens.add("a secret that nobody filled in", &world().env("NUNU_API_TOKEN", "$NUNU_KEY"), &with(&[]));
    screens.add("JSON for a key", &world().env("NUNU_API_TOKEN", "{\"key\": \"hunter2\"}"), &with(&[]));
    screens.add(
        "variables that no config may have",
        &world().env("NUNU_CONFIG_ENV", "NUNU_API_TOKEN, A-B, NUNU_OUTPUT_STATUS"),
        &with(&[]),
    );
    screens.add("tags of ours", &world(), &with(&["--build-path", "build/app.apk", "--tags", "Nunu-CI.x"]));
    screens.add(
        "ids that are none",
        &world(),
        &with(&["--build-id", "a/../b", "--project-id", "..", "--job-ids", "$(id)"]),
    );
    screens.add("two keys", &world().env("NUNU_API_KEY", "nunu_hunter2"), &with(&[]));
    screens.add(
        "no such run config",
        &world().config("version: 1\n"),
        &["run", "--run-config", ".nunu/runs.yml"],
    );
    screens.add(
        "a template that is none",
        &world(),
        &with(&["--build-path", "build/app.apk", "--name", "{branch} {brunch} {pr}"]),
    );
    screens.add("an unreadable config and a wrong flag", &world().config("a: [\n"), &["run", "--wait=maybe"]);
    // Paths are shown as the system writes them.
    insta::assert_snapshot!(screens.0.replace(std::path::MAIN_SEPARATOR, "/"));
}
