//! Secrets and hosts, tried on the built program: masks first, no core dumps, redirects, addresses, an echoed key.

use nunu_ci::internals::forms;
use nunu_sim::{Call, Fault, Sim};

use crate::faults::{AT_ONCE, Cell, Test, run};
use crate::stage::Stage;

/// The lines of a log, masks and others.
fn masks(stdout: &str) -> Vec<&str> {
    stdout.lines().filter_map(|line| line.strip_prefix("::add-mask::")).collect()
}

/// What the runner reads in a command's data.
fn read(data: &str) -> String {
    data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

#[test]
fn masks_come_before_anything_else_in_every_form() {
    let stage = Stage::new().env("NUNU_API_TOKEN", "nunu_a/b+c&d_0123456789");
    let ended = stage.run(&["check"]);
    let first: Vec<&str> = ended.stdout.lines().take_while(|line| line.starts_with("::add-mask::")).collect();
    let masked: Vec<String> = masks(&first.join("\n")).into_iter().map(read).collect();
    let wanted = forms("nunu_a/b+c&d_0123456789");
    assert!(wanted.len() >= 5, "{wanted:?}");
    for form in &wanted {
        assert!(masked.contains(form), "{form} is not masked before the first line:\n{}", ended.stdout);
    }
    // Also when nothing can be understood.
    for args in [&["run", "--no-such-flag"][..], &["run", "--timeout", "x"], &["wait"]] {
        let ended = stage.run(args);
        assert!(ended.stdout.starts_with("::add-mask::"), "{}", ended.log());
    }
}

#[test]
fn a_key_of_several_lines_is_masked_line_by_line() {
    let stage = Stage::new().env("NUNU_API_TOKEN", "nunu_first_half\nnunu_second_half");
    let ended = stage.run(&["check"]);
    ended.is(2, "invalid-input");
    for half in ["nunu_first_half", "nunu_second_half"] {
        assert!(masks(&ended.stdout).contains(&half), "{}", ended.stdout);
        let log = ended.log();
        let mut others = log.lines().filter(|line| !line.starts_with("::add-mask::"));
        assert!(others.all(|line| !line.contains(half)), "{log}");
    }
}

#[test]
fn upload_ids_and_signatures_are_masked_as_they_arrive() {
    let stage = Stage::of(Sim::builder().part_size(50_000)).env("NUNU_MULTIPART", "always");
    let ended = stage.run(&["upload", "--build-path", stage.apk(140_000), "--verbose"]);
    ended.is(0, "uploaded");
    let masked = masks(&ended.stdout);
    let id = stage.sim.ledger().builds[0].upload_id.clone().unwrap();
    assert!(masked.contains(&id.as_str()), "the upload id is not masked");
    let signatures =
        masked.iter().filter(|mask| mask.len() == 64 && mask.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(signatures.count() >= 3, "one signature for each part: {masked:?}");
    let single = Stage::new();
    let ended = single.run(&["upload", "--build-path", single.apk(1000)]);
    ended.is(0, "uploaded");
    assert!(masks(&ended.stdout).iter().any(|mask| mask.len() == 64), "{}", ended.stdout);
}

#[test]
fn an_echoed_key_reaches_nobody_in_debug_mode() {
    let asked = [Call::StartRun, Call::GetJob, Call::GetRun, Call::RunBugs, Call::ListBuilds, Call::Initiate];
    let cells: Vec<Cell> = asked
        .into_iter()
        .flat_map(|call| [400, 403, 500].map(|status| (call, status)))
        .map(|(call, status)| {
            let test = move || {
                let stage = Stage::new().env("RUNNER_DEBUG", "1");
                stage.sim.fault(call, Fault::echo_key(status).times(2));
                // Whatever it ends in, the stage searches all that was left.
                let ended = stage.quick(&["--build-path", stage.apk(2000)]);
                assert!(!ended.outputs.is_empty(), "{}", ended.log());
            };
            (format!("{call:?} {status}"), Box::new(test) as Test)
        })
        .collect();
    run("echoed key", AT_ONCE, &cells);
}

#[test]
fn redirects_of_api_calls_are_not_followed() {
    let (stage, elsewhere) = (Stage::new(), Stage::new());
    stage.sim.fault(
        Call::StartRun,
        Fault::status(307).header("Location", &format!("{}/api/v1/run", elsewhere.sim.api_url())),
    );
    let ended = stage.quick(&[]);
    assert_ne!(ended.code, 0, "{}", ended.log());
    assert!(elsewhere.sim.ledger().requests.is_empty(), "a redirect was followed");
}

#[test]
fn addresses_that_would_leak_are_refused_before_any_request() {
    for (url, words) in [
        ("http://nunu.ai", "plain HTTP would send the API key unencrypted"),
        ("https://me:hunter2@nunu.ai", "must not hold a user name or password"),
        ("https://nunu.ai?token=hunter2", "must not hold a query or a fragment"),
        ("https://nunu.ai#hunter2", "must not hold a query or a fragment"),
        ("https://nunu.ai/other", "has a path"),
    ] {
        let ended = Stage::new().env("NUNU_API_URL", url).run(&["check"]);
        ended.is(2, "invalid-input").says(words);
        assert!(!ended.log().contains("hunter2"), "{}", ended.log());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_core_dump_is_written() {
    let stage = Stage::of(Sim::builder().scenario(nunu_sim::Scenario::endless()));
    let child = stage.spawn(&[
        "run",
        "--test-id",
        nunu_sim::DEFAULT_TEST,
        "--deployment-config-id",
        nunu_sim::DEFAULT_DEPLOYMENT_CONFIG,
    ]);
    stage.wait_until_followed();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let command_line = std::fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
    assert!(!command_line.contains(nunu_sim::DEFAULT_KEY));
    stage.end_by("INT", child).is(130, "interrupted");
}
