//! Everything that is known about an invocation when it ends: the one input of every renderer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::build::Build;
use super::exit_reason::ExitReason;
use super::failure::Failure;
use super::job::Job;
use super::json_values;
use super::units::Timestamp;
use super::verdict::{Counts, Gate, Verdict};

/// The name of a command. It has a name of its own, since serde would borrow a plain `&str` from the text that is read.
pub(crate) type CommandName = &'static str;

/// All of one invocation, with the names that it has in `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RunReport {
    /// The command that ran: `run`, `upload`, `start`, `wait`, `stop` or `check`.
    #[serde(deserialize_with = "json_values::command")]
    pub(crate) command: CommandName,
    /// Why it ended; fixes exit code and status.
    #[serde(rename = "exit_reason")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) reason: ExitReason,
    /// When it began.
    #[serde(with = "json_values::time")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) started_at: Timestamp,
    /// When the report was made.
    #[serde(with = "json_values::time")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) finished_at: Timestamp,
    /// From the first to the last, on the monotonic clock.
    #[serde(rename = "duration_seconds", with = "json_values::seconds")]
    #[cfg_attr(test, schemars(with = "f64"))]
    pub(crate) duration: Duration,
    /// Where it ran.
    pub(crate) context: Context,
    /// Files of this run in the results folder, with `/`: the next run there removes these and no others.
    pub(crate) files: Vec<String>,
    /// Address of the page for people, where the host tells it.
    pub(crate) page_url: Option<String>,
    /// The build; `None` until one was looked at.
    pub(crate) build: Option<Build>,
    /// Every test of every start, in the order of the run config: a job, or one instance of it.
    #[serde(skip_serializing)]
    pub(crate) jobs: Vec<Job>,
    /// Starts that are not jobs: refused, of unknown fate, or incomplete.
    #[serde(rename = "start_problems")]
    pub(crate) starts: Vec<StartProblem>,
    /// The gate that was set; `None` until there was a plan.
    pub(crate) gate: Option<Gate>,
    /// What the gate says of the jobs; `None` when nothing was waited for. Whoever reads a report asks the judge again.
    #[serde(skip)]
    pub(crate) verdict: Option<Verdict>,
    /// An error of our own, when there is one; its reason wins over the verdict's.
    pub(crate) failure: Option<Failure>,
    /// Jobs that may still run on the service although we wanted them stopped, with the tag they carry.
    pub(crate) left_running: Vec<LeftRunning>,
    /// Commits since the baseline of the first test that fails anew, the newest first, where the checkout shows them.
    pub(crate) suspects: Vec<Suspect>,
    /// Things to look at that changed nothing, in the order they happened.
    pub(crate) warnings: Vec<String>,
    /// Id of the first plan execution, when a plan was started.
    pub(crate) test_plan_execution_id: Option<String>,
    /// The run config as the user named it, when it is a file.
    pub(crate) run_config: Option<String>,
    /// True while the job goes on: a killed job leaves this report behind, which must not look green.
    pub(crate) unfinished: bool,
}

/// Where the job ran and what it tested.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Context {
    /// `github-actions`, `gitlab-ci`, `jenkins`, ... or `none`.
    pub(crate) ci: String,
    /// Link to the CI run.
    pub(crate) ci_url: Option<String>,
    /// Full commit hash under test.
    pub(crate) commit: Option<String>,
    /// First line of the commit's message.
    pub(crate) commit_subject: Option<String>,
    /// Branch under test.
    pub(crate) branch: Option<String>,
    /// Pull or merge request number.
    pub(crate) pull_request: Option<u64>,
    /// Its title.
    pub(crate) pull_request_title: Option<String>,
    /// Link to the repository.
    pub(crate) repository_url: Option<String>,
    /// The number of the CI run that people see.
    pub(crate) build_number: Option<String>,
}

/// A commit that may have broken a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Suspect {
    /// Its short hash.
    pub(crate) commit: String,
    /// The first line of its message.
    pub(crate) subject: String,
}

/// A start that did not give all its jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct StartProblem {
    /// Label of the run entry.
    pub(crate) run: String,
    /// Device, when only one of several failed.
    pub(crate) device: Option<String>,
    /// What happened, in words.
    pub(crate) message: String,
    /// The tag of the start, for a person who looks it up.
    pub(crate) tag: Option<String>,
}

/// Something that may still cost money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LeftRunning {
    /// Job ids; empty when the start's answer never came.
    pub(crate) job_ids: Vec<String>,
    /// Tag the jobs carry.
    pub(crate) tag: Option<String>,
    /// Why it could not be stopped.
    pub(crate) why: String,
}

impl RunReport {
    /// How many tests came to what; without a verdict where nothing was judged.
    pub(crate) fn counts(&self) -> Counts {
        self.verdict.as_ref().map_or_else(
            || Counts { total: self.jobs.len(), no_verdict: self.jobs.len(), ..Counts::default() },
            Verdict::counts,
        )
    }

    /// Distinct bugs of the deciding runs, quarantined ones included; the output `bugs-total`.
    pub(crate) fn bugs_total(&self) -> usize {
        self.verdict.as_ref().map_or(0, Verdict::bugs_total)
    }
}
