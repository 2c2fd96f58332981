//! Every call the job makes, broken in every way: the job survives what it must, nothing runs on, nothing is started twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nunu_sim::{Call, DEFAULT_PLAN, Fault, Scenario, Sim};

use crate::stage::{Stage, tell};

/// Jobs at once; most of their time is waiting.
pub(crate) const AT_ONCE: usize = 12;

pub(crate) type Test = Box<dyn Fn() + Send + Sync>;
pub(crate) type Cell = (String, Test);
pub(crate) type Named = (&'static str, fn() -> Fault);

/// Runs all cells, `at_once` of them at a time, and names those that failed.
#[track_caller]
pub(crate) fn run(kind: &str, at_once: usize, cells: &[Cell]) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some((name, cell)) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(cell)).is_err() {
                        failed.lock().unwrap().push(name.clone());
                    }
                }
            });
        }
    });
    tell(&format!("cells {kind}: {}", cells.len()));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} cells failed:\n{}", failed.len(), cells.len(), failed.join("\n"));
}

pub(crate) fn faults() -> Vec<Named> {
    vec![
        ("refused", || Fault::refuse(Duration::from_millis(400))),
        ("reset before", Fault::drop_before),
        ("reset after the effect", Fault::drop_after),
        ("cut answer", || Fault::cut_response(9)),
        ("408", || Fault::status(408)),
        ("429", || Fault::too_many(None)),
        ("429 with Retry-After", || Fault::too_many(Some(1))),
        ("500", || Fault::status(500)),
        ("500 after the effect", || Fault::status(500).after_effect()),
        ("502 with HTML", Fault::html_502),
        ("503", || Fault::status(503)),
        ("garbage", Fault::garbage_200),
        ("slow", || Fault::delay(Duration::from_millis(1200))),
        ("echo of the key", || Fault::echo_key(500)),
    ]
}

/// What holds after every polite end.
#[track_caller]
pub(crate) fn nothing_is_left(stage: &Stage, uploads_too: bool) {
    assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "something still runs");
    reports_agree(stage, uploads_too);
}

/// What holds after every end, also where the service could not be asked to stop anything.
#[track_caller]
pub(crate) fn reports_agree(stage: &Stage, uploads_too: bool) {
    assert!(stage.sim.effective_starts() <= 1, "started {} times", stage.sim.effective_starts());
    if uploads_too {
        assert!(stage.sim.open_uploads().is_empty(), "an upload is open");
    }
    let results = stage.results();
    let junit = stage.read("nunu-results/junit.xml");
    assert_eq!(results["unfinished"], false);
    assert!(junit.starts_with("<?xml") && junit.trim_end().ends_with("</testsuites>"));
    assert!(!stage.read("nunu-results/summary.md").is_empty());
    let green = results["exit_code"] == 0;
    assert_eq!(junit.contains("<failure") || junit.contains("<error"), !green);
}

#[test]
fn one_fault_anywhere_is_survived() {
    let wires = [
        Call::Initiate,
        Call::PutSingle,
        Call::Complete,
        Call::ListBuilds,
        Call::GetBuild,
        Call::StartRun,
        Call::Stop,
        Call::ListJobs,
        Call::GetJob,
        Call::GetRun,
        Call::RunBugs,
    ];
    let mut cells: Vec<Cell> = Vec::new();
    for broken in wires {
        for (name, fault) in faults() {
            let test = move || {
                let stage = Stage::new();
                stage.sim.fault(broken, fault().once());
                let ended = stage.quick(&["--build-path", stage.apk(20_000)]);
                if broken == Call::PutSingle && name == "garbage" {
                    // Something between us and storage said 200 and stored nothing; the service notices.
                    ended.is(5, "upload-failed");
                    return nothing_is_left(&stage, true);
                }
                ended.is(0, "passed");
                // A reservation whose id never arrived cannot be cancelled; the service ends it by itself.
                nothing_is_left(&stage, broken != Call::Initiate);
                assert_eq!(stage.sim.effective_starts(), 1);
            };
            cells.push((format!("{broken:?} x {name}"), Box::new(test)));
        }
    }
    run("once", AT_ONCE, &cells);
}

/// A call that is never answered ends by itself and is made again. With a short timeout a call gives up sooner, so that these cells take
/// seconds; starts and completions are waited for longer, see below.
#[test]
fn one_call_that_is_never_answered_is_survived() {
    let mut cells: Vec<Cell> = Vec::new();
    for broken in [
        Call::Initiate,
        Call::PutSingle,
        Call::ListBuilds,
        Call::GetBuild,
        Call::Stop,
        Call::ListJobs,
        Call::GetJob,
        Call::GetRun,
        Call::RunBugs,
    ] {
        let test = move || {
            let stage = Stage::new();
            stage.sim.fault(broken, Fault::stall().once());
            stage.quick(&["--timeout", "40s", "--build-path", stage.apk(20_000)]).is(0, "passed");
            nothing_is_left(&stage, broken != Call::Initiate);
            assert_eq!(stage.sim.effective_starts(), 1);
        };
        cells.push((format!("{broken:?} x stall"), Box::new(test)));
    }
    for broken in [Call::PartUrls, Call::PutPart(2)] {
        let test = move || {
            let stage = Stage::of(Sim::builder().part_size(50_000)).env("NUNU_MULTIPART", "always");
            stage.sim.fault(broken, Fault::stall().once());
            let ended = stage.run(&["upload", "--timeout", "40s", "--build-path", stage.apk(140_000)]);
            ended.is(0, "uploaded");
            nothing_is_left(&stage, true);
        };
        cells.push((format!("{broken:?} x stall"), Box::new(test)));
    }
    run("stall once", AT_ONCE, &cells);
}

