//! Text from data. Touches nothing; [`write_all`] alone writes the result files.

mod artifact_path;
mod brief;
mod comment;
mod dotenv;
mod escape;
mod findings;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod json;
mod junit;
mod markdown;
mod outputs;
mod page;
#[cfg(test)]
mod tests;
mod write;

pub use artifact_path::{ArtifactPaths, safe_artifact_path};
pub use brief::{annotations, closing};
pub use comment::{comment, comment_mark};
pub use dotenv::dotenv_notices;
pub use json::{SCHEMA_VERSION, json};
pub use junit::junit;
pub use markdown::{LARGEST, markdown};
pub use outputs::{Files, outputs};
pub use write::{DIAGNOSTICS, clear, names, write_all};

pub(crate) use brief::gitlab;

/// The JSON Schema of `results.json`.
#[must_use]
pub fn results_schema() -> &'static str {
    include_str!("../../docs/results.schema.json")
}
