//! How engines lay a built game out: which names belong together. Pure, over names.

/// An engine whose players need files beside their executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// `Game.exe` and `Game_Data/`.
    Unity,
    /// `Game.exe`, `Game/` and `Engine/`.
    Unreal,
    /// `Game.exe` and `Game.pck`.
    Godot,
}

impl Engine {
    /// Its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unity => "Unity",
            Self::Unreal => "Unreal",
            Self::Godot => "Godot",
        }
    }
}

/// Endings of executables on desktops that are no part of the game's name.
const ENDINGS: [&str; 5] = [".exe", ".x86_64", ".x64", ".x86", ".sh"];
/// Executables that engines put beside the game's.
const HELPERS: [&str; 4] = ["unitycrashhandler", "crashreportclient", "ueprereq", "ue4prereq"];

/// The name of an executable without its ending; `None` where the name is not that of an executable.
pub(crate) fn stem_of_executable(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| {
        let at = name.len().checked_sub(ending.len())?;
        (at > 0 && name.get(at..)?.eq_ignore_ascii_case(ending)).then(|| &name[..at])
    })
}

/// Whether an engine puts that executable beside the game's own.
pub(crate) fn is_helper(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    HELPERS.iter().any(|helper| name.starts_with(helper))
}

/// The engine and the name of what lies beside an executable and belongs to it: by itself the executable does not start.
pub(crate) fn part_of(executable: &str, beside: &[String]) -> Option<(Engine, String)> {
    let stem = stem_of_executable(executable).unwrap_or(executable);
    let find = |wanted: &str| beside.iter().find(|name| name.eq_ignore_ascii_case(wanted)).cloned();
    let unity = find(&format!("{stem}_Data")).map(|name| (Engine::Unity, name));
    let godot = || find(&format!("{stem}.pck")).map(|name| (Engine::Godot, name));
    let unreal = || find(stem).and(find("Engine")).map(|name| (Engine::Unreal, name));
    // A file without an ending is its own stem, so it cannot stand beside a folder of that name.
    unity.or_else(godot).or_else(|| if stem == executable { None } else { unreal() })
}

#[cfg(test)]
mod tests {
    use super::{Engine, is_helper, part_of, stem_of_executable};

    #[test]
    fn knows_what_belongs_to_an_executable() {
        for (executable, beside, found) in [
            ("Game.exe", &["Game_Data", "UnityPlayer.dll"][..], Some((Engine::Unity, "Game_Data"))),
            ("game.x86_64", &["Game_Data"], Some((Engine::Unity, "Game_Data"))),
            ("Game.exe", &["Other_Data"], None),
            ("Game.exe", &["Engine", "Game", "Manifest.txt"], Some((Engine::Unreal, "Engine"))),
            ("Game.exe", &["Engine"], None),
            ("Game.x86_64", &["Game.pck"], Some((Engine::Godot, "Game.pck"))),
            ("Game", &["Game", "Engine"], None),
            ("Setup.exe", &["readme.txt"], None),
        ] {
            let beside: Vec<String> = beside.iter().map(|&name| name.to_owned()).collect();
            let found = found.map(|(engine, name)| (engine, name.to_owned()));
            assert_eq!(part_of(executable, &beside), found, "{executable} beside {beside:?}");
        }
        assert_eq!(stem_of_executable("Game.EXE"), Some("Game"));
        assert_eq!((stem_of_executable(".exe"), stem_of_executable("Game.apk")), (None, None));
        assert!(is_helper("UnityCrashHandler64.exe") && !is_helper("Game.exe"));
    }
}
