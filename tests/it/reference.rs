//! `docs/cli.md` is what the built program says of itself. `NUNU_BLESS=1` writes it; otherwise this holds it against the program.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::stage::Stage;

const HEAD: &str = "# Command line

<!-- Made by a test from what the program says: NUNU_BLESS=1 cargo test --test it reference:: -->

`nunu-ci -h` shows all commands, `nunu-ci COMMAND -h` one screen on one of them, and `nunu-ci help COMMAND` all of it, which is what stands here.
";

/// The names below a heading of the help.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    list.take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the program")]
fn blessed() -> bool {
    std::env::var_os("NUNU_BLESS").is_some()
}

#[test]
fn the_reference_is_what_the_program_says() {
    let stage = Stage::new().off_ci();
    let overview = stage.run(&["-h"]).stdout;
    let mut made = format!("{HEAD}\n```text\n{overview}```\n");
    let commands = commands(&overview);
    assert!(commands.len() > 10, "{overview}");
    for command in commands.iter().filter(|name| !["help", "version"].contains(&name.as_str())) {
        let page = stage.run(&["help", command]);
        assert_eq!(page.code, 0, "{command}: {}", page.log());
        let _ = write!(made, "\n## `{command}`\n\n```text\n{}```\n", page.stdout);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if blessed() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap().replace("\\r\n", "\n");
    for (number, (was, is)) in committed.lines().zip(made.lines()).enumerate() {
        assert_eq!(was, is, "docs/cli.md:{} (NUNU_BLESS=1 writes it anew)", number + 1);
    }
    assert_eq!(committed.lines().count(), made.lines().count(), "docs/cli.md has another length");
}

#[test]
fn explain_needs_no_network_and_no_key() {
    let stage = Stage::new().off_ci().env("NUNU_API_TOKEN", "").env("NUNU_API_URL", "");
    let page = stage.run(&["explain", "build-empty"]);
    assert_eq!(page.code, 0, "{}", page.log());
    assert!(
        page.stdout.starts_with("build-empty\n") && page.stdout.contains("What to do:"),
        "{}",
        page.stdout
    );
    assert!(stage.run(&["explain"]).stdout.contains("quota-exceeded"));
    let wrong = stage.run(&["explain", "build-emty"]);
    assert_eq!(wrong.code, 2);
    wrong.says("did you mean build-empty?");
    assert!(stage.sim.ledger().requests.is_empty() && !stage.work().join("nunu-results").exists());
}

#[test]
fn shells_understand_their_completions() {
    let stage = Stage::new().off_ci();
    for (shell, name) in [("bash", "nunu.bash"), ("zsh", "_nunu"), ("fish", "nunu.fish")] {
        let script = stage.run(&["completions", shell]).stdout;
        assert!(script.contains("build-path") && !script.contains("api-token"), "{script}");
        stage.file(name, script.as_bytes());
        // Not every machine has every shell.
        let Ok(checked) = Command::new(shell).arg("-n").arg(stage.work().join(name)).output() else {
            continue;
        };
        assert!(checked.status.success(), "{shell}: {}", String::from_utf8_lossy(&checked.stderr));
    }
    assert!(stage.run(&["completions", "powershell"]).stdout.contains("Register-ArgumentCompleter"));
    stage.run(&["completions", "tcsh"]).says("bash");
}
