//! Players of engines: what they cannot start without is told before the upload, with the folder to name. Of a single file, what lies
//! beside it on disk is looked at; of a folder or a zip, the names in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use crate::disk;
use crate::model::build::Platform;
use crate::model::build_kind::{extension_of, is_bundle};
use crate::model::player::{Engine, is_helper, part_of, stem_of_executable};
use crate::upload::error::UploadError;
use crate::upload::tree::{Entry, EntryKind, Tree};

use super::executable::{GodotPlayer, godot_player};

/// Names that are remembered of a kind; games have one or a few.
const MOST: usize = 64;
/// A configuration of Unity's player has a few lines.
const LARGEST_CONFIG: u64 = 64 * 1024;
/// Names in a folder that are looked at.
const MOST_BESIDE: usize = 10_000;

/// Refuses an executable that is only a part of a player: a file is sent alone.
pub(crate) fn alone(path: &Path, file: &File, name: &str, platform: Platform) -> Result<(), UploadError> {
    if !matches!(platform, Platform::Windows | Platform::Linux | Platform::Macos | Platform::Xbox) {
        return Ok(());
    }
    let bundle = path
        .ancestors()
        .skip(1)
        .find(|folder| folder.file_name().is_some_and(|name| is_bundle(&name.to_string_lossy())));
    if let Some(bundle) = bundle {
        return Err(UploadError::unsupported(
            format!(
                "{name} is a part of the application {}, and would be sent without the rest",
                shown(bundle)
            ),
            &format!("point build-path at {}, with the platform macos", bundle.display()),
        ));
    }
    let Some(folder) = path.parent() else { return Ok(()) };
    let beside: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .take(MOST_BESIDE)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let godot = godot_player(file);
    match part_of(name, &beside) {
        // An export with an embedded package needs no other.
        Some((Engine::Godot, _)) if godot == GodotPlayer::Whole => Ok(()),
        Some((engine, needed)) => Err(UploadError::unsupported(
            format!(
                "{name} is a player of {} and does not start without {needed}, which lies beside it and would not be sent",
                engine.as_str()
            ),
            &format!(
                "point build-path at the folder {}, with the platform {}",
                folder.display(),
                platform.as_str()
            ),
        )),
        None if godot == GodotPlayer::NeedsPackage => Err(without_package(name)),
        None => Ok(()),
    }
}

fn shown(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn without_package(name: &str) -> UploadError {
    let stem = stem_of_executable(name).unwrap_or(name);
    UploadError::unsupported(
        format!(
            "{name} is a player of Godot without its game: there is no {stem}.pck beside it, and none in it"
        ),
        "export the project with its .pck into the same folder and name that folder in build-path, or embed it (Export > Embed PCK)",
    )
}

/// What the names in a folder or a zip tell of engines.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Folders with Unity's player library.
    unity: BTreeSet<String>,
    /// Folders whose names end in `_Data`.
    data: BTreeSet<String>,
    /// Executables.
    executables: BTreeSet<String>,
    /// Folders of Unreal games: those with `Binaries/<platform>`.
    unreal: BTreeSet<String>,
    /// Unreal's executables in them.
    unreal_executables: BTreeSet<String>,
    /// Unreal's `Engine` lies beside the game.
    has_engine: bool,
    /// Cooked content of Unreal: packages, or loose files.
    has_content: bool,
    /// Packages of Godot.
    packages: BTreeSet<String>,
    /// Applications of Apple's systems that have an `Info.plist` for macOS, and those that have an executable.
    bundles: BTreeSet<String>,
    started: BTreeSet<String>,
    /// Folders that Unity writes for its developers.
    not_to_ship: BTreeSet<String>,
    /// A project of an engine in place of a build.
    project: Option<&'static str>,
}

impl Names {
    /// Takes in the name of a file, with `/`.
    pub(super) fn see(&mut self, name: &str) {
        let parts: Vec<&str> = name.split('/').collect();
        let Some((&file, folders)) = parts.split_last() else { return };
        let up_to = |count: usize| folders[..count].join("/");
        let lower = file.to_ascii_lowercase();
        if matches!(lower.as_str(), "unityplayer.dll" | "unityplayer.so") {
            add(&mut self.unity, up_to(folders.len()));
        }
        if stem_of_executable(file).is_some() && !is_helper(file) {
            add(&mut self.executables, name.to_owned());
        }
        if extension_of(file).is_some_and(|end| end == "pck") {
            add(&mut self.packages, name.to_owned());
        }
        for (index, folder) in folders.iter().enumerate() {
            if folder.to_ascii_lowercase().ends_with("_data") {
                add(&mut self.data, up_to(index + 1));
            }
            if folder.ends_with("_DoNotShip") || folder.ends_with("_ButDontShipItWithYourGame") {
                add(&mut self.not_to_ship, up_to(index + 1));
            }
            if is_bundle(folder) {
                match folders.get(index + 1..) {
                    Some(["Contents"]) if lower == "info.plist" => add(&mut self.bundles, up_to(index + 1)),
                    Some(["Contents", "MacOS", ..]) => add(&mut self.started, up_to(index + 1)),
                    _ => {}
                }
            }
        }
        self.see_unreal(name, folders, file);
        self.project = self.project.or(match parts.as_slice() {
            ["ProjectSettings", "ProjectVersion.txt"] => Some("Unity"),
            ["project.godot"] => Some("Godot"),
            [_] if extension_of(file).is_some_and(|end| end == "uproject") => Some("Unreal Engine"),
            _ => None,
        });
    }

