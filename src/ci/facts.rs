//! What each CI host tells about the commit and the job, from its variables. Pure but for GitHub's event file.
//!
//! Sources: GitHub "Variables", GitLab "Predefined CI/CD variables", Jenkins "Using environment variables" and the branch API
//! plugin (`CHANGE_*`), Azure Pipelines "Use predefined variables", `CircleCI` "Project values and variables", Bitrise "Available
//! environment variables", Buildkite "Environment variables", Bitbucket "Variables and secrets", Travis "Environment variables".

use crate::model::Env;

use super::detect::Kind;
use super::event::Told;

/// What is known; everything is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) provider: Option<&'static str>,
    pub(super) repository_url: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) message: Option<String>,
    pub(super) author: Option<String>,
    pub(super) committed_at: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) pr_number: Option<u64>,
    pub(super) pr_title: Option<String>,
    pub(super) pr_url: Option<String>,
    pub(super) source_branch: Option<String>,
    pub(super) target_branch: Option<String>,
    /// Commit of the target branch that the change stands on.
    pub(super) base_commit: Option<String>,
    /// The repository that a change goes into, where it is another one.
    pub(super) base_repository_url: Option<String>,
    pub(super) build_number: Option<String>,
    pub(super) job_name: Option<String>,
    pub(super) run_id: Option<String>,
    pub(super) run_url: Option<String>,
    pub(super) triggered_by: Option<String>,
    pub(super) agent: Option<String>,
    /// True when the change comes from another repository, where the host tells.
    pub(super) from_fork: Option<bool>,
}

/// Reads what `kind` tells in `env`.
pub(super) fn gather(kind: Kind, env: &Env) -> Facts {
    let mut facts = match kind {
        Kind::GitHub => github(env),
        Kind::GitLab => gitlab(env),
        Kind::Jenkins => jenkins(env),
        Kind::Azure => azure(env),
        Kind::CircleCi => circle(env),
        Kind::Bitrise => bitrise(env),
        Kind::Buildkite => buildkite(env),
        Kind::Bitbucket => bitbucket(env),
        Kind::Travis => travis(env),
        Kind::TeamCity => Facts {
            build_number: own(env, "BUILD_NUMBER"),
            commit: own(env, "BUILD_VCS_NUMBER"),
            ..Facts::default()
        },
        Kind::Other | Kind::None => Facts::default(),
    };
    facts.repository_url = facts.repository_url.map(|url| without_credentials(&url));
    facts.base_repository_url = facts.base_repository_url.map(|url| without_credentials(&url));
    if facts.provider.is_none() {
        facts.provider = facts.repository_url.as_deref().and_then(provider_of);
    }
    facts
}

fn own(env: &Env, name: &str) -> Option<String> {
    env.get(name).map(str::to_owned)
}

fn number(env: &Env, name: &str) -> Option<u64> {
    env.get(name)?.parse().ok()
}

fn github(env: &Env) -> Facts {
    let server = env.get("GITHUB_SERVER_URL").unwrap_or("https://github.com");
    let repository = env.get("GITHUB_REPOSITORY");
    let run_id = own(env, "GITHUB_RUN_ID");
    let repository_url = repository.map(|repository| format!("{server}/{repository}"));
    let told = Told::by(env, repository_url.as_deref());
    let mut facts = Facts {
        provider: Some("github"),
        repository_url,
        commit: told.commit.or_else(|| own(env, "GITHUB_SHA")),
        message: told.message,
        author: told.author,
        committed_at: told.committed_at,
        branch: told.source_branch.clone().or_else(|| own(env, "GITHUB_HEAD_REF")),
        pr_number: told.pr_number,
        pr_title: told.pr_title,
        pr_url: told.pr_url,
        source_branch: told.source_branch,
        target_branch: told.target_branch,
        base_commit: told.base_commit,
        from_fork: told.from_fork,
        build_number: own(env, "GITHUB_RUN_NUMBER"),
        job_name: own(env, "GITHUB_JOB"),
        run_url: repository
            .zip(run_id.as_ref())
            .map(|(repository, run)| format!("{server}/{repository}/actions/runs/{run}")),
        run_id,
        triggered_by: own(env, "GITHUB_TRIGGERING_ACTOR").or_else(|| own(env, "GITHUB_ACTOR")),
        agent: own(env, "RUNNER_NAME"),
        ..Facts::default()
    };
    match env.get("GITHUB_REF_TYPE") {
        Some("tag") => facts.tag = own(env, "GITHUB_REF_NAME"),
        _ if facts.branch.is_none() => {
            facts.branch = own(env, "GITHUB_REF_NAME").filter(|name| !name.ends_with("/merge"));
        }
        _ => {}
    }
    facts
}

