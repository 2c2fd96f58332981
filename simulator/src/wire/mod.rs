//! JSON as each generation of the API writes it; touches nothing.

mod jobs;
mod runs;
mod things;
mod writer;

pub(crate) use writer::Wire;
