//! The bridge between the program and its start protocol: what every run of the program has decided about starts and stops, as its
//! diagnostics tell it, is played through the protocol again. Decisions come from there alone. It runs after every run of the
//! program in every test of this folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nunu_protocol::{Protocol, text};
use nunu_sim::{Call, Fault};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Decisions of each run: by the file, and the line with which the run begins.
static PLAYED: Mutex<BTreeMap<(PathBuf, String), usize>> = Mutex::new(BTreeMap::new());

/// Plays the decisions of all diagnostics below `folder`.
#[track_caller]
pub(crate) fn replay(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            replay(&path);
        } else if path.file_name().is_some_and(|name| name == "diagnostics.jsonl") {
            let lines = fs::read_to_string(&path).unwrap_or_default();
            let runs = play(&lines).unwrap_or_else(|line| panic!("{}: {line}", path.display()));
            let mut played = PLAYED.lock().unwrap_or_else(PoisonError::into_inner);
            played.extend(runs.into_iter().map(|(beginning, count)| ((path.clone(), beginning), count)));
        }
    }
}

/// How much was played until now.
pub(crate) fn numbers() -> String {
    let played = PLAYED.lock().unwrap_or_else(PoisonError::into_inner);
    format!("replayed: {} decisions of {} runs", played.values().sum::<usize>(), played.len())
}

/// Plays the decisions that the lines of a file tell; the first line of each run, and how many decisions it made.
///
/// # Errors
/// The line that the protocol would not have written.
fn play(lines: &str) -> Result<Vec<(String, usize)>, String> {
    let mut runs: Vec<(String, usize)> = Vec::new();
    let mut protocol: Option<Protocol<String>> = None;
    for line in lines.split_inclusive('\n') {
        // A program that was killed may leave its last line unfinished.
        let Some(line) = line.strip_suffix('\n') else { continue };
        let told: Value = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        let Some(event) = told["event"].as_str() else { continue };
        let at = told["at"].as_u64().ok_or_else(|| format!("{line}: without its moment"))?;
        if let Some(begun) = text::read_beginning(event, at) {
            protocol = Some(begun);
            runs.push((line.to_owned(), 0));
            continue;
        }
        let (Some(protocol), Some((_, count))) = (&mut protocol, runs.last_mut()) else {
            return Err(format!("{line}: nothing has begun"));
        };
        let event = text::read_event(event).ok_or_else(|| format!("{line}: no event"))?;
        let decided: Vec<String> = protocol.step(event, at).iter().map(text::action).collect();
        if told["actions"] != json!(decided) {
            return Err(format!("{line}: the protocol decides {decided:?}"));
        }
        *count += 1;
    }
    Ok(runs)
}

#[test]
fn a_decision_that_the_protocol_would_not_make_is_found() {
    let stage = Stage::new();
    stage.sim.fault(Call::StartRun, Fault::drop_after().once());
    stage.quick(&[]).is(0, "passed");
    let told = stage.read("nunu-results/diagnostics.jsonl");
    let lines: Vec<&str> = told.lines().collect();
    let runs = play(&told).unwrap();
    assert!(runs.len() == 1 && runs[0].1 >= 5, "{runs:?}");
    let with = |place: usize, line: &str| {
        let mut lines = lines.clone();
        lines[place] = line;
        play(&(lines.join("\n") + "\n"))
    };
    let mut changed = 0;
    for (place, line) in lines.iter().enumerate() {
        let told: Value = serde_json::from_str(line).unwrap();
        if told["actions"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        changed += 1;
        for actions in [json!([]), json!(["post 0.0", "post 0.0"])] {
            let other = json!({ "at": told["at"], "event": told["event"], "actions": actions }).to_string();
            let trouble = with(place, &other).unwrap_err();
            assert!(trouble.contains(&other), "{trouble}");
        }
        // What did not happen was not answered either.
        let silent = json!({ "at": told["at"], "event": "tick", "actions": told["actions"] }).to_string();
        assert!(with(place, &silent).is_err(), "{line}");
    }
    assert!(changed >= 4, "{told}");
    let begun = lines.iter().position(|line| line.contains("new look=true")).unwrap();
    assert!(with(begun, &lines[begun].replace("look=true", "look=false")).is_err());
    assert!(with(begun, "{}").unwrap_err().contains("nothing has begun"));
    assert_eq!(play(&told[..told.len() - 2]).unwrap().len(), 1, "an unfinished line is no decision");
}
