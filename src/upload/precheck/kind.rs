//! Checks on names, sizes and kinds: cheap, and before anything is read.

use std::path::Path;

use crate::model::build::{Multipart, Platform};
use crate::model::build_kind::{self, extension_of, is_bundle};
use crate::model::units;
use crate::upload::error::UploadError;
use crate::upload::tree::Tree;

/// The service stores builds up to 5 TB.
const LARGEST: u64 = 5_000_000_000_000;
/// The service takes less than 3 GB in one piece; its own client still sends 3 GiB so, hence the larger reading.
pub(crate) const LARGEST_SINGLE: u64 = 3 * 1024 * 1024 * 1024;
/// No game fits into this many bytes, but the leftovers of a failed build step do.
const SMALLEST_FOLDER: u64 = 100;
/// `POST builds/upload`: `file_name` has at most 255 characters.
const LONGEST_FILE_NAME: usize = 255;

/// Refuses sizes that the service does not take.
pub(crate) fn size(bytes: u64, multipart: Multipart) -> Result<(), UploadError> {
    if bytes > LARGEST {
        return Err(UploadError::TooLarge {
            message: format!(
                "the build has {}, and the service stores at most {}",
                units::bytes(bytes),
                units::bytes(LARGEST)
            ),
            hint: "leave out what the test does not need (.nunuignore for a folder)".to_owned(),
        });
    }
    if multipart == Multipart::Never && bytes > LARGEST_SINGLE {
        return Err(UploadError::TooLarge {
            message: format!(
                "the build has {}, and build.multipart is never: the service takes less than 3 GB in one piece",
                units::bytes(bytes)
            ),
            hint: "set build.multipart to auto".to_owned(),
        });
    }
    Ok(())
}

