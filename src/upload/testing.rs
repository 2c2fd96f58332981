//! For tests of uploads: a small service with its storage on one loopback port, and a queue of faults. It knows uploads and stored
//! builds only; the simulator of the workspace plays the whole service.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::api::Api;
use crate::http::Net;
use crate::model::log::{Level, Log, Sink};
use crate::model::{ApiKey, Env, Secrets};

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// This status and body instead of the effect.
    Answer(u16, &'static str),
    /// The connection breaks after so many bytes of the request's body; no effect.
    Cut(usize),
    /// The effect happens, then the connection breaks.
    DropAfter,
    /// The effect happens, but the answer is this.
    AnswerAfter(u16, &'static str),
    /// Nothing happens for so long, then all goes well.
    Wait(Duration),
    /// Nothing happens until this is told, then all goes well.
    Hold(Arc<Notify>),
    /// Everything goes well but the answer has no `ETag`.
    NoETag,
}

struct Fault {
    /// Beginning of `METHOD path`.
    on: String,
    act: Act,
    times: usize,
}

/// One upload and what became of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) request: Value,
    pub(crate) parts: BTreeMap<u32, Vec<u8>>,
    pub(crate) status: &'static str,
    pub(crate) multipart: bool,
}

impl Stored {
    /// All bytes in order.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.parts.values().flatten().copied().collect()
    }
}

#[derive(Default)]
struct State {
    part_size: u64,
    builds: BTreeMap<String, Stored>,
    faults: Vec<Fault>,
    requests: Vec<String>,
    urls: u32,
    /// Status words of a build after its completion, one a look; the last one stays.
    statuses: Vec<&'static str>,
}

/// The service.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) origin: String,
    state: Arc<Mutex<State>>,
}

