//! What kind of project a folder holds, and what its CI has to do to build it.

use std::fs;
use std::path::Path;

use crate::disk;
use crate::model::Platform;

/// Configuration files of projects are small.
const LARGEST_FILE: u64 = 1024 * 1024;
/// Names in a folder that are looked at.
const MOST_NAMES: usize = 2000;

/// What makes the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// `ProjectSettings/ProjectVersion.txt`.
    Unity,
    /// `*.uproject`.
    Unreal,
    /// `project.godot`.
    Godot,
    /// `fastlane/Fastfile`.
    Fastlane,
    /// `*.xcworkspace` or `*.xcodeproj`.
    Xcode,
    /// `gradlew` or `settings.gradle`.
    Gradle,
    /// Nothing that we know.
    #[default]
    Unknown,
}

/// A project in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Project {
    /// What makes its build.
    pub(crate) kind: Kind,
    /// Where it lies below the working directory, with `/`; empty when it is the working directory itself.
    pub(crate) folder: String,
    /// Its name: of the `.uproject`, of the scheme, of the lane.
    pub(crate) name: Option<String>,
    /// The engine's version, as the project says it.
    pub(crate) version: Option<String>,
    /// Godot: the first export preset, its platform and where it exports to.
    pub(crate) preset: Option<Preset>,
}

/// An export preset of Godot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preset {
    /// As `--export-release` takes it.
    pub(crate) name: String,
    /// Where it exports to, relative to the project; may be empty.
    pub(crate) path: String,
    /// What it exports for.
    pub(crate) platform: Option<Platform>,
}

impl Kind {
    /// Its name, for people.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unity => "Unity",
            Self::Unreal => "Unreal Engine",
            Self::Godot => "Godot",
            Self::Fastlane => "fastlane",
            Self::Xcode => "Xcode",
            Self::Gradle => "Gradle",
            Self::Unknown => "unknown",
        }
    }
}

/// The project in `root`, or in one of its folders.
pub(crate) fn detect(root: &Path) -> Project {
    let mut folders: Vec<String> =
        names(root).into_iter().filter(|name| !name.starts_with('.') && root.join(name).is_dir()).collect();
    folders.sort();
    folders.insert(0, String::new());
    let found = folders.into_iter().map(|folder| {
        let project = look(&root.join(&folder));
        Project { folder, ..project }
    });
    found.into_iter().find(|project| project.kind != Kind::Unknown).unwrap_or_default()
}

fn look(folder: &Path) -> Project {
    let names = names(folder);
    let ending = |end: &str| {
        let mut of_kind: Vec<&str> =
            names.iter().filter_map(|name| name.strip_suffix(end)).filter(|stem| !stem.is_empty()).collect();
        of_kind.sort_unstable();
        of_kind.first().map(|stem| (*stem).to_owned())
    };
    let text = |name: &str| {
        let bytes = disk::read(&folder.join(name), LARGEST_FILE).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let has = |name: &str| names.iter().any(|known| known == name);
    let of = |kind, name| Project { kind, name, ..Project::default() };
    if let Some(version) = text("ProjectSettings/ProjectVersion.txt") {
        return Project { version: value_after(&version, "m_EditorVersion:"), ..of(Kind::Unity, None) };
    }
    if let Some(name) = ending(".uproject") {
        let about = text(&format!("{name}.uproject")).unwrap_or_default();
        let version = serde_json::from_str::<serde_json::Value>(about.trim_start_matches('\u{feff}')).ok();
        let version = version.and_then(|about| Some(about.get("EngineAssociation")?.as_str()?.to_owned()));
        return Project {
            version: version.filter(|version| is_version(version)),
            ..of(Kind::Unreal, Some(name))
        };
    }
    if let Some(about) = text("project.godot") {
        let version = about.split_once("config/features=PackedStringArray(\"").map(|(_, after)| after);
        let version = version.and_then(|after| after.split('"').next()).filter(|version| is_version(version));
        let preset = text("export_presets.cfg").and_then(|presets| first_preset(&presets));
        return Project { version: version.map(str::to_owned), preset, ..of(Kind::Godot, None) };
    }
    if let Some(lanes) = text("fastlane/Fastfile") {
        return of(Kind::Fastlane, lane(&lanes));
    }
    if let Some(name) = ending(".xcworkspace").or_else(|| ending(".xcodeproj")) {
        return of(Kind::Xcode, Some(name));
    }
    if has("gradlew") || has("settings.gradle") || has("settings.gradle.kts") {
        return of(Kind::Gradle, None);
    }
    Project::default()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).take(MOST_NAMES);
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// A version is pasted into a workflow, so that it is nothing else.
fn is_version(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
        && text.len() <= 20
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.')
}

fn value_after(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(key))?.trim();
    is_version(value).then(|| value.to_owned())
}

