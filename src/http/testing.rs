//! For tests of this module and of `api`: a log in memory and a scripted TCP server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::model::live::Row;
use crate::model::log::{Level, Log, Sink};
use crate::model::{Env, Secrets};

use super::Net;

/// A log that remembers.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Remembered>>);

#[derive(Default)]
struct Remembered {
    lines: Vec<(Level, String)>,
    masked: Vec<String>,
    /// What was shown in place; `None` where nobody watches.
    shown: Option<Vec<String>>,
}

impl Lines {
    /// One that a person watches in a terminal.
    pub(crate) fn watched() -> Self {
        Self(Arc::new(Mutex::new(Remembered { shown: Some(Vec::new()), ..Remembered::default() })))
    }
    pub(crate) fn log(&self) -> Log {
        Log::new(Arc::new(self.clone()))
    }
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().lines).into_iter().map(|(_, line)| line).collect()
    }
    /// What everybody sees, without the details of `verbose`.
    pub(crate) fn take_story(&self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.0.lock().unwrap().lines);
        lines.retain(|(level, _)| *level != Level::Debug);
        lines.into_iter().map(|(_, line)| line).collect()
    }
    pub(crate) fn masked(&self) -> Vec<String> {
        self.0.lock().unwrap().masked.clone()
    }
    pub(crate) fn shown(&self) -> Vec<String> {
        self.0.lock().unwrap().shown.clone().unwrap_or_default()
    }
}

impl Sink for Lines {
    fn line(&self, level: Level, text: &str) {
        self.0.lock().unwrap().lines.push((level, text.to_owned()));
    }
    fn group(&self, _: &str) {}
    fn end_group(&self) {}
    fn mask(&self, value: &str) {
        self.0.lock().unwrap().masked.push(value.to_owned());
    }
    fn live(&self, rows: &[Row]) -> bool {
        let mut remembered = self.0.lock().unwrap();
        let Some(shown) = &mut remembered.shown else { return false };
        shown.push(match rows {
            [] => String::new(),
            [Row::Text(text)] => text.clone(),
            rows => format!("{rows:?}"),
        });
        true
    }
}

/// A network without proxies that logs to `lines`.
pub(crate) fn net(lines: &Lines) -> Net {
    Net::new(&Env::default(), "nunu-ci/test", Secrets::default(), lines.log()).unwrap()
}

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes and closes.
    Say(Vec<u8>),
    /// Reads the request and closes without a word.
    Hang,
    /// Reads the request and never answers.
    Silence,
    /// Does not read the request's body.
    Deaf,
    /// Sends these bytes, then waits before it sends the others.
    Slow(Vec<u8>, Duration, Vec<u8>),
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &str) -> Act {
    answer(status, "Content-Type: application/json\r\n", body)
}

/// An answer with further headers.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Act {
    Act::Say(
        format!(
            "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Request line and headers.
    pub(crate) head: String,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// Value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1")
    }
}

/// A server on loopback that plays its script, one act a connection; the last act is repeated.
pub(crate) struct Server {
    pub(crate) origin: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn play(script: impl Into<Vec<Act>>) -> Self {
        let script = script.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let act = script[usize::min(number, script.len() - 1)].clone();
                number += 1;
                tokio::spawn(serve(stream, act, Arc::clone(&log)));
            }
        });
        Self { origin, seen, task }
    }
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, act: Act, log: Arc<Mutex<Vec<Seen>>>) {
    let mut raw = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let (end, want) = loop {
        let Ok(count) = stream.read(&mut buffer).await else { return };
        if count == 0 {
            return;
        }
        raw.extend_from_slice(&buffer[..count]);
        if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&raw[..at]).into_owned();
            let seen = Seen { head, body: Vec::new() };
            let want = seen.header("content-length").map_or(0, |length| length.parse::<usize>().unwrap());
            log.lock().unwrap().push(seen);
            break (at + 4, want);
        }
    };
    let mine = log.lock().unwrap().len() - 1;
    if matches!(act, Act::Deaf) {
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    while raw.len() < end + want {
        let Ok(count) = stream.read(&mut buffer).await else { return };
        if count == 0 {
            return;
        }
        raw.extend_from_slice(&buffer[..count]);
    }
    log.lock().unwrap()[mine].body = raw[end..].to_vec();
    match act {
        Act::Say(bytes) => drop(stream.write_all(&bytes).await),
        Act::Slow(first, pause, rest) => {
            drop(stream.write_all(&first).await);
            tokio::time::sleep(pause).await;
            drop(stream.write_all(&rest).await);
        }
        Act::Hang => {}
        Act::Silence | Act::Deaf => tokio::time::sleep(Duration::from_secs(600)).await,
    }
}
