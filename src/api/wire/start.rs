//! Start replies of every generation.

use serde_json::Value;

use super::super::start::{Generation, Started};
use super::field::{Fields, clip};

/// Most job ids of one start.
const MOST_JOBS: usize = 10_000;

/// Labelled devices: those that started with their jobs, and those that failed with the server's words.
type Devices = (Vec<(String, Vec<String>)>, Vec<(String, String)>);

/// A start reply; `None` when it names neither a job nor a run, so that nothing is known. A status other than 201 (or 200) means
/// that only a part was started, whatever the counts in the body say.
pub(in crate::api) fn started(status: u16, value: &Value) -> Option<Started> {
    let body = Fields::of(value);
    let data = body.object(&["data"]);
    let (devices, failed_devices) = devices(value);
    let text = |names: &[&str]| data.text(names).or_else(|| body.text(names));

    let mut job_ids = data.texts(&["job_ids"]);
    job_ids.extend(body.texts(&["job_ids"]));
    job_ids.extend(devices.iter().flat_map(|(_, jobs)| jobs.iter().cloned()));
    unique(&mut job_ids);
    let mut run_ids = data.texts(&["multiplayer_run_ids", "run_ids"]);
    run_ids.extend(body.texts(&["multiplayer_run_ids", "run_ids"]));
    run_ids.extend(text(&["multiplayer_run_id", "run_id"]));
    unique(&mut run_ids);

    let generation =
        if job_ids.is_empty() && !run_ids.is_empty() { Generation::Runs } else { Generation::Jobs };
    if generation == Generation::Jobs {
        // A run named beside a list of jobs is the first of one of them; polled instead, it would hide the other jobs.
        run_ids.clear();
    }
    if job_ids.is_empty() {
        job_ids.extend(text(&["job_id"]));
    }
    if job_ids.is_empty() && run_ids.is_empty() {
        return None;
    }
    let count = |names: &[&str]| body.count(names).or_else(|| data.count(names));
    let denied = body.flag(&["ok"]).or_else(|| data.flag(&["ok"])) == Some(false);
    let partly = status == 207 || status >= 300 || denied;
    Some(Started {
        generation,
        job_ids,
        run_ids,
        build_id: text(&["build_id"]),
        test_plan_execution_id: text(&["test_plan_execution_id"]),
        test_id: text(&["test_id", "multiplayer_test_id"]),
        failed_devices,
        devices,
        requested: count(&["requested_count"]),
        started: count(&["started_count", "successful_count"]),
        failed: count(&["failed_count"]),
        partly,
    })
}

/// True for a reply that says that nothing at all was started, whatever its status.
pub(in crate::api) fn none_started(value: &Value) -> bool {
    let body = Fields::of(value);
    let data = body.object(&["data"]);
    let count = |names: &[&str]| body.count(names).or_else(|| data.count(names));
    count(&["started_count", "successful_count"]) == Some(0) && started(500, value).is_none()
}

/// What a multi-device reply says of each device, under `results` or `device_runs`.
pub(in crate::api) fn devices(value: &Value) -> Devices {
    let body = Fields::of(value);
    let names = ["results", "device_runs"];
    let items = match body.list(&names) {
        [] => body.object(&["data"]).list(&names),
        items => items,
    };
    let (mut started, mut failed) = (Vec::new(), Vec::new());
    for (number, item) in items.iter().take(MOST_JOBS).enumerate() {
        let fields = Fields::of(item);
        let label = fields
            .text(&["device_label", "label", "device", "name"])
            .map_or_else(|| format!("device {}", number + 1), |label| clip(&label, 200));
        let data = fields.object(&["data"]);
        let mut jobs = data.texts(&["job_ids"]);
        jobs.extend(fields.texts(&["job_ids"]));
        jobs.extend(data.text(&["job_id"]).or_else(|| fields.text(&["job_id"])));
        unique(&mut jobs);
        let status = fields.count(&["status"]);
        let ok = fields.flag(&["ok", "success"]).unwrap_or_else(|| status.is_none_or(|status| status < 400));
        if ok {
            started.push((label, jobs));
        } else {
            let words = fields.text(&["error", "message"]);
            failed
                .push((label, words.map_or_else(|| "no reason given".to_owned(), |words| clip(&words, 500))));
        }
    }
    (started, failed)
}

