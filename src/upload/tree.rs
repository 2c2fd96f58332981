//! A folder as the zip will hold it: every file, link and empty folder, sorted by name.

use std::path::{Path, PathBuf};

use super::error::UploadError;
use super::fingerprint::FileFingerprint;
use super::ignore::{self, Rules};
use super::keep_out::{KeepOut, Named, named};
use super::links::{self, Ends};
use crate::disk;
use crate::model::build::Platform;
use crate::model::build_kind::is_bundle;

/// More entries than any build has; a guard against folders that contain themselves in some way we do not see.
const MOST_ENTRIES: usize = 2_000_000;
/// Deeper than any build is.
const DEEPEST: usize = 256;
/// Zip: a name has at most 65,535 bytes.
const LONGEST_NAME: usize = 65_535;
/// A `.nunuignore` is written by hand.
const LARGEST_RULES: u64 = 1024 * 1024;
/// Names of credentials that are told.
const TOLD: usize = 5;

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
    File { path: PathBuf, fingerprint: FileFingerprint, executable: bool },
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
    /// What was left out because credentials are kept under such names.
    credentials: Vec<String>,
    /// No `.nunuignore` can take them back.
    is_workspace: bool,
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

    /// Names and sizes of all files.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().filter_map(|entry| match &entry.kind {
            EntryKind::File { fingerprint, .. } => Some((entry.name.as_str(), fingerprint.size)),
            _ => None,
        })
    }

    /// What a person should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match self.ignored {
            0 => {}
            1 => notes.push(format!("{} leaves out 1 file or folder", ignore::FILE_NAME)),
            count => notes.push(format!("{} leaves out {count} files and folders", ignore::FILE_NAME)),
        }
        notes.extend(self.note_on_credentials());
        notes
    }

    fn note_on_credentials(&self) -> Option<String> {
        let first = self.credentials.first()?;
        let mut names = self.credentials[..self.credentials.len().min(TOLD)].join(", ");
        if self.credentials.len() > TOLD {
            names = format!("{names} and {} more", self.credentials.len() - TOLD);
        }
        let remedy = if self.is_workspace {
            "to send such a file, let build-path name the folder of the build instead of the whole workspace"
                .to_owned()
        } else {
            format!("if the build needs it, take it back in {}: !/{first}", ignore::FILE_NAME)
        };
        Some(format!("left out, because programs keep credentials under such names: {names}; {remedy}"))
    }
}

/// Where the contents of a folder of that name stand in the zip: at the root, but an `.app` keeps its folder.
pub(crate) fn prefix(name: &str) -> String {
    if is_bundle(name) { format!("{name}/") } else { String::new() }
}

/// Lists the folder.
pub(crate) fn walk(
    root: &Path,
    links: Links,
    prefix: String,
    keep_out: &KeepOut,
) -> Result<Tree, UploadError> {
    let real = root.canonicalize().map_err(|source| UploadError::in_folder("cannot list", root, source))?;
    if keep_out.lies_in_ours(&real) {
        return Err(UploadError::unsupported(
            format!("the build folder {} lies in the results or state folder of this job", root.display()),
            "let results-dir name another folder than the build's",
        ));
    }
    let is_workspace = keep_out.is_workspace(&real);
    let mut walk = Walk {
        root: root.to_owned(),
        real,
        links,
        prefix,
        keep_out,
        tree: Tree { entries: Vec::new(), links, ignored: 0, credentials: Vec::new(), is_workspace },
        above: Vec::new(),
        rules: Vec::new(),
    };
    walk.folder(root, "")?;
    let mut tree = walk.tree;
    tree.entries.sort_unstable_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
    Ok(tree)
}

struct Walk<'a> {
    root: PathBuf,
    /// The root's real path.
    real: PathBuf,
    links: Links,
    prefix: String,
    keep_out: &'a KeepOut,
    tree: Tree,
    /// The real paths of the folders we are in, to notice loops.
    above: Vec<PathBuf>,
    /// The rules that hold here, each with the length of its folder's relative path.
    rules: Vec<(usize, Rules)>,
}

