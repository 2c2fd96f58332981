//! Sentences of the contract that another stand-in of the service found wanting.

use std::time::Duration;

use nunu_sim::{Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_TEST, Fault};

use crate::stage::Stage;

/// While the service hangs before anything has begun, a signal ends the job in time, with a report.
#[test]
#[cfg_attr(windows, ignore = "Windows has no signals to send")]
fn a_signal_ends_a_hanging_check_of_the_key() {
    let target = ["--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];
    for command in ["run", "check", "start"] {
        let stage = Stage::new();
        stage.sim.fault(Call::ListJobs, Fault::delay(Duration::from_secs(20)));
        stage.sim.fault(Call::Stop, Fault::delay(Duration::from_secs(20)));
        let child = stage.spawn(&[&[command], target.as_slice()].concat());
        stage.wait_until(|sim| !sim.requests_to(Call::AnyApi).is_empty());
        let ended = stage.end_by("TERM", child);
        ended.is(143, "interrupted");
        assert_eq!(ended.outputs["status"], "cancelled", "{command}");
        // A check leaves no files.
        let status = if command == "check" { serde_json::Value::Null } else { "cancelled".into() };
        assert_eq!(stage.results()["status"], status, "{command}");
    }
}

/// A key in the wrong place would reach the state file and the service's records.
#[test]
fn the_key_in_another_setting_is_refused() {
    Stage::new()
        .env("NUNU_PROJECT_ID", DEFAULT_KEY)
        .quick(&[])
        .is(2, "invalid-input")
        .says("project-id (from NUNU_PROJECT_ID): holds the API key");
}
