//! Where a downloaded file may lie. Names come from the service, which repeats what a device or a game said. Pure.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The folder of downloaded files.
pub(super) const ARTIFACTS: &str = "artifacts";
/// Longest part of a path that every file system takes, in bytes.
const LONGEST_PART: usize = 120;
/// Folders within one artifact's name.
const DEEPEST: usize = 6;
/// Names that Windows keeps for devices ("Naming Files, Paths, and Namespaces"); the digits may be superscript.
const RESERVED: [&str; 30] = [
    "conin$",
    "conout$",
    "com\u{b9}",
    "com\u{b2}",
    "com\u{b3}",
    "lpt\u{b9}",
    "lpt\u{b2}",
    "lpt\u{b3}",
    "con",
    "prn",
    "aux",
    "nul",
    "com1",
    "com2",
    "com3",
    "com4",
    "com5",
    "com6",
    "com7",
    "com8",
    "com9",
    "lpt1",
    "lpt2",
    "lpt3",
    "lpt4",
    "lpt5",
    "lpt6",
    "lpt7",
    "lpt8",
    "lpt9",
];

/// The paths that are taken. Some file systems do not tell upper from lower case, and no file is a folder too.
#[derive(Debug, Default)]
pub(crate) struct ArtifactPaths {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl ArtifactPaths {
    /// A path of its own for this file: [`safe_artifact_path`], with a numbered folder where another file has that one. `None` when the
    /// name cannot be made safe.
    pub(crate) fn place(&mut self, run_id: &str, player_id: &str, file_name: &str) -> Option<String> {
        let path = safe_artifact_path(run_id, player_id, file_name)?;
        let name = path.match_indices('/').nth(2).map_or(0, |(at, _)| at + 1);
        let mut candidate = path.clone();
        let mut number = 1_usize;
        while !self.take(&candidate.to_lowercase()) {
            number += 1;
            candidate = format!("{}{number}/{}", &path[..name], &path[name..]);
        }
        Some(candidate)
    }

    fn take(&mut self, path: &str) -> bool {
        let above = || path.match_indices('/').map(|(at, _)| &path[..at]);
        if self.files.contains(path)
            || self.folders.contains(path)
            || above().any(|folder| self.files.contains(folder))
        {
            return false;
        }
        self.folders.extend(above().map(str::to_owned));
        self.files.insert(path.to_owned())
    }
}

/// `artifacts/<run>/<player>/<name>` below the results folder, with `/`; `None` when the name cannot be made safe.
pub(crate) fn safe_artifact_path(run_id: &str, player_id: &str, file_name: &str) -> Option<String> {
    if file_name.contains(['\\', '\0']) || file_name.starts_with('/') || file_name.contains(':') {
        return None;
    }
    let parts: Vec<&str> = file_name.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.len() > DEEPEST || parts.iter().any(|part| matches!(*part, "." | "..")) {
        return None;
    }
    let mut path = vec![ARTIFACTS.to_owned(), part(run_id)?, part(player_id)?];
    for name in parts {
        path.push(part(name)?);
    }
    Some(path.join("/"))
}

/// The address of a downloaded file for a page in the results folder; `None` for a path that [`safe_artifact_path`] never makes.
pub(super) fn file_address(path: &str) -> Option<String> {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let parts: Vec<&str> = path.split('/').collect();
    let ours = parts.len() > 3
        && parts[0] == ARTIFACTS
        && parts.iter().all(|name| part(name).as_deref() == Some(*name));
    let encoded = parts.iter().map(|part| utf8_percent_encode(part, &KEPT).to_string());
    ours.then(|| encoded.collect::<Vec<_>>().join("/"))
}

/// One part of a path, with what no file system or viewer takes well replaced.
fn part(raw: &str) -> Option<String> {
    let mut clean: String = raw
        .chars()
        .map(|letter| {
            if letter.is_control() || r#"<>:"/\|?*"#.contains(letter) || !plain(letter) {
                '_'
            } else {
                letter
            }
        })
        .collect();
    while clean.len() > LONGEST_PART {
        // The end holds the extension.
        let first = clean.chars().next()?.len_utf8();
        clean.drain(..first);
    }
    let clean =
        clean.trim().trim_end_matches(|letter: char| letter == '.' || letter.is_whitespace()).to_owned();
    // Blanks before the extension do not count for Windows.
    let stem = clean.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    if clean.is_empty() || clean.starts_with("..") {
        return None;
    }
    Some(if RESERVED.contains(&stem.as_str()) { format!("_{clean}") } else { clean })
}

