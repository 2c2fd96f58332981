//! Runs, players, steps and bugs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Wire;
use super::jobs::test_name;
use crate::clock::{Moment, millis};
use crate::generation::{Generation, Quirk};
use crate::jobs::{Job, RunView};
use crate::scenario::{Artifact, Attempt, Player, Step};

/// How far one step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Pending,
    Running(Moment),
    Done(Moment, Moment),
}

/// The times of the steps of a player: each takes its share of the run.
fn reaches(steps: &[Step], run: &RunView, attempt: &Attempt, now: Moment) -> Vec<Reach> {
    let Some(start) = run.started else { return vec![Reach::Pending; steps.len()] };
    let until = run.ended.unwrap_or(now);
    let total: u32 = steps.iter().map(|s| s.weight.max(1)).sum();
    let mut at = start;
    steps
        .iter()
        .map(|step| {
            let begin = at;
            at += attempt.duration.mul_f64(f64::from(step.weight.max(1)) / f64::from(total.max(1)));
            // The shares of a finished run add up to its length but for rounding.
            let whole = run.ended.is_some() && run.result.as_deref() != Some("STOPPED");
            match until {
                _ if whole || until >= at => Reach::Done(begin, at),
                _ if until >= begin => Reach::Running(begin),
                _ => Reach::Pending,
            }
        })
        .collect()
}

