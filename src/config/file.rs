//! The run config: its keys, what each may hold, and what they mean together.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::{Mapping, Value};

use crate::model::run::{Deployment, GpsLocation, RunOptions};
use crate::model::verdict::{Quarantine, Quarantined};
use crate::model::{RunSpec, Target};

use super::settings::SETTINGS;
use super::yaml::{Document, join};

const RUN_KEYS: [&str; 16] = [
    "name",
    "test",
    "test_plan",
    "instructions",
    "deployment_config",
    "agent_config",
    "tags",
    "retries",
    "instances",
    "template_data",
    "options",
    "extra_builds",
    "all_configured_devices",
    "players",
    "slots",
    "required",
];

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
    pub(super) runs: Vec<RunSpec>,
    /// Entries of `gate.quarantine`.
    pub(super) quarantine: Vec<Quarantine>,
}

/// Reads the whole document; what is wrong is noted in it.
pub(super) fn read(document: &mut Document<'_>) -> FileConfig {
    let mut config = FileConfig::default();
    let root = match document.root.clone() {
        Value::Mapping(root) => root,
        Value::Null => {
            document.problem("", "the run config is empty; it needs at least version: 1");
            return config;
        }
        _ => {
            document.problem("", "the run config has to be a mapping with the key version");
            return config;
        }
    };
    document.unknown_keys(&root, "", &["version", "project_id", "build", "runs", "wait", "gate", "report"]);
    match root.get("version") {
        Some(Value::Number(number)) if number.as_u64() == Some(1) => {}
        Some(_) => document.problem("version", "this program knows version 1 only"),
        None => document.problem("", "the key version is missing; write version: 1"),
    }
    for (section, further) in [("build", &[][..]), ("wait", &[]), ("gate", &["quarantine"]), ("report", &[])]
    {
        let known: Vec<&str> = SETTINGS
            .iter()
            .filter_map(|definition| definition.key?.strip_prefix(section)?.strip_prefix('.'))
            .chain(further.iter().copied())
            .collect();
        if let Some(map) = section_of(document, &root, section) {
            document.unknown_keys(&map, section, &known);
        }
    }
    for definition in SETTINGS {
        let Some(key) = definition.key.filter(|key| !key.contains('[')) else { continue };
        let value = match key.split_once('.') {
            Some((section, word)) => root.get(section).and_then(|section| section.get(word)),
            None => root.get(key),
        };
        if let Some(raw) = value.and_then(|value| raw(document, key, value)) {
            config.settings.insert(definition.name, (raw, key));
        }
    }
    config.runs = runs(document, root.get("runs"));
    config.quarantine = quarantine(document, root.get("gate").and_then(|gate| gate.get("quarantine")));
    config
}

fn section_of(document: &mut Document<'_>, root: &Mapping, name: &str) -> Option<Mapping> {
    match root.get(name)? {
        Value::Mapping(map) => Some(map.clone()),
        Value::Null => None,
        _ => {
            document.problem(name, "has to be a mapping");
            None
        }
    }
}

/// A setting's value; numbers and booleans as they would be written in a variable. `None` when empty.
fn raw(document: &mut Document<'_>, path: &str, value: &Value) -> Option<Raw> {
    match value {
        Value::Null => None,
        Value::Sequence(items) => {
            let mut list = Vec::new();
            for (index, item) in items.iter().enumerate() {
                match scalar(item) {
                    Some(text) if !text.is_empty() => list.push(text),
                    Some(_) => {}
                    None => document.problem(&format!("{path}[{index}]"), "has to be a text"),
                }
            }
            Some(Raw::List(list))
        }
        other => match scalar(other) {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(Raw::Text(text)),
            None => {
                document.problem(path, "has to be a single value");
                None
            }
        },
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(word) => Some(word.to_string()),
        _ => None,
    }
}

fn runs(document: &mut Document<'_>, value: Option<&Value>) -> Vec<RunSpec> {
    let items = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Sequence(items)) => items,
        Some(_) => {
            document.problem("runs", "has to be a list: each entry begins with a hyphen");
            return Vec::new();
        }
    };
    let mut specs = Vec::new();
    let mut labels = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("runs[{index}]");
        let Value::Mapping(map) = item else {
            document.problem(&path, "has to be a mapping with test, test_plan or instructions");
            continue;
        };
        let mut entry = Entry { document, map, path };
        let Some(spec) = entry.spec(index) else { continue };
        if !labels.insert(spec.label.clone()) {
            document.problem(
                &format!("runs[{index}].name"),
                &format!("\"{}\" is the name of another run already", spec.label),
            );
        }
        specs.push(spec);
    }
    specs
}

