//! The names of everything a client can ask of the three hosts; touches nothing.

use std::fmt;
use std::str::FromStr;

use crate::generation::Generation;

/// One of the three listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// `nunu.ai`
    Api,
    /// The S3-compatible store behind presigned URLs.
    Storage,
    /// `bouncer.nunu.ai`
    Artifacts,
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident => $text:literal),* $(,)?) => {
        /// One documented call, or a group of them for matching.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Call {
            $($(#[$doc])* $name,)*
            /// `PUT` of this part (1-based) of a multipart upload.
            PutPart(u32),
        }

        impl Call {
            fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::PutPart(_) => "put_part",
                }
            }
            const PLAIN: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

calls! {
    /// `POST builds/upload`
    Initiate => "initiate",
    /// `GET builds/upload/parts`
    PartUrls => "part_urls",
    /// `POST builds/upload/complete`
    Complete => "complete",
    /// `DELETE builds/upload`
    CancelUpload => "cancel_upload",
    /// `GET builds`
    ListBuilds => "list_builds",
    /// `GET builds/{id}`
    GetBuild => "get_build",
    /// `DELETE builds/{id}`
    DeleteBuild => "delete_build",
    /// `POST runs`
    StartRun => "start_run",
    /// `POST test-plans/{id}/runs`
    StartPlan => "start_plan",
    /// `POST runs/stop`
    Stop => "stop",
    /// `GET jobs`
    ListJobs => "list_jobs",
    /// `GET jobs/{id}`
    GetJob => "get_job",
    /// `GET runs`
    ListRuns => "list_runs",
    /// `GET runs/{id}`
    GetRun => "get_run",
    /// `GET runs/{id}/bugs`
    RunBugs => "run_bugs",
    /// `GET runs/{id}/live`
    RunLive => "run_live",
    /// `GET tests`
    ListTests => "list_tests",
    /// `GET tests/{id}`
    GetTest => "get_test",
    /// `GET test-plans`
    ListPlans => "list_plans",
    /// `GET test-plans/{id}`
    GetPlan => "get_plan",
    /// `GET test-plan-executions`
    ListExecutions => "list_executions",
    /// `GET test-plan-executions/{id}`
    GetExecution => "get_execution",
    /// `GET deployment-configs`
    DeploymentConfigs => "deployment_configs",
    /// `GET agent-configs`
    AgentConfigs => "agent_configs",
    /// `PUT` of a whole build to storage.
    PutSingle => "put_single",
    /// `GET` from storage: the target of an artifact redirect.
    StorageGet => "storage_get",
    /// `GET runs/{compositeRunId}/artifacts`
    ListArtifacts => "list_artifacts",
    /// `GET runs/{compositeRunId}/artifacts/{filename}`
    GetArtifact => "get_artifact",
    /// The page of a run, for a browser.
    RunPage => "run_page",
    /// A request that no documentation describes.
    Unknown => "unknown",
    /// Matcher: any `PUT` to storage.
    AnyPut => "any_put",
    /// Matcher: any `PUT` of a part.
    AnyPart => "any_part",
    /// Matcher: any start of runs.
    AnyStart => "any_start",
    /// Matcher: every `GET` that follows a run: jobs, runs, bugs.
    AnyPoll => "any_poll",
    /// Matcher: every call to the API host.
    AnyApi => "any_api",
    /// Matcher: every call to storage.
    AnyStorage => "any_storage",
    /// Matcher: every call to the artifact host.
    AnyArtifacts => "any_artifacts",
    /// Matcher: every call.
    Any => "any",
}

impl Call {
    /// Every call that a client of the API makes (no matchers, no pages), a part standing for all parts.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let is_call = |call: &Self| !call.is_matcher() && !matches!(call, Self::Unknown | Self::RunPage);
        let mut calls: Vec<Self> = Self::PLAIN.iter().copied().filter(is_call).collect();
        calls.push(Self::PutPart(1));
        calls
    }

    fn is_matcher(self) -> bool {
        self.word().starts_with("any")
    }

    /// The host this call belongs to, when it belongs to one.
    #[must_use]
    pub fn host(self) -> Host {
        match self {
            Self::PutSingle
            | Self::PutPart(_)
            | Self::StorageGet
            | Self::AnyPut
            | Self::AnyPart
            | Self::AnyStorage => Host::Storage,
            Self::ListArtifacts | Self::GetArtifact | Self::AnyArtifacts => Host::Artifacts,
            _ => Host::Api,
        }
    }

    /// Whether a generation of the API has this call.
    pub(crate) fn exists_in(self, generation: Generation) -> bool {
        match self {
            Self::Unknown => false,
            Self::ListJobs | Self::GetJob | Self::ListBuilds | Self::StartPlan => {
                generation >= Generation::V2
            }
            Self::GetBuild
            | Self::DeleteBuild
            | Self::ListTests
            | Self::GetTest
            | Self::ListPlans
            | Self::GetPlan
            | Self::DeploymentConfigs
            | Self::AgentConfigs
            | Self::RunLive => generation >= Generation::V3,
            Self::ListExecutions | Self::GetExecution => generation >= Generation::V5,
            _ => true,
        }
    }

    /// The permission a call needs; none where any key of the project will do.
    pub(crate) fn permission(self) -> Option<&'static str> {
        match self {
            Self::Initiate
            | Self::Complete
            | Self::CancelUpload
            | Self::ListBuilds
            | Self::GetBuild
            | Self::DeleteBuild => Some("project:manage-build-storage"),
            Self::StartRun | Self::StartPlan | Self::Stop => Some("project:operate-runs"),
            Self::ListJobs
            | Self::GetJob
            | Self::ListRuns
            | Self::GetRun
            | Self::RunBugs
            | Self::RunLive
            | Self::ListPlans
            | Self::GetPlan
            | Self::ListExecutions
            | Self::GetExecution => Some("project:read-runs"),
            Self::DeploymentConfigs | Self::AgentConfigs => Some("project:view-configs"),
            _ => None,
        }
    }

    /// Whether this matcher covers `call`, which arrived at `host`.
    pub(crate) fn covers(self, call: Self, host: Host) -> bool {
        match self {
            Self::Any => true,
            Self::AnyApi => host == Host::Api,
            Self::AnyStorage => host == Host::Storage,
            Self::AnyArtifacts => host == Host::Artifacts,
            Self::AnyPart => matches!(call, Self::PutPart(_)),
            Self::AnyPut => matches!(call, Self::PutPart(_) | Self::PutSingle),
            Self::AnyStart => matches!(call, Self::StartRun | Self::StartPlan),
            Self::AnyPoll => matches!(
                call,
                Self::ListJobs | Self::GetJob | Self::ListRuns | Self::GetRun | Self::RunBugs | Self::RunLive
            ),
            _ => self == call,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PutPart(n) => write!(f, "put_part:{n}"),
            other => f.write_str(other.word()),
        }
    }
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(number) = text.strip_prefix("put_part:") {
            return number.parse().map(Self::PutPart).map_err(|_| format!("bad part number in `{text}`"));
        }
        Self::PLAIN.iter().copied().find(|c| c.word() == text).ok_or_else(|| format!("unknown call `{text}`"))
    }
}

impl serde::Serialize for Call {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