/// Drops repetitions, in order.
fn unique(ids: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids.truncate(MOST_JOBS);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Generation, none_started, started};

    #[test]
    fn reads_every_generation() {
        for (name, value, generation, jobs, runs) in [
            (
                "v1",
                json!({"ok": true, "status": 201, "message": "queued", "data": {"job_id": "j1", "multiplayer_run_id": "r1"}}),
                Generation::Runs,
                vec!["j1"],
                vec!["r1"],
            ),
            (
                "v1 without data",
                json!({"ok": true, "multiplayer_run_id": "r1"}),
                Generation::Runs,
                vec![],
                vec!["r1"],
            ),
            (
                "v2",
                json!({"ok": true, "status": 200, "message": "successfully queued test!", "data": {"message": "m", "build_id": "b", "job_ids": ["j1"]}}),
                Generation::Jobs,
                vec!["j1"],
                vec![],
            ),
            (
                "v3",
                json!({"message": "m", "build_id": null, "job_ids": ["j1", "j2", "j1"]}),
                Generation::Jobs,
                vec!["j1", "j2"],
                vec![],
            ),
            ("v3 in words", json!({"test_id": "t", "job_ids": ["j1"]}), Generation::Jobs, vec!["j1"], vec![]),
            (
                "plan",
                json!({"job_ids": ["j1"], "test_plan_execution_id": "e", "slot_build_ids": {"2": "b"}}),
                Generation::Jobs,
                vec!["j1"],
                vec![],
            ),
            ("a job alone", json!({"data": {"job_id": "j1"}}), Generation::Jobs, vec!["j1"], vec![]),
            (
                "both",
                json!({"job_ids": ["j1"], "multiplayer_run_id": "r1"}),
                Generation::Jobs,
                vec!["j1"],
                vec![],
            ),
        ] {
            let started = started(201, &value).unwrap();
            assert_eq!(
                (started.generation, started.job_ids.clone(), started.run_ids.clone()),
                (
                    generation,
                    jobs.into_iter().map(str::to_owned).collect(),
                    runs.into_iter().map(str::to_owned).collect::<Vec<_>>()
                ),
                "{name}"
            );
            assert!(!started.is_partial(1), "{name}");
        }
    }

    #[test]
    fn a_reply_without_ids_is_no_start() {
        for value in [
            json!({}),
            json!({"ok": true, "job_ids": []}),
            json!({"job_ids": null}),
            json!("queued"),
            Value::Null,
        ] {
            assert_eq!(started(201, &value), None, "{value}");
        }
    }

    #[test]
    fn reads_devices_that_started_and_devices_that_did_not() {
        for list in ["results", "device_runs"] {
            let value = json!({"ok": false, "job_ids": ["j1"], "requested_count": 2, "started_count": 1, "successful_count": 1, "failed_count": 1,
                list: [{"device_label": "Pixel 8", "ok": true, "status": 201, "message": "m", "data": {"job_ids": ["j1", "j2"]}},
                       {"device_label": "iPhone 15", "ok": false, "status": 400, "message": "m", "error": "no such device"}]});
            let started = started(201, &value).unwrap();
            assert_eq!(started.job_ids, ["j1", "j2"]);
            assert_eq!(started.devices, [("Pixel 8".to_owned(), vec!["j1".to_owned(), "j2".to_owned()])]);
            assert_eq!(started.failed_devices, [("iPhone 15".to_owned(), "no such device".to_owned())]);
            assert_eq!((started.requested, started.started), (Some(2), Some(1)));
            assert!(started.is_partial(1));
        }
    }

    #[test]
    fn any_sign_of_a_part_is_believed() {
        for (name, status, value, asked, partial) in [
            ("all", 201, json!({"job_ids": ["j1"]}), 1, false),
            ("the status alone", 207, json!({"ok": true, "job_ids": ["j1"]}), 1, true),
            ("a failure alone", 207, json!({"job_ids": ["j1"], "failed_count": 1}), 1, true),
            ("a failure in a 201", 201, json!({"job_ids": ["j1"], "failed_count": 1}), 1, true),
            ("no failure", 201, json!({"job_ids": ["j1"], "failed_count": 0}), 1, false),
            (
                "fewer than requested",
                201,
                json!({"job_ids": ["j1"], "requested_count": 2, "started_count": 1}),
                1,
                true,
            ),
            (
                "fewer than asked",
                201,
                json!({"job_ids": ["j1"], "requested_count": 1, "started_count": 1}),
                3,
                true,
            ),
            ("fewer without requested", 201, json!({"job_ids": ["j1"], "successful_count": 2}), 3, true),
            (
                "as many as asked",
                201,
                json!({"job_ids": ["j1"], "requested_count": 3, "started_count": 3}),
                3,
                false,
            ),
            ("one job for three instances", 201, json!({"job_ids": ["j1"]}), 3, false),
            ("jobs in an error", 500, json!({"job_ids": ["j1"], "started_count": 1}), 1, true),
            ("not well", 200, json!({"ok": false, "data": {"job_ids": ["j1"]}}), 1, true),
        ] {
            assert_eq!(started(status, &value).unwrap().is_partial(asked), partial, "{name}");
        }
    }

    #[test]
    fn a_refusal_of_every_device_is_told_from_silence() {
        for (value, none) in [
            (json!({"ok": false, "started_count": 0, "requested_count": 2}), true),
            (json!({"data": {"successful_count": 0}}), true),
            (json!({"started_count": 0, "job_ids": []}), true),
            (json!({"started_count": 0, "job_ids": ["j1"]}), false),
            (json!({"started_count": null}), false),
            (json!({"error": "internal"}), false),
        ] {
            assert_eq!(none_started(&value), none, "{value}");
        }
    }
}
