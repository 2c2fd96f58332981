//! A folder as the zip will hold it: every file, link and empty folder, sorted by name.

use std::path::{Path, PathBuf};

use super::error::UploadError;
use super::ignore::{self, Rules};
use super::stamp::Stamp;
use crate::model::build::Platform;

/// More entries than any build has; a guard against folders that contain themselves in some way we do not see.
const MOST_ENTRIES: usize = 2_000_000;
/// Deeper than any build is.
const DEEPEST: usize = 256;
/// Zip: a name has at most 65,535 bytes.
const LONGEST_NAME: usize = 65_535;

/// What becomes of symbolic links and execute bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Kept, together with execute bits, where the platform knows them.
    Keep,
    /// Replaced by what they point to.
    Follow,
}

impl Links {
    /// Apple bundles and Linux builds break without their links and execute bits; the other platforms know neither.
    pub(crate) fn of(platform: Platform) -> Self {
        match platform {
            Platform::Macos | Platform::Linux | Platform::IosNative | Platform::IosSimulator => Self::Keep,
            Platform::Windows | Platform::Android | Platform::Xbox | Platform::Playstation => Self::Follow,
        }
    }
}

/// One entry of the zip.
#[derive(Debug)]
pub(crate) struct Entry {
    /// UTF-8 with `/`; ends with `/` for a folder.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: EntryKind,
}

/// What an entry is.
#[derive(Debug)]
pub(crate) enum EntryKind {
    /// A file; `executable` says what the file system says.
    File { path: PathBuf, stamp: Stamp, executable: bool },
    /// A symbolic link and its target, with `/`.
    Link { target: String },
    /// An empty folder.
    Folder,
}

/// A whole folder.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Sorted by the bytes of the names.
    pub(crate) entries: Vec<Entry>,
    /// What becomes of execute bits.
    pub(crate) links: Links,
    ignored: usize,
}

impl Tree {
    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.sizes().fold(0, |sum, (_, size)| sum.saturating_add(size))
    }

    /// Number of files.
    pub(crate) fn files(&self) -> usize {
        self.sizes().count()
    }

    fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().filter_map(|entry| match &entry.kind {
            EntryKind::File { stamp, .. } => Some((entry.name.as_str(), stamp.size)),
            _ => None,
        })
    }

    /// What the zip will need at the very least: stored files as they are, the others at a tenth. Less free space than this is hopeless.
    pub(crate) fn least_zip_bytes(&self) -> u64 {
        self.sizes()
            .map(|(name, size)| if super::zip::is_compressed(name) { size } else { size / 10 })
            .fold(1, u64::saturating_add)
    }

    /// What a person should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        match self.ignored {
            0 => Vec::new(),
            1 => vec![format!("{} leaves out 1 file or folder", ignore::FILE_NAME)],
            count => vec![format!("{} leaves out {count} files and folders", ignore::FILE_NAME)],
        }
    }
}

/// Where the contents of a folder of that name stand in the zip: at the root, but an `.app` keeps its folder.
pub(crate) fn prefix(name: &str) -> String {
    if super::precheck::is_bundle(name) { format!("{name}/") } else { String::new() }
}

/// Lists the folder.
///
/// # Errors
/// `Unsupported` for what a zip cannot hold (names that are not UTF-8, loops, links out of the folder, devices), `Disk` for what cannot be read.
pub(crate) fn walk(root: &Path, links: Links, prefix: String) -> Result<Tree, UploadError> {
    let mut walk = Walk {
        root: root.to_owned(),
        links,
        prefix,
        tree: Tree { entries: Vec::new(), links, ignored: 0 },
        above: Vec::new(),
        rules: Vec::new(),
    };
    walk.folder(root, "")?;
    let mut tree = walk.tree;
    tree.entries.sort_unstable_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
    Ok(tree)
}

struct Walk {
    root: PathBuf,
    links: Links,
    prefix: String,
    tree: Tree,
    /// The real paths of the folders we are in, to notice loops.
    above: Vec<PathBuf>,
    /// The rules that hold here, each with the length of its folder's relative path.
    rules: Vec<(usize, Rules)>,
}

