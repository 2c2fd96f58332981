//! A job with its runs, players, steps and bugs: what the service tells, and what the report shows of it.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::baseline::{Baseline, CarriedOver, History};
use super::given::{GivenBuilds, SeenBuild};
use super::json_values;
use super::result::TestResult;
use super::units::Timestamp;

/// How a job stands on the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobStatus {
    /// Waits for a device.
    Queued,
    /// A device is being prepared.
    Starting,
    /// Under way.
    Running,
    /// Being stopped.
    Stopping,
    /// Ended, and its device is being cleaned.
    CleaningUp,
    /// Ended; it will not change any more.
    Completed,
    /// A word this version does not know, in upper case; empty when there was none.
    Unknown(String),
}

impl JobStatus {
    /// Reads the service's word, in upper case.
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "QUEUED" => Self::Queued,
            "STARTING" => Self::Starting,
            "RUNNING" => Self::Running,
            "STOPPING" => Self::Stopping,
            "CLEANING_UP" => Self::CleaningUp,
            "COMPLETED" => Self::Completed,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The service's word.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Queued => "QUEUED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::CleaningUp => "CLEANING_UP",
            Self::Completed => "COMPLETED",
            Self::Unknown(word) => word,
        }
    }
}

impl Serialize for JobStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for JobStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|word| Self::parse(&word))
    }
}

/// A job as the service tells it, with what we know of its start. In a report it is one test: a job, or one instance of it. While a job is followed, it has the runs of all its instances;
/// [`Job::tests`] tells them apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Job {
    /// Label of the run entry it belongs to.
    pub(crate) run: String,
    /// `false`: cannot fail the job.
    pub(crate) required: bool,
    /// The service's job id; for the oldest generation, where a run id takes its place, that run id.
    pub(crate) job_id: String,
    /// Saved test, when known.
    pub(crate) test_id: Option<String>,
    /// Name of the test, when known.
    pub(crate) test_name: Option<String>,
    /// Device the start named, for multi-device starts.
    pub(crate) device: Option<String>,
    /// Deployment configuration it was started with, when we started it.
    pub(crate) deployment_config: Option<String>,
    /// Tests that were asked of the job, when that is known.
    #[serde(skip)]
    pub(crate) instances: Option<usize>,
    /// Which of how many instances this is, from 1; `None` where the job is one test.
    #[serde(flatten, with = "json_values::Instance")]
    #[cfg_attr(test, schemars(with = "json_values::Instance"))]
    pub(crate) instance: Option<(usize, usize)>,
    /// Builds that we gave.
    pub(crate) given: GivenBuilds,
    /// Build that the job names.
    pub(crate) build_id: Option<String>,
    /// Why the service was not asked any more, when it was given up.
    pub(crate) lost: Option<String>,
    /// Last status read; `None` when the job was never read.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) status: Option<JobStatus>,
    /// The run that stands for it, where the service tells no jobs.
    pub(crate) run_id: Option<String>,
    /// Project, when the service says it.
    pub(crate) project_id: Option<String>,
    /// Plan execution it belongs to.
    pub(crate) test_plan_execution_id: Option<String>,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// Why the queue refused it.
    pub(crate) queue_rejection: Option<String>,
    /// Who stopped it, as the service says; `Some` also when only the fact is known.
    pub(crate) stopped_by: Option<String>,
    /// True when we asked the service to stop it.
    pub(crate) stopped_by_us: bool,
    /// When it was created.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) created_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) completed_at: Option<Timestamp>,
    /// Attempts, the deciding one last.
    pub(crate) attempts: Vec<Attempt>,
    /// What it is compared with; `None` when the service was not asked.
    pub(crate) baseline: Option<Baseline>,
    /// Earlier results of the same test; `None` when the service was not asked, or did not answer in time.
    pub(crate) history: Option<History>,
    /// Set when an earlier attempt of the same CI run started it.
    pub(crate) carried_over: Option<CarriedOver>,
}

