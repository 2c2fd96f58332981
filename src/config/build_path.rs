//! From the setting `build-path` to one existing file or folder.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::model::{ExitReason, Failure, Workspace};

use super::find_builds::builds_below;
use super::matches::{Walk, is_glob, matches};
use super::values::nearest;

/// Matches shown when a glob is not unique.
const SHOWN: usize = 10;

/// Why there is no build.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The run config leads out of the workspace.
    LeadsOut,
    /// Everything else.
    Failure(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Finds the build. With `within`, it has to end in that workspace, and nothing outside is looked at.
pub(super) fn find(
    raw: &str,
    source: &str,
    cwd: &Path,
    within: Option<&Workspace>,
) -> Result<PathBuf, Trouble> {
    let path = cwd.join(raw);
    let leads_out = |path: &Path| within.is_some_and(|workspace| !workspace.holds(path));
    if !leads_out(&path) {
        match fs::metadata(&path) {
            Ok(about) => return Ok(usable(path, &about, raw, source)?),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(unreadable(raw, source, &error).into());
            }
            Err(_) => {}
        }
        if !is_glob(raw) {
            return Err(missing(raw, source, cwd).into());
        }
    } else if !is_glob(raw) {
        return Err(Trouble::LeadsOut);
    }
    let wrong = |what: String| Failure::new(ExitReason::InvalidInput, format!("\"{raw}\" {what}"));
    let found = match matches(raw, cwd, within) {
        Walk::Matches(found) => found,
        Walk::LeadsOut => return Err(Trouble::LeadsOut),
        Walk::NoPattern(why) => {
            return Err(wrong(format!("is not a glob: {why}; write one such as build/*.apk")).into());
        }
        Walk::TooMany(most) => {
            return Err(wrong(format!("has more than {most} files and folders to look at; begin it further down, such as build/**/*.apk")).into());
        }
    };
    match found.as_slice() {
        [] => Err(missing(raw, source, cwd).into()),
        [one] => match fs::metadata(one) {
            Ok(about) => Ok(usable(one.clone(), &about, &shown(one, cwd), source)?),
            Err(error) => Err(unreadable(raw, source, &error).into()),
        },
        many => Err(ambiguous(raw, source, cwd, many).into()),
    }
}

fn ambiguous(raw: &str, source: &str, cwd: &Path, many: &[PathBuf]) -> Failure {
    let mut failure = Failure::new(
        ExitReason::BuildAmbiguous,
        format!("build-path (from {source}): \"{raw}\" matches {} files, and a build is one", many.len()),
    );
    for path in many.iter().take(SHOWN) {
        failure = failure.cause(shown(path, cwd));
    }
    if many.len() > SHOWN {
        failure = failure.cause(format!("and {} more", many.len() - SHOWN));
    }
    failure.hint("make the glob narrower, or name the one file")
}

fn shown(path: &Path, cwd: &Path) -> String {
    path.strip_prefix(cwd).unwrap_or(path).display().to_string()
}

fn unreadable(raw: &str, source: &str, error: &std::io::Error) -> Failure {
    Failure::new(ExitReason::BuildNotFound, format!("build-path (from {source}): cannot read {raw}"))
        .cause(error.to_string())
        .hint("check who may read it: the step that made the build may have run as another user")
}

/// A file with content or a folder with entries.
fn usable(path: PathBuf, about: &Metadata, raw: &str, source: &str) -> Result<PathBuf, Failure> {
    let empty = |what: &str| {
        Failure::new(ExitReason::BuildEmpty, format!("build-path (from {source}): {raw} is an empty {what}"))
            .hint("the step before made no build, or made it somewhere else: look at its log")
    };
    if about.is_file() {
        return if about.len() == 0 { Err(empty("file")) } else { Ok(path) };
    }
    if about.is_dir() {
        return match fs::read_dir(&path).map(|mut entries| entries.next()) {
            Ok(None) => Err(empty("folder")),
            Ok(Some(_)) => Ok(path),
            Err(error) => Err(unreadable(raw, source, &error)),
        };
    }
    Err(Failure::new(
        ExitReason::BuildUnsupported,
        format!("build-path (from {source}): {raw} is neither a file nor a folder"),
    )
    .hint("name the file that the build step made"))
}

