//! The workspace: what the repository's content may name. Asks the disk where links end; writes nothing.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Display, Path, PathBuf};

use super::Env;

/// Where a host says that it put the repository (GitHub, GitLab, Jenkins).
const HOSTS: [&str; 3] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"];
/// Links that lead nowhere are followed that often, as an operating system does.
const MOST_LINKS: usize = 40;

/// The folder that paths named by the repository's content have to end in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace(PathBuf);

impl Workspace {
    /// The host's workspace when the working directory lies in it, else the root of the git checkout, else the working directory.
    pub(crate) fn find(env: &Env, cwd: &Path) -> Self {
        let here = really(cwd).unwrap_or_else(|_| cwd.to_owned());
        let named = HOSTS
            .iter()
            .filter_map(|name| really(Path::new(env.get(name)?)).ok())
            .find(|folder| here.starts_with(folder));
        let checkout = || {
            // A linked worktree and a submodule have a file of that name.
            here.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok()).map(Path::to_owned)
        };
        Self(named.or_else(checkout).unwrap_or(here))
    }

    /// The folder itself, links resolved.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// The folder as its system writes it; Windows has a second way for programs.
    #[must_use]
    pub(crate) fn shown(&self) -> Display<'_> {
        dunce::simplified(&self.0).display()
    }

    /// True when `path` ends in the workspace once every link in it is followed; one that cannot be followed does not. What is not there
    /// yet counts as what would be made.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        really(path).is_ok_and(|end| end.starts_with(&self.0))
    }
}

/// Where `path` really ends: absolute, every link in it followed, also one that leads to nothing.
pub(crate) fn really(path: &Path) -> io::Result<PathBuf> {
    let mut followed = 0;
    let mut so_far = PathBuf::new();
    let mut rest = parts(&std::path::absolute(path)?);
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            // Nothing in `so_far` is a link any more, so this is the folder above.
            so_far.pop();
            continue;
        }
        let next = so_far.join(part);
        match next.canonicalize() {
            Ok(real) => so_far = real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match next.read_link() {
                Ok(_) if followed == MOST_LINKS => return Err(error),
                Ok(target) => {
                    followed += 1;
                    let mut onward = parts(&so_far.join(target));
                    onward.append(&mut rest);
                    rest = onward;
                    so_far = PathBuf::new();
                }
                Err(_) => so_far = next,
            },
            Err(error) => return Err(error),
        }
    }
    Ok(so_far)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let mut parts = VecDeque::new();
    let mut prefix = OsString::new();
    for part in path.components() {
        match part {
            // On Windows the drive and the root are two parts that mean nothing one by one.
            Component::Prefix(_) => part.as_os_str().clone_into(&mut prefix),
            Component::RootDir => {
                prefix.push(part.as_os_str());
                parts.push_back(std::mem::take(&mut prefix));
            }
            Component::CurDir => {}
            Component::ParentDir | Component::Normal(_) => parts.push_back(part.as_os_str().to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Env, Workspace, really};

    #[test]
    fn the_host_names_it_else_the_checkout_else_the_working_directory() {
        let home = tempfile::tempdir().unwrap();
        let base = really(home.path()).unwrap();
        let deep = base.join("checkout/game/tools");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(Workspace::find(&Env::default(), &deep).root(), deep);
        fs::write(base.join("checkout/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(Workspace::find(&Env::default(), &deep).root(), base.join("checkout"));
        for name in ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"] {
            let named = |folder: &str| Env::from([(name, base.join(folder).to_str().unwrap())]);
            assert_eq!(Workspace::find(&named("checkout/game"), &deep).root(), base.join("checkout/game"));
            assert_eq!(Workspace::find(&named("."), &deep).root(), base);
            // One that the working directory does not lie in says nothing about it.
            assert_eq!(Workspace::find(&named("checkout/ga"), &deep).root(), base.join("checkout"));
            assert_eq!(Workspace::find(&named("elsewhere"), &deep).root(), base.join("checkout"));
        }
    }

    #[test]
    fn what_is_not_there_yet_ends_where_it_would_be_made() {
        let home = tempfile::tempdir().unwrap();
        let base = really(home.path()).unwrap();
        fs::create_dir_all(base.join("work/out")).unwrap();
        let workspace = Workspace::find(&Env::default(), &base.join("work"));
        for (path, inside) in [
            ("work", true),
            ("work/out/new/deep", true),
            ("work/new/../out", true),
            ("work/new/../../other", false),
            ("work/../work2", false),
            ("elsewhere", false),
        ] {
            assert_eq!(workspace.holds(&base.join(path)), inside, "{path}");
        }
        assert!(!workspace.holds(std::path::Path::new("/etc/passwd")));
    }

    #[cfg(unix)]
    #[test]
    fn links_count_where_they_end() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let base = really(home.path()).unwrap();
        fs::create_dir_all(base.join("work/out")).unwrap();
        fs::create_dir(base.join("outside")).unwrap();
        for (link, target) in [
            ("jenkins", "work"),
            ("work/in", "out"),
            ("work/leaves", "../outside"),
            ("work/to-nothing", "../outside/nothing"),
            ("work/to-nothing-inside", "out/nothing"),
            ("work/again", "to-nothing"),
            ("work/circle", "circle"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        // A linked workspace: the host's name for it, and the working directory, may differ.
        for (root, cwd) in [("jenkins", "jenkins"), ("jenkins", "work/out"), ("work", "jenkins/out")] {
            let env = Env::from([("WORKSPACE", base.join(root).to_str().unwrap())]);
            let workspace = Workspace::find(&env, &base.join(cwd));
            assert_eq!(workspace.root(), base.join("work"), "{root} {cwd}");
            for (path, inside) in [
                ("jenkins/out", true),
                ("work/in/new", true),
                ("work/to-nothing-inside", true),
                ("work/leaves", false),
                ("work/leaves/new", false),
                ("work/new/../leaves", false),
                ("work/to-nothing", false),
                ("work/again", false),
            ] {
                assert_eq!(workspace.holds(&base.join(path)), inside, "{path}");
            }
            assert!(!workspace.holds(&base.join("work/circle")));
        }
    }
}
