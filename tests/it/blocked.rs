//! Whatever is blocked when a signal comes, what was started is stopped and the program ends in time.

use std::fs::{self, File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nunu_sim::{Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Fault, Scenario, Sim};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::stage::Stage;

const QUICK: [&str; 5] =
    ["run", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];

fn endless() -> Stage {
    Stage::of(Sim::builder().scenario(Scenario::endless()))
}

/// A pipe that takes nothing more until somebody reads.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    for size in [4096, 1] {
        while writer.write(&vec![b'x'; size]).is_ok() {}
    }
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

fn named_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_log_that_nobody_reads_holds_nothing() {
    // In a CI the log is standard output, else, and beside data, standard error.
    for data in [false, true] {
        let stage = endless();
        let (reader, writer) = full_pipe();
        let mut command = stage.command(&QUICK);
        if data {
            command.arg("--json");
        }
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        drop(command);
        stage.wait_until_followed();
        stage.end_by("TERM", child).is(143, "interrupted");
        assert!(stage.sim.ledger().abandoned_jobs().is_empty());
        assert_eq!(stage.results()["unfinished"], false);
        drop(reader);
    }
}

#[test]
fn a_lock_that_another_process_keeps_holds_nothing() {
    let stage = endless();
    let child = stage.spawn(&QUICK);
    stage.wait_until_followed();
    let lock = File::open(stage.path("temp/nunu-state/state.lock")).unwrap();
    lock.lock().unwrap();
    let ended = stage.end_by("TERM", child);
    ended.is(143, "interrupted").says("state.lock").says("does not let go of it");
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
    assert_eq!(stage.state()["records"][0]["standing"], "done", "it is recorded all the same");
}

#[test]
fn files_of_the_host_that_are_pipes_hold_nothing() {
    let pipes = tempfile::tempdir().unwrap();
    let pipe = |name: &str| {
        let path = pipes.path().join(name);
        named_pipe(&path);
        path.display().to_string()
    };
    let stage = endless()
        .env("GITHUB_OUTPUT", &pipe("output"))
        .env("GITHUB_STEP_SUMMARY", &pipe("summary"))
        .env("GITHUB_EVENT_PATH", &pipe("event"));
    fs::create_dir_all(stage.work().join("nunu-results")).unwrap();
    for name in ["nunu.env", "results.json", "junit.xml", "summary.md", "report.html", "diagnostics.jsonl"] {
        named_pipe(&stage.work().join("nunu-results").join(name));
    }
    let child = stage.spawn(&QUICK);
    stage.wait_until_followed();
    let ended = stage.end_by("TERM", child);
    assert_eq!(ended.code, 143, "{}", ended.log());
    for variable in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        ended.says(&format!("{variable}: {}", pipes.path().display()));
    }
    ended.says("is no regular file");
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
    assert_eq!(stage.results()["exit_code"], 143);
}

/// The times that each may take add up to less than there is.
#[test]
fn all_of_them_together_and_a_deaf_service_hold_nothing() {
    let pipes = tempfile::tempdir().unwrap();
    let output = pipes.path().join("output");
    named_pipe(&output);
    let stage = endless().env("GITHUB_OUTPUT", output.to_str().unwrap());
    // The preflight asks once.
    stage.sim.fault(Call::Stop, Fault::stall().skip(1).forever());
    let (reader, writer) = full_pipe();
    let mut command = stage.command(&QUICK);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let child = command.spawn().unwrap();
    drop(command);
    stage.wait_until_followed();
    let lock = File::open(stage.path("temp/nunu-state/state.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(stage.end_by("TERM", child).code, 143);
    let results = stage.results();
    assert_eq!(results["unfinished"], false);
    for job in stage.sim.ledger().abandoned_jobs() {
        assert!(results["left_running"].to_string().contains(&job.job_id), "{results:#}");
    }
    drop(reader);
}

#[test]
fn a_build_of_1500_parts_is_as_quick_to_leave_as_any() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::endless()).part_size(1000))
        .env("NUNU_MULTIPART", "always");
    let build = stage.apk(1_500_000);
    let mut command = stage.command(&[&QUICK[..], &["--build-path", build]].concat());
    // The masks alone are more than a pipe holds.
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    stage.wait_until_followed();
    assert!(stage.sim.requests_to(Call::AnyPart).len() >= 1500);
    stage.end_by("TERM", child).is(143, "interrupted");
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
}

/// Settings may come through a pipe. While nobody writes to it, nothing was begun, and a signal simply ends the program.
#[test]
fn settings_that_never_come_end_with_the_signal() {
    let pipes = tempfile::tempdir().unwrap();
    let path = pipes.path().join("config");
    named_pipe(&path);
    let stage = Stage::new();
    let child = stage.spawn(&["run", "--run-config", path.to_str().unwrap()]);
    // It can be opened once somebody reads.
    let writer = loop {
        let opened =
            OpenOptions::new().write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(&path);
        match opened {
            Ok(writer) => break writer,
            Err(_) => std::thread::yield_now(),
        }
    };
    let ended = stage.end_by("TERM", child);
    assert_eq!(ended.code, 143, "{}", ended.log());
    assert!(stage.sim.ledger().requests.is_empty());
    drop(writer);
}
