//! All the user said: flags, action inputs, variables and the run config become one [`Plan`].
//! Touches the run config, the token file, and looks whether the build is there.

pub(crate) mod answers;
mod args;
mod build;
mod build_path;
pub(crate) mod choice;
mod ci_facts;
mod entry;
mod file;
mod find_builds;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/targets/config.rs"]
pub(crate) mod fuzz;
mod gate;
mod groups;
mod help;
mod inputs;
mod key;
mod layers;
mod load;
mod matches;
mod places;
mod plan;
pub(crate) mod project;
mod rerun;
mod resolve;
mod runs;
mod secret_names;
mod settings;
mod snippet;
mod source;
pub(crate) mod starter;
mod switches;
mod targets;
mod templates;
#[cfg(test)]
mod tests;
mod values;
mod variables;
mod yaml;

pub(crate) use args::{Args, Parsed, completions, guess, parse};
pub(crate) use find_builds::{likely_build, tells_platform};
pub(crate) use help::page as help_page;
pub(crate) use load::{access, command_of, is_silent, is_verbose, plan, results_dir};
pub(crate) use plan::{Artifacts, BaselineOf, Command, OnEnd, OnMissingToken, Plan, Poll, RerunMode};
pub(crate) use secret_names::secret_variables;
pub use settings::{DefaultValue, Definition, SETTINGS, Shape};
pub(crate) use values::{is_id, nearest, resolve_name};

/// The JSON Schema of the run config.
pub(crate) fn schema() -> &'static str {
    include_str!("../../docs/nunu-ci.schema.json")
}
