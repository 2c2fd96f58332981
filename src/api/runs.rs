//! Runs: the attempts of jobs with their players, steps, artifacts and bugs.

use serde_json::Value;

use crate::model::TestResult;
use crate::model::given::SeenBuild;
use crate::model::job::{Artifact, Attempt, Job, JobStatus, Player, Step, StepItem};

use super::builds::tag_query;
use super::client::Api;
use super::error::ApiError;
use super::json::{Fields, clip};
use super::list_filter::ListFilter;
use super::request::ApiRequest;

/// Most runs of a list.
const MOST_RUNS: usize = 2_000;
/// Most players of a run.
const MOST_PLAYERS: usize = 64;
/// Most steps of a player.
const MOST_STEPS: usize = 2_000;
/// Most items of a step.
const MOST_ITEMS: usize = 200;
/// Most artifacts of a player.
const MOST_ARTIFACTS: usize = 1_000;

impl Api {
    /// `GET runs`, all pages of those that carry the tag (at most 2,000 runs); without steps and artifacts. The tag is compared on our
    /// side too, since the oldest service has no such filter.
    pub(super) async fn list_runs(&self, tag: &str) -> Result<Vec<Job>, ApiError> {
        let request = ApiRequest::get(&["runs"]).with("tags", tag_query(&[tag]));
        let keep = |run: &Job| run.tags.iter().any(|found| found == tag);
        let wanted = ListFilter { keep: &keep, made: |run| run.attempts.first()?.started_at };
        let read = |value: &Value| run(value).map(|run| self.linked_run(run));
        self.pages(&request, &["data", "runs"], MOST_RUNS, read, wanted).await
    }

    /// Most runs of a list.
    pub(crate) const MOST_RUNS: usize = MOST_RUNS;

    /// `GET runs`, all pages of those that carry all the tags, and of one test where it is named (at most [`Self::MOST_RUNS`]): as the
    /// service gives them. The oldest has no such filters and gives everything.
    pub(crate) async fn past_runs(&self, tags: &[String], test: Option<&str>) -> Result<Vec<Job>, ApiError> {
        let request = ApiRequest::get(&["runs"])
            .with("tags", tag_query(tags))
            .with("multiplayer_test_id", test.unwrap_or_default());
        let read = |value: &Value| run(value).map(|run| self.linked_run(run));
        self.pages(&request, &["data", "runs"], MOST_RUNS, read, ListFilter::ALL).await
    }

    /// `GET runs/{id}` with players, steps and artifacts.
    pub(crate) async fn run(&self, run_id: &str) -> Result<Job, ApiError> {
        let request = ApiRequest::get(&["runs", run_id]);
        let run = self.send(&request, |answer| run(&answer.json).ok_or_else(|| "no run".to_owned())).await?;
        Ok(self.linked_run(run))
    }

    /// The run with dashboard links, where the project is known, and with addresses for artifacts that came without.
    fn linked_run(&self, mut run: Job) -> Job {
        // What the user set wins over what the service calls the project.
        let project = self.project_id().map(str::to_owned).or_else(|| run.project_id.clone());
        for attempt in &mut run.attempts {
            attempt.url = project.as_ref().map(|project| self.run_url(project, &attempt.run_id));
            for player in &mut attempt.players {
                if let Some(project) = project.as_ref().filter(|_| !player.id.is_empty()) {
                    player.url = Some(self.player_url(project, &player.id));
                }
                for artifact in player.artifacts.iter_mut().filter(|artifact| artifact.url.is_empty()) {
                    artifact.url = self.artifact_url(&player.id, &artifact.file_name).unwrap_or_default();
                }
            }
        }
        run
    }
}

