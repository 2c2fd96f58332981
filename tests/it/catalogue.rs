//! `docs/errors.md` is made from the catalogue in the code and from what the built program says when each end is provoked.
//! `NUNU_BLESS=1` writes it; otherwise this holds it against the code and the program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nunu_ci::ExitReason;
use nunu_sim::{
    Call, DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_TEST as TEST, DISABLED_KEY, EXPIRED_KEY, Fault,
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

impl Shown {
    /// The same, with a variable before the command.
    fn with(mut self, variable: &str) -> Self {
        self.typed = format!("{variable} {}", self.typed);
        self
    }
}

fn playing(script: Script) -> Stage {
    Stage::of(Sim::builder().scenario(Scenario::of(script))).off_ci()
}

fn good() -> Stage {
    Stage::new().off_ci()
}

fn shown(stage: &Stage, args: &[&str], code: i32, stderr: &str) -> Shown {
    Shown { typed: format!("nunu-ci {}", args.join(" ")), said: steady(stage, stderr), code }
}

fn run(stage: &Stage, args: &[&str]) -> Shown {
    let ended = stage.run(args);
    assert!(ended.stdout.is_empty() || is_id(ended.stdout.trim()), "stdout is for data: {}", ended.stdout);
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

fn provoke(reason: ExitReason) -> Shown {
    let key = |key: &str| good().env("NUNU_API_TOKEN", key);
    match reason {
        ExitReason::Passed => {
            let stage = good();
            quick(&stage, &["--build-path", stage.apk(10_000)])
        }
        ExitReason::Started => quick(&good(), &["--wait=false"]),
        ExitReason::Uploaded => {
            let stage = good();
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        ExitReason::Checked => {
            let stage = good();
            stage.apk(10_000);
            let config =
                b"version: 1\nbuild: {path: game.apk}\nruns:\n  - {name: smoke, test: Smoke test, deployment_config: Android phone}\n";
            stage.file(".nunu/run.yml", config);
            run(&stage, &["check"])
        }
        ExitReason::DryRun => {
            let stage = good();
            quick(&stage, &["--dry-run", "--build-path", stage.apk(10_000)])
        }
        ExitReason::Skipped => quick(&key(""), &["--on-missing-token", "skip"]),
        ExitReason::TestsFailed => quick(&playing(Script::new("FAILED")), &[]),
        ExitReason::BugsFound => quick(
            &Stage::of(Sim::builder().scenario(Scenario::bugs())).off_ci(),
            &["--fail-on", "failed,bugs:high"],
        ),
        ExitReason::NothingTested => quick(&playing(Script::new("SKIPPED")), &[]),
        ExitReason::InvalidInput => quick(&good(), &["--timeout", "soon"]),
        ExitReason::InvalidConfig => {
            let stage = good();
            stage.file(
                ".nunu/run.yml",
                b"version: 1\nruns:\n  - tst: Smoke test\n    deployment_config: Android phone\n",
            );
            run(&stage, &["run"])
        }
        ExitReason::ApiKeyMissing => quick(&key(""), &[]),
        ExitReason::ApiKeyInvalid => quick(&key("nunu_nobody_knows_this_one"), &[]),
        ExitReason::ApiKeyExpired => quick(&key(EXPIRED_KEY), &[]),
        ExitReason::ApiKeyDisabled => quick(&key(DISABLED_KEY), &[]),
        ExitReason::PermissionMissing => quick(&key(UPLOAD_ONLY_KEY), &[]),
        ExitReason::Forbidden => quick(&refused(good(), 403, "{\"error\":\"not from this network\"}"), &[]),
        _ => provoke_failure(reason),
    }
}

fn provoke_failure(reason: ExitReason) -> Shown {
    match reason {
        ExitReason::BuildNotFound => {
            let stage = good();
            stage.apk(10_000);
            run(&stage, &["upload", "--build-path", "gmae.apk"])
        }
        ExitReason::BuildAmbiguous => {
            let stage = good();
            stage.file("build/a.exe", b"MZ");
            stage.file("build/b.exe", b"MZ");
            run(&stage, &["upload", "--build-path", "build/*.exe"])
        }
        ExitReason::BuildEmpty => {
            let stage = good();
            stage.file("game.exe", b"");
            run(&stage, &["upload", "--build-path", "game.exe"])
        }
        ExitReason::BuildUnsupported => {
            let stage = good();
            stage.file("game.apk", b"PK not really");
            run(&stage, &["upload", "--build-path", "game.apk"])
        }
        ExitReason::BuildTooLarge => {
            let stage = Stage::of(Sim::builder().max_size(1000)).off_ci();
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        ExitReason::BuildChanged => changed_meanwhile(),
        ExitReason::QuotaExceeded => {
            let stage = Stage::of(Sim::builder().capacity(1000)).off_ci();
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        ExitReason::UploadFailed => {
            let stage = good();
            stage.sim.fault(Call::Complete, Fault::reply(400, "{\"error\":\"bad parts\"}").forever());
            run(&stage, &["upload", "--build-path", stage.apk(10_000)])
        }
        ExitReason::StartFailed => {
            run(&good(), &["run", "--test-id", NOBODYS, "--deployment-config-id", CONFIG])
        }
        ExitReason::StartIncomplete => {
            let stage = good();
            stage.sim.fault(Call::StartRun, Fault::reply(400, "{\"error\":\"no agent is set up\"}").skip(1));
            let config = format!(
                "version: 1\nruns:\n  - {{name: good, test: {TEST}, deployment_config: {CONFIG}}}\n  - {{name: bad, test: {TEST}, deployment_config: {CONFIG}}}\n"
            );
            stage.file(".nunu/run.yml", config.as_bytes());
            run(&stage, &["run"])
        }
        ExitReason::RunError => quick(&playing(Script::rejected("no device is free")), &[]),
        ExitReason::ServiceError => run(
            &refused(good(), 501, "{\"error\":\"moved\"}"),
            // The way out is in a hurry, so this needs no minute of patience.
            &["stop", "--job-ids", "a1b2c3d4-e5f6-4a1b-8c2d-3e4f5a6b7c8d"],
        ),
        ExitReason::NetworkError => {
            // Nobody listens on the discard port.
            let stage = good().env("NUNU_API_URL", "http://127.0.0.1:9");
            run(&stage, &["stop", "--job-ids", "a1b2c3d4-e5f6-4a1b-8c2d-3e4f5a6b7c8d"])
                .with("NUNU_API_URL=http://127.0.0.1:9")
        }
        ExitReason::ResultsNotWritten => without_room(),
        ExitReason::Timeout => quick(&playing(Script::endless()), &["--timeout", "2s"]),
        ExitReason::Stalled => {
            quick(&playing(Script::endless()).env("NUNU_STALL", "2s"), &[]).with("NUNU_STALL=2s")
        }
        ExitReason::StoppedRemotely => {
            quick(&playing(Script::endless().stopped_by_other(Duration::from_millis(200))), &[])
        }
        ExitReason::Interrupted | ExitReason::Terminated => interrupted(),
        _ => nowhere(),
    }
}

/// The build is written to while it is sent: between the first try, which fails, and one of the next.
fn changed_meanwhile() -> Shown {
    let stage = good();
    let busy = stage.sim.fault(Call::PutSingle, Fault::status(503).forever());
    let args = ["upload", "--build-path", stage.apk(900_000)];
    let child = stage.spawn(&args);
    stage.wait_until(|sim| !sim.requests_to(Call::PutSingle).is_empty());
    let path = stage.work().join("game.apk");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() - 100;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    stage.sim.clear_fault(busy);
    let ended = stage.end(child);
    shown(&stage, &args, ended.code, &ended.stderr)
}

/// At the end nothing can be created in the results folder any more, as on a disk that is full.
fn without_room() -> Shown {
    let stage = good();
    let busy = stage.sim.fault(Call::GetJob, Fault::reply(503, "{}").forever());
    let args = ["run", "--test-id", TEST, "--deployment-config-id", CONFIG];
    let child = stage.spawn(&args);
    stage.wait_until(|sim| !sim.requests_to(Call::GetJob).is_empty());
    let folder = stage.work().join("nunu-results");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    stage.sim.clear_fault(busy);
    let ended = stage.end(child);
    // How often it was looked and written in vain depends on the moment.
    let end = ended.stderr.find("error: results-dir").unwrap_or_default();
    shown(&stage, &args, ended.code, &ended.stderr[end..])
}

fn interrupted() -> Shown {
    let stage = playing(Script::endless());
    let args = ["run", "--test-id", TEST, "--deployment-config-id", CONFIG];
    let child = stage.spawn(&args);
    stage.wait_until_followed();
    let ended = stage.end_by("INT", child);
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

/// What differs from run to run, made the same: folders, the port, ids, times; and only the end of the log, where it is told.
fn steady(stage: &Stage, said: &str) -> String {
    const BEGINS: [&str; 8] = [
        "error: ",
        "warning: ",
        "failed: ",
        "passed: ",
        "started in ",
        "uploaded in ",
        "would upload ",
        "Settings (",
    ];
    // Paths, and what was seen on the way, which depends on the moment of each look.
    const LEFT_OUT: [&str; 6] =
        ["requests go to ", "results are in ", "every request is in ", "stopping ", "good", "== "];
    let address = stage.sim.api_url();
    let address = address.trim_start_matches("http://");
    let home = stage.work().parent().unwrap().display().to_string();
    let said = said.replace(&home, "/builds").replace(address, "127.0.0.1:54321");
    let lines: Vec<String> = said
        .lines()
        .skip_while(|line| !BEGINS.iter().any(|begin| line.starts_with(begin)))
        .filter(|line| !LEFT_OUT.iter().any(|begin| line.starts_with(begin)))
        .map(steady_line)
        .collect();
    // Where the job ended before its run did, it depends on the moment whether the run was seen.
    let ended = |line: &String| {
        !["timed out: ", "stalled: ", "cancelled: "].iter().any(|begin| line.starts_with(begin))
    };
    let seen = lines.iter().all(ended);
    let stays = |line: &&String| seen || !line.trim_start().starts_with("http://");
    lines.iter().filter(stays).cloned().collect::<Vec<_>>().join("\n")
}

fn steady_line(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = line.split(' ').peekable();
    while let Some(word) = rest.next() {
        let before = words.last().map_or("", String::as_str);
        let is_number = word.parse::<f64>().is_ok();
        let mut word = word.to_owned();
        if is_number && before == "in" && rest.peek().copied().is_some_and(is_unit) {
            // How long it took, in one or more units: only the last is kept.
            words.push("…".to_owned());
            word.clear();
            while let Some(unit) = rest.next_if(|next| is_unit(next) || next.parse::<f64>().is_ok()) {
                unit.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '.')
                    .clone_into(&mut word);
            }
            word.insert(0, 's');
        } else if before == "error" && word.ends_with(')') && line.contains("refused") {
            // Systems number this error each in its own way; Linux so.
            "111)".clone_into(&mut word);
        } else if is_number && rest.peek().is_some_and(|next| next.starts_with("attempts")) {
            "…".clone_into(&mut word);
        } else if let Some((start, rest)) = word.split_once("/runs/m/") {
            let end = rest.split_once('/').map_or("", |(_, end)| end);
            word = format!("{start}/runs/m/k3v9x1q7m2p/{end}");
        } else if is_id(&word) && ![TEST, CONFIG, NOBODYS].iter().any(|known| word.contains(known)) {
            "a1b2c3d4-e5f6-4a1b-8c2d-3e4f5a6b7c8d".clone_into(&mut word);
        }
        words.push(word);
    }
    words.join(" ")
}

/// A unit of time, with what may follow it.
fn is_unit(word: &str) -> bool {
    ["ms", "s", "min", "h"].contains(&word.trim_end_matches([':', ',', ';']))
}

fn is_id(word: &str) -> bool {
    word.len() == 36 && word.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

/// Every end, by its place in the order of the exit codes; four at a time, because most of them wait.
fn all() -> BTreeMap<usize, Shown> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(&reason) = ExitReason::ALL.get(index) else { break };
                    // SIGINT and SIGTERM share a page.
                    if reason == ExitReason::Terminated {
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

const HEAD: &str = "# Errors and ends

<!-- Made by a test from the catalogue in the code and from what the program says: NUNU_BLESS=1 cargo test --test it catalogue -->

Every end of `nunu-ci` has one `exit-reason` and one exit code. They are written as outputs, into `results.json`, into the summary and into the last line of
the log. An error in the log says what failed with the server's own words, what caused it (`caused by:`), what to do (`hint:`), and where its page is (`more:`).

Each page has an example: the end of a real log. A test provokes every one of them against the simulated service; only folders, ports and ids of jobs were
made the same, and `…` stands for how long something took and how often it was tried. `789e0123-…` is a test and `456e7890-…` a deployment configuration.

";

/// A sentence for the page from the words of the catalogue.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn page(reason: ExitReason, shown: &Shown) -> String {
    let mut out = format!("## `{reason}`\n\n");
    let codes: Vec<String> = ExitReason::ALL
        .iter()
        .filter(|other| other.as_str() == reason.as_str())
        .map(|other| other.exit_code().to_string())
        .collect();
    let _ = write!(out, "Exit code {}. {}\n\n", codes.join(", "), sentence(reason.meaning()));
    let _ = write!(out, "**What to do:** {}\n\n", sentence(reason.remedy()));
    if reason == ExitReason::Internal {
        out.push_str("A bug of ours cannot be provoked on demand; it shows as `error: internal error at FILE:LINE; this is a bug of nunu-ci`. What was started is stopped, and the report, the outputs and the summary are written as at any other end; what could not be stopped is named there. This is a machine that ends the same way, a working directory that was deleted:\n\n");
    }
    let _ = write!(out, "```console\n$ {}\n{}\n```\n\n", shown.typed, shown.said);
    out
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the program")]
fn blessed() -> bool {
    std::env::var_os("NUNU_BLESS").is_some()
}

#[test]
#[cfg_attr(windows, ignore = "the pages show a system with signals and sh")]
fn every_page_is_true() {
    let mut made = HEAD.to_owned();
    let shown = all();
    assert_eq!(shown.len(), ExitReason::ALL.len() - 1, "every reason but the second signal has a page");
    for (index, shown) in &shown {
        let reason = ExitReason::ALL[*index];
        if reason.exit_code() != 0 {
            let link = format!("\nmore: {}", reason.page());
            assert!(shown.said.contains(&link), "{reason} has no link:\n{}", shown.said);
        }
        made.push_str(&page(reason, shown));
    }
    let made = format!("{}\n", made.trim_end());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    if blessed() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    for (number, (was, is)) in committed.lines().zip(made.lines()).enumerate() {
        assert_eq!(was, is, "docs/errors.md:{} (NUNU_BLESS=1 writes it anew)", number + 1);
    }
    assert_eq!(committed.lines().count(), made.lines().count(), "docs/errors.md has another length");
}
