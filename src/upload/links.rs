//! Links in a folder: a link is judged by where it really ends, never by what it says.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::UploadError;
use super::keep_out::{KeepOut, Named, named, named_within};
use crate::model::workspace::really;

/// Where something in the folder ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// In the folder.
    Inside,
    /// At what may hold credentials.
    Credentials,
    /// At files of ours, or in the history of the sources: left out without a word.
    Ours,
}

impl Ends {
    /// Something that is no link ends at its own name.
    pub(super) fn of_name(name: &str) -> Self {
        Self::of(named(name))
    }

    fn of(named: Named) -> Self {
        match named {
            Named::History => Self::Ours,
            Named::Credentials => Self::Credentials,
            Named::Anything => Self::Inside,
        }
    }
}

/// Judges the link at `path`, which is `relative` below the folder `root` with the real path `real`.
pub(super) fn judge(
    path: &Path,
    relative: &str,
    (root, real): (&Path, &Path),
    keep_out: &KeepOut,
) -> Result<Ends, UploadError> {
    let Some(end) = end_of(path)? else { return Ok(Ends::of_name(last(relative))) };
    let Ok(inside) = end.strip_prefix(real) else { return Err(refuse_outside(relative, &end, root)) };
    if keep_out.lies_in_ours(&end) {
        return Ok(Ends::Ours);
    }
    Ok(match Ends::of(named_within(inside)) {
        Ends::Inside => Ends::of_name(last(relative)),
        other => other,
    })
}

/// The target of the link as the zip holds it, with `/`: what the link says, or the way to its end where that cannot be kept because it
/// is absolute or leaves the folder on its way.
pub(super) fn target(path: &Path, relative: &str, real: &Path) -> Result<String, UploadError> {
    let said =
        std::fs::read_link(path).map_err(|source| UploadError::in_folder("cannot list", path, source))?;
    let text = with_slashes(&said, relative)?;
    if !said.is_absolute() && !text.starts_with('/') && !leaves(relative, &text) {
        return Ok(text);
    }
    let end = end_of(path)?;
    let Some(inside) = end.as_deref().and_then(|end| end.strip_prefix(real).ok()) else {
        return Err(UploadError::unsupported(
            format!("{relative} is a link that leads nowhere, by way of {text}"),
            "remove the link, or name it in .nunuignore",
        ));
    };
    let up = "../".repeat(relative.matches('/').count());
    let down = with_slashes(inside, relative)?;
    let way = format!("{up}{down}");
    Ok(if way.is_empty() { ".".to_owned() } else { way })
}

/// The error for a link out of the folder.
pub(super) fn refuse_outside(relative: &str, end: &Path, root: &Path) -> UploadError {
    let name = root.file_name().unwrap_or(root.as_os_str()).display();
    let root = root.display();
    UploadError::unsupported(
        format!("{relative} is a link out of the folder, to {}", dunce::simplified(end).display()),
        &format!(
            "copy the folder with everything that its links point to, and let build-path name the copy: cp -RL {root} {name}-copy; or leave the link out in .nunuignore"
        ),
    )
}

/// Where the link ends, also when nothing is there; `None` when it leads in a circle.
fn end_of(path: &Path) -> Result<Option<PathBuf>, UploadError> {
    let end = match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => really(path),
        end => end,
    };
    match end {
        Ok(end) => Ok(Some(end)),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied) => {
            Err(UploadError::in_folder("cannot list", path, error))
        }
        Err(_) => Ok(None),
    }
}

fn with_slashes(path: &Path, relative: &str) -> Result<String, UploadError> {
    match path.to_str() {
        Some(text) if cfg!(windows) => Ok(text.replace('\\', "/")),
        Some(text) => Ok(text.to_owned()),
        None => Err(UploadError::unsupported(
            format!("the target of the link {relative} is not valid UTF-8"),
            "rename the target",
        )),
    }
}

fn last(relative: &str) -> &str {
    relative.rsplit('/').next().unwrap_or(relative)
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

#[cfg(test)]
mod tests {
    use super::leaves;

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
