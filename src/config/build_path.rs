//! From the setting `build-path` to one existing file or folder.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::model::{Failure, Platform, Reason};

use super::starter::builds_below;
use super::values::nearest;

/// Matches looked at.
const MOST_MATCHES: usize = 1000;
/// Matches shown when a glob is not unique.
const SHOWN: usize = 10;

/// As a shell reads globs: a `*` matches no hidden file, and case counts.
const RULES: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Finds the build.
///
/// # Errors
/// `build-not-found`, `build-ambiguous`, `build-empty` or `build-unsupported`; `invalid-input` for a glob that is none.
pub(super) fn find(raw: &str, source: &str, cwd: &Path) -> Result<PathBuf, Failure> {
    let path = cwd.join(raw);
    match fs::metadata(&path) {
        Ok(about) => return usable(path, &about, raw, source),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(unreadable(raw, source, &error));
        }
        Err(_) => {}
    }
    if !raw.contains(['*', '?', '[']) {
        return Err(missing(raw, source, cwd));
    }
    // Only what the user wrote is a pattern; the working directory may hold a bracket of its own.
    let pattern = Path::new(&Pattern::escape(&cwd.to_string_lossy())).join(raw);
    let matches: Vec<PathBuf> = match glob::glob_with(&pattern.to_string_lossy(), RULES) {
        Ok(paths) => paths.filter_map(Result::ok).take(MOST_MATCHES).collect(),
        Err(error) => {
            return Err(Failure::new(
                Reason::InvalidInput,
                format!("\"{raw}\" is not a glob: {}; write one such as build/*.apk", error.msg),
            ));
        }
    };
    match matches.as_slice() {
        [] => Err(missing(raw, source, cwd)),
        [one] => match fs::metadata(one) {
            Ok(about) => usable(one.clone(), &about, &shown(one, cwd), source),
            Err(error) => Err(unreadable(raw, source, &error)),
        },
        many => {
            let mut failure = Failure::new(
                Reason::BuildAmbiguous,
                format!(
                    "build-path (from {source}): \"{raw}\" matches {} files, and a build is one",
                    many.len()
                ),
            );
            for path in many.iter().take(SHOWN) {
                failure = failure.cause(shown(path, cwd));
            }
            if many.len() > SHOWN {
                failure = failure.cause(format!("and {} more", many.len() - SHOWN));
            }
            Err(failure.hint("make the glob narrower, or name the one file"))
        }
    }
}

fn shown(path: &Path, cwd: &Path) -> String {
    path.strip_prefix(cwd).unwrap_or(path).display().to_string()
}

fn unreadable(raw: &str, source: &str, error: &std::io::Error) -> Failure {
    Failure::new(Reason::BuildNotFound, format!("build-path (from {source}): cannot read {raw}"))
        .cause(error.to_string())
        .hint("check who may read it: the step that made the build may have run as another user")
}

/// A file with content or a folder with entries.
fn usable(path: PathBuf, about: &Metadata, raw: &str, source: &str) -> Result<PathBuf, Failure> {
    let empty = |what: &str| {
        Failure::new(Reason::BuildEmpty, format!("build-path (from {source}): {raw} is an empty {what}"))
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
        Reason::BuildUnsupported,
        format!("build-path (from {source}): {raw} is neither a file nor a folder"),
    )
    .hint("name the file that the build step made"))
}

fn missing(raw: &str, source: &str, cwd: &Path) -> Failure {
    let mut failure =
        Failure::new(Reason::BuildNotFound, format!("build-path (from {source}): there is no {raw}"))
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

/// The platform that an extension tells, when it tells one.
#[must_use]
pub(super) fn platform_of(extension: &str) -> Option<Platform> {
    match extension.to_ascii_lowercase().as_str() {
        "apk" | "aab" => Some(Platform::Android),
        "ipa" => Some(Platform::IosNative),
        "exe" | "msi" => Some(Platform::Windows),
        "dmg" | "pkg" => Some(Platform::Macos),
        "deb" | "rpm" | "appimage" => Some(Platform::Linux),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reason, find, fs};

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
        assert_eq!(many.reason, Reason::BuildAmbiguous);
        assert_eq!(many.causes, ["build/game.apk", "build/other.apk"]);
        let near = find("build/gme.apk", "x", cwd).unwrap_err();
        assert_eq!(near.reason, Reason::BuildNotFound);
        assert!(near.to_string().contains("there is build/game.apk"), "{near}");
        assert_eq!(find("build/empty.zip", "x", cwd).unwrap_err().reason, Reason::BuildEmpty);
        assert!(find("build\\game.apk", "x", cwd).unwrap_err().to_string().contains("write /"));
        assert!(find("~/game.apk", "x", cwd).unwrap_err().to_string().contains("shells only"));
        assert_eq!(find("build/[.apk", "x", cwd).unwrap_err().reason, Reason::InvalidInput);
        for (raw, hint) in [
            ("build/*.{apk,aab}", "braces"),
            ("\"build/game.apk\"", "quotes"),
            ("$OUT/game.apk", "variable"),
            ("bild/game.apk", "there is build\n"),
        ] {
            let failure = find(raw, "x", cwd).unwrap_err();
            assert_eq!(failure.reason, Reason::BuildNotFound);
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
        assert_eq!(find("out/*.APK", "x", &cwd).unwrap_err().reason, Reason::BuildNotFound);
        assert_eq!(find("hollow", "x", &cwd).unwrap_err().reason, Reason::BuildEmpty);
        assert_eq!(find("h*w", "x", &cwd).unwrap_err().reason, Reason::BuildEmpty);
        #[cfg(unix)]
        assert_eq!(find("/dev/null", "x", &cwd).unwrap_err().reason, Reason::BuildUnsupported);
    }
}