fn missing(raw: &str, source: &str, cwd: &Path) -> Failure {
    let mut failure =
        Failure::new(ExitReason::BuildNotFound, format!("build-path (from {source}): there is no {raw}"))
            .cause(format!("looked in {}", cwd.display()));
    let path = cwd.join(raw);
    // The deepest folder that exists shows where the path goes wrong.
    let mut folder = path.parent();
    while folder.is_some_and(|folder| !folder.is_dir()) {
        folder = folder.and_then(Path::parent);
    }
    if let Some(folder) = folder {
        let names: Vec<String> = fs::read_dir(folder)
            .map(|entries| {
                entries
                    .filter_map(Result::ok)
                    .take(200)
                    .map(|entry| entry.file_name().to_string_lossy().into_owned())
                    .collect()
            })
            .unwrap_or_default();
        let wanted = path
            .strip_prefix(folder)
            .ok()
            .and_then(|below| below.components().next())
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        let near = wanted.and_then(|wanted| nearest(&wanted, names.iter().map(String::as_str)));
        let near = near.map(|near| shown(&folder.join(near), cwd));
        if let Some(near) = near.or_else(|| elsewhere(raw, cwd)) {
            failure = failure.cause(format!("there is {near}"));
        }
    }
    if raw.starts_with('~') {
        failure =
            failure.hint("~ is expanded by shells only; write the whole path, or $HOME in a shell step");
    } else if raw.contains('{') && raw.contains('}') {
        failure =
            failure.hint("braces such as {apk,aab} are not understood: name one kind of file, or use *");
    } else if raw.starts_with(['"', '\'']) {
        failure = failure.hint("the quotes are part of the value here; leave them out");
    } else if raw.contains('$') || raw.contains('%') {
        failure = failure
            .hint("this looks like a variable that nobody filled in; only the run config fills in ${NAME}");
    } else if raw.contains('\\') && !cfg!(windows) {
        failure = failure.hint("write / between folders, on every system");
    }
    failure
        .hint("check the path, and that the step which makes the build ran before this one, in the same job")
}

