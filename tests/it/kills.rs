//! Signals at random moments: whatever the moment, nothing runs on and nothing is started twice.

use std::time::{Duration, Instant};

use nunu_sim::{Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Fault, Scenario, Sim};

use crate::stage::{Stage, send, tell};

/// Seeds in a normal run; `NUNU_KILL_SEEDS` at build time asks for more.
const SEEDS: u64 = 200;
const AT_ONCE: u64 = 8;

fn seeds() -> u64 {
    option_env!("NUNU_KILL_SEEDS").and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

fn once(seed: u64) {
    let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let delay = Duration::from_millis(random % 900);
    let signal = ["INT", "TERM", "KILL"][usize::try_from(seed % 3).unwrap()];
    let stage = Stage::of(
        Sim::builder()
            .scenario(Scenario::endless())
            .throttle(nunu_sim::Host::Storage, 2_000_000)
            .part_size(100_000),
    )
    .env("NUNU_MULTIPART", if seed.is_multiple_of(2) { "always" } else { "never" });
    let build = stage.apk(700_000);
    let args = [
        "run",
        "--build-path",
        build,
        "--test-id",
        DEFAULT_TEST,
        "--deployment-config-id",
        DEFAULT_DEPLOYMENT_CONFIG,
    ];
    let child = stage.spawn(&args);
    // Whatever the moment turns out to be, the same has to hold.
    std::thread::sleep(delay);
    if signal == "KILL" {
        stage.kill(child);
    } else {
        let ended = stage.end_by(signal, child);
        // Before the handlers are there the signal's own action ends the program, and nothing has begun.
        if ended.code != -1 {
            assert_eq!(ended.code, if signal == "INT" { 130 } else { 143 }, "seed {seed}: {}", ended.log());
            assert!(stage.sim.ledger().abandoned_jobs().is_empty(), "seed {seed}: {}", ended.log());
            assert!(stage.sim.open_uploads().is_empty(), "seed {seed}: {}", ended.log());
        }
    }
    let net = stage.run(&["stop", "--best-effort"]);
    assert_eq!(net.code, 0, "seed {seed}: {}", net.log());
    assert!(
        stage.sim.ledger().abandoned_jobs().is_empty(),
        "seed {seed}, {signal} after {delay:?}: {}",
        net.log()
    );
    let open = stage.sim.open_uploads();
    // Killed between the service's answer and our record of it, an upload is known to nobody; the reservation ends by itself.
    let known = stage.state()["records"].as_array().is_some_and(|records| !records.is_empty());
    assert!(open.is_empty() || !known, "seed {seed}, {signal} after {delay:?}: {}", net.log());
    assert!(stage.sim.effective_starts() <= 1, "seed {seed}");
}

#[test]
#[cfg_attr(windows, ignore = "Windows has no signals to send")]
fn signals_at_random_moments_leave_nothing_behind() {
    let seeds = seeds();
    std::thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            scope.spawn(move || (0..seeds).filter(|seed| seed % AT_ONCE == lane).for_each(once));
        }
    });
    tell(&format!("seeds: {seeds}"));
}

/// True when the program went on after two signals at once, and ended without its report after one more 2 s later; `None` where the
/// machine was too slow to send them in time.
fn ends_at_once() -> Option<bool> {
    let stage = Stage::of(Sim::builder().scenario(Scenario::endless()));
    stage.sim.fault(Call::Stop, Fault::stall().skip(1).forever());
    let mut child =
        stage.spawn(&["run", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG]);
    stage.wait_until_followed();
    let first = Instant::now();
    send("INT", &child);
    // Shells forward one signal twice: this one does not count.
    send("INT", &child);
    let twice = first.elapsed() < Duration::from_secs(2);
    std::thread::sleep(Duration::from_millis(2100));
    if !twice || child.try_wait().unwrap().is_some() {
        child.wait().unwrap();
        return None;
    }
    send("INT", &child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    Some(stage.results()["unfinished"] == true)
}

#[test]
#[cfg_attr(windows, ignore = "Windows has no signals to send")]
fn a_second_signal_ends_the_program_at_once() {
    let ended = std::iter::repeat_with(ends_at_once).take(10).flatten().next();
    assert_eq!(ended, Some(true), "it ended without a report of its end");
}

/// Whatever the program waits for when the signal comes, and however deaf the service is from then on, it ends within 6 s.
#[test]
#[cfg_attr(windows, ignore = "Windows has no signals to send")]
fn a_signal_ends_the_program_in_time_whatever_is_silent() {
    let moments = [
        // The preflight, which takes a minute when nobody answers.
        (Call::ListJobs, Call::ListJobs, 0),
        (Call::Initiate, Call::Initiate, 0),
        (Call::PutSingle, Call::CancelUpload, 0),
        (Call::Complete, Call::CancelUpload, 0),
        (Call::StartRun, Call::ListJobs, 1),
        (Call::GetJob, Call::Stop, 1),
        (Call::GetRun, Call::Stop, 1),
    ];
    for (silent, way_out, skip) in moments {
        let stage = Stage::of(Sim::builder().scenario(Scenario::endless()));
        stage.sim.fault(silent, Fault::stall().forever());
        stage.sim.fault(way_out, Fault::stall().skip(skip).forever());
        let build = stage.apk(20_000);
        let child = stage.spawn(&[
            "run",
            "--build-path",
            build,
            "--test-id",
            DEFAULT_TEST,
            "--deployment-config-id",
            DEFAULT_DEPLOYMENT_CONFIG,
        ]);
        stage.wait_until(|sim| !sim.requests_to(silent).is_empty());
        let ended = stage.end_by("TERM", child);
        ended.is(143, "interrupted");
        let left = stage.results()["left_running"].to_string();
        for job in stage.sim.ledger().abandoned_jobs() {
            assert!(left.contains(&job.job_id), "{silent:?}: {left}");
        }
        if !stage.sim.open_uploads().is_empty() {
            ended.says("could not cancel the unfinished upload").says("by itself after");
        }
    }
}
