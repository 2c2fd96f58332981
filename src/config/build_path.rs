//! From the setting `build-path` to one existing file or folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::{Failure, Platform, Reason};

use super::values::nearest;

/// Matches shown when a glob is not unique.
const SHOWN: usize = 10;

/// Finds the build.
///
/// # Errors
/// `build-not-found`, `build-ambiguous` or `build-empty`.
pub(super) fn find(raw: &str, source: &str, cwd: &Path) -> Result<PathBuf, Failure> {
    let path = cwd.join(raw);
    if path.exists() {
        return not_empty(path, raw, source);
    }
    if !raw.contains(['*', '?', '[']) {
        return Err(missing(raw, source, cwd));
    }
    let pattern = path.to_string_lossy().into_owned();
    let matches: Vec<PathBuf> = match glob::glob(&pattern) {
        Ok(paths) => paths.filter_map(Result::ok).take(1000).collect(),
        Err(error) => {
            return Err(Failure::new(
                Reason::InvalidInput,
                format!("build-path (from {source}): \"{raw}\" is not a glob: {}", error.msg),
            )
            .hint("write a path, or a glob such as build/*.apk"));
        }
    };
    match matches.as_slice() {
        [] => Err(missing(raw, source, cwd)),
        [one] => not_empty(one.clone(), raw, source),
        many => {
            let mut failure = Failure::new(
                Reason::BuildAmbiguous,
                format!(
                    "build-path (from {source}): \"{raw}\" matches {} files, and a build is one",
                    many.len()
                ),
            );
            for path in many.iter().take(SHOWN) {
                failure = failure.cause(path.strip_prefix(cwd).unwrap_or(path).display().to_string());
            }
            if many.len() > SHOWN {
                failure = failure.cause(format!("and {} more", many.len() - SHOWN));
            }
            Err(failure.hint("make the glob narrower, or name the one file"))
        }
    }
}

fn not_empty(path: PathBuf, raw: &str, source: &str) -> Result<PathBuf, Failure> {
    let empty = |what: &str| {
        Failure::new(Reason::BuildEmpty, format!("build-path (from {source}): {raw} is an empty {what}"))
            .hint("the step before made no build, or made it somewhere else: look at its log")
    };
    match fs::metadata(&path) {
        Ok(about) if about.is_file() && about.len() == 0 => Err(empty("file")),
        Ok(about) if about.is_dir() => {
            let first = fs::read_dir(&path).ok().and_then(|mut entries| entries.next());
            if first.is_none() { Err(empty("folder")) } else { Ok(path) }
        }
        _ => Ok(path),
    }
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
        let shown =
            folder.strip_prefix(cwd).ok().filter(|below| !below.as_os_str().is_empty()).unwrap_or(folder);
        let wanted = path
            .strip_prefix(folder)
            .ok()
            .and_then(|below| below.components().next())
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        if let Some(near) = wanted.and_then(|wanted| nearest(&wanted, names.iter().map(String::as_str))) {
            failure = failure.cause(format!("{} has {near}", shown.display()));
        } else {
            let mut builds: Vec<&String> = names
                .iter()
                .filter(|name| {
                    Path::new(name)
                        .extension()
                        .is_some_and(|end| platform_of(&end.to_string_lossy()).is_some())
                })
                .collect();
            builds.sort();
            if let Some(first) = builds.first() {
                failure = failure.cause(format!("{} has {first}", shown.display()));
            }
        }
    }
    if raw.starts_with('~') {
        failure =
            failure.hint("~ is expanded by shells only; write the whole path, or $HOME in a shell step");
    } else if raw.contains('\\') && !cfg!(windows) {
        failure = failure.hint("write / between folders, on every system");
    }
    failure
        .hint("check the path, and that the step which makes the build ran before this one, in the same job")
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
        assert!(near.to_string().contains("build has game.apk"), "{near}");
        assert_eq!(find("build/empty.zip", "x", cwd).unwrap_err().reason, Reason::BuildEmpty);
        assert!(find("build\\game.apk", "x", cwd).unwrap_err().to_string().contains("write /"));
        assert!(find("~/game.apk", "x", cwd).unwrap_err().to_string().contains("shells only"));
        assert_eq!(find("build/[.apk", "x", cwd).unwrap_err().reason, Reason::InvalidInput);
    }
}