/// A build somewhere else below the working directory, of the same kind when there is one.
fn elsewhere(raw: &str, cwd: &Path) -> Option<String> {
    let wanted = Path::new(raw).extension();
    let found = builds_below(cwd).into_iter().map(|(_, path)| path);
    found.min_by_key(|path| (Path::new(path).extension() != wanted, path.clone()))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{ExitReason, Failure, Trouble, fs};
    use crate::model::{Env, Workspace};

    fn find(raw: &str, source: &str, cwd: &Path) -> Result<PathBuf, Failure> {
        super::find(raw, source, cwd, None).map_err(|trouble| match trouble {
            Trouble::Failure(failure) => failure,
            Trouble::LeadsOut => panic!("{raw} may lead anywhere"),
        })
    }

    #[test]
    fn what_the_run_config_names_ends_in_the_workspace() {
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path().join("work");
        fs::create_dir_all(cwd.join("build")).unwrap();
        for name in ["beside.apk", "work/build/game.apk"] {
            fs::write(home.path().join(name), b"x").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("../../beside.apk", cwd.join("build/link.apk")).unwrap();
        let workspace = Workspace::find(&Env::default(), &cwd);
        let within = |raw: &str| super::find(raw, "x", &cwd, Some(&workspace));
        assert_eq!(within("build/g*.apk").unwrap(), cwd.join("build/game.apk"));
        assert_eq!(within(cwd.join("build/game.apk").to_str().unwrap()).unwrap(), cwd.join("build/game.apk"));
        let mut outside =
            vec!["../beside.apk", "../*.apk", "/etc/passwd", "/etc/nothing-of-the-kind", "../../etc/ssh"];
        if cfg!(unix) {
            outside.push("build/link.apk");
        }
        for raw in outside {
            assert!(matches!(within(raw), Err(Trouble::LeadsOut)), "{raw}");
        }
        // The pipeline may leave it.
        assert!(find("../beside.apk", "x", &cwd).is_ok());
    }

    #[test]
    fn finds_one_and_explains_the_rest() {
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path();
        fs::create_dir(cwd.join("build")).unwrap();
        fs::write(cwd.join("build/game.apk"), b"x").unwrap();
        fs::write(cwd.join("build/other.apk"), b"x").unwrap();
        fs::write(cwd.join("build/empty.zip"), b"").unwrap();
        assert_eq!(find("build/g*.apk", "flag", cwd).unwrap(), cwd.join("build/game.apk"));
        let many = find("build/*.apk", "--build-path", cwd).unwrap_err();
        assert_eq!(many.reason, ExitReason::BuildAmbiguous);
        // Shown as the system writes them.
        let shown = |name: &str| Path::new("build").join(name).display().to_string();
        assert_eq!(many.causes, [shown("game.apk"), shown("other.apk")]);
        let near = find("build/gme.apk", "x", cwd).unwrap_err();
        assert_eq!(near.reason, ExitReason::BuildNotFound);
        assert!(near.to_string().contains(&format!("there is {}", shown("game.apk"))), "{near}");
        assert_eq!(find("build/empty.zip", "x", cwd).unwrap_err().reason, ExitReason::BuildEmpty);
        match find("build\\game.apk", "x", cwd) {
            Ok(found) => assert!(cfg!(windows) && found == cwd.join("build/game.apk"), "{found:?}"),
            Err(failure) => {
                assert!(!cfg!(windows) && failure.to_string().contains("write /"), "{failure}");
            }
        }
        assert!(find("~/game.apk", "x", cwd).unwrap_err().to_string().contains("shells only"));
        assert_eq!(find("build/[.apk", "x", cwd).unwrap_err().reason, ExitReason::InvalidInput);
        for (raw, hint) in [
            ("build/*.{apk,aab}", "braces"),
            ("\"build/game.apk\"", "quotes"),
            ("$OUT/game.apk", "variable"),
            ("bild/game.apk", "there is build\n"),
        ] {
            let failure = find(raw, "x", cwd).unwrap_err();
            assert_eq!(failure.reason, ExitReason::BuildNotFound);
            assert!(failure.to_string().contains(hint), "{failure}");
        }
    }

    #[test]
    fn globs_are_read_as_a_shell_does() {
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path().join("odd [1]");
        fs::create_dir_all(cwd.join("out/deep")).unwrap();
        fs::create_dir(cwd.join("hollow")).unwrap();
        for name in ["out/.DS_Store", "out/game.apk", "out/deep/other.ipa", "a[1].apk"] {
            fs::write(cwd.join(name), b"x").unwrap();
        }
        for (raw, found) in [
            ("out/*.apk", "out/game.apk"),
            ("**/*.ipa", "out/deep/other.ipa"),
            ("out/g?me.ap[jk]", "out/game.apk"),
            ("a[1].apk", "a[1].apk"),
            ("out/../out/game.apk", "out/../out/game.apk"),
            ("o*", "out"),
        ] {
            assert_eq!(find(raw, "x", &cwd).unwrap(), cwd.join(found), "{raw}");
        }
        assert_eq!(find("out/*.APK", "x", &cwd).unwrap_err().reason, ExitReason::BuildNotFound);
        assert_eq!(find("hollow", "x", &cwd).unwrap_err().reason, ExitReason::BuildEmpty);
        assert_eq!(find("h*w", "x", &cwd).unwrap_err().reason, ExitReason::BuildEmpty);
        #[cfg(unix)]
        assert_eq!(find("/dev/null", "x", &cwd).unwrap_err().reason, ExitReason::BuildUnsupported);
    }
}
