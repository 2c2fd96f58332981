//! A bug of ours, in whatever task or thread it shows: what was started is stopped, and it is reported like any other end.

use nunu_sim::{Scenario, Sim};

use crate::stage::{Ended, Stage};

fn breaking(moment: &str) -> Stage {
    Stage::of(Sim::builder().scenario(Scenario::endless())).env("NUNU_DEBUG_PANIC", moment)
}

/// Where it broke is told, and nothing of the panic's own message, which holds the key here.
#[track_caller]
fn is_told(ended: &Ended) {
    ended.is(70, "internal").says("internal error at src/flow/bug.rs:").says("this is a bug of nunu-ci");
    assert_eq!(ended.outputs["status"], "error");
    assert!(!ended.log().contains("a message with a secret"), "{}", ended.log());
    assert!(!ended.log().contains("panicked"), "{}", ended.log());
}

#[test]
fn a_bug_anywhere_stops_what_was_started_and_is_reported() {
    for moment in ["after-start", "after-start:task", "after-start:thread"] {
        let stage = breaking(moment);
        let ended = stage.quick(&[]);
        is_told(&ended);
        assert_eq!(stage.sim.effective_starts(), 1);
        assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "{moment}: {}", ended.log());
        assert_eq!(
            (&stage.results()["exit_code"], &stage.results()["unfinished"]),
            (&70.into(), &false.into())
        );
        assert!(stage.read("nunu-results/junit.xml").contains("errors=\"1\""), "{moment}");
        assert!(stage.summary().contains("internal error at src/flow/bug.rs"), "{}", stage.summary());
        assert_eq!(stage.state()["records"][0]["standing"], "done", "{moment}");
    }
}

#[test]
fn a_bug_is_no_signal_that_leaves_runs_alone() {
    let stage = breaking("after-start").env("NUNU_ON_CANCEL", "leave");
    is_told(&stage.quick(&[]));
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
}

#[test]
fn a_bug_leaves_no_upload_open() {
    for moment in ["upload", "upload:task"] {
        let stage = breaking(moment);
        is_told(&stage.quick(&["--build-path", stage.apk(20_000)]));
        assert!(stage.sim.open_uploads().is_empty(), "{moment}");
        assert_eq!(stage.sim.effective_starts(), 0);
    }
}

#[test]
fn a_bug_on_the_way_out_names_what_runs_on() {
    let stage = breaking("clean-up");
    is_told(&stage.quick(&["--timeout", "2s"]));
    let left = stage.results()["left_running"].to_string();
    for job in stage.sim.ledger().abandoned_jobs() {
        assert!(left.contains(&job.job_id), "{left}");
    }
    // Its record is open, so the safety net knows it.
    assert_eq!(stage.run(&["stop", "--best-effort"]).code, 0);
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
}

#[test]
fn a_bug_in_the_report_still_ends_with_its_code_and_outputs() {
    let stage = breaking("report");
    is_told(&stage.quick(&["--timeout", "2s"]));
    assert!(stage.sim.ledger().abandoned_jobs().is_empty());
    assert_eq!(stage.results()["unfinished"], true);
}
