//! The plan: everything the user said, resolved once. After it nobody reads arguments, environment or YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::model::verdict::Gate;
use crate::model::{ApiKey, BuildSpec, Permission, RunSpec};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Command {
    /// The whole job.
    #[default]
    Run,
    /// Upload only.
    Upload,
    /// Start only.
    Start,
    /// Wait for recorded or named jobs.
    Wait,
    /// Stop recorded or named jobs.
    Stop,
    /// Validate and prove, change nothing.
    Check,
    /// Write starter files.
    Init,
    /// Make all report files again.
    Report,
    /// Tell what an exit reason means.
    Explain,
    /// Print a script that completes words in a shell.
    Completions,
    /// Print a JSON Schema.
    Schema,
}

impl Command {
    /// Every command, in the order of the documentation.
    pub(crate) const ALL: [Self; 11] = [
        Self::Run,
        Self::Upload,
        Self::Start,
        Self::Wait,
        Self::Stop,
        Self::Check,
        Self::Report,
        Self::Init,
        Self::Explain,
        Self::Completions,
        Self::Schema,
    ];

    /// Its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Upload => "upload",
            Self::Start => "start",
            Self::Wait => "wait",
            Self::Stop => "stop",
            Self::Check => "check",
            Self::Report => "report",
            Self::Init => "init",
            Self::Explain => "explain",
            Self::Completions => "completions",
            Self::Schema => "schema",
        }
    }

    /// True for commands that leave files in the results folder.
    pub(crate) const fn reports(self) -> bool {
        matches!(self, Self::Run | Self::Upload | Self::Start | Self::Wait | Self::Report)
    }

    /// The command of that name.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == raw)
    }
}

/// How often jobs are looked at; the setting `wait.poll`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poll {
    /// Dense at first, then thinning out: at most 60 looks in the first ten minutes, one every 30 s afterwards.
    Auto,
    /// Always the same, at least 1 s.
    Every(Duration),
}

/// What happens to unfinished jobs when we end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnEnd {
    /// They are stopped.
    Stop,
    /// They go on.
    Leave,
}

/// What results are compared with; the setting `baseline`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BaselineOf {
    /// The base branch of a pull request or merge queue, else the same branch; off a CI nothing.
    Auto,
    /// Nothing.
    Nothing,
    /// This branch.
    Branch(String),
}

/// What happens without an API key; the setting `on-missing-token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnMissingToken {
    /// Exit code 3.
    Fail,
    /// Exit code 0 with a warning, status `skipped`.
    Skip,
}

/// Which artifacts are downloaded; the setting `artifacts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Artifacts {
    /// None.
    None,
    /// Those of tests that did not succeed.
    Failed,
    /// All.
    All,
    /// Those whose file name matches one of the patterns.
    Globs(Vec<String>),
}

/// What a repeated attempt of the same CI run starts; the setting `rerun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RerunMode {
    /// `Failed` where the attempt before did not meet the gate, else `All`.
    Auto,
    /// What did not pass; what did is carried over.
    Failed,
    /// Everything.
    All,
}

/// What is started of the runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rerun {
    /// In a repeated attempt.
    pub(crate) mode: RerunMode,
    /// Runs that `rerun-from` names, by label, with the ids of the tests that did not pass; without ids, all of the run. Empty
    /// where nothing is named.
    pub(crate) only: BTreeMap<String, BTreeSet<String>>,
}

/// The waiting part of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    /// False: start and leave.
    pub(crate) enabled: bool,
    /// From the start to the last result.
    pub(crate) timeout: Duration,
    /// How often to look.
    pub(crate) poll: Poll,
    /// What happens to jobs when the timeout passes.
    pub(crate) on_timeout: OnEnd,
    /// What happens to jobs when we are cancelled.
    pub(crate) on_cancel: OnEnd,
    /// Without any change for that long we give up; `None`: never.
    pub(crate) stall: Option<Duration>,
}