/// The service may take a minute over a start or a completion, so these cells take longer than all others together:
/// `cargo test --test it -- --ignored one_start`.
#[test]
#[ignore = "takes a minute and a half"]
fn one_start_that_is_never_answered_is_survived() {
    let mut cells: Vec<Cell> = Vec::new();
    for (broken, name, fault) in [
        (Call::StartRun, "stall", Fault::stall as fn() -> Fault),
        (Call::StartRun, "stall after the effect", Fault::stall_after),
        (Call::Complete, "stall", Fault::stall),
        (Call::Complete, "stall after the effect", Fault::stall_after),
    ] {
        let test = move || {
            let stage = Stage::new();
            stage.sim.fault(broken, fault().once());
            stage.quick(&["--build-path", stage.apk(20_000)]).is(0, "passed");
            nothing_is_left(&stage, true);
            assert_eq!(stage.sim.effective_starts(), 1);
        };
        cells.push((format!("{broken:?} x {name}"), Box::new(test)));
    }
    run("long stalls", AT_ONCE, &cells);
}

#[test]
fn one_fault_in_parts_and_plans_is_survived() {
    let mut cells: Vec<Cell> = Vec::new();
    for call in [Call::PartUrls, Call::PutPart(1), Call::PutPart(3), Call::Complete] {
        for (name, fault) in faults() {
            let test = move || {
                let stage = Stage::of(Sim::builder().part_size(50_000)).env("NUNU_MULTIPART", "always");
                stage.sim.fault(call, fault().once());
                let ended = stage.run(&["upload", "--build-path", stage.apk(140_000)]);
                ended.is(0, "uploaded");
                assert_eq!(
                    stage.sim.build_digest(&ended.outputs["build-id"]).as_ref(),
                    Some(&ended.outputs["build-sha256"])
                );
                nothing_is_left(&stage, true);
            };
            cells.push((format!("{call:?} x {name}"), Box::new(test)));
        }
    }
    for call in [Call::StartPlan, Call::ListJobs, Call::GetRun] {
        for (name, fault) in faults() {
            let test = move || {
                let stage = Stage::new();
                stage.sim.fault(call, fault().skip(u32::from(call == Call::ListJobs)).once());
                let args = [
                    "run",
                    "--test-plan-id",
                    DEFAULT_PLAN,
                    "--deployment-config-id",
                    nunu_sim::DEFAULT_DEPLOYMENT_CONFIG,
                ];
                stage.run(&args).is(0, "passed");
                nothing_is_left(&stage, true);
            };
            cells.push((format!("plan: {call:?} x {name}"), Box::new(test)));
        }
    }
    run("parts and plans", AT_ONCE, &cells);
}

#[test]
fn what_could_not_be_stopped_is_named() {
    let stage = Stage::of(Sim::builder().scenario(Scenario::endless()));
    stage.sim.fault(Call::Stop, Fault::status(503).skip(1).forever());
    let ended = stage.quick(&["--timeout", "2s"]);
    ended.is(8, "timeout");
    let job = ended.outputs["job-ids"].clone();
    assert_eq!(stage.results()["left_running"][0]["job_ids"][0], job.as_str());
    assert!(stage.summary().contains("May still be running") && stage.summary().contains(&job));
    assert_eq!(stage.state()["records"][0]["standing"], "open", "a later stop finds it");
}

#[test]
fn hostile_replies_end_in_bounded_memory() {
    type Hostile = (&'static str, Call, fn() -> Fault);
    let hostile: [Hostile; 5] = [
        ("2 GB reply", Call::GetRun, || Fault::huge_body(2_000_000_000)),
        ("endless reply", Call::RunBugs, Fault::endless_body),
        ("deep JSON", Call::GetRun, || Fault::deep_json(100_000)),
        ("a million steps", Call::GetRun, || Fault::many_steps(100_000)),
        ("10 MB title", Call::RunBugs, || Fault::long_title(10_000_000)),
    ];
    let cells: Vec<Cell> = hostile
        .into_iter()
        .map(|(name, call, fault)| {
            let test = move || {
                let stage = Stage::new();
                stage.sim.fault(call, fault().times(3));
                let ended = stage.quick(&[]);
                assert!([0, 1, 7].contains(&ended.code), "{}", ended.log());
                assert!(stage.read("nunu-results/summary.md").len() < 950_000);
            };
            (name.to_owned(), Box::new(test) as Test)
        })
        .collect();
    run("hostile", AT_ONCE, &cells);
}
