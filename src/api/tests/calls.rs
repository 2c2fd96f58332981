//! What every call has in common: the key, retries, bounds and redirects.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Bench, KEY};
use crate::api::{ApiError, Fault};
use crate::http::testing::{Act, Server, answer, json};
use crate::model::job::JobStatus;
use crate::model::{RunSpec, Target};

const JOB: &str = r#"{"job_id":"j1","status":"RUNNING"}"#;

fn spec() -> RunSpec {
    RunSpec { label: "smoke".to_owned(), ..RunSpec::of(Target::Test("t".to_owned())) }
}

async fn job(act: Act) -> ApiError {
    Bench::new([act]).await.api.once().job("j1", None).await.unwrap_err()
}

#[tokio::test]
async fn sends_the_key_in_its_header_and_nowhere_else() {
    let bench = Bench::in_project([json(200, JOB)], Some("p1")).await;
    bench.api.job("j1", None).await.unwrap();
    let seen = bench.server.seen().remove(0);
    assert_eq!(seen.line(), "GET /api/v1/project/p1/jobs/j1");
    assert_eq!(seen.header("x-api-key"), Some(KEY));
    assert_eq!(seen.header("user-agent"), Some("nunu-ci/test"));
    assert_eq!(seen.head.matches("secret").count(), 1);
    assert!(!format!("{:?}", bench.api).contains("nunu_secret"));
    assert!(bench.lines.masked().contains(&KEY.to_owned()));
}

#[tokio::test]
async fn a_server_that_echoes_the_key_does_not_make_us_show_it() {
    for body in [format!("{{\"error\":\"bad key {KEY}\"}}"), format!("bad key {KEY}")] {
        let error = job(answer(400, "", &body)).await;
        assert_eq!(error.words.as_deref(), Some("bad key ***"));
    }
}

#[tokio::test]
async fn repeats_what_may_be_repeated_and_says_so() {
    let script = [json(503, "{}"), answer(502, "", "<html>bad gateway</html>"), Act::Hang, json(200, JOB)];
    let bench = Bench::new(script).await;
    bench.api.job("j1", None).await.unwrap();
    assert_eq!(bench.asked().len(), 4);
    let said = bench.lines.take();
    assert_eq!(said.len(), 3, "{said:?}");
    for (line, (number, what)) in
        said.iter().zip([(2, "503 from"), (3, "502 from"), (4, "broken connection from")])
    {
        assert!(line.starts_with(&format!("attempt {number} in ")), "{line}");
        assert!(line.ends_with(&format!(": {what} GET /jobs/j1")), "{line}");
    }
}

#[tokio::test]
async fn honours_retry_after() {
    let bench = Bench::new([answer(429, "Retry-After: 1\r\n", "{}"), json(200, JOB)]).await;
    let began = Instant::now();
    bench.api.job("j1", None).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(bench.lines.take(), ["attempt 2 in 1 s: 429 from GET /jobs/j1"]);
}

#[tokio::test]
async fn a_poll_is_one_attempt() {
    let bench = Bench::new([json(503, "{}"), json(200, JOB)]).await;
    let error = bench.api.once().job("j1", None).await.unwrap_err();
    assert!(error.is_transient() && bench.asked().len() == 1);
    assert_eq!(bench.lines.take(), Vec::<String>::new());
}

