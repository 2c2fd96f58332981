//! A folder as a zip: deterministic, compressed on all cores, in bounded memory.

mod deflate;
mod format;
mod pipeline;
mod write;

pub(crate) use deflate::is_compressed;
pub(crate) use write::write;

#[cfg(test)]
mod tests;
