//! Builds: from the reservation to the finished file; touches nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Moment;
use crate::ledger::UploadState;

/// How the bytes arrive.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Single,
    /// `secret` is what clients call the upload id, `upload` what storage calls it.
    Multi {
        secret: String,
        upload: String,
        part_size: u64,
        parts: u32,
    },
}

/// What arrived for one part; a single upload has the part 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// Of the last complete `PUT`, without quotes.
    pub(crate) etag: Option<String>,
    pub(crate) size: u64,
    /// Over all attempts, broken ones included.
    pub(crate) received: u64,
    pub(crate) attempts: u32,
}

/// One build, from the first request on.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) id: String,
    pub(crate) request: Value,
    pub(crate) name: String,
    pub(crate) file_name: String,
    pub(crate) size: u64,
    pub(crate) platform: String,
    pub(crate) tags: Vec<String>,
    pub(crate) kind: Kind,
    pub(crate) created: Moment,
    pub(crate) deadline: Moment,
    pub(crate) state: UploadState,
    pub(crate) completed: Option<Moment>,
    pub(crate) parts: BTreeMap<u32, Part>,
    /// SHA-256 of the stored file, once somebody asked for it.
    pub(crate) digest: Option<String>,
}

impl Build {
    /// The key clients are told; storage uses a short one.
    pub(crate) fn object_key(&self) -> String {
        format!("{}/{}", self.id, self.file_name)
    }

    /// Where the bytes lie in the bucket.
    pub(crate) fn storage_key(&self) -> String {
        format!("{}/build", self.id)
    }

    /// Marks an upload that took too long.
    pub(crate) fn expire(&mut self, now: Moment) {
        if self.state == UploadState::Open && now >= self.deadline {
            self.state = UploadState::TimedOut;
        }
    }

    /// The number of parts, 1 for a single upload.
    pub(crate) fn total_parts(&self) -> u32 {
        match self.kind {
            Kind::Single => 1,
            Kind::Multi { parts, .. } => parts,
        }
    }

    /// The exact length of a part, or none when there is no such part.
    pub(crate) fn part_length(&self, number: u32) -> Option<u64> {
        match self.kind {
            Kind::Single => (number == 1).then_some(self.size),
            Kind::Multi { part_size, parts, .. } => (1..=parts).contains(&number).then(|| {
                let start = u64::from(number - 1) * part_size;
                part_size.min(self.size - start)
            }),
        }
    }

    /// `OK`, `uploading` and so on.
    pub(crate) fn status(&self, now: Moment, ready_after: Duration, status: &str) -> String {
        match (self.state, self.completed) {
            (UploadState::Complete, Some(at)) if now >= at + ready_after => status.to_owned(),
            (UploadState::Complete | UploadState::Open, _) => "uploading".to_owned(),
            _ => "failed".to_owned(),
        }
    }

    /// Why the upload cannot be completed with these parts, if it cannot.
    pub(crate) fn missing(&self, given: Option<&[(u32, String)]>) -> Option<String> {
        match (&self.kind, given) {
            (Kind::Single, _) => {
                let whole = self.parts.get(&1).is_some_and(|p| p.etag.is_some() && p.size == self.size);
                (!whole).then(|| "file has not been uploaded".to_owned())
            }
            (Kind::Multi { .. }, None) => Some("parts is required".to_owned()),
            (Kind::Multi { parts, .. }, Some(given)) => {
                let ascending = given.iter().map(|(n, _)| *n).eq(1..=*parts);
                if !ascending {
                    return Some(format!("parts must be 1 to {parts} in ascending order"));
                }
                given.iter().find_map(|(number, etag)| {
                    let have = self.parts.get(number).and_then(|p| p.etag.as_deref());
                    (have != Some(etag.trim_matches('"')))
                        .then(|| format!("part {number} does not match its etag"))
                })
            }
        }
    }
}
