//! What a simulator remembers over several invocations: its jobs, in a folder; touches that folder alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::jobs::Job;

/// The folder, and what lies in it.
#[derive(Debug)]
pub(crate) struct Memory {
    file: PathBuf,
}

/// Jobs with their times since a beginning.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// Microseconds since 1970.
    began: i64,
    pub(crate) jobs: Vec<Job>,
}

impl Remembered {
    /// When the first simulator with this memory began.
    pub(crate) fn began(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.began)
    }
}

impl Memory {
    /// The memory in a folder, which is made where it is missing, and what it holds.
    ///
    /// # Errors
    /// The folder cannot be made or read, or holds something else.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Option<Remembered>)> {
        fs::create_dir_all(folder)?;
        let file = folder.join("jobs.json");
        let held = match fs::read(&file) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok((Self { file }, held))
    }

    /// Remembers all jobs.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn save(&self, clock: &Clock, jobs: &[Job]) -> io::Result<()> {
        let remembered = Remembered { began: clock.base().timestamp_micros(), jobs: jobs.to_vec() };
        let next = self.file.with_extension("next");
        fs::write(&next, serde_json::to_vec(&remembered)?)?;
        fs::rename(next, &self.file)
    }
}
