//! Files of ours: created anew under names that nobody can guess, never through a link that somebody planted, and read only when they are
//! regular files of a bounded size.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Who may read a file of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whoever the system's own rule (the umask) lets: reports are there to be read.
    Anyone,
    /// Its owner.
    Owner,
}

/// A new file that nobody sees under its name yet. Dropped before it is placed, it is gone.
#[derive(Debug)]
pub(crate) struct Fresh {
    file: NamedTempFile,
    path: PathBuf,
}

impl Fresh {
    /// Begins a file that will be `path`.
    pub(crate) fn begin(path: &Path, readers: Readers) -> io::Result<Self> {
        let prefix = prefix(path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(12);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(match readers {
            Readers::Anyone => 0o666,
            Readers::Owner => 0o600,
        }));
        #[cfg(not(unix))]
        let _ = readers;
        Ok(Self { file: builder.tempfile_in(folder_of(path))?, path: path.to_owned() })
    }

    /// The file, to be written to.
    pub(crate) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Puts the file where it belongs, in one step: nobody reads half of it, and a link in its place is replaced, never followed.
    pub(crate) fn place(self) -> io::Result<File> {
        self.file.persist(&self.path).map_err(|error| error.error)
    }
}

/// A whole new file that is not yet in its place.
pub(crate) fn prepare(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<Fresh> {
    let fresh = Fresh::begin(path, readers)?;
    fresh.file().write_all(bytes)?;
    Ok(fresh)
}

/// The last bytes of a regular file, at most so many.
pub(crate) fn tail(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    regular(path, &fs::metadata(path)?)?;
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Goes on writing at the end of a regular file, or begins a new one where there is none, or something that is no regular file.
pub(crate) fn append(path: &Path, readers: Readers) -> io::Result<File> {
    match itself(OpenOptions::new().append(true)).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        // A link, a pipe without a reader, a device: whatever it is, it is not ours.
        Ok(_) | Err(_) => Fresh::begin(path, readers)?.place(),
    }
}

/// Goes on writing at the end of a file that is not ours, such as one of the host's, or begins it. Links are followed. What is no regular
/// file is refused: to open a pipe waits for its reader, and to write to it may wait as well.
pub(crate) fn append_to_theirs(path: &Path) -> io::Result<File> {
    match fs::metadata(path) {
        Ok(about) => regular(path, &about)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = at_once(OpenOptions::new().create(true).append(true)).open(path)?;
    regular(path, &file.metadata()?)?;
    Ok(file)
}

/// The file that processes lock while they change what it stands for.
pub(crate) fn lock_file(path: &Path) -> io::Result<File> {
    for _ in 0..2 {
        match itself(OpenOptions::new().write(true)).open(path) {
            Ok(file) if file.metadata()?.is_file() => return Ok(file),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match private(itself(OpenOptions::new().write(true).create_new(true))).open(path) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    created => return created,
                }
            }
            Ok(_) => break,
            Err(error) => return Err(error),
        }
    }
    Err(no_file(path))
}

/// Removes temporary files of ours for `path` that a kill left behind. For those who know that nobody writes it.
pub(crate) fn sweep(path: &Path) {
    let start = prefix(path);
    for entry in fs::read_dir(folder_of(path)).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(&start) && name.ends_with(SUFFIX)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a folder and those above it.
pub(crate) fn folder(path: &Path, readers: Readers) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    #[cfg(not(unix))]
    let _ = readers;
    builder.create(path)
}

/// Makes the folders of `relative` (with `/`) below `root`, none of which may be a link.
pub(crate) fn folders_below(root: &Path, relative: &str) -> io::Result<PathBuf> {
    let mut path = root.to_owned();
    for part in relative.split('/').filter(|part| !part.is_empty()) {
        path.push(part);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ if fs::symlink_metadata(&path)?.is_dir() => {}
            _ => return Err(io::Error::other(format!("{} is no folder of ours", path.display()))),
        }
    }
    Ok(path)
}

/// Removes the regular file `relative` (with `/`) below `root`, what a kill left of it, and the folders between them that are empty then.
/// Does nothing where a link, or anything else than a folder, is on the way.
pub(crate) fn remove_below(root: &Path, relative: &str) {
    let mut path = root.to_owned();
    let mut folders = Vec::new();
    let parts: Vec<&str> = relative.split('/').collect();
    let Some((name, above)) = parts.split_last() else { return };
    for part in above {
        path.push(part);
        if !is_plain(part) || !fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir()) {
            return;
        }
        folders.push(path.clone());
    }
    path.push(name);
    if !is_plain(name) {
        return;
    }
    sweep(&path);
    if fs::symlink_metadata(&path).is_ok_and(|about| about.is_file()) {
        let _ = fs::remove_file(&path);
    }
    // A folder that is not empty stays.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// True for a regular file `relative` (with `/`) below `root` that is reached through no link.
pub(crate) fn is_below(root: &Path, relative: &str) -> bool {
    let mut path = root.to_owned();
    let parts: Vec<&str> = relative.split('/').collect();
    parts.iter().enumerate().all(|(index, part)| {
        path.push(part);
        let last = index + 1 == parts.len();
        is_plain(part)
            && fs::symlink_metadata(&path)
                .is_ok_and(|about| if last { about.is_file() } else { about.is_dir() })
    })
}

/// True for the name of something in a folder, on every system.
fn is_plain(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0'])
}

/// The whole content of a regular file of at most `most` bytes; links are followed to it.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_if(path, most, regular)
}

