//! Looks into packages that are zips: cut short, without ARM64 code, without an application. Reads the end of the file and its directory,
//! in bounded memory and time, whatever the bytes say. Format: APPNOTE.TXT of PKWARE, sections 4.3.12 to 4.3.16.

use std::fs::File;
use std::io::Read as _;

use crate::model::build::Platform;
use crate::model::build_kind::{extension_of, is_zip};
use crate::upload::content::read_at;
use crate::upload::error::UploadError;

use super::manifest::is_debuggable;
use super::player::Names;

const END: [u8; 4] = [b'P', b'K', 5, 6];
const END64_LOCATOR: [u8; 4] = [b'P', b'K', 6, 7];
const END64: [u8; 4] = [b'P', b'K', 6, 6];
const ENTRY: [u8; 4] = [b'P', b'K', 1, 2];
/// The end record and the longest comment behind it.
const LONGEST_END: u64 = 22 + 65_535;
/// More of a directory than this is not read; what was seen up to there decides, and a doubt never refuses.
const MOST_DIRECTORY: u64 = 256 * 1024 * 1024;
/// A manifest is text of a few kilobytes.
const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;
/// The directory is read in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Libraries of engines in which, or by which, all of the game runs.
const ENGINES: [&str; 5] =
    ["libil2cpp.so", "libunity.so", "libUnreal.so", "libUE4.so", "libgodot_android.so"];

/// What the names in a package tell.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was seen or not")]
struct Contents {
    /// What they tell of engines.
    names: Names,
    /// The library of an engine, without which nothing runs, and whether it is there for ARM64.
    engine: Option<&'static str>,
    engine_arm64: bool,
    /// Where the application's manifest stands.
    manifest_at: Option<Packed>,
    /// Native code of any architecture.
    native: bool,
    /// Native ARM64 code.
    arm64: bool,
    /// `Payload/<name>.app/`.
    payload: bool,
    /// An application manifest or an app bundle's configuration.
    manifest: bool,
    /// False when the directory was not read to its end.
    complete: bool,
}

/// Where an entry stands, and how.
#[derive(Debug, Clone, Copy)]
struct Packed {
    /// Of its local header.
    offset: u64,
    size: u64,
    is_deflated: bool,
}

/// Looks into the file if its extension says that it is a zip; gives back what a person should know.
pub(crate) fn archive(
    file: &File,
    size: u64,
    name: &str,
    platform: Platform,
) -> Result<Vec<String>, UploadError> {
    let extension = extension_of(name).unwrap_or_default();
    if !is_zip(&extension) {
        return Ok(Vec::new());
    }
    let Some(directory) = find_directory(file, size).map_err(|source| unreadable(name, source))? else {
        return Err(UploadError::unsupported(
            format!(
                "{name} is cut short or not a zip file: its directory, which stands at the end, is missing"
            ),
            "check that the build step finished and that the file was copied or downloaded whole",
        ));
    };
    let contents = read_directory(file, &directory).map_err(|source| unreadable(name, source))?;
    let mut notes = Vec::new();
    match extension.as_str() {
        "apk" | "aab" if contents.complete => {
            if contents.native && !contents.arm64 {
                return Err(UploadError::unsupported(
                    format!(
                        "{name} has native code, but none for ARM64 (lib/arm64-v8a is missing), which the devices of the service need"
                    ),
                    "add arm64-v8a to the ABIs of the build (Unity: Player Settings > Target Architectures > ARM64; Gradle: ndk.abiFilters)",
                ));
            }
            if let Some(engine) = contents.engine.filter(|_| !contents.engine_arm64) {
                return Err(UploadError::unsupported(
                    format!(
                        "{name} has {engine} for other processors than ARM64, which the devices of the service need; only a plug-in is for ARM64"
                    ),
                    "build the game itself for ARM64 (Unity: Player Settings > Scripting Backend IL2CPP and Target Architectures ARM64)",
                ));
            }
            if contents.manifest_at.is_some_and(|manifest| is_debuggable(&unpacked(file, manifest))) {
                notes.push(format!(
                    "{name} is a debug build (android:debuggable): slower than what players get"
                ));
            }
            if !contents.manifest {
                notes.push(format!("{name} has no manifest: is it really an Android package?"));
            }
        }
        "ipa" if contents.complete && !contents.payload => {
            return Err(UploadError::unsupported(
                format!("{name} holds no application: Payload/<name>.app is missing"),
                "export the archive with xcodebuild -exportArchive, or zip a folder named Payload that holds the .app",
            ));
        }
        "zip" if contents.complete && platform != Platform::Android => {
            notes.extend(contents.names.judge(name, platform)?);
        }
        "zip" if platform == Platform::Android && contents.complete && contents.manifest => {
            notes.push(format!("{name} looks like an Android package: should it be named .apk?"));
        }
        _ => {}
    }
    Ok(notes)
}

