//! The program.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn prints_what_a_pipeline_needs() {
    // The program is killed below and cannot clean up; its files go with this folder.
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_nunu-sim"))
        .env("TMPDIR", folder.path())
        .args(["--port", "0", "--scenario", "flaky", "--speed", "10", "--key", "nunu_mine"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.any(|line| line.starts_with("export NUNU_API_URL=http://127.0.0.1:"));
    let token = lines.any(|line| line.starts_with("export NUNU_API_TOKEN=nunu_mine"));
    let command = lines.find(|line| line.starts_with("  NUNU_API_URL="));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(url && token && command.is_some_and(|line| !line.contains("--build-path")));
}

#[test]
fn explains_wrong_arguments() {
    for (arguments, words) in [
        (["--scenario", "sunny"], "unknown scenario `sunny`; choose one of passed, failed"),
        (["--speed", "0"], "--speed must be a number above 0"),
        (["--port", "65535"], "leaves no room"),
        (["--generation", "v9"], "expected v1, v2, v3 or v5"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_nunu-sim")).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(words), "{text}");
    }
}
