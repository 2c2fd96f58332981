//! Runs: the attempts of jobs with their players, steps, artifacts and bugs.

use crate::model::run_report::{Attempt, Bug};

use super::ask::Ask;
use super::builds::tag_query;
use super::client::Api;
use super::error::ApiError;
use super::sieve::Sieve;
use super::wire;

/// Most runs of a list.
const MOST_RUNS: usize = 2_000;
/// Most bugs of a run.
const MOST_BUGS: usize = 2_000;
/// Bugs on a page.
const BUG_PAGE: u64 = 100;
/// Most pages of bugs; a service may show fewer on a page than it was asked for.
const MOST_BUG_PAGES: u64 = 100;

/// A run as the service last told it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunDetails {
    /// `multiplayer_run_id`.
    pub(crate) run_id: String,
    /// Project, for dashboard links.
    pub(crate) project_id: Option<String>,
    /// Job, when the generation knows jobs.
    pub(crate) job_id: Option<String>,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// Saved test.
    pub(crate) test_id: Option<String>,
    /// Its name.
    pub(crate) test_name: Option<String>,
    /// Plan execution.
    pub(crate) test_plan_execution_id: Option<String>,
    /// State, result, times, players, steps, artifacts and bug count; `bugs` is empty.
    pub(crate) attempt: Attempt,
}

/// Which runs to list; empty fields do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RunFilter {
    /// All of these; compared on our side too, since the oldest API has no such filter.
    pub(crate) tags: Vec<String>,
    /// Job.
    pub(crate) job_id: Option<String>,
    /// Plan execution.
    pub(crate) test_plan_execution_id: Option<String>,
    /// `running`, `completed` or `all`.
    pub(crate) state: Option<&'static str>,
}

/// The bugs of a run, from all pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bugs {
    /// At most 2,000.
    pub(crate) bugs: Vec<Bug>,
    /// How many there are, as far as the service says or shows.
    pub(crate) count: u64,
}

impl Api {
    /// `GET runs`, all pages (at most 2,000 runs); without steps and artifacts.
    pub(crate) async fn list_runs(&self, filter: &RunFilter) -> Result<Vec<RunDetails>, ApiError> {
        let execution = filter.test_plan_execution_id.as_deref();
        let job = filter.job_id.as_deref();
        let ask = Ask::get(&["runs"])
            .with("state", filter.state.unwrap_or_default())
            .with("job_id", job.unwrap_or_default())
            .with("test_plan_execution_id", execution.unwrap_or_default())
            .with("tags", tag_query(&filter.tags));
        let read = |value: &serde_json::Value| wire::run(value).map(|run| self.linked_run(run));
        let keep = |run: &RunDetails| {
            let same = |found: Option<&str>, wanted: Option<&str>| {
                wanted.is_none_or(|wanted| found.is_none_or(|found| found == wanted))
            };
            same(run.job_id.as_deref(), job)
                && same(run.test_plan_execution_id.as_deref(), execution)
                && filter.tags.iter().all(|tag| run.tags.contains(tag))
        };
        let sieve = Sieve { keep: &keep, made: |run| run.attempt.started_at };
        self.pages(&ask, &["data", "runs"], MOST_RUNS, read, sieve).await
    }

    /// `GET runs/{id}` with players, steps and artifacts.
    pub(crate) async fn run(&self, run_id: &str) -> Result<RunDetails, ApiError> {
        let ask = Ask::get(&["runs", run_id]);
        let run = self.ask(&ask, |answer| wire::run(&answer.json).ok_or_else(|| "no run".to_owned())).await?;
        Ok(self.linked_run(run))
    }

    /// `GET runs/{id}/bugs`, all pages (at most 2,000 bugs). What a page counts beyond them is in `count`.
    pub(crate) async fn bugs(&self, run_id: &str) -> Result<Bugs, ApiError> {
        let mut all: Vec<Bug> = Vec::new();
        let mut count = 0;
        for number in 0..MOST_BUG_PAGES {
            let ask = Ask::get(&["runs", run_id, "bugs"])
                .with("page", number.to_string())
                .with("page_size", BUG_PAGE.to_string());
            let page = self
                .ask(&ask, |answer| wire::bugs(&answer.json).ok_or_else(|| "no list of bugs".to_owned()))
                .await?;
            let shown = page.bugs.len();
            let before = all.len();
            // A service that does not know pages gives the first one for ever.
            let fresh = page
                .bugs
                .into_iter()
                .filter(|bug| bug.id.is_empty() || all.iter().all(|known| known.id != bug.id));
            let fresh: Vec<Bug> = fresh.collect();
            all.extend(fresh);
            let read = u64::try_from(all.len()).unwrap_or(u64::MAX);
            count = page.total.unwrap_or_default().max(count).max(read).max(page.left_out + read);
            let more = page.pages.is_some_and(|pages| pages > number + 1) || count > read;
            if !more || shown == 0 || all.len() == before || all.len() >= MOST_BUGS {
                break;
            }
        }
        all.truncate(MOST_BUGS);
        Ok(Bugs { bugs: all, count })
    }

    /// The run with dashboard links, where the project is known, and with addresses for artifacts that came without.
    fn linked_run(&self, mut run: RunDetails) -> RunDetails {
        // What the user set wins over what the service calls the project.
        let project = self.project_id().map(str::to_owned).or_else(|| run.project_id.clone());
        run.attempt.url = project.as_ref().map(|project| self.run_url(project, &run.run_id));
        for player in &mut run.attempt.players {
            if let Some(project) = project.as_ref().filter(|_| !player.id.is_empty()) {
                player.url = Some(self.player_url(project, &player.id));
            }
            for artifact in player.artifacts.iter_mut().filter(|artifact| artifact.url.is_empty()) {
                artifact.url = self.artifact_url(&player.id, &artifact.file_name).unwrap_or_default();
            }
        }
        run
    }
}
