//! A plain page for each run, in the place of the dashboard's, so that links to runs lead somewhere. Needs no key: it is for a browser.

use std::fmt::Write as _;

use serde_json::Value;

use crate::exchange::Exchange;
use crate::jobs::{Job, RunView};
use crate::reply::Reply;
use crate::state::State;
use crate::wire::Wire;

/// Answers with the page of the run, or of the run of the player, with the id of the address.
pub(crate) fn answer(exchange: &Exchange) -> Reply {
    let wire = Wire::new(&exchange.inner);
    exchange.inner.with(|state| match find(state, wire, &exchange.routed.id) {
        Some((job, run)) => html(200, &page(wire, job, &run)),
        None => html(404, "<h1>There is no such run</h1>"),
    })
}

fn find<'s>(state: &'s State, wire: Wire<'_>, id: &str) -> Option<(&'s Job, RunView)> {
    state.jobs.iter().find_map(|job| {
        let of = |run: &RunView| {
            let run_id = job.run_ids.get(run.index)?;
            let players = job.attempt(run.index)?.players.len();
            let is_meant = run_id == id || (0..players).any(|player| wire.player_id(run_id, player) == id);
            is_meant.then_some(())
        };
        let run = job.view(wire.now).runs.into_iter().find(|run| of(run).is_some())?;
        Some((job, run))
    })
}

fn html(status: u16, body: &str) -> Reply {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Simulated run</title><style>body{{font:16px/1.5 system-ui;max-width:45em;margin:2em auto;padding:0 1em}}\
         li{{margin:.4em 0}}</style><body>{body}<p><small>A run of nunu-sim on this machine: nothing was played.</small></p></body></html>"
    );
    Reply::typed(status, "text/html; charset=utf-8", text)
}

fn page(wire: Wire<'_>, job: &Job, run: &RunView) -> String {
    let about = wire.run(job, run, true);
    let mut out = String::new();
    let _ = write!(
        out,
        "<h1>{}: {}</h1><p>Run <code>{}</code>, started {}, ended {}.</p>",
        text(&about["test"]["name"]),
        either(&about["result"], &about["state"]),
        text(&about["multiplayer_run_id"]),
        text(&about["started_at"]),
        text(&about["completed_at"]),
    );
    for player in about["players"].as_array().into_iter().flatten() {
        let _ = write!(out, "<h2>Player {}</h2><ol>", text(&player["player_number"]));
        for step in player["steps"].as_array().into_iter().flatten() {
            let _ = write!(
                out,
                "<li>{}: <b>{}</b> {}</li>",
                text(&step["test"]["goal"]),
                either(&step["run_result"], &step["run_state"]),
                text(&step["report"]),
            );
        }
        out.push_str("</ol>");
    }
    let bugs = wire.bugs(job, run);
    if !bugs.is_empty() {
        out.push_str("<h2>Bugs</h2><ul>");
        for bug in &bugs {
            let _ = write!(out, "<li>{}: {}</li>", text(&bug["severity"]), text(&bug["title"]));
        }
        out.push_str("</ul>");
    }
    out
}

fn either(first: &Value, second: &Value) -> String {
    text(if first.is_null() { second } else { first })
}

/// A value as text of a page.
fn text(value: &Value) -> String {
    let plain = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
