//! `nunu.env`, read by real shells.

use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::{ProptestConfig, any, proptest};

use super::reports::{huge, job, report};
use crate::model::RunReport;
use crate::model::verdict::Gate;
use crate::report::Files;
use crate::report::dotenv::{DROPPED_FIRST, dotenv, dotenv_notices, drop_next};

fn files(folder: &str) -> Files {
    let folder = Path::new(folder);
    Files {
        results: folder.join("results.json"),
        junit: folder.join("junit.xml"),
        summary: folder.join("summary.md"),
    }
}

/// A report with `text` in every place that becomes an output.
fn all_over(text: &str) -> RunReport {
    let mut report = report(vec![job("Login", "SUCCESS", Vec::new())], &Gate::default(), None);
    report.test_plan_execution_id = Some(text.to_owned());
    if let Some(build) = &mut report.build {
        build.id = Some(text.to_owned());
        build.sha256 = Some(text.to_owned());
    }
    for job in &mut report.jobs {
        text.clone_into(&mut job.job_id);
        for run in &mut job.attempts {
            text.clone_into(&mut run.run_id);
            run.url = Some(format!("https://nunu.ai/{text}"));
        }
    }
    report
}

#[test]
fn a_shell_that_reads_it_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = [
        "$(touch${IFS}pwned)",
        "`touch${IFS}pwned`",
        "x;touch${IFS}pwned",
        "x&&touch${IFS}pwned",
        "x|touch${IFS}pwned",
        "x>pwned",
        "$(echo>pwned)",
        "$(touch pwned)",
        "`touch pwned`",
        "a;touch pwned",
        "a&touch pwned",
        "a|touch pwned",
        "a\ntouch pwned",
        "a touch pwned",
        "'$(touch pwned)'",
        "\"$(touch pwned)\"",
        "a>pwned",
        "<(touch pwned)",
        "$((a[$(touch pwned)]))",
        "(touch pwned)",
        "~/$(touch pwned)",
        "a\\\ntouch pwned",
        "#\ntouch pwned",
        "{a,b}$(touch pwned)",
        "$'\\x24(touch pwned)'",
    ];
    for text in hostile {
        let made = dotenv(&all_over(text), &files(text));
        std::fs::write(dir.path().join("nunu.env"), &made.text).unwrap();
        for shell in ["sh", "dash", "bash", "ksh", "zsh", "busybox"] {
            let mut command = Command::new(shell);
            if shell == "busybox" {
                command.arg("sh");
            }
            let read = command
                .args(["-c", "set -e; . ./nunu.env; echo \"$NUNU_OUTPUT_STATUS\""])
                .current_dir(dir.path())
                .output();
            // Not every machine has every shell; every Unix has sh.
            let Ok(read) = read else {
                assert!(shell != "sh" || cfg!(windows));
                continue;
            };
            assert_eq!(String::from_utf8_lossy(&read.stdout), "passed\n", "{shell} {text:?}: {read:?}");
            assert!(read.stderr.is_empty(), "{shell} {text:?}: {read:?}");
            let there: Vec<_> =
                std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(there, ["nunu.env"], "{shell} {text:?}");
        }
    }
}

#[test]
fn says_what_it_leaves_out() {
    assert_eq!(dotenv_notices(&all_over("id-1"), &files("r")), [""; 0]);
    let notices = dotenv_notices(&all_over("$(x)"), &files("r"));
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("build-id") && notices[0].contains("job-ids"), "{notices:?}");
    let notices = dotenv_notices(&all_over(&"j".repeat(2000)), &files("r"));
    assert!(notices[0].contains("leaves out run-ids"), "{notices:?}");
}

#[test]
fn drops_in_the_order_of_the_documentation_then_the_longest() {
    let mut lines: Vec<_> = ["status", "junit-file", "job-ids", "bugs-fixed", "run-ids", "summary-file"]
        .map(|name| (name, format!("{name}=x\n")))
        .into();
    let dropped: Vec<_> = std::iter::from_fn(|| (!lines.is_empty()).then(|| drop_next(&mut lines))).collect();
    assert_eq!(dropped, ["run-ids", "summary-file", "bugs-fixed", "junit-file", "job-ids", "status"]);
    assert_eq!(DROPPED_FIRST.len(), 8);
    let made = dotenv(&huge(), &files("r"));
    assert!(made.text.len() <= 5 * 1024 && made.text.lines().count() <= 20, "{}", made.text);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
    #[test]
    fn every_line_is_a_plain_assignment(text in any::<String>(), folder in any::<String>()) {
        let folder: PathBuf = folder.into();
        let made = dotenv(&all_over(&text), &files(&folder.display().to_string()));
        for line in made.text.lines() {
            let (name, value) = line.split_once('=').unwrap();
            assert!(name.starts_with("NUNU_OUTPUT_"), "{line}");
            assert!(value.chars().all(|letter| letter.is_ascii_alphanumeric() || "_./:@%+=,~-".contains(letter)), "{line}");
        }
    }
}
