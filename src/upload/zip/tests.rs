//! The zip as another program reads it, and the same bytes whatever the machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha2::Digest as _;
use tokio_util::sync::CancellationToken;

use super::format::{self, Method, Record};
use super::write::{Written, write};
use crate::model::ExitReason;
use crate::upload::KeepOut;
use crate::upload::error::UploadError;
use crate::upload::tree::{Links, Tree, prefix, walk};

fn zip_of(tree: &Tree) -> Result<(Vec<u8>, Written), UploadError> {
    let mut file = tempfile::tempfile().unwrap();
    let written = write(tree, &file, &CancellationToken::new())?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    Ok((bytes, written))
}

fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(size).collect()
}

/// Name, mode, stored or not, and content of every entry.
fn entries(bytes: Vec<u8>) -> Vec<(String, u32, bool, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (
                entry.name().unwrap().into_owned(),
                entry.unix_mode().unwrap(),
                entry.compression() == zip::CompressionMethod::Stored,
                content,
            )
        })
        .collect()
}

fn lay(root: &Path, files: &[(&str, Vec<u8>)]) {
    for (name, content) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn text(size: usize) -> Vec<u8> {
    b"all work and no play ".iter().copied().cycle().take(size).collect()
}

#[test]
fn another_program_reads_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("Game.exe", text(900_000)),
        ("Data/level 1.bin", noise(1, 700_001)),
        ("Data/\u{e9}t\u{e9}.txt", text(262_144)),
        ("Data/\u{e9}t\u{e9}.bin", text(262_145)),
        ("Data/intro.mp4", noise(2, 600_000)),
        ("Data/icon.png", noise(3, 3000)),
        ("Data/empty", Vec::new()),
        ("a.txt", text(1)),
    ];
    lay(dir.path(), &files);
    std::fs::create_dir(dir.path().join("Saves")).unwrap();
    let tree = walk(dir.path(), Links::Follow, prefix("Game"), &KeepOut::default()).unwrap();
    let (bytes, written) = zip_of(&tree).unwrap();
    assert_eq!(written.size, bytes.len() as u64);
    assert_eq!(written.sha256, crate::upload::hash::hex(&sha2::Sha256::digest(&bytes)));
    let got = entries(bytes);
    let names: Vec<&str> = got.iter().map(|(name, ..)| name.as_str()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable_by_key(|name| name.as_bytes());
    assert_eq!(names, sorted);
    let got: BTreeMap<_, _> =
        got.into_iter().map(|(name, mode, stored, content)| (name, (mode, stored, content))).collect();
    assert_eq!(got.len(), files.len() + 1);
    for (name, content) in &files {
        let (mode, stored, read) = &got[*name];
        assert!(read == content, "{name} came back with other bytes");
        assert_eq!(*mode & 0o777, 0o644, "{name}");
        let incompressible = ["mp4", "png"].iter().any(|kind| name.ends_with(kind)) || content.len() < 10;
        assert_eq!(*stored, incompressible, "{name}");
    }
    assert_eq!(got["Saves/"].0, 0o040_755);
}

#[test]
fn an_application_keeps_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("Game.app");
    lay(&app, &[("Contents/Info.plist", text(200))]);
    let tree = walk(&app, Links::Keep, prefix("Game.app"), &KeepOut::default()).unwrap();
    let (bytes, _) = zip_of(&tree).unwrap();
    assert_eq!(entries(bytes)[0].0, "Game.app/Contents/Info.plist");
}

