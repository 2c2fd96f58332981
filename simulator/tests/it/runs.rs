//! Starting, following and stopping, in every generation.

use std::time::Duration;

use nunu_sim::{
    Artifact, Bug, Call, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_KEY, DEFAULT_PLAN, DEFAULT_TEST,
    DeploymentConfig, Device, Generation, Key, MULTI_DEVICE_CONFIG, ORG_KEY, Quirk, Scenario, Script, Sim,
};
use serde_json::{Value, json};

use crate::client::{Answer, api, api_as, send};

const SOON: Duration = Duration::from_mins(1);

fn start(sim: &Sim, extra: &Value) -> Answer {
    let mut body = json!({ "multiplayer_test_id": DEFAULT_TEST,
        "deployment_config_id": DEFAULT_DEPLOYMENT_CONFIG, "additional_tags": ["ci-1"] });
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    api(sim, "POST", "runs", &body)
}

fn get(sim: &Sim, path: &str) -> Value {
    let answer = api(sim, "GET", path, &Value::Null);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn over(sim: &Sim) -> bool {
    sim.wait_until(SOON, |s| s.unfinished_jobs().is_empty())
}

#[test]
fn every_run_has_a_page_for_a_browser() {
    let bug = Bug::new("Sword <b>floats</b>", "high", "high");
    let sim = Sim::builder().scenario(Scenario::of(Script::new("SUCCESS").bugs(vec![bug]))).start().unwrap();
    start(&sim, &json!({}));
    assert!(over(&sim));
    let run = get(&sim, "runs")["data"][0].clone();
    let run_id = run["multiplayer_run_id"].as_str().unwrap();
    let player = run["players"][0]["id"].as_str().unwrap();
    for address in [format!("p/runs/m/{run_id}/details"), format!("p/runs/c/{player}")] {
        let page = send("GET", &format!("{}/nexus/{address}", sim.api_url()), &[], b"").unwrap();
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        for words in ["Smoke test: SUCCESS", "<li>", "high: Sword &lt;b&gt;floats"] {
            assert!(page.text().contains(words), "no {words} in {}", page.text());
        }
    }
    let none = send("GET", &format!("{}/nexus/p/runs/m/none/details", sim.api_url()), &[], b"").unwrap();
    assert_eq!(none.status, 404);
}

#[test]
fn follows_a_job_to_its_end() {
    let sim = Sim::start().unwrap();
    let answer = start(&sim, &json!({}));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["job_ids"][0].as_str().unwrap().to_owned();
    assert_eq!(get(&sim, &format!("jobs/{id}"))["runs"], json!([]));
    assert!(over(&sim));
    let job = get(&sim, &format!("jobs/{id}"));
    assert_eq!((&job["status"], &job["runs"][0]["result"]), (&json!("COMPLETED"), &json!("SUCCESS")));
    let run = get(&sim, &format!("runs/{}", job["runs"][0]["multiplayer_run_id"].as_str().unwrap()));
    let player = &run["players"][0];
    assert_eq!(player["step_result_summary"], json!({ "SUCCESS": 4 }));
    assert_eq!((&player["player_number"], player["steps"].as_array().unwrap().len()), (&json!(1), 4));
    assert_eq!(get(&sim, "jobs?tags=ci-1,api")["data"], json!([]));
    assert_eq!(get(&sim, "jobs?tags=ci-1&page_size=1")["pagination"]["total_count"], 1);
    assert_eq!(sim.ledger().starts[0].tags, ["ci-1"]);
    assert_eq!(sim.requests_to(Call::GetJob).len(), 2);
}

#[test]
fn answers_a_start_as_its_generation_does() {
    let reply = |generation| {
        let sim = Sim::builder().generation(generation).start().unwrap();
        let answer = start(&sim, &json!({}));
        (answer.status, answer.json(), api(&sim, "GET", "jobs", &Value::Null).status)
    };
    let (status, body, jobs) = reply(Generation::V1);
    assert_eq!((status, &body["message"], jobs), (201, &json!("queued"), 404));
    assert!(body["data"]["job_id"].is_string() && body["data"]["multiplayer_run_id"].is_string(), "{body}");
    let (status, body, jobs) = reply(Generation::V2);
    assert_eq!((status, &body["ok"], jobs), (200, &json!(true), 200));
    assert!(body["data"]["job_ids"][0].is_string(), "{body}");
    let (status, body, _) = reply(Generation::V3);
    assert!(status == 201 && body["job_ids"][0].is_string() && body.get("data").is_none(), "{body}");
}

#[test]
fn speaks_the_words_of_the_oldest_generation() {
    let bugs = vec![Bug::new("b", "high", "low")];
    let scenario = Scenario::of(Script::new("FAILED").bugs(bugs));
    let sim = Sim::builder().generation(Generation::V1).scenario(scenario).start().unwrap();
    let id = start(&sim, &json!({})).json()["data"]["multiplayer_run_id"].as_str().unwrap().to_owned();
    assert_eq!(get(&sim, &format!("runs/{id}"))["state"], "initializing");
    assert!(over(&sim));
    let run = get(&sim, &format!("runs/{id}"));
    assert_eq!((&run["state"], &run["result"]), (&json!("completed"), &json!("failure")));
    assert_eq!(run["players"][0]["player_number"], 0);
    assert!(run.get("job_id").is_none());
    assert_eq!(get(&sim, &format!("runs/{id}/bugs"))["bug_occurrences"][0]["severity"], "high");
    let missing =
        api(&sim, "POST", "runs", &json!({ "multiplayer_test_id": "x", "deployment_config_id": "y" }));
    assert_eq!((missing.status, &missing.json()["ok"]), (404, &json!(false)));
}

#[test]
fn stops_what_runs_and_says_what_was_over() {
    let scenario = Scenario::of(Script::endless()).nth(0, Script::new("SUCCESS"));
    let sim = Sim::builder().scenario(scenario).start().unwrap();
    let first = start(&sim, &json!({})).json()["job_ids"][0].clone();
    assert!(over(&sim));
    let second = start(&sim, &json!({})).json()["job_ids"][0].clone();
    let answer = api(&sim, "POST", "runs/stop", &json!({ "job_ids": [first, second] }));
    assert_eq!(answer.status, 207);
    let body = answer.json();
    assert_eq!(body["message"], "Stopped 1/2 job(s)");
    assert_eq!(
        body["results"][0],
        json!({ "job_id": first, "ok": false, "status": 500, "error": "Job already completed" })
    );
    assert!(sim.ledger().abandoned_jobs().is_empty());
    assert!(over(&sim));
    let record = &sim.ledger().jobs[1];
    assert_eq!((record.status.as_str(), record.stopped_by.as_deref()), ("COMPLETED", Some("api")));
    let nobody =
        api(&sim, "POST", "runs/stop", &json!({ "job_ids": ["2f8d0f3e-2c59-4f7e-a2f5-5a1f5a0a7a11"] }));
    assert_eq!(
        (nobody.status, nobody.json()),
        (404, json!({ "error": "no jobs found in your project matching the provided IDs" }))
    );
}

#[test]
fn runs_a_plan_and_shows_retries_rejections_and_bugs() {
    let scenario = Scenario::of(Script::new("SUCCESS"))
        .nth(0, Script::attempts(&["ERROR", "SUCCESS"]).scrambled())
        .nth(1, Script::rejected("no device"))
        .nth(2, Script::new("SUCCESS").bugs(vec![Bug::new("b", "critical", "high")]));
    let sim = Sim::builder().scenario(scenario).start().unwrap();
    let body = json!({ "deployment_config_id": DEFAULT_DEPLOYMENT_CONFIG });
    let started = api(&sim, "POST", &format!("test-plans/{DEFAULT_PLAN}/runs"), &body).json();
    let execution = started["test_plan_execution_id"].as_str().unwrap();
    assert!(over(&sim));
    let jobs = get(&sim, &format!("jobs?test_plan_execution_id={execution}&status=completed"));
    let [third, second, first] = jobs["data"].as_array().unwrap().as_slice() else { panic!("{jobs}") };
    assert_eq!(
        (&first["runs"][0]["result"], &first["runs"][1]["result"]),
        (&json!("SUCCESS"), &json!("ERROR"))
    );
    assert_eq!((&second["queue_rejection_reason"], &second["runs"]), (&json!("no device"), &json!([])));
    assert_eq!(third["runs"][0]["players"], 2);
    let run = third["runs"][0]["multiplayer_run_id"].as_str().unwrap();
    assert_eq!(get(&sim, &format!("runs/{run}/bugs"))["data"][0]["severity"], "critical");
    let status = get(&sim, &format!("test-plan-executions/{execution}"));
    assert_eq!((&status["status"], &status["test_status"]["passed"]), (&json!("completed"), &json!(2)));
}

#[test]
fn starts_what_it_can_on_several_devices() {
    let lab = |devices| DeploymentConfig::new(MULTI_DEVICE_CONFIG, "Lab", "android").devices(devices);
    let started = |devices| {
        let sim = Sim::builder().deployment_config(lab(devices)).start().unwrap();
        let answer = start(
            &sim,
            &json!({ "deployment_config_id": MULTI_DEVICE_CONFIG, "run_on_all_configured_devices": true }),
        );
        (answer.status, answer.json(), sim.effective_starts())
    };
    let no = || Device::refusing("iPhone 15", 400, "busy");
    let (status, body, _) = started(vec![Device::new("Pixel 8"), Device::new("Galaxy")]);
    assert_eq!((status, &body["started_count"]), (201, &json!(2)));
    let (status, body, starts) = started(vec![Device::new("Pixel 8"), no()]);
    assert_eq!((status, &body["failed_count"], starts), (207, &json!(1), 1));
    assert_eq!(body["results"][1]["error"], "busy");
    assert_eq!(body["job_ids"].as_array().unwrap().len(), 1);
    let (status, _, starts) = started(vec![no()]);
    assert_eq!((status, starts), (500, 0));
}

#[test]
fn serves_artifacts_with_ranges_tags_and_redirects() {
    let artifacts = vec![Artifact::new("a/b c.md", "0123456789"), Artifact::new("film.mp4", vec![7; 1000])];
    let sim =
        Sim::builder().scenario(Scenario::of(Script::new("SUCCESS").artifacts(&artifacts))).start().unwrap();
    start(&sim, &json!({}));
    assert!(over(&sim));
    let run = sim.ledger().jobs[0].run_ids[0].clone();
    let details = get(&sim, &format!("runs/{run}"));
    let url = details["players"][0]["artifacts"][0]["url"].as_str().unwrap();
    let key = ("x-api-key", DEFAULT_KEY);
    assert_eq!(send("GET", url, &[], b"").unwrap().status, 401);
    let whole = send("GET", url, &[key], b"").unwrap();
    assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"));
    let part = send("GET", url, &[key, ("range", "bytes=4-")], b"").unwrap();
    assert_eq!((part.status, part.text().as_str()), (206, "456789"));
    assert_eq!(send("GET", url, &[key, ("range", "bytes=10-")], b"").unwrap().status, 416);
    let same = send("GET", url, &[key, ("if-none-match", whole.header("etag").unwrap())], b"").unwrap();
    assert_eq!(same.status, 304);
    let film = format!("{}/runs/{run}-1/artifacts/film.mp4", sim.artifacts_url());
    let moved = send("GET", &film, &[key], b"").unwrap();
    assert_eq!(moved.status, 302);
    let bytes = send("GET", moved.header("location").unwrap(), &[], b"").unwrap();
    assert_eq!((bytes.status, bytes.body), (200, vec![7; 1000]));
}

#[test]
fn an_organisation_key_needs_the_project() {
    let sim = Sim::builder().key(Key::new("nunu_other").project("elsewhere")).start().unwrap();
    let ask = |key, path: &str| api_as(&sim, key, "GET", path, &Value::Null).status;
    let prefixed = format!("project/{}/jobs", sim.project());
    assert_eq!((ask(ORG_KEY, "jobs"), ask(ORG_KEY, &prefixed), ask(DEFAULT_KEY, &prefixed)), (401, 200, 200));
    assert_eq!((ask("nunu_other", &prefixed), ask("nunu_other", "jobs")), (403, 403));
}

#[test]
fn shows_its_quirks() {
    let sim = Sim::builder()
        .quirk(Quirk::ExtraFields)
        .quirk(Quirk::NullResults)
        .quirk(Quirk::MissingFields)
        .quirk(Quirk::IgnoredFilters)
        .quirk(Quirk::WrappedRun)
        .start()
        .unwrap();
    start(&sim, &json!({}));
    assert!(over(&sim));
    let job = get(&sim, "jobs?tags=nobody")["data"][0].clone();
    assert!(
        job["x_future"].is_object()
            && job.get("build_id").is_none()
            && job["runs"][0].get("result").is_none()
    );
    let run = job["runs"][0]["multiplayer_run_id"].as_str().unwrap();
    assert_eq!(get(&sim, &format!("runs/{run}"))["run"]["result"], "SUCCESS");
}

#[test]
fn remembers_its_jobs_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Sim::builder().memory(folder.path()).start().unwrap();
    let first = open();
    let id = start(&first, &json!({})).json()["job_ids"][0].as_str().unwrap().to_owned();
    assert!(over(&first));
    let before = get(&first, &format!("jobs/{id}"));
    drop(first);
    let second = open();
    assert_eq!(get(&second, &format!("jobs/{id}")), before);
    assert_eq!(start(&second, &json!({})).status, 201);
    assert!(over(&second));
    assert_eq!(get(&second, "jobs?tags=ci-1")["pagination"]["total_count"], 2);
}

#[test]
fn lists_may_have_an_order_of_their_own() {
    let sim = Sim::builder().quirk(Quirk::OwnOrder).start().unwrap();
    for _ in 0..20 {
        assert_eq!(start(&sim, &json!({})).status, 201);
    }
    let ids = |list: &Value, name: &str| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    let listed = ids(&get(&sim, "jobs?page_size=100"), "job_id");
    let mut started: Vec<String> = sim.ledger().jobs.into_iter().map(|job| job.job_id).collect();
    assert_ne!(listed, started);
    started.reverse();
    assert_ne!(listed, started);
    let pages: Vec<String> =
        (0..4).flat_map(|page| ids(&get(&sim, &format!("jobs?page={page}&page_size=5")), "job_id")).collect();
    assert_eq!(pages, listed, "every page of it is the same list's");
}
