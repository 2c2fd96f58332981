//! The catalogue of ends: what every `exit-reason` means, what to do about it, and where its page is.
//! The log quotes it, and `docs/errors.md` is made from it.

use super::failure::ExitReason;

/// Where the pages are.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors.md");

impl ExitReason {
    /// What this end means, in one sentence: lower case, no final period, code marks around names.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.entry().0
    }

    /// What to do about it, in the same form.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.entry().1
    }

    /// The address of its page. Anchors are the reasons, which never change.
    #[must_use]
    pub fn page(self) -> String {
        format!("{PAGES}#{self}")
    }

    /// The one table: meaning and remedy.
    const fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Passed
            | Self::Started
            | Self::Uploaded
            | Self::Checked
            | Self::DryRun
            | Self::Skipped
            | Self::TestsFailed
            | Self::BugsFound
            | Self::NothingTested => self.entry_of_a_verdict(),
            Self::InvalidInput
            | Self::InvalidConfig
            | Self::ApiKeyMissing
            | Self::ApiKeyInvalid
            | Self::ApiKeyExpired
            | Self::ApiKeyDisabled
            | Self::PermissionMissing
            | Self::Forbidden => self.entry_of_a_setting(),
            _ => self.entry_of_a_failure(),
        }
    }

    const fn entry_of_a_verdict(self) -> (&'static str, &'static str) {
        match self {
            Self::Passed => ("every gate was met", "nothing"),
            Self::Started => (
                "runs were started and left to themselves (`start`, or `wait: false`)",
                "`nunu-ci wait` follows them, `nunu-ci stop` ends them",
            ),
            Self::Uploaded => {
                ("the build is stored (`upload`)", "hand the output `build-id` to the step that starts runs")
            }
            Self::Checked => {
                ("settings, key and permissions are good (`check`)", "nothing; `nunu-ci run` will start")
            }
            Self::DryRun => (
                "`dry-run` ended before the first request that costs or changes anything",
                "remove `dry-run` to run the job",
            ),
            Self::Skipped => (
                "no API key arrived and `on-missing-token: skip` allows that; nothing was tested",
                "nothing for pull requests from forks, which get no secrets; otherwise set the secret",
            ),
            Self::TestsFailed => (
                "at least one test counts against the gate",
                "read the failing step in the summary, and open the run's link to see the recording",
            ),
            Self::BugsFound => (
                "a bug is as severe and as sure as `fail-on: bugs:…` asks",
                "fix it, or put it under `gate.quarantine` with a day and a reason",
            ),
            _ => (
                "every job was skipped, stopped, left out or inconclusive, or there was none: that is never green",
                "look for the reason beside each test in the summary; a green job needs a run that tests something",
            ),
        }
    }

    const fn entry_of_a_setting(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidInput => (
                "a flag, input or variable is wrong; nothing was started",
                "the message names the setting, where its value came from, and what to write",
            ),
            Self::InvalidConfig => (
                "the run config is wrong, or names something that does not exist",
                "the message shows line, column and the nearest known key or name; `nunu-ci schema` prints the JSON Schema",
            ),
            Self::ApiKeyMissing => (
                "no API key arrived (the service says `API key required`)",
                "set `api-token` (`NUNU_API_TOKEN`) from the CI's secret store; GitHub gives forks and Dependabot no secrets",
            ),
            Self::ApiKeyInvalid => (
                "the service does not know the key (`Invalid API key`)",
                "check for a wrong, cut or deactivated key; an organisation key needs `project-id`",
            ),
            Self::ApiKeyExpired => (
                "the key's expiry date has passed (`API key expired`)",
                "create a new key and replace the secret",
            ),
            Self::ApiKeyDisabled => (
                "somebody switched the key off (`API key is disabled`)",
                "re-enable it in Project Admin -> API Keys, or create a new one",
            ),
            Self::PermissionMissing => (
                "the key lacks a permission that this job needs (`API key missing required permission: …`)",
                "add it in Project Admin -> API Keys, or use a key that has it; the message lists all that are missing",
            ),
            _ => (
                "the service refused with another 403, in its own words",
                "follow the server's words; the key may belong to another project",
            ),
        }
    }

    const fn entry_of_a_failure(self) -> (&'static str, &'static str) {
        match self {
            Self::BuildNotFound => (
                "there is no file where `build-path` points",
                "check the path; the step that makes the build has to run before, in the same job",
            ),
            Self::BuildAmbiguous => (
                "a glob in `build-path` matches several files",
                "make it narrower; the message lists the matches",
            ),
            Self::BuildEmpty => (
                "the file has no bytes, or the folder holds nothing worth sending",
                "look at the log of the step that makes the build",
            ),
            Self::BuildUnsupported => (
                "the build cannot run on the platform (an APK without `lib/arm64-v8a`, a wrong extension), or it is cut short",
                "the message says what is wrong; set `platform`, or build for ARM64",
            ),
            Self::BuildTooLarge => (
                "the build is larger than the service stores",
                "leave out what the test does not need (`.nunuignore` for folders)",
            ),
            Self::BuildChanged => (
                "the file changed while it was read",
                "let the build finish first, and write nothing to it during the upload",
            ),
            Self::QuotaExceeded => {
                ("the project's build storage is full", "delete builds, or set `auto-delete: true`")
            }
            Self::UploadFailed => (
                "the upload failed after all retries; the open upload was cancelled",
                "allow `nunu.ai` and `*.r2.cloudflarestorage.com`, and look into `diagnostics.jsonl`",
            ),
            Self::StartFailed => (
                "the service refused the start, or would (no test or plan has the id; found before the build is sent), or it is unknown whether it took effect",
                "follow the server's words; if it is unknown, look for the tag in the message on the dashboard",
            ),
            Self::StartIncomplete => (
                "only some devices or runs started; what did start was waited for and reported",
                "the report lists what was refused, and why",
            ),
            Self::RunError => (
                "a run ended without a verdict on the product: ERROR, TIMEOUT, BLOCKED, a queue rejection, an unknown or missing result",
                "open the run; repeat it if the infrastructure was at fault (`retries`)",
            ),
            Self::ServiceError => (
                "the service answered, but not usefully, for too long",
                "repeat later; `diagnostics.jsonl` has every request",
            ),
            Self::NetworkError => (
                "the service could not be reached; at the beginning of a job nothing was sent then",
                "check proxy (`HTTPS_PROXY`), firewall (`nunu.ai`, `bouncer.nunu.ai`, `*.r2.cloudflarestorage.com`) and company CA (`SSL_CERT_FILE`)",
            ),
            Self::ResultsNotWritten => (
                "the job ended well, but its report files could not be written, so nothing shows that it did",
                "free some space on the disk, or set `results-dir` to a folder that this job may write to; outputs and summary were written",
            ),
            Self::Timeout => (
                "the setting `timeout` passed before the last result; unfinished runs were stopped, unless `wait.on_timeout` is `leave`",
                "raise `timeout`, queueing included; keep it below the host's own limit",
            ),
            Self::Stalled => (
                "no job, run or step changed for `wait.stall`; unfinished runs were stopped",
                "open the run to see where it hangs",
            ),
            Self::StoppedRemotely => {
                ("somebody else stopped the run", "ask who; the report says it where the service does")
            }
            Self::Interrupted | Self::Terminated => (
                "SIGINT (130), or SIGTERM, SIGHUP or Ctrl-Break (143), ended the job; what was started was stopped, unless `wait.on_cancel` is `leave`",
                "run the job again when it is wanted; if the report says that something may still run, stop it by its ids or tag",
            ),
            _ => (
                "a bug of nunu-ci, or a machine that cannot run it",
                "report it with `diagnostics.jsonl`, which holds no secrets",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExitReason;

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
