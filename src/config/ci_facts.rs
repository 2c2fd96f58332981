//! The CI's own facts that a run config may read: what a host tells of commit, branch and job in variables that hold no credentials.
//!
//! Left out on purpose: addresses that may carry a password or token (`CI_REPOSITORY_URL`, `GIT_URL`, `BUILDKITE_REPO`,
//! `CIRCLE_REPOSITORY_URL`, `GIT_REPOSITORY_URL`, `BUILD_REPOSITORY_URI`), files, and everything that a user sets.
//! `docs/security.md` has the same list; a test compares them.

/// Host, and its variables.
pub(super) const CI_FACTS: [(&str, &[&str]); 11] = [
    ("every host", &["CI"]),
    (
        "GitHub Actions",
        &[
            "GITHUB_ACTIONS",
            "GITHUB_ACTOR",
            "GITHUB_BASE_REF",
            "GITHUB_EVENT_NAME",
            "GITHUB_HEAD_REF",
            "GITHUB_JOB",
            "GITHUB_REF",
            "GITHUB_REF_NAME",
            "GITHUB_REF_TYPE",
            "GITHUB_REPOSITORY",
            "GITHUB_REPOSITORY_ID",
            "GITHUB_REPOSITORY_OWNER",
            "GITHUB_RUN_ATTEMPT",
            "GITHUB_RUN_ID",
            "GITHUB_RUN_NUMBER",
            "GITHUB_SERVER_URL",
            "GITHUB_SHA",
            "GITHUB_TRIGGERING_ACTOR",
            "GITHUB_WORKFLOW",
            "GITHUB_WORKSPACE",
            "RUNNER_ARCH",
            "RUNNER_NAME",
            "RUNNER_OS",
        ],
    ),
    (
        "GitLab CI",
        &[
            "CI_COMMIT_BRANCH",
            "CI_COMMIT_REF_NAME",
            "CI_COMMIT_REF_SLUG",
            "CI_COMMIT_SHA",
            "CI_COMMIT_SHORT_SHA",
            "CI_COMMIT_TAG",
            "CI_COMMIT_TIMESTAMP",
            "CI_COMMIT_TITLE",
            "CI_DEFAULT_BRANCH",
            "CI_ENVIRONMENT_NAME",
            "CI_ENVIRONMENT_SLUG",
            "CI_JOB_ID",
            "CI_JOB_NAME",
            "CI_JOB_STAGE",
            "CI_JOB_URL",
            "CI_MERGE_REQUEST_IID",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
            "CI_MERGE_REQUEST_TITLE",
            "CI_NODE_INDEX",
            "CI_NODE_TOTAL",
            "CI_PIPELINE_ID",
            "CI_PIPELINE_IID",
            "CI_PIPELINE_SOURCE",
            "CI_PIPELINE_URL",
            "CI_PROJECT_DIR",
            "CI_PROJECT_ID",
            "CI_PROJECT_NAME",
            "CI_PROJECT_NAMESPACE",
            "CI_PROJECT_PATH",
            "CI_PROJECT_URL",
            "GITLAB_CI",
            "GITLAB_USER_LOGIN",
        ],
    ),
    (
        "Jenkins",
        &[
            "BRANCH_NAME",
            "BUILD_ID",
            "BUILD_NUMBER",
            "BUILD_TAG",
            "BUILD_URL",
            "CHANGE_AUTHOR",
            "CHANGE_BRANCH",
            "CHANGE_ID",
            "CHANGE_TARGET",
            "CHANGE_TITLE",
            "CHANGE_URL",
            "EXECUTOR_NUMBER",
            "GIT_BRANCH",
            "GIT_COMMIT",
            "JOB_BASE_NAME",
            "JOB_NAME",
            "NODE_NAME",
            "STAGE_NAME",
            "TAG_NAME",
            "WORKSPACE",
        ],
    ),
    (
        "Azure Pipelines",
        &[
            "AGENT_JOBNAME",
            "AGENT_NAME",
            "AGENT_OS",
            "BUILD_BUILDID",
            "BUILD_BUILDNUMBER",
            "BUILD_DEFINITIONNAME",
            "BUILD_REASON",
            "BUILD_REPOSITORY_NAME",
            "BUILD_REQUESTEDFOR",
            "BUILD_SOURCEBRANCH",
            "BUILD_SOURCEBRANCHNAME",
            "BUILD_SOURCESDIRECTORY",
            "BUILD_SOURCEVERSION",
            "BUILD_SOURCEVERSIONMESSAGE",
            "SYSTEM_JOBATTEMPT",
            "SYSTEM_JOBDISPLAYNAME",
            "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER",
            "SYSTEM_PULLREQUEST_SOURCEBRANCH",
            "SYSTEM_PULLREQUEST_TARGETBRANCH",
            "SYSTEM_STAGENAME",
            "SYSTEM_TEAMPROJECT",
            "TF_BUILD",
        ],
    ),
    (
        "CircleCI",
        &[
            "CIRCLECI",
            "CIRCLE_BRANCH",
            "CIRCLE_BUILD_NUM",
            "CIRCLE_BUILD_URL",
            "CIRCLE_JOB",
            "CIRCLE_NODE_INDEX",
            "CIRCLE_NODE_TOTAL",
            "CIRCLE_PROJECT_REPONAME",
            "CIRCLE_PROJECT_USERNAME",
            "CIRCLE_PR_NUMBER",
            "CIRCLE_PULL_REQUEST",
            "CIRCLE_SHA1",
            "CIRCLE_TAG",
            "CIRCLE_USERNAME",
            "CIRCLE_WORKFLOW_ID",
        ],
    ),
    (
        "Bitrise",
        &[
            "BITRISEIO_GIT_BRANCH_DEST",
            "BITRISE_APP_TITLE",
            "BITRISE_BUILD_NUMBER",
            "BITRISE_BUILD_SLUG",
            "BITRISE_BUILD_URL",
            "BITRISE_GIT_BRANCH",
            "BITRISE_GIT_COMMIT",
            "BITRISE_GIT_MESSAGE",
            "BITRISE_GIT_TAG",
            "BITRISE_IO",
            "BITRISE_PULL_REQUEST",
            "BITRISE_SOURCE_DIR",
            "BITRISE_TRIGGERED_WORKFLOW_ID",
            "BITRISE_TRIGGERED_WORKFLOW_TITLE",
        ],
    ),
    (
        "Buildkite",
        &[
            "BUILDKITE",
            "BUILDKITE_AGENT_NAME",
            "BUILDKITE_BRANCH",
            "BUILDKITE_BUILD_AUTHOR",
            "BUILDKITE_BUILD_CREATOR",
            "BUILDKITE_BUILD_ID",
            "BUILDKITE_BUILD_NUMBER",
            "BUILDKITE_BUILD_URL",
            "BUILDKITE_COMMIT",
            "BUILDKITE_LABEL",
            "BUILDKITE_MESSAGE",
            "BUILDKITE_PARALLEL_JOB",
            "BUILDKITE_PIPELINE_SLUG",
            "BUILDKITE_PULL_REQUEST",
            "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
            "BUILDKITE_RETRY_COUNT",
            "BUILDKITE_TAG",
        ],
    ),
    (
        "Bitbucket Pipelines",
        &[
            "BITBUCKET_BRANCH",
            "BITBUCKET_BUILD_NUMBER",
            "BITBUCKET_CLONE_DIR",
            "BITBUCKET_COMMIT",
            "BITBUCKET_PARALLEL_STEP",
            "BITBUCKET_PR_DESTINATION_BRANCH",
            "BITBUCKET_PR_ID",
            "BITBUCKET_REPO_FULL_NAME",
            "BITBUCKET_REPO_SLUG",
            "BITBUCKET_TAG",
            "BITBUCKET_WORKSPACE",
        ],
    ),
    (
        "Travis CI",
        &[
            "TRAVIS",
            "TRAVIS_BRANCH",
            "TRAVIS_BUILD_DIR",
            "TRAVIS_BUILD_ID",
            "TRAVIS_BUILD_NUMBER",
            "TRAVIS_BUILD_WEB_URL",
            "TRAVIS_COMMIT",
            "TRAVIS_COMMIT_MESSAGE",
            "TRAVIS_JOB_NAME",
            "TRAVIS_PULL_REQUEST",
            "TRAVIS_PULL_REQUEST_BRANCH",
            "TRAVIS_REPO_SLUG",
            "TRAVIS_TAG",
        ],
    ),
    (
        "TeamCity",
        &["BUILD_VCS_NUMBER", "TEAMCITY_BUILDCONF_NAME", "TEAMCITY_PROJECT_NAME", "TEAMCITY_VERSION"],
    ),
];

