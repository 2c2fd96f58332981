//! The scenario `team`: what a build shows depends on the branch that it was made from, and on what was merged before it.
//!
//! `main` begins with two bugs and a flaky match. The branch `sword` brings a crash, which its second push takes out again. The branch
//! `shield` fixes a bug; once it is merged, the bug is gone from `main` too. Every other branch changes nothing.

use super::results::{Bug, Step};
use super::{Script, words};
use crate::resources::{SECOND_TEST, THIRD_TEST};

/// In every build.
const FLICKER: &str = "11111111-5e4f-4a6b-8c9d-0e1f2a3b4c5d";
/// Until `shield` is merged.
const PRICE: &str = "22222222-5e4f-4a6b-8c9d-0e1f2a3b4c5d";
/// In the first builds of `sword` alone.
const CRASH: &str = "33333333-5e4f-4a6b-8c9d-0e1f2a3b4c5d";

/// What a test does with a build of `branch`, of which `before` jobs of the same test were started before.
pub(super) fn script(test_id: &str, branch: &str, before: usize) -> Script {
    match (test_id, branch) {
        (SECOND_TEST, "sword") if before == 0 => Script::new("FAILED").bugs(vec![price(), crash()]),
        (SECOND_TEST, "shield") => Script::new("SUCCESS"),
        // The first push to main is the old state, the second the merge of `shield`.
        (SECOND_TEST, "main") if before > 0 => Script::new("SUCCESS"),
        (SECOND_TEST, _) => Script::new("SUCCESS").bugs(vec![price()]),
        (THIRD_TEST, "main") if before % 2 == 1 => lost_match(before),
        (THIRD_TEST, "menu") => lost_match(before),
        (THIRD_TEST, _) => Script::new("SUCCESS"),
        _ => Script::new("SUCCESS").bugs(vec![flicker()]),
    }
}

/// The flaky match: it goes wrong each time in another step.
fn lost_match(number: usize) -> Script {
    let steps = words::steps_for("SUCCESS");
    let at = number % steps.len();
    let steps: Vec<Step> = steps
        .into_iter()
        .enumerate()
        .map(|(place, step)| match place {
            _ if place < at => step,
            _ if place == at => {
                Step::new(step.goal, "FAILED").report("The other player left, and the screen stayed black.")
            }
            _ => Step::new(step.goal, "SKIPPED"),
        })
        .collect();
    Script::new("FAILED").steps(&steps)
}

fn flicker() -> Bug {
    Bug::new("The sky flickers in the main menu", "low", "high").id(FLICKER).category("visual")
}

fn price() -> Bug {
    Bug::new("The shop shows last week's price", "medium", "high").id(PRICE).category("ui")
}

fn crash() -> Bug {
    Bug::new("Game closes when a sword is bought", "critical", "high").id(CRASH).category("crash")
}