/// One entry of `runs`, while it is read.
struct Entry<'d, 'a> {
    document: &'d mut Document<'a>,
    map: &'d Mapping,
    path: String,
}

impl Entry<'_, '_> {
    fn problem(&mut self, key: &str, what: &str) {
        let path = if key.is_empty() { self.path.clone() } else { join(&self.path, key) };
        self.document.problem(&path, what);
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        let text = scalar(value);
        if text.is_none() {
            self.problem(key, "has to be a text");
        }
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn number(&mut self, key: &str, least: u8, most: u8) -> Option<u8> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        let number = scalar(value)
            .and_then(|text| text.parse::<u8>().ok())
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problem(key, &format!("has to be a whole number from {least} to {most}"));
        }
        number
    }

    fn boolean(&mut self, key: &str) -> Option<bool> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        if let Some(Ok(word)) = scalar(value).as_deref().map(super::values::boolean) {
            Some(word)
        } else {
            self.problem(key, "has to be true or false");
            None
        }
    }

    fn mapping(&mut self, key: &str) -> Option<Mapping> {
        match self.map.get(key)? {
            Value::Null => None,
            Value::Mapping(map) => Some(map.clone()),
            _ => {
                self.problem(key, "has to be a mapping");
                None
            }
        }
    }

    fn spec(&mut self, index: usize) -> Option<RunSpec> {
        let map = self.map;
        let path = self.path.clone();
        self.document.unknown_keys(map, &path, &RUN_KEYS);
        let target = self.target();
        let label = self.text("name");
        let spec = RunSpec {
            label: label.unwrap_or_else(|| derived_label(target.as_ref(), index)),
            target: target.clone().unwrap_or_else(|| Target::Test(String::new())),
            deployment_config: self.text("deployment_config"),
            agent_config: self.text("agent_config"),
            tags: self.tags(),
            retries: self.number("retries", 0, 10),
            instances: self.number("instances", 1, 10),
            template_data: self.template_data(),
            options: self.options(),
            extra_builds: self.extra_builds(),
            all_configured_devices: self.boolean("all_configured_devices").unwrap_or(false),
            players: self.deployments("players", 1),
            slots: self.deployments("slots", 2),
            required: self.boolean("required").unwrap_or(true),
        };
        self.together(&spec, target.as_ref());
        target.map(|_| spec)
    }

    fn target(&mut self) -> Option<Target> {
        let named: Vec<&str> = ["test", "test_plan", "instructions"]
            .into_iter()
            .filter(|key| self.map.get(*key).is_some_and(|value| !value.is_null()))
            .collect();
        match named.as_slice() {
            ["test"] => self.text("test").map(Target::Test),
            ["test_plan"] => self.text("test_plan").map(Target::Plan),
            ["instructions"] => self.text("instructions").map(Target::Instructions),
            [] => {
                self.problem("", "needs one of test, test_plan or instructions");
                None
            }
            several => {
                let what = format!("{} exclude each other; keep one", several.join(" and "));
                self.problem(several[1], &what);
                None
            }
        }
    }

    /// What the service takes only with something else, or not with something else (API reference, `POST runs`).
    fn together(&mut self, spec: &RunSpec, target: Option<&Target>) {
        let is_test = matches!(target, Some(Target::Test(_)));
        let is_plan = matches!(target, Some(Target::Plan(_)));
        if target.is_some() {
            for (key, set) in [
                ("retries", spec.retries.is_some()),
                ("instances", spec.instances.is_some()),
                ("players", !spec.players.is_empty()),
            ] {
                if set && !is_test {
                    self.problem(key, "is for test only");
                }
            }
            if !spec.slots.is_empty() && !is_plan {
                self.problem("slots", "is for test_plan only");
            }
        }
        if matches!(target, Some(Target::Instructions(_))) && spec.agent_config.is_none() {
            self.problem("", "instructions need an agent_config");
        }
        if spec.all_configured_devices && !(spec.players.is_empty() && spec.slots.is_empty()) {
            self.problem("all_configured_devices", "cannot be used with players or slots");
        }
        if spec.options.mobile_gpslocation == Some(GpsLocation::Word("auto".to_owned()))
            && spec.options.mobile_geolocation.is_none()
        {
            self.problem("options.mobile_gpslocation", "auto needs mobile_geolocation");
        }
    }

    fn tags(&mut self) -> Vec<String> {
        let Some(value) = self.map.get("tags").cloned() else { return Vec::new() };
        let path = join(&self.path, "tags");
        let tags = match raw(self.document, &path, &value) {
            Some(Raw::List(list)) => list,
            Some(Raw::Text(text)) => super::values::list(&text),
            None => Vec::new(),
        };
        if tags.iter().any(|tag| tag.chars().count() > 50) {
            self.problem("tags", "each has to have 1-50 characters");
        }
        tags
    }

    fn template_data(&mut self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let map = self.mapping("template_data")?;
        if let Ok(serde_json::Value::Object(object)) = serde_json::to_value(map) {
            Some(object)
        } else {
            self.problem("template_data", "every key has to be a word");
            None
        }
    }

    fn options(&mut self) -> RunOptions {
        let Some(map) = self.mapping("options") else { return RunOptions::default() };
        let path = join(&self.path, "options");
        self.document.unknown_keys(
            &map,
            &path,
            &[
                "performance_monitoring",
                "mobile_geolocation",
                "mobile_gpslocation",
                "mobile_auto_grant_permissions",
            ],
        );
        let mut inner = Entry { document: self.document, map: &map, path };
        RunOptions {
            performance_monitoring: inner.boolean("performance_monitoring"),
            mobile_geolocation: inner.text("mobile_geolocation"),
            mobile_gpslocation: inner.gps(),
            mobile_auto_grant_permissions: inner.boolean("mobile_auto_grant_permissions"),
        }
    }

    fn gps(&mut self) -> Option<GpsLocation> {
        const WANTED: &str = "has to be auto, or { lat: ..., long: ... }";
        match self.map.get("mobile_gpslocation")? {
            Value::Null => None,
            Value::String(word) if word == "auto" => Some(GpsLocation::Word(word.clone())),
            Value::Mapping(point) => {
                let axis = |key: &str, most: f64| {
                    scalar(point.get(key)?)
                        .filter(|text| text.trim().parse::<f64>().is_ok_and(|degrees| degrees.abs() <= most))
                };
                let place =
                    (point.len() == 2).then(|| Some((axis("lat", 90.0)?, axis("long", 180.0)?))).flatten();
                if place.is_none() {
                    self.problem("mobile_gpslocation", WANTED);
                }
                place.map(|(lat, long)| GpsLocation::Point { lat, long })
            }
            _ => {
                self.problem("mobile_gpslocation", WANTED);
                None
            }
        }
    }

    fn extra_builds(&mut self) -> BTreeMap<u8, String> {
        let mut builds = BTreeMap::new();
        let Some(map) = self.mapping("extra_builds") else { return builds };
        for (key, value) in map {
            let number =
                scalar(&key).and_then(|key| key.parse::<u8>().ok()).filter(|number| (1..=3).contains(number));
            match (number, scalar(&value).filter(|id| !id.is_empty())) {
                (Some(number), Some(id)) => {
                    builds.insert(number, id);
                }
                _ => self.problem("extra_builds", "has to map 1, 2 or 3 to a build id"),
            }
        }
        builds
    }

    fn deployments(&mut self, key: &str, least: u8) -> BTreeMap<u8, Deployment> {
        let mut deployments = BTreeMap::new();
        let Some(map) = self.mapping(key) else { return deployments };
        for (number, value) in map {
            let parsed = scalar(&number)
                .and_then(|number| number.parse::<u8>().ok())
                .filter(|number| *number >= least);
            let (Some(number), Value::Mapping(inside)) = (parsed, value) else {
                self.problem(
                    key,
                    &format!("has to map numbers from {least} to {{ deployment_config: ..., build: ... }}"),
                );
                continue;
            };
            let path = format!("{}.{key}.{number}", self.path);
            self.document.unknown_keys(&inside, &path, &["deployment_config", "build", "extra_builds"]);
            let mut inner = Entry { document: self.document, map: &inside, path };
            let Some(deployment_config) = inner.text("deployment_config") else {
                inner.problem("", "needs a deployment_config");
                continue;
            };
            let (build, extra_builds) = (inner.text("build"), inner.extra_builds());
            deployments.insert(number, Deployment { deployment_config, build, extra_builds });
        }
        deployments
    }
}

fn derived_label(target: Option<&Target>, index: usize) -> String {
    match target {
        Some(Target::Test(id) | Target::Plan(id)) if !id.is_empty() => id.clone(),
        _ => format!("run {}", index + 1),
    }
}

fn quarantine(document: &mut Document<'_>, value: Option<&Value>) -> Vec<Quarantine> {
    let items = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Sequence(items)) => items,
        Some(_) => {
            document.problem("gate.quarantine", "has to be a list");
            return Vec::new();
        }
    };
    let mut entries = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("gate.quarantine[{index}]");
        let Value::Mapping(map) = item else {
            document.problem(&path, "has to be a mapping with bug or test, until and reason");
            continue;
        };
        document.unknown_keys(map, &path, &["bug", "test", "until", "reason"]);
        let mut entry = Entry { document, map, path };
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
