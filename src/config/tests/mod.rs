//! The module as a whole: from what a person says to a plan, or to words that help.

mod mistakes;
mod plans;
mod schema;
mod schema_types;
mod world;
