//! What each endpoint is sent and what its answers become.

use serde_json::{Value, json};

use super::{Bench, KEY};
use crate::api::start_reply::Generation;
use crate::api::{BuildFilter, InitiateUpload, Proof, UploadHandle, UploadKind};
use crate::http::ETag;
use crate::http::testing::{answer, json};
use crate::model::secrets::SecretString;
use crate::model::{DeletionPolicy, Details, Permission, Platform, RunSpec, Target};

fn body(bench: &Bench) -> Value {
    serde_json::from_slice(&bench.server.seen().last().unwrap().body).unwrap()
}

fn ids(count: usize, from: usize) -> Vec<Value> {
    (from..from + count).map(|number| json!({"job_id": format!("j{number}"), "tags": ["a", "b"]})).collect()
}

fn handle(upload_id: Option<&str>) -> UploadHandle {
    UploadHandle {
        build_id: "b1".to_owned(),
        object_key: "k/a.apk".to_owned(),
        upload_id: upload_id.map(SecretString::from),
    }
}

fn plan(target: Target) -> RunSpec {
    RunSpec { label: "l".to_owned(), ..RunSpec::of(target) }
}

#[tokio::test]
async fn initiates_with_documented_fields_only() {
    let reply = r#"{"upload_type":"single-part","build_id":"b1","upload_url":"https://s.example/k?X-Amz-Signature=0123456789abcdef","object_key":"k"}"#;
    let bench = Bench::in_project([json(200, reply)], Some("p1")).await;
    let mut request = InitiateUpload {
        name: "Nightly".to_owned(),
        file_name: "a.apk".to_owned(),
        file_size: 7,
        platform: Platform::IosNative,
        description: None,
        multipart: None,
        auto_delete: false,
        deletion_policy: DeletionPolicy::Oldest,
        upload_timeout: 60,
        tags: vec![],
        details: Details::default(),
    };
    let open = bench.api.initiate_upload(&request).await.unwrap();
    assert!(matches!(open.kind, UploadKind::Single { .. }));
    assert_eq!(bench.asked(), ["POST /api/v1/project/p1/builds/upload"]);
    let bare = json!({"project_id": "p1", "name": "Nightly", "file_name": "a.apk", "file_size": 7, "platform": "ios-native", "upload_timeout": 60});
    assert_eq!(body(&bench), bare);

    request.description = Some("d".to_owned());
    request.multipart = Some(true);
    request.auto_delete = true;
    request.tags = vec!["t".to_owned()];
    request.details.ci =
        Some(crate::model::details::Ci { system: Some("jenkins".to_owned()), ..Default::default() });
    bench.api.initiate_upload(&request).await.unwrap();
    let mut full = bare;
    full.as_object_mut().unwrap().extend(
        json!({"description": "d", "multipart": true, "auto_delete": true, "deletion_policy": "oldest", "tags": ["t"],
            "details": {"ci": {"system": "jenkins"}}})
        .as_object()
        .unwrap()
        .clone(),
    );
    assert_eq!(body(&bench), full);
}

