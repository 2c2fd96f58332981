//! What an API key may do, in the service's own names (API reference, page "Authentication").

use serde::Serialize;

/// A permission of an API key that this program can need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Permission {
    /// Upload, list and read stored builds.
    ManageBuildStorage,
    /// Start and stop runs.
    OperateRuns,
    /// Read jobs, runs and bugs.
    ReadRuns,
    /// Read deployment and agent configurations.
    ViewConfigs,
}

impl Permission {
    /// Every permission, in the order a job needs them.
    pub(crate) const ALL: [Self; 4] =
        [Self::ManageBuildStorage, Self::OperateRuns, Self::ReadRuns, Self::ViewConfigs];

    /// The service's name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ManageBuildStorage => "project:manage-build-storage",
            Self::OperateRuns => "project:operate-runs",
            Self::ReadRuns => "project:read-runs",
            Self::ViewConfigs => "project:view-configs",
        }
    }

    /// What it is for, so that a sentence can go on with it: "needed to ...".
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Self::ManageBuildStorage => "upload builds",
            Self::OperateRuns => "start and stop runs",
            Self::ReadRuns => "wait for runs and read their results",
            Self::ViewConfigs => "look up configurations by name",
        }
    }

    /// The permission of that name.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == raw)
    }
}

impl std::fmt::Display for Permission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Permission {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Permission;

    #[test]
    fn every_name_reads_back() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
        }
        assert_eq!(Permission::parse("project:admin"), None);
    }
}
