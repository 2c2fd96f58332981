//! What the service remembers of the tests that have just ended: their baselines, and the history of those that fail or are flaky.
//! Read once, after the last result and before the verdict; bounded in time; whatever goes wrong, the job goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::iter;
use tokio::time::{Instant, timeout_at};

use crate::api::{Api, ApiError};
use crate::ci;
use crate::model::TestResult;
use crate::model::baseline::{Baseline, BaselineRun, History, KnownBug};
use crate::model::job::Job;

use super::context::{Context, longest_silence};
use super::past_jobs::{Base, HISTORY, PastJob, Wanted, base_of, choose, device_of, finished, history, sort};
use super::place_tags::{Line, commit_tag, place_tag, weeks_back};
use super::run_state::RunState;
use super::tracked_job::Tracked;

/// Time for everything.
const LIMIT: Duration = Duration::from_secs(10);
/// How far back a baseline may lie.
const WEEKS: i64 = 8;
/// Tests that are looked up at once.
const AT_ONCE: usize = 8;
/// Failures of a history whose steps are read.
const MOST_STEPS_READ: usize = 5;

/// One test with one deployment configuration, and its jobs.
struct Question {
    place: String,
    test: String,
    jobs: Vec<Asked>,
}

/// One job of a question.
struct Asked {
    index: usize,
    /// Where one start runs on several devices, only the same device is compared with.
    device: Option<String>,
    history: bool,
    failed: bool,
}

/// What was found for a question.
struct Found {
    question: Question,
    past: Vec<PastJob>,
    /// Weeks that are still to be looked at.
    weeks: Vec<String>,
    /// True when a list was longer than is read.
    cut: bool,
    trouble: Option<String>,
    /// Bugs of each chosen job, by its id.
    bugs: BTreeMap<String, Result<Vec<KnownBug>, String>>,
}

/// Everything that questions share.
struct Lookup<'a> {
    api: Api,
    base: &'a Base,
    weeks: Vec<String>,
    own_tags: Vec<String>,
    own_jobs: BTreeSet<String>,
    /// Everything there is, where the service ignores filters.
    unfiltered: Mutex<Option<Arc<Vec<Job>>>>,
    /// Runs of the base's own commit, by place.
    of_commit: BTreeMap<String, Arc<Vec<Job>>>,
}

/// Gives every job its baseline, and those that fail or are flaky their history.
pub(super) async fn look_back(ctx: &Context, state: &mut RunState) {
    read(ctx, &mut state.jobs).await;
    tell_trouble(ctx, state);
}

/// The same for jobs of which nothing is told yet.
pub(super) async fn read(ctx: &Context, jobs: &mut [Tracked]) {
    let on_ci = ctx.host.kind() != ci::Kind::None;
    let base = match base_of(&ctx.plan.baseline, &ctx.host.revision(), on_ci) {
        Ok(None) => return,
        Ok(Some(base)) => base,
        Err(why) => {
            for tracked in jobs {
                tracked.report.baseline = Some(Baseline::Absent(why.clone()));
            }
            return;
        }
    };
    let deadline = Instant::now() + LIMIT;
    let questions = questions(jobs, &base);
    if questions.is_empty() {
        return;
    }
    tokio::select! {
        biased;
        () = ctx.cancel.token().cancelled() => {}
        () = ask(ctx, jobs, &base, questions, deadline) => {}
    }
}