impl Service {
    /// A service that hands out parts of `part_size` bytes.
    pub(crate) async fn start(part_size: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { part_size, statuses: vec!["OK"], ..State::default() }));
        let service = Self { origin, state };
        let served = service.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let service = served.clone();
                tokio::spawn(async move { while service.exchange(&mut stream).await.is_some() {} });
            }
        });
        service
    }

    /// Queues a fault for the next `times` requests that begin with `on`.
    pub(crate) fn fault(&self, on: &str, times: usize, act: Act) {
        self.state.lock().unwrap().faults.push(Fault { on: on.to_owned(), act, times });
    }

    /// What builds say after their completion, one word a look.
    pub(crate) fn statuses(&self, words: &[&'static str]) {
        self.state.lock().unwrap().statuses = words.to_vec();
    }

    /// All builds, in the order of their opening.
    pub(crate) fn builds(&self) -> Vec<Stored> {
        self.state.lock().unwrap().builds.values().cloned().collect()
    }

    /// Builds whose upload is still open.
    pub(crate) fn open(&self) -> usize {
        self.builds().iter().filter(|build| build.status == "open").count()
    }

    /// Request lines without query strings.
    pub(crate) fn requests(&self, beginning: &str) -> Vec<String> {
        self.state
            .lock()
            .unwrap()
            .requests
            .iter()
            .filter(|line| line.starts_with(beginning))
            .cloned()
            .collect()
    }

    /// Until somebody makes a request that begins so.
    pub(crate) async fn asked(&self, beginning: &str) {
        while self.requests(beginning).is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// A client of it.
    pub(crate) fn api(&self, log: &Log) -> Api {
        let net = Net::new(&Env::default(), "nunu-ci/test", Secrets::default(), log.clone()).unwrap();
        Api::new(net, &self.origin, None, &ApiKey::from("nunu_test_key_0123456789"))
    }
}

/// A request as it arrived.
struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Service {
    /// One request and its answer; `None` ends the connection.
    async fn exchange(&self, stream: &mut TcpStream) -> Option<()> {
        let (head, mut body) = read_head(stream).await?;
        let mut words = head.lines().next()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let line = format!("{method} {}", path.trim_start_matches("/api/v1"));
        self.state.lock().unwrap().requests.push(line.clone());
        let act = self.act(&line);
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|length| length.trim().parse::<usize>().unwrap())
            })
            .unwrap_or(0);
        assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "storage takes no chunks");
        let want = match act {
            Some(Act::Cut(bytes)) => bytes.min(length),
            _ => length,
        };
        let mut piece = vec![0; 64 * 1024];
        while body.len() < want {
            match stream.read(&mut piece).await {
                Ok(count) if count > 0 => body.extend_from_slice(&piece[..count]),
                _ => return None,
            }
        }
        let query = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| {
                (
                    name.to_owned(),
                    percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned(),
                )
            })
            .collect();
        let request = Request { method, path: path.trim_start_matches("/api/v1").to_owned(), query, body };
        let (status, text, etag) = match act {
            Some(Act::Cut(_)) => {
                // An unread body makes the system send a reset rather than an end.
                return None;
            }
            Some(Act::Answer(status, text)) => (status, text.to_owned(), None),
            Some(Act::AnswerAfter(status, text)) => {
                self.effect(&request);
                (status, text.to_owned(), None)
            }
            Some(Act::DropAfter) => {
                self.effect(&request);
                return None;
            }
            Some(Act::NoETag) => (self.effect(&request).0, String::new(), None),
            Some(Act::Wait(time)) => {
                tokio::time::sleep(time).await;
                self.effect(&request)
            }
            Some(Act::Hold(until)) => {
                until.notified().await;
                self.effect(&request)
            }
            None => self.effect(&request),
        };
        let etag = etag.map(|etag| format!("ETag: \"{etag}\"\r\n")).unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{etag}Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(answer.as_bytes()).await.ok()
    }

    fn act(&self, line: &str) -> Option<Act> {
        let mut state = self.state.lock().unwrap();
        let fault = state.faults.iter_mut().find(|fault| fault.times > 0 && line.starts_with(&fault.on))?;
        fault.times -= 1;
        Some(fault.act.clone())
    }

    /// Status, body and `ETag`.
    fn effect(&self, request: &Request) -> (u16, String, Option<String>) {
        let mut state = self.state.lock().unwrap();
        let json = || serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        let parts: Vec<&str> = request.path.split('/').skip(1).collect();
        let (status, value) = match (request.method.as_str(), parts.as_slice()) {
            ("PUT", ["storage", build, part, _signature]) => {
                let part: u32 = part.parse().unwrap();
                let tag = format!("tag-{part}-{}", request.body.len());
                state.builds.get_mut(*build).unwrap().parts.insert(part, request.body.clone());
                return (200, String::new(), Some(tag));
            }
            ("POST", ["builds", "upload"]) => initiate(&mut state, &self.origin, json()),
            ("GET", ["builds", "upload", "parts"]) => part_urls(&mut state, &self.origin, &request.query),
            ("POST", ["builds", "upload", "complete"]) => complete(&mut state, &json()),
            ("DELETE", ["builds", "upload"]) => match state.builds.get_mut(&request.query["build_id"]) {
                Some(build) if build.status == "open" => {
                    build.status = "cancelled";
                    (200, json!({ "success": true }))
                }
                _ => (404, json!({ "error": "Upload not found", "code": "UPLOAD_NOT_FOUND" })),
            },
            ("GET", ["builds"]) => {
                let data: Vec<Value> = state
                    .builds
                    .iter()
                    .filter(|(_, build)| build.status == "done")
                    .map(|(id, build)| show(id, build, "OK"))
                    .collect();
                let count = data.len();
                (
                    200,
                    json!({ "data": data, "pagination": { "page": 0, "page_size": 100, "total_count": count, "total_pages": 1 } }),
                )
            }
            ("GET", ["builds", id]) => look(&mut state, id),
            _ => (404, json!({ "error": "not found" })),
        };
        (status, value.to_string(), None)
    }
}

