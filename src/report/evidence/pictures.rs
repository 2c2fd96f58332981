//! Screenshots in the page: which files are pictures, and how many of them fit. Never decoded.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

use crate::disk;
use crate::model::RunReport;
use crate::model::job::{Attempt, Job};

use super::super::artifact_path::file_address;

/// Largest picture that is read.
const LARGEST: u64 = 8 * 1024 * 1024;

/// What a file that begins like this is, when it is a picture that browsers show and that can hold no script: the signatures of PNG
/// (ISO 15948, 5.2), JPEG (start of image and the next marker) and WebP (RFC 9649, 2.4).
pub(crate) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// True for the name of a file that should be a picture.
pub(crate) fn is_picture_name(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| ["png", "jpg", "jpeg", "webp"].contains(&extension.as_str()))
}

/// Downloaded pictures of a run, of its bugs first.
pub(super) fn of_run(run: &Attempt) -> impl Iterator<Item = &str> {
    let of_bugs = run.bugs.iter().filter_map(|bug| bug.screenshot_saved_as.as_deref());
    let artifacts = run.players.iter().flat_map(|player| &player.artifacts);
    let files = artifacts.filter(|artifact| is_picture_name(&artifact.file_name));
    of_bugs.chain(files.filter_map(|artifact| artifact.saved_as.as_deref()))
}

/// A picture as a `data:` address.
pub(super) struct Data<'a> {
    kind: &'static str,
    bytes: &'a [u8],
}

impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data:{};base64,{}", self.kind, Base64Display::new(self.bytes, &STANDARD))
    }
}

/// The pictures that the page holds, by their path below the results folder.
#[derive(Debug, Default)]
pub(crate) struct Pictures(BTreeMap<String, (&'static str, Vec<u8>)>);

impl Pictures {
    /// Reads pictures in this order until the next would not leave the page below `room` bytes.
    pub(super) fn read<'a>(dir: &Path, paths: impl Iterator<Item = &'a str>, mut room: usize) -> Self {
        let mut read = BTreeMap::new();
        for path in paths {
            if read.contains_key(path) {
                continue;
            }
            // The path may be anybody's: reports are made again from files.
            if file_address(path).is_none() {
                continue;
            }
            let Ok(bytes) = disk::read(&dir.join(path), LARGEST) else { continue };
            let Some(kind) = media_type(&bytes) else { continue };
            let size = bytes.len().div_ceil(3) * 4 + 64;
            if size > room {
                break;
            }
            room -= size;
            read.insert(path.to_owned(), (kind, bytes));
        }
        Self(read)
    }

    /// The picture as the page holds it.
    pub(super) fn get(&self, path: &str) -> Option<Data<'_>> {
        self.0.get(path).map(|(kind, bytes)| Data { kind, bytes })
    }

    /// Downloaded pictures of the report that it does not hold.
    pub(super) fn left_out(&self, report: &RunReport) -> usize {
        let all = report.jobs.iter().filter_map(Job::deciding).flat_map(of_run);
        all.filter(|path| !self.0.contains_key(*path)).count()
    }
}
