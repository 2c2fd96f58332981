//! JSON as each generation of the API writes it; touches nothing.

mod generation;
mod jobs;
mod runs;
mod things;

pub(crate) use generation::Wire;
pub use generation::{Generation, Quirk};
