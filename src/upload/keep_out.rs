//! What never travels with a folder, whatever its `.nunuignore` says or leaves open.

use std::path::{Path, PathBuf};

use crate::model::Workspace;
use crate::model::workspace::really;

/// The folders of this job that are no part of a build.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeepOut {
    /// Where they really are.
    ours: Vec<PathBuf>,
    workspace: Option<PathBuf>,
}

/// What a name alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// The history of the sources: never part of a build, and its configuration may hold a token of the host.
    History,
    /// Programs keep credentials under that name.
    Credentials,
    /// Nothing.
    Anything,
}

impl KeepOut {
    /// `ours` are the results folder and the state folder, which change while we work.
    pub(crate) fn new(ours: impl IntoIterator<Item = PathBuf>, workspace: &Workspace) -> Self {
        let ours = ours.into_iter().map(|folder| really(&folder).unwrap_or(folder)).collect();
        Self { ours, workspace: Some(workspace.root().to_owned()) }
    }

    /// True for a folder of ours, by its real path.
    pub(crate) fn is_ours(&self, real: &Path) -> bool {
        self.ours.iter().any(|folder| folder == real)
    }

    /// True when this real path lies in a folder of ours.
    pub(crate) fn lies_in_ours(&self, real: &Path) -> bool {
        self.ours.iter().any(|folder| real.starts_with(folder))
    }

    /// True when the whole workspace would travel: then a pull request decides what `.nunuignore` says.
    pub(crate) fn is_workspace(&self, real: &Path) -> bool {
        self.workspace.as_ref().is_some_and(|workspace| workspace.starts_with(real))
    }
}

/// What the name of a file or folder tells. Some systems do not tell upper from lower case.
pub(crate) fn named(name: &str) -> Named {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        ".git" => Named::History,
        ".env" | ".ssh" | ".netrc" | ".npmrc" | ".git-credentials" => Named::Credentials,
        _ if name.starts_with(".env.") => Named::Credentials,
        _ => Named::Anything,
    }
}

/// The most that a part of this path tells.
pub(crate) fn named_within(relative: &Path) -> Named {
    let all: Vec<Named> = relative.iter().map(|part| named(&part.to_string_lossy())).collect();
    [Named::History, Named::Credentials].into_iter().find(|one| all.contains(one)).unwrap_or(Named::Anything)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Named, named, named_within};

    #[test]
    fn knows_names_of_credentials() {
        for (name, want) in [
            (".git", Named::History),
            (".GIT", Named::History),
            (".gitignore", Named::Anything),
            (".env", Named::Credentials),
            (".env.local", Named::Credentials),
            (".environment", Named::Anything),
            (".Ssh", Named::Credentials),
            (".git-credentials", Named::Credentials),
            ("env", Named::Anything),
        ] {
            assert_eq!(named(name), want, "{name}");
        }
        assert_eq!(named_within(Path::new("a/.git/config")), Named::History);
        assert_eq!(named_within(Path::new("a/.ssh/id")), Named::Credentials);
        assert_eq!(named_within(Path::new("a/b")), Named::Anything);
    }
}