/// Refuses names that the service does not take.
pub(crate) fn file_name(name: &str) -> Result<(), UploadError> {
    let length = name.chars().count();
    if length > LONGEST_FILE_NAME {
        return Err(UploadError::unsupported(
            format!(
                "the file name has {length} characters, and the service takes at most {LONGEST_FILE_NAME}"
            ),
            "rename the build",
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(UploadError::unsupported(
            format!("the file name {name:?} contains control characters"),
            "rename the build",
        ));
    }
    Ok(())
}

/// Refuses a file whose extension contradicts the platform.
pub(crate) fn extension(name: &str, platform: Platform) -> Result<(), UploadError> {
    let Some(extension) = extension_of(name) else { return Ok(()) };
    match build_kind::platforms(&extension) {
        platforms if !platforms.is_empty() && !platforms.contains(&platform) => {
            let right = platforms[0];
            Err(UploadError::unsupported(
                format!(
                    "{name} cannot run on the platform {platform}: .{extension} files are for {right}",
                    platform = platform.as_str(),
                    right = right.as_str()
                ),
                &format!(
                    "set platform to {}, or point build-path at the build for {}",
                    right.as_str(),
                    platform.as_str()
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// Refuses a folder where the platform needs a package.
pub(crate) fn folder(path: &Path, name: &str, platform: Platform) -> Result<(), UploadError> {
    let wanted = match platform {
        Platform::Android => ["apk", "aab"].as_slice(),
        Platform::IosNative => ["ipa"].as_slice(),
        _ => {
            if is_bundle(name) && !matches!(platform, Platform::Macos | Platform::IosSimulator) {
                return Err(UploadError::unsupported(
                    format!(
                        "{name} is an Apple application and cannot run on the platform {}",
                        platform.as_str()
                    ),
                    "set platform to macos or ios-simulator",
                ));
            }
            return Ok(());
        }
    };
    let kinds = wanted.iter().map(|kind| format!(".{kind}")).collect::<Vec<_>>().join(" or ");
    let hint = match only_package(path, wanted) {
        Some(package) => format!("point build-path at {}", path.join(package).display()),
        None => format!("point build-path at the {kinds} file"),
    };
    Err(UploadError::unsupported(
        format!("{name} is a folder, and the platform {} needs a {kinds} file", platform.as_str()),
        &hint,
    ))
}

/// The one package that lies directly in the folder.
fn only_package(folder: &Path, kinds: &[&str]) -> Option<String> {
    let mut packages = std::fs::read_dir(folder)
        .ok()?
        .take(10_000)
        .filter_map(Result::ok)
        .filter_map(|item| item.file_name().into_string().ok())
        .filter(|name| extension_of(name).is_some_and(|extension| kinds.contains(&extension.as_str())));
    let first = packages.next()?;
    packages.next().is_none().then_some(first)
}

/// Refuses a folder that cannot be a build.
pub(crate) fn folder_size(name: &str, tree: &Tree) -> Result<(), UploadError> {
    let (files, bytes) = (tree.files(), tree.bytes());
    let left_out = tree.notes().first().map(|note| format!(" ({note})")).unwrap_or_default();
    if files == 0 {
        return Err(UploadError::Empty {
            message: format!("the folder {name} is empty: it holds no files{left_out}"),
        });
    }
    if bytes < SMALLEST_FOLDER {
        let files = if files == 1 { "its 1 file has".to_owned() } else { format!("its {files} files have") };
        return Err(UploadError::Empty {
            message: format!(
                "the folder {name} is too small to be a build: {files} {bytes} bytes in all{left_out}"
            ),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{LARGEST, LARGEST_SINGLE, extension, file_name, folder, size};
    use crate::model::ExitReason;
    use crate::model::build::{Multipart, Platform};

    #[test]
    fn knows_which_extension_runs_where() {
        for (name, platform, fits) in [
            ("game.apk", Platform::Android, true),
            ("Game.APK", Platform::Windows, false),
            ("game.aab", Platform::IosNative, false),
            ("game.ipa", Platform::IosNative, true),
            ("game.ipa", Platform::IosSimulator, false),
            ("setup.exe", Platform::Macos, false),
            ("setup.exe", Platform::Xbox, true),
            ("game.pkg", Platform::Playstation, true),
            ("game.zip", Platform::Linux, true),
            ("game.x86_64", Platform::Linux, true),
            ("game", Platform::Android, true),
        ] {
            let answer = extension(name, platform);
            assert_eq!(answer.is_ok(), fits, "{name} on {platform:?}");
            if let Err(error) = answer {
                assert_eq!(error.reason(), ExitReason::BuildUnsupported);
            }
        }
    }

    #[test]
    fn knows_the_limits() {
        assert!(size(LARGEST, Multipart::Auto).is_ok());
        assert_eq!(size(LARGEST + 1, Multipart::Auto).unwrap_err().reason(), ExitReason::BuildTooLarge);
        assert!(size(LARGEST_SINGLE, Multipart::Never).is_ok());
        let error = size(LARGEST_SINGLE + 1, Multipart::Never).unwrap_err();
        assert!(error.failure().to_string().contains("build.multipart to auto"), "{error}");
        assert!(size(LARGEST_SINGLE + 1, Multipart::Always).is_ok());
    }

    #[test]
    fn counts_characters_of_names() {
        assert!(file_name(&"\u{e9}".repeat(255)).is_ok());
        assert!(file_name(&"x".repeat(256)).is_err());
        assert!(file_name("a\nb").is_err());
    }

    #[test]
    fn points_at_the_package_in_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("game.apk"), b"x").unwrap();
        let error = folder(dir.path(), "out", Platform::Android).unwrap_err();
        assert!(error.failure().hints[0].ends_with("game.apk"), "{}", error.failure());
        std::fs::write(dir.path().join("other.apk"), b"x").unwrap();
        let error = folder(dir.path(), "out", Platform::Android).unwrap_err();
        assert!(error.failure().hints[0].contains(".apk or .aab"), "{}", error.failure());
        assert!(folder(dir.path(), "Game.app", Platform::Windows).is_err());
        assert!(folder(dir.path(), "Game.app", Platform::Macos).is_ok());
        assert!(folder(dir.path(), "Game", Platform::Windows).is_ok());
    }
}