/// Letters that look like what they are: no direction marks, no full-width dots and slashes.
fn plain(letter: char) -> bool {
    !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2024}'..='\u{2026}' | '\u{2028}'..='\u{202e}' | '\u{2044}' | '\u{2060}'..='\u{2069}' | '\u{2215}' | '\u{29f8}' | '\u{fe52}' | '\u{feff}' | '\u{ff0e}' | '\u{ff0f}' | '\u{ff3c}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{ArtifactPaths, file_address, safe_artifact_path};

    #[test]
    fn every_file_has_a_path_of_its_own() {
        let mut paths = ArtifactPaths::default();
        let placed: Vec<String> = ["a?.log", "a*.log", "A_.LOG", "logs", "logs/x", "2/logs/x", "logs"]
            .iter()
            .map(|name| paths.place("r", "p", name).unwrap())
            .collect();
        let want = ["a_.log", "2/a_.log", "3/A_.LOG", "logs", "2/logs/x", "2/2/logs/x", "3/logs"];
        assert_eq!(placed, want.map(|name| format!("artifacts/r/p/{name}")));
        assert_eq!(paths.place("r", "p2", "logs").unwrap(), "artifacts/r/p2/logs");
    }

    #[test]
    fn keeps_good_names_and_refuses_hostile_ones() {
        assert_eq!(
            safe_artifact_path("r1", "r1-1", "deliverables/notes.md").as_deref(),
            Some("artifacts/r1/r1-1/deliverables/notes.md")
        );
        assert_eq!(
            safe_artifact_path("r1", "r1-1", "aux.txt").as_deref(),
            Some("artifacts/r1/r1-1/_aux.txt")
        );
        for (name, want) in
            [("CONIN$.x", "_CONIN$.x"), ("nul .txt", "_nul .txt"), ("com\u{b9}", "_com\u{b9}")]
        {
            let path = safe_artifact_path("r1", "r1-1", name);
            assert_eq!(path, Some(format!("artifacts/r1/r1-1/{want}")));
        }
        assert_eq!(
            safe_artifact_path("r1", "r1-1", "a\u{202e}b?.mp4").as_deref(),
            Some("artifacts/r1/r1-1/a_b_.mp4")
        );
        for name in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "C:\\x",
            "c:x",
            "a\\b",
            "",
            ".",
            "a\0b",
            "a/b/c/d/e/f/g",
            "...",
            "  ",
        ] {
            assert_eq!(safe_artifact_path("r1", "r1-1", name), None, "{name:?}");
        }
        assert_eq!(safe_artifact_path("../r", "p", "x").as_deref(), None);
    }

    #[test]
    fn only_paths_of_ours_have_an_address() {
        for (path, want) in [
            ("artifacts/r/p/a b#1.png", Some("artifacts/r/p/a%20b%231.png")),
            ("artifacts/r/p/d/é.png", Some("artifacts/r/p/d/%C3%A9.png")),
            ("artifacts/r/p/../../../x.png", None),
            ("artifacts/r/x.png", None),
            ("javascript:alert(1)/a/b/c", None),
            ("artifacts/r/p\\..\\x/a.png", None),
        ] {
            assert_eq!(file_address(path).as_deref(), want, "{path}");
        }
    }

    proptest! {
        #[test]
        fn never_leaves_its_folder(run in any::<String>(), player in any::<String>(), name in any::<String>()) {
            if let Some(path) = safe_artifact_path(&run, &player, &name) {
                assert!(path.starts_with("artifacts/"));
                assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{path}");
                assert!(!path.contains(['\\', ':', '\0']), "{path}");
                assert!(file_address(&path).is_some(), "{path}");
            }
        }
    }
}
