//! How the CI builds a project of a kind, and what comes of it. Pure.

use crate::config::project::{Kind, Preset, Project};
use crate::model::Platform;

use super::FILL_IN;

/// Versions that are written where the project names none.
const UNREAL: &str = "5.5";
const GODOT: &str = "4.4";

/// The steps that make a build, and the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// Runner of GitHub.
    pub(super) runner: &'static str,
    /// Its steps there.
    pub(super) steps: &'static str,
    /// Commands for a shell.
    pub(super) script: &'static str,
    /// Where those find their tools on GitLab.
    pub(super) where_it_runs: &'static str,
    /// The commands are for Windows.
    pub(super) on_windows: bool,
    /// Values for the places in all these.
    pub(super) values: Vec<(&'static str, String)>,
    /// The build that is made, relative to the working directory.
    pub(crate) path: String,
    /// Its platform, where its name does not tell it.
    pub(crate) platform: Option<Platform>,
}

/// The recipe for a project; `None` when it is unknown, or is not built for that platform so.
pub(crate) fn recipe(project: &Project, platform: Option<Platform>) -> Option<Recipe> {
    let mut recipe = match project.kind {
        Kind::Unity => unity(platform.unwrap_or(Platform::Windows))?,
        Kind::Unreal => unreal(project, platform.unwrap_or(Platform::Windows))?,
        Kind::Godot => godot(project, platform)?,
        Kind::Gradle => gradle(project),
        Kind::Xcode => xcode(project),
        Kind::Fastlane => fastlane(project),
        Kind::Unknown => return None,
    };
    let in_folder = below(project, "");
    let folder = if project.folder.is_empty() { "." } else { &project.folder };
    recipe.values.extend([
        ("in-folder", in_folder),
        ("folder", folder.to_owned()),
        ("name", plain(project.name.as_deref())),
    ]);
    Some(recipe)
}

/// A path inside the project, seen from the working directory.
fn below(project: &Project, path: &str) -> String {
    if project.folder.is_empty() { path.to_owned() } else { format!("{}/{path}", project.folder) }
}

/// A name that stands between double quotes in a shell, as it is; one with other letters is left to be filled in.
fn plain(name: Option<&str>) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || " ._()+-/".contains(letter);
    name.filter(|name| name.chars().all(is_plain)).unwrap_or(FILL_IN).to_owned()
}

fn unity(platform: Platform) -> Option<Recipe> {
    let (target, player, path) = match platform {
        Platform::Windows => (
            "StandaloneWindows64",
            "-buildWindows64Player build/StandaloneWindows64/Game.exe",
            "build/StandaloneWindows64",
        ),
        Platform::Linux => (
            "StandaloneLinux64",
            "-buildLinux64Player build/StandaloneLinux64/Game.x86_64",
            "build/StandaloneLinux64",
        ),
        Platform::Macos => {
            ("StandaloneOSX", "-buildOSXUniversalPlayer build/StandaloneOSX/Game.app", "build/StandaloneOSX")
        }
        // The editor builds for Android with a method of the project alone.
        Platform::Android => {
            ("Android", "-buildTarget Android -executeMethod \"FILL IN\"", "build/Android/*.apk")
        }
        Platform::IosNative | Platform::IosSimulator | Platform::Xbox | Platform::Playstation => return None,
    };
    let is_android = platform == Platform::Android;
    let export = if is_android { "androidExportType: androidPackage" } else { "" };
    Some(Recipe {
        runner: "ubuntu-latest",
        steps: include_str!("steps/unity.yml"),
        script: include_str!("scripts/unity.txt"),
        where_it_runs: "# A runner, or an image such as unityci/editor, with the editor and its licence.\ntags: [unity]",
        on_windows: false,
        values: vec![
            ("target", target.to_owned()),
            ("player", player.to_owned()),
            ("export", export.to_owned()),
        ],
        path: path.to_owned(),
        platform: (!is_android).then_some(platform),
    })
}

