//! What the name of a build tells: one table of extensions.

use std::path::Path;

use super::build::Platform;

/// What an extension tells.
struct Kind {
    extension: &'static str,
    /// The platforms that can run such a file; empty when it says nothing.
    platforms: &'static [Platform],
    /// Such a build names its platform: nobody has to set it.
    names_platform: bool,
    is_zip: bool,
}

const fn names(extension: &'static str, platforms: &'static [Platform], is_zip: bool) -> Kind {
    Kind { extension, platforms, names_platform: true, is_zip }
}

const fn fits(extension: &'static str, platforms: &'static [Platform], is_zip: bool) -> Kind {
    Kind { extension, platforms, names_platform: false, is_zip }
}

const WINDOWS: &[Platform] = &[Platform::Windows, Platform::Xbox];

const KINDS: &[Kind] = &[
    names("apk", &[Platform::Android], true),
    names("aab", &[Platform::Android], true),
    fits("apks", &[Platform::Android], true),
    fits("xapk", &[Platform::Android], true),
    names("ipa", &[Platform::IosNative], true),
    names("exe", WINDOWS, false),
    names("msi", WINDOWS, false),
    fits("msix", WINDOWS, false),
    fits("appx", WINDOWS, false),
    names("dmg", &[Platform::Macos], false),
    // Sony's packages share the extension of Apple's installers.
    names("pkg", &[Platform::Macos, Platform::Playstation], false),
    names("deb", &[Platform::Linux], false),
    names("rpm", &[Platform::Linux], false),
    names("appimage", &[Platform::Linux], false),
    fits("zip", &[], true),
    fits("jar", &[], true),
    fits("obb", &[], true),
];

fn kind(extension: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.extension.eq_ignore_ascii_case(extension))
}

/// The extension of a file's name, in lower case.
pub(crate) fn extension_of(name: &str) -> Option<String> {
    Path::new(name).extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase)
}

/// The platforms that can run a file with this extension, the likeliest first; none when it says nothing.
pub(crate) fn platforms(extension: &str) -> &'static [Platform] {
    kind(extension).map_or(&[], |kind| kind.platforms)
}

/// The platform that an extension tells, when it tells one.
pub(crate) fn platform_of(extension: &str) -> Option<Platform> {
    kind(extension).filter(|kind| kind.names_platform).and_then(|kind| kind.platforms.first().copied())
}

/// Whether files with this extension are zips.
pub(crate) fn is_zip(extension: &str) -> bool {
    kind(extension).is_some_and(|kind| kind.is_zip)
}

/// Whether a folder of that name is an Apple application, which keeps its folder in the zip.
pub(crate) fn is_bundle(name: &str) -> bool {
    extension_of(name).is_some_and(|extension| extension == "app")
}

#[cfg(test)]
mod tests {
    use super::{KINDS, Platform, is_zip, platform_of, platforms};

    #[test]
    fn every_extension_stands_once_and_what_names_a_platform_fits_it() {
        let mut extensions: Vec<&str> = KINDS.iter().map(|kind| kind.extension).collect();
        extensions.sort_unstable();
        extensions.dedup();
        assert_eq!(extensions.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| !kind.names_platform || !kind.platforms.is_empty()));
    }

    #[test]
    fn tells_platforms_and_zips() {
        assert_eq!(platform_of("APK"), Some(Platform::Android));
        assert_eq!(platform_of("xapk"), None);
        assert_eq!(platforms("exe"), [Platform::Windows, Platform::Xbox]);
        assert!(platforms("zip").is_empty() && platforms("tar").is_empty());
        assert!(is_zip("jar") && !is_zip("exe"));
    }
}
