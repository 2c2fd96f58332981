//! Jobs that the service shows one after the other, long after their start, while the program is ended in every way: at the end
//! nothing runs that nobody was told of, the next `stop` ends it, and nothing is paid twice.

use std::time::Duration;

use fastrand::Rng;
use nunu_sim::{
    Call, DEFAULT_DEPLOYMENT_CONFIG as CONFIG, DEFAULT_TEST as TEST, Fault, Plan, Scenario, Script, Sim,
};

use crate::faults::{Cell, run};
use crate::stage::{Ended, Stage};

/// Seeds in a normal run, all at once: almost all of their time is waiting. `NUNU_LATE_SEEDS` at build time asks for more.
const SEEDS: u64 = 48;
const AT_ONCE: usize = 48;
/// From this seed on some starts take half a minute to show their jobs, or make one a second for that long.
const SLOW_SEEDS: u64 = 48;
/// The plan that is started.
const PLAN: &str = "345e6789-e89b-42d3-a456-4266141740ff";
/// A job that is followed by the next attempt runs that much longer than the last one takes to appear.
const RUNS_FOR: Duration = Duration::from_secs(12);

fn seeds() -> u64 {
    option_env!("NUNU_LATE_SEEDS").and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Signal(&'static str),
    Timeout,
    /// A bug of ours right after the start, in the task, another one or a thread.
    Panic(&'static str),
    Killed,
    /// Killed, and the job is repeated; with the state file or without.
    Repeated(bool),
}

/// What one seed stands for.
#[derive(Debug, Clone, Copy)]
struct Case {
    jobs: usize,
    /// A plan, or instances of a test.
    plan: bool,
    first: Duration,
    every: Duration,
    /// The answer to the start does not arrive.
    lost: bool,
    /// From the beginning of the program to its end.
    moment: Duration,
    end: End,
}

impl Case {
    fn of(seed: u64) -> Self {
        let mut draw = Rng::with_seed(seed);
        let end = match seed % 6 {
            0 if cfg!(unix) => End::Signal(["INT", "TERM"][draw.usize(..2)]),
            0 | 1 => End::Timeout,
            2 => End::Killed,
            3 => End::Panic(["after-start", "after-start:task", "after-start:thread"][draw.usize(..3)]),
            4 => End::Repeated(true),
            _ => End::Repeated(false),
        };
        let slow = seed >= SLOW_SEEDS && seed.is_multiple_of(4);
        let many = slow && draw.bool();
        let jobs = if many { 29 } else { draw.usize(1..5) };
        let every = match (slow, many) {
            (false, _) => Duration::from_millis(draw.u64(50..900)),
            (true, false) => Duration::from_millis(draw.u64(1_000..7_200)),
            (true, true) => Duration::from_secs(1),
        };
        let shown = every * u32::try_from(jobs).unwrap();
        let latest = u64::try_from(shown.as_millis()).unwrap() + 2_500;
        let moment = Duration::from_millis(draw.u64(..latest));
        Self { jobs, plan: many || draw.bool(), first: every, every, lost: draw.bool(), moment, end }
    }

    /// True once everything can be seen.
    fn shown(&self) -> Duration {
        self.every * u32::try_from(self.jobs).unwrap()
    }

    fn stage(&self) -> Stage {
        let script = if matches!(self.end, End::Repeated(_)) {
            Script::new("SUCCESS").runs_for(self.shown() + RUNS_FOR)
        } else {
            Script::endless()
        };
        let scenario = Scenario::of(script).one_by_one(self.first, self.every);
        let plan = Plan::new(PLAN, "Late", &vec![TEST; self.jobs]);
        let stage = Stage::of(Sim::builder().scenario(scenario).plan(plan));
        if self.lost {
            stage.sim.fault(Call::AnyStart, Fault::drop_after().once());
        }
        let stage = stage.env("NUNU_MATRIX_INDEX", "0");
        match self.end {
            End::Panic(moment) => stage.env("NUNU_DEBUG_PANIC", moment),
            _ => stage,
        }
    }

    fn args(&self) -> Vec<String> {
        let target = if self.plan {
            format!("test_plan: {PLAN}")
        } else {
            format!("test: {TEST}, instances: {}", self.jobs)
        };
        let config = format!("version: 1\nruns:\n  - {{{target}, deployment_config: {CONFIG}}}\n");
        ["run", "--run-config", &config].map(str::to_owned).to_vec()
    }
}

/// What runs on is named, and the job is not green.
#[track_caller]
fn is_named(stage: &Stage, ended: &Ended) {
    let left = stage.results()["left_running"].to_string();
    for job in stage.sim.ledger().abandoned_jobs() {
        let tag = job.tags.iter().any(|tag| tag.starts_with("nunu-ci.") && left.contains(tag.as_str()));
        assert!(tag || left.contains(&job.job_id), "{job:?} runs on, named is {left}: {}", ended.log());
        assert_ne!(ended.code, 0, "{}", ended.log());
    }
}

fn once(seed: u64) {
    let case = Case::of(seed);
    let mut stage = case.stage();
    let mut args = case.args();
    if case.end == End::Timeout {
        args.push(format!("--timeout={}s", 1 + case.moment.as_secs()));
    }
    if case.end == End::Repeated(false) {
        // What picks its build itself is gone on with by its record alone.
        args.push(format!("--build-path={}", stage.apk(10_000)));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let child = stage.spawn(&args);
    if matches!(case.end, End::Repeated(_)) {
        // A job is not repeated before the list shows anything of it.
        stage.wait_until(|sim| sim.unfinished_jobs().iter().any(|job| job.visible));
    }
    if !matches!(case.end, End::Timeout | End::Panic(_)) {
        // Whatever the moment turns out to be, the same has to hold.
        std::thread::sleep(case.moment);
    }
    match case.end {
        End::Signal(signal) => {
            let ended = stage.end_by(signal, child);
            // Before the handlers are there the signal's own action ends the program.
            if ended.code != -1 {
                assert_eq!(ended.code, if signal == "INT" { 130 } else { 143 }, "{}", ended.log());
                is_named(&stage, &ended);
            }
        }
        End::Timeout => {
            let ended = stage.end(child);
            ended.is(8, "timeout");
            is_named(&stage, &ended);
        }
        End::Panic(_) => {
            let ended = stage.end(child);
            ended.is(70, "internal");
            is_named(&stage, &ended);
        }
        End::Killed => stage.kill(child),
        End::Repeated(keeps_state) => {
            stage.kill(child);
            if !keeps_state {
                stage.forget_state();
            }
            stage.set("GITHUB_RUN_ATTEMPT", "2");
            let ended = stage.run(&args);
            ended.is(0, "passed").says("of an earlier attempt");
            assert_eq!(ended.outputs["job-ids"].split(',').count(), case.jobs, "{}", ended.log());
        }
    }
    stage.set("NUNU_DEBUG_PANIC", "");
    let net = stage.run(&["stop", "--best-effort"]);
    assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "after the stop: {}", net.log());
    assert!(stage.sim.effective_starts() <= 1, "started {} times", stage.sim.effective_starts());
}

#[test]
fn jobs_that_appear_late_do_not_run_on() {
    let seeds = seeds();
    let cell = |seed| (format!("seed {seed}: {:?}", Case::of(seed)), Box::new(move || once(seed)) as _);
    let cells: Vec<Cell> = (0..seeds).map(cell).collect();
    run("late jobs", AT_ONCE, &cells);
}
