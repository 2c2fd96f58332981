//! A folder as a zip: deterministic, compressed on all cores, in bounded memory.

mod deflate;
mod format;
mod pipeline;
mod write;

pub(crate) use write::write;

#[cfg(test)]
mod tests;

use super::tree::Tree;

/// What the zip needs at the very least: stored files as they are, the others at a tenth. Less free space than this is hopeless.
pub(crate) fn least_bytes(tree: &Tree) -> u64 {
    tree.sizes()
        .map(|(name, size)| if deflate::is_compressed(name) { size } else { size / 10 })
        .fold(1, u64::saturating_add)
}
