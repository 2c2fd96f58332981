use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::{Again, Earlier, Entry, Expected, JobState, Past, Request, RerunMode, Tracked, decide, judge};
use crate::model::baseline::CarriedOver;
use crate::model::given::{GivenBuilds, Handed};
use crate::model::job::{Attempt, Bug, Confidence, Job, JobStatus, Severity};
use crate::model::verdict::{BugGate, FailOn, Gate};
use crate::model::{ExitReason, RunSpec, Target, TestResult};

use crate::flow::tracked_job::PollBy;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 24).unwrap()
}

fn request(label: &str, target: Target) -> Request {
    let spec =
        RunSpec { label: label.to_owned(), deployment_config: Some("d".to_owned()), ..RunSpec::of(target) };
    let given =
        GivenBuilds { default: Some(Handed { build: Some("b".to_owned()) }), ..GivenBuilds::default() };
    Request { spec, given, digest: label.to_owned() }
}

fn test(label: &str) -> Entry {
    Entry { whole: request(label, Target::Test(format!("test-{label}"))), parts: None }
}

/// A plan of these tests.
fn plan(label: &str, tests: &[&str]) -> Entry {
    let part = |test: &&str| request(label, Target::Test((*test).to_owned()));
    let parts = Some(Ok(tests.iter().map(part).collect()));
    Entry { whole: request(label, Target::Plan("plan".to_owned())), parts }
}

/// What earlier attempts did, one post a word: `start@attempt:job=RESULT,...`; `LIVE` and `SPOILT` are no results.
#[derive(Default)]
struct History {
    posts: Vec<Earlier>,
    tests: BTreeMap<String, String>,
    read: BTreeMap<String, Tracked>,
}

impl History {
    fn of(words: &str) -> Self {
        let mut history = Self::default();
        for word in words.split_whitespace() {
            let (post, jobs) = word.split_once(':').unwrap();
            let (start, attempt) = post.split_once('@').unwrap();
            let jobs = jobs.split(',').filter_map(|job| job.split_once('='));
            let jobs = jobs.map(|(id, result)| (id.to_owned(), history.job(id, result))).collect();
            let (start, attempt) = (start.parse().unwrap(), attempt.parse().unwrap());
            history.posts.push(Earlier { tag: post.to_owned(), start, attempt, jobs, on_record: false });
        }
        history
    }

    /// A job whose id begins with its test: `a1` and `a2` are jobs of `test-a`.
    fn job(&mut self, id: &str, result: &str) -> JobState {
        let test = format!("test-{}", id.trim_end_matches(|c: char| c.is_ascii_digit()));
        self.tests.insert(id.to_owned(), test.clone());
        if result == "LIVE" {
            return JobState::Live;
        }
        let run = Attempt {
            run_id: format!("run-{id}"),
            result: Some(TestResult::parse(result)),
            ..Attempt::default()
        };
        let job = Job {
            run: test.clone(),
            required: true,
            job_id: id.to_owned(),
            test_id: Some(test),
            instances: Some(1),
            status: Some(JobStatus::Completed),
            attempts: vec![run],
            ..Job::default()
        };
        self.read.insert(id.to_owned(), Tracked::new(job, PollBy::Job));
        if result == "SPOILT" { JobState::Stopped } else { JobState::Ended { passed: result == "SUCCESS" } }
    }

    fn decide(&self, entries: Vec<Entry>, mode: RerunMode) -> Again {
        let past = Past::new(self.posts.clone(), self.tests.clone());
        decide(entries, &past, &self.read, mode, &Gate::default(), today())
    }
}

/// What is decided, as `passed | starts`, where a start is its label and target, and `!` says that its size is known.
fn told(again: &Again) -> String {
    let passed: Vec<&str> = again.passed.iter().map(String::as_str).collect();
    let start = |(request, size): &(Request, Option<Expected>)| {
        let target = request.spec.target.value();
        format!("{}/{target}{}", request.spec.label, if size.is_some() { "!" } else { "" })
    };
    let starts: Vec<String> = again.starts.iter().map(start).collect();
    let carry = if again.carry { "carry" } else { "all" };
    format!("{carry} {} | {}", passed.join(","), starts.join(" "))
}

