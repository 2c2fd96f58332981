//! The temporary file of a zipped folder: it has no name, so nothing is left behind however the program ends.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::UploadError;
use crate::model::env::Env;
use crate::model::units;

/// Folders for the temporary zip of a folder, best first.
#[derive(Debug, Clone)]
pub(crate) struct TempFolders(pub(crate) Vec<PathBuf>);

impl TempFolders {
    /// `RUNNER_TEMP`, then the usual variables, then the system's folder for temporary files.
    pub(crate) fn of(env: &Env) -> Self {
        let mut folders: Vec<PathBuf> = ["RUNNER_TEMP", "TMPDIR", "TEMP", "TMP"]
            .into_iter()
            .filter_map(|name| env.get(name))
            .map(PathBuf::from)
            .collect();
        if cfg!(unix) {
            folders.push(PathBuf::from("/tmp"));
        }
        let mut seen = std::collections::HashSet::new();
        folders.retain(|path| seen.insert(path.clone()));
        Self(folders)
    }
}

/// Opens a nameless temporary file in the first of `folders` that has room for `needed` bytes.
///
/// On Unix the file is unlinked while it is open, on Windows it is deleted when it is closed, also when the process is killed.
pub(crate) fn create(folders: &TempFolders, needed: u64) -> Result<File, UploadError> {
    let mut problem = None;
    for folder in folders.0.iter().map(PathBuf::as_path) {
        match open(folder, needed) {
            Ok(file) => return Ok(file),
            // The first folder is the one that the user or the host has chosen, so its problem is the one to tell.
            Err(error) => problem = problem.or(Some((folder, error))),
        }
    }
    let (path, source) = problem.unwrap_or_else(|| {
        ("".as_ref(), std::io::Error::other("neither RUNNER_TEMP, TMPDIR, TEMP nor TMP is set"))
    });
    Err(full(path, source))
}

fn open(folder: &Path, needed: u64) -> std::io::Result<File> {
    let free = fs4::available_space(folder)?;
    // Some file systems do not tell, and say 0; writing will.
    if free > 0 && free < needed {
        return Err(std::io::Error::new(
            std::io::ErrorKind::StorageFull,
            format!("the zip needs at least {}, and {} are free", units::bytes(needed), units::bytes(free)),
        ));
    }
    tempfile::tempfile_in(folder)
}

/// The error for a temporary file that cannot be made or written.
pub(crate) fn full(path: &Path, source: std::io::Error) -> UploadError {
    UploadError::Disk {
        action: "cannot write a temporary zip in",
        path: path.to_owned(),
        source,
        hint: "free some space there, set TMPDIR (RUNNER_TEMP on GitHub) to a folder with enough room, or zip the folder yourself and point build-path at the zip",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{TempFolders, create};
    use crate::model::ExitReason;
    use crate::model::env::Env;

    #[test]
    fn leaves_no_name_behind() {
        let dir = tempfile::tempdir().unwrap();
        let _file = create(&TempFolders(vec![dir.path().to_owned()]), 1).unwrap();
        if cfg!(unix) {
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn takes_the_next_folder_when_the_first_cannot_be_used() {
        let dir = tempfile::tempdir().unwrap();
        assert!(create(&TempFolders(vec![dir.path().join("missing"), dir.path().to_owned()]), 1).is_ok());
    }

    #[test]
    fn refuses_when_there_is_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let error = create(&TempFolders(vec![dir.path().to_owned()]), u64::MAX).unwrap_err();
        assert_eq!(error.reason(), ExitReason::UploadFailed);
        let failure = error.failure();
        assert!(failure.causes[0].contains("needs at least"), "{failure}");
        assert!(failure.hints[0].contains("TMPDIR"), "{failure}");
    }

    #[test]
    fn knows_where_temporary_files_go() {
        let env = Env::new(
            [("RUNNER_TEMP", "/runner/temp_file"), ("TMPDIR", "/var/tmp"), ("TMP", "/var/tmp")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let folders = TempFolders::of(&env).0;
        assert_eq!(folders[..2], [Path::new("/runner/temp_file"), Path::new("/var/tmp")]);
    }
}