/// Where the directory stands.
#[derive(Debug, PartialEq, Eq)]
struct Directory {
    offset: u64,
    size: u64,
}

/// Finds the directory; `None` when there is none or it does not fit into the file.
fn find_directory(file: &File, size: u64) -> std::io::Result<Option<Directory>> {
    let tail_size = size.min(LONGEST_END);
    let tail_at = size - tail_size;
    let mut tail = vec![0; usize::try_from(tail_size).unwrap_or(0)];
    read_all_at(file, &mut tail, tail_at)?;
    // From the end, because a comment may contain the signature, and a record counts only if its comment ends with the file.
    for at in (0..tail.len().saturating_sub(21)).rev() {
        let record = &tail[at..];
        if !record.starts_with(&END) || usize::from(u16_at(record, 20)) != record.len() - 22 {
            continue;
        }
        let end = tail_at + at as u64;
        let (mut bytes, mut offset) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
        let mut limit = end;
        if (bytes == u64::from(u32::MAX) || offset == u64::from(u32::MAX) || u16_at(record, 10) == u16::MAX)
            && let Some((at, large_bytes, large_offset)) = large_end(file, end)?
        {
            (limit, bytes, offset) = (at, large_bytes, large_offset);
        }
        // Bytes before the first entry (self-extracting archives) shift everything; what counts is that the directory ends at its record.
        let Some(start) = limit.checked_sub(bytes) else { return Ok(None) };
        if offset > start {
            return Ok(None);
        }
        return Ok(Some(Directory { offset: start, size: bytes }));
    }
    Ok(None)
}

/// The zip64 end record before the end record at `end`: its place, the directory's size and its offset.
fn large_end(file: &File, end: u64) -> std::io::Result<Option<(u64, u64, u64)>> {
    let Some(locator_at) = end.checked_sub(20) else { return Ok(None) };
    let mut locator = [0; 20];
    read_all_at(file, &mut locator, locator_at)?;
    if !locator.starts_with(&END64_LOCATOR) {
        return Ok(None);
    }
    let at = u64_at(&locator, 8);
    if at.checked_add(56).is_none_or(|after| after > locator_at) {
        return Ok(None);
    }
    let mut record = [0; 56];
    read_all_at(file, &mut record, at)?;
    Ok(record.starts_with(&END64).then(|| (at, u64_at(&record, 40), u64_at(&record, 48))))
}