/// The lane that builds, else the first one.
fn lane(fastfile: &str) -> Option<String> {
    let lanes: Vec<&str> = fastfile
        .lines()
        .filter_map(|line| line.trim().strip_prefix("lane :"))
        .map(|rest| {
            rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next().unwrap_or("")
        })
        .filter(|lane| !lane.is_empty())
        .collect();
    lanes.iter().find(|lane| lane.contains("build")).or_else(|| lanes.first()).map(|&lane| lane.to_owned())
}

fn first_preset(presets: &str) -> Option<Preset> {
    let value = |key: &str| {
        let line = presets.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches('"').to_owned())
    };
    let platform = match value("platform")?.as_str() {
        "Windows Desktop" => Some(Platform::Windows),
        "Linux" | "Linux/X11" => Some(Platform::Linux),
        "macOS" | "Mac OSX" => Some(Platform::Macos),
        "Android" => Some(Platform::Android),
        "iOS" => Some(Platform::IosNative),
        _ => None,
    };
    Some(Preset { name: value("name")?, path: value("export_path").unwrap_or_default(), platform })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Kind, Platform, detect};

    #[test]
    fn knows_projects_by_their_files() {
        for (file, text, kind, name, version) in [
            (
                "ProjectSettings/ProjectVersion.txt",
                "m_EditorVersion: 6000.0.23f1\n",
                Kind::Unity,
                None,
                Some("6000.0.23f1"),
            ),
            ("Game.uproject", "{\"EngineAssociation\": \"5.5\"}", Kind::Unreal, Some("Game"), Some("5.5")),
            ("Game.uproject", "{\"EngineAssociation\": \"{0815}\"}", Kind::Unreal, Some("Game"), None),
            (
                "game/project.godot",
                "config/features=PackedStringArray(\"4.3\", \"Mobile\")",
                Kind::Godot,
                None,
                Some("4.3"),
            ),
            (
                "fastlane/Fastfile",
                "lane :test do\nend\n  lane :build_qa do\nend",
                Kind::Fastlane,
                Some("build_qa"),
                None,
            ),
            ("Game.xcodeproj/project.pbxproj", "", Kind::Xcode, Some("Game"), None),
            ("android/gradlew", "", Kind::Gradle, None, None),
            ("src/main.c", "", Kind::Unknown, None, None),
            ("ProjectSettings/ProjectVersion.txt", "m_EditorVersion: 1\"; curl x\n", Kind::Unity, None, None),
        ] {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            let found = detect(home.path());
            assert_eq!(
                (found.kind, found.name.as_deref(), found.version.as_deref()),
                (kind, name, version),
                "{file}"
            );
            let folder = if file.starts_with("game/") || file.starts_with("android/") {
                file.split('/').next().unwrap()
            } else {
                ""
            };
            assert_eq!(found.folder, folder, "{file}");
        }
    }

    #[test]
    fn takes_the_first_export_preset() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("project.godot"), "config_version=5\n").unwrap();
        fs::write(
            home.path().join("export_presets.cfg"),
            "[preset.0]\n\nname=\"Windows QA\"\nplatform=\"Windows Desktop\"\nexport_path=\"out/Game.exe\"\n",
        )
        .unwrap();
        let preset = detect(home.path()).preset.unwrap();
        assert_eq!((preset.name.as_str(), preset.path.as_str()), ("Windows QA", "out/Game.exe"));
        assert_eq!(preset.platform, Some(Platform::Windows));
    }
}
