//! The state file: what this place in the pipeline has open on the service, for `wait`, `stop` and a repeated attempt.
//!
//! One record for each start and upload, written before the request that costs something and again after it. Readable by its
//! owner only. It may hold an `upload_id`, never the key and never a presigned URL. Several processes may use it at once:
//! every change is made under a lock and lands by a rename.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{self, Readers};
use crate::model::given::GivenBuilds;
use crate::model::{Log, RunSpec, Target};

use super::cancel::Cancel;
use super::state_lock::Lock;

/// Name of the file in its folder.
const FILE_NAME: &str = "state.json";
/// Name of the file that is locked while records are changed.
const LOCK_NAME: &str = "state.lock";
/// Layout of the file.
const VERSION: u32 = 1;
/// Finished records kept for the curious; older ones are dropped.
const KEEP_DONE: usize = 50;
/// A state file larger than this is not ours.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Where in which pipeline a record was made. Empty strings where the host has no such thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// CI run.
    #[serde(default)]
    pub(super) run: String,
    /// CI job.
    #[serde(default)]
    pub(super) job: String,
    /// Leg of a matrix.
    #[serde(default)]
    pub(super) matrix: String,
    /// Step of the job.
    #[serde(default)]
    pub(super) step: String,
    /// Attempt of the CI run.
    #[serde(default)]
    pub(super) attempt: String,
}

impl Place {
    /// True for records of the same job: steps of one job share their safety net.
    pub(super) fn same_job(&self, other: &Self) -> bool {
        self.run == other.run && self.job == other.job && self.matrix == other.matrix
    }

    /// The parts that stay the same over attempts.
    pub(super) fn parts(&self) -> [&str; 4] {
        [&self.run, &self.job, &self.matrix, &self.step]
    }
}

/// How far a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordStatus {
    /// Somebody is at it, or died at it.
    Open,
    /// Left running on purpose (`start`, `wait: false`, `on_cancel: leave`, `on_timeout: leave`).
    Left,
    /// Finished, stopped, cancelled or never begun.
    Done,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum What {
    /// An upload with a reservation on the service.
    Upload {
        /// Build it is for.
        build_id: String,
        /// Where in storage.
        object_key: String,
        /// Of multipart uploads; a secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload_id: Option<String>,
    },
    /// A start.
    Start(Box<StartRecord>),
}

/// A start, posted or about to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartRecord {
    /// Label of the run entry.
    pub(super) label: String,
    /// `false`: it cannot fail the job.
    pub(super) required: bool,
    /// The post tag.
    pub(super) tag: String,
    /// The invocation tag.
    pub(super) invocation: String,
    /// Jobs of it; empty while the answer has not come.
    #[serde(default)]
    pub(super) job_ids: Vec<String>,
    /// Runs of it, where the service speaks its oldest language and gives no jobs to poll.
    #[serde(default)]
    pub(super) run_ids: Vec<String>,
    /// Devices the start named, by job id.
    #[serde(default)]
    pub(super) devices: Vec<(String, String)>,
    /// Of plans.
    #[serde(default)]
    pub(super) test_plan_execution_id: Option<String>,
    /// Builds it was started with.
    #[serde(default)]
    pub(super) given: GivenBuilds,
    /// Deployment configuration.
    #[serde(default)]
    pub(super) deployment_config: Option<String>,
    /// All its deployment configurations; empty in records of older versions.
    #[serde(default)]
    pub(super) configuration: String,
    /// Instances of the test that were asked for; `None` where nobody knows.
    #[serde(default)]
    pub(super) instances: Option<usize>,
    /// Test plan that was started.
    #[serde(default)]
    pub(super) test_plan_id: Option<String>,
    /// True when `job_ids` or `run_ids` are all there are.
    #[serde(default)]
    pub(super) complete: bool,
    /// True when it was given up for a later post: whatever it started is to be stopped.
    #[serde(default)]
    pub(super) abandoned: bool,
    /// Runs that the service started, as it counts.
    #[serde(default)]
    pub(super) started: Option<u64>,
}

impl StartRecord {
    /// The record of a start of `spec` before anything is known of it.
    pub(super) fn of(spec: &RunSpec, tag: &str, invocation: &str) -> Self {
        Self {
            label: spec.label.clone(),
            required: spec.required,
            tag: tag.to_owned(),
            invocation: invocation.to_owned(),
            deployment_config: spec.deployment_config.clone(),
            configuration: spec.configuration(),
            instances: (!spec.all_configured_devices).then(|| spec.asked()),
            test_plan_id: match &spec.target {
                Target::Plan(id) => Some(id.clone()),
                Target::Test(_) | Target::Instructions(_) => None,
            },
            ..Self::default()
        }
    }

