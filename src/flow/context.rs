//! What surrounds the work of one invocation: every step is handed it, and it calls none of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::api::Api;
use crate::ci::{Host, Revision};
use crate::config::{Args, Plan};
use crate::http::{Net, detours};
use crate::model::run_report;
use crate::model::secrets::Owner;
use crate::model::service::SERVICE;
use crate::model::units::{Timestamp, duration};
use crate::model::{Env, Log, Secrets, Workspace};
use crate::upload::{TempFolders, UploadTimeouts};

use super::bug::BrokenAt;
use super::cancel::Cancel;
use super::outputs::Outputs;
use super::records::Records;

/// The budgets of calls and uploads are two minutes at most; a timeout from here on leaves them as they are.
const FULL_BUDGET: Duration = Duration::from_secs(120);
/// A service that says nothing gets that long, however short the timeout is.
const LEAST_BUDGET: Duration = Duration::from_secs(10);

/// How long a silent service is waited for at most, whatever the budget of a call: who gives all runs seconds does not want to
/// wait minutes for an upload that is stuck. What makes progress is never cut short by it: the timeout itself counts from the
/// start of the runs.
pub(super) fn longest_silence(plan: &Plan) -> Option<Duration> {
    Some(plan.wait.timeout.max(LEAST_BUDGET)).filter(|limit| *limit < FULL_BUDGET)
}

/// When the invocation began, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    /// For people.
    pub(super) at: Timestamp,
    /// For durations.
    pub(super) instant: Instant,
}

impl Began {
    /// Now.
    pub(super) fn now() -> Self {
        Self { at: chrono::Utc::now(), instant: Instant::now() }
    }
}

/// What reports need to know of the invocation, whatever it does.
pub(super) struct Reporting {
    pub(super) began: Began,
    /// Commit, branch and the like.
    pub(super) origin: run_report::Context,
    /// The working directory: the host wants paths relative to it.
    pub(super) cwd: PathBuf,
    /// Print data for machines.
    pub(super) json: bool,
    pub(super) outputs: Outputs,
}

/// An invocation before it has a plan.
pub(super) struct Surroundings {
    pub(super) args: Args,
    /// False when the command line could not be understood.
    pub(super) understood: bool,
    pub(super) env: Env,
    pub(super) cwd: PathBuf,
    pub(super) host: Host,
    pub(super) log: Log,
    pub(super) secrets: Secrets,
    pub(super) cancel: Cancel,
    pub(super) reporting: Reporting,
}

impl Surroundings {
    /// Registers a secret and has the host mask all its forms.
    pub(super) fn mask(&self, value: &str, owner: Owner) {
        // Hosts mask within a line, so every line of a value that was pasted wrongly is a secret of its own.
        let lines = value.lines().map(str::trim).filter(|line| *line != value);
        let forms = std::iter::once(value).chain(lines);
        for form in forms.flat_map(|secret| self.secrets.register(secret, owner)) {
            self.log.mask(&form);
        }
    }

    /// Says in one line where the key goes, whenever that is not the service itself by the straight way.
    pub(super) fn say_where(&self, origin: &str, source: &str) {
        let detours = detours(&self.env);
        if origin == SERVICE && detours.is_empty() {
            return;
        }
        let address =
            if origin == SERVICE { origin.to_owned() } else { format!("{origin} (api-url from {source})") };
        let all: Vec<String> = std::iter::once(address).chain(detours).collect();
        self.log.notice(format!("requests go to {}", all.join(", ")));
    }
}

/// An invocation with a plan and a key.
pub(super) struct Context {
    /// All that the user said.
    pub(super) plan: Plan,
    /// Where temporary files may lie.
    pub(super) temp_folders: TempFolders,
    /// True when an earlier job of the pipeline handed on its jobs as outputs, which are no settings.
    pub(super) jobs_handed_on: bool,
    /// Where tests want a bug.
    pub(super) broken_at: BrokenAt,
    /// Where we run.
    pub(super) host: Host,
    pub(super) log: Log,
    /// Everything that must not be shown.
    pub(super) secrets: Secrets,
    /// The one cancel token.
    pub(super) cancel: Cancel,
    pub(super) reporting: Reporting,
    pub(super) net: Net,
    pub(super) api: Api,
    /// What is open on the service.
    pub(super) records: Records,
    /// What is tested; unknown off a CI, so that nothing of a laptop becomes a baseline.
    pub(super) revision: Revision,
    /// What paths of the repository's content have to end in.
    pub(super) workspace: Workspace,
    /// False when the key is known not to read runs.
    pub(super) may_read: bool,
}

impl Context {
    /// The budgets of an upload.
    pub(super) fn upload_timeouts(&self) -> UploadTimeouts {
        longest_silence(&self.plan)
            .map_or_else(UploadTimeouts::default, |limit| UploadTimeouts::default().within(limit))
    }

    /// What a person should know where the host ends the job before our timeout does.
    pub(super) fn warning_of_host_limit(&self) -> Option<String> {
        let timeout = self.plan.wait.timeout;
        let limit = self.host.job_limit().filter(|limit| timeout >= *limit)?;
        Some(format!(
            "timeout is {}, but this host ends the job after {}: set it lower, so that the job can stop its runs and report",
            duration(timeout),
            duration(limit)
        ))
    }

    /// Folders that change while we work.
    pub(super) fn own_folders(&self) -> [PathBuf; 2] {
        [self.plan.report.dir.clone(), self.records.folder().to_owned()]
    }
}
