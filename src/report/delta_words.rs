//! What is new, in words: one sentence for each thing, the same in the log, the summary, the comment, the page and `JUnit`. Pure.
//! Text of the service (goals, titles) is in none of them but for the branch, which each sink escapes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::model::RunReport;
use crate::model::baseline::{Baseline, BaselineRule, BaselineRun, CarriedOver, History, PastResult};
use crate::model::delta::{BugChange, Delta, TestChange};
use crate::model::job::Job;
use crate::model::result::TestResult;
use crate::model::units::{Timestamp, duration};

/// Letters of a commit hash that are shown.
const SHORT_HASH: usize = 7;

/// `1 new bug, 2 known, 1 fixed; 1 test newly failing (baseline: main @ 1a2b3c4, 5 h ago)`; `None` where no baseline was asked for.
pub(super) fn delta_sentence(report: &RunReport) -> Option<String> {
    let delta = report.verdict.as_ref()?.delta.as_ref()?;
    let runs: Vec<&BaselineRun> = report.jobs.iter().filter_map(|job| job.baseline.as_ref()?.run()).collect();
    let mut text = format!("{}; {}", bugs_words(delta), tests_words(delta));
    let mut beside: Vec<String> = Vec::new();
    if let Some(words) = baselines_words(&runs, report.finished_at) {
        beside.push(format!("baseline: {words}"));
    }
    match delta.baselines_absent {
        0 => {}
        // Where nothing has one, nobody wants to read how many.
        _ if runs.is_empty() && delta.baselines_unreadable == 0 => beside.push("no baseline".to_owned()),
        count => beside.push(format!("{} without one", tests(count))),
    }
    match delta.baselines_unreadable {
        0 => {}
        _ if runs.is_empty() && delta.baselines_absent == 0 => {
            beside.push("the baseline could not be read".to_owned());
        }
        count => beside.push(format!("that of {} could not be read", tests(count))),
    }
    if !beside.is_empty() {
        let _ = write!(text, " ({})", beside.join("; "));
    }
    Some(text)
}

fn bugs_words(delta: &Delta) -> String {
    let new = match delta.bugs_new {
        0 => "no new bugs".to_owned(),
        1 => "1 new bug".to_owned(),
        many => format!("{many} new bugs"),
    };
    let unclear = match delta.bugs_unclear {
        0 => String::new(),
        count => format!(", {count} that may be new"),
    };
    format!("{new}, {} known, {} fixed{unclear}", delta.bugs_known, delta.bugs_fixed.len())
}

fn tests_words(delta: &Delta) -> String {
    let newly = match delta.tests_newly_failing {
        0 => "no test newly failing".to_owned(),
        count => format!("{} newly failing", tests(count)),
    };
    let others = [(delta.tests_still_failing, "still failing"), (delta.tests_fixed, "fixed")];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    others.fold(newly, |text, (count, words)| format!("{text}, {count} {words}"))
}

fn tests(count: usize) -> String {
    if count == 1 { "1 test".to_owned() } else { format!("{count} tests") }
}

/// Branch, commit and age of all baselines together.
fn baselines_words(runs: &[&BaselineRun], now: Timestamp) -> Option<String> {
    let first = runs.first()?;
    if runs.iter().all(|run| (&run.branch, &run.commit) == (&first.branch, &first.commit)) {
        let newest = runs.iter().max_by_key(|run| run.finished_at)?;
        return Some(run_words(newest, now));
    }
    let branches: BTreeSet<&str> = runs.iter().map(|run| run.branch.as_str()).collect();
    let branches = branches.into_iter().collect::<Vec<_>>().join(", ");
    let commits: BTreeSet<_> = runs.iter().map(|run| &run.commit).collect();
    let of = |time: Option<Timestamp>| time.map(|time| age(time, now));
    let newest = of(runs.iter().filter_map(|run| run.finished_at).max());
    let oldest = of(runs.iter().filter_map(|run| run.finished_at).min());
    let ages = match (newest, oldest) {
        (Some(newest), Some(oldest)) if newest != oldest => format!(", {newest} to {oldest}"),
        (Some(age), _) | (None, Some(age)) => format!(", {age}"),
        (None, None) => String::new(),
    };
    Some(format!("{branches} at {} commits{ages}", commits.len()))
}