/// One question for each test and configuration. A job that says nothing of the product asks for nothing.
fn questions(jobs: &mut [Tracked], base: &Base) -> Vec<Question> {
    let mut by_test: BTreeMap<(String, String), Vec<Asked>> = BTreeMap::new();
    for (index, tracked) in jobs.iter_mut().enumerate().filter(|(_, tracked)| is_worth_it(tracked)) {
        let report = &mut tracked.report;
        let Some(test) = report.test_id.clone() else {
            report.baseline = Some(Baseline::Absent("the service does not say which test it is".to_owned()));
            continue;
        };
        if tracked.configuration.is_empty() {
            let why = "it is not known with which deployment configuration the job was started";
            report.baseline = Some(Baseline::Absent(why.to_owned()));
            continue;
        }
        let place = place_tag(&base.repository, Line::Branch(&base.branch), &tracked.configuration);
        let runs = report.deciding_runs();
        let failed = runs.iter().any(|run| run.result == Some(TestResult::Failed));
        let device =
            report.device.as_ref().map(|_| runs.iter().find_map(|run| device_of(run)).unwrap_or_default());
        let flaky = report.attempts.len() > runs.len();
        by_test.entry((place, test)).or_default().push(Asked {
            index,
            device,
            history: failed || flaky,
            failed,
        });
    }
    by_test.into_iter().map(|((place, test), jobs)| Question { place, test, jobs }).collect()
}

fn is_worth_it(tracked: &Tracked) -> bool {
    let verdict =
        |result: &Option<TestResult>| matches!(result, Some(TestResult::Success | TestResult::Failed));
    tracked.report.is_completed()
        && tracked.report.deciding_runs().iter().any(|run| verdict(&run.result) || !run.bugs.is_empty())
}

/// Asks for everything until it is known, or the time is over. What was answered in time is kept.
async fn ask(ctx: &Context, jobs: &mut [Tracked], base: &Base, questions: Vec<Question>, deadline: Instant) {
    for asked in questions.iter().flat_map(|question| &question.jobs) {
        let why = format!("the service did not answer within {} s", LIMIT.as_secs());
        jobs[asked.index].report.baseline = Some(Baseline::Unreadable(why));
    }
    let limit = longest_silence(&ctx.plan).map_or(LIMIT, |silence| silence.min(LIMIT));
    let mut lookup = Lookup {
        api: ctx.api.clone().for_at_most(Some(limit)),
        base,
        weeks: weeks_back(chrono::Utc::now(), WEEKS),
        own_tags: ctx.records.run.iter().cloned().chain([ctx.records.invocation.clone()]).collect(),
        own_jobs: jobs.iter().map(|tracked| tracked.report.job_id.clone()).collect(),
        unfiltered: Mutex::new(None),
        of_commit: BTreeMap::new(),
    };
    if timeout_at(deadline, lookup.read_commit(&questions)).await.is_err() {
        return;
    }
    let lookup = &lookup;
    let mut found = Vec::new();
    // The first by itself: where the service ignores filters, its list is enough for all.
    let mut questions = questions.into_iter();
    let first = iter(questions.next()).then(|question| lookup.baseline(question));
    let rest = iter(questions.map(|question| lookup.baseline(question))).buffer_unordered(AT_ONCE);
    let mut answers = Box::pin(first.chain(rest));
    while let Ok(Some(answer)) = timeout_at(deadline, answers.next()).await {
        for asked in &answer.question.jobs {
            jobs[asked.index].report.baseline = Some(answer.baseline_of(asked, base));
        }
        found.push(answer);
    }
    let wanted = found.into_iter().filter(|found| found.question.jobs.iter().any(|asked| asked.history));
    let mut histories = iter(wanted.map(|found| lookup.histories(found))).buffer_unordered(AT_ONCE);
    while let Ok(Some(answers)) = timeout_at(deadline, histories.next()).await {
        for (index, history) in answers {
            jobs[index].report.history = history;
        }
    }
}

/// Whoever reads the report has to know that something is missing in it.
fn tell_trouble(ctx: &Context, state: &mut RunState) {
    let why = |tracked: &Tracked| match &tracked.report.baseline {
        Some(Baseline::Unreadable(why)) => Some(why.clone()),
        _ => None,
    };
    let all: Vec<String> = state.jobs.iter().filter_map(why).collect();
    let Some(first) = all.first() else { return };
    let what = if all.len() == 1 {
        "the baseline of 1 job".to_owned()
    } else {
        format!("the baselines of {} jobs", all.len())
    };
    let warning = format!("{what} could not be read, so what is new cannot be said there: {first}");
    ctx.log.warn(&warning);
    state.warnings.push(warning);
}

