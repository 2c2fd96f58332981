//! Text from data. Touches nothing; [`write_all`] alone writes the result files.

mod annotations;
mod artifact_path;
mod brief;
mod comment;
mod ctrf;
mod delta_words;
mod dotenv;
mod escape;
mod evidence;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/report.rs"]
pub(crate) mod fuzz;
mod headline;
mod json;
mod junit;
mod log_summary;
mod markdown;
mod markdown_table;
mod markdown_tests;
mod outputs;
mod page;
mod read;
mod rerun_commands;
mod same_failure;
#[cfg(test)]
mod tests;
mod union;
mod write;

pub(crate) use annotations::{annotations, gitlab};
pub(crate) use artifact_path::ArtifactPaths;
pub(crate) use brief::{brief, newly_failing};
pub(crate) use comment::{comment, comment_mark};
pub(crate) use ctrf::ctrf;
pub(crate) use dotenv::dotenv_notices;
pub(crate) use evidence::{is_picture_name, log_tail, media_type};
pub(crate) use json::json;
pub(crate) use junit::junit;
pub(crate) use log_summary::closing;
pub(crate) use markdown::markdown;
pub(crate) use outputs::{Files, outputs};
pub(crate) use read::read;
pub(crate) use union::{Leg, union};
pub(crate) use write::{DIAGNOSTICS, EVIDENCE, LARGEST_RESULTS, RESULTS, clear, names, write_all};

/// The JSON Schema of `results.json`.
pub(crate) fn results_schema() -> &'static str {
    include_str!("../../docs/results.schema.json")
}
