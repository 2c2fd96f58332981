//! The records of this place in the pipeline: what it has open on one project of one service.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::given::GivenBuilds;
use crate::model::units::format_time;
use crate::model::{Log, RunSpec};

use super::place_tags::run_tag;
use super::state_file::{Place, Record, RecordStatus, StartRecord, StateFile, What};
use super::tags::{PostTag, invocation_tag};

/// What this place writes into the state file, and reads from it.
pub(super) struct Records {
    file: StateFile,
    /// Where in which pipeline we are.
    pub(super) place: Place,
    /// The tag that all starts of this place carry.
    pub(super) invocation: String,
    /// The tag that all starts of the CI run carry, where it has a name.
    pub(super) run: Option<String>,
    api_url: String,
    project_id: Option<String>,
    log: Log,
}

impl Records {
    /// The records that `place`, in a CI of that name, has at a service.
    pub(super) fn new(
        file: StateFile,
        place: Place,
        ci: &str,
        api_url: &str,
        project_id: Option<&str>,
        log: Log,
    ) -> Self {
        let nonce = if place.run.is_empty() { format!("{:016x}", fastrand::u64(..)) } else { String::new() };
        let mut parts: Vec<&str> = place.parts().to_vec();
        parts.extend([ci, api_url, project_id.unwrap_or_default(), nonce.as_str()]);
        let invocation = invocation_tag(&parts);
        let run = (!place.run.is_empty()).then(|| run_tag(&[ci, &place.run]));
        Self {
            file,
            place,
            invocation,
            run,
            api_url: api_url.to_owned(),
            project_id: project_id.map(str::to_owned),
            log,
        }
    }

    /// The folder of the state file.
    pub(super) fn folder(&self) -> &Path {
        self.file.folder()
    }

    /// The state file.
    pub(super) fn path(&self) -> PathBuf {
        self.file.path()
    }

    /// Every record that was made for the same project of the same service, oldest first.
    pub(super) fn all(&self) -> io::Result<Vec<Record>> {
        let mut records = self.file.records()?;
        records.retain(|record| record.api_url == self.api_url && record.project_id == self.project_id);
        Ok(records)
    }

    /// A new open record of this place.
    pub(super) fn open(&self, what: What) -> Record {
        Record {
            id: format!("{:016x}", fastrand::u64(..)),
            status: RecordStatus::Open,
            at: format_time(chrono::Utc::now()),
            place: self.place.clone(),
            api_url: self.api_url.clone(),
            project_id: self.project_id.clone(),
            what,
        }
    }

    /// The record of a start that is about to be posted.
    pub(super) fn open_start(&self, spec: &RunSpec, tag: &PostTag, given: &GivenBuilds) -> Record {
        self.open(What::Start(Box::new(StartRecord {
            given: given.clone(),
            ..StartRecord::of(spec, tag.as_str(), &self.invocation)
        })))
    }

    /// Writes a record. Without a state file the job goes on, but `stop` and `wait` elsewhere will not know of it.
    pub(super) fn put(&self, record: &Record) {
        self.written(self.file.put(record));
    }

    /// Gives records another status.
    pub(super) fn mark(&self, ids: &BTreeSet<String>, status: RecordStatus) {
        if !ids.is_empty() {
            self.written(self.file.mark(ids, status));
        }
    }

    fn written(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.log.warn(format!(
                "cannot write {}: {error}; a later stop or wait will not know what this job started",
                self.path().display()
            ));
        }
    }
}
