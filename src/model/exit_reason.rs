//! Every end of the program, in one table: the log quotes it, and `docs/errors.md` is made from it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Where the pages are.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors.md");

/// What the table says of one reason.
struct Entry {
    word: &'static str,
    exit_code: u8,
    status: Status,
    meaning: &'static str,
    remedy: &'static str,
}

/// Makes the reasons from the table: name = word, exit code, status, meaning, remedy. Meaning and remedy are one sentence each: lower
/// case, no final period, code marks around names.
macro_rules! exit_reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $code:literal, $status:ident, $meaning:literal, $remedy:literal;)*) => {
        /// The stable `exit-reason` of an invocation. Every end of the program has exactly one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ExitReason {
            $($(#[$doc])* $name,)*
        }

        impl ExitReason {
            /// Every reason, in the order of the exit codes.
            pub const ALL: [Self; 37] = [$(Self::$name),*];

            const fn entry(self) -> Entry {
                match self {
                    $(Self::$name => Entry {
                        word: $word,
                        exit_code: $code,
                        status: Status::$status,
                        meaning: $meaning,
                        remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

exit_reasons! {
    /// Every gate was met.
    Passed = "passed", 0, Passed,
        "every gate was met",
        "nothing";
    /// Runs were started and left to themselves (`start`, `wait: false`).
    Started = "started", 0, Started,
        "runs were started and left to themselves (`start`, or `wait: false`)",
        "`nunu-ci wait` follows them, `nunu-ci stop` ends them";
    /// The build is stored (`upload`).
    Uploaded = "uploaded", 0, Uploaded,
        "the build is stored (`upload`)",
        "hand the output `build-id` to the step that starts runs";
    /// Inputs, key and permissions are good (`check`).
    Checked = "checked", 0, Checked,
        "settings, key and permissions are good (`check`)",
        "nothing; `nunu-ci run` will start";
    /// `dry-run` ended before the first request that costs or changes anything.
    DryRun = "dry-run", 0, Skipped,
        "`dry-run` ended before the first request that costs or changes anything",
        "remove `dry-run` to run the job";
    /// No secret was available and `on-missing-token: skip` allows that.
    Skipped = "skipped", 0, Skipped,
        "no API key arrived and `on-missing-token: skip` allows that; nothing was tested",
        "nothing for pull requests from forks, which get no secrets; otherwise set the secret";
    /// At least one test counts against the gate with FAILED.
    TestsFailed = "tests-failed", 1, Failed,
        "at least one test counts against the gate",
        "read the failing step in the summary, and open the run's link to see the recording";
    /// Bugs met a `bugs:<severity>` gate.
    BugsFound = "bugs-found", 1, Failed,
        "a bug is as severe and as sure as `fail-on: bugs:…` asks",
        "fix it, or put it under `gate.quarantine` with a day and a reason";
    /// Nothing failed, but nothing was tested either.
    NothingTested = "nothing-tested", 1, Failed,
        "every job was skipped, stopped, left out or inconclusive, or there was none: that is never green",
        "look for the reason beside each test in the summary; a green job needs a run that tests something";
    /// A flag, input or variable is wrong.
    InvalidInput = "invalid-input", 2, Error,
        "a flag, input or variable is wrong; nothing was started",
        "the message names the setting, where its value came from, and what to write";
    /// The run config is wrong.
    InvalidConfig = "invalid-config", 2, Error,
        "the run config is wrong, or names something that does not exist",
        "the message shows line, column and the nearest known key or name; `nunu-ci schema` prints the JSON Schema";
    /// No API key arrived.
    ApiKeyMissing = "api-key-missing", 3, Error,
        "no API key arrived (the service says `API key required`)",
        "set `api-token` (`NUNU_API_TOKEN`) from the CI's secret store; GitHub gives forks and Dependabot no secrets";
    /// The service does not know the key.
    ApiKeyInvalid = "api-key-invalid", 3, Error,
        "the service does not know the key (`Invalid API key`)",
        "check for a wrong, cut or deactivated key; an organisation key needs `project-id`";
    /// The key's expiry date has passed.
    ApiKeyExpired = "api-key-expired", 3, Error,
        "the key's expiry date has passed (`API key expired`)",
        "create a new key and replace the secret";
    /// Somebody switched the key off.
    ApiKeyDisabled = "api-key-disabled", 3, Error,
        "somebody switched the key off (`API key is disabled`)",
        "re-enable it in Project Admin -> API Keys, or create a new one";
    /// The key lacks a permission that this job needs.
    PermissionMissing = "permission-missing", 3, Error,
        "the key lacks a permission that this job needs (`API key missing required permission: …`)",
        "add it in Project Admin -> API Keys, or use a key that has it; the message lists all that are missing";
    /// Any other 403.
    Forbidden = "forbidden", 3, Error,
        "the service refused with another 403, in its own words",
        "follow the server's words; the key may belong to another project";
    /// No file or stored build where the setting points.
    BuildNotFound = "build-not-found", 4, Error,
        "there is no file where `build-path` points",
        "check the path; the step that makes the build has to run before, in the same job";
    /// A glob matched more than one file.
    BuildAmbiguous = "build-ambiguous", 4, Error,
        "a glob in `build-path` matches several files",
        "make it narrower; the message lists the matches";
    /// A file of 0 bytes, or an empty or suspiciously small folder.
    BuildEmpty = "build-empty", 4, Error,
        "the file has no bytes, or the folder holds nothing worth sending",
        "look at the log of the step that makes the build";
    /// The build cannot run on the platform, or is cut short.
    BuildUnsupported = "build-unsupported", 4, Error,
        "the build cannot run on the platform (an APK without `lib/arm64-v8a`, a wrong extension), or it is cut short",
        "the message says what is wrong; set `platform`, or build for ARM64";
    /// Larger than the service stores.
    BuildTooLarge = "build-too-large", 4, Error,
        "the build is larger than the service stores",
        "leave out what the test does not need (`.nunuignore` for folders)";
    /// The file changed while it was read.
    BuildChanged = "build-changed", 4, Error,
        "the file changed while it was read",
        "let the build finish first, and write nothing to it during the upload";
    /// The project's build storage is full.
    QuotaExceeded = "quota-exceeded", 4, Error,
        "the project's build storage is full",
        "delete builds, or set `auto-delete: true`";
    /// The upload failed after retries.
    UploadFailed = "upload-failed", 5, Error,
        "the upload failed after all retries; the open upload was cancelled",
        "allow `nunu.ai` and `*.r2.cloudflarestorage.com`, and look into `diagnostics.jsonl`";
    /// The service refused the start, or its fate is unknown.
    StartFailed = "start-failed", 6, Error,
        "the service refused the start, or would (no test or plan has the id; found before the build is sent), or it is unknown whether it took effect",
        "follow the server's words; if it is unknown, look for the tag in the message on the dashboard";
    /// Only some devices or runs started.
    StartIncomplete = "start-incomplete", 6, Error,
        "only some devices or runs started; what did start was waited for and reported",
        "the report lists what was refused, and why";
    /// A run ended without a product verdict.
    RunError = "run-error", 7, Error,
        "a run ended without a verdict on the product: ERROR, TIMEOUT, BLOCKED, a queue rejection, an unknown or missing result",
        "open the run; repeat it if the infrastructure was at fault (`retries`)";
    /// The service answered, but not usefully.
    ServiceError = "service-error", 7, Error,
        "the service answered, but not usefully, for too long",
        "repeat later; `diagnostics.jsonl` has every request";
    /// The service could not be reached.
    NetworkError = "network-error", 7, Error,
        "the service could not be reached; at the beginning of a job nothing was sent then",
        "check proxy (`HTTPS_PROXY`), firewall (`nunu.ai`, `bouncer.nunu.ai`, `*.r2.cloudflarestorage.com`) and company CA (`SSL_CERT_FILE`)";
    /// The job ended well, but its report files could not be written.
    ResultsNotWritten = "results-not-written", 7, Error,
        "the job ended well, but its report files could not be written, so nothing shows that it did",
        "free some space on the disk, or set `results-dir` to a folder that this job may write to; outputs and summary were written";
    /// Our deadline passed.
    Timeout = "timeout", 8, TimedOut,
        "the setting `timeout` passed before the last result; unfinished runs were stopped, unless `wait.on_timeout` is `leave`",
        "raise `timeout`, queueing included; keep it below the host's own limit";
    /// No change for `wait.stall`.
    Stalled = "stalled", 9, Stalled,
        "no job, run or step changed for `wait.stall`; unfinished runs were stopped",
        "open the run to see where it hangs";
    /// Somebody else stopped the run.
    StoppedRemotely = "stopped-remotely", 10, Error,
        "somebody else stopped the run",
        "ask who; the report says it where the service does";
    /// A bug of ours.
    Internal = "internal", 70, Error,
        "a bug of nunu-ci, or a machine that cannot run it",
        "report it with `diagnostics.jsonl`, which holds no secrets";
    /// SIGINT or Ctrl-C.
    Interrupted = "interrupted", 130, Cancelled,
        "SIGINT (130), or SIGTERM, SIGHUP or Ctrl-Break (143), ended the job; what was started was stopped, unless `wait.on_cancel` is `leave`",
        "run the job again when it is wanted; if the report says that something may still run, stop it by its ids or tag";
    /// SIGTERM, SIGHUP or Ctrl-Break. The `exit-reason` is `interrupted` too; only the code differs.
    Terminated = "interrupted", 143, Cancelled,
        "SIGINT (130), or SIGTERM, SIGHUP or Ctrl-Break (143), ended the job; what was started was stopped, unless `wait.on_cancel` is `leave`",
        "run the job again when it is wanted; if the report says that something may still run, stop it by its ids or tag";
}

impl ExitReason {
    /// The process exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        self.entry().exit_code
    }

    /// The value of the output `exit-reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.entry().word
    }

    /// The value of the output `status`.
    pub(crate) const fn status(self) -> Status {
        self.entry().status
    }

    /// What this end means, in one sentence: lower case, no final period, code marks around names.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    /// What to do about it, in the same form.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.entry().remedy
    }

    /// The address of its page. Anchors are the reasons, which never change.
    #[must_use]
    pub fn page(self) -> String {
        format!("{PAGES}#{self}")
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

/// Both ends by a signal have one word; the first of them is read.
impl<'de> Deserialize<'de> for ExitReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == word);
        known.ok_or_else(|| D::Error::custom("exit_reason is none that this version knows"))
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

    #[test]
    fn every_reason_has_an_entry_of_its_own_in_the_form_of_a_message() {
        let mut seen = std::collections::BTreeMap::new();
        for reason in ExitReason::ALL {
            for text in [reason.meaning(), reason.remedy()] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{reason}: {text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{reason}: {text}");
            }
            if let Some(other) = seen.insert(reason.meaning(), reason) {
                assert_eq!(other.as_str(), reason.as_str(), "two reasons have one meaning");
            }
            assert!(reason.page().starts_with("https://") && reason.page().ends_with(&format!("#{reason}")));
        }
    }
}
