//! Builds that lie below a folder, and which of them is the newest: the file, or the whole folder of a player.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::model::Platform;
use crate::model::build_kind::{is_bundle, platform_of};
use crate::model::player::{is_helper, part_of, stem_of_executable};

/// Folders below the working directory that are looked into.
const DEEPEST: usize = 6;
/// Files and folders that are looked at.
const MOST: usize = 5000;
/// Folders that hold sources, caches and tools, and no build.
const NO_BUILDS: [&str; 9] = [
    "node_modules",
    "target",
    "Library",
    "Temp",
    "Intermediate",
    "DerivedDataCache",
    "Engine",
    "Pods",
    "ProjectSettings",
];

/// Something that can be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Relative, with `/`.
    pub(crate) path: String,
    /// Its platform, where its name does not tell it.
    pub(crate) platform: Option<Platform>,
}

/// The platform that the name of a build tells.
pub(super) fn platform_told_by(path: &str) -> Option<Platform> {
    Path::new(path).extension().and_then(|end| platform_of(&end.to_string_lossy()))
}

/// Whether the name of a build tells its platform.
pub(crate) fn tells_platform(path: &str) -> bool {
    platform_told_by(path).is_some()
}

/// The newest build below `root`. Of a player it is the folder, with its platform.
pub(crate) fn likely_build(root: &Path) -> Option<Found> {
    let (_, path) = builds_below(root).into_iter().max()?;
    let full = root.join(&path);
    if full.is_dir() {
        let platform = if full.join("Contents").is_dir() { Platform::Macos } else { Platform::IosSimulator };
        return Some(Found { path, platform: Some(platform) });
    }
    Some(player_folder(root, &path).unwrap_or(Found { path, platform: None }))
}

/// The folder of the player whose executable this is: what is played with alone is only a part of it.
fn player_folder(root: &Path, executable: &str) -> Option<Found> {
    let platform = match platform_told_by(executable) {
        Some(Platform::Windows) => Platform::Windows,
        None => Platform::Linux,
        Some(_) => return None,
    };
    // Unreal: the game's own executable lies deep in the folder, and a small one that starts it on top.
    if let Some((above, _)) = executable.split_once("/Binaries/") {
        let folder = above.rsplit_once('/').map(|(folder, _)| folder)?;
        return Some(Found { path: folder.to_owned(), platform: Some(platform) });
    }
    let (folder, name) = executable.rsplit_once('/')?;
    let beside: Vec<String> = names_in(&root.join(folder));
    let is_library = |name: &String| {
        Path::new(name)
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("dll") || end.eq_ignore_ascii_case("so"))
    };
    let is_part = part_of(name, &beside).is_some() || beside.iter().any(is_library);
    is_part.then(|| Found { path: folder.to_owned(), platform: Some(platform) })
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).take(MOST);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What looks like a build below `root`: when it was made, and its relative path with `/`. Applications of Apple's systems are folders.
pub(super) fn builds_below(root: &Path) -> Vec<(SystemTime, String)> {
    let mut folders: Vec<(PathBuf, usize)> = vec![(root.to_path_buf(), 0)];
    let mut seen = 0;
    let mut found = Vec::new();
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            seen += 1;
            if seen > MOST {
                break;
            }
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let Ok(about) = entry.metadata() else { continue };
            let is_build = if about.is_dir() {
                if !is_bundle(&name)
                    && depth < DEEPEST
                    && !name.starts_with('.')
                    && !NO_BUILDS.contains(&&*name)
                {
                    folders.push((path.clone(), depth + 1));
                }
                is_bundle(&name)
            } else {
                about.len() > 0 && is_build_file(&name)
            };
            if let (true, Ok(relative)) = (is_build, path.strip_prefix(root)) {
                let made = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((made, relative.to_string_lossy().replace('\\', "/")));
            }
        }
    }
    found
}

fn is_build_file(name: &str) -> bool {
    let is_script = Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("sh"));
    !is_helper(name) && !is_script && (tells_platform(name) || stem_of_executable(name).is_some())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Found, likely_build};
    use crate::model::Platform;

    #[test]
    fn of_a_player_the_build_is_its_folder() {
        for (files, path, platform) in [
            (&["out/app.apk"][..], "out/app.apk", None),
            (
                &["Builds/Win/Game.exe", "Builds/Win/Game_Data/x", "Builds/Win/UnityCrashHandler64.exe"],
                "Builds/Win",
                Some(Platform::Windows),
            ),
            (&["Builds/Game.x86_64", "Builds/Game_Data/x"], "Builds", Some(Platform::Linux)),
            (
                &["Packaged/Windows/Game/Binaries/Win64/Game-Win64-Shipping.exe", "Intermediate/x.exe"],
                "Packaged/Windows",
                Some(Platform::Windows),
            ),
            (&["export/Game.exe", "export/Game.pck"], "export", Some(Platform::Windows)),
            (&["export/Game.exe", "export/readme.txt"], "export/Game.exe", None),
            (&["export/Game.app/Contents/MacOS/Game"], "export/Game.app", Some(Platform::Macos)),
            (
                &["Build/Products/Game.app/Info.plist"],
                "Build/Products/Game.app",
                Some(Platform::IosSimulator),
            ),
        ] {
            let home = tempfile::tempdir().unwrap();
            for file in files {
                let file = home.path().join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, b"x").unwrap();
            }
            let found = likely_build(home.path());
            assert_eq!(found, Some(Found { path: path.to_owned(), platform }), "{files:?}");
        }
        assert_eq!(likely_build(tempfile::tempdir().unwrap().path()), None);
    }
}
