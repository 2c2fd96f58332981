//! The files and folders that a glob names, found by a walk with an end: below the fixed part of the pattern, a bounded number of
//! entries, and no link out of where the pattern may lead.

use std::fs;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::model::Workspace;

/// As a shell reads globs: a `*` matches no hidden file, and case counts.
const RULES: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
/// Files and folders looked at. A pattern that needs more begins too far up.
const MOST_ENTRIES: usize = 200_000;
/// Matches that are remembered; more than one is an error already.
const MOST_MATCHES: usize = 1000;

/// What a walk came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// What matches, in the order of the names.
    Matches(Vec<PathBuf>),
    /// The pattern cannot be read; why.
    NoPattern(String),
    /// Somewhere it leaves the workspace.
    LeadsOut,
    /// It needs too many looks.
    TooMany(usize),
}

/// A part of a pattern, between two separators.
enum Part {
    /// The same for everybody: a name, `..`, or a root.
    Fixed(PathBuf),
    /// One name that matches.
    One(Pattern),
    /// Any number of folders.
    Any,
}

/// True for what a glob may begin with.
pub(super) fn is_glob(raw: &str) -> bool {
    raw.contains(['*', '?', '['])
}

/// Finds what `raw` names below `cwd`. With `within`, nothing outside of that workspace is looked at.
pub(super) fn matches(raw: &str, cwd: &Path, within: Option<&Workspace>) -> Walk {
    let parts = match parts(raw) {
        Ok(parts) => parts,
        Err(why) => return Walk::NoPattern(why),
    };
    let mut walker = Walker { within, looked: 0, found: Vec::new(), left: false };
    walker.walk(cwd.to_owned(), &parts);
    if walker.looked > MOST_ENTRIES {
        return Walk::TooMany(MOST_ENTRIES);
    }
    if walker.left && walker.found.is_empty() {
        return Walk::LeadsOut;
    }
    walker.found.sort();
    walker.found.dedup();
    Walk::Matches(walker.found)
}

fn parts(raw: &str) -> Result<Vec<Part>, String> {
    // The whole is checked first: a `[` may hold a separator, which is an error of its own.
    Pattern::new(raw).map_err(|error| error.msg.to_owned())?;
    Path::new(raw)
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| {
            let text = part.as_os_str().to_string_lossy();
            match part {
                Component::Normal(_) if text == "**" => Ok(Part::Any),
                Component::Normal(_) if is_glob(&text) => {
                    Pattern::new(&text).map(Part::One).map_err(|error| error.msg.to_owned())
                }
                fixed => Ok(Part::Fixed(PathBuf::from(fixed.as_os_str()))),
            }
        })
        .collect()
}

struct Walker<'a> {
    within: Option<&'a Workspace>,
    looked: usize,
    found: Vec<PathBuf>,
    /// True when a fixed part of the pattern led out of the workspace.
    left: bool,
}

impl Walker<'_> {
    fn allowed(&self, path: &Path) -> bool {
        self.within.is_none_or(|workspace| workspace.holds(path))
    }

    fn walk(&mut self, at: PathBuf, parts: &[Part]) {
        if self.looked > MOST_ENTRIES || self.found.len() >= MOST_MATCHES {
            return;
        }
        match parts.split_first() {
            None => self.found.push(at),
            Some((Part::Fixed(name), rest)) => {
                let next = at.join(name);
                if !self.allowed(&next) {
                    self.left = true;
                } else if next.symlink_metadata().is_ok() {
                    self.walk(next, rest);
                }
            }
            Some((Part::One(pattern), rest)) => {
                for (path, name, is_link) in self.entries(&at) {
                    // Only a link leads elsewhere.
                    if pattern.matches_with(&name, RULES) && (!is_link || self.allowed(&path)) {
                        self.walk(path, rest);
                    }
                }
            }
            Some((Part::Any, rest)) => {
                self.walk(at.clone(), rest);
                for (path, name, is_link) in self.entries(&at) {
                    // As in a shell, `**` follows no link, and looks into nothing hidden.
                    if !is_link && !name.starts_with('.') && path.is_dir() {
                        self.walk(path, parts);
                    }
                }
            }
        }
    }

    fn entries(&mut self, folder: &Path) -> Vec<(PathBuf, String, bool)> {
        // One entry more than allowed is enough to know that there are too many.
        let left = (MOST_ENTRIES + 1).saturating_sub(self.looked);
        if left == 0 {
            return Vec::new();
        }
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let found: Vec<_> = entries
            .filter_map(Result::ok)
            .take(left)
            .map(|entry| {
                let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                (entry.path(), entry.file_name().to_string_lossy().into_owned(), is_link)
            })
            .collect();
        self.looked += found.len();
        found
    }
}