impl Wire<'_> {
    /// The id of one player of a run; also the folder of its artifacts.
    pub(crate) fn player_id(self, run_id: &str, index: usize) -> String {
        if self.old() {
            return format!(
                "{run_id}{}",
                char::from_digit(u32::try_from(index % 36).unwrap_or(0), 36).unwrap_or('0')
            );
        }
        format!("{run_id}-{}", index + 1)
    }

    /// The attempt, player and artifacts behind a player id.
    pub(crate) fn artifacts_of<'j>(
        self,
        jobs: &'j [Job],
        player_id: &str,
    ) -> Option<(&'j str, Vec<&'j Artifact>)> {
        jobs.iter().find_map(|job| {
            job.view(self.now).runs.iter().find_map(|run| {
                let run_id = job.run_ids.get(run.index)?;
                let players = &job.attempt(run.index)?.players;
                let index = (0..players.len()).find(|&i| self.player_id(run_id, i) == player_id)?;
                Some((run_id.as_str(), visible_artifacts(run, players.get(index)?)))
            })
        })
    }

    /// A run; `details` adds steps and artifacts.
    pub(crate) fn run(self, job: &Job, run: &RunView, details: bool) -> Value {
        let run_id = job.run_ids.get(run.index).map_or("", String::as_str);
        let Some(attempt) = job.attempt(run.index) else { return Value::Null };
        let players: Vec<Value> = attempt
            .players
            .iter()
            .enumerate()
            .map(|(index, player)| self.player((job, run, attempt), run_id, index, player, details))
            .collect();
        let bugs = if run.ended.is_some() { attempt.bugs.len() } else { 0 };
        let mut value = json!({
            "multiplayer_run_id": run_id,
            "project_id": self.project(),
            "tags": job.tags,
            "state": self.word(run.state()),
            "result": self.maybe_word(run.result.as_deref()),
            "bug_info": { "bug_label": if bugs == 0 { "no_bugs" } else { "bugs_found" }, "bug_count": bugs },
            "test": { "id": job.test.id, "name": test_name(job), "type": job.test.kind },
            "build": job.build.as_ref().map(|(id, name)| json!({ "id": id, "name": name })),
            "created_at": self.time(job.created),
            "started_at": self.maybe_time(run.started),
            "completed_at": self.maybe_time(run.ended),
            "duration_ms": run.ended.map(|end| self.duration(end.saturating_sub(run.started.unwrap_or(end)))),
            "initiator": { "type": "api", "value": { "key_id": job.key_id } },
            "players": players,
        });
        if !self.old() {
            value["job_id"] = json!(job.id);
            if !details {
                value["test_plan_execution_id"] = json!(job.execution);
            }
        }
        if details {
            value["templating_enabled"] = json!(job.template.is_some());
            value["template_data"] = json!(job.template);
        }
        if details && self.generation() >= Generation::V5 {
            value["apps"] = json!([{ "role": "main", "provider_kind": "build-storage",
                "build_id": job.build.as_ref().map(|b| &b.0), "build_name": job.build.as_ref().map(|b| &b.1),
                "build_url": null }]);
        }
        value
    }

    /// Whole milliseconds once, fractions today.
    fn duration(self, duration: Duration) -> Value {
        if self.old() { json!(duration.as_millis()) } else { json!(millis(duration)) }
    }

    fn player(
        self,
        (job, run, attempt): (&Job, &RunView, &Attempt),
        run_id: &str,
        index: usize,
        player: &Player,
        details: bool,
    ) -> Value {
        let result = run.result.as_deref().map(|result| match player.result.as_deref() {
            Some(own) if result != "STOPPED" => own,
            _ => result,
        });
        let reaches = reaches(&player.steps, run, attempt, self.now);
        let results: Vec<&str> =
            player.steps.iter().zip(&reaches).filter_map(|(s, &r)| step_result(s, r, run)).collect();
        let device = if player.device.is_empty() { &job.device } else { &player.device };
        let id = self.player_id(run_id, index);
        let mut value = json!({
            "id": id,
            "player_number": if self.old() { index } else { index + 1 },
            "state": self.word(run.state()),
            "result": self.maybe_word(result),
            "test_name": test_name(job),
            "composite_test_id": format!("{}-{}", job.test.id, index + 1),
            "step_count": player.steps.len(),
            "completed_step_count": results.iter().filter(|r| **r == "SUCCESS").count(),
            "platform": if self.old() { json!({ "type": job.kind, "device": device }) } else {
                json!({ "kind": format!("{}-native", job.kind), "config": { "device": { "name": device, "os_version": "15" } } })
            },
        });
        if self.generation() >= Generation::V5 {
            let mut summary: BTreeMap<&str, u32> = BTreeMap::new();
            for result in results {
                *summary.entry(result).or_default() += 1;
            }
            value["step_result_summary"] = json!(summary);
            value["base_agent"] = json!({ "id": "careful", "name": "Careful player", "version_id": "7", "version": 7,
                "version_key": "careful@7", "display_name": "Careful player" });
        }
        if details {
            let files = visible_artifacts(run, player);
            value["artifacts"] =
                files.iter().map(|a| self.artifact(&id, a, "uploaded_at", run.ended)).collect();
            value["steps"] = (1..)
                .zip(player.steps.iter().zip(&reaches))
                .map(|(number, (step, &reach))| self.step(number, step, reach, run))
                .collect();
        }
        value
    }

    fn step(self, number: usize, step: &Step, reach: Reach, run: &RunView) -> Value {
        let (start, end) = match reach {
            Reach::Pending => (None, None),
            Reach::Running(start) => (Some(start), run.ended),
            Reach::Done(start, end) => (Some(start), Some(end)),
        };
        let state = match reach {
            Reach::Pending if self.old() => json!("pending"),
            Reach::Pending => json!("INITIALIZING"),
            Reach::Running(_) if run.ended.is_none() => self.word("RUNNING"),
            _ => self.word("COMPLETED"),
        };
        let done = matches!(reach, Reach::Done(..));
        let unknown = self.has(Quirk::UnknownEnums);
        let items: Vec<Value> = step
            .items
            .iter()
            .map(|item| {
                let status = if unknown { "glowing" } else { &item.status };
                json!({ "id": item.id, "expected": item.expected, "status": status, "comment": item.comment })
            })
            .collect();
        let mut value = json!({
            "step_number": number,
            "start_time": self.maybe_time(start),
            "end_time": self.maybe_time(end),
            "duration_ms": end.zip(start).map(|(e, s)| self.duration(e.saturating_sub(s))),
            "run_state": state,
            "run_result": self.maybe_word(step_result(step, reach, run)),
            "report": step.report.as_ref().filter(|_| done),
            "test": { "test_step_id": format!("step-{number}"), "goal": step.goal,
                "finish_condition": step.finish_condition, "test_type": "verification" },
        });
        if !self.old() {
            value["items"] = if done && !items.is_empty() { json!(items) } else { Value::Null };
        }
        value
    }

    /// Where a file of a player is.
    fn artifact_url(self, player_id: &str, name: &str) -> String {
        let name: Vec<String> = name
            .split('/')
            .map(|s| percent_encoding::utf8_percent_encode(s, percent_encoding::NON_ALPHANUMERIC).to_string())
            .collect();
        format!("{}/artifacts/{player_id}/{}", self.artifact_origin(), name.join("/"))
    }

    /// An artifact; its time is called `uploaded_at` in runs and `uploaded` in lists.
    pub(crate) fn artifact(
        self,
        player_id: &str,
        artifact: &Artifact,
        time: &str,
        at: Option<Moment>,
    ) -> Value {
        json!({
            "filename": artifact.name,
            "url": self.artifact_url(player_id, &artifact.name),
            "size": artifact.bytes.len(),
            time: self.maybe_time(at),
            "etag": crate::digest::etag(&artifact.bytes),
        })
    }

    /// The bugs of a run.
    pub(crate) fn bugs(self, job: &Job, run: &RunView) -> Vec<Value> {
        let run_id = job.run_ids.get(run.index).map_or("", String::as_str);
        let bugs = job.attempt(run.index).filter(|_| run.ended.is_some()).map_or(&[][..], |a| &a.bugs);
        let severe =
            |s: &str| if self.has(Quirk::UnknownEnums) { "apocalyptic".to_owned() } else { s.to_owned() };
        let items: Vec<Value> = (1..)
            .zip(bugs)
            .map(|(number, bug)| {
                let mut details = bug.details.clone();
                if let Some(Value::String(name)) = details.get_mut("screenshot_url") {
                    // The name of one of the first player's files.
                    *name = self.artifact_url(&self.player_id(run_id, 0), name);
                }
                json!({
                    "id": format!("{run_id}-bug-{number}"), "bug_id": bug.bug_id, "title": bug.title,
                    "description": bug.description, "category": bug.category, "severity": severe(&bug.severity),
                    "confidence": bug.confidence, "reproduction_steps": bug.reproduction_steps,
                    "player_number": bug.player_number, "test_step": bug.test_step, "turn": 12,
                    "detected_at": self.maybe_time(run.ended), "details": details,
                })
            })
            .collect();
        items
    }
}

/// Files appear when the attempt is over.
fn visible_artifacts<'p>(run: &RunView, player: &'p Player) -> Vec<&'p Artifact> {
    if run.ended.is_some() { player.artifacts.iter().collect() } else { Vec::new() }
}

/// The result of a step as it stands.
fn step_result<'s>(step: &'s Step, reach: Reach, run: &RunView) -> Option<&'s str> {
    match reach {
        Reach::Done(..) => step.result.as_deref(),
        Reach::Running(_) if run.ended.is_some() => Some("STOPPED"),
        _ => None,
    }
}
