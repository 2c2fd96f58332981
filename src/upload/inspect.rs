//! From the setting `build-path` to bytes that can be sent: a file as it is, or a folder as a zip.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::content::{Content, blocking};
use super::error::UploadError;
use super::fingerprint::FileFingerprint;
use super::keep_out::KeepOut;
use super::precheck;
use super::temp_file::{self, TempFolders};
use super::tree::{self, Tree};
use super::zip;
use crate::model::build::{BuildSource, BuildSpec, Platform};
use crate::model::log::Log;
use crate::model::units;

/// A build that passed every check that costs no more than a look.
#[derive(Debug)]
pub(crate) struct InspectedBuild {
    /// The name under which it will be sent.
    pub(crate) file_name: String,
    /// Its platform.
    pub(crate) platform: Platform,
    /// Bytes on disk: of the file, or of all files in the folder.
    pub(crate) size_bytes: u64,
    /// What a person should know, though nothing is wrong with it.
    pub(crate) notes: Vec<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File { path: PathBuf, file: File, fingerprint: FileFingerprint },
    Folder(Tree),
}

/// Looks at the build without reading all of it; nothing is written.
pub(crate) async fn inspect(spec: &BuildSpec, keep_out: &KeepOut) -> Result<InspectedBuild, UploadError> {
    let (BuildSource::Path(path), Some(platform)) = (spec.source.clone(), spec.platform) else {
        return Err(UploadError::Unsupported {
            message: "the platform of the build is not known".to_owned(),
            hint: "set platform to one of windows, macos, linux, android, ios-native, ios-simulator, xbox, playstation".to_owned(),
        });
    };
    let multipart = spec.multipart;
    let keep_out = keep_out.clone();
    blocking(move || {
        let inspected = look(&path, platform, &keep_out)?;
        precheck::size(inspected.size_bytes, multipart)?;
        Ok(inspected)
    })
    .await
}

fn look(path: &Path, platform: Platform, keep_out: &KeepOut) -> Result<InspectedBuild, UploadError> {
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => UploadError::NotFound { path: path.to_owned() },
        _ => UploadError::unreadable(path, source),
    })?;
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(UploadError::Unsupported {
            message: format!("the build has no name that can be sent: {}", path.display()),
            hint: "name the file or folder itself in build-path, in UTF-8".to_owned(),
        });
    };
    if metadata.is_dir() {
        look_at_folder(path, name, platform, keep_out)
    } else {
        look_at_file(path, name, platform, &metadata)
    }
}

fn look_at_file(
    path: &Path,
    name: &str,
    platform: Platform,
    metadata: &std::fs::Metadata,
) -> Result<InspectedBuild, UploadError> {
    if !metadata.is_file() {
        return Err(UploadError::Unsupported {
            message: format!("{} is neither a file nor a folder", path.display()),
            hint: "point build-path at a file or folder".to_owned(),
        });
    }
    if metadata.len() == 0 {
        return Err(UploadError::Empty { message: format!("the build {name} is empty: it has 0 bytes") });
    }
    precheck::file_name(name)?;
    precheck::extension(name, platform)?;
    let file = File::open(path).map_err(|source| UploadError::unreadable(path, source))?;
    let fingerprint =
        FileFingerprint::of(&file.metadata().map_err(|source| UploadError::unreadable(path, source))?);
    precheck::alone(path, &file, name, platform)?;
    let notes = precheck::archive(&file, fingerprint.size, name, platform)?;
    Ok(InspectedBuild {
        file_name: name.to_owned(),
        platform,
        size_bytes: fingerprint.size,
        notes,
        kind: Kind::File { path: path.to_owned(), file, fingerprint },
    })
}

fn look_at_folder(
    path: &Path,
    name: &str,
    platform: Platform,
    keep_out: &KeepOut,
) -> Result<InspectedBuild, UploadError> {
    let file_name = format!("{name}.zip");
    precheck::file_name(&file_name)?;
    precheck::folder(path, name, platform)?;
    let tree = tree::walk(path, tree::Links::of(platform), tree::prefix(name), keep_out)?;
    precheck::folder_size(name, &tree)?;
    let mut notes = tree.notes();
    notes.extend(precheck::whole(name, &tree, platform)?);
    Ok(InspectedBuild { file_name, platform, size_bytes: tree.bytes(), notes, kind: Kind::Folder(tree) })
}

