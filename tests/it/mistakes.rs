//! Typical mistakes: each gives one screen that names the mistake and the fix.

use std::fmt::Write as _;

use nunu_sim::{
    DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_TEST as TEST, DISABLED_KEY, EXPIRED_KEY, UPLOAD_ONLY_KEY,
};

use crate::stage::Stage;

/// What is done wrong: variables, a run config, arguments.
struct Mistake {
    name: &'static str,
    env: &'static [(&'static str, &'static str)],
    config: &'static str,
    args: &'static [&'static str],
}

const fn args(name: &'static str, args: &'static [&'static str]) -> Mistake {
    Mistake { name, env: &[], config: "", args }
}

const fn config(name: &'static str, config: &'static str) -> Mistake {
    Mistake { name, env: &[], config, args: &["run"] }
}

const fn env(name: &'static str, env: &'static [(&'static str, &'static str)]) -> Mistake {
    Mistake { name, env, config: "", args: &["run", "--test-id", TEST, "--deployment-config-id", CONFIG] }
}

const MISTAKES: &[Mistake] = &[
    args("nothing to start", &["run"]),
    args("a flag that does not exist", &["run", "--buid-path", "x"]),
    args("a command that does not exist", &["uplaod"]),
    args("the key as a flag", &["run", "--api-token", "nunu_secret"]),
    args("a wrong path", &["upload", "--build-path", "build/gmae.apk"]),
    args("a Windows path", &["upload", "--build-path", "build\\game.apk"]),
    args("a path of the shell", &["upload", "--build-path", "~/game.apk"]),
    args("a glob without a match", &["upload", "--build-path", "out/*.apk"]),
    args("a glob with two matches", &["upload", "--build-path", "build/*.exe"]),
    args("an empty file", &["upload", "--build-path", "build/empty.exe"]),
    args("a folder for an apk", &["upload", "--build-path", "build", "--platform", "android"]),
    args("a platform nobody knows", &["upload", "--build-path", "build/a.exe", "--platform", "window"]),
    args("a platform that cannot be told", &["upload", "--build-path", "build/game.zip"]),
    args("the wrong platform", &["upload", "--build-path", "build/a.exe", "--platform", "android"]),
    args(
        "a test and a plan",
        &["run", "--test-id", TEST, "--test-plan-id", TEST, "--deployment-config-id", CONFIG],
    ),
    args(
        "a path and an id",
        &[
            "run",
            "--build-path",
            "build/a.exe",
            "--build-id",
            "b",
            "--test-id",
            TEST,
            "--deployment-config-id",
            CONFIG,
        ],
    ),
    args("no deployment configuration", &["run", "--test-id", TEST]),
    args(
        "a duration without sense",
        &["run", "--test-id", TEST, "--deployment-config-id", CONFIG, "--timeout", "soon"],
    ),
    args(
        "a gate without sense",
        &["run", "--test-id", TEST, "--deployment-config-id", CONFIG, "--fail-on", "faild,bugs:huge"],
    ),
    args(
        "a test of another project",
        &["run", "--test-id", "00000000-0000-4000-8000-000000000000", "--deployment-config-id", CONFIG],
    ),
    args("nothing to wait for", &["wait"]),
    args("a run config that is not there", &["run", "--run-config", "ci/run.yml"]),
    args(
        "several at once",
        &[
            "run",
            "--test-id",
            TEST,
            "--timeout",
            "x",
            "--wait=maybe",
            "--platform",
            "ps5",
            "--artifacts",
            "[",
        ],
    ),
    config("a tab", "version: 1\nruns:\n\t- test: x\n"),
    config("a misspelt key", "version: 1\nruns:\n  - test: x\n    deploymnt_config: y\n"),
    config("a key in the file", "version: 1\napi_token: nunu_x\nruns: []\n"),
    config("a missing variable", "version: 1\nruns:\n  - {test: x, deployment_config: \"${NUNU_WHERE}\"}\n"),
    config(
        "a variable that nobody named",
        "version: 1\nruns:\n  - {test: x, deployment_config: \"${WHERE}\"}\n",
    ),
    config("two targets", "version: 1\nruns:\n  - {test: x, test_plan: y, deployment_config: z}\n"),
    config("retries out of range", "version: 1\nruns:\n  - {test: x, deployment_config: z, retries: 11}\n"),
    config("a key twice", "version: 1\nversion: 1\n"),
    config(
        "instructions without an agent",
        "version: 1\nruns:\n  - {instructions: play, deployment_config: z}\n",
    ),
    env("no key", &[("NUNU_API_TOKEN", "")]),
    env("a key with a line break", &[("NUNU_API_TOKEN", "nunu_abc\nnunu_def")]),
    env("two different keys", &[("NUNU_API_KEY", "nunu_other_key")]),
    env("an unknown key", &[("NUNU_API_TOKEN", "nunu_this_one_is_unknown")]),
    env("an expired key", &[("NUNU_API_TOKEN", EXPIRED_KEY)]),
    env("a disabled key", &[("NUNU_API_TOKEN", DISABLED_KEY)]),
    env("a key without permission", &[("NUNU_API_TOKEN", UPLOAD_ONLY_KEY)]),
    env("an organisation key without a project", &[("NUNU_API_TOKEN", "nunu_org_this_one_is_new")]),
    env("plain HTTP", &[("NUNU_API_URL", "http://nunu.example")]),
    env("credentials in the address", &[("NUNU_API_URL", "https://me:secret@nunu.example")]),
];

fn screen(mistake: &Mistake) -> String {
    let mut stage = Stage::new().off_ci();
    for (name, value) in mistake.env {
        stage.set(name, value);
    }
    for name in ["game.apk", "a.exe", "b.exe", "game.zip"] {
        stage.file(&format!("build/{name}"), b"MZ a build");
    }
    stage.file("build/empty.exe", b"");
    if !mistake.config.is_empty() {
        stage.file(".nunu/run.yml", mistake.config.as_bytes());
    }
    let ended = stage.run(mistake.args);
    assert!([2, 3, 4, 6].contains(&ended.code), "{}: {}", mistake.name, ended.log());
    assert!(stage.sim.ledger().builds.is_empty(), "{}: nothing is sent", mistake.name);
    assert!(ended.stdout.is_empty(), "{}: stdout is for data", mistake.name);
    let home = stage.work().parent().unwrap().display().to_string();
    ended.stderr.replace(&home, "HOME").replace(&stage.sim.api_url(), "SERVICE")
}

#[test]
#[cfg_attr(windows, ignore = "the screens show paths as other systems write them")]
fn each_mistake_gives_one_screen_with_the_fix() {
    let mut all = String::new();
    for mistake in MISTAKES {
        let text = screen(mistake);
        assert!(text.lines().count() <= 24, "{} needs more than a screen:\n{text}", mistake.name);
        assert!(text.contains("error: "), "{}:\n{text}", mistake.name);
        // How long it took differs from run to run, and nobody else meets the simulator.
        let text: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("error in ") && !line.starts_with("requests go to "))
            .collect();
        let _ = writeln!(all, "━━━ {}\n{}\n", mistake.name, text.join("\n"));
    }
    insta::assert_snapshot!(all);
}