/// Reads the names in the directory, piece by piece.
fn read_directory(file: &File, directory: &Directory) -> std::io::Result<Contents> {
    let mut contents = Contents::default();
    let end = directory.offset + directory.size.min(MOST_DIRECTORY);
    let mut at = directory.offset;
    // One entry has at most 46 + 3 * 65535 bytes; only its fixed part and its name are looked at.
    let mut piece = Vec::new();
    let mut piece_at = at;
    while at < end {
        let have = usize::try_from(at - piece_at).unwrap_or(usize::MAX);
        if piece.len().saturating_sub(have) < 46 + 1024 && piece_at + (piece.len() as u64) < end {
            let count = usize::try_from((end - at).min(PIECE as u64)).unwrap_or(PIECE);
            piece.resize(count, 0);
            read_all_at(file, &mut piece, at)?;
            piece_at = at;
            continue;
        }
        let Some(entry) = piece.get(have..).filter(|entry| entry.len() >= 46 && entry.starts_with(&ENTRY))
        else {
            return Ok(contents);
        };
        let name_size = usize::from(u16_at(entry, 28));
        // Longer names than this are none of those we look for.
        let name = &entry[46..entry.len().min(46 + name_size.min(1024))];
        look_at_name(name, &mut contents);
        if name == b"AndroidManifest.xml" {
            let (offset, size) = (u64::from(u32_at(entry, 42)), u64::from(u32_at(entry, 20)));
            contents.manifest_at = Some(Packed { offset, size, is_deflated: u16_at(entry, 10) == 8 });
        }
        at += 46 + name_size as u64 + u64::from(u16_at(entry, 30)) + u64::from(u16_at(entry, 32));
    }
    contents.complete = at == directory.offset + directory.size;
    Ok(contents)
}

fn look_at_name(name: &[u8], contents: &mut Contents) {
    let name = String::from_utf8_lossy(name);
    contents.names.see(&name);
    let parts: Vec<&str> = name.splitn(5, '/').collect();
    match parts.as_slice() {
        // In an APK at the root, in an app bundle inside each module.
        ["lib", abi, file, ..] | [_, "lib", abi, file, ..] if !file.is_empty() => {
            contents.native = true;
            contents.arm64 |= *abi == "arm64-v8a";
            if let Some(engine) = ENGINES.iter().find(|engine| *engine == file) {
                contents.engine = Some(engine);
                contents.engine_arm64 |= *abi == "arm64-v8a";
            }
        }
        ["AndroidManifest.xml" | "BundleConfig.pb"] => contents.manifest = true,
        ["Payload", app, ..]
            if parts.len() > 2 && app.len() > 4 && app.to_ascii_lowercase().ends_with(".app") =>
        {
            contents.payload = true;
        }
        _ => {}
    }
}

/// The bytes of a small entry; none where it is large, or cannot be read.
fn unpacked(file: &File, packed: Packed) -> Vec<u8> {
    let mut header = [0; 30];
    if packed.size > LARGEST_MANIFEST || read_all_at(file, &mut header, packed.offset).is_err() {
        return Vec::new();
    }
    let start = packed.offset + 30 + u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
    let mut bytes = vec![0; usize::try_from(packed.size).unwrap_or(0)];
    if read_all_at(file, &mut bytes, start).is_err() {
        return Vec::new();
    }
    if !packed.is_deflated {
        return bytes;
    }
    let mut plain = Vec::new();
    let mut reader = flate2::read::DeflateDecoder::new(bytes.as_slice()).take(LARGEST_MANIFEST);
    // What was unpacked before a mistake is looked at as it is.
    let _ = reader.read_to_end(&mut plain);
    plain
}