fn initiate(state: &mut State, origin: &str, body: Value) -> (u16, Value) {
    let id = format!("build-{:03}", state.builds.len());
    let multipart = body["multipart"].as_bool().unwrap_or(false);
    let size = body["file_size"].as_u64().unwrap();
    let key = format!("{id}/{}", body["file_name"].as_str().unwrap());
    state.builds.insert(id.clone(), Stored { request: body, status: "open", multipart, ..Stored::default() });
    if multipart {
        let total = size.div_ceil(state.part_size);
        let upload = format!("upload-secret-{id}");
        return (
            200,
            json!({ "upload_type": "multipart", "build_id": id, "upload_id": upload, "object_key": key, "total_parts": total, "part_size": state.part_size }),
        );
    }
    state.urls += 1;
    let url = format!("{origin}/storage/{id}/1/signature-{}", state.urls);
    (200, json!({ "upload_type": "single-part", "build_id": id, "upload_url": url, "object_key": key }))
}

fn part_urls(state: &mut State, origin: &str, query: &BTreeMap<String, String>) -> (u16, Value) {
    let id = query["upload_id"].trim_start_matches("upload-secret-").to_owned();
    if state.builds.get(&id).is_none_or(|build| build.status != "open") {
        return (404, json!({ "error": "Upload not found", "code": "UPLOAD_NOT_FOUND" }));
    }
    // Backwards: nobody may rely on the order.
    let urls: Vec<Value> = query["part_numbers"]
        .split(',')
        .rev()
        .map(|number| {
            state.urls += 1;
            json!({ "part_number": number.parse::<u32>().unwrap(), "url": format!("{origin}/storage/{id}/{number}/signature-{}", state.urls) })
        })
        .collect();
    (200, json!({ "upload_urls": urls }))
}

fn complete(state: &mut State, body: &Value) -> (u16, Value) {
    let id = body["build_id"].as_str().unwrap().to_owned();
    let Some(build) = state.builds.get_mut(&id).filter(|build| build.status == "open") else {
        return (404, json!({ "error": "Upload not found", "code": "UPLOAD_NOT_FOUND" }));
    };
    if build.multipart {
        let named: Vec<(u64, String)> = body["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| (part["part_number"].as_u64().unwrap(), part["etag"].as_str().unwrap().to_owned()))
            .collect();
        let stored: Vec<(u64, String)> = build
            .parts
            .iter()
            .map(|(number, bytes)| (u64::from(*number), format!("tag-{number}-{}", bytes.len())))
            .collect();
        if named != stored {
            return (400, json!({ "error": "bad parts" }));
        }
    }
    if build.request["file_size"].as_u64() != Some(build.bytes().len() as u64) {
        return (400, json!({ "error": "bad size" }));
    }
    build.status = "done";
    (200, json!({ "status": "success" }))
}

fn look(state: &mut State, id: &str) -> (u16, Value) {
    let word = if state.statuses.len() > 1 { state.statuses.remove(0) } else { state.statuses[0] };
    match state.builds.get(id) {
        Some(build) if build.status == "done" => (200, show(id, build, word)),
        Some(build) if build.status == "open" => (200, show(id, build, "uploading")),
        _ => (404, json!({ "error": "build not found" })),
    }
}

fn show(id: &str, build: &Stored, status: &str) -> Value {
    let request = &build.request;
    json!({
        "build_id": id, "name": request["name"], "filename": request["file_name"], "size": request["file_size"], "platform": request["platform"],
        "tags": request["tags"], "status": status, "created_at": format!("2026-01-01T00:{}:00Z", id.trim_start_matches("build-0")),
    })
}

async fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut raw = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        raw.extend_from_slice(&piece[..count]);
        if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = raw.split_off(at + 4);
            return Some((String::from_utf8_lossy(&raw).into_owned(), body));
        }
    }
}

/// A log that remembers.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<String>>);

impl Lines {
    /// Everything that was said.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Sink for Lines {
    fn line(&self, _: Level, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn group(&self, _: &str) {}
    fn end_group(&self) {}
    fn mask(&self, _: &str) {}
}
