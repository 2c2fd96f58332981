//! A `results.json` read again. Whoever made it, it is data: nothing of it is believed that the judge can say, and nothing enters that
//! could leave a report, an output or the results folder.

use serde::Deserialize;

use crate::model::baseline::Baseline;
use crate::model::job::{Attempt, Job};
use crate::model::judge::{decide, judge};
use crate::model::{ExitReason, RunReport, may_be_id};

use super::json::SCHEMA_VERSION;

/// Most tests of one file.
const MOST_TESTS: usize = 20_000;

/// What is asked first, of anything that is JSON.
#[derive(Deserialize)]
struct Head {
    schema_version: Option<u32>,
    exit_code: Option<u8>,
    verdict: Option<ExitReason>,
}

/// The report that a `results.json` is, judged anew by the gate that it records.
pub(crate) fn read(text: &[u8]) -> Result<RunReport, String> {
    let not_ours = |error: serde_json::Error| format!("it is no results.json of nunu-ci: {error}");
    let head: Head = serde_json::from_slice(text).map_err(not_ours)?;
    match head.schema_version {
        Some(SCHEMA_VERSION) => {}
        None => return Err("it is no results.json of nunu-ci: schema_version is missing".to_owned()),
        Some(other) => {
            return Err(format!(
                "its schema_version is {other}, and nunu-ci {} reads {SCHEMA_VERSION}: use one version of nunu-ci for all jobs",
                env!("CARGO_PKG_VERSION")
            ));
        }
    }
    let mut report: RunReport = serde_json::from_slice(text).map_err(not_ours)?;
    if report.jobs.len() > MOST_TESTS {
        return Err(format!("it has {} tests, and {MOST_TESTS} are the most", report.jobs.len()));
    }
    if let Some((name, id)) = ids(&report).into_iter().find(|(_, id)| !may_be_id(id)) {
        let shown: String = id.chars().take(40).collect();
        return Err(format!(
            "{name} {shown:?} is no id: only letters, digits, `.`, `_` and `-` may stand in one, at most 128"
        ));
    }
    drop_unsafe_paths(&mut report);
    if head.exit_code == Some(ExitReason::Terminated.exit_code()) {
        let second = |reason: &mut ExitReason| {
            if *reason == ExitReason::Interrupted {
                *reason = ExitReason::Terminated;
            }
        };
        second(&mut report.reason);
        if let Some(failure) = &mut report.failure {
            second(&mut failure.reason);
        }
    }
    if head.verdict.is_some() {
        let Some(gate) = &report.gate else {
            return Err(
                "its tests stood before several gates: give the files that it was made from".to_owned()
            );
        };
        report.verdict = Some(judge(&report.jobs, gate, report.finished_at.date_naive()));
    }
    report.reason = decide(report.failure.as_ref(), report.verdict.as_ref(), report.reason);
    Ok(report)
}