/// The reporting part of the plan.
#[derive(Debug, Clone)]
pub(crate) struct ReportPlan {
    /// Results folder, absolute.
    pub(crate) dir: PathBuf,
    /// Files to download.
    pub(crate) artifacts: Artifacts,
    /// Annotations at most, 0-10.
    pub(crate) annotations: usize,
    /// Comment on the pull or merge request.
    pub(crate) comment: bool,
    /// Token for the comment.
    pub(crate) github_token: Option<SecretString>,
}

/// One setting as it was resolved, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its value; secrets as `***`.
    pub(crate) value: String,
    /// Where it came from: `flag`, `input`, a variable's name, the run config's key, or `default`.
    pub(crate) source: String,
}

/// All the user said.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What to do.
    pub(crate) command: Command,
    /// The API key, when one arrived.
    pub(crate) key: Option<ApiKey>,
    /// What happens without one.
    pub(crate) on_missing_token: OnMissingToken,
    /// Origin of the service: scheme and host, without `/api` or a slash at the end.
    pub(crate) origin: String,
    /// Project, when named.
    pub(crate) project_id: Option<String>,
    /// The build.
    pub(crate) build: BuildSpec,
    /// What to start.
    pub(crate) runs: Vec<RunSpec>,
    /// What of it is started.
    pub(crate) rerun: Rerun,
    /// How to wait.
    pub(crate) wait: Wait,
    /// What fails the job.
    pub(crate) gate: Gate,
    /// What results are compared with.
    pub(crate) baseline: BaselineOf,
    /// How to report.
    pub(crate) report: ReportPlan,
    /// Jobs named by the user, for `wait` and `stop`.
    pub(crate) job_ids: Vec<String>,
    /// End before the first request that costs or changes anything.
    pub(crate) dry_run: bool,
    /// `stop`: always exit 0, touch only what is unclosed.
    pub(crate) best_effort: bool,
    /// `check --no-build`: the build is left out.
    pub(crate) no_build: bool,
    /// Every setting with value and source.
    pub(crate) settings: Vec<Setting>,
    /// Things a person should know: a trimmed key, a deprecated name.
    pub(crate) notices: Vec<String>,
    /// What is worth a line of the log, and no more: what `config-env` lets in and does not make a secret.
    pub(crate) remarks: Vec<String>,
}

impl Plan {
    /// True when the pipeline's author or the job's environment set it, not the repository's content.
    pub(crate) fn is_set_by_the_pipeline(&self, name: &str) -> bool {
        let setting = self.settings.iter().find(|setting| setting.name == name);
        setting.is_some_and(|setting| {
            setting.source != "default" && !setting.source.ends_with("in the run config")
        })
    }

    /// Permissions that this command needs of the key, in the order it needs them.
    pub(crate) fn permissions(&self) -> Vec<Permission> {
        use crate::model::build::BuildSource;
        let uploads = matches!(self.build.source, BuildSource::Path(_));
        let mut needed = Vec::new();
        let starts =
            matches!(self.command, Command::Run | Command::Start | Command::Check) && !self.runs.is_empty();
        if uploads && matches!(self.command, Command::Run | Command::Upload | Command::Check) {
            needed.push(Permission::ManageBuildStorage);
        }
        if starts || self.command == Command::Stop {
            needed.push(Permission::OperateRuns);
        }
        let waits = matches!(self.command, Command::Run | Command::Check) && starts && self.wait.enabled;
        let named_plans = self
            .runs
            .iter()
            .any(|run| matches!(&run.target, crate::model::Target::Plan(name) if !super::is_id(name)));
        if waits || self.command == Command::Wait || (starts && named_plans) {
            needed.push(Permission::ReadRuns);
        }
        let by_name = |name: &String| !super::is_id(name);
        let names_configs = self.runs.iter().any(|run| {
            run.deployment_config.iter().chain(&run.agent_config).any(by_name)
                || run
                    .players
                    .values()
                    .chain(run.slots.values())
                    .any(|deployment| by_name(&deployment.deployment_config))
        });
        if starts && names_configs {
            needed.push(Permission::ViewConfigs);
        }
        needed
    }
}