/// The same of a file that we made for [`Readers::Owner`]: what others may read or own came from elsewhere, such as a checkout.
pub(crate) fn read_private(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_if(path, most, |path, about| regular(path, about).and_then(|()| ours(path, about)))
}

#[cfg(unix)]
fn ours(path: &Path, about: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let of_others = about.mode() & 0o077;
    if of_others == 0 && about.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::PermissionDenied,
        format!("{} was not written by nunu-ci: others may read or own it", path.display()),
    ))
}

#[cfg(not(unix))]
fn ours(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

fn read_if(path: &Path, most: u64, fits: impl Fn(&Path, &Metadata) -> io::Result<()>) -> io::Result<Vec<u8>> {
    // To open a pipe waits for its other end, and to open a device may do something.
    fits(path, &fs::metadata(path)?)?;
    let file = File::open(path)?;
    fits(path, &file.metadata()?)?;
    let mut bytes = Vec::new();
    if file.take(most.saturating_add(1)).read_to_end(&mut bytes)? as u64 > most {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("{} is larger than {most} bytes", path.display()),
        ));
    }
    Ok(bytes)
}

const SUFFIX: &str = ".tmp";

fn prefix(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn regular(path: &Path, about: &Metadata) -> io::Result<()> {
    if about.is_file() { Ok(()) } else { Err(no_file(path)) }
}

fn no_file(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{} is no regular file", path.display()))
}

/// Opens what has the name itself, never what a link of that name points to, and waits for nobody.
#[cfg(unix)]
fn itself(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
}

/// Opens what has the name itself, never what a link of that name points to.
#[cfg(windows)]
fn itself(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::windows::fs::OpenOptionsExt as _;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
}

/// Waits for nobody, should a pipe have taken the name a moment ago.
#[cfg(unix)]
fn at_once(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
}

#[cfg(not(unix))]
fn at_once(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Command;

    use super::{
        ErrorKind, Path, Readers, append, append_to_theirs, folders_below, lock_file, prepare, read, sweep,
    };

    fn pipe(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[test]
    fn a_planted_link_is_replaced_never_followed() {
        let home = tempfile::tempdir().unwrap();
        let precious = home.path().join("precious");
        let place = home.path().join("results.json");
        let writers: [fn(&Path); 2] = [
            |path| drop(prepare(path, b"ours", Readers::Anyone).unwrap().place().unwrap()),
            |path| append(path, Readers::Anyone).unwrap().write_all(b"ours").unwrap(),
        ];
        for write in writers {
            fs::write(&precious, "theirs").unwrap();
            let _ = fs::remove_file(&place);
            symlink(&precious, &place).unwrap();
            write(&place);
            assert_eq!(fs::read(&precious).unwrap(), b"theirs");
            assert!(fs::symlink_metadata(&place).unwrap().is_file());
            assert_eq!(fs::read(&place).unwrap(), b"ours");
        }
        append(&place, Readers::Anyone).unwrap().write_all(b" again").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"ours again");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn waits_for_no_pipe_and_locks_no_link() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        pipe(&path("pipe"));
        append(&path("pipe"), Readers::Owner).unwrap().write_all(b"x").unwrap();
        assert_eq!(fs::read(path("pipe")).unwrap(), b"x");
        assert_eq!(fs::metadata(path("pipe")).unwrap().permissions().mode() & 0o777, 0o600);

        // With and without a reader.
        pipe(&path("theirs"));
        assert_eq!(append_to_theirs(&path("theirs")).unwrap_err().kind(), ErrorKind::InvalidInput);
        let reader = fs::OpenOptions::new().read(true).write(true).open(path("theirs")).unwrap();
        assert_eq!(append_to_theirs(&path("theirs")).unwrap_err().kind(), ErrorKind::InvalidInput);
        drop(reader);
        for text in ["one", "two"] {
            append_to_theirs(&path("output")).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(fs::read(path("output")).unwrap(), b"onetwo");

        symlink(path("elsewhere"), path("link")).unwrap();
        assert!(lock_file(&path("link")).is_err());
        assert!(!path("elsewhere").exists());
        pipe(&path("second"));
        assert!(lock_file(&path("second")).is_err());
        assert!(lock_file(&path("lock")).is_ok() && lock_file(&path("lock")).is_ok());
    }

    #[test]
    fn reads_regular_files_of_a_bounded_size() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        fs::write(path("file"), "12345").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("/dev/zero", path("zero")).unwrap();
        pipe(&path("pipe"));
        assert_eq!(read(&path("link"), 5).unwrap(), b"12345");
        assert_eq!(read(&path("file"), 4).unwrap_err().kind(), ErrorKind::FileTooLarge);
        for odd in ["zero", "pipe"] {
            assert_eq!(read(&path(odd), 5).unwrap_err().kind(), ErrorKind::InvalidInput, "{odd}");
        }
        assert_eq!(read(&path("missing"), 5).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn folders_below_a_root_are_folders() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        symlink(home.path(), root.join("out")).unwrap();
        assert_eq!(folders_below(&root, "a/b/c").unwrap(), root.join("a/b/c"));
        assert!(folders_below(&root, "out/b").is_err());
        assert!(!home.path().join("b").exists());
    }

    #[test]
    fn what_a_kill_left_is_swept_away() {
        let home = tempfile::tempdir().unwrap();
        for name in [".state.json.Xy12.tmp", "state.json", ".other.Xy.tmp"] {
            fs::write(home.path().join(name), "x").unwrap();
        }
        sweep(&home.path().join("state.json"));
        let mut left: Vec<_> =
            fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".other.Xy.tmp", "state.json"]);
    }
}