/// `main @ 1a2b3c4, 5 h ago`.
pub(super) fn run_words(run: &BaselineRun, now: Timestamp) -> String {
    let commit = run.commit.as_deref().map_or_else(String::new, |commit| format!(" @ {}", short(commit)));
    let age = run.finished_at.map_or_else(String::new, |time| format!(", {}", age(time, now)));
    format!("{}{commit}{age}", run.branch)
}

/// `baseline: main @ 1a2b3c4, 5 h ago, passed (the newest run of the base branch)`, or why there is none.
pub(super) fn baseline_sentence(baseline: &Baseline, now: Timestamp) -> String {
    match baseline {
        Baseline::Found(run) => {
            let result = if run.result == TestResult::Success { "passed" } else { "failed" };
            format!("baseline: {}, {result} ({})", run_words(run, now), rule_words(run.rule))
        }
        Baseline::Absent(why) => format!("no baseline: {why}"),
        Baseline::Unreadable(why) => format!("the baseline could not be read: {why}"),
    }
}

/// Why a baseline was chosen.
pub(super) const fn rule_words(rule: BaselineRule) -> &'static str {
    match rule {
        BaselineRule::MergeBase => "the commit that the change is based on",
        BaselineRule::BaseBranch => "the newest run of the base branch",
        BaselineRule::SameBranch => "the newest earlier run of the same branch",
        BaselineRule::NamedBranch => "the newest run of the branch that the setting baseline names",
    }
}

/// How a test stands beside its baseline.
pub(super) const fn test_change_words(change: TestChange) -> &'static str {
    match change {
        TestChange::NewlyFailing => "newly failing",
        TestChange::StillFailing => "still failing",
        TestChange::Fixed => "fixed",
        TestChange::Unclear => "failing, perhaps newly",
    }
}

/// How a bug stands beside the baseline.
pub(super) const fn bug_change_words(change: BugChange) -> &'static str {
    match change {
        BugChange::New => "new",
        BugChange::Known => "known",
        BugChange::Unclear => "may be new",
    }
}

/// `carried over from attempt 1`.
pub(super) fn carried_over_words(carried: CarriedOver) -> String {
    format!("carried over from attempt {}", carried.attempt)
}

/// One sign for each result, the oldest first: ✅ passed, ❌ failed, ⚠️ anything else.
pub(super) fn history_strip(history: &History) -> String {
    let sign = |past: &PastResult| match past.result {
        Some(TestResult::Success) => "✅",
        Some(TestResult::Failed) => "❌",
        _ => "⚠️",
    };
    history.results.iter().rev().map(sign).collect()
}

/// `first failure in 20`, `failed 3 of 20, each time another step: flaky`, `passed 20 of 20, usually in 3 min`; `None` without results.
/// `failed_now` is whether the test failed this time.
pub(super) fn history_sentence(history: &History, failed_now: bool) -> Option<String> {
    let (passed, failed, other) = history.counts();
    let shown = history.results.len();
    if shown == 0 {
        return None;
    }
    let mut text = match failed {
        0 if failed_now => format!("first failure in {shown}"),
        0 => format!("passed {passed} of {shown}"),
        _ => format!("failed {failed} of {shown}{}", steps_words(history)),
    };
    if other > 0 {
        let _ = write!(text, ", {other} without a verdict");
    }
    if let Some(usual) = history.usual_duration() {
        let _ = write!(text, ", usually passes in {}", duration(usual));
    }
    Some(text)
}

/// Whether failures are always the same one. Several steps in turn are what a flaky test looks like.
fn steps_words(history: &History) -> &'static str {
    let failed = history.results.iter().filter(|past| past.result == Some(TestResult::Failed));
    let Some(steps) = failed.map(|past| past.failing_step.as_deref()).collect::<Option<Vec<_>>>() else {
        return "";
    };
    let distinct: BTreeSet<&str> = steps.iter().copied().collect();
    match (steps.len(), distinct.len()) {
        (0 | 1, _) => "",
        (all, different) if all == different => ", each time another step: flaky",
        (_, 1) => ", each time the same step",
        _ => "",
    }
}

/// The share of results that passed, in percent, rounded down: only a history without a failure shows 100.
pub(super) fn pass_rate(history: &History) -> Option<usize> {
    let (passed, _, _) = history.counts();
    (passed * 100).checked_div(history.results.len())
}