#[tokio::test]
async fn a_start_is_posted_once_when_its_fate_is_unclear() {
    for act in [
        json(500, r#"{"error":"oops"}"#),
        answer(502, "", "<html></html>"),
        Act::Hang,
        json(200, "garbage"),
        json(200, r#"{"ok":true}"#),
        answer(201, "", ""),
    ] {
        let bench = Bench::new([act, json(201, r#"{"job_ids":["j1"]}"#)]).await;
        let error = bench.api.start(&spec(), &json!({})).await.unwrap_err();
        assert!(error.is_unclear(), "{error}");
        assert_eq!(bench.asked(), ["POST /api/v1/runs"], "{error}");
    }
}

#[tokio::test]
async fn a_start_is_repeated_when_it_surely_had_no_effect() {
    let bench =
        Bench::new([answer(429, "Retry-After: 0\r\n", "{}"), json(201, r#"{"job_ids":["j1"]}"#)]).await;
    assert_eq!(bench.api.start(&spec(), &json!({})).await.unwrap().job_ids, ["j1"]);
    assert_eq!(bench.asked().len(), 2);
}

#[tokio::test]
async fn a_refused_start_is_final_and_clear() {
    let bench = Bench::new([json(400, r#"{"error":"multiplayer test not found"}"#)]).await;
    let error = bench.api.start(&spec(), &json!({})).await.unwrap_err();
    assert!(!error.is_unclear() && !error.is_transient());
    assert_eq!(error.to_string(), "POST /runs answered 400: multiplayer test not found");
}

#[tokio::test]
async fn a_refused_connection_is_clear() {
    let bench = Bench::new([Act::Hang]).await;
    let api = bench.api.once();
    drop(bench.server);
    // The port is closed as soon as the server's task has ended.
    let mut error = api.start(&spec(), &json!({})).await.unwrap_err();
    for _ in 0..50 {
        if error.to_string().contains("cannot connect") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        error = api.start(&spec(), &json!({})).await.unwrap_err();
    }
    assert!(error.is_network() && !error.is_unclear() && error.is_transient(), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("POST /runs failed: cannot connect to 127.0.0.1:"), "{text}");
}

#[tokio::test]
async fn tells_unreadable_answers_apart() {
    for (act, want) in [
        (answer(200, "", "<!doctype html><title>Sign in</title>"), "a web page instead of JSON"),
        (json(200, "{\"job_id\":"), "JSON that is cut short"),
        (json(200, "hello"), "something that is not JSON"),
        (json(200, "[]"), "an answer that cannot be used (no job)"),
        (answer(204, "", ""), "an answer that cannot be used (no job)"),
        (json(200, &"[".repeat(10_000)), "something that is not JSON"),
    ] {
        let error = job(act).await;
        assert_eq!(error.fault, Fault::Unreadable(want.to_owned()));
        assert!(error.is_transient() && error.is_unclear());
    }
}

#[tokio::test]
async fn reads_no_more_than_the_bound() {
    let announced = Act::Say(b"HTTP/1.1 200 X\r\nContent-Length: 2147483648\r\n\r\n{".to_vec());
    let endless = [b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n\"".to_vec(), vec![b'x'; 17 << 20]].concat();
    for act in [announced, Act::Say(endless)] {
        let error = job(act).await;
        assert!(error.to_string().contains("is larger than"), "{error}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn an_answer_cut_or_not_http_is_transient() {
    for act in [
        Act::Say(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{\"job_id\"".to_vec()),
        Act::Say(b"HTTP/1.1 2".to_vec()),
        Act::Say(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        Act::Say(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec()),
    ] {
        let error = job(act).await;
        assert!(error.is_network() && error.is_transient() && error.is_unclear(), "{error}");
    }
}

#[tokio::test]
async fn a_late_answer_is_still_one() {
    let (head, rest) = (
        b"HTTP/1.1 200 X\r\nContent-Length: 34\r\n\r\n{\"job".to_vec(),
        b"_id\":\"j1\",\"status\":\"RUNNING\"}".to_vec(),
    );
    let bench = Bench::new([Act::Slow(head, Duration::from_millis(200), rest)]).await;
    assert_eq!(bench.api.once().job("j1", None).await.unwrap().status, Some(JobStatus::Running));
}

#[tokio::test]
async fn follows_no_redirect() {
    let thief = Server::play([json(200, JOB)]).await;
    let bench = Bench::new([answer(302, &format!("Location: {}/steal\r\n", thief.origin), "")]).await;
    let error = bench.api.job("j1", None).await.unwrap_err();
    assert_eq!(error.fault, Fault::Redirected);
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn the_way_out_is_short() {
    let bench = Bench::new([Act::Silence]).await;
    let error = bench.api.urgent().stop(&["j1".to_owned()]).await.unwrap_err();
    assert!(error.is_network(), "{error}");
    // How long two attempts take is shown where the time is simulated: `http::retry`.
    assert_eq!((error.attempts, bench.asked().len()), (2, 2));
}

#[tokio::test]
async fn a_key_that_fits_no_header_is_never_sent() {
    let bench = Bench::new([json(200, JOB)]).await;
    let key = crate::model::ApiKey::from("nunu_a\nb");
    let api = crate::api::Api::new(crate::http::testing::net(&bench.lines), &bench.server.origin, None, &key);
    let error = api.job("j1", None).await.unwrap_err();
    assert!(error.to_string().contains("characters that no key has"), "{error}");
    assert!(bench.asked().is_empty());
}

#[tokio::test]
async fn a_dropped_call_leaves_the_next_one_alone() {
    let bench = Bench::new([Act::Silence, json(200, r#"{"data":[]}"#)]).await;
    let call = bench.api.jobs_by_tag("a");
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    assert_eq!(bench.api.jobs_by_tag("a").await.unwrap(), []);
}

/// Callers spawn calls, so their futures have to be `Send`.
#[tokio::test]
async fn calls_can_be_spawned() {
    let bench = Bench::new([json(404, "{}")]).await;
    let (api, spec) = (bench.api.once(), spec());
    let url = crate::http::PresignedUrl::parse(&bench.server.origin, api.net()).unwrap();
    let call = tokio::spawn(async move {
        let body = crate::http::PutBody::bytes(bytes::Bytes::from_static(b"x"));
        let put = api.storage().put(&url, body, 1, |_| {}).await.is_err();
        let calls = [
            api.start(&spec, &json!({})).await.is_err(),
            api.jobs_by_tag("a").await.is_err(),
            api.run("r").await.is_err(),
            api.artifact("https://localhost/x", 0).await.is_err(),
            api.prove_all(&[crate::model::Permission::ReadRuns]).await.is_ok(),
        ];
        put && calls.iter().all(|call| *call)
    });
    assert!(call.await.unwrap());
}
