//! Start replies of every generation.

use serde_json::Value;

use super::json::{Fields, clip};

/// Most job ids of one start.
const MOST_JOBS: usize = 10_000;

/// Which objects are polled after a start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Jobs (`job_ids` in the reply).
    #[default]
    Jobs,
    /// Runs: the oldest API, whose reply has a run id and no `job_ids`.
    Runs,
}

/// What a start came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Started {
    /// What is polled from here on.
    pub(crate) generation: Generation,
    /// Job ids, unique, in the order of the reply. With [`Generation::Runs`] the id to stop by, when there is one.
    pub(crate) job_ids: Vec<String>,
    /// Run ids that the reply named.
    pub(crate) run_ids: Vec<String>,
    /// Build the service picked or confirms.
    pub(crate) build_id: Option<String>,
    /// Execution, when a plan was started.
    pub(crate) test_plan_execution_id: Option<String>,
    /// Test of a start in words.
    pub(crate) test_id: Option<String>,
    /// Devices that did not start: label and the server's words.
    pub(crate) failed_devices: Vec<(String, String)>,
    /// Devices that did start: label and their job ids.
    pub(crate) devices: Vec<(String, Vec<String>)>,
    /// Devices or copies that were asked for, as the service counts.
    pub(crate) requested: Option<u64>,
    /// How many of them started, as the service counts.
    pub(crate) started: Option<u64>,
    /// How many did not, as the service counts.
    pub(crate) failed: Option<u64>,
    /// True when the status or `ok` says that not all started.
    pub(crate) partly: bool,
}

impl Started {
    /// True when anything says that only a part of what was asked for was started; `asked` is the least number of runs.
    pub(crate) fn is_partial(&self, asked: u64) -> bool {
        let fewer = self.started.is_some_and(|started| started < self.requested.unwrap_or(0).max(asked));
        self.partly
            || fewer
            || !self.failed_devices.is_empty()
            || self.failed.is_some_and(|failed| failed > 0)
    }
}

/// Labelled devices: those that started with their jobs, and those that failed with the server's words.
type Devices = (Vec<(String, Vec<String>)>, Vec<(String, String)>);

/// A start reply; `None` when it names neither a job nor a run, so that nothing is known. A status other than 201 (or 200) means
/// that only a part was started, whatever the counts in the body say.
pub(super) fn started(status: u16, value: &Value) -> Option<Started> {
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
pub(super) fn none_started(value: &Value) -> bool {
    let body = Fields::of(value);
    let data = body.object(&["data"]);
    let count = |names: &[&str]| body.count(names).or_else(|| data.count(names));
    count(&["started_count", "successful_count"]) == Some(0) && started(500, value).is_none()
}

/// What a multi-device reply says of each device, under `results` or `device_runs`.
pub(super) fn devices(value: &Value) -> Devices {
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

/// How many tests each job of a start is, when `asked` instances of a test were asked for. `devices` has the device of each job,
/// where the start named one; `started` is how many runs the service counts.
///
/// The service makes one job of all instances, or one of each; on several devices it does so for each device.
pub(crate) fn instances_of(
    job_ids: &[String],
    devices: &[(String, String)],
    started: Option<u64>,
    asked: usize,
) -> Vec<usize> {
    let device = |job: &String| devices.iter().find(|(id, _)| id == job).map(|(_, device)| device);
    let all = started.and_then(|started| usize::try_from(started).ok()).unwrap_or(asked);
    let of_job = |job: &String| {
        let own = device(job);
        let beside: Vec<&String> = job_ids.iter().filter(|other| device(other) == own).collect();
        let (jobs, place) = (beside.len(), beside.iter().position(|other| *other == job).unwrap_or(0));
        share(if own.is_some() { asked } else { all.min(MOST_INSTANCES * jobs) }, jobs, place)
    };
    job_ids.iter().map(of_job).collect()
}

/// Instances that one job may have, by the documentation.
const MOST_INSTANCES: usize = 10;

/// The part of `whole` that falls on the job at `place` among `jobs`, at least 1.
fn share(whole: usize, jobs: usize, place: usize) -> usize {
    let jobs = jobs.max(1);
    (whole / jobs + usize::from(place < whole % jobs)).max(1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Generation, instances_of, none_started, started};

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

    #[test]
    fn every_job_knows_how_many_tests_it_is() {
        for (name, jobs, devices, started, asked, want) in [
            ("one", "a", "", None, 1, vec![1]),
            ("one job of three", "a", "", None, 3, vec![3]),
            ("a job for each", "a b c", "", None, 3, vec![1, 1, 1]),
            ("a plan", "a b c", "", None, 1, vec![1, 1, 1]),
            ("a plan on devices", "a b c d", "", Some(2), 1, vec![1, 1, 1, 1]),
            ("only two of three started", "a", "", Some(2), 3, vec![2]),
            ("uneven", "a b", "", None, 3, vec![2, 1]),
            ("devices", "a b", "x y", Some(6), 3, vec![3, 3]),
            ("devices, a job for each", "a b c", "x x y", Some(4), 2, vec![1, 1, 2]),
            ("nonsense", "a", "", Some(u64::MAX), 1, vec![10]),
        ] {
            let jobs: Vec<String> = jobs.split(' ').map(str::to_owned).collect();
            let devices: Vec<(String, String)> =
                jobs.iter().cloned().zip(devices.split_whitespace().map(str::to_owned)).collect();
            assert_eq!(instances_of(&jobs, &devices, started, asked), want, "{name}");
        }
    }
}