impl InspectedBuild {
    /// Makes the bytes that will be sent: nothing to do for a file; a folder is zipped into an unlinked temporary file.
    pub(crate) async fn prepare(
        self,
        folders: &TempFolders,
        log: &Log,
        cancel: &CancellationToken,
    ) -> Result<Arc<Content>, UploadError> {
        let Self { file_name, platform, kind, .. } = self;
        let (file, size_bytes, origin, sha256) = match kind {
            Kind::File { path, file, fingerprint } => {
                (file, fingerprint.size, Some((path, fingerprint)), None)
            }
            Kind::Folder(tree) => {
                let files = tree.files();
                log.info(format!("zipping {files} files, {}", units::bytes(tree.bytes())));
                let folders = folders.clone();
                let started = std::time::Instant::now();
                let stop = cancel.clone();
                let (file, written) = blocking(move || {
                    let file = temp_file::create(&folders, zip::least_bytes(&tree))?;
                    let written = zip::write(&tree, &file, &stop)?;
                    Ok((file, written))
                })
                .await?;
                log.info(format!(
                    "zipped {files} files into {} in {}",
                    units::bytes(written.size),
                    units::duration(started.elapsed())
                ));
                (file, written.size, None, Some(written.sha256))
            }
        };
        Ok(Arc::new(Content { file_name, platform, size_bytes, sha256, file, origin }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio_util::sync::CancellationToken;

    use std::sync::Arc;

    use super::{Content, KeepOut, TempFolders, inspect};
    use crate::model::ExitReason;
    use crate::model::build::{BuildSource, BuildSpec, DeletionPolicy, Multipart, Platform};
    use crate::model::log::Log;
    use crate::upload::error::UploadError;

    fn spec(path: &Path, platform: Platform) -> BuildSpec {
        BuildSpec {
            source: BuildSource::Path(path.to_owned()),
            name: "nightly".to_owned(),
            platform: Some(platform),
            description: None,
            tags: Vec::new(),
            auto_delete: false,
            deletion_policy: DeletionPolicy::LeastRecent,
            upload_timeout_minutes: None,
            reuse: true,
            multipart: Multipart::Auto,
            parallel: None,
        }
    }

    async fn prepare(path: &Path, platform: Platform) -> Result<Arc<Content>, UploadError> {
        let folders = TempFolders(vec![path.parent().unwrap().to_owned()]);
        inspect(&spec(path, platform), &KeepOut::default())
            .await?
            .prepare(&folders, &Log::silent(), &CancellationToken::new())
            .await
    }

    #[tokio::test]
    async fn names_what_is_wrong_with_a_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        std::fs::create_dir(dir.path().join("tiny")).unwrap();
        std::fs::write(dir.path().join("tiny/log"), b"build failed").unwrap();
        std::fs::write(dir.path().join("zero.apk"), b"").unwrap();
        for (name, platform, reason, words) in [
            ("missing.apk", Platform::Android, ExitReason::BuildNotFound, "no build at"),
            ("zero.apk", Platform::Android, ExitReason::BuildEmpty, "0 bytes"),
            ("empty", Platform::Windows, ExitReason::BuildEmpty, "holds no files"),
            ("tiny", Platform::Windows, ExitReason::BuildEmpty, "its 1 file has 12 bytes"),
            ("empty", Platform::Android, ExitReason::BuildUnsupported, "needs a .apk or .aab file"),
        ] {
            let error = prepare(&dir.path().join(name), platform).await.unwrap_err();
            assert_eq!(error.reason(), reason, "{error}");
            let failure = error.failure();
            assert!(failure.message.contains(words), "{failure}");
            assert_eq!(failure.hints.len(), 1, "{failure}");
            assert!(!failure.message.ends_with('.'), "{failure}");
        }
        let sparse = std::fs::File::create(dir.path().join("huge.bin")).unwrap();
        sparse.set_len(5_000_000_000_001).unwrap();
        let error = prepare(&dir.path().join("huge.bin"), Platform::Linux).await.unwrap_err();
        assert_eq!(error.reason(), ExitReason::BuildTooLarge, "{error}");
    }

    #[tokio::test]
    async fn a_folder_becomes_a_zip_of_its_name() {
        let dir = tempfile::tempdir().unwrap();
        for (name, file_name) in [("Game", "Game.zip"), ("Game.app", "Game.app.zip"), ("v1.2", "v1.2.zip")] {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("Game.bin"), [1; 500]).unwrap();
            let content = prepare(&folder, Platform::Macos).await.unwrap();
            assert_eq!(content.file_name, file_name);
            assert_eq!(content.sha256.as_ref().map(String::len), Some(64));
            let mut start = [0; 4];
            content.read_exact_at(&mut start, 0).unwrap();
            assert_eq!(&start, b"PK\x03\x04");
            assert_eq!(content.file.metadata().unwrap().len(), content.size_bytes);
        }
    }

    #[tokio::test]
    async fn a_build_that_changes_is_noticed_while_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("game.bin");
        std::fs::write(&path, [1; 1000]).unwrap();
        let content = prepare(&path, Platform::Linux).await.unwrap();
        assert_eq!(content.sha256, None);
        content.verify().unwrap();

        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(400).unwrap();
        assert_eq!(content.verify().unwrap_err().reason(), ExitReason::BuildChanged);
        let error = content.read_exact_at(&mut [0; 1000], 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "game.bin changed while it was read: it ends at byte 400, but had 1000 bytes"
        );

        std::fs::remove_file(&path).unwrap();
        assert_eq!(content.verify().unwrap_err().reason(), ExitReason::BuildChanged);
    }
}
