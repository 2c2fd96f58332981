//! The clients against real TLS and a real proxy conversation.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Url};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::model::{Env, Secrets};

use super::testing::{Act, Lines, Server, answer, json};
use super::{HttpError, Net, Reply, Request, Route};

/// A certificate for `localhost`, signed by the test CA beside it; both protect nothing.
const CERTIFICATE: &[u8] = include_bytes!("../../tests/fixtures/tls/server.der");
const KEY: &[u8] = include_bytes!("../../tests/fixtures/tls/server-key.der");
const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem");

/// A TLS server that answers every connection with an empty 200.
fn tls_server(versions: &[&'static rustls::SupportedProtocolVersion]) -> Url {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], PrivateKeyDer::try_from(KEY).unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("https://localhost:{}/x", listener.local_addr().unwrap().port())).unwrap();
    // The thread ends with the test's process; it holds nothing but its port.
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::Stream::new(&mut session, &mut stream);
            let mut head = [0; 2048];
            if tls.read(&mut head).is_ok_and(|count| count > 0) {
                drop(tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
                drop(tls.flush());
            }
        }
    });
    url
}

async fn get(env: Env, url: &Url) -> Result<Reply, HttpError> {
    let net = Net::new(&env, "nunu-ci/test", Secrets::default(), Lines::default().log()).unwrap();
    let request =
        Request { method: Method::GET, url: url.clone(), headers: vec![], body: None, route: Route::Pooled };
    net.send(&request, 1, Duration::from_secs(10)).await
}

#[tokio::test]
async fn an_untrusted_certificate_is_explained_and_a_company_ca_mends_it() {
    for versions in [[&rustls::version::TLS12], [&rustls::version::TLS13]] {
        let url = tls_server(&versions);
        let error = get(Env::default(), &url).await.unwrap_err();
        assert!(matches!(&error, HttpError::Tls { certificate: true, .. }), "{error:?}");
        assert!(!error.is_transient() && !error.is_unclear());
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");

        let reply = get(Env::from([("SSL_CERT_FILE", CA)]), &url).await.unwrap();
        assert_eq!(reply.head.status, 200);
    }
}

#[test]
fn a_certificate_error_names_the_ways_out() {
    let error =
        HttpError::Tls { host: "nunu.ai".to_owned(), detail: "UnknownIssuer".to_owned(), certificate: true };
    let hints = error.hints().join("\n");
    assert!(hints.contains("SSL_CERT_FILE") && hints.contains("NO_PROXY"), "{hints}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let mut url = tls_server(&[&rustls::version::TLS13]);
    url.set_host(Some("127.0.0.2")).unwrap();
    // Linux answers on every loopback address; elsewhere there is simply nobody.
    let error = get(Env::from([("SSL_CERT_FILE", CA)]), &url).await.unwrap_err();
    assert!(
        matches!(error, HttpError::Tls { certificate: true, .. } | HttpError::Connect { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn asks_the_proxy_for_hosts_that_are_not_on_this_machine() {
    let proxy = Server::play([answer(407, "Proxy-Authenticate: Basic\r\n", "")]).await;
    let address = proxy.origin.replace("http://", "http://user:hunter22@");
    let env = Env::from([("HTTPS_PROXY", address.as_str()), ("NO_PROXY", "direct.example")]);
    let url = Url::parse("https://nunu.invalid/api/v1/jobs?secret=1").unwrap();
    let error = get(env, &url).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("nunu.invalid") && text.contains("through the proxy 127.0.0.1:"), "{text}");
    assert!(!text.contains("hunter22") && !text.contains("secret"), "{text}");
    assert!(!error.is_unclear() && error.is_transient());
    let seen = proxy.seen().remove(0);
    assert_eq!(seen.line(), "CONNECT nunu.invalid:443");
    assert!(seen.header("proxy-authorization").is_some_and(|value| value.starts_with("Basic ")));
}

#[tokio::test]
async fn reaches_this_machine_and_no_proxy_hosts_directly() {
    let proxy = Server::play([Act::Hang]).await;
    let server = Server::play([json(200, "{}")]).await;
    for variable in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        let env = Env::from([(variable, proxy.origin.as_str())]);
        assert_eq!(get(env, &Url::parse(&server.origin).unwrap()).await.unwrap().head.status, 200);
    }
    let env = Env::from([("HTTPS_PROXY", proxy.origin.as_str()), ("NO_PROXY", ".invalid")]);
    let error = get(env, &Url::parse("https://nunu.invalid/").unwrap()).await.unwrap_err();
    assert!(matches!(error, HttpError::Dns { .. } | HttpError::Connect { .. }), "{error:?}");
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn every_request_is_recorded_also_a_dropped_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("diagnostics.jsonl");
    let server = Server::play([json(200, "{}"), Act::Hang, Act::Silence]).await;
    let net = Net::new(&Env::default(), "x", Secrets::default(), Lines::default().log()).unwrap();
    net.recorder().open(&path).unwrap();
    let url = Url::parse(&format!("{}/jobs?tags=secret", server.origin)).unwrap();
    let request = Request { method: Method::GET, url, headers: vec![], body: None, route: Route::Fresh };
    net.send(&request, 1, Duration::from_secs(5)).await.unwrap();
    net.send(&request, 2, Duration::from_secs(5)).await.unwrap_err();
    net.send(&request, 3, Duration::from_millis(50)).await.unwrap_err();
    drop(
        tokio::time::timeout(Duration::from_millis(50), net.send(&request, 4, Duration::from_secs(5))).await,
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let brief: Vec<(u64, Option<u64>, Option<&str>)> = lines
        .iter()
        .map(|line| (line["attempt"].as_u64().unwrap(), line["status"].as_u64(), line["error"].as_str()))
        .collect();
    assert_eq!(
        brief,
        [
            (1, Some(200), None),
            (2, None, Some("reset")),
            (3, None, Some("timeout")),
            (4, None, Some("cancelled"))
        ]
    );
    assert_eq!((lines[0]["method"].as_str(), lines[0]["path"].as_str()), (Some("GET"), Some("/jobs")));
    assert_eq!(lines[0]["bytes"], 2);
}
