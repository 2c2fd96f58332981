//! The request log: one JSON line for every request in `diagnostics.jsonl`, without query strings and secrets.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::disk::{self, Readers};
use crate::model::Secrets;
use crate::model::redact::Redact as _;
use crate::model::units::Timestamp;

/// Lines that are kept until a file is attached.
const MOST_BUFFERED: usize = 1_000;

/// One request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    /// When it ended.
    #[serde(serialize_with = "time")]
    pub(crate) time: Timestamp,
    /// HTTP method.
    pub(crate) method: String,
    /// Host, with its port when it is not the usual one.
    pub(crate) host: String,
    /// Path without query.
    pub(crate) path: String,
    /// HTTP status, when there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// From 1.
    pub(crate) attempt: u32,
    /// How long it took.
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub(crate) duration: Duration,
    /// Bytes of the body that was sent and of the one that came back.
    pub(crate) bytes: u64,
    /// What went wrong, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// What the start protocol decided.
#[derive(Debug, Serialize)]
struct Decision {
    #[serde(serialize_with = "time")]
    time: Timestamp,
    at: u64,
    event: String,
    actions: Vec<String>,
}

fn time<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A cheap handle on the recorder. Recording never fails a call: a full disk must not lose a run.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    state: Arc<Mutex<State>>,
    secrets: Secrets,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    buffered: Vec<String>,
}

impl Recorder {
    /// A recorder that keeps its first lines until [`Recorder::open`].
    pub(crate) fn new(secrets: Secrets) -> Self {
        Self { state: Arc::default(), secrets }
    }

    /// Attaches a new file and writes what was kept.
    pub(crate) fn open(&self, path: &Path) -> io::Result<()> {
        self.attach(disk::Fresh::begin(path, Readers::Anyone)?.place()?)
    }

    /// Attaches the file behind what earlier commands of the same job wrote, and writes what was kept.
    pub(crate) fn append(&self, path: &Path) -> io::Result<()> {
        self.attach(disk::append(path, Readers::Anyone)?)
    }

    fn attach(&self, mut file: File) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for line in state.buffered.drain(..) {
            file.write_all(line.as_bytes())?;
        }
        file.flush()?;
        state.file = Some(file);
        Ok(())
    }

    /// Writes one line.
    pub(crate) fn record(&self, entry: &Entry) {
        let mut entry = entry.clone();
        entry.host.redact(&self.secrets);
        entry.path.redact(&self.secrets);
        entry.error.redact(&self.secrets);
        self.write(&entry);
    }

    /// Writes what happened to the starts at a moment, in milliseconds since the first, and what was decided.
    pub(crate) fn decision(&self, at: u64, event: &str, actions: Vec<String>) {
        self.write(&Decision { time: chrono::Utc::now(), at, event: event.to_owned(), actions });
    }

    fn write(&self, entry: &impl Serialize) {
        let Ok(mut line) = serde_json::to_string(entry) else { return };
        line.push('\n');
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = state.file.as_mut() {
            // One write per line: a killed job leaves whole lines.
            drop(file.write_all(line.as_bytes()).and_then(|()| file.flush()));
        } else if state.buffered.len() < MOST_BUFFERED {
            state.buffered.push(line);
        }
    }
}

impl Recorder {
    /// Begins a request; one line is written when the recording ends or is dropped.
    pub(crate) fn begin(&self, method: &str, url: &reqwest::Url, attempt: u32, sent: u64) -> Recording {
        Recording {
            recorder: self.clone(),
            began: Instant::now(),
            entry: Some(Entry {
                time: chrono::Utc::now(),
                method: method.to_owned(),
                host: super::url::host_of(url),
                path: url.path().to_owned(),
                status: None,
                attempt,
                duration: Duration::ZERO,
                bytes: sent,
                error: None,
            }),
            uncounted: 0,
        }
    }
}

/// A request under way. Dropped unfinished, it is recorded as cancelled.
#[derive(Debug)]
pub(crate) struct Recording {
    recorder: Recorder,
    began: Instant,
    entry: Option<Entry>,
    uncounted: u64,
}

impl Recording {
    /// The status that came back.
    pub(crate) fn status(&mut self, status: u16) {
        if let Some(entry) = &mut self.entry {
            entry.status = Some(status);
        }
    }

    /// The counter of bytes, both ways.
    pub(crate) fn bytes(&mut self) -> &mut u64 {
        self.entry.as_mut().map_or(&mut self.uncounted, |entry| &mut entry.bytes)
    }

    /// Writes the line, once.
    pub(crate) fn finish(&mut self, error: Option<&str>) {
        if let Some(mut entry) = self.entry.take() {
            entry.time = chrono::Utc::now();
            entry.duration = self.began.elapsed();
            entry.error = error.map(str::to_owned);
            self.recorder.record(&entry);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.finish(Some("cancelled"));
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_BUFFERED, Recorder};
    use crate::model::Secrets;
    use crate::model::secrets::Owner;

    fn url() -> reqwest::Url {
        reqwest::Url::parse("https://u:p@store.example:8443/bucket/sig-0123456789?X-Amz-Signature=abcdef")
            .unwrap()
    }

    fn lines(path: &std::path::Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn keeps_early_lines_until_a_file_is_attached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diagnostics.jsonl");
        let secrets = Secrets::default();
        secrets.register("sig-0123456789", Owner::User);
        let recorder = Recorder::new(secrets);
        let mut first = recorder.begin("PUT", &url(), 2, 10);
        first.status(403);
        *first.bytes() += 5;
        first.finish(None);
        drop(first);
        recorder.open(&path).unwrap();
        let later = Recorder::new(Secrets::default());
        later.append(&path).unwrap();
        drop(later.begin("GET", &url(), 1, 0));

        let lines = lines(&path);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["method"], "PUT");
        assert_eq!(lines[0]["host"], "store.example:8443");
        assert_eq!(lines[0]["path"], "/bucket/***");
        assert_eq!(lines[0]["status"], 403);
        assert_eq!(lines[0]["attempt"], 2);
        assert_eq!(lines[0]["bytes"], 15);
        assert!(lines[0]["duration_ms"].is_u64());
        assert!(lines[0].get("error").is_none());
        assert_eq!(lines[1]["error"], "cancelled");
        assert!(lines[1].get("status").is_none());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("abcdef") && !text.contains("u:p"), "{text}");
    }

    #[test]
    fn holds_a_bounded_number_of_lines_without_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diagnostics.jsonl");
        let recorder = Recorder::new(Secrets::default());
        for _ in 0..MOST_BUFFERED + 50 {
            recorder.begin("GET", &url(), 1, 0).finish(None);
        }
        recorder.open(&path).unwrap();
        assert_eq!(lines(&path).len(), MOST_BUFFERED);
    }

    #[test]
    fn an_unwritable_file_is_an_error_of_open_alone() {
        let recorder = Recorder::new(Secrets::default());
        assert!(recorder.open(std::path::Path::new("/does/not/exist/diagnostics.jsonl")).is_err());
        recorder.begin("GET", &url(), 1, 0).finish(Some("reset"));
    }
}