/// Every id that a report shows or hands on, with the name of its field. Where the service gave none, there is none to check.
fn ids(report: &RunReport) -> Vec<(&'static str, &str)> {
    let mut ids: Vec<(&'static str, &str)> = Vec::new();
    let build = report.build.as_ref();
    ids.extend(build.and_then(|build| build.id.as_deref()).map(|id| ("build.id", id)));
    ids.extend(build.and_then(|build| build.sha256.as_deref()).map(|digest| ("build.sha256", digest)));
    ids.extend(report.test_plan_execution_id.as_deref().map(|id| ("test_plan_execution_id", id)));
    ids.extend(report.left_running.iter().flat_map(|left| &left.job_ids).map(|id| ("job_ids", id.as_str())));
    for job in &report.jobs {
        ids.push(("job_id", &job.job_id));
        ids.extend(job.attempts.iter().flat_map(ids_of_run));
        ids.extend(more_ids(job));
    }
    ids.retain(|(_, id)| !id.is_empty());
    ids
}

fn ids_of_run(run: &Attempt) -> impl Iterator<Item = (&'static str, &str)> {
    let builds = run.builds.iter().map(|seen| ("build_ids", seen.id.as_str()));
    let players = run.players.iter().map(|player| ("players.id", player.id.as_str()));
    std::iter::once(("run_id", run.run_id.as_str())).chain(builds).chain(players)
}

fn more_ids(job: &Job) -> impl Iterator<Item = (&'static str, &str)> {
    let named = [
        ("run_id", &job.run_id),
        ("project_id", &job.project_id),
        ("test_plan_execution_id", &job.test_plan_execution_id),
        ("deployment_config", &job.deployment_config),
        ("build_id", &job.build_id),
    ];
    let own = named.into_iter().filter_map(|(name, id)| Some((name, id.as_deref()?)));
    let baseline = job.baseline.as_ref().and_then(Baseline::run);
    let baseline = baseline.into_iter().flat_map(|run| [("job_id", &*run.job_id), ("run_id", &*run.run_id)]);
    let history = job.history.iter().flat_map(|history| &history.results);
    own.chain(baseline).chain(history.map(|past| ("run_id", past.run_id.as_str())))
}

/// A path that leaves its folder, or is none on some system, is forgotten: the file is not shown.
fn drop_unsafe_paths(report: &mut RunReport) {
    for path in report.jobs.iter_mut().flat_map(|job| &mut job.attempts).flat_map(Attempt::saved_paths) {
        *path = path.take().filter(|path| is_below(path));
    }
}

/// True for a relative path, with `/`, that stays below the folder it is read from, on every system.
fn is_below(path: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | "..");
    path.split('/').all(plain) && !path.contains(|letter: char| letter.is_control() || "\\:".contains(letter))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{is_below, read};
    use crate::model::job::Artifact;
    use crate::model::verdict::Gate;
    use crate::report::json::json as written;
    use crate::report::tests::reports::{all, bug, job, player, report};

    fn changed(change: impl FnOnce(&mut Value)) -> Result<crate::model::RunReport, String> {
        let mut file: Value = serde_json::from_str(&written(&all().swap_remove(1).1)).unwrap();
        change(&mut file);
        read(file.to_string().as_bytes())
    }

    #[test]
    fn what_is_no_results_json_of_this_version_is_refused_with_a_word() {
        for (text, word) in [
            ("", "no results.json"),
            ("[]", "no results.json"),
            ("{}", "schema_version is missing"),
            ("{\"schema_version\": 1}", "its schema_version is 1"),
            ("{\"schema_version\": 3}", "its schema_version is 3"),
            ("{\"schema_version\": \"2\"}", "no results.json"),
            ("{\"schema_version\": 2}", "missing field"),
        ] {
            let said = read(text.as_bytes()).unwrap_err();
            assert!(said.contains(word), "{text}: {said}");
        }
    }

    #[test]
    fn hostile_values_are_refused() {
        assert!(changed(|_| {}).is_ok());
        for (place, value) in [
            ("/jobs/0/job_id", json!("../../x")),
            ("/jobs/0/attempts/0/run_id", json!("a\nstatus=passed")),
            ("/jobs/1/attempts/0/players/0/id", json!("$(id)")),
            ("/build/id", json!("b`id`")),
            ("/build/sha256", json!("x y")),
            ("/command", json!("rm")),
            ("/exit_reason", json!("perfect")),
            ("/duration_seconds", json!(-1.0)),
            ("/duration_seconds", json!(1e300)),
            ("/started_at", json!("yesterday")),
            ("/jobs/0/required", Value::Null),
        ] {
            let told = changed(|file| *file.pointer_mut(place).unwrap() = value.clone());
            assert!(told.is_err(), "{place} = {value}");
        }
    }

    #[test]
    fn the_judge_is_asked_again_whatever_the_file_says() {
        let told = changed(|file| {
            file["exit_reason"] = "passed".into();
            file["exit_code"] = 0.into();
            file["verdict"] = "passed".into();
            file["jobs"][1]["standing"] = "passed".into();
        });
        assert_eq!(told.unwrap().reason.as_str(), "tests-failed");
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in ["/etc/passwd", "../x", "a/../../x", "C:/x", "a\\b", "", "a//b", "./a", "a\nb"] {
            assert!(!is_below(path), "{path}");
        }
        assert!(is_below("artifacts/r1/r1-1/video.mp4"));
        let mut shop = job("Shop", "SUCCESS", vec![player(1, Vec::new())]);
        shop.attempts[0].players[0].artifacts = vec![Artifact {
            file_name: "video.mp4".to_owned(),
            url: "https://nunu.ai/video.mp4".to_owned(),
            size_bytes: None,
            saved_as: Some("../../.ssh/id_rsa".to_owned()),
        }];
        let mut seen = bug("bug-1", "A gap", "low");
        seen.screenshot_saved_as = Some("../secret.png".to_owned());
        shop.attempts[0].bugs = vec![seen];
        let told = read(written(&report(vec![shop], &Gate::default(), None)).as_bytes()).unwrap();
        assert_eq!(told.jobs[0].attempts[0].bugs[0].screenshot_saved_as, None);
        assert_eq!(told.jobs[0].attempts[0].players[0].artifacts[0].saved_as, None);
    }
}
