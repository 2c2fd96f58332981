//! A plain HTTP/1.1 client over a blocking socket: what it sends is exactly what the test says.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nunu_sim::{DEFAULT_KEY, Sim};
use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Sends one request on a connection of its own. `headers` come after `Host`.
pub(crate) fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n").into_bytes();
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n")?;
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    // In one piece: a server that refuses early and closes with a body still under way resets the connection, and its answer may be
    // lost with it. Nor may it want all of a long body.
    let _ = stream.write_all(&request);
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw)?;
    parse(&raw).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no whole answer"))
}

fn parse(raw: &[u8]) -> Option<Answer> {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let body = raw[end + 4..].to_vec();
    let answer = Answer { status, headers, body };
    let length = answer.header("content-length").and_then(|l| l.parse().ok());
    (length.is_none_or(|l: usize| l == answer.body.len())).then_some(answer)
}

/// An API call with the default key.
pub(crate) fn api(sim: &Sim, method: &str, path: &str, body: &Value) -> Answer {
    api_as(sim, DEFAULT_KEY, method, path, body)
}

/// An API call with a key.
pub(crate) fn api_as(sim: &Sim, key: &str, method: &str, path: &str, body: &Value) -> Answer {
    try_api(sim, key, method, path, body).unwrap()
}

/// An API call that may fail on the wire.
pub(crate) fn try_api(sim: &Sim, key: &str, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len().to_string();
    let headers =
        [("x-api-key", key), ("content-type", "application/json"), ("content-length", length.as_str())];
    send(method, &format!("{}/api/v1/{path}", sim.api_url()), &headers, body.as_bytes())
}

/// A `PUT` with the exact length, as storage wants it.
pub(crate) fn put(url: &str, body: &[u8]) -> Answer {
    send("PUT", url, &[("content-length", &body.len().to_string())], body).unwrap()
}