/// A run, bare or wrapped in `run` or `data`, as the job that it stands for: with itself as the one attempt, whose `bugs` are empty.
/// `None` without an id. Links are not filled in.
pub(super) fn run(value: &Value) -> Option<Job> {
    let fields = unwrap(Fields::of(value))?;
    let run_id = fields.text(&["multiplayer_run_id", "run_id", "id"])?;
    let test = fields.object(&["test"]);
    let attempt = Attempt {
        players: fields.list(&["players"]).iter().take(MOST_PLAYERS).map(player).collect(),
        bug_count: fields.object(&["bug_info"]).count(&["bug_count"]),
        builds: builds(fields),
        ..attempt(fields, run_id.clone())
    };
    Some(Job {
        job_id: fields.text(&["job_id"]).unwrap_or_else(|| run_id.clone()),
        run_id: Some(run_id),
        // The oldest generation knows `initializing`, `running` and `completed` only.
        status: Some(match attempt.state.as_deref() {
            Some("COMPLETED") => JobStatus::Completed,
            Some("INITIALIZING") => JobStatus::Starting,
            _ => JobStatus::Running,
        }),
        project_id: fields.text(&["project_id"]),
        tags: fields.tags(),
        test_id: test.text(&["id"]).or_else(|| fields.text(&["multiplayer_test_id"])),
        test_name: test.text(&["name"]).or_else(|| fields.text(&["test_name"])),
        test_plan_execution_id: fields.text(&["test_plan_execution_id"]),
        completed_at: attempt.completed_at,
        attempts: vec![attempt],
        ..Job::default()
    })
}

