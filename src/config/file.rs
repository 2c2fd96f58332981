//! The run config's settings and quarantine: its keys, and what each may hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::verdict::{Quarantine, Quarantined};

use super::entry::{Entry, texts};
use super::runs::{FileRun, runs};
use super::settings::{SETTINGS, Shape};
use super::yaml::Document;

/// Keys of the whole.
pub(super) const ROOT_KEYS: [&str; 7] = ["version", "project_id", "build", "runs", "wait", "gate", "report"];
/// Keys of an entry of `gate.quarantine`.
pub(super) const QUARANTINE_KEYS: [&str; 4] = ["bug", "test", "until", "reason"];

/// A value of a setting as the file gives it; lists are already lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    /// One value.
    Text(String),
    /// Several.
    List(Vec<String>),
}

/// What the run config says.
#[derive(Debug, Default)]
pub(super) struct FileConfig {
    /// Settings by name, with the key they stand under.
    pub(super) settings: BTreeMap<&'static str, (Raw, &'static str)>,
    /// Entries of `runs`.
    pub(super) runs: Vec<FileRun>,
    /// Entries of `gate.quarantine`.
    pub(super) quarantine: Vec<Quarantine>,
}

/// The keys of a section, such as `wait`.
pub(super) fn section_keys(section: &str) -> Vec<&'static str> {
    let further = (section == "gate").then_some("quarantine");
    SETTINGS
        .iter()
        .filter_map(|definition| definition.key?.strip_prefix(section)?.strip_prefix('.'))
        .chain(further)
        .collect()
}

/// Reads the whole document; what is wrong is noted in it.
pub(super) fn read(document: &mut Document<'_>) -> FileConfig {
    let mut config = FileConfig::default();
    let root = match document.root.clone() {
        Value::Object(root) => root,
        Value::Null => {
            document.problem("", "the run config is empty; it needs at least version: 1");
            return config;
        }
        _ => {
            document.problem("", "the run config has to be a mapping with the key version");
            return config;
        }
    };
    document.unknown_keys(&root, "", &ROOT_KEYS);
    match root.get("version") {
        Some(Value::Number(number)) if number.as_u64() == Some(1) => {}
        Some(Value::String(word)) if word == "1" => {
            document.problem("version", "has to be a number, without quotes: version: 1");
        }
        Some(_) => document.problem("version", "this program knows version 1 only"),
        None => document.problem("", "the key version is missing; write version: 1 in the first line"),
    }
    for section in ["build", "wait", "gate", "report"] {
        if let Some(map) = section_of(document, &root, section) {
            document.unknown_keys(&map, section, &section_keys(section));
        }
    }
    for definition in SETTINGS {
        let Some(key) = definition.key.filter(|key| !key.contains('[')) else { continue };
        let value = match key.split_once('.') {
            Some((section, word)) => root.get(section).and_then(|section| section.get(word)),
            None => root.get(key),
        };
        if let Some(raw) = value.and_then(|value| raw(document, key, value, definition.shape)) {
            config.settings.insert(definition.name, (raw, key));
        }
    }
    config.runs = runs(document, root.get("runs"));
    config.quarantine = quarantine(document, root.get("gate").and_then(|gate| gate.get("quarantine")));
    config
}

fn section_of(
    document: &mut Document<'_>,
    root: &Map<String, Value>,
    name: &str,
) -> Option<Map<String, Value>> {
    match root.get(name)? {
        Value::Object(map) => Some(map.clone()),
        Value::Null => None,
        _ => {
            document.problem(name, "has to be a mapping");
            None
        }
    }
}

/// A setting's value; numbers and booleans as they would be written in a variable. `None` when not set.
fn raw(document: &mut Document<'_>, path: &str, value: &Value, shape: Shape) -> Option<Raw> {
    let what = match (value, shape) {
        (Value::Null, _) => return None,
        (Value::String(text), Shape::List) if super::values::list(text).is_empty() => return None,
        (Value::String(text), _) => return (!text.is_empty()).then(|| Raw::Text(text.clone())),
        (Value::Number(number), Shape::Number) => return Some(Raw::Text(number.to_string())),
        (Value::Bool(word), Shape::Switch) => return Some(Raw::Text(word.to_string())),
        // `stall: false` is how people switch it off.
        (Value::Bool(false), Shape::Number) if path == "wait.stall" => {
            return Some(Raw::Text("off".to_owned()));
        }
        (Value::Array(items), Shape::List) if items.is_empty() && path == "gate.fail_on" => {
            "an empty list would let everything pass; to report a run that cannot fail the job write required: false in its entry of runs, else leave this key out"
        }
        // A list that became empty, such as by a variable without a value, is not set.
        (Value::Array(items), Shape::List) => {
            return Some(texts(document, path, items)).filter(|items| !items.is_empty()).map(Raw::List);
        }
        (Value::Number(_) | Value::Bool(_), Shape::Text | Shape::List) => {
            "has to be a text; put it in quotes when it is one"
        }
        (_, Shape::Switch) => "has to be true or false",
        (_, Shape::Number) => "has to be a single value, not a list or mapping, true or false",
        (_, Shape::Text) => "has to be a single text",
        (_, Shape::List) => "has to be a list of texts",
    };
    document.problem(path, what);
    None
}

fn quarantine(document: &mut Document<'_>, value: Option<&Value>) -> Vec<Quarantine> {
    let items = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            document.problem("gate.quarantine", "has to be a list");
            return Vec::new();
        }
    };
    let mut entries = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("gate.quarantine[{index}]");
        let Value::Object(map) = item else {
            document.problem(&path, "has to be a mapping with bug or test, until and reason");
            continue;
        };
        document.unknown_keys(map, &path, &QUARANTINE_KEYS);
        let mut entry = Entry::new(document, map, path);
        let what = match (entry.text("bug"), entry.text("test")) {
            (Some(bug), None) => Some(Quarantined::Bug(bug)),
            (None, Some(test)) => Some(Quarantined::Test(test)),
            _ => {
                entry.problem("", "needs exactly one of bug and test");
                None
            }
        };
        let until =
            entry.text("until").and_then(|day| chrono::NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok());
        if until.is_none() {
            entry.problem("until", "needs the last day it is tolerated, such as 2027-01-31");
        }
        let reason = entry.text("reason");
        if reason.is_none() {
            entry.problem("", "needs a reason, such as a ticket");
        }
        if let (Some(what), Some(until), Some(reason)) = (what, until, reason) {
            entries.push(Quarantine { what, until, reason });
        }
    }
    entries
}
