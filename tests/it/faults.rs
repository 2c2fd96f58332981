//! Every call the job makes, broken in every way: the job survives what it must, nothing runs on, nothing is started twice.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nunu_sim::{Call, DEFAULT_PLAN, Fault, Scenario, Sim};

use crate::stage::Stage;

/// Jobs at once; most of their time is waiting.
const AT_ONCE: usize = 12;

type Cell = (String, Box<dyn Fn() + Send + Sync>);

/// Runs all cells and names those that failed.
fn run(kind: &str, cells: &[Cell]) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, cell)) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(cell)).is_err() {
                        failed.lock().unwrap().push(name.clone());
                    }
                }
            });
        }
    });
    println!("cells {kind}: {}", cells.len());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} cells failed:\n{}", failed.len(), cells.len(), failed.join("\n"));
}

fn faults() -> Vec<(&'static str, fn() -> Fault)> {
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
fn nothing_is_left(stage: &Stage, uploads_too: bool) {
    let ledger = stage.sim.ledger();
    assert!(ledger.abandoned_jobs().is_empty(), "something still runs");
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
    let calls = [
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
    for call in calls {
        for (name, fault) in faults() {
            let cell = move || {
                let stage = Stage::new();
                stage.sim.fault(call, fault().once());
                let ended = stage.quick(&["--build-path", stage.apk(20_000)]);
                if call == Call::PutSingle && name == "garbage" {
                    // Something between us and storage said 200 and stored nothing; the service notices.
                    ended.is(5, "upload-failed");
                    return nothing_is_left(&stage, true);
                }
                ended.is(0, "passed");
                // A reservation whose id never arrived cannot be cancelled; the service ends it by itself.
                nothing_is_left(&stage, call != Call::Initiate);
                assert_eq!(stage.sim.effective_starts(), 1);
            };
            cells.push((format!("{call:?} x {name}"), Box::new(cell)));
        }
    }
    run("once", &cells);
}

#[test]
fn one_fault_in_parts_and_plans_is_survived() {
    let mut cells: Vec<Cell> = Vec::new();
    for call in [Call::PartUrls, Call::PutPart(1), Call::PutPart(3), Call::Complete] {
        for (name, fault) in faults() {
            let cell = move || {
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
            cells.push((format!("{call:?} x {name}"), Box::new(cell)));
        }
    }
    for call in [Call::StartPlan, Call::ListJobs, Call::GetRun] {
        for (name, fault) in faults() {
            let cell = move || {
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
            cells.push((format!("plan: {call:?} x {name}"), Box::new(cell)));
        }
    }
    run("parts and plans", &cells);
}

#[test]
fn a_fault_that_lasts_ends_in_our_deadline_with_nothing_running() {
    let mut cells: Vec<Cell> = Vec::new();
    for (name, fault) in faults().into_iter().chain([("stall", Fault::stall as fn() -> Fault)]) {
        let cell = move || {
            let stage = Stage::of(Sim::builder().scenario(Scenario::endless()));
            stage.sim.fault(Call::GetJob, fault().forever());
            stage.sim.fault(Call::GetRun, fault().forever());
            stage.quick(&["--timeout", "3s"]).is(8, "timeout");
            nothing_is_left(&stage, true);
        };
        // A refused host cannot be asked to stop anything either; see the test below.
        if name != "refused" {
            cells.push((format!("polling x {name}"), Box::new(cell)));
        }
    }
    run("until the deadline", &cells);
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
    let cells: [(&str, Call, fn() -> Fault); 5] = [
        ("2 GB reply", Call::GetRun, || Fault::huge_body(2_000_000_000)),
        ("endless reply", Call::RunBugs, Fault::endless_body),
        ("deep JSON", Call::GetRun, || Fault::deep_json(100_000)),
        ("a million steps", Call::GetRun, || Fault::many_steps(100_000)),
        ("10 MB title", Call::RunBugs, || Fault::long_title(10_000_000)),
    ];
    let cells: Vec<Cell> = cells
        .into_iter()
        .map(|(name, call, fault)| {
            let cell = move || {
                let stage = Stage::new();
                stage.sim.fault(call, fault().times(3));
                let ended = stage.quick(&[]);
                assert!([0, 1, 7].contains(&ended.code), "{}", ended.log());
                assert!(stage.read("nunu-results/summary.md").len() < 950_000);
            };
            (name.to_owned(), Box::new(cell) as Box<dyn Fn() + Send + Sync>)
        })
        .collect();
    run("hostile", &cells);
}