#[test]
fn the_newest_post_of_a_start_decides() {
    let entries = || vec![test("a"), test("b")];
    for (history, want) in [
        ("", "carry  | a/test-a b/test-b"),
        ("0@1:a1=SUCCESS 1@1:b1=FAILED", "carry a1 | a/test-a b/test-b"),
        ("0@1:a1=SUCCESS 1@1:b1=SUCCESS", "all  | a/test-a b/test-b"),
        ("0@1:a1=SUCCESS", "carry a1 | a/test-a b/test-b"),
        ("0@1:a1=SUCCESS 1@1:b1=LIVE", "carry a1 | a/test-a b/test-b"),
        ("0@1:a1=SUCCESS 0@2:a2=FAILED 1@1:b1=SUCCESS", "carry b1 | a/test-a b/test-b"),
        ("0@1:a1=FAILED 0@2:a2=SUCCESS 1@1:b1=ERROR", "carry a2 | a/test-a b/test-b"),
        // Two equal posts of one attempt are those of nobody knows whom.
        ("0@1:a1=SUCCESS 0@1:a2=SUCCESS 1@1:b1=FAILED", "carry  | a/test-a b/test-b"),
        ("0@1:a1=SPOILT 1@1:b1=FAILED", "carry  | a/test-a b/test-b"),
    ] {
        assert_eq!(told(&History::of(history).decide(entries(), RerunMode::Auto)), want, "{history}");
    }
}

#[test]
fn only_a_success_of_which_nothing_counts_has_passed() {
    for result in ["FAILED", "ERROR", "TIMEOUT", "BLOCKED", "STOPPED", "SKIPPED", "ODD"] {
        let again = History::of(&format!("0@1:a1={result}")).decide(vec![test("a")], RerunMode::Failed);
        assert_eq!(told(&again), "carry  | a/test-a", "{result}");
    }
    let mut history = History::of("0@1:a1=SUCCESS");
    let bug = Bug { bug_id: "x".to_owned(), severity: Some("high".to_owned()), ..Bug::default() };
    let tracked = history.read.get_mut("a1").unwrap();
    tracked.report.attempts[0].bugs = vec![bug];
    let gate = BugGate { severity: Severity::High, confidence: Confidence::Low };
    for (bugs, passed) in [(vec![], true), (vec![gate], false)] {
        let gate = Gate { fail_on: FailOn { bugs, ..FailOn::default() }, ..Gate::default() };
        let past = Past::new(history.posts.clone(), history.tests.clone());
        let again = decide(vec![test("a")], &past, &history.read, RerunMode::Failed, &gate, today());
        assert_eq!(again.passed.contains("a1"), passed);
    }
    // What was not read says nothing, and another build than ours says nothing of ours.
    history.read.get_mut("a1").unwrap().report.build_id = Some("other".to_owned());
    history.read.get_mut("a1").unwrap().report.given = test("a").whole.given;
    assert!(history.decide(vec![test("a")], RerunMode::Failed).passed.is_empty());
    history.read.clear();
    assert!(history.decide(vec![test("a")], RerunMode::Failed).passed.is_empty());
}

#[test]
fn where_a_configuration_picks_a_build_nothing_passes() {
    let mut entry = test("a");
    entry.whole.given.players.insert(2, Handed { build: None });
    assert!(History::of("0@1:a1=SUCCESS").decide(vec![entry], RerunMode::Failed).passed.is_empty());
}