    /// What its jobs are known by: their ids, or those of their runs where none is told.
    pub(super) fn ids(&self) -> Vec<String> {
        if self.run_ids.is_empty() {
            return self.job_ids.clone();
        }
        let id = |(place, run): (usize, &String)| self.job_ids.get(place).unwrap_or(run).clone();
        self.run_ids.iter().enumerate().map(id).collect()
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Unique within the file.
    pub(super) id: String,
    /// How far it is.
    #[serde(rename = "standing")]
    pub(super) status: RecordStatus,
    /// When it was made.
    pub(super) at: String,
    /// Where it was made.
    pub(super) place: Place,
    /// Service it was made at.
    pub(super) api_url: String,
    /// Project, when one was named.
    #[serde(default)]
    pub(super) project_id: Option<String>,
    /// What it is about.
    #[serde(flatten)]
    pub(super) what: What,
}

impl Record {
    /// The start it is about, if it is about one.
    pub(super) fn start_mut(&mut self) -> Option<&mut StartRecord> {
        match &mut self.what {
            What::Start(start) => Some(start),
            What::Upload { .. } => None,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    version: u32,
    #[serde(default)]
    records: Vec<Record>,
}

/// The state file of one folder.
#[derive(Debug, Clone)]
pub(super) struct StateFile {
    folder: PathBuf,
    lock: Lock,
    /// What lies there since the checkout.
    committed: Option<Vec<u8>>,
}

impl StateFile {
    /// The state file in `folder`, which is made when something is written.
    pub(super) fn new(folder: PathBuf, cancel: Cancel, log: Log) -> Self {
        let lock = Lock::new(folder.join(LOCK_NAME), cancel, log);
        Self { folder, lock, committed: None }
    }

    /// Leaves out what `is_committed` says the checkout brought: its mode tells nothing where the umask lets nobody else read, or where
    /// there are no modes.
    pub(super) fn without_committed(self, is_committed: impl FnOnce(&Path) -> bool) -> Self {
        let path = self.path();
        let committed = path.is_file() && is_committed(&path);
        Self { committed: committed.then(|| disk::read(&path, LARGEST).ok()).flatten(), ..self }
    }

    /// The folder it lies in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it lies.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// All records, oldest first; none when there is no file yet.
    pub(super) fn records(&self) -> io::Result<Vec<Record>> {
        self.refuse_link()?;
        // Without a lock file nobody ever wrote here; while another holds the lock, what lies there is its own.
        let lock = self.lock.path();
        if lock.is_file()
            && let Ok(lock) = disk::lock_file(lock)
            && lock.try_lock().is_ok()
        {
            disk::sweep(&self.path());
        }
        self.read(&self.path())
    }

    /// A folder that is a link came from elsewhere, and leads to where we have not written.
    fn refuse_link(&self) -> io::Result<()> {
        if std::fs::symlink_metadata(&self.folder).is_ok_and(|about| about.is_symlink()) {
            return Err(foreign(&self.folder, "it is a link"));
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<Record>> {
        match disk::read_private(path, LARGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(bytes) if self.committed.as_ref() == Some(&bytes) => {
                Err(foreign(path, "the checkout brought it"))
            }
            Ok(bytes) => parse(&bytes),
        }
    }

    /// Adds `record`, or replaces the one with its id.
    pub(super) fn put(&self, record: &Record) -> io::Result<()> {
        self.change(|records| {
            if let Some(old) = records.iter_mut().find(|old| old.id == record.id) {
                *old = record.clone();
            } else {
                records.push(record.clone());
            }
        })
    }

    /// Gives the records with these ids that are not done yet another status.
    pub(super) fn mark(&self, ids: &BTreeSet<String>, status: RecordStatus) -> io::Result<()> {
        self.change(|records| {
            for record in records.iter_mut().filter(|record| ids.contains(&record.id)) {
                if record.status != RecordStatus::Done {
                    record.status = status;
                }
            }
        })
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Record>)) -> io::Result<()> {
        self.refuse_link()?;
        disk::folder(&self.folder, Readers::Owner)?;
        let lock = self.lock.take()?;
        let path = self.path();
        if lock.is_some() {
            // What a killed process left half written may hold an upload id, and nobody needs it.
            disk::sweep(&path);
        }
        // A file that is not ours, or was cut short by a full disk, must not stop us from recording what costs money.
        let mut records = self.read(&path).unwrap_or_default();
        change(&mut records);
        drop_old(&mut records);
        let text =
            serde_json::to_vec_pretty(&Contents { version: VERSION, records }).map_err(io::Error::other)?;
        let fresh = disk::prepare(&path, &text, Readers::Owner)?;
        fresh.file().sync_data()?;
        fresh.place()?;
        drop(lock);
        Ok(())
    }
}

fn foreign(path: &Path, why: &str) -> io::Error {
    let what = format!("{} was not written by nunu-ci: {why}", path.display());
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}

/// The records of a state file.
pub(super) fn parse(bytes: &[u8]) -> io::Result<Vec<Record>> {
    let contents: Contents = serde_json::from_slice(bytes).map_err(io::Error::other)?;
    if contents.version != VERSION {
        return Err(io::Error::other(format!(
            "the state file has version {}, this program knows {VERSION}",
            contents.version
        )));
    }
    Ok(contents.records)
}

fn drop_old(records: &mut Vec<Record>) {
    let done = records.iter().filter(|record| record.status == RecordStatus::Done).count();
    let mut too_many = done.saturating_sub(KEEP_DONE);
    records.retain(|record| {
        let drop = too_many > 0 && record.status == RecordStatus::Done;
        too_many -= usize::from(drop);
        !drop
    });
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        BTreeSet, Cancel, KEEP_DONE, Log, PathBuf, Place, Record, RecordStatus, StartRecord, StateFile, What,
    };

    fn at(folder: PathBuf) -> StateFile {
        StateFile::new(folder, Cancel::default(), Log::silent())
    }

    fn record(id: &str, status: RecordStatus) -> Record {
        Record {
            id: id.to_owned(),
            status,
            at: "2026-01-01T00:00:00Z".to_owned(),
            place: Place { run: "1".to_owned(), ..Place::default() },
            api_url: "https://nunu.ai".to_owned(),
            project_id: None,
            what: What::Start(Box::new(StartRecord { label: "smoke".to_owned(), ..StartRecord::default() })),
        }
    }

    fn ids(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.id.as_str()).collect()
    }

    #[test]
    fn keeps_records_over_processes() {
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().join("deep/.nunu-state"));
        assert_eq!(state.records().unwrap(), []);
        let mut first = record("a", RecordStatus::Open);
        state.put(&first).unwrap();
        state.put(&record("b", RecordStatus::Open)).unwrap();
        first.status = RecordStatus::Left;
        state.put(&first).unwrap();
        let again = at(home.path().join("deep/.nunu-state"));
        let records = again.records().unwrap();
        assert_eq!(ids(&records), ["a", "b"]);
        assert_eq!(records[0].status, RecordStatus::Left);
        state.mark(&BTreeSet::from(["b".to_owned()]), RecordStatus::Done).unwrap();
        state.mark(&BTreeSet::from(["b".to_owned()]), RecordStatus::Open).unwrap();
        assert_eq!(again.records().unwrap()[1].status, RecordStatus::Done, "what is done stays done");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().to_owned());
        state.put(&record("a", RecordStatus::Open)).unwrap();
        assert_eq!(fs::metadata(state.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn reads_no_device_and_writes_through_no_link() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().join("state"));
        fs::create_dir(home.path().join("state")).unwrap();
        symlink("/dev/zero", state.path()).unwrap();
        assert!(state.records().unwrap_err().to_string().contains("no regular file"));
        state.put(&record("a", RecordStatus::Open)).unwrap();
        assert_eq!(ids(&state.records().unwrap()), ["a"]);

        symlink(home.path().join("theirs"), home.path().join("state/state.lock")).unwrap_err();
        fs::remove_file(home.path().join("state/state.lock")).unwrap();
        symlink(home.path().join("theirs"), home.path().join("state/state.lock")).unwrap();
        assert!(state.put(&record("b", RecordStatus::Open)).is_err());
        assert!(!home.path().join("theirs").exists());
    }

