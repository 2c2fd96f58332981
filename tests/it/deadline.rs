//! Every call broken for good: the job ends in time, with the right code, and with nothing left that it could have ended.

use std::time::{Duration, Instant};

use nunu_sim::{Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_PLAN, Fault, Scenario, Sim};

use crate::faults::{Cell, Named, faults, nothing_is_left, reports_agree, run};
use crate::stage::{Ended, Stage};

/// Almost all of their time is waiting.
const AT_ONCE: usize = 64;
/// A deadline of seconds; silent services are waited for longer than that, see `flow::session`.
const DEADLINE: &str = "4s";
/// No cell may hang. The longest waits for the one answer to a completion (30 s); the rest is for a machine with other work.
const LONGEST: Duration = Duration::from_secs(240);

/// All faults, those included that only make sense until somebody gives up.
fn all_faults() -> impl Iterator<Item = Named> {
    let more: [Named; 2] = [("stall", Fault::stall), ("stall after the effect", Fault::stall_after)];
    faults().into_iter().chain(more)
}

/// A service whose runs never end by themselves, on which `call` is broken from now on.
fn broken(call: Call, fault: fn() -> Fault) -> Stage {
    let stage = Stage::of(Sim::builder().scenario(Scenario::endless()).part_size(50_000));
    stage.sim.fault(call, fault().forever());
    stage
}

fn cell(call: Call, name: &str, test: impl Fn() + Send + Sync + 'static) -> Cell {
    let timed = move || {
        let began = Instant::now();
        test();
        assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    };
    (format!("{call:?} x {name}"), Box::new(timed))
}

/// True for faults after which the service has done what it was asked.
fn has_effect(name: &str) -> bool {
    name.contains("after the effect") || matches!(name, "cut answer" | "slow")
}

/// The report names every reservation that may be left, and when it ends.
#[track_caller]
fn reservations_are_named(stage: &Stage, ended: &Ended, words: &str) {
    ended.says(words);
    assert!(stage.summary().contains("by itself after"), "{}", stage.summary());
    assert!(stage.results()["warnings"].to_string().contains("by itself after"));
}

#[test]
fn uploads_that_cannot_be_finished_fail_as_uploads() {
    let mut cells: Vec<Cell> = Vec::new();
    for (name, fault) in all_faults() {
        for call in [Call::Initiate, Call::PutSingle, Call::Complete] {
            let survived = name == "slow" || (call == Call::Complete && has_effect(name));
            cells.push(cell(call, name, move || {
                let stage = broken(call, fault);
                let ended = stage.quick(&["--timeout", DEADLINE, "--build-path", stage.apk(20_000)]);
                // A build that is stored after all is tested; the endless run then ends with the deadline.
                let (code, reason) = if survived { (8, "timeout") } else { (5, "upload-failed") };
                ended.is(code, reason);
                let unknown = call == Call::Initiate && has_effect(name) && !survived;
                nothing_is_left(&stage, !unknown);
                assert_eq!(stage.sim.effective_starts(), usize::from(survived));
                if unknown {
                    reservations_are_named(&stage, &ended, "whose id never arrived");
                }
            }));
        }
        for call in [Call::PartUrls, Call::PutPart(2), Call::Complete] {
            let survived = name == "slow" || (call == Call::Complete && has_effect(name));
            cells.push(cell(call, &format!("{name}, in parts"), move || {
                let stage = broken(call, fault).env("NUNU_MULTIPART", "always");
                let ended = stage.run(&["upload", "--timeout", DEADLINE, "--build-path", stage.apk(140_000)]);
                let (code, reason) = if survived { (0, "uploaded") } else { (5, "upload-failed") };
                ended.is(code, reason);
                let missed = name == "refused" && !stage.sim.open_uploads().is_empty();
                nothing_is_left(&stage, !missed);
                if missed {
                    // The host was gone again when the upload was to be cancelled.
                    reservations_are_named(&stage, &ended, "could not cancel the unfinished upload");
                }
            }));
        }
    }
    run("uploads until the deadline", AT_ONCE, &cells);
}

