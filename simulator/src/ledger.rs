//! What happened: the record that tests assert on; touches nothing.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::call::{Call, Host};

/// One request, in the order of arrival.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// Since the start of the simulator.
    pub at: Duration,
    /// When it was answered or broke off; none while it is under way.
    pub ended: Option<Duration>,
    /// Which host it reached.
    pub host: Host,
    /// What it means.
    pub call: Call,
    /// `GET` and so on.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Names of the query parameters; the values may be secrets.
    pub query_names: Vec<String>,
    /// Lower-case names of all headers.
    pub header_names: Vec<String>,
    /// Whether `X-Api-Key` or `Authorization` was there.
    pub key_present: bool,
    /// Of the header, empty when absent.
    pub user_agent: String,
    /// Status sent; none while it is being answered, and for resets and stalls.
    pub status: Option<u16>,
    /// The fault that hit it.
    pub fault: Option<String>,
    /// JSON body of an API call.
    pub body: Option<Value>,
}

/// One start that took effect, whether or not the client learned of it.
#[derive(Debug, Clone, Serialize)]
pub struct StartRecord {
    /// Since the start of the simulator.
    pub at: Duration,
    /// [`Call::StartRun`] or [`Call::StartPlan`].
    pub call: Call,
    /// The body as it arrived.
    pub body: Value,
    /// `additional_tags`.
    pub tags: Vec<String>,
    /// The jobs it made.
    pub job_ids: Vec<String>,
    /// The execution of a plan.
    pub execution_id: Option<String>,
    /// The build that was used.
    pub build_id: Option<String>,
}

/// One job as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct JobRecord {
    /// UUID.
    pub job_id: String,
    /// All attempts that have begun.
    pub run_ids: Vec<String>,
    /// The test.
    pub test_id: String,
    /// Its name.
    pub test_name: String,
    /// Tags of the start.
    pub tags: Vec<String>,
    /// Upper case.
    pub status: String,
    /// Whether lists and look-ups know it by now.
    pub visible: bool,
    /// Of the last attempt, when it is over.
    pub result: Option<String>,
    /// Since the start of the simulator.
    pub created_at: Duration,
    /// When it reached COMPLETED.
    pub finished_at: Option<Duration>,
    /// `api` or `dashboard`, when it was stopped.
    pub stopped_by: Option<String>,
    /// When the stop took effect.
    pub stopped_at: Option<Duration>,
    /// How often somebody asked to stop it.
    pub stop_requests: u32,
}

impl JobRecord {
    /// Still costs device time, and nobody has asked it to stop.
    #[must_use]
    pub fn is_running_free(&self) -> bool {
        self.finished_at.is_none() && self.stopped_by.is_none()
    }
}

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// Reserved, bytes may arrive.
    Open,
    /// Completed.
    Complete,
    /// Cancelled by the client.
    Cancelled,
    /// Given up by the service.
    TimedOut,
    /// Completed, then deleted (by the client or to make room).
    Deleted,
}

/// What arrived for one part.
#[derive(Debug, Clone, Serialize)]
pub struct PartRecord {
    /// From 1; a single upload is the part 1.
    pub number: u32,
    /// Bytes this part must have.
    pub expected: u64,
    /// Bytes over all attempts, broken ones included.
    pub received: u64,
    /// How many `PUT`s reached storage.
    pub attempts: u32,
    /// Whether a whole copy is stored.
    pub stored: bool,
}

/// One build.
#[derive(Debug, Clone, Serialize)]
pub struct BuildRecord {
    /// UUID.
    pub build_id: String,
    /// The body of the first request.
    pub request: Value,
    /// Display name.
    pub name: String,
    /// File name.
    pub file_name: String,
    /// Bytes.
    pub size: u64,
    /// Tags.
    pub tags: Vec<String>,
    /// Where the upload stands.
    pub state: UploadState,
    /// More than one part was asked for.
    pub multipart: bool,
    /// The secret of a multipart upload; not for files.
    #[serde(skip)]
    pub upload_id: Option<String>,
    /// Parts of which something arrived.
    pub parts: Vec<PartRecord>,
    /// SHA-256 of the stored file in lower-case hex, when complete.
    pub sha256: Option<String>,
}

/// Everything that happened so far.
#[derive(Debug, Clone, Serialize)]
pub struct Ledger {
    /// Requests in the order of arrival.
    pub requests: Vec<RequestRecord>,
    /// Starts that took effect.
    pub starts: Vec<StartRecord>,
    /// Jobs in the order of their start.
    pub jobs: Vec<JobRecord>,
    /// Builds in the order of their creation.
    pub builds: Vec<BuildRecord>,
    /// Rules that a client broke, such as a key sent to storage.
    pub violations: Vec<String>,
}

impl Ledger {
    /// How many starts took effect.
    #[must_use]
    pub fn effective_starts(&self) -> usize {
        self.starts.len()
    }

    /// Jobs that have not reached COMPLETED, stopping ones included.
    #[must_use]
    pub fn unfinished_jobs(&self) -> Vec<&JobRecord> {
        self.jobs.iter().filter(|j| j.finished_at.is_none()).collect()
    }

    /// Jobs that neither are over nor were asked to stop: what a cancelled pipeline must not leave.
    #[must_use]
    pub fn abandoned_jobs(&self) -> Vec<&JobRecord> {
        self.jobs.iter().filter(|j| j.is_running_free()).collect()
    }

    /// Uploads that were neither completed nor cancelled.
    #[must_use]
    pub fn open_uploads(&self) -> Vec<&BuildRecord> {
        self.builds.iter().filter(|b| b.state == UploadState::Open).collect()
    }

    /// Builds that were completed and not deleted.
    #[must_use]
    pub fn complete_builds(&self) -> Vec<&BuildRecord> {
        self.builds.iter().filter(|b| b.state == UploadState::Complete).collect()
    }

    /// SHA-256 of a completed build.
    #[must_use]
    pub fn build_digest(&self, build_id: &str) -> Option<&str> {
        self.builds.iter().find(|b| b.build_id == build_id)?.sha256.as_deref()
    }

    /// All requests that `call` (a call or a group of calls) covers.
    #[must_use]
    pub fn requests_to(&self, call: Call) -> Vec<&RequestRecord> {
        self.requests.iter().filter(|r| call.covers(r.call, r.host)).collect()
    }

    /// How many requests `call` covers.
    #[must_use]
    pub fn count(&self, call: Call) -> usize {
        self.requests_to(call).len()
    }
}
