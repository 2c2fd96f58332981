//! Jobs and executions of plans.

use serde_json::{Value, json};

use super::Wire;
use crate::generation::Quirk;
use crate::jobs::{Job, Phase};
use crate::state::{Execution, State};

impl Wire<'_> {
    /// A job as `GET jobs/{id}` shows it.
    pub(crate) fn job(self, job: &Job) -> Value {
        let view = job.view(self.now);
        let mut runs: Vec<Value> = view
            .runs
            .iter()
            .map(|run| {
                let result = run.result.as_deref().filter(|_| !self.has(Quirk::NullResults));
                json!({
                    "multiplayer_run_id": job.run_ids.get(run.index),
                    "state": self.word(run.state()),
                    "result": self.maybe_word(result),
                    "started_at": self.maybe_time(run.started),
                    "completed_at": self.maybe_time(run.ended),
                    "players": job.attempt(run.index).map_or(0, |a| a.players.len()),
                })
            })
            .collect();
        if job.script.scrambled {
            runs.reverse();
        }
        let repeats = |attempts: usize| {
            let repeats = if job.script.side_by_side { 0 } else { attempts.saturating_sub(1) };
            u32::try_from(repeats).unwrap_or(0)
        };
        let total = repeats(job.script.attempts.len()).max(job.retries);
        let used = repeats(view.runs.len());
        let stopped_by = view.stop.as_ref().map(|stop| match &stop.key {
            Some(key) => json!({ "type": "api", "value": { "key_id": key } }),
            None => json!({ "type": "user", "value": { "user_id": "5a7b6f1c-0b5e-4f0a-9d55-6a1f7c1f2b3d" } }),
        });
        let reason = job.script.rejection.as_deref().filter(|_| view.rejected);
        json!({
            "job_id": job.id,
            "project_id": self.project(),
            "status": self.word(view.phase.word()),
            "created_at": self.time(job.created),
            "completed_at": self.maybe_time(view.done_at),
            "multiplayer_test_id": job.test.id,
            "test_name": test_name(job),
            "platform": job.kind,
            "build_id": job.build.as_ref().map(|(id, _)| id),
            "test_plan_execution_id": job.execution,
            "queue_rejection_reason": reason,
            "templating_enabled": job.template.is_some(),
            "template_data": job.template,
            "stopped_by": stopped_by,
            "tags": job.tags,
            "retries": { "total": total, "remaining": total.saturating_sub(used) },
            "runs": runs,
        })
    }

    /// An execution of a plan, with the counts of its tests.
    pub(crate) fn execution(self, execution: &Execution, state: &State) -> Value {
        let jobs: Vec<&Job> = execution.job_ids.iter().filter_map(|id| state.job(id)).collect();
        let (mut counts, mut done) = ([0_u32; 6], 0);
        let mut last = None;
        for job in &jobs {
            let view = job.view(self.now);
            let slot = match (view.phase, view.runs.last().and_then(|r| r.result.as_deref())) {
                (Phase::Queued, _) => 4,
                (Phase::Completed, Some("SUCCESS")) => 0,
                (Phase::Completed, Some("SKIPPED")) => 2,
                (Phase::Completed, Some("STOPPED")) => 3,
                (Phase::Completed, _) => 1,
                _ => 5,
            };
            counts[slot] += 1;
            done += usize::from(view.phase == Phase::Completed);
            last = last.max(view.done_at);
        }
        let finished = done == jobs.len();
        let status = match () {
            () if finished => "completed",
            () if counts[4] as usize == jobs.len() => "queued",
            () => "in_progress",
        };
        let started = jobs.first().map(|j| j.created);
        json!({
            "id": execution.id,
            "test_plan_id": execution.plan.0,
            "test_plan_name": execution.plan.1,
            "build_id": execution.build.as_ref().map(|(id, _)| id),
            "build_name": execution.build.as_ref().map(|(_, name)| name),
            "status": status,
            "started_at": self.maybe_time(started),
            "started_by": { "type": "api" },
            "completed_at": self.maybe_time(last.filter(|_| finished)),
            "total_tests": jobs.len(),
            "test_status": {
                "passed": counts[0], "failed": counts[1], "skipped": counts[2],
                "stopped": counts[3], "queued": counts[4], "running": counts[5],
            },
            "duration_ms": last.zip(started).map(|(end, start)| crate::clock::millis(end.saturating_sub(start))),
        })
    }
}

/// The name of the job's test; a scripted empty one is `null`.
pub(super) fn test_name(job: &Job) -> Value {
    match job.script.test_name.as_deref() {
        Some("") => Value::Null,
        Some(name) => json!(name),
        None => json!(job.test.name),
    }
}