/// True for a fact of a CI.
pub(super) fn is_ci_fact(name: &str) -> bool {
    CI_FACTS.iter().any(|(_, names)| names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::{CI_FACTS, is_ci_fact};

    #[test]
    fn the_documentation_has_the_same_list() {
        let text = include_str!("../../docs/security.md");
        let from = text.find("<!-- variables -->").unwrap();
        let to = text.find("<!-- /variables -->").unwrap();
        let told: Vec<(String, Vec<String>)> = text[from..to]
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
            .filter(|(host, _)| !["Host", "---"].contains(host))
            .map(|(host, names)| {
                (host.to_owned(), names.split(' ').map(|name| name.trim_matches('`').to_owned()).collect())
            })
            .collect();
        let known: Vec<(String, Vec<String>)> = CI_FACTS
            .iter()
            .map(|(host, names)| ((*host).to_owned(), names.iter().map(|&name| name.to_owned()).collect()))
            .collect();
        assert_eq!(told, known);
    }

    #[test]
    fn no_fact_is_a_credential() {
        for name in CI_FACTS.iter().flat_map(|(_, names)| *names) {
            assert!(!crate::config::secret_names::names_a_secret(name), "{name}");
        }
        for name in [
            "CI_REPOSITORY_URL",
            "CI_JOB_TOKEN",
            "GITHUB_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "GIT_URL",
            "PATH",
            "HOME",
        ] {
            assert!(!is_ci_fact(name), "{name}");
        }
    }
}
