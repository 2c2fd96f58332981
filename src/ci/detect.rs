//! Which CI host this is, told by its variables. Pure.

use crate::model::Env;

/// A CI host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GitHub Actions, and what speaks its language (Gitea, Forgejo).
    GitHub,
    /// GitLab CI.
    GitLab,
    /// Jenkins.
    Jenkins,
    /// Azure Pipelines.
    Azure,
    /// `CircleCI`.
    CircleCi,
    /// Bitrise.
    Bitrise,
    /// Buildkite.
    Buildkite,
    /// Bitbucket Pipelines.
    Bitbucket,
    /// `TeamCity`.
    TeamCity,
    /// Travis CI.
    Travis,
    /// Some other CI (`CI=true`).
    Other,
    /// A person's machine.
    None,
}

impl Kind {
    /// The word of the service for `details.ci.system`; hosts it does not know are `custom`.
    pub(crate) const fn system(self) -> Option<&'static str> {
        match self {
            Self::GitHub => Some("github-actions"),
            Self::GitLab => Some("gitlab-ci"),
            Self::Jenkins => Some("jenkins"),
            Self::Azure => Some("azure-pipelines"),
            Self::CircleCi => Some("circleci"),
            Self::Bitrise => Some("bitrise"),
            Self::Travis => Some("travis"),
            Self::Buildkite | Self::Bitbucket | Self::TeamCity | Self::Other => Some("custom"),
            Self::None => None,
        }
    }

    /// The name in reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github-actions",
            Self::GitLab => "gitlab-ci",
            Self::Jenkins => "jenkins",
            Self::Azure => "azure-pipelines",
            Self::CircleCi => "circleci",
            Self::Bitrise => "bitrise",
            Self::Buildkite => "buildkite",
            Self::Bitbucket => "bitbucket",
            Self::TeamCity => "teamcity",
            Self::Travis => "travis",
            Self::Other => "other",
            Self::None => "none",
        }
    }
}

/// Finds out which host runs this process.
pub(super) fn detect(env: &Env) -> Kind {
    let set = |name: &str| env.get(name).is_some();
    match () {
        () if env.is_true("GITHUB_ACTIONS") => Kind::GitHub,
        () if set("GITLAB_CI") && env.get("GITLAB_CI") != Some("false") => Kind::GitLab,
        () if env.is_true("TF_BUILD") => Kind::Azure,
        () if env.is_true("CIRCLECI") => Kind::CircleCi,
        () if env.is_true("BITRISE_IO") => Kind::Bitrise,
        () if env.is_true("BUILDKITE") => Kind::Buildkite,
        () if set("BITBUCKET_BUILD_NUMBER") => Kind::Bitbucket,
        () if set("TEAMCITY_VERSION") => Kind::TeamCity,
        () if env.is_true("TRAVIS") => Kind::Travis,
        () if set("JENKINS_URL") || (set("BUILD_URL") && set("JOB_NAME")) => Kind::Jenkins,
        () if env.is_true("CI") => Kind::Other,
        () => Kind::None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Env, Kind, detect};

    #[test]
    fn recognises_hosts() {
        for (pair, kind) in [
            (("GITHUB_ACTIONS", "true"), Kind::GitHub),
            (("GITLAB_CI", "true"), Kind::GitLab),
            (("TF_BUILD", "True"), Kind::Azure),
            (("CIRCLECI", "true"), Kind::CircleCi),
            (("BITRISE_IO", "true"), Kind::Bitrise),
            (("BUILDKITE", "true"), Kind::Buildkite),
            (("JENKINS_URL", "http://x"), Kind::Jenkins),
            (("CI", "true"), Kind::Other),
            (("HOME", "/root"), Kind::None),
        ] {
            assert_eq!(detect(&Env::from([pair])), kind);
        }
    }
}