fn unwrap(fields: Fields<'_>) -> Option<Fields<'_>> {
    [fields, fields.object(&["run"]), fields.object(&["data"])]
        .into_iter()
        .find(|fields| fields.text(&["multiplayer_run_id", "run_id"]).is_some())
}

/// The builds that the run names: of the whole run, and as the main app of its players.
fn builds(fields: Fields<'_>) -> Vec<SeenBuild> {
    let whole = fields.object(&["build"]).text(&["id", "build_id"]).or_else(|| fields.text(&["build_id"]));
    let main = |app: Fields<'_>| app.word(&["role"]).is_none_or(|role| role == "MAIN");
    let of_apps = fields.list(&["apps"]).iter().take(MOST_PLAYERS).map(Fields::of).filter(|app| main(*app));
    let of_apps = of_apps.filter_map(|app| {
        Some(SeenBuild { player: app.count(&["player_number"]), id: app.text(&["build_id"])? })
    });
    whole.into_iter().map(|id| SeenBuild { player: None, id }).chain(of_apps).collect()
}

/// What jobs and runs say alike about an attempt.
pub(super) fn attempt(fields: Fields<'_>, run_id: String) -> Attempt {
    let started_at = fields.time(&["started_at"]);
    let completed_at = fields.time(&["completed_at"]);
    let between = || (completed_at? - started_at?).to_std().ok();
    Attempt {
        run_id,
        url: None,
        state: fields.word(&["state", "status"]),
        result: result(fields, &["result"]),
        started_at,
        completed_at,
        duration: fields.millis(&["duration_ms"]).or_else(between),
        players: Vec::new(),
        bugs: Vec::new(),
        bug_count: None,
        builds: Vec::new(),
        unreadable: None,
    }
}

/// A result of any spelling; what is no word at all is kept as an unknown one.
fn result(fields: Fields<'_>, names: &[&str]) -> Option<TestResult> {
    let value = fields.value(names)?;
    match value.as_str() {
        Some("") => None,
        Some(word) => Some(TestResult::parse(&clip(word, 200))),
        None => Some(TestResult::Unknown(clip(&value.to_string(), 200))),
    }
}

fn player(value: &Value) -> Player {
    let fields = Fields::of(value);
    let all = fields.list(&["steps"]);
    let steps = keep(all);
    Player {
        id: fields.text(&["id", "composite_run_id"]).unwrap_or_default(),
        number: fields.count(&["player_number"]).unwrap_or_default(),
        url: None,
        device: device(fields),
        state: fields.word(&["state"]),
        result: result(fields, &["result"]),
        steps_left_out: all.len() - steps.len(),
        log_tail: None,
        steps,
        artifacts: fields.list(&["artifacts"]).iter().take(MOST_ARTIFACTS).filter_map(artifact).collect(),
    }
}

/// The steps to keep, in order: when there are too many, those that did not succeed come before those that did.
fn keep(all: &[Value]) -> Vec<Step> {
    if all.len() <= MOST_STEPS {
        return all.iter().map(step).collect();
    }
    let succeeded = |value: &&Value| result(Fields::of(value), &["run_result"]) == Some(TestResult::Success);
    let others = all.iter().filter(|value| !succeeded(value)).count().min(MOST_STEPS);
    let (mut bad, mut good) = (others, MOST_STEPS - others);
    all.iter()
        .filter(|value| {
            let room = if succeeded(value) { &mut good } else { &mut bad };
            let keep = *room > 0;
            *room -= usize::from(keep);
            keep
        })
        .map(step)
        .collect()
}

fn step(value: &Value) -> Step {
    let fields = Fields::of(value);
    let test = fields.object(&["test"]);
    let started_at = fields.time(&["start_time", "started_at"]);
    let ended_at = fields.time(&["end_time", "completed_at"]);
    let between = || (ended_at? - started_at?).to_std().ok();
    Step {
        number: fields.count(&["step_number"]).unwrap_or_default(),
        goal: test.text(&["goal", "name"]).or_else(|| fields.text(&["goal"])).unwrap_or_default(),
        state: fields.word(&["run_state", "state"]),
        result: result(fields, &["run_result", "result"]),
        report: fields.text(&["report"]),
        started_at,
        ended_at,
        duration: fields.millis(&["duration_ms"]).or_else(between),
        items: fields.list(&["items"]).iter().take(MOST_ITEMS).map(item).collect(),
    }
}

fn item(value: &Value) -> StepItem {
    let fields = Fields::of(value);
    StepItem {
        id: fields.text(&["id"]).unwrap_or_default(),
        expected: fields.text(&["expected"]).unwrap_or_default(),
        status: fields.text(&["status"]).unwrap_or_default(),
        comment: fields.text(&["comment"]),
    }
}

fn artifact(value: &Value) -> Option<Artifact> {
    let fields = Fields::of(value);
    Some(Artifact {
        file_name: fields.text(&["filename", "file_name", "name"])?,
        url: fields.text(&["url"]).unwrap_or_default(),
        size_bytes: fields.count(&["size", "file_size"]),
        saved_as: None,
    })
}

/// A label from any of the shapes a platform has had: text, `{type, device}` or `{kind, config: {device}}`.
fn device(fields: Fields<'_>) -> Option<String> {
    if let Some(label) = fields.text(&["platform"]) {
        return Some(label);
    }
    let platform = fields.object(&["platform"]);
    let inner = platform.object(&["config"]).object(&["device"]);
    let kind = platform.text(&["kind", "type"]);
    let name = inner
        .text(&["name", "model"])
        .or_else(|| platform.text(&["device"]))
        .or_else(|| platform.object(&["device"]).text(&["name", "model"]));
    let system = kind.map(|kind| in_words(&kind).map_or(kind, str::to_owned));
    let label = match (name, inner.text(&["os_version"]), system) {
        (Some(name), Some(version), Some(system)) => Some(format!("{name} ({system} {version})")),
        (Some(name), Some(version), None) => Some(format!("{name} ({version})")),
        (Some(name), None, _) => Some(name),
        (None, _, system) => system,
    };
    label.map(|label| clip(&label, 200))
}

/// What people call the system of a kind of platform, such as `android-native`.
fn in_words(kind: &str) -> Option<&'static str> {
    let known = [
        ("android", "Android"),
        ("ios", "iOS"),
        ("windows", "Windows"),
        ("macos", "macOS"),
        ("linux", "Linux"),
    ];
    let family = kind.split(['-', '_']).next().unwrap_or(kind);
    known.into_iter().find(|(word, _)| family.eq_ignore_ascii_case(word)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{Fields, MOST_STEPS, device, run};
    use crate::model::TestResult;

    fn fixture(name: &str) -> Value {
        let path = format!("{}/tests/fixtures/api/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn reads_the_oldest_run() {
        let run = run(&fixture("run-v1")).unwrap();
        assert_eq!(run.run_id.as_deref(), Some("1g20ccrgksb"));
        assert_eq!((run.job_id.as_str(), run.test_name.as_deref()), ("1g20ccrgksb", Some("Tutorial")));
        assert_eq!(run.attempts[0].state.as_deref(), Some("COMPLETED"));
        assert_eq!(run.attempts[0].result, Some(TestResult::Failed));
        assert_eq!(run.attempts[0].bug_count, Some(2));
        let player = &run.attempts[0].players[0];
        assert_eq!((player.id.as_str(), player.number), ("ab12cd34ef56", 0));
        assert_eq!(player.device.as_deref(), Some("Pixel 6"));
        assert_eq!(player.steps[1].result, Some(TestResult::Failed));
        assert_eq!(player.steps[1].report.as_deref(), Some("the door stayed shut"));
    }

    #[test]
    fn reads_the_newest_run_bare_and_wrapped() {
        let bare = fixture("run-v5");
        for value in [json!({"run": bare}), json!({"data": bare}), bare.clone()] {
            let run = run(&value).unwrap();
            assert_eq!(run.run_id.as_deref(), Some("lkkg6t5612m"));
            assert_eq!(run.project_id.as_deref(), Some("test"));
            assert_eq!(run.attempts[0].result, Some(TestResult::Unknown("PARTIAL".to_owned())));
            assert_eq!(run.attempts[0].duration, Some(Duration::from_millis(240_660)));
            let player = &run.attempts[0].players[0];
            assert_eq!((player.id.as_str(), player.number), ("lkkg6t5612m-1", 1));
            assert_eq!(player.device.as_deref(), Some("Pixel 8 (Android 14)"));
            assert_eq!(player.steps[0].items[0].id, "1a");
            assert_eq!(player.artifacts[0].size_bytes, Some(1234));
        }
    }

    #[test]
    fn reads_which_builds_were_tested() {
        let value = json!({"multiplayer_run_id": "r", "build": {"id": "b0"}, "apps": [
            {"role": "main", "player_number": 1, "build_id": "b1"}, {"role": "extra", "extra_app_number": 1, "build_id": "x"},
            {"role": "main", "player_number": 2, "build_id": null}, {"role": "main", "build_id": "b3"}]});
        let builds = run(&value).unwrap().attempts[0].builds.clone();
        let seen: Vec<_> = builds.iter().map(|seen| (seen.player, seen.id.as_str())).collect();
        assert_eq!(seen, [(None, "b0"), (Some(1), "b1"), (None, "b3")]);
        for value in
            [json!({"build": null, "apps": null}), json!({"build": {"id": null}, "apps": []}), json!({})]
        {
            let mut value = value;
            value["multiplayer_run_id"] = json!("r");
            assert!(run(&value).unwrap().attempts[0].builds.is_empty(), "{value}");
        }
    }

    #[test]
    fn names_devices_in_every_shape() {
        for (platform, want) in [
            (json!("lt_phone"), Some("lt_phone")),
            (json!({"type": "android", "device": "Pixel 6"}), Some("Pixel 6")),
            (json!({"type": "windows"}), Some("Windows")),
            (
                json!({"kind": "android-native", "config": {"device": {"name": "Pixel 8", "os_version": "14"}}}),
                Some("Pixel 8 (Android 14)"),
            ),
            (json!({"kind": "browser", "config": null}), Some("browser")),
            (json!(null), None),
            (json!([]), None),
        ] {
            let value = json!({"platform": platform});
            assert_eq!(device(Fields::of(&value)).as_deref(), want, "{platform}");
        }
    }

    #[test]
    fn keeps_failing_steps_of_a_million() {
        let steps: Vec<Value> = (0..5_000)
            .map(|number| json!({"step_number": number, "run_result": if number >= 4_000 { "FAILED" } else { "SUCCESS" }}))
            .collect();
        let run = run(&json!({"multiplayer_run_id": "r", "players": [{"id": "p", "steps": steps}]})).unwrap();
        let player = &run.attempts[0].players[0];
        assert_eq!((player.steps.len(), player.steps_left_out), (MOST_STEPS, 5_000 - MOST_STEPS));
        let failed = player.steps.iter().filter(|step| step.result == Some(TestResult::Failed)).count();
        assert_eq!(failed, 1_000);
        assert!(player.steps.is_sorted_by_key(|step| step.number));
    }

    #[test]
    fn holds_a_bounded_part_of_endless_words() {
        let value =
            json!({"multiplayer_run_id": "r", "players": [{"steps": [{"report": "ä".repeat(5_000_000)}]}]});
        let run = run(&value).unwrap();
        assert!(run.attempts[0].players[0].steps[0].report.as_ref().unwrap().len() <= 64 * 1024);
    }
}