impl Walk {
    /// Lists one folder; `relative` is its path below the root, ending with `/` unless empty.
    fn folder(&mut self, path: &Path, relative: &str) -> Result<(), UploadError> {
        let real = path.canonicalize().map_err(|source| unlistable(path, source))?;
        if self.above.contains(&real) {
            return Err(refuse(
                format!("{} is a link to a folder that contains it", self.shown(relative)),
                "remove the link, or name it in .nunuignore",
            ));
        }
        if self.above.len() >= DEEPEST {
            return Err(refuse(
                format!("{} lies more than {DEEPEST} folders deep", self.shown(relative)),
                "check for folders that contain themselves",
            ));
        }
        let rules = read_rules(path)?;
        let has_rules = rules.is_some();
        if let Some(rules) = rules {
            self.rules.push((relative.len(), rules));
        }
        self.above.push(real);
        let mut empty = true;
        for item in std::fs::read_dir(path).map_err(|source| unlistable(path, source))? {
            let item = item.map_err(|source| unlistable(path, source))?;
            empty = false;
            self.item(&item, relative)?;
        }
        self.above.pop();
        if has_rules {
            self.rules.pop();
        }
        if empty && !relative.is_empty() {
            self.add(relative, EntryKind::Folder)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &std::fs::DirEntry, folder: &str) -> Result<(), UploadError> {
        let path = item.path();
        let name = item.file_name();
        let Some(name) = name.to_str() else {
            return Err(refuse(
                format!("the name of {} is not valid UTF-8", path.display()),
                "rename the file, or name it in .nunuignore with wildcards in place of its folder",
            ));
        };
        let relative = format!("{folder}{name}");
        if name == ignore::FILE_NAME {
            return Ok(());
        }
        let kind = item.file_type().map_err(|source| unlistable(&path, source))?;
        let keeps_link = kind.is_symlink() && self.links == Links::Keep;
        // What a link points to decides whether it is a folder, unless the link itself is kept.
        let metadata = if keeps_link { std::fs::symlink_metadata(&path) } else { std::fs::metadata(&path) };
        let is_folder = metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        if self.is_ignored(&relative, is_folder) {
            self.tree.ignored += 1;
            return Ok(());
        }
        if name.contains('\\') {
            return Err(refuse(
                format!(
                    "the name of {relative} contains a backslash, which a zip cannot carry to every system"
                ),
                "rename the file",
            ));
        }
        if keeps_link {
            let target = link_target(&path, &relative)?;
            return self.add(&relative, EntryKind::Link { target });
        }
        let metadata = metadata.map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound if kind.is_symlink() => refuse(
                format!("{relative} is a link to something that does not exist"),
                "remove the link, or name it in .nunuignore",
            ),
            std::io::ErrorKind::NotFound => UploadError::Changed {
                what: relative.clone(),
                detail: "it vanished while the folder was listed".to_owned(),
            },
            _ => unlistable(&path, source),
        })?;
        if metadata.is_dir() {
            return self.folder(&path, &format!("{relative}/"));
        }
        if !metadata.is_file() {
            return Err(refuse(
                format!("{relative} is neither a file nor a folder"),
                "remove it, or name it in .nunuignore",
            ));
        }
        let executable = self.links == Links::Keep && is_executable(&metadata);
        self.add(&relative, EntryKind::File { stamp: Stamp::of(&metadata), executable, path })
    }

    fn add(&mut self, relative: &str, kind: EntryKind) -> Result<(), UploadError> {
        let name = format!("{}{relative}", self.prefix);
        if name.len() > LONGEST_NAME {
            return Err(refuse(
                format!("a path of {} bytes is too long for a zip", name.len()),
                "shorten the names of its folders",
            ));
        }
        if self.tree.entries.len() >= MOST_ENTRIES {
            return Err(refuse(
                format!("the folder holds more than {MOST_ENTRIES} files"),
                "zip it yourself and point build-path at the zip",
            ));
        }
        self.tree.entries.push(Entry { name, kind });
        Ok(())
    }

    /// The nearest rules that match decide.
    fn is_ignored(&self, relative: &str, is_folder: bool) -> bool {
        self.rules
            .iter()
            .rev()
            .find_map(|(at, rules)| rules.decide(&relative[*at..], is_folder))
            .unwrap_or(false)
    }

    fn shown(&self, relative: &str) -> String {
        self.root.join(relative.trim_end_matches('/')).display().to_string()
    }
}

/// The target of a link, which must stay inside the folder.
fn link_target(path: &Path, relative: &str) -> Result<String, UploadError> {
    let target = std::fs::read_link(path).map_err(|source| unlistable(path, source))?;
    let Some(text) =
        target.to_str().map(|text| if cfg!(windows) { text.replace('\\', "/") } else { text.to_owned() })
    else {
        return Err(refuse(
            format!("the target of the link {relative} is not valid UTF-8"),
            "rename the target",
        ));
    };
    if target.is_absolute() || text.starts_with('/') || leaves(relative, &text) {
        return Err(refuse(
            format!("{relative} is a link out of the folder, to {text}"),
            "replace the link by a copy of its target, or name it in .nunuignore",
        ));
    }
    Ok(text)
}

