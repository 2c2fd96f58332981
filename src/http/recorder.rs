//! The flight recorder: one JSON line for every request in `diagnostics.jsonl`, without query strings and secrets.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::model::Secrets;
use crate::model::units::{self, Timestamp};

/// Lines that are kept until a file is attached.
const MOST_BUFFERED: usize = 1_000;

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// When it ended.
    #[serde(serialize_with = "time")]
    pub time: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Host, with its port when it is not the usual one.
    pub host: String,
    /// Path without query.
    pub path: String,
    /// HTTP status, when there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From 1.
    pub attempt: u32,
    /// How long it took.
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub duration: Duration,
    /// Bytes of the body that was sent and of the one that came back.
    pub bytes: u64,
    /// What went wrong, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn time<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A cheap handle on the recorder. Recording never fails a call: a full disk must not lose a run.
#[derive(Debug, Clone)]
pub struct Recorder {
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
    #[must_use]
    pub fn new(secrets: Secrets) -> Self {
        Self { state: Arc::default(), secrets }
    }

    /// Attaches the file (created or emptied) and writes what was kept.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
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
        let Ok(mut line) = serde_json::to_string(entry) else { return };
        line = self.secrets.redact(&line).into_owned();
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

impl Entry {
    /// An entry that ends now.
    pub(crate) fn now(
        method: &str,
        host: String,
        path: &str,
        attempt: u32,
        duration: Duration,
        bytes: u64,
    ) -> Self {
        Self {
            time: units::Timestamp::from(std::time::SystemTime::now()),
            method: method.to_owned(),
            host,
            path: path.to_owned(),
            status: None,
            attempt,
            duration,
            bytes,
            error: None,
        }
    }
}