#[cfg(test)]
mod tests {
    use std::path::MAIN_SEPARATOR;

    use super::{MOST_ENTRIES, Path, Walk, Walker, fs, matches, parts};
    use crate::model::Workspace;

    fn found(raw: &str, cwd: &Path, within: Option<&Workspace>) -> Result<Vec<String>, Walk> {
        match matches(raw, cwd, within) {
            Walk::Matches(found) => {
                let below = |path: &std::path::PathBuf| {
                    path.strip_prefix(cwd).unwrap_or(path).display().to_string().replace(MAIN_SEPARATOR, "/")
                };
                Ok(found.iter().map(below).collect())
            }
            other => Err(other),
        }
    }

    #[test]
    fn patterns_are_read_as_a_shell_does() {
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path().join("odd [1]");
        fs::create_dir_all(cwd.join("out/deep/.hidden")).unwrap();
        for name in
            ["out/.DS_Store", "out/game.apk", "out/deep/other.ipa", "out/deep/.hidden/x.ipa", "top.ipa"]
        {
            fs::write(cwd.join(name), "x").unwrap();
        }
        for (raw, want) in [
            ("out/*.apk", &["out/game.apk"][..]),
            ("./out/./g?me.ap[jk]", &["out/game.apk"]),
            ("**/*.ipa", &["out/deep/other.ipa", "top.ipa"]),
            ("out/**/**/*.ipa", &["out/deep/other.ipa"]),
            ("out/**/other.ipa", &["out/deep/other.ipa"]),
            ("out/*", &["out/deep", "out/game.apk"]),
            ("out/deep/../*.apk", &["out/deep/../game.apk"]),
            ("out/.*", &["out/.DS_Store"]),
            ("out/*.APK", &[]),
            ("nowhere/*", &[]),
        ] {
            assert_eq!(found(raw, &cwd, None).unwrap(), want, "{raw}");
        }
        let whole = cwd.join("out/*.apk");
        let whole = glob::Pattern::escape(&cwd.display().to_string())
            + whole.strip_prefix(&cwd).unwrap().to_str().map(|rest| format!("/{rest}")).unwrap().as_str();
        assert_eq!(found(&whole, Path::new("/"), None).unwrap().len(), 1, "{whole}");
        assert!(matches!(found("out/[.apk", &cwd, None), Err(Walk::NoPattern(_))));
        assert!(matches!(found("out/***", &cwd, None), Err(Walk::NoPattern(_))));
    }

    #[test]
    fn a_walk_ends() {
        let mut walker = Walker { within: None, looked: MOST_ENTRIES, found: Vec::new(), left: false };
        let home = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        walker.walk(home.path().to_owned(), &parts("**/*.zzz").unwrap());
        assert_eq!(walker.looked, MOST_ENTRIES + 1, "it stops at the first look too many");
    }

    #[cfg(unix)]
    #[test]
    fn within_the_workspace_no_look_is_taken_outside() {
        use crate::model::Env;
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let cwd = home.path().join("work");
        fs::create_dir_all(cwd.join("out")).unwrap();
        fs::create_dir(home.path().join("other")).unwrap();
        fs::write(home.path().join("other/secret.apk"), "x").unwrap();
        fs::write(cwd.join("out/game.apk"), "x").unwrap();
        symlink("../other", cwd.join("leaves")).unwrap();
        symlink("out", cwd.join("linked")).unwrap();
        symlink(".", cwd.join("out/circle")).unwrap();
        let workspace = Workspace::find(&Env::default(), &cwd);
        let within = |raw: &str| found(raw, &cwd, Some(&workspace));
        assert_eq!(within("**/*.apk").unwrap(), ["out/game.apk"]);
        assert_eq!(within("l*/*.apk").unwrap(), ["linked/game.apk"]);
        for raw in ["/**/*.zzz", "leaves/*.apk", "../**/*.apk", "o*/../../other/*.apk"] {
            assert_eq!(within(raw), Err(Walk::LeadsOut), "{raw}");
        }
        // Who names it outside of the run config may look there.
        assert_eq!(found("leaves/*.apk", &cwd, None).unwrap(), ["leaves/secret.apk"]);
        assert_eq!(found("l*/*.apk", &cwd, None).unwrap().len(), 2);
    }
}