impl Walk<'_> {
    /// Lists one folder; `relative` is its path below the root, ending with `/` unless empty.
    fn folder(&mut self, path: &Path, relative: &str) -> Result<(), UploadError> {
        let real =
            path.canonicalize().map_err(|source| UploadError::in_folder("cannot list", path, source))?;
        if self.keep_out.is_ours(&real) {
            return Ok(());
        }
        // Whatever the system calls it: a folder that lies elsewhere is a link.
        if !real.starts_with(&self.real) {
            return Err(links::refuse_outside(relative.trim_end_matches('/'), &real, &self.root));
        }
        if self.above.contains(&real) {
            return Err(UploadError::unsupported(
                format!("{} is a link to a folder that contains it", self.shown(relative)),
                "remove the link, or name it in .nunuignore",
            ));
        }
        if self.above.len() >= DEEPEST {
            return Err(UploadError::unsupported(
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
        for item in
            std::fs::read_dir(path).map_err(|source| UploadError::in_folder("cannot list", path, source))?
        {
            let item = item.map_err(|source| UploadError::in_folder("cannot list", path, source))?;
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
            return Err(UploadError::unsupported(
                format!("the name of {} is not valid UTF-8", path.display()),
                "rename the file, or name it in .nunuignore with wildcards in place of its folder",
            ));
        };
        let relative = format!("{folder}{name}");
        if name == ignore::FILE_NAME || named(name) == Named::History {
            return Ok(());
        }
        let kind = item.file_type().map_err(|source| UploadError::in_folder("cannot list", &path, source))?;
        let keeps_link = kind.is_symlink() && self.links == Links::Keep;
        // What a link points to decides whether it is a folder, unless the link itself is kept.
        let metadata = if keeps_link { std::fs::symlink_metadata(&path) } else { std::fs::metadata(&path) };
        let is_folder = metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        let decided = self.decide(&relative, is_folder);
        if decided == Some(true) {
            self.tree.ignored += 1;
            return Ok(());
        }
        let taken_back = decided == Some(false) && !self.tree.is_workspace;
        let ends = if kind.is_symlink() {
            links::judge(&path, &relative, (&self.root, &self.real), self.keep_out)?
        } else {
            Ends::of_name(name)
        };
        match ends {
            Ends::Ours => return Ok(()),
            Ends::Credentials if !taken_back => {
                self.tree.credentials.push(relative);
                return Ok(());
            }
            Ends::Credentials | Ends::Inside => {}
        }
        if name.contains('\\') {
            return Err(UploadError::unsupported(
                format!(
                    "the name of {relative} contains a backslash, which a zip cannot carry to every system"
                ),
                "rename the file",
            ));
        }
        if keeps_link {
            let target = links::target(&path, &relative, &self.real)?;
            return self.add(&relative, EntryKind::Link { target });
        }
        let metadata = metadata.map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound if kind.is_symlink() => UploadError::unsupported(
                format!("{relative} is a link to something that does not exist"),
                "remove the link, or name it in .nunuignore",
            ),
            std::io::ErrorKind::NotFound => UploadError::Changed {
                what: relative.clone(),
                detail: "it vanished while the folder was listed".to_owned(),
            },
            _ => UploadError::in_folder("cannot list", &path, source),
        })?;
        if metadata.is_dir() {
            return self.folder(&path, &format!("{relative}/"));
        }
        if !metadata.is_file() {
            return Err(UploadError::unsupported(
                format!("{relative} is neither a file nor a folder"),
                "remove it, or name it in .nunuignore",
            ));
        }
        let executable = self.links == Links::Keep && is_executable(&metadata);
        self.add(&relative, EntryKind::File { fingerprint: FileFingerprint::of(&metadata), executable, path })
    }

    fn add(&mut self, relative: &str, kind: EntryKind) -> Result<(), UploadError> {
        let name = format!("{}{relative}", self.prefix);
        if name.len() > LONGEST_NAME {
            return Err(UploadError::unsupported(
                format!("a path of {} bytes is too long for a zip", name.len()),
                "shorten the names of its folders",
            ));
        }
        if self.tree.entries.len() >= MOST_ENTRIES {
            return Err(UploadError::unsupported(
                format!("the folder holds more than {MOST_ENTRIES} files"),
                "zip it yourself and point build-path at the zip",
            ));
        }
        self.tree.entries.push(Entry { name, kind });
        Ok(())
    }

    /// The nearest rules that match decide.
    fn decide(&self, relative: &str, is_folder: bool) -> Option<bool> {
        self.rules.iter().rev().find_map(|(at, rules)| rules.decide(&relative[*at..], is_folder))
    }

    fn shown(&self, relative: &str) -> String {
        self.root.join(relative.trim_end_matches('/')).display().to_string()
    }
}

fn read_rules(folder: &Path) -> Result<Option<Rules>, UploadError> {
    use std::io::ErrorKind;
    let path = folder.join(ignore::FILE_NAME);
    match disk::read(&path, LARGEST_RULES) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Rules::parse(&text))),
            Err(_) => Err(UploadError::unsupported(
                format!("{} is not valid UTF-8", path.display()),
                "save it as UTF-8",
            )),
        },
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(odd) if matches!(odd.kind(), ErrorKind::InvalidInput | ErrorKind::FileTooLarge) => {
            Err(UploadError::unsupported(odd.to_string(), "make it a text file with one pattern a line"))
        }
        Err(source) => Err(UploadError::in_folder("cannot list", &path, source)),
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

#[cfg(test)]
mod tests;