    fn see_unreal(&mut self, name: &str, folders: &[&str], file: &str) {
        self.has_engine |= folders.contains(&"Engine");
        let is_cooked =
            extension_of(file).is_some_and(|end| ["pak", "utoc", "uasset", "umap"].contains(&end.as_str()));
        self.has_content |= is_cooked && folders.contains(&"Content");
        for (index, two) in folders.windows(2).enumerate() {
            if two[0] == "Binaries" && matches!(two[1], "Win64" | "Linux" | "LinuxArm64") && index > 0 {
                if folders[index - 1] == "Engine" {
                    continue;
                }
                add(&mut self.unreal, folders[..index].join("/"));
                if stem_of_executable(file).is_some() && !is_helper(file) {
                    add(&mut self.unreal_executables, name.to_owned());
                }
            }
        }
    }

    /// What is missing, or what a person should know.
    pub(super) fn judge(&self, build: &str, platform: Platform) -> Result<Vec<String>, UploadError> {
        if matches!(platform, Platform::Windows | Platform::Linux | Platform::Xbox) {
            self.unity(build)?;
            self.unreal(build)?;
        }
        if platform == Platform::Macos
            && let Some(bundle) = self.bundles.difference(&self.started).next()
        {
            return Err(UploadError::unsupported(
                format!("{bundle} has no executable: Contents/MacOS is empty or missing"),
                "check that the build step finished, and that the application was copied whole (a CI's artifact may have left files out)",
            ));
        }
        Ok(self.notes(build))
    }

    fn unity(&self, build: &str) -> Result<(), UploadError> {
        for folder in &self.unity {
            let executables: Vec<&str> =
                self.executables.iter().filter_map(|name| in_folder(name, folder)).collect();
            let data: Vec<&str> = self.data.iter().filter_map(|name| in_folder(name, folder)).collect();
            let example = executables.first().copied().unwrap_or("Game.exe");
            let wanted = format!("{}_Data", stem_of_executable(example).unwrap_or(example));
            let place = if folder.is_empty() { build } else { folder };
            let hint = format!(
                "point build-path at the whole folder that Unity built: the executable, {wanted} and the rest"
            );
            let Some(found) = data.first() else {
                return Err(UploadError::unsupported(
                    format!(
                        "{place} has a player of Unity without its data: {wanted} is missing beside {example}"
                    ),
                    &hint,
                ));
            };
            let fits = |executable: &&str| {
                let stem = stem_of_executable(executable).unwrap_or(executable);
                data.iter().any(|data| data.eq_ignore_ascii_case(&format!("{stem}_Data")))
            };
            if !executables.is_empty() && !executables.iter().any(fits) {
                return Err(UploadError::unsupported(
                    format!(
                        "{place} has a player of Unity that does not find its data: {example} looks for {wanted}, and there is {found}"
                    ),
                    "rename neither after the build, or both alike",
                ));
            }
        }
        Ok(())
    }

    fn unreal(&self, build: &str) -> Result<(), UploadError> {
        match self.unreal.first() {
            Some(game) if self.has_engine && !self.has_content => Err(UploadError::unsupported(
                format!(
                    "{build} has a player of Unreal without its content: there are no packages in {game}/Content/Paks"
                ),
                "point build-path at the whole archived folder (-archivedirectory of BuildCookRun, such as build/Windows), made with -cook -stage -pak",
            )),
            _ => Ok(()),
        }
    }

    fn notes(&self, build: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(engine) = self.project {
            notes.push(format!("{build} looks like a project of {engine}, not like what it built: should build-path name the built player?"));
        }
        let is_optimised = |name: &String| name.contains("-Shipping") || name.contains("-Test");
        if self.has_engine
            && let Some(executable) = self.unreal_executables.first()
            && !self.unreal_executables.iter().any(is_optimised)
        {
            notes.push(format!("{executable} is a development build of Unreal: slower than what players get (-clientconfig=Shipping)"));
        }
        if let Some(folder) = self.not_to_ship.first() {
            notes.push(format!(
                "{folder} is for developers and is sent too; name it in .nunuignore to leave it out"
            ));
        }
        notes
    }