impl Job {
    /// The attempt that decides: the one with the latest start.
    pub(crate) fn deciding(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Steps of the deciding run that did not succeed, in the order of its players.
    pub(crate) fn bad_steps(&self) -> Vec<(&Player, &Step)> {
        let Some(run) = self.deciding() else { return Vec::new() };
        run.players
            .iter()
            .flat_map(|player| player.steps.iter().map(move |step| (player, step)))
            .filter(|(_, step)| {
                !matches!(step.result, None | Some(TestResult::Success | TestResult::Skipped))
            })
            .collect()
    }

    /// True once the service will not change it any more.
    pub(crate) fn is_completed(&self) -> bool {
        self.status == Some(JobStatus::Completed)
    }

    /// Another build than the one we gave was tested: in words that name both.
    pub(crate) fn other_build(&self) -> Option<String> {
        let of_job = self.build_id.iter().map(|id| SeenBuild { player: None, id: id.clone() });
        let seen: Vec<SeenBuild> = of_job.collect();
        std::iter::once(seen.as_slice())
            .chain(self.attempts.iter().map(|run| run.builds.as_slice()))
            .find_map(|seen| self.given.other_build(seen))
    }

    /// What to call the job: its label and, where one test runs on several devices, the device.
    pub(crate) fn name(&self) -> String {
        match &self.device {
            Some(device) => format!("{} on {device}", self.label()),
            None => self.label(),
        }
    }

    /// The devices it ran on, as the start named them, else as its players do.
    pub(crate) fn devices(&self) -> String {
        if let Some(device) = &self.device {
            return device.clone();
        }
        let players = self.deciding().map_or(&[][..], |run| &run.players);
        let mut devices: Vec<&str> = players.iter().filter_map(|player| player.device.as_deref()).collect();
        devices.dedup();
        devices.join(", ")
    }

    /// The run's label and the test, or the test alone where the label says no more.
    pub(crate) fn label(&self) -> String {
        let title = self.title();
        let says_no_more =
            self.run.is_empty() || self.run == title || self.test_id.as_deref() == Some(self.run.as_str());
        let label = if says_no_more { title.to_owned() } else { format!("{} / {title}", self.run) };
        match self.instance {
            Some((number, of)) => format!("{label}, instance {number} of {of}"),
            None => label,
        }
    }

    /// What to call the test: its name, else its id, else the run's label.
    pub(crate) fn title(&self) -> &str {
        self.test_name.as_deref().or(self.test_id.as_deref()).unwrap_or(&self.run)
    }
}

/// One run of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Attempt {
    /// `multiplayer_run_id`.
    pub(crate) run_id: String,
    /// Dashboard link.
    pub(crate) url: Option<String>,
    /// Last state read, upper case.
    pub(crate) state: Option<String>,
    /// Result; `None` when the service gave none.
    pub(crate) result: Option<TestResult>,
    /// When it started.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) completed_at: Option<Timestamp>,
    /// As the service says, else from the two times.
    #[serde(rename = "duration_seconds", default, with = "json_values::some_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub(crate) duration: Option<Duration>,
    /// Players, with their steps; empty when run details could not be read.
    pub(crate) players: Vec<Player>,
    /// Bugs found in this run.
    pub(crate) bugs: Vec<Bug>,
    /// Bugs that the service counts, which may be known where the list is not, and more than the list has.
    pub(crate) bug_count: Option<u64>,
    /// Builds that the run says it tested.
    #[serde(flatten, with = "json_values::Builds")]
    #[cfg_attr(test, schemars(with = "json_values::Builds"))]
    pub(crate) builds: Vec<SeenBuild>,
    /// Why details or bugs are missing, when they are.
    pub(crate) unreadable: Option<String>,
}

impl Attempt {
    /// How far into the run that was, in seconds: where its recording shows it.
    pub(crate) fn second_of(&self, time: Timestamp) -> Option<u64> {
        u64::try_from((time - self.started_at?).num_seconds()).ok()
    }
}

impl Attempt {
    /// Where its downloaded files lie: artifacts and screenshots of bugs.
    pub(crate) fn saved_paths(&mut self) -> impl Iterator<Item = &mut Option<String>> {
        let artifacts = self.players.iter_mut().flat_map(|player| &mut player.artifacts);
        let screenshots = self.bugs.iter_mut().map(|bug| &mut bug.screenshot_saved_as);
        artifacts.map(|artifact| &mut artifact.saved_as).chain(screenshots)
    }
}

/// One player of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Player {
    /// Composite run id, the folder of its artifacts.
    pub(crate) id: String,
    /// As the service numbers it.
    pub(crate) number: u64,
    /// Dashboard link.
    pub(crate) url: Option<String>,
    /// Device or platform label.
    pub(crate) device: Option<String>,
    /// Last state read, upper case.
    pub(crate) state: Option<String>,
    /// Its own result.
    pub(crate) result: Option<TestResult>,
    /// Its steps.
    pub(crate) steps: Vec<Step>,
    /// Its artifacts.
    pub(crate) artifacts: Vec<Artifact>,
    /// Steps that were dropped because there were too many to hold.
    pub(crate) steps_left_out: usize,
    /// Last lines of its device log, where that was downloaded.
    pub(crate) log_tail: Option<String>,
}

