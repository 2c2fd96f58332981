//! What a started test does: results, times, words; touches nothing.

mod named;
mod results;
mod script;
mod team;
mod words;

pub use named::Scenario;
pub use results::{Artifact, Attempt, Bug, Item, Player, Step};
pub use script::Script;