fn unreal(project: &Project, platform: Platform) -> Option<Recipe> {
    let (target, path) = match platform {
        Platform::Windows => ("Win64", "build/Windows"),
        Platform::Linux => ("Linux", "build/Linux"),
        _ => return None,
    };
    let engine = project.version.clone().unwrap_or_else(|| UNREAL.to_owned());
    Some(Recipe {
        runner: "[self-hosted, windows]",
        steps: include_str!("steps/unreal.yml"),
        script: include_str!("scripts/unreal.txt"),
        where_it_runs: "# A runner for Windows with Unreal Engine; its variable UNREAL_ENGINE says where.\ntags: [windows]",
        on_windows: true,
        values: vec![("target", target.to_owned()), ("engine", engine)],
        path: path.to_owned(),
        platform: Some(platform),
    })
}

fn godot(project: &Project, platform: Option<Platform>) -> Option<Recipe> {
    let preset = project.preset.as_ref().filter(|preset| platform.is_none() || preset.platform == platform);
    let platform = preset.and_then(|preset| preset.platform).or(platform).unwrap_or(Platform::Windows);
    let (usual, file) = match platform {
        Platform::Windows => ("Windows Desktop", "build/windows/Game.exe"),
        Platform::Linux => ("Linux", "build/linux/Game.x86_64"),
        Platform::Android => ("Android", "build/android/Game.apk"),
        _ => return None,
    };
    let named = |preset: &Preset| {
        // What is exported to the project's own folder, or out of it, cannot be told from the project.
        let path =
            Some(preset.path.as_str()).filter(|path| path.contains('/') && !path.starts_with(['.', '/']));
        (plain(Some(&preset.name)), plain(Some(path.unwrap_or(file))))
    };
    let (preset, file) = preset.map_or_else(|| (usual.to_owned(), file.to_owned()), named);
    let out = file.rsplit_once('/').map_or(".", |(folder, _)| folder).to_owned();
    let is_file = platform == Platform::Android;
    Some(Recipe {
        runner: "ubuntu-latest",
        steps: include_str!("steps/godot.yml"),
        script: include_str!("scripts/godot.txt"),
        where_it_runs: "image: barichello/godot-ci:@engine@",
        on_windows: false,
        path: below(project, if is_file { &file } else { &out }),
        platform: (!is_file).then_some(platform),
        values: vec![
            ("engine", project.version.clone().unwrap_or_else(|| GODOT.to_owned())),
            ("preset", preset),
            ("file", file),
            ("out", out),
        ],
    })
}

fn gradle(project: &Project) -> Recipe {
    Recipe {
        runner: "ubuntu-latest",
        steps: include_str!("steps/gradle.yml"),
        script: include_str!("scripts/gradle.txt"),
        where_it_runs: "# An image with the Android SDK.\nimage: mobiledevops/android-sdk-image",
        on_windows: false,
        values: Vec::new(),
        path: below(project, "app/build/outputs/apk/release/*.apk"),
        platform: None,
    }
}

fn xcode(project: &Project) -> Recipe {
    Recipe {
        runner: "macos-latest",
        steps: include_str!("steps/xcode.yml"),
        script: include_str!("scripts/xcode.txt"),
        where_it_runs: "# A runner on macOS with Xcode.\ntags: [macos]",
        on_windows: false,
        values: Vec::new(),
        path: below(project, "build/Build/Products/Release-iphonesimulator/*.app"),
        platform: Some(Platform::IosSimulator),
    }
}

fn fastlane(project: &Project) -> Recipe {
    Recipe {
        runner: "macos-latest",
        steps: include_str!("steps/fastlane.yml"),
        script: include_str!("scripts/fastlane.txt"),
        where_it_runs: "# A runner on macOS with Xcode and Ruby.\ntags: [macos]",
        on_windows: false,
        values: Vec::new(),
        path: below(project, "*.ipa"),
        platform: None,
    }
}