fn gitlab(env: &Env) -> Facts {
    let number = number(env, "CI_MERGE_REQUEST_IID");
    let project = own(env, "CI_PROJECT_URL");
    Facts {
        provider: Some("gitlab"),
        pr_url: project
            .as_ref()
            .zip(number)
            .map(|(project, number)| format!("{project}/-/merge_requests/{number}")),
        repository_url: project,
        // In merged-results pipelines CI_COMMIT_SHA is the merge; the source's head has a variable of its own.
        commit: own(env, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or_else(|| own(env, "CI_COMMIT_SHA")),
        message: own(env, "CI_COMMIT_MESSAGE"),
        author: own(env, "CI_COMMIT_AUTHOR")
            .map(|author| author.split(" <").next().unwrap_or_default().to_owned()),
        committed_at: own(env, "CI_COMMIT_TIMESTAMP"),
        branch: own(env, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")
            .or_else(|| own(env, "CI_COMMIT_BRANCH"))
            .or_else(|| own(env, "CI_COMMIT_REF_NAME").filter(|_| env.get("CI_COMMIT_TAG").is_none())),
        tag: own(env, "CI_COMMIT_TAG"),
        pr_number: number,
        pr_title: own(env, "CI_MERGE_REQUEST_TITLE"),
        source_branch: own(env, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
        target_branch: own(env, "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
        // Only merged-results pipelines have the former: there the target's newest commit is tested along.
        base_commit: own(env, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA")
            .or_else(|| own(env, "CI_MERGE_REQUEST_DIFF_BASE_SHA")),
        base_repository_url: own(env, "CI_MERGE_REQUEST_PROJECT_URL"),
        build_number: own(env, "CI_PIPELINE_IID").or_else(|| own(env, "CI_PIPELINE_ID")),
        job_name: own(env, "CI_JOB_NAME"),
        run_id: own(env, "CI_PIPELINE_ID"),
        run_url: own(env, "CI_JOB_URL").or_else(|| own(env, "CI_PIPELINE_URL")),
        triggered_by: own(env, "GITLAB_USER_LOGIN"),
        agent: own(env, "CI_RUNNER_DESCRIPTION"),
        from_fork: env
            .get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
            .zip(env.get("CI_MERGE_REQUEST_PROJECT_ID"))
            .map(|(source, target)| source != target),
    }
}

fn jenkins(env: &Env) -> Facts {
    let branch = own(env, "CHANGE_BRANCH").or_else(|| own(env, "BRANCH_NAME")).or_else(|| {
        own(env, "GIT_BRANCH").map(|branch| branch.strip_prefix("origin/").unwrap_or(&branch).to_owned())
    });
    Facts {
        repository_url: own(env, "GIT_URL").map(|url| web_address(&url)),
        commit: own(env, "GIT_COMMIT"),
        branch,
        tag: own(env, "TAG_NAME"),
        pr_number: number(env, "CHANGE_ID"),
        pr_title: own(env, "CHANGE_TITLE"),
        pr_url: own(env, "CHANGE_URL"),
        source_branch: own(env, "CHANGE_BRANCH"),
        target_branch: own(env, "CHANGE_TARGET"),
        build_number: own(env, "BUILD_NUMBER"),
        job_name: own(env, "JOB_NAME"),
        run_id: own(env, "BUILD_TAG").or_else(|| own(env, "BUILD_ID")),
        run_url: own(env, "BUILD_URL"),
        triggered_by: own(env, "BUILD_USER").or_else(|| own(env, "CHANGE_AUTHOR")),
        agent: own(env, "NODE_NAME"),
        ..Facts::default()
    }
}

fn azure(env: &Env) -> Facts {
    let branch = own(env, "SYSTEM_PULLREQUEST_SOURCEBRANCH").or_else(|| own(env, "BUILD_SOURCEBRANCH"));
    let tag = branch.as_deref().and_then(|name| name.strip_prefix("refs/tags/")).map(str::to_owned);
    let short = |name: String| name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned();
    let run_id = own(env, "BUILD_BUILDID");
    let project = env.get("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI").zip(env.get("SYSTEM_TEAMPROJECT"));
    Facts {
        provider: match env.get("BUILD_REPOSITORY_PROVIDER") {
            Some("GitHub") => Some("github"),
            Some("Bitbucket") => Some("bitbucket"),
            _ => Some("azure-devops"),
        },
        repository_url: own(env, "BUILD_REPOSITORY_URI"),
        commit: own(env, "SYSTEM_PULLREQUEST_SOURCECOMMITID").or_else(|| own(env, "BUILD_SOURCEVERSION")),
        message: own(env, "BUILD_SOURCEVERSIONMESSAGE"),
        author: own(env, "BUILD_SOURCEVERSIONAUTHOR"),
        pr_number: number(env, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER")
            .or_else(|| number(env, "SYSTEM_PULLREQUEST_PULLREQUESTID")),
        source_branch: own(env, "SYSTEM_PULLREQUEST_SOURCEBRANCH").map(short),
        target_branch: own(env, "SYSTEM_PULLREQUEST_TARGETBRANCH").map(short),
        branch: branch.filter(|_| tag.is_none()).map(short),
        tag,
        build_number: own(env, "BUILD_BUILDNUMBER"),
        job_name: own(env, "SYSTEM_JOBDISPLAYNAME").or_else(|| own(env, "AGENT_JOBNAME")),
        run_url: project
            .zip(run_id.as_ref())
            .map(|((uri, project), run)| format!("{uri}{project}/_build/results?buildId={run}")),
        run_id,
        triggered_by: own(env, "BUILD_REQUESTEDFOR"),
        agent: own(env, "AGENT_NAME"),
        ..Facts::default()
    }
}

fn circle(env: &Env) -> Facts {
    let pull = own(env, "CIRCLE_PULL_REQUEST");
    Facts {
        repository_url: own(env, "CIRCLE_REPOSITORY_URL").map(|url| web_address(&url)),
        commit: own(env, "CIRCLE_SHA1"),
        branch: own(env, "CIRCLE_BRANCH"),
        tag: own(env, "CIRCLE_TAG"),
        pr_number: number(env, "CIRCLE_PR_NUMBER")
            .or_else(|| pull.as_deref()?.rsplit('/').next()?.parse().ok()),
        pr_url: pull,
        build_number: own(env, "CIRCLE_BUILD_NUM"),
        job_name: own(env, "CIRCLE_JOB"),
        run_id: own(env, "CIRCLE_WORKFLOW_ID").or_else(|| own(env, "CIRCLE_BUILD_NUM")),
        run_url: own(env, "CIRCLE_BUILD_URL"),
        triggered_by: own(env, "CIRCLE_USERNAME"),
        ..Facts::default()
    }
}

fn bitrise(env: &Env) -> Facts {
    Facts {
        repository_url: own(env, "GIT_REPOSITORY_URL").map(|url| web_address(&url)),
        commit: own(env, "BITRISE_GIT_COMMIT").or_else(|| own(env, "GIT_CLONE_COMMIT_HASH")),
        message: own(env, "BITRISE_GIT_MESSAGE").or_else(|| own(env, "GIT_CLONE_COMMIT_MESSAGE_SUBJECT")),
        author: own(env, "GIT_CLONE_COMMIT_AUTHOR_NAME"),
        branch: own(env, "BITRISE_GIT_BRANCH"),
        tag: own(env, "BITRISE_GIT_TAG"),
        pr_number: number(env, "BITRISE_PULL_REQUEST"),
        source_branch: env.get("BITRISE_PULL_REQUEST").and_then(|_| own(env, "BITRISE_GIT_BRANCH")),
        target_branch: own(env, "BITRISEIO_GIT_BRANCH_DEST"),
        build_number: own(env, "BITRISE_BUILD_NUMBER"),
        job_name: own(env, "BITRISE_TRIGGERED_WORKFLOW_TITLE")
            .or_else(|| own(env, "BITRISE_TRIGGERED_WORKFLOW_ID")),
        run_id: own(env, "BITRISE_BUILD_SLUG"),
        run_url: own(env, "BITRISE_BUILD_URL"),
        ..Facts::default()
    }
}

fn buildkite(env: &Env) -> Facts {
    let repository_url = own(env, "BUILDKITE_REPO").map(|url| web_address(&url));
    let pr_number = number(env, "BUILDKITE_PULL_REQUEST");
    Facts {
        repository_url,
        commit: own(env, "BUILDKITE_COMMIT").filter(|commit| commit != "HEAD"),
        message: own(env, "BUILDKITE_MESSAGE"),
        author: own(env, "BUILDKITE_BUILD_AUTHOR"),
        branch: own(env, "BUILDKITE_BRANCH"),
        tag: own(env, "BUILDKITE_TAG"),
        pr_number,
        source_branch: pr_number.and_then(|_| own(env, "BUILDKITE_BRANCH")),
        target_branch: own(env, "BUILDKITE_PULL_REQUEST_BASE_BRANCH"),
        build_number: own(env, "BUILDKITE_BUILD_NUMBER"),
        job_name: own(env, "BUILDKITE_LABEL").or_else(|| own(env, "BUILDKITE_STEP_KEY")),
        run_id: own(env, "BUILDKITE_BUILD_ID"),
        run_url: own(env, "BUILDKITE_BUILD_URL"),
        triggered_by: own(env, "BUILDKITE_BUILD_CREATOR"),
        agent: own(env, "BUILDKITE_AGENT_NAME"),
        ..Facts::default()
    }
}

fn bitbucket(env: &Env) -> Facts {
    let origin = own(env, "BITBUCKET_GIT_HTTP_ORIGIN");
    let number = number(env, "BITBUCKET_PR_ID");
    let run_id = own(env, "BITBUCKET_BUILD_NUMBER");
    Facts {
        provider: Some("bitbucket"),
        pr_url: origin
            .as_ref()
            .zip(number)
            .map(|(origin, number)| format!("{origin}/pull-requests/{number}")),
        run_url: origin
            .as_ref()
            .zip(run_id.as_ref())
            .map(|(origin, run)| format!("{origin}/addon/pipelines/home#!/results/{run}")),
        repository_url: origin,
        commit: own(env, "BITBUCKET_COMMIT"),
        branch: own(env, "BITBUCKET_BRANCH"),
        tag: own(env, "BITBUCKET_TAG"),
        pr_number: number,
        source_branch: number.and_then(|_| own(env, "BITBUCKET_BRANCH")),
        target_branch: own(env, "BITBUCKET_PR_DESTINATION_BRANCH"),
        build_number: run_id.clone(),
        job_name: own(env, "BITBUCKET_STEP_UUID"),
        run_id,
        triggered_by: own(env, "BITBUCKET_STEP_TRIGGERER_UUID"),
        ..Facts::default()
    }
}

fn travis(env: &Env) -> Facts {
    let pr_number = number(env, "TRAVIS_PULL_REQUEST");
    Facts {
        repository_url: own(env, "TRAVIS_REPO_SLUG").map(|slug| format!("https://github.com/{slug}")),
        commit: own(env, "TRAVIS_PULL_REQUEST_SHA").or_else(|| own(env, "TRAVIS_COMMIT")),
        message: own(env, "TRAVIS_COMMIT_MESSAGE"),
        branch: own(env, "TRAVIS_PULL_REQUEST_BRANCH").or_else(|| own(env, "TRAVIS_BRANCH")),
        tag: own(env, "TRAVIS_TAG"),
        pr_number,
        source_branch: own(env, "TRAVIS_PULL_REQUEST_BRANCH"),
        target_branch: pr_number.and_then(|_| own(env, "TRAVIS_BRANCH")),
        build_number: own(env, "TRAVIS_BUILD_NUMBER"),
        job_name: own(env, "TRAVIS_JOB_NAME"),
        run_id: own(env, "TRAVIS_BUILD_ID"),
        run_url: own(env, "TRAVIS_BUILD_WEB_URL"),
        ..Facts::default()
    }
}

/// `git@host:owner/repo.git` and the like as a web address.
pub(super) fn web_address(remote: &str) -> String {
    let remote = remote.trim().trim_end_matches('/');
    let remote = remote.strip_suffix(".git").unwrap_or(remote);
    if let Some(rest) = remote.strip_prefix("ssh://") {
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        return format!("https://{}/{path}", host.split(':').next().unwrap_or(host));
    }
    if !remote.contains("://")
        && let Some((user_host, path)) = remote.split_once(':')
    {
        let host = user_host.rsplit('@').next().unwrap_or(user_host);
        if !host.contains('/') && !path.starts_with('\\') && host.contains('.') {
            return format!("https://{host}/{path}");
        }
    }
    without_credentials(remote)
}

/// The address without a user name, password or token in it.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) =
        rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
}

/// The provider word of the service for a repository's address.
pub(super) fn provider_of(url: &str) -> Option<&'static str> {
    let host = url.split("://").nth(1)?.split('/').next()?;
    if host.contains("github") {
        Some("github")
    } else if host.contains("gitlab") {
        Some("gitlab")
    } else if host.contains("bitbucket") {
        Some("bitbucket")
    } else if host.contains("dev.azure.com") || host.contains("visualstudio.com") {
        Some("azure-devops")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Env, Kind, gather, web_address, without_credentials};

    #[test]
    fn every_host_tells_commit_and_branch() {
        let cases: [(Kind, &[(&str, &str)]); 9] = [
            (Kind::GitHub, &[("GITHUB_SHA", "c"), ("GITHUB_REF_NAME", "b")]),
            (
                Kind::GitLab,
                &[
                    ("CI_COMMIT_SHA", "merge"),
                    ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "c"),
                    ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "b"),
                ],
            ),
            (Kind::Jenkins, &[("GIT_COMMIT", "c"), ("GIT_BRANCH", "origin/b")]),
            (
                Kind::Azure,
                &[
                    ("BUILD_SOURCEVERSION", "merge"),
                    ("SYSTEM_PULLREQUEST_SOURCECOMMITID", "c"),
                    ("BUILD_SOURCEBRANCH", "refs/heads/b"),
                ],
            ),
            (Kind::CircleCi, &[("CIRCLE_SHA1", "c"), ("CIRCLE_BRANCH", "b")]),
            (Kind::Bitrise, &[("BITRISE_GIT_COMMIT", "c"), ("BITRISE_GIT_BRANCH", "b")]),
            (Kind::Buildkite, &[("BUILDKITE_COMMIT", "c"), ("BUILDKITE_BRANCH", "b")]),
            (Kind::Bitbucket, &[("BITBUCKET_COMMIT", "c"), ("BITBUCKET_BRANCH", "b")]),
            (Kind::Travis, &[("TRAVIS_COMMIT", "c"), ("TRAVIS_BRANCH", "b")]),
        ];
        for (kind, pairs) in cases {
            let env = Env::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            let facts = gather(kind, &env);
            assert_eq!(
                (facts.commit.as_deref(), facts.branch.as_deref()),
                (Some("c"), Some("b")),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn addresses_lose_credentials_and_become_web_addresses() {
        assert_eq!(without_credentials("https://user:tok@host.x/a/b"), "https://host.x/a/b");
        for raw in [
            "git@host.x:a/b.git",
            "ssh://git@host.x:22/a/b.git",
            "https://t@host.x/a/b.git",
            "https://host.x/a/b/",
        ] {
            assert_eq!(web_address(raw), "https://host.x/a/b", "{raw}");
        }
        assert_eq!(web_address("/srv/repo"), "/srv/repo");
    }
}
