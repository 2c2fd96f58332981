//! The network as it is: slow, lossy, behind a company's proxy and certificate, without names, or with IPv6 alone.

use std::time::{Duration, Instant};

use nunu_sim::{DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Sim};

use crate::link::{CA, Inspector, Line, Link};
use crate::stage::{Stage, tell};

/// 1 MB/s, a round trip of 200 ms, 1 % of all segments lost, and every other connection reset.
const WAN: Line = Line { rate: 1_000_000, delay: Duration::from_millis(100), lost: 10, reset_every: 2 };

const CHECK: [&str; 5] =
    ["check", "--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG];

/// Uploads `size` bytes over a bad line, runs a test, and tells how it went.
fn over_a_bad_line(size: usize, multipart: &str) {
    let (api, storage) =
        (Link::listen("127.0.0.1:0", WAN).unwrap(), Link::listen("127.0.0.1:0", WAN).unwrap());
    let stage = Stage::of(Sim::builder().storage_origin(&storage.origin).part_size(5 << 20))
        .env("NUNU_API_URL", &api.origin)
        .env("NUNU_MULTIPART", multipart);
    api.to(&stage.sim.api_url());
    storage.to(&stage.sim.storage_url());
    let began = Instant::now();
    let ended = stage.quick(&["--build-path", stage.apk(size)]);
    ended.is(0, "passed");
    assert_eq!(stage.sim.effective_starts(), 1);
    assert!(stage.sim.open_uploads().is_empty() && stage.sim.ledger().abandoned_jobs().is_empty());
    let digest = stage.sim.build_digest(&ended.outputs["build-id"]);
    assert_eq!(digest.as_ref(), Some(&ended.outputs["build-sha256"]));
    let (connections, resets, losses) = storage.told();
    assert!(connections > 1 && resets > 0 && losses > 0);
    tell(&format!(
        "bad line, multipart {multipart}: {size} bytes in {:.1} s; storage: {connections} connections, {resets} reset, {losses} segments lost; API: {:?}",
        began.elapsed().as_secs_f64(),
        api.told()
    ));
}

#[test]
fn a_build_arrives_over_a_slow_and_lossy_line() {
    over_a_bad_line(8_000_000, "always");
}

/// `cargo test --test it -- --ignored --nocapture fifty_megabytes`
#[test]
#[ignore = "takes some minutes at 1 MB/s"]
fn fifty_megabytes_arrive_over_a_slow_and_lossy_line() {
    std::thread::scope(|scope| {
        for multipart in ["always", "never"] {
            scope.spawn(move || over_a_bad_line(50_000_000, multipart));
        }
    });
}

/// A stage whose service is reached through the proxy alone.
fn behind_a_proxy() -> (Stage, Inspector) {
    let stage = Stage::of(Sim::builder().storage_origin("https://storage.nunu.test"))
        .env("NUNU_API_URL", "https://nunu.test");
    let proxy = Inspector::open(&stage.sim.api_url(), &stage.sim.storage_url());
    let stage = stage.env("HTTPS_PROXY", &format!("http://{}", proxy.address));
    (stage, proxy)
}

#[test]
fn a_company_proxy_with_its_own_certificate_is_passed() {
    let (stage, proxy) = behind_a_proxy();
    let stage = stage.env("SSL_CERT_FILE", CA).env("NO_PROXY", "localhost,.corp.example");
    stage.quick(&["--build-path", stage.apk(300_000)]).is(0, "passed");
    let asked = proxy.asked();
    assert!(asked.contains(&"nunu.test:443".to_owned()), "{asked:?}");
    assert!(asked.contains(&"storage.nunu.test:443".to_owned()), "{asked:?}");
    assert_eq!(stage.sim.ledger().complete_builds().len(), 1);
    tell(&format!("tunnels through the proxy: {}", asked.len()));
}

#[test]
fn an_unknown_certificate_is_explained() {
    let (stage, proxy) = behind_a_proxy();
    let ended = stage.quick(&[]);
    ended.is(7, "network-error").says("the certificate of nunu.test is not trusted");
    ended.says("SSL_CERT_FILE").says("NO_PROXY").says(&format!("through the proxy {}", proxy.address));
    assert!(stage.read("nunu-results/results.json").contains("SSL_CERT_FILE"));
    assert_eq!(attempts(&stage), [1, 1], "no patience with what stays wrong");
    assert!(stage.sim.ledger().requests.is_empty(), "nothing was sent to somebody unknown");
}

#[test]
fn hosts_of_no_proxy_are_reached_directly_and_names_that_nobody_knows_are_explained() {
    let (stage, proxy) = behind_a_proxy();
    let stage = stage.env("NO_PROXY", ".nunu.test,nunu.test");
    let ended = stage.run(&[&CHECK[..], &["--timeout", "5s"]].concat());
    ended.is(7, "network-error").says("nunu.test");
    for allowed in ["bouncer.nunu.ai", "*.r2.cloudflarestorage.com", "port 443", "HTTPS_PROXY"] {
        ended.says(allowed);
    }
    assert!(proxy.asked().is_empty());
}

#[test]
fn a_proxy_that_is_gone_is_named() {
    let (stage, proxy) = behind_a_proxy();
    let address = proxy.address.to_string();
    drop(proxy);
    stage
        .run(&[&CHECK[..], &["--timeout", "5s"]].concat())
        .is(7, "network-error")
        .says(&format!("through the proxy {address}"));
}

#[test]
fn a_service_with_an_ipv6_address_alone_is_reached() {
    let Some(link) = Link::listen("[::1]:0", Line::default()) else {
        return tell("no IPv6 here: the test of it is left out");
    };
    let stage = Stage::new().env("NUNU_API_URL", &link.origin);
    link.to(&stage.sim.api_url());
    stage.quick(&["--build-path", stage.apk(20_000)]).is(0, "passed");
    assert!(link.told().0 > 0);
}

/// The attempt number of every request in the diagnostics.
fn attempts(stage: &Stage) -> Vec<u64> {
    let lines = stage.read("nunu-results/diagnostics.jsonl");
    let entry = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    lines.lines().filter_map(|line| entry(line)["attempt"].as_u64()).collect()
}

/// Nobody listens where the service should be: the job ends after the preflight, with one line about all its retries.
#[test]
fn a_service_that_cannot_be_reached_ends_the_job_before_anything_is_sent() {
    for command in ["run", "upload", "start"] {
        let stage = Stage::new().off_ci().env("NUNU_RESULTS_DIR", "nunu-results");
        stage.sim.refuse(nunu_sim::Host::Api);
        let mut args = vec![command, "--timeout", "12s"];
        if command == "upload" {
            args.extend(["--build-path", stage.apk(20_000)]);
        } else {
            args.extend(["--test-id", DEFAULT_TEST, "--deployment-config-id", DEFAULT_DEPLOYMENT_CONFIG]);
        }
        let ended = stage.run(&args);
        assert_eq!(ended.code, 7, "{command}: {}", ended.log());
        assert_eq!(stage.results()["exit_reason"], "network-error", "{command}");
        let retries = ended.stderr.lines().filter(|line| line.starts_with("attempt ")).count();
        assert_eq!(retries, 1, "{command}: {}", ended.stderr);
        let asked = stage.read("nunu-results/diagnostics.jsonl");
        assert!(attempts(&stage).into_iter().max() > Some(1), "{asked}");
        assert!(
            !asked.contains("/builds/upload") && !asked.contains("\"path\":\"/runs\""),
            "{command}: {asked}"
        );
        assert_eq!(stage.state(), serde_json::Value::Null, "{command}: nothing was begun");
    }
}