#[test]
fn a_plan_is_whole_or_its_tests() {
    let entries = || vec![plan("p", &["test-a", "test-b"]), test("z")];
    // Starts of earlier attempts: 0 the plan, 1 the test z, 2 and 3 the plan's tests by themselves.
    for (history, want, of_plans) in [
        ("0@1:a1=SUCCESS,b1=FAILED", "carry a1 | p/test-a p/test-b z/test-z", "0=a1 1=b1"),
        ("0@1:a1=SUCCESS,b1=SUCCESS", "carry a1,b1 | p/plan! z/test-z", ""),
        ("0@1:a1=FAILED,b1=ERROR", "carry  | p/plan z/test-z", ""),
        ("0@1:a1=SUCCESS,b1=LIVE", "carry a1 | p/plan z/test-z", ""),
        // One test is missing: it was not started, or it was taken out of the plan.
        ("0@1:a1=SUCCESS", "carry a1 | p/test-a p/test-b z/test-z", "0=a1"),
        ("0@1:a1=SUCCESS,b1=SUCCESS,c1=SUCCESS", "carry a1,b1,c1 | p/test-a p/test-b z/test-z", "0=a1 1=b1"),
        ("0@1:a1=SUCCESS,b1=FAILED 3@2:b2=SUCCESS", "carry a1,b2 | p/test-a p/test-b z/test-z", "0=a1"),
        ("0@1:a1=SUCCESS,b1=FAILED 3@2:b2=LIVE", "carry a1 | p/test-a p/test-b z/test-z", "0=a1"),
        ("0@1:a1=FAILED,b1=FAILED 3@2:b2=FAILED", "carry  | p/plan z/test-z", ""),
        ("3@1:b1=SUCCESS 0@2:a2=SUCCESS,b2=FAILED", "carry a2 | p/test-a p/test-b z/test-z", "0=a2 1=b2"),
        ("0@1:a1=SUCCESS,b1=SUCCESS 0@1:a2=SUCCESS,b2=SUCCESS", "carry  | p/plan z/test-z", ""),
    ] {
        let again = History::of(history).decide(entries(), RerunMode::Auto);
        assert_eq!(told(&again), want, "{history}");
        let jobs = |post: &Earlier| format!("{}={}", post.start, post.jobs[0].0);
        assert_eq!(again.of_plans.iter().map(jobs).collect::<Vec<_>>().join(" "), of_plans, "{history}");
    }
}

#[test]
fn a_plan_that_is_not_known_is_started_whole_and_says_so() {
    let entry = || Entry { parts: Some(Err("it is secret".to_owned())), ..plan("p", &[]) };
    let again = History::of("0@1:a1=SUCCESS,b1=FAILED").decide(vec![entry()], RerunMode::Auto);
    assert_eq!(told(&again), "carry a1 | p/plan");
    let words =
        "p: the plan is started whole although 1 of its 2 tests passed in an earlier attempt: it is secret";
    assert_eq!(again.warnings, [words]);
    let again = History::of("0@1:a1=FAILED,b1=FAILED").decide(vec![entry()], RerunMode::Auto);
    assert!(again.warnings.is_empty(), "nothing is lost");
}

fn any_result() -> impl Strategy<Value = &'static str> {
    let rare = prop_oneof![Just("ERROR"), Just("STOPPED"), Just("SKIPPED"), Just("LIVE"), Just("SPOILT")];
    prop_oneof![3 => Just("SUCCESS"), 2 => Just("FAILED"), 1 => rare]
}

/// For each of some tests: what it came to in attempts 1 to 3, where it was posted, and now; whether it is required, and its bug.
type OneTest = (Vec<Option<&'static str>>, &'static str, bool, Option<u8>);

