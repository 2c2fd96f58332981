//! Why the program ends the way it ends: the stable `exit-reason`s, their exit codes and statuses.

use serde::Serialize;

/// The stable `exit-reason` of an invocation. Every end of the program has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExitReason {
    /// Every gate was met.
    Passed,
    /// Runs were started and left to themselves (`start`, `wait: false`).
    Started,
    /// The build is stored (`upload`).
    Uploaded,
    /// Inputs, key and permissions are good (`check`).
    Checked,
    /// `dry-run` ended before the first request that costs or changes anything.
    DryRun,
    /// No secret was available and `on-missing-token: skip` allows that.
    Skipped,
    /// At least one test counts against the gate with FAILED.
    TestsFailed,
    /// Bugs met a `bugs:<severity>` gate.
    BugsFound,
    /// Nothing failed, but nothing was tested either.
    NothingTested,
    /// A flag, input or variable is wrong.
    InvalidInput,
    /// The run config is wrong.
    InvalidConfig,
    /// No API key arrived.
    ApiKeyMissing,
    /// The service does not know the key.
    ApiKeyInvalid,
    /// The key's expiry date has passed.
    ApiKeyExpired,
    /// Somebody switched the key off.
    ApiKeyDisabled,
    /// The key lacks a permission that this job needs.
    PermissionMissing,
    /// Any other 403.
    Forbidden,
    /// No file or stored build where the setting points.
    BuildNotFound,
    /// A glob matched more than one file.
    BuildAmbiguous,
    /// A file of 0 bytes, or an empty or suspiciously small folder.
    BuildEmpty,
    /// The build cannot run on the platform, or is cut short.
    BuildUnsupported,
    /// Larger than the service stores.
    BuildTooLarge,
    /// The file changed while it was read.
    BuildChanged,
    /// The project's build storage is full.
    QuotaExceeded,
    /// The upload failed after retries.
    UploadFailed,
    /// The service refused the start, or its fate is unknown.
    StartFailed,
    /// Only some devices or runs started.
    StartIncomplete,
    /// A run ended without a product verdict.
    RunError,
    /// The service answered, but not usefully.
    ServiceError,
    /// The service could not be reached.
    NetworkError,
    /// The job ended well, but its report files could not be written.
    ResultsNotWritten,
    /// Our deadline passed.
    Timeout,
    /// No change for `wait.stall`.
    Stalled,
    /// Somebody else stopped the run.
    StoppedRemotely,
    /// A bug of ours.
    Internal,
    /// SIGINT or Ctrl-C.
    Interrupted,
    /// SIGTERM, SIGHUP or Ctrl-Break. The `exit-reason` is `interrupted` too; only the code differs.
    Terminated,
}

