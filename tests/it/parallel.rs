//! How many parts are on their way at the same time, as storage sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use nunu_sim::{Call, Fault, RequestRecord, Sim};

use crate::stage::Stage;

const PART: usize = 5 << 20;

/// A stage whose storage reads every part at `rate` bytes per second.
fn slow_connections(parts: u32, rate: u64) -> Stage {
    let stage = Stage::of(Sim::builder().part_size(PART as u64)).env("NUNU_MULTIPART", "always");
    for part in 1..=parts {
        stage.sim.fault(Call::PutPart(part), Fault::slow_request(rate));
    }
    stage
}

fn upload(stage: &Stage, parts: u32) -> Vec<RequestRecord> {
    let ended = stage.run(&["upload", "--build-path", stage.apk(PART * parts as usize - PART / 2)]);
    ended.is(0, "uploaded");
    let digest = stage.sim.build_digest(&ended.outputs["build-id"]);
    assert_eq!(digest.as_ref(), Some(&ended.outputs["build-sha256"]));
    puts(&stage.sim)
}

fn puts(sim: &Sim) -> Vec<RequestRecord> {
    let mut puts = sim.ledger().requests;
    puts.retain(|request| matches!(request.call, Call::PutPart(_)));
    puts
}

/// The most of these that were under way at once.
fn most(requests: &[RequestRecord]) -> i32 {
    let mut steps: Vec<(Duration, i32)> = Vec::new();
    for request in requests {
        steps.extend([(request.at, 1), (request.ended.unwrap(), -1)]);
    }
    steps.sort_unstable();
    let running = steps.iter().scan(0, |now, (_, step)| {
        *now += step;
        Some(*now)
    });
    running.max().unwrap_or(0)
}

#[test]
fn slow_connections_get_more_parts_at_a_time() {
    // At this rate the first four leave enough for a measurement, on any machine: it counts bytes, and the first step always follows.
    let stage = slow_connections(24, 8_000_000);
    let puts = upload(&stage, 24);
    assert!((5..=32).contains(&most(&puts)), "{}", most(&puts));
    let first_end = puts.iter().filter_map(|put| put.ended).min().unwrap();
    assert!(puts.iter().filter(|put| put.at < first_end).count() <= 4, "it begins with four");
    let mut asked_for = BTreeMap::new();
    for request in stage.sim.requests_to(Call::PartUrls) {
        *asked_for.entry(request.at).or_insert(0) += 1;
    }
    assert!((3..=8).contains(&asked_for.len()), "a few URLs at a time, as they are needed: {asked_for:?}");
}

#[test]
fn a_number_fixes_how_many_parts_are_sent_at_a_time() {
    let stage = slow_connections(8, 2_500_000).env("NUNU_PARALLEL", "6");
    assert_eq!(most(&upload(&stage, 8)), 6);
}

#[test]
fn storage_that_asks_to_slow_down_gets_half() {
    let stage = slow_connections(0, 0).env("NUNU_PARALLEL", "8");
    for part in 1..=8 {
        stage.sim.fault(Call::PutPart(part), Fault::slow_down());
    }
    let puts = upload(&stage, 16);
    assert_eq!(puts.len(), 16 + 8);
    // What begins after the last refusal.
    let (refused, rest): (Vec<_>, Vec<_>) = puts.into_iter().partition(|put| put.status == Some(503));
    let last = refused.iter().filter_map(|put| put.ended).max().unwrap();
    let later: Vec<_> = rest.into_iter().filter(|put| put.at > last).collect();
    assert!(most(&later) <= 4, "{}", most(&later));
}

#[test]
fn more_than_32_parts_at_a_time_are_refused() {
    let stage = Stage::new().env("NUNU_PARALLEL", "33");
    let ended = stage.run(&["upload", "--build-path", stage.apk(10_000)]);
    ended
        .is(2, "invalid-input")
        .says("\"33\" is not a whole number from 1 to 32, nor auto")
        .says("NUNU_PARALLEL");
    assert!(stage.sim.ledger().requests.is_empty());
}
