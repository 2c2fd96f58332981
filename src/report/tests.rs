//! Every renderer over the same reports.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::{any, prop, proptest};

use super::{Files, LARGEST, annotations, closing, comment, gitlab, json, junit, markdown, outputs};
use crate::model::judge::{decide, judge};
use crate::model::run_report::{Attempt, Bug, Context, JobReport, LeftRunning, Player, Step, StepItem};
use crate::model::units::parse_time;
use crate::model::verdict::{BugGate, FailOn, Gate, Quarantine, Quarantined};
use crate::model::{Build, BuildOrigin, Failure, Platform, Reason, RunReport, TestResult};

fn step(number: u64, goal: &str, result: &str, words: &str) -> Step {
    Step {
        number,
        goal: goal.to_owned(),
        state: Some("COMPLETED".to_owned()),
        result: Some(TestResult::parse(result)),
        report: Some(words.to_owned()).filter(|words| !words.is_empty()),
        started_at: parse_time("2026-03-03T15:51:23Z"),
        duration: Some(Duration::from_secs(12)),
        items: vec![StepItem {
            id: format!("{number}a"),
            expected: "it works".to_owned(),
            status: result.to_ascii_lowercase(),
            comment: None,
        }],
        ..Step::default()
    }
}

fn player(number: u64, steps: Vec<Step>) -> Player {
    Player {
        id: format!("run1-{number}"),
        number,
        url: Some(format!("https://nunu.ai/nexus/p/runs/c/run1-{number}")),
        device: Some("Pixel 8".to_owned()),
        steps,
        ..Player::default()
    }
}

fn job(name: &str, result: &str, players: Vec<Player>) -> JobReport {
    JobReport {
        run: "smoke".to_owned(),
        required: true,
        job_id: format!("job-{name}"),
        test_id: Some(format!("test-{name}")),
        test_name: Some(name.to_owned()),
        status: Some("COMPLETED".to_owned()),
        created_at: parse_time("2026-03-03T15:50:00Z"),
        attempts: vec![Attempt {
            run_id: "run1".to_owned(),
            url: Some("https://nunu.ai/nexus/p/runs/m/run1/details".to_owned()),
            state: Some("COMPLETED".to_owned()),
            result: Some(TestResult::parse(result)),
            started_at: parse_time("2026-03-03T15:50:23Z"),
            completed_at: parse_time("2026-03-03T15:54:23Z"),
            duration: Some(Duration::from_secs(240)),
            players,
            ..Attempt::default()
        }],
        ..JobReport::default()
    }
}

fn bug(id: &str, title: &str, severity: &str) -> Bug {
    Bug {
        id: format!("{id}-1"),
        bug_id: id.to_owned(),
        title: title.to_owned(),
        description: Some(format!("{title}, in words")),
        category: Some("ui".to_owned()),
        severity: Some(severity.to_owned()),
        confidence: Some("high".to_owned()),
        reproduction_steps: Some("open the shop\nbuy a sword".to_owned()),
        ..Bug::default()
    }
}

fn report(jobs: Vec<JobReport>, gate: &Gate, failure: Option<Failure>) -> RunReport {
    let verdict = (!jobs.is_empty()).then(|| judge(&jobs, gate, "2026-06-01".parse().unwrap()));
    RunReport {
        command: "run",
        reason: decide(failure.as_ref(), verdict.as_ref(), Reason::Passed),
        started_at: parse_time("2026-03-03T15:49:00Z").unwrap(),
        finished_at: parse_time("2026-03-03T15:55:00Z").unwrap(),
        duration: Duration::from_secs(360),
        context: Context {
            ci: "github-actions".to_owned(),
            ci_url: Some("https://github.com/acme/game/actions/runs/1".to_owned()),
            commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            commit_subject: Some("Sell swords".to_owned()),
            branch: Some("main".to_owned()),
            ..Context::default()
        },
        build: Some(Build {
            id: Some("b-1".to_owned()),
            origin: BuildOrigin::Uploaded,
            name: Some("Sell swords".to_owned()),
            file_name: Some("game.apk".to_owned()),
            platform: Some(Platform::Android),
            size_bytes: Some(123_456_789),
            sha256: Some("ab".repeat(32)),
        }),
        jobs,
        starts: Vec::new(),
        verdict,
        failure,
        left_running: Vec::new(),
        warnings: Vec::new(),
        test_plan_execution_id: None,
        unfinished: false,
    }
}

const HOSTILE: &str = "\u{1b}[31m::error::x\n##[error]y %0A ]]> | <script>alert(1)</script> [a](https://evil.example) ![i](http://x) @team www.evil.example `</code>` \u{202e}cod\u{0}e ${{ secrets.X }}";

fn passed() -> RunReport {
    report(
        vec![job("Login", "SUCCESS", vec![player(1, vec![step(1, "log in", "SUCCESS", "")])])],
        &Gate::default(),
        None,
    )
}