#[cfg(unix)]
#[test]
fn keeps_links_and_execute_bits_where_the_platform_has_them() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let dir = tempfile::tempdir().unwrap();
    lay(
        dir.path(),
        &[
            ("Versions/A/lib", text(500)),
            ("run", text(300)),
            ("tool", b"#!/bin/sh\necho".to_vec()),
            ("elf", b"\x7fELF....".to_vec()),
            ("Main.class", b"\xca\xfe\xba\xbe\0\0\0\x41".to_vec()),
        ],
    );
    std::fs::set_permissions(dir.path().join("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink("A", dir.path().join("Versions/Current")).unwrap();
    symlink("Versions/Current/lib", dir.path().join("lib")).unwrap();

    let kept: BTreeMap<_, _> = entries(
        zip_of(&walk(dir.path(), Links::Keep, String::new(), &KeepOut::default()).unwrap()).unwrap().0,
    )
    .into_iter()
    .map(|(name, mode, _, content)| (name, (mode, content)))
    .collect();
    assert_eq!(kept["Versions/Current"], (0o120_777, b"A".to_vec()));
    assert_eq!(kept["lib"], (0o120_777, b"Versions/Current/lib".to_vec()));
    assert_eq!(kept["run"].0, 0o100_755);
    assert_eq!(kept["tool"].0, 0o100_755);
    assert_eq!(kept["elf"].0, 0o100_755);
    assert_eq!(kept["Main.class"].0, 0o100_644);
    assert_eq!(kept["Versions/A/lib"].0, 0o100_644);

    let followed: BTreeMap<_, _> = entries(
        zip_of(&walk(dir.path(), Links::Follow, String::new(), &KeepOut::default()).unwrap()).unwrap().0,
    )
    .into_iter()
    .map(|(name, mode, _, content)| (name, (mode, content)))
    .collect();
    assert_eq!(followed["Versions/Current/lib"], (0o100_644, text(500)));
    assert_eq!(followed["lib"], (0o100_644, text(500)));
    assert_eq!(followed["run"].0, 0o100_644);
}

/// The bytes themselves are pinned: another order, time, attribute or compressor would show here.
#[test]
fn the_same_tree_gives_the_same_bytes_everywhere() {
    let make = |order: &[usize]| {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("b/two.txt", text(300_000)),
            ("a.png", noise(9, 5000)),
            ("b.txt", text(70)),
            ("C/x.dat", noise(4, 300_000)),
        ];
        for index in order {
            lay(dir.path(), &files[*index..=*index]);
        }
        let tree = walk(dir.path(), Links::Follow, String::new(), &KeepOut::default()).unwrap();
        zip_of(&tree).unwrap().1
    };
    let first = make(&[0, 1, 2, 3]);
    assert_eq!(first, make(&[3, 2, 1, 0]));
    insta::assert_debug_snapshot!(first);
}

#[test]
fn a_file_that_changes_or_vanishes_is_noticed() {
    for change in [
        (|path: &Path| std::fs::remove_file(path).unwrap()) as fn(&Path),
        |path| std::fs::write(path, text(2000)).unwrap(),
        |path| std::fs::write(path, text(10)).unwrap(),
        |path| {
            let file = File::options().append(true).open(path).unwrap();
            (&file).write_all(b"more").unwrap();
        },
    ] {
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path(), &[("a", text(400_000)), ("b", text(1000))]);
        let tree = walk(dir.path(), Links::Follow, String::new(), &KeepOut::default()).unwrap();
        change(&dir.path().join("b"));
        let error = zip_of(&tree).unwrap_err();
        assert_eq!(error.reason(), ExitReason::BuildChanged, "{error}");
        assert!(error.to_string().starts_with("b changed"), "{error}");
    }
}

#[test]
fn stops_when_it_is_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), &[("a", text(400_000))]);
    let tree = walk(dir.path(), Links::Follow, String::new(), &KeepOut::default()).unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    assert!(matches!(write(&tree, &tempfile::tempfile().unwrap(), &cancel), Err(UploadError::Cancelled)));
}

/// Sizes and places above 4 GiB, without writing so many bytes: the records are laid into a sparse file, where another program finds them.
#[test]
fn records_above_four_gigabytes_are_found_by_another_program() {
    let content = b"far away";
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let far = Record {
        name: "far.txt".to_owned(),
        method: Method::Stored,
        mode: 0o100_644,
        crc: crc.sum(),
        size: content.len() as u64,
        packed: content.len() as u64,
        offset: 5_000_000_000,
        described_later: false,
        large: false,
    };
    let huge = Record {
        name: "huge.bin".to_owned(),
        size: 4_900_000_000,
        packed: 4_900_000_000,
        offset: 0,
        large: true,
        ..far.clone()
    };
    let mut file = tempfile::tempfile().unwrap();
    let mut head = Vec::new();
    huge.local_header(&mut head);
    file.write_all(&head).unwrap();
    let mut tail = Vec::new();
    far.local_header(&mut tail);
    tail.extend_from_slice(content);
    let directory = 5_000_000_000 + tail.len() as u64;
    huge.directory_entry(&mut tail);
    far.directory_entry(&mut tail);
    let size = 5_000_000_000 + tail.len() as u64 - directory;
    format::end(2, size, directory, &mut tail);
    file.seek(SeekFrom::Start(5_000_000_000)).unwrap();
    file.write_all(&tail).unwrap();

    let mut archive = zip::ZipArchive::new(file).unwrap();
    assert_eq!(archive.by_name("huge.bin").unwrap().size(), 4_900_000_000);
    let mut entry = archive.by_name("far.txt").unwrap();
    let mut read = Vec::new();
    entry.read_to_end(&mut read).unwrap();
    assert_eq!(read, content);
}

#[test]
fn more_than_65535_files_need_the_large_end() {
    let mut bytes = Vec::new();
    format::end(70_000, 10, 20, &mut bytes);
    assert_eq!(bytes.len(), 56 + 20 + 22);
    bytes.clear();
    format::end(65_534, 10, 20, &mut bytes);
    assert_eq!(bytes.len(), 22);
}
