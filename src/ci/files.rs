//! Files of the host: other steps may have written to them, so we only append.

use std::io::{self, Write as _};
use std::path::Path;

use crate::disk;

/// Appends `text` in one write.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    disk::append_to_theirs(path)?.write_all(text.as_bytes())
}