fn read_all_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, offset) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Little-endian numbers; 0 where the slice is too short, which the callers rule out.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn unreadable(name: &str, source: std::io::Error) -> UploadError {
    UploadError::Disk {
        action: "cannot read",
        path: name.into(),
        source,
        hint: "check that the build step has finished and that this user may read the file",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::archive;
    use crate::model::ExitReason;
    use crate::model::build::Platform;
    use crate::upload::error::UploadError;

    fn zip(names: &[&str]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in names {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(b"content").unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn check(bytes: &[u8], name: &str, platform: Platform) -> Result<Vec<String>, UploadError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        archive(&file, bytes.len() as u64, name, platform)
    }

    #[test]
    fn wants_arm64_code_and_an_application() {
        let many: Vec<String> =
            (0..5000).map(|index| format!("assets/a rather long name of an asset {index}")).collect();
        let many = |last: &'static str| {
            many.iter().map(String::as_str).chain(["AndroidManifest.xml", last]).collect::<Vec<_>>()
        };
        for (names, name, words) in [
            (vec!["AndroidManifest.xml", "classes.dex"], "pure-java.apk", None),
            (vec!["AndroidManifest.xml", "lib/arm64-v8a/libgame.so", "lib/x86/libgame.so"], "game.apk", None),
            (vec!["AndroidManifest.xml", "lib/armeabi-v7a/libgame.so"], "game.apk", Some("none for ARM64")),
            (many("lib/x86_64/libgame.so"), "big.apk", Some("none for ARM64")),
            (many("lib/arm64-v8a/libgame.so"), "big.apk", None),
            (
                vec!["lib/armeabi-v7a/libil2cpp.so", "lib/arm64-v8a/libads.so", "AndroidManifest.xml"],
                "game.apk",
                Some("has libil2cpp.so for other processors"),
            ),
            (
                vec!["lib/armeabi-v7a/libil2cpp.so", "lib/arm64-v8a/libil2cpp.so", "AndroidManifest.xml"],
                "game.apk",
                None,
            ),
            (vec!["BundleConfig.pb", "base/lib/arm64-v8a/libgame.so"], "game.aab", None),
            (vec!["BundleConfig.pb", "base/lib/x86/libgame.so"], "game.aab", Some("none for ARM64")),
            (vec!["Payload/Game.app/Info.plist"], "game.ipa", None),
            (vec!["Game.app/Info.plist"], "game.ipa", Some("Payload/<name>.app is missing")),
            (vec!["anything"], "game.zip", None),
        ] {
            match (check(&zip(&names), name, Platform::Android), words) {
                (Ok(notes), None) => assert!(notes.is_empty(), "{name}: {notes:?}"),
                (Err(error), Some(words)) => {
                    assert_eq!(error.reason(), ExitReason::BuildUnsupported);
                    assert!(error.to_string().contains(words), "{error}");
                }
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_debug_build_is_told() {
        for compression in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
            let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let options = zip::write::SimpleFileOptions::default().compression_method(compression);
            writer.start_file("classes.dex", options).unwrap();
            writer.start_file("AndroidManifest.xml", options).unwrap();
            writer.write_all(&crate::upload::precheck::manifest::tests::manifest(1)).unwrap();
            let notes = check(&writer.finish().unwrap().into_inner(), "game.apk", Platform::Android).unwrap();
            assert!(notes.len() == 1 && notes[0].contains("is a debug build"), "{notes:?}");
        }
    }

    #[test]
    fn notices_a_file_that_is_cut_short_at_any_place() {
        let whole = zip(&["AndroidManifest.xml", "lib/arm64-v8a/libgame.so"]);
        for cut in 0..whole.len() {
            let error = check(&whole[..cut], "game.apk", Platform::Android).unwrap_err();
            assert!(error.to_string().contains("cut short"), "{cut}: {error}");
        }
        // The start is missing: the directory claims to lie deeper than it can.
        assert!(check(&whole[30..], "game.apk", Platform::Android).is_err());
    }

    #[test]
    fn takes_comments_and_bytes_before_the_first_entry() {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.set_comment("PK\x05\x06 is the mark of the end").unwrap();
        writer.start_file("x", zip::write::SimpleFileOptions::default()).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        assert!(check(&bytes, "game.zip", Platform::Windows).is_ok());
        assert!(check(&[b"#!/bin/sh\n".as_slice(), &bytes].concat(), "game.zip", Platform::Linux).is_ok());
        assert!(check(b"no zip at all", "game.bin", Platform::Linux).is_ok());
    }

    proptest::proptest! {
        /// Hostile bytes give an answer, never a panic and never an hour of work.
        #[test]
        fn survives_any_change(places in proptest::collection::vec((0_usize..400, 0_u8..=255), 1..12)) {
            let mut bytes = zip(&["AndroidManifest.xml", "lib/x86/libgame.so", "Payload/Game.app/x"]);
            for (at, byte) in places {
                let at = at % bytes.len();
                let length = bytes.len();
                // Mostly in the directory and the end record, where the numbers stand.
                bytes[length - 1 - at] = byte;
            }
            for name in ["a.apk", "a.ipa", "a.zip"] {
                let _ = check(&bytes, name, Platform::Android);
            }
        }
    }
}
