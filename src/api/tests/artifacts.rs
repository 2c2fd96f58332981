//! Artifacts: where the key goes, redirects, ranges.

use super::{Bench, KEY};
use crate::api::Api;
use crate::http::testing::{Act, Lines, Server, answer, json, net};
use crate::model::ApiKey;

async fn all(api: &Api, url: &str, from: u64) -> Result<(u64, Option<u64>, Vec<u8>), String> {
    let mut stream = api.artifact(url, from).await.map_err(|error| error.to_string())?;
    let mut data = Vec::new();
    while let Some(chunk) = stream.chunk().await.map_err(|error| error.to_string())? {
        data.extend_from_slice(&chunk);
    }
    Ok((stream.offset, stream.size_bytes, data))
}

#[tokio::test]
async fn follows_one_redirect_without_the_key() {
    let store = Server::play([answer(200, "", "movie")]).await;
    let location = format!("Location: {}/m.mp4?X-Amz-Signature=0123456789abcdef\r\n", store.origin);
    let bench = Bench::new([answer(302, &location, "")]).await;
    let url = format!("{}/runs/r-1/artifacts/m.mp4", bench.server.origin);
    assert_eq!(all(&bench.api, &url, 0).await.unwrap(), (0, Some(5), b"movie".to_vec()));
    assert_eq!(bench.server.seen()[0].header("x-api-key"), Some(KEY));
    assert_eq!(store.seen()[0].header("x-api-key"), None);
    assert_eq!(store.seen()[0].header("accept-encoding"), Some("identity"));
    assert!(bench.lines.masked().contains(&"0123456789abcdef".to_owned()));
}

#[tokio::test]
async fn a_second_redirect_is_not_followed() {
    let store = Server::play([answer(302, "Location: /again\r\n", "")]).await;
    let bench = Bench::new([answer(307, &format!("Location: {}/a\r\n", store.origin), "")]).await;
    let error = all(&bench.api, &format!("{}/x", bench.server.origin), 0).await.unwrap_err();
    assert!(error.contains("302"), "{error}");
    assert_eq!(store.seen().len(), 1);
}

#[tokio::test]
async fn goes_on_where_it_broke() {
    let bench = Bench::new([
        answer(206, "Content-Range: bytes 3-5/6\r\n", "def"),
        answer(200, "", "abcdef"),
        answer(416, "Content-Range: bytes */6\r\n", ""),
        answer(416, "Content-Range: bytes */6\r\n", ""),
    ])
    .await;
    let url = format!("{}/x", bench.server.origin);
    assert_eq!(all(&bench.api, &url, 3).await.unwrap(), (3, Some(6), b"def".to_vec()));
    assert_eq!(bench.server.seen()[0].header("range"), Some("bytes=3-"));
    assert_eq!(all(&bench.api, &url, 3).await.unwrap(), (0, Some(6), b"abcdef".to_vec()));
    assert_eq!(all(&bench.api, &url, 6).await.unwrap(), (6, Some(6), vec![]));
    assert!(all(&bench.api, &url, 9).await.is_err());
}

#[tokio::test]
async fn refuses_addresses_that_are_not_safe_without_asking() {
    let api = Api::new(net(&Lines::default()), "https://nunu.ai", None, &ApiKey::from(KEY));
    for url in
        ["http://bouncer.nunu.ai/x", "http://127.0.0.1:1/x", "https://localhost/x", "ftp://a/b", "x", ""]
    {
        assert!(all(&api, url, 0).await.is_err(), "{url}");
    }
}

#[tokio::test]
async fn says_what_the_host_said_and_repeats_what_may_be_repeated() {
    let bench = Bench::new([json(503, "{}"), answer(200, "", "ok")]).await;
    assert_eq!(all(&bench.api, &format!("{}/x", bench.server.origin), 0).await.unwrap().2, b"ok");
    let bench = Bench::new([json(404, r#"{"error":"artifact hidden"}"#)]).await;
    let error =
        all(&bench.api, &format!("{}/runs/r/artifacts/x?sig=1", bench.server.origin), 0).await.unwrap_err();
    assert_eq!(error, "GET /runs/r/artifacts/x answered 404: artifact hidden");
}

#[tokio::test]
async fn a_broken_transfer_is_an_error_of_the_piece() {
    let cut = Act::Say(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nabc".to_vec());
    let bench = Bench::new([cut]).await;
    let mut stream = bench.api.artifact(&format!("{}/x", bench.server.origin), 0).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap().as_ref(), b"abc");
    assert!(stream.chunk().await.unwrap_err().is_transient());
}
