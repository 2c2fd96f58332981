//! The demo of the README, as `cargo test` builds it.

use std::path::Path;
use std::process::Command;

use crate::stage::tell;

#[test]
fn the_demo_shows_three_jobs_and_nothing_that_leads_nowhere() {
    let program = Path::new(env!("CARGO_BIN_EXE_nunu-ci"));
    let demo =
        program.with_file_name("examples").join("demo").with_extension(std::env::consts::EXE_EXTENSION);
    if !demo.exists() {
        // A run of this test binary alone builds no examples.
        return tell("no demo was built: the test of it is left out");
    }
    let out = Command::new(demo).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.success() && out.stderr.is_empty(),
        "{said}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    for words in [
        "1 of 3",
        "✅ nunu.ai play-test passed: 1 of 1 test passed",
        "Exit code 0. The service was sent: builds 1, starts 1.",
        "❌ nunu.ai play-test failed",
        "Exit code 1. The service was sent: builds 1, starts 1.",
        "Exit code 3. The service was sent: builds 0, starts 0.",
    ] {
        assert!(said.contains(words), "no \"{words}\" in:\n{said}");
    }
    for unwanted in ["add-mask", "http://127.0.0.1", "OWNER", "<details>", "**Commit**"] {
        assert!(!said.contains(unwanted), "\"{unwanted}\" in:\n{said}");
    }
}
