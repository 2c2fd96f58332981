//! What gives away that a file changed while it was read: its size, modification time and identity.

use std::fs::Metadata;
use std::time::SystemTime;

/// A file at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileFingerprint {
    /// Bytes.
    pub(crate) size: u64,
    modified: Option<SystemTime>,
    identity: Option<(u64, u64)>,
}

impl FileFingerprint {
    /// The file as `metadata` describes it.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok(), identity: identity(metadata) }
    }

    /// What differs from `later`, in words; `None` when nothing does.
    pub(crate) fn difference(&self, later: &Self) -> Option<String> {
        if self.size != later.size {
            return Some(format!("it had {} bytes at first and {} later", self.size, later.size));
        }
        if self.identity != later.identity {
            return Some("another file took its place".to_owned());
        }
        (self.modified != later.modified).then(|| "it was written to meanwhile".to_owned())
    }
}

/// Device and inode, where the system has them.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no stable identity to give")]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

/// Stable Rust shows no file identity on other systems.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::FileFingerprint;

    #[test]
    fn sees_growth_replacement_and_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("game.apk");
        std::fs::write(&path, b"one").unwrap();
        let fingerprint = || FileFingerprint::of(&std::fs::metadata(&path).unwrap());
        let first = fingerprint();
        assert_eq!(first.difference(&fingerprint()), None);

        std::fs::write(&path, b"longer").unwrap();
        assert!(
            first
                .difference(&fingerprint())
                .is_some_and(|text| text.contains("3 bytes at first and 6 later"))
        );

        std::fs::write(&path, b"two").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        // Windows renames nothing over a file that is open.
        drop(file);
        assert!(first.difference(&fingerprint()).is_some_and(|text| text.contains("written to")));

        let other = dir.path().join("other");
        std::fs::write(&other, b"one").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(first.difference(&fingerprint()).is_some());
    }
}