impl Lookup<'_> {
    /// The runs of the base's own commit, of all tests of a place at once: where they are there, no week is looked at.
    async fn read_commit(&mut self, questions: &[Question]) {
        let Some(commit) = self.base.commit.as_deref().and_then(commit_tag) else { return };
        let places: BTreeSet<&str> = questions.iter().map(|question| question.place.as_str()).collect();
        for place in places {
            // Whatever goes wrong here, the weeks tell the same.
            if let Ok((runs, _)) = self.list(&[place.to_owned(), commit.clone()], None).await {
                self.of_commit.insert(place.to_owned(), runs);
            }
        }
    }

    /// One list, and whether it is cut.
    async fn list(&self, tags: &[String], test: Option<&str>) -> Result<(Arc<Vec<Job>>, bool), ApiError> {
        if let Some(all) = self.everything() {
            let cut = all.len() >= Api::MOST_RUNS;
            return Ok((all, cut));
        }
        let runs = Arc::new(self.api.past_runs(tags, test).await?);
        let fits = |run: &Job| tags.iter().all(|tag| run.tags.contains(tag));
        let other_test = |run: &Job| test.is_some_and(|test| run.test_id.as_deref() != Some(test));
        if runs.iter().any(|run| !fits(run)) && (test.is_none() || runs.iter().any(other_test)) {
            *self.unfiltered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&runs));
        }
        let cut = runs.len() >= Api::MOST_RUNS;
        Ok((runs, cut))
    }

    fn everything(&self) -> Option<Arc<Vec<Job>>> {
        self.unfiltered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn finished(&self, question: &Question, runs: &[Job]) -> Vec<PastJob> {
        finished(
            runs,
            Wanted {
                test: &question.test,
                place: &question.place,
                weeks: &self.weeks,
                own_tags: &self.own_tags,
                own_jobs: &self.own_jobs,
            },
        )
    }

    /// Looks for the baselines of a question, the newest week first, and reads their bugs.
    async fn baseline(&self, question: Question) -> Found {
        let known = self.of_commit.get(&question.place).map(|runs| self.finished(&question, runs));
        let mut found = Found {
            past: known.unwrap_or_default(),
            question,
            weeks: self.weeks.iter().rev().cloned().collect(),
            cut: false,
            trouble: None,
            bugs: BTreeMap::new(),
        };
        let enough = |found: &Found| {
            let mut jobs = found.question.jobs.iter();
            jobs.all(|asked| choose(&found.past, self.base, asked.device.as_deref()).is_some())
        };
        self.look_at_weeks(&mut found, enough).await;
        let chosen: BTreeMap<String, PastJob> = found
            .question
            .jobs
            .iter()
            .filter_map(|asked| choose(&found.past, self.base, asked.device.as_deref()))
            .map(|(job, _)| (job.job_id.clone(), job.clone()))
            .collect();
        for (id, job) in chosen {
            let bugs = self.bugs(&job).await;
            found.bugs.insert(id, bugs);
        }
        found
    }

    /// Looks at weeks until it is enough, or something goes wrong.
    async fn look_at_weeks(&self, found: &mut Found, enough: impl Fn(&Found) -> bool) {
        while !enough(found) {
            let Some(week) = found.weeks.pop() else { return };
            let tags = [found.question.place.clone(), week];
            let (runs, cut) = match self.list(&tags, Some(&found.question.test)).await {
                Ok(listed) => listed,
                Err(error) => {
                    found.trouble = Some(error.to_string());
                    return;
                }
            };
            found.cut |= cut;
            let more = self.finished(&found.question, &runs);
            let known: BTreeSet<String> = found.past.iter().map(|job| job.job_id.clone()).collect();
            found.past.extend(more.into_iter().filter(|job| !known.contains(&job.job_id)));
            sort(&mut found.past);
            // A list that ignores the week holds all of them.
            if self.everything().is_some() {
                found.weeks.clear();
            }
        }
    }

    /// The distinct bugs of a job; nothing is asked where the service counts none.
    async fn bugs(&self, job: &PastJob) -> Result<Vec<KnownBug>, String> {
        let mut all: BTreeMap<String, KnownBug> = BTreeMap::new();
        for run in job.runs.iter().filter(|run| run.bug_count != Some(0)) {
            let read = self.api.bugs(&run.run_id).await.map_err(|error| error.to_string())?;
            let count = read.count.max(run.bug_count.unwrap_or_default());
            if u64::try_from(read.bugs.len()).is_ok_and(|shown| shown < count) {
                return Err(format!(
                    "the service shows {} of {count} bugs of run {}",
                    read.bugs.len(),
                    run.run_id
                ));
            }
            for bug in read.bugs {
                let known = KnownBug { bug_id: bug.bug_id.clone(), title: bug.title, severity: bug.severity };
                all.entry(bug.bug_id).or_insert(known);
            }
        }
        Ok(all.into_values().collect())
    }

    /// The histories of a question's jobs; silent when something goes wrong.
    async fn histories(&self, mut found: Found) -> Vec<(usize, Option<History>)> {
        self.look_at_weeks(&mut found, |found| found.past.len() >= HISTORY).await;
        let mut histories = Vec::new();
        for asked in found.question.jobs.iter().filter(|asked| asked.history) {
            let mut past = history(&found.past, &self.base.branch, asked.device.as_deref());
            if let Some(past) = past.as_mut().filter(|_| asked.failed) {
                self.read_failing_steps(past).await;
            }
            histories.push((asked.index, past));
        }
        histories
    }

    /// Where the few failures of a history happened: all of one step, or each time another.
    async fn read_failing_steps(&self, history: &mut History) {
        let failed = history.results.iter_mut().filter(|past| past.result == Some(TestResult::Failed));
        let failed: Vec<_> = failed.collect();
        if failed.len() > MOST_STEPS_READ {
            return;
        }
        join_all(failed.into_iter().map(|past| async {
            let Ok(run) = self.api.run(&past.run_id).await else { return };
            past.failing_step = run.bad_steps().first().map(|(_, step)| step.goal.clone());
        }))
        .await;
    }
}

