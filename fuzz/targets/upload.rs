//! Fuzz targets of this module: hostile packages and ignore files.

use std::io::Write as _;

use crate::fuzzing::Pieces;
use crate::model::build::Platform;

use super::ignore::Rules;
use super::precheck::archive;

/// The pre-check of packages: an answer from any bytes, in bounded work.
pub(crate) fn zip_precheck(data: &[u8]) {
    let Ok(mut file) = tempfile::tempfile() else { return };
    if file.write_all(data).is_err() {
        return;
    }
    for name in ["game.apk", "game.aab", "game.ipa", "game.zip"] {
        match archive(&file, data.len() as u64, name, Platform::Android) {
            Ok(notes) => assert!(notes.len() <= 2),
            Err(error) => assert!(error.to_string().contains(name), "{error}"),
        }
    }
}

/// `.nunuignore`: rules, then paths, one a line.
pub(crate) fn nunuignore(data: &[u8]) {
    let mut pieces = Pieces::of(data);
    let (rules, paths) = (pieces.text(), pieces.text());
    let parsed = Rules::parse(&rules);
    for path in paths.lines().chain(["a", "a/b.txt", "Game_Data/x"]).take(20) {
        let file = parsed.decide(path, false);
        // A rule for folders only never decides about a file.
        assert!(file.is_none() || Rules::parse(&rules).decide(path, false) == file);
        let _ = parsed.decide(path, true);
    }
    assert_eq!(Rules::parse("").decide("a", false), None);
}
