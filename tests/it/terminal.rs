//! What a person sees who runs it in a terminal; `script` of util-linux plays the terminal.

use std::process::Command;

use nunu_sim::{DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Scenario, Sim};

use crate::stage::{Stage, tell};

const CLEAR: &str = "\r\u{1b}[K";

fn in_a_terminal(stage: &Stage) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_nunu-ci");
    let command =
        format!("{program} run --test-id {DEFAULT_TEST} --deployment-config-id {DEFAULT_DEPLOYMENT_CONFIG}");
    let like = stage.command(&[]);
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(stage.work()).env_clear();
    script.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let out = script.output().ok()?;
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn a_person_sees_one_quiet_line_that_is_gone_at_the_end() {
    let scenario =
        || Stage::of(Sim::builder().scenario(Scenario::endless())).env("GITHUB_ACTIONS", "").env("CI", "");
    let Some(shown) = in_a_terminal(&scenario().env("TERM", "xterm").env("NUNU_TIMEOUT", "6s")) else {
        return tell("skip terminal: there is no `script` here");
    };
    let elapsed = shown.matches("s elapsed, ").count();
    assert!(elapsed >= 2, "{shown:?}");
    for (before, _) in shown.match_indices(" s elapsed, ").map(|(at, _)| shown.split_at(at)) {
        // In the place of the line before, or anew below a line of the log.
        let line = before.rsplit(['\r', '\n']).next().unwrap();
        let seconds = line.trim_start_matches("\u{1b}[K");
        assert!(seconds.parse::<f64>().is_ok(), "{seconds:?} in {shown:?}");
    }
    let last = shown.trim_end().rsplit('\n').next().unwrap();
    assert_eq!(last, format!("{CLEAR}nunu-ci: timed-out (timeout), exit code 8"));
    let dumb = in_a_terminal(&scenario().env("TERM", "dumb").env("NUNU_TIMEOUT", "3s")).unwrap();
    assert!(!dumb.contains(CLEAR) && !dumb.contains("elapsed"), "{dumb:?}");
}