/// `5 h ago`: the largest unit alone.
pub(super) fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = (now - time).to_std().map_or(0, |age| age.as_secs());
    if seconds < 60 {
        return "less than a minute ago".to_owned();
    }
    let unit = [86_400, 3600, 60].into_iter().find(|unit| seconds >= *unit).unwrap_or(60);
    format!("{} ago", duration(Duration::from_secs(seconds - seconds % unit)))
}

/// True for a test that failed this time: its history is told from its failures.
pub(super) fn has_failed(job: &Job) -> bool {
    job.deciding().is_some_and(|run| run.result == Some(TestResult::Failed))
}

/// The first letters of a commit hash.
pub(super) fn short(commit: &str) -> String {
    commit.chars().take(SHORT_HASH).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{
        BaselineRule, BaselineRun, History, PastResult, TestResult, age, baselines_words, history_sentence,
        history_strip, pass_rate,
    };

    fn past(results: &[(&str, Option<&str>)]) -> History {
        let one = |(word, step): &(&str, Option<&str>)| PastResult {
            run_id: "r".to_owned(),
            url: None,
            commit: None,
            result: Some(TestResult::parse(word)),
            finished_at: None,
            duration: Some(std::time::Duration::from_secs(60)),
            failing_step: step.map(str::to_owned),
        };
        History { branch: "main".to_owned(), results: results.iter().map(one).collect() }
    }

    #[test]
    fn a_history_is_told_from_its_failures() {
        for (results, failed_now, want) in [
            (vec![("SUCCESS", None); 3], true, Some("first failure in 3, usually passes in 1 min")),
            (vec![("SUCCESS", None); 3], false, Some("passed 3 of 3, usually passes in 1 min")),
            (
                vec![("FAILED", Some("a")), ("FAILED", Some("b"))],
                true,
                Some("failed 2 of 2, each time another step: flaky"),
            ),
            (
                vec![("FAILED", Some("a")), ("FAILED", Some("a"))],
                true,
                Some("failed 2 of 2, each time the same step"),
            ),
            (vec![("FAILED", Some("a")), ("FAILED", None)], true, Some("failed 2 of 2")),
            (vec![("FAILED", Some("a")), ("ERROR", None)], true, Some("failed 1 of 2, 1 without a verdict")),
            (vec![], true, None),
        ] {
            assert_eq!(history_sentence(&past(&results), failed_now).as_deref(), want);
        }
        let mixed = past(&[("SUCCESS", None), ("FAILED", None), ("STOPPED", None)]);
        assert_eq!((history_strip(&mixed).as_str(), pass_rate(&mixed)), ("⚠️❌✅", Some(33)));
        assert_eq!(pass_rate(&past(&[])), None);
    }

    #[test]
    fn ages_have_one_unit() {
        let now = Utc::now();
        for (ago, want) in [
            (TimeDelta::seconds(3), "less than a minute ago"),
            (TimeDelta::seconds(-3), "less than a minute ago"),
            (TimeDelta::seconds(119), "1 min ago"),
            (TimeDelta::minutes(5 * 60 + 59), "5 h ago"),
            (TimeDelta::hours(49), "2 d ago"),
        ] {
            assert_eq!(age(now - ago, now), want);
        }
    }

    #[test]
    fn baselines_of_several_commits_are_counted() {
        let now = Utc::now();
        let run = |commit: &str, hours: i64| BaselineRun {
            job_id: "j".to_owned(),
            run_id: "r".to_owned(),
            url: None,
            branch: "main".to_owned(),
            commit: Some(commit.to_owned()),
            finished_at: Some(now - TimeDelta::hours(hours)),
            rule: BaselineRule::BaseBranch,
            result: TestResult::Success,
            bugs: Vec::new(),
        };
        let (one, same, other) = (run("1a2b3c4d5", 5), run("1a2b3c4d5", 6), run("ffff", 72));
        assert_eq!(baselines_words(&[&one, &same], now).as_deref(), Some("main @ 1a2b3c4, 5 h ago"));
        assert_eq!(
            baselines_words(&[&one, &other], now).as_deref(),
            Some("main at 2 commits, 5 h ago to 3 d ago")
        );
        assert_eq!(baselines_words(&[], now), None);
    }
}
