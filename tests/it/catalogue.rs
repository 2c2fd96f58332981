//! `docs/errors.md` is made from the catalogue in the code and from what the built program says when each end is provoked.
//! `NUNU_BLESS=1` writes it; otherwise this holds it against the code and the program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nunu_ci::model::Reason;
use nunu_sim::{
    Call, DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_TEST as TEST, DISABLED_KEY, EXPIRED_KEY, Fault, Host,
    Scenario, Script, Sim, UPLOAD_ONLY_KEY,
};

use crate::stage::Stage;

/// A test that no project has.
const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

/// One end: what was typed, and what the program said.
struct Shown {
    typed: String,
    said: String,
    code: i32,
}

fn off_ci(mut stage: Stage) -> Stage {
    for name in ["GITHUB_ACTIONS", "CI"] {
        stage.set(name, "");
    }
    stage
}

fn playing(script: Script) -> Stage {
    off_ci(Stage::of(Sim::builder().scenario(Scenario::of(script))))
}

fn good() -> Stage {
    off_ci(Stage::new())
}

fn shown(stage: &Stage, args: &[&str], code: i32, stderr: &str) -> Shown {
    Shown { typed: args.join(" "), said: steady(stage, stderr), code }
}

fn run(stage: &Stage, args: &[&str]) -> Shown {
    let ended = stage.run(args);
    assert!(ended.stdout.is_empty(), "stdout is for data: {}", ended.stdout);
    shown(stage, args, ended.code, &ended.stderr)
}

fn quick(stage: &Stage, more: &[&str]) -> Shown {
    let mut args = vec!["run", "--test-id", TEST, "--deployment-config-id", CONFIG];
    args.extend_from_slice(more);
    run(stage, &args)
}

/// Refused by every call of the API.
fn refused(stage: Stage, status: u16, body: &'static str) -> Stage {
    stage.sim.fault(Call::AnyApi, Fault::reply(status, body).forever());
    stage
}