    /// Executables on top that Godot may have made, and that no package of their name lies beside.
    fn without_package(&self) -> impl Iterator<Item = &str> {
        let has_package = |name: &str| {
            let stem = stem_of_executable(name).unwrap_or(name);
            self.packages.iter().any(|package| package.eq_ignore_ascii_case(&format!("{stem}.pck")))
        };
        // Godot's console wrapper starts the executable beside it.
        let is_wrapper = |name: &str| stem_of_executable(name).is_some_and(|stem| stem.ends_with(".console"));
        self.executables
            .iter()
            .map(String::as_str)
            .filter(move |name| !has_package(name) && !is_wrapper(name))
    }
}

/// The name that stands directly in a folder.
fn in_folder<'a>(name: &'a str, folder: &str) -> Option<&'a str> {
    let rest = if folder.is_empty() { name } else { name.strip_prefix(folder)?.strip_prefix('/')? };
    (!rest.contains('/')).then_some(rest)
}

fn add(names: &mut BTreeSet<String>, name: String) {
    if names.len() < MOST {
        names.insert(name);
    }
}

/// Unity's player reads there whether it waits for a debugger.
fn is_development_build(entry: &Entry) -> bool {
    let EntryKind::File { path, .. } = &entry.kind else { return false };
    entry.name.ends_with("/boot.config")
        && disk::read(path, LARGEST_CONFIG).is_ok_and(|bytes| {
            String::from_utf8_lossy(&bytes).lines().any(|line| line.trim() == "player-connection-debug=1")
        })
}

/// Refuses a folder that holds only a part of a player; gives back what a person should know.
pub(crate) fn whole(build: &str, tree: &Tree, platform: Platform) -> Result<Vec<String>, UploadError> {
    let mut names = Names::default();
    for (name, _) in tree.sizes() {
        names.see(name);
    }
    let mut notes = names.judge(build, platform)?;
    if tree.entries.iter().any(is_development_build) {
        notes.push(format!("{build} is a development build of Unity: slower than what players get (Build Settings > Development Build)"));
    }
    if matches!(platform, Platform::Windows | Platform::Linux) {
        for name in names.without_package() {
            let entry = tree.entries.iter().find(|entry| entry.name == name);
            if let Some(EntryKind::File { path, .. }) = entry.map(|entry| &entry.kind)
                && File::open(path).is_ok_and(|file| godot_player(&file) == GodotPlayer::NeedsPackage)
            {
                return Err(without_package(name));
            }
        }
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::model::build::Platform;

    fn judge(names: &[&str], platform: Platform) -> Result<Vec<String>, String> {
        let mut seen = Names::default();
        for name in names {
            seen.see(name);
        }
        seen.judge("Game", platform).map_err(|error| error.failure().to_string())
    }

    #[test]
    fn a_player_without_what_it_needs_is_refused() {
        let windows = Platform::Windows;
        for (names, platform, words) in [
            (&["Game.exe", "UnityPlayer.dll", "Game_Data/boot.config"][..], windows, None),
            (&["Game.exe", "UnityPlayer.dll"], windows, Some("Game_Data is missing beside Game.exe")),
            (
                &["x/Game.exe", "x/UnityPlayer.dll", "Game_Data/y"],
                windows,
                Some("x has a player of Unity without"),
            ),
            (
                &["Demo.exe", "UnityPlayer.dll", "Game_Data/y"],
                windows,
                Some("Demo.exe looks for Demo_Data, and there is Game_Data"),
            ),
            (&["UnityCrashHandler64.exe", "Game", "UnityPlayer.so", "Game_Data/y"], Platform::Linux, None),
            (
                &["G.exe", "Engine/x", "G/Binaries/Win64/G-Win64-Shipping.exe", "G/Content/Paks/G.pak"],
                windows,
                None,
            ),
            (
                &["G.exe", "Engine/x", "G/Binaries/Win64/G-Win64-Shipping.exe"],
                windows,
                Some("no packages in G/Content/Paks"),
            ),
            (&["tools/Binaries/Win64/tool.exe"], windows, None),
            (&["Game.app/Contents/Info.plist", "Game.app/Contents/MacOS/Game"], Platform::Macos, None),
            (
                &["Game.app/Contents/Info.plist", "Game.app/Contents/Resources/x"],
                Platform::Macos,
                Some("Game.app has no executable"),
            ),
            (&["Game.app/Info.plist"], Platform::IosSimulator, None),
        ] {
            match (judge(names, platform), words) {
                (Ok(notes), None) => assert!(notes.is_empty(), "{names:?}: {notes:?}"),
                (Err(said), Some(words)) => assert!(said.contains(words), "{said}"),
                (other, _) => panic!("{names:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_only_odd_is_told() {
        for (names, words) in [
            (&["ProjectSettings/ProjectVersion.txt"][..], "looks like a project of Unity"),
            (&["G/Binaries/Win64/G.exe", "Engine/x", "G/Content/Paks/G.pak"], "development build of Unreal"),
            (&["Game_BurstDebugInformation_DoNotShip/x"], "name it in .nunuignore"),
        ] {
            let notes = judge(names, Platform::Windows).unwrap();
            assert!(notes.len() == 1 && notes[0].contains(words), "{notes:?}");
        }
    }
}
