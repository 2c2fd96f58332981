//! From the setting `build-path` to bytes that can be sent: a file as it is, or a folder as a zip.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::content::{Content, blocking};
use super::error::UploadError;
use super::hash::{self, Frontier};
use super::keep_out::KeepOut;
use super::precheck;
use super::stamp::Stamp;
use super::temp;
use super::tree::{self, Tree};
use super::zip;
use crate::model::build::{BuildSource, BuildSpec, Platform};
use crate::model::env::Env;
use crate::model::log::Log;
use crate::model::units;

/// Where the engine may look and write besides the build itself.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Folders for the temporary zip of a folder, best first.
    pub(crate) temporary: Vec<PathBuf>,
}

impl Places {
    /// `RUNNER_TEMP`, then the usual variables, then the system's folder for temporary files.
    pub(crate) fn of(env: &Env) -> Self {
        let mut temporary: Vec<PathBuf> = ["RUNNER_TEMP", "TMPDIR", "TEMP", "TMP"]
            .into_iter()
            .filter_map(|name| env.get(name))
            .map(PathBuf::from)
            .collect();
        if cfg!(unix) {
            temporary.push(PathBuf::from("/tmp"));
        }
        let mut seen = std::collections::HashSet::new();
        temporary.retain(|path| seen.insert(path.clone()));
        Self { temporary }
    }
}

/// A build that passed every check that costs no more than a look.
#[derive(Debug)]
pub(crate) struct Inspected {
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
    File { path: PathBuf, file: File, stamp: Stamp },
    Folder(Tree),
}

/// A build whose bytes are ready to be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The name under which it is sent.
    pub(crate) file_name: String,
    /// Bytes to send.
    pub(crate) size_bytes: u64,
    /// Its platform.
    pub(crate) platform: Platform,
    /// Hex SHA-256 of the bytes, when it is known already (a folder's zip is hashed while it is written).
    pub(crate) sha256: Option<String>,
    pub(crate) content: Arc<Content>,
}

/// Looks at the build without reading all of it; nothing is written.
pub(crate) async fn inspect(spec: &BuildSpec, keep_out: &KeepOut) -> Result<Inspected, UploadError> {
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

fn look(path: &Path, platform: Platform, keep_out: &KeepOut) -> Result<Inspected, UploadError> {
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
) -> Result<Inspected, UploadError> {
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
    let stamp = Stamp::of(&file.metadata().map_err(|source| UploadError::unreadable(path, source))?);
    let notes = precheck::archive(&file, stamp.size, name, platform)?;
    Ok(Inspected {
        file_name: name.to_owned(),
        platform,
        size_bytes: stamp.size,
        notes,
        kind: Kind::File { path: path.to_owned(), file, stamp },
    })
}

fn look_at_folder(
    path: &Path,
    name: &str,
    platform: Platform,
    keep_out: &KeepOut,
) -> Result<Inspected, UploadError> {
    let file_name = format!("{name}.zip");
    precheck::file_name(&file_name)?;
    precheck::folder(path, name, platform)?;
    let tree = tree::walk(path, tree::Links::of(platform), tree::prefix(name), keep_out)?;
    precheck::folder_size(name, &tree)?;
    Ok(Inspected {
        file_name,
        platform,
        size_bytes: tree.bytes(),
        notes: tree.notes(),
        kind: Kind::Folder(tree),
    })
}

impl Inspected {
    /// Makes the bytes that will be sent: nothing to do for a file; a folder is zipped into an unlinked temporary file.
    pub(crate) async fn prepare(
        self,
        places: &Places,
        log: &Log,
        cancel: &CancellationToken,
    ) -> Result<Prepared, UploadError> {
        let Self { file_name, platform, kind, .. } = self;
        let (content, sha256) = match kind {
            Kind::File { path, file, stamp } => (Content::of_build(file, path, stamp), None),
            Kind::Folder(tree) => {
                let files = tree.files();
                log.info(format!("zipping {files} files, {}", units::bytes(tree.bytes())));
                let places = places.clone();
                let started = std::time::Instant::now();
                let stop = cancel.clone();
                let (file, written) = blocking(move || {
                    let file = temp::create(&places.temporary, zip::least_bytes(&tree))?;
                    let written = zip::write(&tree, &file, &stop)?;
                    Ok((file, written))
                })
                .await?;
                log.info(format!(
                    "zipped {files} files into {} in {}",
                    units::bytes(written.size),
                    units::duration(started.elapsed())
                ));
                (Content::of_zip(file, written.size), Some(written.sha256))
            }
        };
        Ok(Prepared { file_name, size_bytes: content.size(), platform, sha256, content: Arc::new(content) })
    }
}

impl Prepared {
    /// The digest as it will be sent, for a look ahead: reads all of a file.
    pub(crate) async fn digest(&self, cancel: &CancellationToken) -> Result<String, UploadError> {
        match &self.sha256 {
            Some(known) => Ok(known.clone()),
            None => hash::sha256(Arc::clone(&self.content), Frontier::open(), None, cancel.clone()).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio_util::sync::CancellationToken;

    use super::{KeepOut, Places, Prepared, inspect};
    use crate::model::ExitReason;
    use crate::model::build::{BuildSource, BuildSpec, DeletionPolicy, Multipart, Platform};
    use crate::model::env::Env;
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
            parallel: 4,
        }
    }

    async fn prepare(path: &Path, platform: Platform) -> Result<Prepared, UploadError> {
        let places = Places { temporary: vec![path.parent().unwrap().to_owned()] };
        inspect(&spec(path, platform), &KeepOut::default())
            .await?
            .prepare(&places, &Log::silent(), &CancellationToken::new())
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
            let prepared = prepare(&folder, Platform::Macos).await.unwrap();
            assert_eq!(prepared.file_name, file_name);
            assert_eq!(prepared.sha256.as_ref().map(String::len), Some(64));
            let mut start = [0; 4];
            prepared.content.read_exact_at(&mut start, 0).unwrap();
            assert_eq!(&start, b"PK\x03\x04");
            assert_eq!(prepared.content.size(), prepared.size_bytes);
        }
    }

    #[tokio::test]
    async fn a_build_that_changes_is_noticed_while_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("game.bin");
        std::fs::write(&path, [1; 1000]).unwrap();
        let prepared = prepare(&path, Platform::Linux).await.unwrap();
        assert_eq!(prepared.sha256, None);
        prepared.content.verify().unwrap();

        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(400).unwrap();
        assert_eq!(prepared.content.verify().unwrap_err().reason(), ExitReason::BuildChanged);
        let error = prepared.content.read_exact_at(&mut [0; 1000], 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "game.bin changed while it was read: it ends at byte 400, but had 1000 bytes"
        );

        std::fs::remove_file(&path).unwrap();
        assert_eq!(prepared.content.verify().unwrap_err().reason(), ExitReason::BuildChanged);
    }

    #[test]
    fn knows_where_temporary_files_go() {
        let env = Env::new(
            [("RUNNER_TEMP", "/runner/temp"), ("TMPDIR", "/var/tmp"), ("TMP", "/var/tmp")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let places = Places::of(&env).temporary;
        assert_eq!(places[..2], [Path::new("/runner/temp"), Path::new("/var/tmp")]);
    }
}