    /// What a checkout brings is readable by everyone: a pull request names no jobs to go on with or to stop.
    #[cfg(unix)]
    #[test]
    fn a_file_that_came_with_the_repository_is_not_ours() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().to_owned());
        state.put(&record("planted", RecordStatus::Open)).unwrap();
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(state.records().unwrap_err().to_string().contains("not written by nunu-ci"));
        state.put(&record("a", RecordStatus::Open)).unwrap();
        assert_eq!(ids(&state.records().unwrap()), ["a"]);
    }

    #[test]
    fn survives_a_file_that_was_cut_short() {
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().to_owned());
        fs::write(state.path(), b"{\"version\":1,\"reco").unwrap();
        assert!(state.records().is_err());
        state.put(&record("a", RecordStatus::Open)).unwrap();
        assert_eq!(ids(&state.records().unwrap()), ["a"]);
    }

    #[test]
    fn what_a_killed_process_left_half_written_is_taken_away() {
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().to_owned());
        state.put(&record("a", RecordStatus::Open)).unwrap();
        let left = home.path().join(".state.json.4711.tmp");
        for look in [true, false] {
            fs::write(&left, b"half a record with an upload id").unwrap();
            if look {
                assert_eq!(ids(&state.records().unwrap()), ["a"]);
            } else {
                state.put(&record("b", RecordStatus::Open)).unwrap();
            }
            assert!(!left.exists());
        }
        assert_eq!(ids(&state.records().unwrap()), ["a", "b"]);
    }

    #[test]
    fn forgets_old_finished_records_but_never_open_ones() {
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().to_owned());
        state.put(&record("open", RecordStatus::Open)).unwrap();
        for number in 0..KEEP_DONE + 5 {
            state.put(&record(&format!("done-{number}"), RecordStatus::Done)).unwrap();
        }
        let records = state.records().unwrap();
        assert_eq!(records.len(), KEEP_DONE + 1);
        assert_eq!(ids(&records)[..2], ["open", "done-5"]);
    }

    #[test]
    fn writers_do_not_lose_each_others_records() {
        let home = tempfile::tempdir().unwrap();
        let state = at(home.path().to_owned());
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let state = state.clone();
                scope.spawn(move || {
                    for number in 0..10 {
                        state.put(&record(&format!("{writer}-{number}"), RecordStatus::Open)).unwrap();
                    }
                });
            }
        });
        assert_eq!(state.records().unwrap().len(), 40);
    }
}