impl Found {
    fn baseline_of(&self, asked: &Asked, base: &Base) -> Baseline {
        let Some((job, rule)) = choose(&self.past, base, asked.device.as_deref()) else {
            return match &self.trouble {
                Some(why) => Baseline::Unreadable(why.clone()),
                None if self.cut => {
                    Baseline::Unreadable("the service lists more runs than can be read".to_owned())
                }
                None => Baseline::Absent(why_absent(asked, base)),
            };
        };
        let bugs = match self.bugs.get(&job.job_id) {
            Some(Ok(bugs)) => bugs.clone(),
            Some(Err(why)) => return Baseline::Unreadable(why.clone()),
            None => Vec::new(),
        };
        let (Some(run), Some(result)) = (job.run(), job.result.clone()) else {
            return Baseline::Absent(why_absent(asked, base));
        };
        Baseline::Found(Box::new(BaselineRun {
            job_id: job.job_id.clone(),
            run_id: run.run_id.clone(),
            url: run.url.clone(),
            branch: base.branch.clone(),
            commit: job.commit.clone(),
            finished_at: job.finished_at,
            rule,
            result,
            bugs,
        }))
    }
}

fn why_absent(asked: &Asked, base: &Base) -> String {
    let device = if asked.device.is_some() { ", this device" } else { "" };
    format!(
        "no run of {} in the last {WEEKS} weeks passed or failed with this test{device} and this deployment configuration",
        base.branch
    )
}