impl ExitReason {
    /// Every reason, in the order of the exit codes.
    pub const ALL: [Self; 37] = [
        Self::Passed,
        Self::Started,
        Self::Uploaded,
        Self::Checked,
        Self::DryRun,
        Self::Skipped,
        Self::TestsFailed,
        Self::BugsFound,
        Self::NothingTested,
        Self::InvalidInput,
        Self::InvalidConfig,
        Self::ApiKeyMissing,
        Self::ApiKeyInvalid,
        Self::ApiKeyExpired,
        Self::ApiKeyDisabled,
        Self::PermissionMissing,
        Self::Forbidden,
        Self::BuildNotFound,
        Self::BuildAmbiguous,
        Self::BuildEmpty,
        Self::BuildUnsupported,
        Self::BuildTooLarge,
        Self::BuildChanged,
        Self::QuotaExceeded,
        Self::UploadFailed,
        Self::StartFailed,
        Self::StartIncomplete,
        Self::RunError,
        Self::ServiceError,
        Self::NetworkError,
        Self::ResultsNotWritten,
        Self::Timeout,
        Self::Stalled,
        Self::StoppedRemotely,
        Self::Internal,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The process exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed | Self::Started | Self::Uploaded | Self::Checked | Self::DryRun | Self::Skipped => 0,
            Self::TestsFailed | Self::BugsFound | Self::NothingTested => 1,
            Self::InvalidInput | Self::InvalidConfig => 2,
            Self::ApiKeyMissing
            | Self::ApiKeyInvalid
            | Self::ApiKeyExpired
            | Self::ApiKeyDisabled
            | Self::PermissionMissing
            | Self::Forbidden => 3,
            Self::BuildNotFound
            | Self::BuildAmbiguous
            | Self::BuildEmpty
            | Self::BuildUnsupported
            | Self::BuildTooLarge
            | Self::BuildChanged
            | Self::QuotaExceeded => 4,
            Self::UploadFailed => 5,
            Self::StartFailed | Self::StartIncomplete => 6,
            Self::RunError | Self::ServiceError | Self::NetworkError | Self::ResultsNotWritten => 7,
            Self::Timeout => 8,
            Self::Stalled => 9,
            Self::StoppedRemotely => 10,
            Self::Internal => 70,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The value of the output `exit-reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Started => "started",
            Self::Uploaded => "uploaded",
            Self::Checked => "checked",
            Self::DryRun => "dry-run",
            Self::Skipped => "skipped",
            Self::TestsFailed => "tests-failed",
            Self::BugsFound => "bugs-found",
            Self::NothingTested => "nothing-tested",
            Self::InvalidInput => "invalid-input",
            Self::InvalidConfig => "invalid-config",
            Self::ApiKeyMissing => "api-key-missing",
            Self::ApiKeyInvalid => "api-key-invalid",
            Self::ApiKeyExpired => "api-key-expired",
            Self::ApiKeyDisabled => "api-key-disabled",
            Self::PermissionMissing => "permission-missing",
            Self::Forbidden => "forbidden",
            Self::BuildNotFound => "build-not-found",
            Self::BuildAmbiguous => "build-ambiguous",
            Self::BuildEmpty => "build-empty",
            Self::BuildUnsupported => "build-unsupported",
            Self::BuildTooLarge => "build-too-large",
            Self::BuildChanged => "build-changed",
            Self::QuotaExceeded => "quota-exceeded",
            Self::UploadFailed => "upload-failed",
            Self::StartFailed => "start-failed",
            Self::StartIncomplete => "start-incomplete",
            Self::RunError => "run-error",
            Self::ServiceError => "service-error",
            Self::NetworkError => "network-error",
            Self::ResultsNotWritten => "results-not-written",
            Self::Timeout => "timeout",
            Self::Stalled => "stalled",
            Self::StoppedRemotely => "stopped-remotely",
            Self::Internal => "internal",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }

    /// The value of the output `status`.
    pub(crate) const fn status(self) -> Status {
        match self {
            Self::Passed => Status::Passed,
            Self::Started => Status::Started,
            Self::Uploaded => Status::Uploaded,
            Self::Checked => Status::Checked,
            Self::DryRun | Self::Skipped => Status::Skipped,
            Self::TestsFailed | Self::BugsFound | Self::NothingTested => Status::Failed,
            Self::Timeout => Status::TimedOut,
            Self::Stalled => Status::Stalled,
            Self::Interrupted | Self::Terminated => Status::Cancelled,
            _ => Status::Error,
        }
    }
}

impl std::fmt::Display for ExitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ExitReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The value of the output `status`: what kind of end this was, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// All gates met.
    Passed,
    /// A product verdict against the build.
    Failed,
    /// No product verdict.
    Error,
    /// Our deadline passed.
    TimedOut,
    /// No change for `wait.stall`.
    Stalled,
    /// A signal ended us.
    Cancelled,
    /// Started and left.
    Started,
    /// Uploaded only.
    Uploaded,
    /// Checked only.
    Checked,
    /// Dry run, or no secret where that is allowed.
    Skipped,
}

impl Status {
    /// The word in outputs and reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::TimedOut => "timed-out",
            Self::Stalled => "stalled",
            Self::Cancelled => "cancelled",
            Self::Started => "started",
            Self::Uploaded => "uploaded",
            Self::Checked => "checked",
            Self::Skipped => "skipped",
        }
    }
}

/// An end that is not a verdict: everything a person needs to understand and mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Failure {
    /// Stable reason, which fixes the exit code.
    #[serde(rename = "exit_reason")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) reason: ExitReason,
    /// What failed: lower case, names the thing and the numbers, no final period. May have several lines.
    pub(crate) message: String,
    /// The chain of causes, outermost first.
    pub(crate) causes: Vec<String>,
    /// The next actions, one a line.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// A failure with a message and nothing else.
    pub(crate) fn new(reason: ExitReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// The same failure with one more hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same failure with one more cause.
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Records the source chain of `error` as causes.
    pub(crate) fn because(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, "\ncaused by: {cause}")?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::ExitReason;

    #[test]
    fn every_reason_is_listed_once_and_ordered_by_code() {
        let codes: Vec<u8> = ExitReason::ALL.iter().map(|reason| reason.exit_code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        assert_eq!(codes, sorted);
        let mut unique = ExitReason::ALL.to_vec();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ExitReason::ALL.len());
    }
}