/// Whether a relative link at `link` points above the root of the folder.
fn leaves(link: &str, target: &str) -> bool {
    let mut depth = link.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

fn read_rules(folder: &Path) -> Result<Option<Rules>, UploadError> {
    let path = folder.join(ignore::FILE_NAME);
    match std::fs::read(&path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Rules::parse(&text))),
            Err(_) => Err(refuse(format!("{} is not valid UTF-8", path.display()), "save it as UTF-8")),
        },
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(unlistable(&path, source)),
    }
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
}

/// Other systems have no execute bit; the zip looks at the content there (and everywhere else too).
#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

fn refuse(message: String, hint: &str) -> UploadError {
    UploadError::Unsupported { message, hint: hint.to_owned() }
}

fn unlistable(path: &Path, source: std::io::Error) -> UploadError {
    UploadError::Disk {
        action: "cannot list",
        path: path.to_owned(),
        source,
        hint: "check that the user of this job may read the folder",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Links, leaves, walk};
    use crate::model::failure::Reason;
    use crate::upload::error::UploadError;

    fn names(root: &Path, links: Links) -> Result<Vec<String>, UploadError> {
        Ok(walk(root, links, String::new())?.entries.into_iter().map(|entry| entry.name).collect())
    }

    fn lay(root: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }

    #[test]
    fn leaves_out_what_the_ignore_files_say() {
        let dir = tempfile::tempdir().unwrap();
        lay(
            dir.path(),
            &[
                (".nunuignore", "*.pdb\n/Logs/\nDebug_BackUp*/\n"),
                ("Game.exe", "x"),
                ("Game.pdb", "x"),
                ("Logs/today.txt", "x"),
                ("Data/Logs/kept.txt", "x"),
                ("Data/.nunuignore", "!keep.pdb\n/secret\n"),
                ("Data/keep.pdb", "x"),
                ("Data/drop.pdb", "x"),
                ("Data/secret", "x"),
                ("Data/sub/secret", "x"),
                ("Debug_BackUpThisFolder/a", "x"),
            ],
        );
        std::fs::create_dir_all(dir.path().join("Empty/Inside")).unwrap();
        let tree = walk(dir.path(), Links::Follow, String::new()).unwrap();
        let names: Vec<&str> = tree.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(
            names,
            ["Data/Logs/kept.txt", "Data/keep.pdb", "Data/sub/secret", "Empty/Inside/", "Game.exe"]
        );
        assert_eq!(tree.notes(), [".nunuignore leaves out 5 files and folders"]);
        assert_eq!((tree.files(), tree.bytes()), (4, 4));
    }

    #[cfg(unix)]
    #[test]
    fn refuses_what_a_zip_cannot_hold() {
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::fs::symlink;
        type Lay = fn(&Path);
        let cases: [(Lay, Links, &str); 8] = [
            (|root| symlink("..", root.join("sub/up")).unwrap(), Links::Follow, "contains it"),
            (|root| symlink("missing", root.join("dangling")).unwrap(), Links::Follow, "does not exist"),
            (
                |root| symlink("/etc/passwd", root.join("out")).unwrap(),
                Links::Keep,
                "out of the folder, to /etc/passwd",
            ),
            (|root| symlink("../../x", root.join("sub/out")).unwrap(), Links::Keep, "out of the folder"),
            (
                |root| std::fs::write(root.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), b"x").unwrap(),
                Links::Keep,
                "not valid UTF-8",
            ),
            (|root| std::fs::write(root.join("a\\b"), b"x").unwrap(), Links::Follow, "backslash"),
            (
                |root| {
                    let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
                    assert!(made.success());
                },
                Links::Follow,
                "neither a file nor a folder",
            ),
            (
                |root| std::fs::write(root.join(".nunuignore"), b"\xff").unwrap(),
                Links::Follow,
                "not valid UTF-8",
            ),
        ];
        for (change, links, words) in cases {
            let dir = tempfile::tempdir().unwrap();
            lay(dir.path(), &[("sub/file", "x")]);
            change(dir.path());
            let error = names(dir.path(), links).unwrap_err();
            assert_eq!(error.reason(), Reason::BuildUnsupported);
            assert!(error.to_string().contains(words), "{error}");
        }
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path(), &[("file", "x")]);
        symlink("file", dir.path().join("link")).unwrap();
        symlink("missing", dir.path().join("dangling")).unwrap();
        assert_eq!(names(dir.path(), Links::Keep).unwrap(), ["dangling", "file", "link"]);
    }

    #[test]
    fn knows_links_that_leave() {
        for (link, target, want) in [
            ("a", "b", false),
            ("a", "../b", true),
            ("x/a", "../b", false),
            ("x/a", "../../b", true),
            ("x/a", "y/../../b", false),
            ("x/a", "./y/../../../b", true),
        ] {
            assert_eq!(leaves(link, target), want, "{link} -> {target}");
        }
    }
}
