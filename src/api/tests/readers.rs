//! No JSON at all may break a reader.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api::{bugs, builds, error_body, jobs, runs, start_reply};
use crate::model::Secrets;

/// Any JSON at all, with the names that matter in it.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("2026-03-03T15:50:23.6+00:00")),
        Just(json!("https://x.example/a?b=c")),
    ];
    let name = prop::sample::select(vec![
        "run",
        "data",
        "id",
        "job_id",
        "job_ids",
        "multiplayer_run_id",
        "players",
        "steps",
        "items",
        "result",
        "results",
        "run_result",
        "state",
        "status",
        "started_at",
        "completed_at",
        "duration_ms",
        "platform",
        "device",
        "config",
        "artifacts",
        "filename",
        "url",
        "bug_info",
        "bug_count",
        "bugs",
        "details",
        "error",
        "message",
        "device_label",
        "ok",
        "device_runs",
        "requested_count",
        "build_id",
        "upload_id",
        "upload_url",
        "part_size",
        "total_parts",
        "upload_urls",
        "part_number",
        "runs",
        "retries",
        "total",
        "stopped_by",
        "tags",
        "test",
        "name",
        "size",
    ]);
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::from(serde_json::Map::from_iter(map))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]
    #[test]
    fn no_json_breaks_a_reader(value in anything()) {
        let _ = (runs::run(&value), jobs::job(&value), bugs::bugs(&value), builds::build(&value));
        let _ = (start_reply::started(201, &value), error_body::problem(value.to_string().as_bytes(), &Secrets::default()));
    }
}
