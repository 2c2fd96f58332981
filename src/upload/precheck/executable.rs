//! Executables of Windows and Linux: whether Godot made one, and whether the game is in it. Godot's players have a section named `pck`,
//! which an export with an embedded package fills. Reads a few kilobytes, whatever the bytes say.

use std::fs::File;

use crate::upload::content::read_at;

/// Headers are read up to this size.
const MOST_HEADERS: usize = 64 * 1024;
/// An empty section is as large as the alignment of sections at most.
const EMPTY_SECTION: u64 = 4096;
/// What ends an executable with an embedded package.
const PACKAGE_END: &[u8; 4] = b"GDPC";

/// What an executable is to Godot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GodotPlayer {
    /// Not one of Godot's, as far as can be told.
    No,
    /// The game is in it.
    Whole,
    /// The game is in a file beside it.
    NeedsPackage,
}

/// Looks at the headers of an executable and at its last bytes.
pub(super) fn godot_player(file: &File) -> GodotPlayer {
    let head = bytes_at(file, 0, MOST_HEADERS);
    let section = if head.starts_with(b"MZ") {
        section_of_windows(&head)
    } else if head.starts_with(b"\x7fELF\x02\x01") {
        section_of_linux(file, &head)
    } else {
        None
    };
    let Some(bytes) = section else { return GodotPlayer::No };
    let size = file.metadata().map_or(0, |about| about.len());
    let ends_with_package = size > 4 && bytes_at(file, size - 4, 4) == PACKAGE_END;
    // A signature may stand behind the package, so the size of the section counts as well.
    if ends_with_package || bytes > EMPTY_SECTION { GodotPlayer::Whole } else { GodotPlayer::NeedsPackage }
}

/// The size of the section `pck` in a PE file (Microsoft's PE format, "Section Table").
fn section_of_windows(head: &[u8]) -> Option<u64> {
    let start = usize::try_from(number(head, 0x3c, 4)?).ok()?;
    if head.get(start..)?.get(..4)? != b"PE\0\0" {
        return None;
    }
    let (count, optional) = (number(head, start + 6, 2)?, number(head, start + 20, 2)?);
    let table = start + 24 + usize::try_from(optional).ok()?;
    (0..usize::try_from(count).ok()?).find_map(|index| {
        let entry = head.get(table + index * 40..)?.get(..40)?;
        entry.starts_with(b"pck\0").then(|| number(entry, 16, 4))?
    })
}

/// The size of the section `pck` in a 64-bit ELF file (System V ABI, "Section Header").
fn section_of_linux(file: &File, head: &[u8]) -> Option<u64> {
    let (table, each) = (number(head, 0x28, 8)?, number(head, 0x3a, 2)?);
    let (count, names) = (number(head, 0x3c, 2)?, number(head, 0x3e, 2)?);
    let entry = |index: u64| Some(bytes_at(file, table.checked_add(index.checked_mul(each)?)?, 64));
    let names = entry(names)?;
    let (names_at, names_size) = (number(&names, 0x18, 8)?, number(&names, 0x20, 8)?);
    let names = bytes_at(file, names_at, usize::try_from(names_size).ok()?.min(MOST_HEADERS));
    (0..count.min(256)).find_map(|index| {
        let entry = entry(index)?;
        let name = names.get(usize::try_from(number(&entry, 0, 4)?).ok()?..)?;
        name.starts_with(b"pck\0").then(|| number(&entry, 0x20, 8))?
    })
}

/// A little-endian number of up to eight bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(size)?)?;
    Some(digits.iter().rev().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
}

/// Up to `most` bytes from a place on; fewer where the file ends or cannot be read.
fn bytes_at(file: &File, mut at: u64, most: usize) -> Vec<u8> {
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while filled < most {
        match read_at(file, &mut bytes[filled..], at) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                filled += count;
                at += count as u64;
            }
        }
    }
    bytes.truncate(filled);
    bytes
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::{GodotPlayer, godot_player};

    /// A PE file with one section of that name and size.
    pub(crate) fn windows(section: &[u8], size: u32, end: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 0x200];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x80;
        bytes[0x80..0x84].copy_from_slice(b"PE\0\0");
        bytes[0x86] = 1;
        bytes[0x98..0x98 + section.len()].copy_from_slice(section);
        bytes[0xa8..0xac].copy_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(end);
        bytes
    }

    /// An ELF file with a table of names and one more section.
    fn linux(section: &[u8], size: u64) -> Vec<u8> {
        let mut bytes = vec![0; 0x200];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[0x28] = 0x80;
        bytes[0x3a] = 64;
        bytes[0x3c] = 2;
        bytes[0x98] = 0x40;
        bytes[0xa0] = 16;
        bytes[0xc0] = 1;
        bytes[0xe0..0xe8].copy_from_slice(&size.to_le_bytes());
        bytes[0x41..0x41 + section.len()].copy_from_slice(section);
        bytes
    }

    fn look(bytes: &[u8]) -> GodotPlayer {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        godot_player(&file)
    }

    #[test]
    fn tells_players_of_godot_by_their_section() {
        assert_eq!(look(&windows(b"pck\0", 512, b"")), GodotPlayer::NeedsPackage);
        assert_eq!(look(&windows(b"pck\0", 512, b"game GDPC")), GodotPlayer::Whole);
        assert_eq!(look(&windows(b"pck\0", 9_000_000, b"signature")), GodotPlayer::Whole);
        assert_eq!(look(&windows(b".text\0", 512, b"GDPC")), GodotPlayer::No);
        assert_eq!(look(&linux(b"pck\0", 8)), GodotPlayer::NeedsPackage);
        assert_eq!(look(&linux(b"pck\0", 9_000_000)), GodotPlayer::Whole);
        assert_eq!(look(&linux(b".data\0", 8)), GodotPlayer::No);
        for bytes in [&b""[..], b"MZ", b"#!/bin/sh", b"\x7fELF\x02\x01"] {
            assert_eq!(look(bytes), GodotPlayer::No);
        }
    }

    proptest::proptest! {
        /// Whatever the numbers in it say, it ends and does not panic.
        #[test]
        fn survives_any_change(places in proptest::collection::vec((0_usize..0x200, 0_u8..=255), 1..12), elf in 0..2) {
            let mut bytes = if elf == 1 { linux(b"pck\0", 8) } else { windows(b"pck\0", 512, b"") };
            for (at, byte) in places {
                bytes[at] = byte;
            }
            look(&bytes);
        }
    }
}
