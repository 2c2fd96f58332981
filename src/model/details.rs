//! What the service wants to know about a build's origin (`POST builds/upload`, field `details`). Absent fields are left out.

use serde::Serialize;

/// `details` of an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Details {
    /// Version control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vcs: Option<Vcs>,
    /// The CI system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ci: Option<Ci>,
    /// How the build is uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upload: Option<UploadMethod>,
}

/// Where the sources come from. A pull request gives its head commit and source branch, not the merge ref.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Vcs {
    /// `git`, `mercurial` or `svn`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// `github`, `gitlab`, `bitbucket` or `azure-devops`; left out for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    /// Web address without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repository_url: Option<String>,
    /// The commit under test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<Commit>,
    /// Branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    /// Tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// Pull or merge request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pr: Option<PullRequest>,
}

/// A commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Commit {
    /// Full hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<String>,
    /// First 7 digits or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) short_hash: Option<String>,
    /// Message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// Author's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) author: Option<String>,
    /// ISO-8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<String>,
}

/// A pull or merge request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PullRequest {
    /// Number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    /// Title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// Web address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Branch it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_branch: Option<String>,
    /// Branch it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_branch: Option<String>,
}

/// The CI system; all values are strings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Ci {
    /// `github-actions`, `jenkins`, `gitlab-ci`, `circleci`, `travis`, `azure-pipelines`, `bitrise` or `custom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<String>,
    /// The number people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) build_number: Option<String>,
    /// Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_name: Option<String>,
    /// Id of the CI run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_id: Option<String>,
    /// Link to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run_url: Option<String>,
    /// Who or what triggered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) triggered_by: Option<String>,
    /// Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<String>,
}

/// How the build is uploaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct UploadMethod {
    /// `github-action`, `jenkins-plugin`, `cli`, `api` or `web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// Version of this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cli_version: Option<String>,
    /// Who uploads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uploader: Option<String>,
}
