//! The reports that every renderer is tried with.

use std::time::Duration;

use crate::model::baseline::{
    Baseline, BaselineRule, BaselineRun, CarriedOver, History, KnownBug, PastResult,
};
use crate::model::job::{Attempt, Bug, Job, Player, Step, StepItem};
use crate::model::judge::{decide, judge};
use crate::model::run_report::{Context, LeftRunning, Suspect};
use crate::model::units::parse_time;
use crate::model::verdict::{Gate, Quarantine, Quarantined};
use crate::model::{Build, BuildOrigin, ExitReason, Failure, Platform, RunReport, TestResult};

pub(in crate::report) fn step(number: u64, goal: &str, result: &str, words: &str) -> Step {
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

pub(in crate::report) fn player(number: u64, steps: Vec<Step>) -> Player {
    Player {
        id: format!("run1-{number}"),
        number,
        url: Some(format!("https://nunu.ai/nexus/p/runs/c/run1-{number}")),
        device: Some("Pixel 8".to_owned()),
        steps,
        ..Player::default()
    }
}

pub(in crate::report) fn job(name: &str, result: &str, players: Vec<Player>) -> Job {
    Job {
        run: "smoke".to_owned(),
        required: true,
        job_id: format!("job-{}", id_of(name)),
        test_id: Some(format!("test-{name}")),
        test_name: Some(name.to_owned()),
        deployment_config: Some("dc-1".to_owned()),
        status: Some(crate::model::job::JobStatus::Completed),
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
        ..Job::default()
    }
}

/// What may stand in an id, of a name that may be anything.
fn id_of(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

pub(in crate::report) fn bug(id: &str, title: &str, severity: &str) -> Bug {
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

/// The day on which every report ends.
fn finished_on() -> chrono::NaiveDate {
    "2026-03-03".parse().unwrap()
}

pub(in crate::report) fn report(jobs: Vec<Job>, gate: &Gate, failure: Option<Failure>) -> RunReport {
    let jobs: Vec<Job> = jobs.into_iter().flat_map(|job| job.tests()).collect();
    let verdict = (!jobs.is_empty()).then(|| judge(&jobs, gate, finished_on()));
    RunReport {
        command: "run",
        reason: decide(failure.as_ref(), verdict.as_ref(), ExitReason::Passed),
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
        page_url: Some("https://github.com/acme/game/actions/runs/1#artifacts".to_owned()),
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
        gate: Some(gate.clone()),
        warnings: verdict.as_ref().map_or_else(Vec::new, |verdict| verdict.warnings.clone()),
        verdict,
        failure,
        left_running: Vec::new(),
        suspects: Vec::new(),
        test_plan_execution_id: None,
        run_config: Some(".nunu/run.yml".to_owned()),
        files: vec!["results.json".to_owned(), "junit.xml".to_owned()],
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
        Failure::new(ExitReason::PermissionMissing, "the API key lacks the permission project:operate-runs")
            .cause("POST /runs/stop answered 403: API key missing required permission: project:operate-runs")
            .hint("add project:operate-runs to the key (Project Admin -> API Keys)");
    report(Vec::new(), &Gate::default(), Some(failure))
}

fn cancelled() -> RunReport {
    let mut running = job("Login", "SUCCESS", vec![]);
    running.status = Some(crate::model::job::JobStatus::Running);
    running.attempts[0].result = None;
    let mut report = report(
        vec![running],
        &Gate::default(),
        Some(Failure::new(ExitReason::Interrupted, "interrupted by SIGINT")),
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

pub(in crate::report) fn huge() -> RunReport {
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

/// What a plan over many devices brings: every result, a retry, a rejection, a known problem, one that is not required.
fn plan_of_30() -> RunReport {
    let words = [
        "SUCCESS", "SUCCESS", "FAILED", "SUCCESS", "ERROR", "TIMEOUT", "SUCCESS", "BLOCKED", "STOPPED",
        "SKIPPED",
    ];
    let jobs = (0..30).map(|number: usize| {
        let word = words[number % words.len()];
        let mut one =
            job(&format!("Test {number:02}"), word, vec![player(1, vec![step(1, "play", word, "")])]);
        one.run = if number < 15 { "phones" } else { "tablets" }.to_owned();
        one.required = number != 12;
        one.device = Some(if number < 15 { "Pixel 8" } else { "Galaxy Tab S9" }.to_owned());
        one
    });
    let mut jobs: Vec<Job> = jobs.collect();
    jobs[3].attempts.insert(
        0,
        Attempt { run_id: "run0".to_owned(), result: Some(TestResult::Timeout), ..Attempt::default() },
    );
    jobs[14].attempts.clear();
    jobs[14].queue_rejection = Some("no device of this kind is free".to_owned());
    jobs[20].attempts[0].bugs =
        vec![bug("bug-1", "Nothing is bought", "critical"), bug("bug-2", "A typo", "low")];
    jobs[21].attempts[0].bugs = vec![bug("bug-1", "Nothing is bought", "critical")];
    let known = Quarantine {
        what: Quarantined::Test("test-Test 22".to_owned()),
        until: "2026-12-31".parse().unwrap(),
        reason: "GAME-12".to_owned(),
    };
    let old = Quarantine {
        what: Quarantined::Test("test-Test 02".to_owned()),
        until: "2026-01-31".parse().unwrap(),
        reason: "GAME-7".to_owned(),
    };
    report(jobs, &Gate { quarantine: vec![known, old], ..Gate::default() }, None)
}

/// One job of three instances, one of which has no run; the second needed two attempts.
fn instances() -> RunReport {
    let mut one = job("Shop", "FAILED", vec![player(1, vec![step(1, "buy a sword", "FAILED", "sold out")])]);
    let run = |id: &str, word: &str| Attempt {
        run_id: id.to_owned(),
        result: Some(TestResult::parse(word)),
        ..Attempt::default()
    };
    one.attempts.extend([run("run2", "ERROR"), run("run3", "SUCCESS")]);
    one.instances = Some(2);
    let mut two = job("Login", "SUCCESS", vec![]);
    two.instances = Some(2);
    report(vec![one, two], &Gate::default(), None)
}

/// Green, with everything that does not count: a test that is not required, one in quarantine, a red player in a green run.
fn tolerated() -> RunReport {
    let bad = || vec![player(1, vec![step(1, "buy a sword", "FAILED", "sold out")])];
    let mut match_of_two = bad();
    match_of_two.push(player(2, vec![step(1, "buy a sword", "SUCCESS", "")]));
    let optional = Job { required: false, ..job("Shop", "ERROR", bad()) };
    let known = Quarantine {
        what: Quarantined::Test("test-Login".to_owned()),
        until: "2026-12-31".parse().unwrap(),
        reason: "GAME-12".to_owned(),
    };
    let jobs = vec![job("Match", "SUCCESS", match_of_two), optional, job("Login", "FAILED", bad())];
    report(jobs, &Gate { quarantine: vec![known], ..Gate::default() }, None)
}

/// Beside baselines: a test that fails anew, one that failed before, one that passes again, one from an earlier attempt, one whose
/// baseline could not be read.
fn compared() -> RunReport {
    let seen = |id: &str, title: &str| KnownBug {
        bug_id: id.to_owned(),
        title: title.to_owned(),
        severity: Some("high".to_owned()),
    };
    let before = |word: &str, bugs| {
        Some(Baseline::Found(Box::new(BaselineRun {
            job_id: "job-before".to_owned(),
            run_id: "run-before".to_owned(),
            url: Some("https://nunu.ai/nexus/p/runs/m/run-before/details".to_owned()),
            branch: "main".to_owned(),
            commit: Some("89abcdef0123456789abcdef0123456789abcdef".to_owned()),
            finished_at: parse_time("2026-03-02T09:00:00.25Z"),
            rule: BaselineRule::BaseBranch,
            result: TestResult::parse(word),
            bugs,
        })))
    };
    let bad = || vec![player(1, vec![step(1, "buy a sword", "FAILED", "sold out")])];
    let past = |word: &str, day: u32| PastResult {
        run_id: format!("past-{day}"),
        url: None,
        commit: None,
        result: Some(TestResult::parse(word)),
        finished_at: parse_time(&format!("2026-02-{day:02}T09:00:00Z")),
        duration: Some(Duration::from_millis(61_500)),
        failing_step: (word == "FAILED").then(|| "buy a sword".to_owned()),
    };
    let mut shop = job("Shop", "FAILED", bad());
    shop.baseline = before("SUCCESS", vec![seen("bug-1", "Nothing is bought"), seen("bug-9", "A gap")]);
    shop.history = Some(History {
        branch: "main".to_owned(),
        results: vec![past("SUCCESS", 3), past("FAILED", 2), past("SUCCESS", 1)],
    });
    shop.attempts[0].bugs =
        vec![bug("bug-1", "Nothing is bought", "critical"), bug("bug-2", "A typo", "low")];
    let mut still = job("Match", "FAILED", bad());
    still.baseline = before("FAILED", Vec::new());
    let mut fixed = job("Login", "SUCCESS", Vec::new());
    fixed.baseline = before("FAILED", Vec::new());
    let mut carried = job("Intro", "SUCCESS", Vec::new());
    carried.baseline = Some(Baseline::Absent("no finished job of main".to_owned()));
    carried.carried_over = Some(CarriedOver { attempt: 1 });
    let mut unclear = job("Save", "FAILED", bad());
    unclear.baseline = Some(Baseline::Unreadable("no answer".to_owned()));
    let mut report = report(vec![shop, still, fixed, carried, unclear], &Gate::default(), None);
    report.suspects = vec![Suspect { commit: "0123456".to_owned(), subject: "Sell swords".to_owned() }];
    report
}

/// A start that made no job at all.
fn empty() -> RunReport {
    let mut report = report(Vec::new(), &Gate::default(), None);
    report.verdict = Some(judge(&[], &Gate::default(), finished_on()));
    report.reason = decide(None, report.verdict.as_ref(), ExitReason::Passed);
    report
}

fn uploaded() -> RunReport {
    let mut report = report(Vec::new(), &Gate::default(), None);
    report.command = "upload";
    report.reason = decide(None, None, ExitReason::Uploaded);
    report
}

/// Words of a megabyte without a space, wherever the service may say something.
fn megabyte_words() -> RunReport {
    let word = "w".repeat(1_000_000);
    let mut job = job(&word, "FAILED", vec![player(1, vec![step(1, &word, "FAILED", &word)])]);
    job.attempts[0].bugs = vec![bug("bug-1", &word, &word)];
    job.attempts[0].players[0].device = Some(word.clone());
    let failure = Failure::new(ExitReason::StartIncomplete, word.clone()).cause(word.clone()).hint(word);
    report(vec![job], &Gate::default(), Some(failure))
}

fn hostile() -> RunReport {
    let mut job = job(HOSTILE, "FAILED", vec![player(1, vec![step(1, HOSTILE, "FAILED", HOSTILE)])]);
    job.run = HOSTILE.to_owned();
    job.attempts[0].bugs = vec![bug(HOSTILE, HOSTILE, HOSTILE)];
    job.attempts[0].url = Some("javascript:alert(1)".to_owned());
    let mut report = report(
        vec![job],
        &Gate::default(),
        Some(Failure::new(ExitReason::StartIncomplete, HOSTILE).hint(HOSTILE)),
    );
    report.context.branch = Some(HOSTILE.to_owned());
    report.warnings = vec![HOSTILE.to_owned()];
    report
}

pub(in crate::report) fn all() -> Vec<(&'static str, RunReport)> {
    vec![
        ("passed", passed()),
        ("failed", failed()),
        ("flaky", flaky()),
        ("before_a_run", before_a_run()),
        ("cancelled", cancelled()),
        ("four_players", four_players()),
        ("plan_of_30", plan_of_30()),
        ("instances", instances()),
        ("tolerated", tolerated()),
        ("compared", compared()),
        ("empty", empty()),
        ("uploaded", uploaded()),
        ("huge", huge()),
        ("hostile", hostile()),
        ("megabyte_words", megabyte_words()),
    ]
}
