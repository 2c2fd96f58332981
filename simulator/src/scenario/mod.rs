//! What a started test does: results, times, words; touches nothing.

mod named;
mod script;
mod words;

pub use named::Scenario;
pub use script::{Artifact, Attempt, Bug, Item, Player, Script, Step};
