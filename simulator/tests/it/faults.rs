//! What breaks, and what must have happened nevertheless.

use std::io;
use std::time::{Duration, Instant};

use nunu_sim::{Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_TEST, Fault, Host, Sim};
use serde_json::{Value, json};

use crate::client::{Answer, try_api};

fn start(sim: &Sim) -> io::Result<Answer> {
    let body =
        json!({ "multiplayer_test_id": DEFAULT_TEST, "deployment_config_id": DEFAULT_DEPLOYMENT_CONFIG });
    try_api(sim, DEFAULT_KEY, "POST", "runs", &body)
}

fn jobs(sim: &Sim) -> io::Result<Answer> {
    try_api(sim, DEFAULT_KEY, "GET", "jobs", &Value::Null)
}

#[test]
fn a_start_takes_effect_or_not_as_told() {
    let sim = Sim::start().unwrap();
    let table: Vec<(Fault, bool)> = vec![
        (Fault::drop_before(), false),
        (Fault::drop_after(), true),
        (Fault::status(500), false),
        (Fault::html_502().after_effect(), true),
        (Fault::cut_request(3), false),
        (Fault::cut_response(4), true),
        (Fault::too_many(Some(1)), false),
        (Fault::refuse(Duration::from_millis(40)), false),
    ];
    let mut expected = 0;
    for (fault, effective) in table {
        let name = format!("{fault:?}");
        sim.fault(Call::AnyStart, fault);
        let answer = start(&sim);
        assert!(answer.is_err() || answer.is_ok_and(|a| a.status >= 400), "{name}");
        expected += usize::from(effective);
        assert_eq!(sim.effective_starts(), expected, "{name}");
        assert!(sim.wait_until(Duration::from_mins(1), |s| jobs(s).is_ok()), "{name}");
    }
    assert_eq!(start(&sim).unwrap().status, 201);
}

#[test]
fn a_closed_host_refuses_and_comes_back() {
    let sim = Sim::start().unwrap();
    sim.refuse(Host::Api);
    assert!(sim.wait_until(Duration::from_mins(1), |s| {
        jobs(s).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
    }));
    sim.reopen(Host::Api).unwrap();
    assert_eq!(jobs(&sim).unwrap().status, 200);
    sim.reset_connections(Host::Api, 1);
    assert!(jobs(&sim).is_err());
    assert_eq!(jobs(&sim).unwrap().status, 200);
}

#[test]
fn replies_can_be_slow_hostile_and_indiscreet() {
    let sim = Sim::start().unwrap();
    sim.fault(Call::ListJobs, Fault::delay(Duration::from_millis(60)));
    let begin = Instant::now();
    assert_eq!(jobs(&sim).unwrap().status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(60));
    sim.fault(Call::ListJobs, Fault::echo_key(500));
    assert!(jobs(&sim).unwrap().text().contains(DEFAULT_KEY));
    sim.fault(Call::ListJobs, Fault::deep_json(5000));
    assert!(jobs(&sim).unwrap().text().contains("[[[["));
    sim.fault(Call::ListJobs, Fault::huge_body(30 << 20));
    assert!(jobs(&sim).unwrap().body.len() >= 30 << 20);
    sim.fault(Call::ListJobs, Fault::too_many(None).retry_after_date(Duration::from_secs(5)));
    assert!(jobs(&sim).unwrap().header("retry-after").unwrap().ends_with("GMT"));
    assert_eq!(sim.ledger().requests.iter().filter(|r| r.fault.is_some()).count(), 5);
    sim.fault(Call::ListJobs, Fault::stall().forever());
    let error = jobs(&sim).unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
    sim.clear_faults();
    assert_eq!(jobs(&sim).unwrap().status, 200);
}

#[test]
fn many_stand_side_by_side() {
    let sims: Vec<Sim> = (0..20).map(|_| Sim::start().unwrap()).collect();
    assert!(sims.iter().all(|sim| jobs(sim).unwrap().status == 200));
}

#[test]
fn a_request_can_stall_on_its_way() {
    let sim = Sim::start().unwrap();
    sim.fault(Call::StartRun, Fault::stall_request(4));
    assert!(start(&sim).is_err());
    sim.fault(Call::StartRun, Fault::slow_request(2000));
    let begin = Instant::now();
    assert_eq!(start(&sim).unwrap().status, 201);
    assert!(begin.elapsed() > Duration::from_millis(40), "{:?}", begin.elapsed());
    assert_eq!(sim.effective_starts(), 1);
}

#[test]
fn faults_wait_for_their_turn() {
    let sim = Sim::builder().fault(Call::AnyPoll, Fault::status(503).skip(1).times(2)).start().unwrap();
    let seen: Vec<u16> = (0..4).map(|_| jobs(&sim).unwrap().status).collect();
    assert_eq!(seen, [200, 503, 503, 200]);
    assert_eq!(sim.requests_to(Call::ListJobs)[1].fault.as_deref(), Some("status 503"));
}