fn failed() -> RunReport {
    let steps = vec![
        step(1, "open the shop", "SUCCESS", ""),
        step(2, "buy a sword", "FAILED", "I tapped Buy three times.\nThe coins stayed at 50."),
        step(3, "equip the sword", "SKIPPED", "An earlier step did not succeed."),
    ];
    let mut shop = job("Shop", "FAILED", vec![player(1, steps)]);
    shop.attempts[0].bugs = vec![bug("bug-1", "Nothing is bought", "high"), bug("bug-2", "A typo", "low")];
    report(vec![job("Login", "SUCCESS", vec![]), shop], &Gate::default(), None)
}

fn flaky() -> RunReport {
    let mut job = job("Login", "SUCCESS", vec![player(1, vec![step(1, "log in", "SUCCESS", "")])]);
    job.attempts.insert(
        0,
        Attempt { run_id: "run0".to_owned(), result: Some(TestResult::Error), ..Attempt::default() },
    );
    report(vec![job], &Gate::default(), None)
}

fn before_a_run() -> RunReport {
    let failure =
        Failure::new(Reason::PermissionMissing, "the API key lacks the permission project:operate-runs")
            .cause("POST /runs/stop answered 403: API key missing required permission: project:operate-runs")
            .hint("add project:operate-runs to the key (Project Admin -> API Keys)");
    report(Vec::new(), &Gate::default(), Some(failure))
}

fn cancelled() -> RunReport {
    let mut running = job("Login", "SUCCESS", vec![]);
    running.status = Some("RUNNING".to_owned());
    running.attempts[0].result = None;
    let mut report = report(
        vec![running],
        &Gate::default(),
        Some(Failure::new(Reason::Interrupted, "interrupted by SIGINT")),
    );
    report.left_running = vec![LeftRunning {
        job_ids: vec!["job-Login".to_owned()],
        tag: Some("nunu-ci.abc".to_owned()),
        why: "no answer".to_owned(),
    }];
    report
}

fn four_players() -> RunReport {
    let players = (1..=4)
        .map(|number| {
            player(
                number,
                vec![step(1, "join the match", if number == 3 { "FAILED" } else { "SUCCESS" }, "")],
            )
        })
        .collect();
    report(vec![job("Match", "FAILED", players)], &Gate::default(), None)
}

fn huge() -> RunReport {
    let words = "The agent said a lot. ".repeat(400);
    let jobs = (0..40)
        .map(|number| {
            let steps =
                (0..10).map(|at| step(at, &format!("goal {number}-{at}"), "FAILED", &words)).collect();
            let mut job = job(&format!("Test {number}"), "FAILED", vec![player(1, steps)]);
            job.attempts[0].bugs =
                (0..4).map(|at| bug(&format!("bug-{number}-{at}"), &words, "high")).collect();
            job
        })
        .collect();
    report(jobs, &Gate::default(), None)
}

fn hostile() -> RunReport {
    let mut job = job(HOSTILE, "FAILED", vec![player(1, vec![step(1, HOSTILE, "FAILED", HOSTILE)])]);
    job.run = HOSTILE.to_owned();
    job.attempts[0].bugs = vec![bug(HOSTILE, HOSTILE, HOSTILE)];
    job.attempts[0].url = Some("javascript:alert(1)".to_owned());
    let mut report = report(
        vec![job],
        &Gate::default(),
        Some(Failure::new(Reason::StartIncomplete, HOSTILE).hint(HOSTILE)),
    );
    report.context.branch = Some(HOSTILE.to_owned());
    report.warnings = vec![HOSTILE.to_owned()];
    report
}

fn all() -> Vec<(&'static str, RunReport)> {
    vec![
        ("passed", passed()),
        ("failed", failed()),
        ("flaky", flaky()),
        ("before_a_run", before_a_run()),
        ("cancelled", cancelled()),
        ("four_players", four_players()),
        ("hostile", hostile()),
    ]
}

fn files() -> Files {
    Files {
        results: PathBuf::from("r/results.json"),
        junit: PathBuf::from("r/junit.xml"),
        summary: PathBuf::from("r/summary.md"),
    }
}

