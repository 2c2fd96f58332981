//! The words of an AI tester, so that rehearsals look like the real thing.

use super::results::{Artifact, Bug, Step};

/// Steps that end in `result`.
pub(super) fn steps_for(result: &str) -> Vec<Step> {
    let menu = Step::new("Open the game and reach the main menu", "SUCCESS")
        .report("The splash screen appeared after 3 seconds and the main menu was reached. All four buttons were visible.")
        .item("The main menu shows Play, Shop, Settings and Profile", "passed", "All four are visible and enabled.");
    let tutorial = Step::new("Finish the tutorial battle", "SUCCESS")
        .report("I followed the arrows, defeated two slimes and collected the reward of 50 coins.")
        .item("The reward screen shows 50 coins", "passed", "50 coins were added to the wallet.");
    let shop = |result: &str| Step::new("Buy the starter pack in the shop", result);
    let mut late = match result {
        "SUCCESS" => vec![
            tutorial,
            shop("SUCCESS")
                .report("The starter pack cost 40 coins. After the purchase the inventory listed the wooden shield.")
                .item("The inventory lists the wooden shield", "passed", "It is in the first slot."),
            Step::new("Return to the main menu", "SUCCESS").report("The back button led to the main menu at once."),
        ],
        "FAILED" => vec![
            tutorial,
            shop("FAILED")
                .report("I tapped `Buy` three times. The button reacted each time, but the coins stayed at 50 and the inventory was still empty after 20 seconds.")
                .item("The price of 40 coins is taken from the wallet", "failed", "The wallet still shows 50 coins.")
                .item("The inventory lists the wooden shield", "failed", "The inventory is empty."),
            skipped("Return to the main menu"),
        ],
        "TIMEOUT" | "MAX_STEPS" => vec![
            Step::new("Finish the tutorial battle", "TIMEOUT")
                .report("The battle never ended: the last slime left the screen and could not be reached before the time budget ran out."),
            skipped("Buy the starter pack in the shop"),
        ],
        "BLOCKED" => vec![
            Step::new("Finish the tutorial battle", "BLOCKED")
                .report("A maintenance message covers the screen: `Servers are down until 14:00 UTC`. The tutorial cannot be started."),
            skipped("Buy the starter pack in the shop"),
        ],
        "SKIPPED" => vec![skipped("Finish the tutorial battle"), skipped("Buy the starter pack in the shop")],
        "ERROR" => vec![
            Step::new("Finish the tutorial battle", "ERROR").report("The connection to the device was lost."),
            skipped("Buy the starter pack in the shop"),
        ],
        _ => vec![tutorial, shop(result)],
    };
    if let Some(last) = late.last_mut() {
        last.weight = 2;
    }
    std::iter::once(menu).chain(late).collect()
}

fn skipped(goal: &str) -> Step {
    Step::new(goal, "SKIPPED").report("Not carried out, because an earlier step did not succeed.")
}

/// Bugs of every severity.
pub(super) fn bugs() -> Vec<Bug> {
    let mut crash = Bug::new("Game closes when the shop is opened twice", "critical", "high")
        .id("b3a7c1d2-5e4f-4a6b-8c9d-0e1f2a3b4c5d")
        .category("crash");
    "The application ended without a message when the shop was opened a second time within two seconds."
        .clone_into(&mut crash.description);
    "1. Open the main menu\n2. Tap `Shop`, then back\n3. Tap `Shop` again within two seconds"
        .clone_into(&mut crash.reproduction_steps);
    crash.details = serde_json::json!({ "screenshot_url": "screenshots/crash.png" });
    let mut overlap = Bug::new("Coin counter overlaps the back button", "medium", "high")
        .id("c4b8d2e3-6f50-4b7c-9dae-1f2a3b4c5d6e")
        .category("ui");
    "From 1,000 coins on, the counter covers a third of the back button."
        .clone_into(&mut overlap.description);
    let mut flicker = Bug::new("Water flickers for one frame when the camera turns", "low", "low")
        .id("d5c9e3f4-7061-4c8d-aebf-2a3b4c5d6e7f")
        .category("visual");
    flicker.test_step = 3;
    vec![crash, overlap, flicker]
}

/// A grey point: the smallest picture.
const POINT: [u8; 67] = [
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0,
    0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 0x0a, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63,
    0x68, 0, 0, 0, 0x82, 0, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42,
    0x60, 0x82,
];

/// The screenshot of the bug that has one.
pub(super) fn screenshot() -> Artifact {
    Artifact::new("screenshots/crash.png", POINT.to_vec())
}

/// What a run leaves behind.
pub(super) fn artifacts_for(result: &str) -> Vec<Artifact> {
    let log = format!(
        "00:00:00 device ready\n00:00:03 app started\n00:00:07 main menu reached\n00:01:12 test ended: {result}\n"
    );
    vec![
        Artifact::new("logs.txt", log.clone()),
        Artifact::new("device_log.log", log.repeat(20)),
        Artifact::new("deliverables/notes.md", format!("# Notes of the agent\n\nResult: {result}\n")),
        Artifact::new("recording.mp4", vec![0x42_u8; 64 * 1024]),
    ]
}