fn any_test() -> impl Strategy<Value = OneTest> {
    let posts = prop::collection::vec(prop::option::of(any_result()), 3);
    (posts, any_result(), any::<bool>(), prop::option::of(0..3_u8))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn carrying_over_never_changes_the_exit_code(tests in prop::collection::vec(any_test(), 1..5), gated in any::<bool>()) {
        let name = |place: usize| char::from(b'a' + u8::try_from(place).unwrap()).to_string();
        let bugs = if gated { vec![BugGate { severity: Severity::High, confidence: Confidence::Low }] } else { Vec::new() };
        let gate = Gate { fail_on: FailOn { bugs, ..FailOn::default() }, ..Gate::default() };
        let mut words = Vec::new();
        for (place, (posts, ..)) in tests.iter().enumerate() {
            let posted = posts.iter().enumerate().filter_map(|(at, result)| Some((at + 1, (*result)?)));
            words.extend(posted.map(|(attempt, result)| format!("{place}@{attempt}:{}{attempt}={result}", name(place))));
        }
        let mut history = History::of(&words.join(" "));
        let complete = |job: &mut Job, (_, _, required, bug): &OneTest| {
            job.required = *required;
            let severity = Some("high".to_owned());
            let bug = bug.map(|bug| Bug { bug_id: format!("bug-{bug}"), severity, ..Bug::default() });
            job.attempts[0].bugs.extend(bug);
        };
        for (id, tracked) in &mut history.read {
            complete(&mut tracked.report, &tests[usize::from(id.as_bytes()[0] - b'a')]);
        }
        let entries = || (0..tests.len()).map(|place| test(&name(place))).collect::<Vec<_>>();
        let past = Past::new(history.posts.clone(), history.tests.clone());
        let again = decide(entries(), &past, &history.read, RerunMode::Failed, &gate, today());
        prop_assert_eq!(again.starts.len(), tests.len());
        // What is carried over is the newest of its start, and would pass by itself.
        let mut used = BTreeSet::new();
        for id in &again.passed {
            let place = usize::from(id.as_bytes()[0] - b'a');
            prop_assert!(used.insert(place), "one job a start");
            let newest = tests[place].0.iter().rposition(Option::is_some).unwrap() + 1;
            prop_assert_eq!(id, &format!("{}{newest}", name(place)));
            let alone = judge(&[history.read[id].report.clone()], &gate, today());
            prop_assert_eq!(alone.reason, ExitReason::Passed);
        }
        // All tests now: once with what is carried over, once all of them started again with the same results.
        let mut fresh = History::default();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for (place, one) in tests.iter().enumerate() {
            let id = format!("{}9", name(place));
            let carried = again.passed.iter().find(|id| id.starts_with(&name(place)));
            let result = if carried.is_some() { "SUCCESS" } else { one.1 };
            let result = if result == "LIVE" { "TIMEOUT" } else { result };
            fresh.job(&id, result);
            let mut job = fresh.read[&id].report.clone();
            complete(&mut job, one);
            without.push(job.clone());
            with.push(carried.map_or(job, |id| {
                let carried_over = Some(CarriedOver { attempt: 1 });
                Job { carried_over, ..history.read[id].report.clone() }
            }));
        }
        let code = |jobs: &[Job]| judge(jobs, &gate, today()).reason.exit_code();
        prop_assert_eq!(code(&with), code(&without));
    }

    #[test]
    fn everything_starts_again_after_an_attempt_that_met_the_gate(tests in prop::collection::vec(any_test(), 1..5)) {
        let name = |place: usize| char::from(b'a' + u8::try_from(place).unwrap()).to_string();
        let word = |(place, (posts, ..)): (usize, &OneTest)| {
            posts.iter().flatten().next().map(|result| format!("{place}@1:{}1={result}", name(place)))
        };
        let words: Vec<String> = tests.iter().enumerate().filter_map(word).collect();
        let history = History::of(&words.join(" "));
        let entries = (0..tests.len()).map(|place| test(&name(place))).collect();
        let again = history.decide(entries, RerunMode::Auto);
        let is = |word: &String, result: &str| word.ends_with(&format!("={result}"));
        // A skipped test does not count by default, and tests nothing.
        let met = words.len() == tests.len()
            && words.iter().all(|word| is(word, "SUCCESS") || is(word, "SKIPPED"))
            && words.iter().any(|word| is(word, "SUCCESS"));
        prop_assert_eq!(again.carry, !met);
    }
}