#[tokio::test]
async fn part_urls_are_asked_for_without_the_key() {
    let reply = r#"{"upload_urls":[{"part_number":2,"url":"https://s.example/2"},{"part_number":1,"url":"https://s.example/1"}]}"#;
    let bench = Bench::new([json(200, reply)]).await;
    let urls = bench.api.part_urls(&handle(Some("u/1")), &[1, 2]).await.unwrap();
    assert_eq!(urls.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
    let seen = bench.server.seen().remove(0);
    assert_eq!(
        seen.line(),
        "GET /api/v1/builds/upload/parts?upload_id=u%2F1&object_key=k%2Fa.apk&part_numbers=1%2C2"
    );
    assert_eq!(seen.header("x-api-key"), None);
    assert!(!seen.head.contains(KEY));
}

#[tokio::test]
async fn completes_in_order_and_knows_a_lost_upload() {
    let gone = json(404, r#"{"error":"Upload not found","code":"UPLOAD_NOT_FOUND"}"#);
    let bench =
        Bench::new([json(200, r#"{"status":"success"}"#), answer(200, "", ""), gone, json(500, "{}")]).await;
    bench.api.complete_upload(&handle(None), &[]).await.unwrap();
    assert_eq!(body(&bench), json!({"build_id": "b1"}));
    let parts = [(2, ETag::parse("\"e2\"").unwrap()), (1, ETag::parse("e1").unwrap())];
    bench.api.complete_upload(&handle(Some("u1")), &parts).await.unwrap();
    assert_eq!(
        body(&bench),
        json!({"build_id": "b1", "upload_id": "u1", "object_key": "k/a.apk",
            "parts": [{"part_number": 1, "etag": "e1"}, {"part_number": 2, "etag": "e2"}]})
    );
    let error = bench.api.complete_upload(&handle(None), &[]).await.unwrap_err();
    assert!(error.is_upload_gone() && !error.is_unclear());
    let error = bench.api.complete_upload(&handle(None), &[]).await.unwrap_err();
    assert!(error.is_unclear() && bench.asked().len() == 4);
}

#[tokio::test]
async fn cancelling_what_is_gone_is_fine() {
    let bench =
        Bench::new([json(404, r#"{"error":"Upload not found"}"#), json(403, r#"{"error":"no"}"#)]).await;
    bench.api.cancel_upload(&handle(Some("u1"))).await.unwrap();
    assert_eq!(bench.asked(), ["DELETE /api/v1/builds/upload?build_id=b1&object_key=k%2Fa.apk&upload_id=u1"]);
    assert!(bench.api.cancel_upload(&handle(None)).await.unwrap_err().is_auth());
}

#[tokio::test]
async fn reads_all_pages() {
    let page = |page: usize, items: Vec<Value>| {
        json(200, &json!({"data": items, "pagination": {"page": page, "page_size": 100, "total_count": 150, "total_pages": 2}}).to_string())
    };
    let bench = Bench::new([page(0, ids(100, 0)), page(1, ids(50, 100))]).await;
    let jobs = bench.api.jobs_by_tag("a").await.unwrap();
    assert_eq!((jobs.len(), jobs[149].job_id.as_str()), (150, "j149"));
    assert_eq!(
        bench.asked(),
        ["GET /api/v1/jobs?tags=a&page=0&page_size=100", "GET /api/v1/jobs?tags=a&page=1&page_size=100"]
    );
}

#[tokio::test]
async fn a_service_that_repeats_its_first_page_does_not_fool_us() {
    let page = json(200, &json!({"data": ids(100, 0), "pagination": {"total_pages": 1_000_000}}).to_string());
    let bench = Bench::new([page]).await;
    assert_eq!(bench.api.jobs_by_tag("a").await.unwrap().len(), 100);
    assert_eq!(bench.asked().len(), 2);
}

#[tokio::test]
async fn tags_are_compared_on_our_side_too() {
    let items = json!({"data": [{"job_id": "mine", "tags": ["a", "x,y"]}, {"job_id": "other", "tags": ["a"]}, {"job_id": "old"}]});
    let bench = Bench::new([json(200, &items.to_string())]).await;
    let jobs = bench.api.jobs_by_tag("x,y").await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.job_id.as_str()).collect::<Vec<_>>(), ["mine"]);
    assert_eq!(bench.asked(), ["GET /api/v1/jobs?page=0&page_size=100"]);

    let items = json!({"data": [{"multiplayer_run_id": "r1", "tags": ["a"], "project_id": "p"}, {"multiplayer_run_id": "r2", "tags": []}]});
    let bench = Bench::new([json(404, "{}"), json(200, &items.to_string())]).await;
    let runs = bench.api.jobs_by_tag("a").await.unwrap();
    assert_eq!(
        runs.iter().map(|run| run.job_id.as_str()).collect::<Vec<_>>(),
        ["r1"],
        "runs where there are no jobs"
    );
    assert_eq!(runs[0].run_id.as_deref(), Some("r1"));
    assert!(runs[0].attempts[0].url.as_ref().unwrap().ends_with("/nexus/p/runs/m/r1/details"));
}

#[tokio::test]
async fn lists_builds_newest_first_and_fitting() {
    let items = json!({"data": [
        {"id": "old", "platform": "android", "status": "OK", "tags": ["t"], "created_at": "2026-01-01T00:00:00Z"},
        {"id": "new", "platform": "ANDROID", "status": "ready", "tags": ["t"], "created_at": "2026-02-01T00:00:00Z"},
        {"id": "windows", "platform": "windows", "tags": ["t"]}]});
    let bench = Bench::new([json(200, &items.to_string())]).await;
    let filter = BuildFilter {
        platform: Some(Platform::Android),
        tags: vec!["t".to_owned()],
        ..BuildFilter::default()
    };
    let builds = bench.api.list_builds(&filter).await.unwrap();
    assert_eq!(builds.iter().map(|build| build.id.as_str()).collect::<Vec<_>>(), ["new", "old"]);
    assert!(builds.iter().all(|build| build.readiness() == crate::api::BuildReadiness::Ready));
}

#[tokio::test]
async fn starts_plans_on_their_own_route() {
    let bench = Bench::new([json(201, r#"{"job_ids":["j1"],"test_plan_execution_id":"e1"}"#)]).await;
    let spec = plan(Target::Plan("p 1".to_owned()));
    let started = bench
        .api
        .start(&spec, &crate::api::start_body(&spec, &crate::model::given::GivenBuilds::default(), &[]))
        .await
        .unwrap();
    assert_eq!(
        (started.generation, started.test_plan_execution_id.as_deref()),
        (Generation::Jobs, Some("e1"))
    );
    assert_eq!(bench.asked(), ["POST /api/v1/test-plans/p%201/runs"]);
}

#[tokio::test]
async fn a_partial_start_is_a_start_and_a_failed_one_names_its_devices() {
    let results = r#"[{"device_label":"Pixel 8","ok":true,"status":201},{"device_label":"iPhone 15","ok":false,"status":400,"error":"busy"}]"#;
    let some = format!(
        r#"{{"ok":false,"job_ids":["j1"],"requested_count":2,"started_count":1,"results":{results}}}"#
    );
    for status in [207, 500] {
        let bench = Bench::new([json(status, &some)]).await;
        let started = bench.api.start(&plan(Target::Test("t".to_owned())), &json!({})).await.unwrap();
        assert!(
            started.is_partial(1) && started.failed_devices == [("iPhone 15".to_owned(), "busy".to_owned())]
        );
    }
    let none = r#"{"ok":false,"job_ids":[],"requested_count":1,"started_count":0,"results":[{"device_label":"iPhone 15","ok":false,"status":400,"error":"busy"}]}"#;
    let bench = Bench::new([json(500, none)]).await;
    let error = bench.api.start(&plan(Target::Test("t".to_owned())), &json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "POST /runs answered 500: iPhone 15: busy");
}

#[tokio::test]
async fn stops_in_batches_and_takes_a_404_as_done() {
    let jobs: Vec<String> = (0..150).map(|number| format!("j{number}")).collect();
    let bench = Bench::new([json(200, r#"{"ok":true}"#), json(404, r#"{"error":"no jobs found"}"#)]).await;
    let reply = bench.api.stop(&jobs).await.unwrap();
    let (stopped, done) = (reply.stopped.len(), reply.unknown.len());
    // The batches travel side by side, so either may meet the 404.
    assert!(stopped + done == 150 && stopped > 0 && done > 0 && reply.failed.is_empty(), "{stopped} {done}");
    assert_eq!(bench.api.stop(&[]).await.unwrap().stopped.len(), 0);
    assert_eq!(bench.asked().len(), 2);
}

#[tokio::test]
async fn proves_permissions_without_any_effect() {
    let missing = r#"{"error":"API key missing required permission: project:operate-runs"}"#;
    for (permission, act, asked, want) in [
        (
            Permission::OperateRuns,
            json(404, r#"{"error":"no jobs found"}"#),
            "POST /api/v1/runs/stop",
            "proved",
        ),
        (Permission::OperateRuns, json(200, "{}"), "POST /api/v1/runs/stop", "proved"),
        (Permission::OperateRuns, json(207, "{}"), "POST /api/v1/runs/stop", "proved"),
        (Permission::OperateRuns, json(403, missing), "POST /api/v1/runs/stop", "missing"),
        (Permission::OperateRuns, json(400, "{}"), "POST /api/v1/runs/stop", "unknown"),
        (Permission::OperateRuns, answer(404, "", "<html>nginx</html>"), "POST /api/v1/runs/stop", "unknown"),
        (Permission::ReadRuns, json(200, r#"{"data":[]}"#), "GET /api/v1/jobs?page=0&page_size=1", "proved"),
        (Permission::ManageBuildStorage, json(200, "{}"), "GET /api/v1/builds?page=0&page_size=1", "proved"),
        (Permission::ManageBuildStorage, json(404, "{}"), "GET /api/v1/builds?page=0&page_size=1", "unknown"),
        (
            Permission::ViewConfigs,
            json(403, missing),
            "GET /api/v1/deployment-configs?page=0&page_size=1",
            "missing",
        ),
    ] {
        let bench = Bench::new([act]).await;
        let proof = bench.api.once().prove(permission).await.unwrap();
        let word = match proof {
            Proof::Proved => "proved",
            Proof::Missing(_) => "missing",
            Proof::Unknown(_) => "unknown",
        };
        assert_eq!((word, bench.asked()[0].as_str()), (want, asked), "{permission}");
    }
}

#[tokio::test]
async fn a_service_without_jobs_is_asked_for_runs() {
    let bench = Bench::new([json(404, r#"{"error":"not found"}"#), json(200, r#"{"data":[]}"#)]).await;
    assert_eq!(bench.api.prove(Permission::ReadRuns).await.unwrap(), Proof::Proved);
    assert_eq!(bench.asked()[1], "GET /api/v1/runs?page=0&page_size=1");
}

#[tokio::test]
async fn a_refused_key_ends_the_preflight() {
    for (status, words) in [
        (401, "Invalid API key"),
        (401, "API key required"),
        (403, "API key expired"),
        (403, "API key is disabled"),
    ] {
        let bench = Bench::new([json(status, &format!("{{\"error\":\"{words}\"}}"))]).await;
        let error = bench.api.prove_all(&[Permission::ReadRuns, Permission::OperateRuns]).await.unwrap_err();
        assert_eq!(error.words.as_deref(), Some(words));
    }
}

#[tokio::test]
async fn a_hundred_names_and_more_are_listed() {
    let bench =
        Bench::new([json(200, r#"{"data":[{"id":"d1","name":"Pixel","provider_type":"build-storage"}]}"#)])
            .await;
    let configs = bench.api.deployment_configs().await.unwrap();
    assert_eq!((configs[0].name.as_str(), configs[0].takes_builds), ("Pixel", Some(true)));
    bench.api.agent_configs().await.unwrap();
    bench.api.tests().await.unwrap();
    bench.api.test_plans().await.unwrap();
    let paths: Vec<String> =
        bench.asked().iter().map(|line| line.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(
        paths,
        [
            "GET /api/v1/deployment-configs",
            "GET /api/v1/agent-configs",
            "GET /api/v1/tests",
            "GET /api/v1/test-plans"
        ]
    );
}
