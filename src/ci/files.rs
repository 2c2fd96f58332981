//! Files of the host: other steps may have written to them, so we only append.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

/// Appends `text` in one write.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}