/// The JSON without the version of the program, which changes with every release.
fn stable_json(report: &RunReport) -> String {
    json(report).replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn renderers_look_as_they_did() {
    for (name, report) in all() {
        insta::assert_snapshot!(format!("{name}.md"), markdown(&report));
        insta::assert_snapshot!(format!("{name}.xml"), junit(&report, "nunu-results/"));
        insta::assert_snapshot!(format!("{name}.json"), stable_json(&report));
        insta::assert_snapshot!(format!("{name}.comment"), comment(&report));
        insta::assert_snapshot!(format!("{name}.log"), closing(&report).join("\n"));
        insta::assert_snapshot!(format!("{name}.gitlab"), gitlab(&report));
        insta::assert_snapshot!(format!("{name}.annotations"), format!("{:#?}", annotations(&report, 10)));
        insta::assert_snapshot!(format!("{name}.env"), super::outputs::dotenv(&report, &files()));
    }
}

#[test]
fn a_huge_report_keeps_every_name_within_the_budget() {
    let report = huge();
    let summary = markdown(&report);
    assert!(summary.len() <= LARGEST, "{} bytes", summary.len());
    for number in 0..40 {
        assert!(summary.contains(&format!("goal {number}-9")), "step of test {number} lost its name");
    }
    assert_eq!(summary.matches("— high").count(), 160, "every bug keeps its name");
    let shown = annotations(&report, 10);
    assert_eq!(shown.len(), 10);
    assert!(shown[9].message.contains("and 31 more"), "{}", shown[9].message);
    assert!(super::outputs::dotenv(&report, &files()).len() <= 5 * 1024);
}

/// Counts of a JUnit document, read by a reader of its own.
fn junit_counts(text: &str) -> (usize, usize, usize) {
    let read = quick_junit::Report::deserialize_from_str(text).unwrap();
    (read.tests, read.failures, read.errors)
}

#[test]
fn verdict_outputs_and_every_file_agree() {
    let results = ["SUCCESS", "FAILED", "ERROR", "TIMEOUT", "BLOCKED", "STOPPED", "SKIPPED", "ODD", ""];
    let lenient = FailOn {
        failed: false,
        error: false,
        timeout: false,
        blocked: false,
        stopped: false,
        ..FailOn::default()
    };
    let bugs = FailOn {
        bugs: vec![BugGate {
            severity: crate::model::run_report::Severity::High,
            confidence: crate::model::run_report::Confidence::Low,
        }],
        skipped: true,
        ..FailOn::default()
    };
    let mut seen = 0;
    for first in results {
        for second in results {
            for fail_on in [FailOn::default(), lenient.clone(), bugs.clone()] {
                for quarantined in [false, true] {
                    for required in [false, true] {
                        for severity in ["low", "critical"] {
                            let mut one = job("One", first, vec![]);
                            one.attempts[0].bugs = vec![bug("b", "B", severity)];
                            if first.is_empty() {
                                one.attempts[0].result = None;
                            }
                            let two = JobReport { required, ..job("Two", second, vec![]) };
                            let quarantine = quarantined.then(|| Quarantine {
                                what: Quarantined::Test("test-One".to_owned()),
                                until: "2026-12-31".parse().unwrap(),
                                reason: "known".to_owned(),
                            });
                            let gate = Gate {
                                fail_on: fail_on.clone(),
                                quarantine: quarantine.into_iter().collect(),
                            };
                            agree(&report(vec![one, two], &gate, None));
                            seen += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, 9 * 9 * 3 * 2 * 2 * 2);
}

fn agree(report: &RunReport) {
    let green = report.reason.exit_code() == 0;
    let parsed: serde_json::Value = serde_json::from_str(&json(report)).unwrap();
    let outputs: std::collections::BTreeMap<_, _> = outputs(report, &files()).into_iter().collect();
    assert_eq!(parsed["exit_reason"], report.reason.as_str());
    assert_eq!(outputs["exit-reason"], report.reason.as_str());
    assert_eq!(outputs["exit-code"], report.reason.exit_code().to_string());
    assert_eq!(parsed["status"].as_str(), outputs.get("status").map(String::as_str));
    for (output, total) in [
        ("tests-total", "tests"),
        ("tests-passed", "passed"),
        ("tests-failed", "failed"),
        ("bugs-total", "bugs"),
    ] {
        assert_eq!(outputs[output], parsed["totals"][total].to_string());
    }
    assert_eq!(markdown(report).starts_with("## ✅"), green);
    let (_, failures, errors) = junit_counts(&junit(report, ""));
    assert_eq!(failures + errors == 0, green, "{}\n{}", report.reason, junit(report, ""));
    assert_eq!(
        annotations(report, 10).iter().any(|one| one.level == crate::model::annotation::Level::Error),
        !green,
        "{}",
        report.reason
    );
    if report.tests_failed() > 0 {
        assert!(!green);
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn any_words_stay_words(words in prop::collection::vec(any::<String>(), 8), results in prop::collection::vec("[A-Z]{0,9}", 3)) {
        let steps = vec![step(1, &words[0], &results[0], &words[1]), step(2, &words[2], &results[1], &words[3])];
        let mut job = job(&words[4], &results[2], vec![player(1, steps)]);
        job.run.clone_from(&words[5]);
        job.attempts[0].bugs = vec![bug(&words[6], &words[7], "high")];
        let report = report(vec![job], &Gate::default(), Some(Failure::new(Reason::StartIncomplete, words[0].clone())));
        let summary = markdown(&report);
        assert!(summary.len() <= LARGEST);
        let own = summary.replace("<br>", "").replace("<details>", "").replace("</details>", "").replace("<summary>", "").replace("</summary>", "");
        assert!(!own.contains('<'), "{own}");
        junit_counts(&junit(&report, ""));
        assert!(serde_json::from_str::<serde_json::Value>(&json(&report)).is_ok());
        for line in closing(&report) {
            assert!(!line.contains('\n'));
        }
    }
}
