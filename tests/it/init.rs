//! The command `init`, by flags and by questions; `script` of util-linux plays the terminal.

use std::io::Write as _;
use std::process::{Command, Stdio};

use nunu_sim::{MULTI_DEVICE_CONFIG, SECOND_TEST};

use crate::stage::{Stage, tell};

/// What `init` says to a person who types these lines.
fn asked(stage: &Stage, lines: &str) -> Option<String> {
    let like = stage.command(&[]);
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} init", env!("CARGO_BIN_EXE_nunu-ci")), "/dev/null"]);
    script.current_dir(stage.work()).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    script.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = script.spawn().ok()?;
    child.stdin.take()?.write_all(lines.as_bytes()).ok()?;
    let out = child.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A Unity project with the player that somebody built.
fn unity(stage: &Stage) {
    stage.file("ProjectSettings/ProjectVersion.txt", b"m_EditorVersion: 6000.0.23f1\n");
    stage.file("Builds/Win/Game.exe", b"MZ");
    stage.file("Builds/Win/Game_Data/boot.config", b"");
}

#[test]
fn flags_answer_and_the_folder_tells_the_rest() {
    let stage = Stage::new();
    unity(&stage);
    stage.file(".gitignore", b"/Library/\nnunu-results");
    let ended = stage.run(&[
        "init",
        "--host",
        "gitlab",
        "--test-id",
        "shop and PURCHASES",
        "--deployment-config-id",
        MULTI_DEVICE_CONFIG,
    ]);
    assert_eq!(ended.code, 0, "{}", ended.log());
    ended
        .says("found a project of Unity")
        .says("found the build Builds/Win")
        .says(".nunu/gitlab-ci.yml  new");
    let config = stage.read(".nunu/run.yml");
    for line in ["path: \"Builds/Win\"", "platform: windows", &format!("test: \"{SECOND_TEST}\"")] {
        assert!(config.contains(line), "no {line} in\n{config}");
    }
    assert!(config.contains(&format!("deployment_config: \"{MULTI_DEVICE_CONFIG}\"")), "{config}");
    assert!(stage.read(".nunu/gitlab-ci.yml").contains("NUNU_BUILD_PATH: \"build/StandaloneWindows64\""));
    assert_eq!(stage.read(".gitignore"), "/Library/\nnunu-results\n.nunu-state/\n");
    stage.run(&["init", "--test-id", "Smok test"]).says("did you mean \"Smoke test\"?");
    stage.run(&["init", "--timeout", "2h"]).says("init does not use --timeout");
}

#[test]
fn what_is_there_is_changed_by_force_alone() {
    let stage = Stage::new();
    stage.apk(1000);
    stage.file(".nunu/run.yml", b"# mine");
    stage.run(&["init"]).says(".nunu/run.yml  is there already and stays as it is; --force replaces it");
    assert_eq!(stage.read(".nunu/run.yml"), "# mine");
    let ignored = stage.read(".gitignore");
    stage.run(&["init", "--force"]).says(".nunu/run.yml  is there already and is replaced");
    assert!(stage.read(".nunu/run.yml").contains("game.apk"));
    assert_eq!(stage.read(".gitignore"), ignored, "the two lines are added once");
    stage.run(&["check"]).is(0, "checked");
}

#[test]
fn a_person_is_asked_and_may_mistype() {
    let stage = Stage::new().off_ci();
    unity(&stage);
    let Some(said) = asked(&stage, "jenkin\njenkins\n\n2, Smok test\n2, Versus match\nandroid PHONE\n\n")
    else {
        return tell("skip init: there is no `script` here");
    };
    for words in [
        "1. github",
        "did you mean \"jenkins\"?",
        "Build to upload: file, folder or glob [Builds/Win]: ",
        "2. Shop and purchases",
        "did you mean \"Smoke test\"?",
        "Write them? [Y/n]: ",
        "wrote .nunu/Jenkinsfile",
    ] {
        assert!(said.contains(words), "no \"{words}\" in {said}");
    }
    let config = stage.read(".nunu/run.yml");
    assert_eq!(config.matches("    test: ").count(), 2, "{config}");
    assert!(config.contains(&format!("test: \"{SECOND_TEST}\"")), "{config}");
}

#[test]
fn a_person_who_says_no_gets_nothing() {
    let stage = Stage::new().off_ci();
    stage.apk(1000);
    let Some(said) = asked(&stage, "\n\n1\n1\nno\n") else {
        return tell("skip init: there is no `script` here");
    };
    assert!(said.contains("nothing was written"), "{said}");
    assert!(!stage.work().join(".nunu").exists() && !stage.work().join(".gitignore").exists());
}
