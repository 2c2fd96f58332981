//! What every part of the story shares: the plan, the host, the service, the cancel token and the state file.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::Api;
use crate::ci::Host;
use crate::config::Plan;
use crate::http::Net;
use crate::model::given::GivenBuilds;
use crate::model::run_report::Context;
use crate::model::units::format_time;
use crate::model::{Details, Env, Log, RunSpec, Secrets, Workspace};

use crate::upload::Patience;

use super::cancel::Cancel;
use super::deliver::{Sinks, Told};
use super::finish;
use super::state::{Place, Record, Standing, StartRecord, StateFile, What};
use super::story::Story;
use super::tags::PostTag;

/// The budgets of calls and uploads are two minutes at most; a timeout from here on leaves them as they are.
const FULL_PATIENCE: Duration = Duration::from_secs(120);
/// A service that says nothing gets that long, however short the timeout is.
const LEAST_PATIENCE: Duration = Duration::from_secs(10);

/// How long a silent service is waited for at most, whatever the budget of a call: who gives all runs seconds does not want to
/// wait minutes for an upload that is stuck. What makes progress is never cut short by it: the timeout itself counts from the
/// start of the runs.
pub(super) fn longest_silence(plan: &Plan) -> Option<Duration> {
    Some(plan.wait.timeout.max(LEAST_PATIENCE)).filter(|limit| *limit < FULL_PATIENCE)
}

/// The surroundings of one invocation.
pub(super) struct Session {
    /// All that the user said.
    pub(super) plan: Plan,
    /// Where we run.
    pub(super) host: Host,
    /// Commit, branch and the like.
    pub(super) context: Context,
    /// What an upload tells of its origin.
    pub(super) details: Details,
    /// The environment, for temporary folders and tokens.
    pub(super) env: Env,
    /// Print data for machines.
    pub(super) json: bool,
    /// The network.
    pub(super) net: Net,
    /// Outputs that were written.
    pub(super) told: Told,
    /// The log.
    pub(super) log: Log,
    /// Everything that must not be shown.
    pub(super) secrets: Secrets,
    /// The service.
    pub(super) api: Api,
    /// The one cancel token.
    pub(super) cancel: Cancel,
    /// What is open on the service.
    pub(super) state: StateFile,
    /// What paths of the repository's content have to end in.
    pub(super) workspace: Workspace,
    /// Where in which pipeline we are.
    pub(super) place: Place,
    /// The invocation tag.
    pub(super) invocation: String,
    /// False when the key is known not to read runs.
    pub(super) may_read: bool,
    /// When we began.
    pub(super) began: finish::Began,
}

impl Session {
    /// The budgets of an upload.
    pub(super) fn patience(&self) -> Patience {
        longest_silence(&self.plan).map_or_else(Patience::default, |limit| Patience::default().within(limit))
    }

    /// Where reports go to.
    pub(super) fn sinks(&self) -> Sinks<'_> {
        Sinks { host: &self.host, log: &self.log, secrets: &self.secrets, told: &self.told }
    }

    /// Folders that change while we work.
    pub(super) fn own_folders(&self) -> [PathBuf; 2] {
        [self.plan.report.dir.clone(), self.state.folder().to_owned()]
    }

    /// A new open record of this place.
    pub(super) fn record(&self, what: What) -> Record {
        Record {
            id: format!("{:016x}", fastrand::u64(..)),
            standing: Standing::Open,
            at: format_time(chrono::Utc::now()),
            place: self.place.clone(),
            api_url: self.plan.origin.clone(),
            project_id: self.plan.project_id.clone(),
            what,
        }
    }

    /// The record of a start that is about to be posted.
    pub(super) fn open_start(&self, spec: &RunSpec, tag: &PostTag, given: &GivenBuilds) -> Record {
        self.record(What::Start(Box::new(StartRecord {
            given: given.clone(),
            ..StartRecord::of(spec, tag.as_str(), &self.invocation)
        })))
    }

    /// Writes a record. Without a state file the job goes on, but `stop` and `wait` elsewhere will not know of it.
    pub(super) fn put(&self, record: &Record) {
        if let Err(error) = self.state.put(record) {
            self.state_trouble(&error);
        }
    }

    /// Gives records another standing.
    pub(super) fn mark(&self, ids: &BTreeSet<String>, standing: Standing) {
        if ids.is_empty() {
            return;
        }
        if let Err(error) = self.state.mark(ids, standing) {
            self.state_trouble(&error);
        }
    }

    fn state_trouble(&self, error: &std::io::Error) {
        self.log.warn(format!(
            "cannot write {}: {error}; a later stop or wait will not know what this job started",
            self.state.path().display()
        ));
    }

    /// Tells the world what is known by now: outputs, and an unfinished report that names what runs.
    pub(super) fn known(&self, story: &Story) {
        finish::publish(self, story);
    }
}