impl Player {
    /// Its device log, or the log that comes closest.
    pub(crate) fn device_log(&self) -> Option<&Artifact> {
        let named = |words: &[&str]| {
            self.artifacts.iter().find(|artifact| {
                let name = artifact.file_name.to_ascii_lowercase();
                let text = [".log", ".txt"].iter().any(|extension| name.ends_with(extension));
                text && words.iter().all(|word| name.contains(word))
            })
        };
        named(&["device", "log"]).or_else(|| named(&["log"]))
    }
}

/// One step of a player.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Step {
    /// As the service numbers it.
    pub(crate) number: u64,
    /// What the agent had to do.
    #[serde(serialize_with = "json_values::text")]
    pub(crate) goal: String,
    /// State, upper case.
    pub(crate) state: Option<String>,
    /// Its result.
    pub(crate) result: Option<TestResult>,
    /// The agent's words.
    #[serde(serialize_with = "json_values::some_text")]
    pub(crate) report: Option<String>,
    /// When it began.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) ended_at: Option<Timestamp>,
    /// How long it took.
    #[serde(rename = "duration_seconds", default, with = "json_values::some_seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub(crate) duration: Option<Duration>,
    /// Single checks of the step.
    pub(crate) items: Vec<StepItem>,
}

/// One check of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct StepItem {
    /// Such as `1a`.
    pub(crate) id: String,
    /// What was expected.
    #[serde(serialize_with = "json_values::text")]
    pub(crate) expected: String,
    /// `passed`, `failed`, ... as the service says.
    pub(crate) status: String,
    /// The agent's comment.
    #[serde(serialize_with = "json_values::some_text")]
    pub(crate) comment: Option<String>,
}

/// A file the run left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Artifact {
    /// Name as the service gives it; not safe as a path.
    pub(crate) file_name: String,
    /// Link (needs the API key).
    pub(crate) url: String,
    /// Size, when known.
    pub(crate) size_bytes: Option<u64>,
    /// Path of the downloaded copy, relative to the results folder, with `/`.
    pub(crate) saved_as: Option<String>,
}

/// Severity of a bug, worst last. Unknown words rank as the worst, so that a gate never misses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Severity {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// The agent's confidence in a bug, best last. Unknown words rank as the best, so that a gate never misses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Confidence {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
}

/// A bug the agent found in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Bug {
    /// Id of the occurrence.
    pub(crate) id: String,
    /// Id of the bug, shared by its occurrences; falls back to the occurrence's id.
    pub(crate) bug_id: String,
    /// Title.
    #[serde(serialize_with = "json_values::text")]
    pub(crate) title: String,
    /// Description.
    #[serde(serialize_with = "json_values::some_text")]
    pub(crate) description: Option<String>,
    /// `ui`, `gameplay`, `performance`, `crash`, `audio`, `visual`, ... as given.
    pub(crate) category: Option<String>,
    /// Severity as given (see [`Bug::severity_rank`]).
    pub(crate) severity: Option<String>,
    /// Confidence as given (see [`Bug::confidence_rank`]).
    pub(crate) confidence: Option<String>,
    /// How to reproduce it.
    #[serde(serialize_with = "json_values::some_text")]
    pub(crate) reproduction_steps: Option<String>,
    /// As the service numbers it.
    pub(crate) player_number: Option<u64>,
    /// Step it was found in, as the service names it.
    pub(crate) test_step: Option<String>,
    /// When.
    #[serde(default, with = "json_values::some_time")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) detected_at: Option<Timestamp>,
    /// Screenshot.
    pub(crate) screenshot_url: Option<String>,
    /// Path of its downloaded copy, relative to the results folder, with `/`.
    pub(crate) screenshot_saved_as: Option<String>,
}

impl Bug {
    /// Severity for gates and sorting; unknown or missing counts as critical.
    pub(crate) fn severity_rank(&self) -> Severity {
        match self.severity.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("low") => Severity::Low,
            Some("medium") => Severity::Medium,
            Some("high") => Severity::High,
            _ => Severity::Critical,
        }
    }

    /// Confidence for gates and sorting; unknown or missing counts as high.
    pub(crate) fn confidence_rank(&self) -> Confidence {
        match self.confidence.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("low") => Confidence::Low,
            Some("medium") => Confidence::Medium,
            _ => Confidence::High,
        }
    }
}
