//! Uploads against the real signature check.

use std::time::Duration;

use nunu_sim::{Call, Fault, Generation, Quirk, Sim, UploadState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Answer, api, api_as, put, send};

fn reserve(sim: &Sim, size: usize, multipart: bool) -> Value {
    let answer = api(
        sim,
        "POST",
        "builds/upload",
        &json!({ "name": "Game", "file_name": "game ü.apk", "file_size": size, "platform": "android",
            "multipart": multipart, "tags": ["t"] }),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn part_urls(sim: &Sim, open: &Value, numbers: &str) -> Answer {
    let encode = |v: &Value| url::form_urlencoded::byte_serialize(text(v).as_bytes()).collect::<String>();
    let url = format!(
        "{}/api/v1/builds/upload/parts?upload_id={}&object_key={}&part_numbers={numbers}",
        sim.api_url(),
        encode(&open["upload_id"]),
        encode(&open["object_key"]),
    );
    send("GET", &url, &[], b"").unwrap()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat()
}

#[test]
fn stores_a_single_part_upload_bit_for_bit() {
    let sim = Sim::start().unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let open = reserve(&sim, bytes.len(), false);
    let id = text(&open["build_id"]);
    let body = json!({ "build_id": id });
    assert_eq!(api(&sim, "POST", "builds/upload/complete", &body).status, 400, "nothing was uploaded yet");
    let stored = put(text(&open["upload_url"]), &bytes);
    assert_eq!(stored.status, 200, "{}", stored.text());
    assert!(stored.header("etag").unwrap().starts_with('"'));
    let done = api(&sim, "POST", "builds/upload/complete", &body);
    assert_eq!((done.status, done.json()), (200, json!({ "status": "success" })));
    assert_eq!(sim.build_digest(id).unwrap(), digest(&bytes));
    assert_eq!(api(&sim, "GET", &format!("builds/{id}"), &Value::Null).json()["status"], "OK");
    let again = api(&sim, "POST", "builds/upload/complete", &body);
    assert_eq!((again.status, again.json()["code"].clone()), (404, json!("UPLOAD_NOT_FOUND")));
    assert!(sim.open_uploads().is_empty());
}

#[test]
fn joins_the_parts_of_a_multipart_upload() {
    let sim = Sim::builder().part_size(100_000).quirk(Quirk::ReversedParts).start().unwrap();
    let bytes: Vec<u8> = (0..250_001_u32).map(|n| n.to_le_bytes()[0].wrapping_mul(7)).collect();
    let open = reserve(&sim, bytes.len(), true);
    assert_eq!((&open["total_parts"], &open["part_size"]), (&json!(3), &json!(100_000)));
    let urls = part_urls(&sim, &open, "1,2,3").json();
    let mut parts = Vec::new();
    for entry in urls["upload_urls"].as_array().unwrap() {
        let number = usize::try_from(entry["part_number"].as_u64().unwrap()).unwrap();
        let chunk = &bytes[(number - 1) * 100_000..bytes.len().min(number * 100_000)];
        let stored = put(text(&entry["url"]), chunk);
        assert_eq!(stored.status, 200, "{}", stored.text());
        parts
            .push(json!({ "part_number": number, "etag": stored.header("etag").unwrap().trim_matches('"') }));
    }
    let complete = |parts: &[Value]| {
        let body = json!({ "build_id": open["build_id"], "upload_id": open["upload_id"],
            "object_key": open["object_key"], "parts": parts });
        api(&sim, "POST", "builds/upload/complete", &body)
    };
    assert_eq!(complete(&parts).status, 400, "descending parts");
    parts.reverse();
    assert_eq!(complete(&parts[..2]).status, 400, "a missing part");
    let mut forged = parts.clone();
    forged[1]["etag"] = json!("0123");
    assert_eq!(complete(&forged).status, 400, "a wrong etag");
    let done = complete(&parts);
    assert_eq!((done.status, done.json()), (200, json!({ "build_id": open["build_id"] })), "{}", done.text());
    assert_eq!(sim.build_digest(text(&open["build_id"])).unwrap(), digest(&bytes));
    let record = &sim.ledger().builds[0];
    assert_eq!(
        record.parts.iter().map(|p| (p.received, p.attempts)).collect::<Vec<_>>(),
        [(100_000, 1), (100_000, 1), (50_001, 1)]
    );
}

#[test]
fn joins_parts_of_a_real_size() {
    let sim = Sim::builder().part_size(5 << 20).start().unwrap();
    let bytes = vec![9_u8; (5 << 20) + 3];
    let open = reserve(&sim, bytes.len(), true);
    let urls = part_urls(&sim, &open, "1,2").json();
    let parts: Vec<Value> = (0..2)
        .map(|n| {
            let chunk = if n == 0 { &bytes[..5 << 20] } else { &bytes[5 << 20..] };
            let stored = put(text(&urls["upload_urls"][n]["url"]), chunk);
            json!({ "part_number": n + 1, "etag": stored.header("etag").unwrap() })
        })
        .collect();
    let body = json!({ "build_id": open["build_id"], "upload_id": open["upload_id"],
        "object_key": open["object_key"], "parts": parts });
    let done = api(&sim, "POST", "builds/upload/complete", &body);
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(sim.build_digest(text(&open["build_id"])).unwrap(), digest(&bytes));
}

#[test]
fn storage_is_strict() {
    let sim = Sim::builder().part_size(100).start().unwrap();
    let open = reserve(&sim, 10, false);
    let url = text(&open["upload_url"]);
    let forged = format!("{}{}", &url[..url.len() - 1], if url.ends_with('0') { '1' } else { '0' });
    let refused = put(&forged, b"0123456789");
    assert_eq!(
        (refused.status, refused.text().contains("SignatureDoesNotMatch")),
        (403, true),
        "{}",
        refused.text()
    );
    assert_eq!(put(url, b"012345678").status, 400, "a byte is missing");
    let chunked =
        send("PUT", url, &[("transfer-encoding", "chunked")], b"a\r\n0123456789\r\n0\r\n\r\n").unwrap();
    assert_eq!((chunked.status, chunked.text().contains("MissingContentLength")), (411, true));
    sim.set_url_age(Duration::from_hours(2));
    let late = reserve(&sim, 10, false);
    let expired = put(text(&late["upload_url"]), b"0123456789");
    assert_eq!(
        (expired.status, expired.text().contains("Request has expired")),
        (403, true),
        "{}",
        expired.text()
    );
    assert!(sim.ledger().violations.is_empty());
    let _ = send("PUT", url, &[("content-length", "10"), ("x-api-key", "k")], b"0123456789");
    assert_eq!(sim.ledger().violations.len(), 1);
}

#[test]
fn gives_back_what_was_cancelled_or_forgotten() {
    let sim = Sim::builder().upload_timeout(Duration::from_millis(80)).part_size(100).start().unwrap();
    let open = reserve(&sim, 250, true);
    let url = part_urls(&sim, &open, "1").json()["upload_urls"][0]["url"].clone();
    assert_eq!(part_urls(&sim, &open, "4").status, 400);
    let path = format!(
        "builds/upload?build_id={}&object_key={}&upload_id={}",
        text(&open["build_id"]),
        url::form_urlencoded::byte_serialize(text(&open["object_key"]).as_bytes()).collect::<String>(),
        text(&open["upload_id"])
    );
    assert_eq!(sim.open_uploads().len(), 1);
    let gone = api(&sim, "DELETE", &path, &Value::Null);
    assert_eq!((gone.status, gone.json()), (200, json!({ "success": true })));
    assert_eq!(api(&sim, "DELETE", &path, &Value::Null).status, 404);
    assert_eq!(put(text(&url), &[0; 100]).status, 404);
    assert_eq!(sim.ledger().builds[0].state, UploadState::Cancelled);
    reserve(&sim, 10, false);
    assert!(sim.wait_until(Duration::from_mins(1), |s| s.open_uploads().is_empty()));
    assert_eq!(sim.ledger().builds[1].state, UploadState::TimedOut);
}

#[test]
fn keeps_the_quota() {
    let sim = Sim::builder().capacity(100).max_size(500).start().unwrap();
    let ask = |size: u32, auto: bool| {
        let body = json!({ "name": "n", "file_name": "f.apk", "file_size": size, "platform": "android",
            "auto_delete": auto });
        api(&sim, "POST", "builds/upload", &body)
    };
    let open = ask(60, false).json();
    put(text(&open["upload_url"]), &[1; 60]);
    api(&sim, "POST", "builds/upload/complete", &json!({ "build_id": open["build_id"] }));
    let full = ask(50, false);
    assert_eq!(
        (full.status, full.json()),
        (
            402,
            json!({ "error": "Storage capacity exceeded", "code": "QUOTA_EXCEEDED",
            "details": { "used": 60, "capacity": 100, "needed": 50 } })
        )
    );
    assert_eq!(ask(50, true).status, 200);
    assert_eq!(ask(501, true).status, 413);
    assert_eq!(sim.ledger().builds[0].state, UploadState::Deleted);
}

#[test]
fn a_part_can_break_and_be_sent_again() {
    let sim = Sim::builder().part_size(100).start().unwrap();
    let open = reserve(&sim, 150, true);
    sim.fault(Call::PutPart(2), Fault::cut_request(20));
    sim.fault(Call::PutPart(2), Fault::expired_url());
    let urls = part_urls(&sim, &open, "2").json();
    let url = text(&urls["upload_urls"][0]["url"]);
    assert!(send("PUT", url, &[("content-length", "50")], &[0; 50]).is_err());
    let expired = put(url, &[0; 50]);
    assert_eq!((expired.status, expired.text().contains("Request has expired")), (403, true));
    assert_eq!(put(url, &[0; 50]).status, 200);
    assert!(sim.ledger().builds[0].parts[0].stored);
}

#[test]
fn the_oldest_generation_has_no_list_of_builds() {
    let sim = Sim::builder().generation(Generation::V1).start().unwrap();
    assert_eq!(api(&sim, "GET", "builds", &Value::Null).status, 404);
    let key = "nunu_demo_2a6e4d90c1f7b358_readonly";
    let refused = api_as(&sim, key, "POST", "builds/upload", &json!({}));
    assert_eq!(
        (refused.status, refused.json()),
        (403, json!({ "error": "API key missing required permission: project:manage-build-storage" }))
    );
}
