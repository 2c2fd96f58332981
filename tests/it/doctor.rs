//! `check` as a doctor: a line for each thing, good or bad, and what to do about it.

use nunu_sim::{DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, EXPIRED_KEY, UPLOAD_ONLY_KEY};

use crate::stage::{Ended, Stage};

const CHECK: [&str; 5] =
    ["check", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];

/// The sign and the first words of each line of the list.
fn list(ended: &Ended) -> Vec<(char, String, String)> {
    let begins = |line: &&str| ["+ ", "x ", "! ", "- "].iter().any(|sign| line.starts_with(sign));
    let parts = |line: &str| {
        let (what, says) = line[2..].split_once(' ').unwrap_or((&line[2..], ""));
        (line.chars().next().unwrap(), what.to_owned(), says.trim().to_owned())
    };
    ended.stderr.lines().filter(begins).map(parts).collect()
}

fn sign(ended: &Ended, what: &str) -> char {
    let list = list(ended);
    list.iter().find(|(_, name, _)| name == what).unwrap_or_else(|| panic!("no {what} in {list:?}")).0
}

#[test]
fn a_healthy_job_is_ten_good_lines() {
    let stage = Stage::new().off_ci();
    let ended = stage.run(&[&CHECK[..], &["--build-path", stage.apk(1000)]].concat());
    assert_eq!(ended.code, 0, "{}", ended.log());
    let list = list(&ended);
    let names: Vec<&str> = list.iter().map(|(_, name, _)| name.as_str()).collect();
    let wanted = [
        "settings",
        "service",
        "key",
        "permissions",
        "project",
        "tests",
        "devices",
        "build",
        "limits",
        "quarantine",
    ];
    assert_eq!(names, wanted, "{}", ended.log());
    assert!(list.iter().all(|(sign, ..)| *sign == '+'), "{}", ended.log());
    // Defaults are for those who ask for them.
    assert!(!ended.log().contains("deletion-policy"), "{}", ended.log());
    stage.run(&[&CHECK[..], &["--verbose"]].concat()).says("deletion-policy = least_recent (default)");
}

#[test]
fn a_bad_build_does_not_hide_a_bad_key() {
    let stage = Stage::new().off_ci().env("NUNU_API_TOKEN", UPLOAD_ONLY_KEY);
    stage.file("game.apk", b"PK no build");
    let ended = stage.run(&[&CHECK[..], &["--build-path", "game.apk"]].concat());
    assert_eq!(ended.code, 4, "the build is what a run would meet first: {}", ended.log());
    for what in ["permissions", "build"] {
        assert_eq!(sign(&ended, what), 'x', "{}", ended.log());
    }
    for what in ["service", "key", "limits"] {
        assert_eq!(sign(&ended, what), '+', "{}", ended.log());
    }
    assert!(ended.stderr.matches("fix: ").count() >= 2, "{}", ended.log());
    let without = stage.run(&[&CHECK[..], &["--build-path", "nothing.apk", "--no-build"]].concat());
    assert_eq!(without.code, 3, "{}", without.log());
    assert_eq!(sign(&without, "build"), '-', "{}", without.log());
}

#[test]
fn a_key_that_does_not_fit_leaves_the_rest_to_be_read() {
    let stage = Stage::new().off_ci().env("NUNU_API_TOKEN", EXPIRED_KEY);
    let ended = stage.run(&[&CHECK[..], &["--build-path", stage.apk(1000)]].concat());
    assert_eq!(ended.code, 3, "{}", ended.log());
    assert_eq!((sign(&ended, "service"), sign(&ended, "key"), sign(&ended, "build")), ('+', 'x', '+'));
    assert_eq!(sign(&ended, "permissions"), '-');
    let json = stage.run(&[&CHECK[..], &["--json"]].concat());
    let found: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(found["permissions"][0]["standing"], "not known");
}
