//! What the program reads from the disk and writes to it: hostile folders, planted links, folders that cannot be written.

#[cfg(unix)]
use std::{fs, os::unix::fs::symlink};

use crate::stage::Stage;

/// Enough bytes for a build.
fn game(stage: &Stage, path: &str) {
    stage.file(path, &[b'g'; 5000]);
}

const UPLOAD: [&str; 4] = ["upload", "--platform", "windows", "--build-path"];

fn upload(stage: &Stage, path: &str) -> crate::stage::Ended {
    stage.run(&[&UPLOAD[..], &[path]].concat())
}

#[test]
fn the_whole_workspace_is_a_build_without_our_own_files_and_credentials() {
    // Without a folder for temporary files the state lies in the working directory.
    let stage = Stage::new().env("RUNNER_TEMP", "");
    game(&stage, "game.exe");
    stage.file(".git/config", b"[http]\n\textraheader = AUTHORIZATION: basic secret\n");
    stage.file(".env", b"SECRET=1\n");
    stage.file(".nunuignore", b"!.env\n");
    upload(&stage, ".").is(0, "uploaded").says("zipping 1 files").says(".env; to send such a file");
    // The results and the state of the first time are there now.
    assert!(stage.work().join("nunu-results/diagnostics.jsonl").exists());
    upload(&stage, ".").is(0, "uploaded").says("zipping 1 files");
    let builds = stage.sim.ledger().builds;
    assert_eq!(builds.len(), 1, "the same bytes are the same build");
}

#[cfg(unix)]
#[test]
fn a_tree_of_links_is_judged_by_where_they_end() {
    let stage = Stage::new();
    game(&stage, "execroot/store/game.exe");
    fs::create_dir(stage.work().join("execroot/bin")).unwrap();
    symlink(stage.work().join("execroot/store/game.exe"), stage.work().join("execroot/bin/game.exe"))
        .unwrap();
    upload(&stage, "execroot").is(0, "uploaded").says("zipping 2 files");
    upload(&stage, "execroot/bin").is(4, "build-unsupported").says("cp -RL");
    stage.file("execroot/bin/.nunuignore", b"*.exe\n");
    game(&stage, "execroot/bin/other.bin");
    upload(&stage, "execroot/bin").is(0, "uploaded").says("zipping 1 files");
}

#[cfg(unix)]
#[test]
fn planted_links_are_never_written_through() {
    let stage = Stage::new().env("RUNNER_TEMP", "");
    game(&stage, "game.exe");
    let precious = stage.work().join("precious");
    fs::write(&precious, "theirs").unwrap();
    let plant = |name: &str| {
        let path = stage.work().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(&precious, path).unwrap();
    };
    for name in ["results.json", "junit.xml", "summary.md", "report.html", "nunu.env", "diagnostics.jsonl"] {
        plant(&format!("nunu-results/{name}"));
    }
    plant(".nunu-state/state.json");
    upload(&stage, "game.exe").is(0, "uploaded");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "theirs");
    for name in ["nunu-results/diagnostics.jsonl", "nunu-results/junit.xml", ".nunu-state/state.json"] {
        assert!(fs::symlink_metadata(stage.work().join(name)).unwrap().is_file(), "{name}");
    }
    // A lock that is a link: the state is not written, and that is said.
    fs::remove_file(stage.work().join(".nunu-state/state.lock")).unwrap();
    plant(".nunu-state/state.lock");
    stage.quick(&[]).is(0, "passed").says("state.json: ");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "theirs");
}

#[cfg(unix)]
#[test]
fn endless_files_are_not_read() {
    let stage = Stage::new().env("RUNNER_TEMP", "");
    game(&stage, "build/game.exe");
    symlink("/dev/zero", stage.work().join("build/.nunuignore")).unwrap();
    upload(&stage, "build").is(4, "build-unsupported").says("no regular file");
    fs::create_dir(stage.work().join(".nunu-state")).unwrap();
    symlink("/dev/zero", stage.work().join(".nunu-state/state.json")).unwrap();
    stage.run(&["wait"]).says("no regular file");
}

#[cfg(unix)]
#[test]
fn a_planted_state_folder_is_not_written_to() {
    let stage = Stage::new().env("RUNNER_TEMP", "");
    let outside = stage.work().parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, stage.work().join(".nunu-state")).unwrap();
    stage.quick(&[]).is(2, "invalid-input").says(".nunu-state does not end in the workspace");
    assert_eq!(stage.run(&["stop", "--best-effort"]).code, 0);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(stage.sim.effective_starts(), 0);
}