#[test]
fn starts_and_runs_end_with_the_deadline() {
    let mut cells: Vec<Cell> = Vec::new();
    for (name, fault) in all_faults() {
        // Nothing that can happen to these calls decides anything but how long it takes: what is stored is used, what cannot be
        // looked at is not waited for, an unclear start is stopped by its tag. Only 429 says clearly that nothing was started.
        for call in
            [Call::StartRun, Call::ListBuilds, Call::GetBuild, Call::ListJobs, Call::GetJob, Call::GetRun]
        {
            cells.push(cell(call, name, move || {
                let stage = broken(call, fault);
                let ended = stage.quick(&["--timeout", DEADLINE, "--build-path", stage.apk(20_000)]);
                if call == Call::StartRun && name.starts_with("429") && ended.code == 6 {
                    ended.is(6, "start-failed");
                    return ended_politely(&stage, name);
                }
                ended.is(8, "timeout");
                ended_politely(&stage, name);
                // A refusal that comes on the way out tells that nothing runs.
                let told = name.starts_with("429");
                if call == Call::StartRun && stage.sim.effective_starts() == 0 && !told {
                    let left = &stage.results()["left_running"][0];
                    assert!(left["tag"].as_str().is_some_and(|tag| tag.starts_with("nunu-ci.")), "{left}");
                    assert!(stage.summary().contains("after at most 5.5 hours"));
                }
            }));
        }
        cells.push(cell(Call::StartPlan, name, move || {
            let stage = broken(Call::StartPlan, fault);
            let args =
                ["run", "--test-plan-id", DEFAULT_PLAN, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];
            let ended = stage.run(&[&args[..], &["--timeout", DEADLINE]].concat());
            if name.starts_with("429") && ended.code == 6 {
                ended.is(6, "start-failed");
            } else {
                ended.is(8, "timeout");
            }
            ended_politely(&stage, name);
        }));
    }
    run("runs until the deadline", AT_ONCE, &cells);
}

/// Everything was stopped; a host that refuses connections again and again may miss the stop, and then the report says so.
#[track_caller]
fn ended_politely(stage: &Stage, name: &str) {
    if name != "refused" {
        return nothing_is_left(stage, true);
    }
    reports_agree(stage, true);
    let left = stage.results()["left_running"].to_string();
    for job in stage.sim.ledger().abandoned_jobs() {
        assert!(left.contains(&job.job_id) || job.tags.iter().any(|tag| left.contains(tag)), "{left}");
    }
}

#[test]
fn what_a_finished_run_does_not_tell_is_missed_and_meets_no_bug_gate() {
    let mut cells: Vec<Cell> = Vec::new();
    for (name, fault) in all_faults() {
        for (call, gate) in
            [(Call::GetRun, "failed"), (Call::RunBugs, "failed"), (Call::RunBugs, "bugs:high")]
        {
            cells.push(cell(call, &format!("{name}, finished, {gate}"), move || {
                let stage = Stage::new();
                stage.sim.fault(call, fault().forever());
                let ended = stage.quick(&["--timeout", "20s", "--fail-on", gate]);
                // The job told the result; only a gate on bugs needs what is missing.
                if name == "slow" || gate == "failed" {
                    ended.is(0, "passed");
                } else {
                    ended.is(7, "run-error");
                }
                if name != "slow" {
                    ended.says("details are missing");
                }
                nothing_is_left(&stage, true);
            }));
        }
    }
    run("finished runs until we give up", AT_ONCE, &cells);
}

#[test]
fn what_cannot_be_stopped_or_cancelled_is_named() {
    let mut cells: Vec<Cell> = Vec::new();
    for (name, fault) in all_faults() {
        cells.push(cell(Call::Stop, name, move || {
            let stage = broken(Call::Stop, fault);
            let ended = stage.quick(&["--timeout", DEADLINE]);
            ended.is(8, "timeout");
            reports_agree(&stage, true);
            let left = stage.results()["left_running"].clone();
            if name == "slow" {
                return assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
            }
            assert_eq!(stage.sim.ledger().abandoned_jobs().is_empty(), has_effect(name));
            assert_eq!(left[0]["job_ids"][0], ended.outputs["job-ids"].as_str());
            assert!(left[0]["tag"].as_str().is_some_and(|tag| tag.starts_with("nunu-ci.")), "{left}");
            assert!(stage.summary().contains("after at most 5.5 hours"));
            assert_eq!(stage.state()["records"][0]["standing"], "open", "a later stop finds it");
        }));
        cells.push(cell(Call::CancelUpload, name, move || {
            let stage = broken(Call::CancelUpload, fault);
            stage.sim.fault(Call::Complete, Fault::status(500).forever());
            let ended = stage.run(&["upload", "--timeout", DEADLINE, "--build-path", stage.apk(20_000)]);
            ended.is(5, "upload-failed");
            reports_agree(&stage, has_effect(name));
            if name != "slow" {
                reservations_are_named(&stage, &ended, "could not cancel the unfinished upload");
                assert_eq!(stage.state()["records"][0]["standing"], "open", "a later stop finds it");
            }
        }));
    }
    run("stops until the deadline", AT_ONCE, &cells);
}