fn provoke(reason: Reason) -> Shown {
    let key = |key: &str| good().env("NUNU_API_TOKEN", key);
    match reason {
        Reason::Passed => {
            let stage = good();
            quick(&stage, &["--build-path", stage.apk(10_000)])
        }
        Reason::Started => quick(&good(), &["--wait=false"]),
        Reason::Uploaded => {
            let stage = good();
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        Reason::Checked => {
            let stage = good();
            stage.apk(10_000);
            let config =
                b"version: 1\nbuild: {path: game.apk}\nruns:\n  - {name: smoke, test: Smoke test, deployment_config: Android phone}\n";
            stage.file(".nunu/run.yml", config);
            run(&stage, &["check"])
        }
        Reason::DryRun => {
            let stage = good();
            quick(&stage, &["--dry-run", "--build-path", stage.apk(10_000)])
        }
        Reason::Skipped => quick(&key(""), &["--on-missing-token", "skip"]),
        Reason::TestsFailed => quick(&playing(Script::new("FAILED")), &[]),
        Reason::BugsFound => {
            quick(&off_ci(Stage::of(Sim::builder().scenario(Scenario::bugs()))), &["--fail-on", "failed,bugs:high"])
        }
        Reason::NothingTested => quick(&playing(Script::new("SKIPPED")), &[]),
        Reason::InvalidInput => quick(&good(), &["--timeout", "soon"]),
        Reason::InvalidConfig => {
            let stage = good();
            stage.file(".nunu/run.yml", b"version: 1\nruns:\n  - tst: Smoke test\n    deployment_config: Android phone\n");
            run(&stage, &["run"])
        }
        Reason::ApiKeyMissing => quick(&key(""), &[]),
        Reason::ApiKeyInvalid => quick(&key("nunu_nobody_knows_this_one"), &[]),
        Reason::ApiKeyExpired => quick(&key(EXPIRED_KEY), &[]),
        Reason::ApiKeyDisabled => quick(&key(DISABLED_KEY), &[]),
        Reason::PermissionMissing => quick(&key(UPLOAD_ONLY_KEY), &[]),
        Reason::Forbidden => quick(&refused(good(), 403, "{\"error\":\"not from this network\"}"), &[]),
        _ => provoke_failure(reason),
    }
}

fn provoke_failure(reason: Reason) -> Shown {
    match reason {
        Reason::BuildNotFound => {
            let stage = good();
            stage.apk(10_000);
            run(&stage, &["upload", "--build-path", "gmae.apk"])
        }
        Reason::BuildAmbiguous => {
            let stage = good();
            stage.file("build/a.exe", b"MZ");
            stage.file("build/b.exe", b"MZ");
            run(&stage, &["upload", "--build-path", "build/*.exe"])
        }
        Reason::BuildEmpty => {
            let stage = good();
            stage.file("game.exe", b"");
            run(&stage, &["upload", "--build-path", "game.exe"])
        }
        Reason::BuildUnsupported => {
            let stage = good();
            stage.file("game.apk", b"PK not really");
            run(&stage, &["upload", "--build-path", "game.apk"])
        }
        Reason::BuildTooLarge => {
            let stage = off_ci(Stage::of(Sim::builder().max_size(1000)));
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        Reason::BuildChanged => changed_meanwhile(),
        Reason::QuotaExceeded => {
            let stage = off_ci(Stage::of(Sim::builder().capacity(1000)));
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        Reason::UploadFailed => {
            let stage = good();
            stage.sim.fault(Call::Complete, Fault::reply(400, "{\"error\":\"bad parts\"}").forever());
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        Reason::StartFailed => {
            run(&good(), &["run", "--test-id", NOBODYS, "--deployment-config-id", CONFIG])
        }
        Reason::StartIncomplete => {
            let stage = good();
            let config = format!(
                "version: 1\nruns:\n  - {{name: good, test: {TEST}, deployment_config: {CONFIG}}}\n  - {{name: bad, test: {NOBODYS}, deployment_config: {CONFIG}}}\n"
            );
            stage.file(".nunu/run.yml", config.as_bytes());
            run(&stage, &["run"])
        }
        Reason::RunError => quick(&playing(Script::rejected("no device is free")), &[]),
        Reason::ServiceError => run(
            &refused(good(), 501, "{\"error\":\"moved\"}"),
            &["check", "--test-id", TEST, "--deployment-config-id", CONFIG],
        ),
        Reason::NetworkError => {
            // A certificate that is not trusted is no matter of patience, so this needs no minute.
            let stage = good();
            let port = stage.sim.api_url().rsplit(':').next().unwrap().to_owned();
            run(
                &stage.env("NUNU_API_URL", &format!("https://127.0.0.1:{port}")),
                &["check", "--test-id", TEST, "--deployment-config-id", CONFIG],
            )
        }
        Reason::Timeout => quick(&playing(Script::endless()), &["--timeout", "2s"]),
        Reason::Stalled => quick(&playing(Script::endless()).env("NUNU_STALL", "2s"), &[]),
        Reason::StoppedRemotely => {
            quick(&playing(Script::endless().stopped_by_other(Duration::from_millis(200))), &[])
        }
        Reason::Interrupted | Reason::Terminated => interrupted(),
        _ => nowhere(),
    }
}

/// The build is written to while it is sent.
fn changed_meanwhile() -> Shown {
    let stage = off_ci(Stage::of(Sim::builder().throttle(Host::Storage, 400_000)));
    let args = ["upload", "--build-path", stage.apk(900_000)];
    let child = stage.spawn(&args);
    stage.sim.wait_until(Duration::from_secs(10), |sim| !sim.requests_to(Call::Initiate).is_empty());
    std::thread::sleep(Duration::from_millis(400));
    let path = stage.work().join("game.apk");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() - 100;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let ended = stage.end(child);
    shown(&stage, &args, ended.code, &ended.stderr)
}

fn interrupted() -> Shown {
    let stage = playing(Script::endless());
    let args = ["run", "--test-id", TEST, "--deployment-config-id", CONFIG];
    let child = stage.spawn(&args);
    stage.sim.wait_until(Duration::from_secs(10), |sim| !sim.unfinished_jobs().is_empty());
    std::thread::sleep(Duration::from_millis(500));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = stage.end(child);
    shown(&stage, &args, ended.code, &ended.stderr)
}

/// A bug of ours cannot be had on demand; a folder that no longer exists ends the same way.
fn nowhere() -> Shown {
    let stage = good();
    let mut command = Command::new("sh");
    command.args(["-c", "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" run"]);
    command.arg(env!("CARGO_BIN_EXE_nunu-ci")).current_dir(stage.work()).stdin(Stdio::null());
    let out = command.output().unwrap();
    shown(&stage, &["run"], out.status.code().unwrap_or(-1), &String::from_utf8_lossy(&out.stderr))
}

/// What differs from run to run, made the same: folders, ports, ids, times.
fn steady(stage: &Stage, said: &str) -> String {
    let work = stage.work().display().to_string();
    let home = stage.work().parent().unwrap().display().to_string();
    let said = said.replace(&work, "/builds/game").replace(&home, "/builds").replace(&stage.sim.api_url(), "https://nunu.ai");
    said
}

/// Every end, in the order of the exit codes; two at a time, because most of them wait.
fn all() -> BTreeMap<usize, Shown> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(&reason) = Reason::ALL.get(index) else { break };
                    if reason == Reason::Terminated {
                        continue;
                    }
                    let shown = provoke(reason);
                    assert_eq!(shown.code, i32::from(reason.exit_code()), "{reason}: {}", shown.said);
                    done.lock().unwrap().insert(index, shown);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn every_page_is_true() {
    let mut out = String::new();
    for (index, shown) in all() {
        let reason = Reason::ALL[index];
        let _ = write!(out, "## `{reason}`\n\n{}\n\n{}\n\n```console\n$ nunu-ci {}\n{}\n```\n\n", reason.meaning(), reason.remedy(), shown.typed, shown.said);
    }
    std::fs::write(Path::new("/tmp/errors.md"), out).unwrap();
}
