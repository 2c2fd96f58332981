//! Fuzz targets of this module: any reply gives a value within bounds or a reason, never a panic.

use std::cell::RefCell;

use serde_json::Value;

use crate::http::Net;
use crate::model::{Env, Log, Secrets};

use super::artifacts::content_range;
use super::auth::AuthProblem;
use super::request::parse;
use super::{bugs, builds, error_body, jobs, json, runs, start_reply, uploads};

/// Replies after which the register of secrets is thrown away.
const REPLIES_PER_NET: usize = 500;

/// The value of a body, when it has one.
fn value(data: &[u8]) -> Option<Value> {
    parse(data).ok()
}

/// A text that came from a reply is never longer than this.
fn assert_short(text: &str) {
    assert!(text.len() <= 64 * 1024, "{} bytes", text.len());
}

/// Jobs, alone and in lists.
pub(crate) fn jobs(data: &[u8]) {
    let Some(value) = value(data) else { return };
    let alone = jobs::job(&value);
    let listed = json::list_of(&value, &["jobs", "data"]).unwrap_or_default();
    for job in listed.iter().filter_map(jobs::job).chain(alone) {
        assert_short(&job.job_id);
        assert!(!job.job_id.is_empty() && job.attempts.len() <= 100 && job.tags.len() <= 200);
        let starts: Vec<_> = job.attempts.iter().map(|attempt| attempt.started_at).collect();
        assert!(starts.is_sorted(), "the deciding attempt is not the last");
    }
}

/// Runs with players, steps and artifacts, and their bugs.
pub(crate) fn runs(data: &[u8]) {
    let Some(value) = value(data) else { return };
    if let Some(run) = runs::run(&value) {
        assert!(run.run_id.is_some_and(|id| !id.is_empty()) && run.attempts[0].players.len() <= 64);
        for player in &run.attempts[0].players {
            assert!(player.steps.len() <= 2000 && player.artifacts.len() <= 1000);
            player.steps.iter().for_each(|step| assert_short(&step.goal));
        }
    }
    if let Some(page) = bugs::bugs(&value) {
        assert!(page.bugs.len() <= 2000);
        page.bugs.iter().for_each(|bug| assert_short(&bug.title));
    }
}

/// Start replies of every generation.
pub(crate) fn starts(data: &[u8]) {
    let Some(value) = value(data) else { return };
    let Some(started) = start_reply::started(201, &value) else { return };
    assert!(!(started.job_ids.is_empty() && started.run_ids.is_empty()), "a start of nothing");
    assert!(started.job_ids.len() <= 10_000 && !started.job_ids.iter().any(String::is_empty));
}

/// Builds, reservations and part URLs; their secrets never show.
pub(crate) fn uploads(data: &[u8]) {
    thread_local!(static NET: RefCell<Option<(usize, Net)>> = const { RefCell::new(None) });
    let Some(value) = value(data) else { return };
    let build = builds::build(&value);
    assert!(build.is_none_or(|build| !build.id.is_empty()));
    NET.with_borrow_mut(|shared| {
        let (used, net) = match shared.take() {
            Some((used, net)) if used < REPLIES_PER_NET => (used, net),
            _ => match Net::new(&Env::default(), "nunu-ci/fuzz", Secrets::default(), Log::silent()) {
                Ok(net) => (0, net),
                Err(error) => panic!("{error}"),
            },
        };
        if let Ok(open) = uploads::open_upload(&value, &net) {
            let shown = format!("{open:?}");
            let secret = value.get("upload_id").and_then(Value::as_str).filter(|id| id.len() >= 16);
            assert!(
                secret
                    .is_none_or(|id| open.handle.upload_id.is_none() || !shown.contains(&format!("{id:?}")))
            );
        }
        match uploads::part_urls(&value, &[1, 2, 3], &net) {
            Ok(urls) => assert_eq!(urls.len(), 3),
            Err(why) => assert!(!why.contains('?') && why.len() < 600, "{why}"),
        }
        *shared = Some((used + 1, net));
    });
}

/// Error bodies of the service and of what stands in between.
pub(crate) fn errors(data: &[u8]) {
    let problem = error_body::problem(data, &Secrets::default());
    if let Some(words) = &problem.words {
        assert!(!words.is_empty() && words.len() <= 1000, "{} bytes", words.len());
        assert!(!words.contains(char::is_control), "{words:?}");
    }
    for status in [401, 403] {
        if let AuthProblem::MissingPermission(name) = AuthProblem::of(status, problem.words.as_deref()) {
            assert!(
                !name.is_empty() && name.chars().count() <= 100 && !name.contains([' ', '\n']),
                "{name:?}"
            );
        }
    }
    let _ = content_range(&String::from_utf8_lossy(data));
}
