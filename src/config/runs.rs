//! The run config's `runs`: what each entry starts, and what its keys mean together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::ids::is_ours;
use crate::model::run::{Deployment, GpsLocation, RunOptions};
use crate::model::{RunSpec, Target, may_be_id};

use super::entry::{Entry, scalar, texts};
use super::places::{NO_WORD, join};
use super::yaml::Document;

/// Keys of an entry of `runs`.
pub(super) const RUN_KEYS: [&str; 16] = [
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
/// Keys of `options`.
pub(super) const OPTION_KEYS: [&str; 4] =
    ["performance_monitoring", "mobile_geolocation", "mobile_gpslocation", "mobile_auto_grant_permissions"];
/// Keys of an entry of `players` and `slots`.
pub(super) const DEPLOYMENT_KEYS: [&str; 3] = ["deployment_config", "build", "extra_builds"];
/// A start's tags have at most this many characters each, as those of builds have.
const LONGEST_TAG: usize = 50;

/// An entry of `runs`, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct FileRun {
    /// `runs[0]`.
    pub(super) path: String,
    pub(super) spec: RunSpec,
}

/// Reads `runs`; what is wrong is noted in the document.
pub(super) fn runs(document: &mut Document<'_>, value: Option<&Value>) -> Vec<FileRun> {
    let items = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            document.problem("runs", "has to be a list: each entry begins with a hyphen");
            return Vec::new();
        }
    };
    let mut runs: Vec<FileRun> = Vec::new();
    let mut labels = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = format!("runs[{index}]");
        let Value::Object(map) = item else {
            document.problem(&path, "has to be a mapping with test, test_plan or instructions");
            continue;
        };
        let mut entry = Entry::new(document, map, path.clone());
        let Some((mut spec, named)) = entry.spec(index) else { continue };
        if named && labels.contains(&spec.label) {
            let what = format!("\"{}\" is the name of another run already", spec.label);
            document.problem(&join(&path, "name"), &what);
        } else if labels.contains(&spec.label) {
            // The same test twice, such as on two devices, needs no names.
            spec.label = format!("{} ({})", spec.label, index + 1);
        }
        labels.insert(spec.label.clone());
        runs.push(FileRun { path, spec });
    }
    runs
}

impl Entry<'_, '_> {
    fn spec(&mut self, index: usize) -> Option<(RunSpec, bool)> {
        let map = self.map;
        let path = self.path.clone();
        self.document.unknown_keys(map, &path, &RUN_KEYS);
        let target = self.target();
        let label = self.text("name");
        let named = label.is_some();
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
        target.map(|_| (spec, named))
    }

    fn target(&mut self) -> Option<Target> {
        let named: Vec<&str> = ["test", "test_plan", "instructions"]
            .into_iter()
            .filter(|key| self.map.get(*key).is_some_and(|value| !value.is_null()))
            .collect();
        match named.as_slice() {
            ["test"] => self.filled("test").map(Target::Test),
            ["test_plan"] => self.filled("test_plan").map(Target::Plan),
            ["instructions"] => self.filled("instructions").map(Target::Instructions),
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
        let path = join(&self.path, "tags");
        let tags = match self.value("tags") {
            None => Vec::new(),
            Some(Value::Array(items)) => texts(self.document, &path, items),
            Some(Value::String(text)) => super::values::list(text),
            Some(_) => {
                self.problem("tags", "has to be a list of texts");
                Vec::new()
            }
        };
        for tag in &tags {
            let count = tag.chars().count();
            if is_ours(tag) {
                self.problem(
                    "tags",
                    &format!("\"{tag}\" begins with nunu-ci., as only the tags of this program do"),
                );
            }
            if count > LONGEST_TAG {
                let what = format!("\"{tag}\" has {count} characters, at most {LONGEST_TAG} are allowed");
                self.problem("tags", &what);
            }
        }
        tags
    }

    fn template_data(&mut self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let map = self.mapping("template_data")?;
        if map.contains_key(NO_WORD) {
            self.problem("template_data", "every key has to be a word");
            return None;
        }
        Some(map.clone())
    }

    fn options(&mut self) -> RunOptions {
        let Some(map) = self.mapping("options") else { return RunOptions::default() };
        let path = join(&self.path, "options");
        self.document.unknown_keys(map, &path, &OPTION_KEYS);
        let mut inner = Entry::new(self.document, map, path);
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
            Value::Object(point) => {
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
            let number = key.parse::<u8>().ok().filter(|number| (1..=3).contains(number));
            let id = value.as_str().map(str::trim).filter(|id| may_be_id(id));
            if let (Some(number), Some(id)) = (number, id) {
                builds.insert(number, id.to_owned());
            } else {
                let place = join("extra_builds", key);
                self.problem(&place, "extra_builds maps 1, 2 or 3 to the id of a stored build");
            }
        }
        builds
    }

    fn deployments(&mut self, key: &str, least: u8) -> BTreeMap<u8, Deployment> {
        let mut deployments = BTreeMap::new();
        let Some(map) = self.mapping(key) else { return deployments };
        for (number, value) in map {
            let parsed = number.parse::<u8>().ok().filter(|number| *number >= least);
            let (Some(number), Value::Object(inside)) = (parsed, value) else {
                let first = if least == 2 {
                    "; slot 1 is the default one, which deployment_config is for"
                } else {
                    ""
                };
                let what = format!(
                    "{key} maps numbers from {least} to {{ deployment_config: ..., build: ... }}{first}"
                );
                self.problem(&join(key, number), &what);
                continue;
            };
            let path = format!("{}.{key}.{number}", self.path);
            self.document.unknown_keys(inside, &path, &DEPLOYMENT_KEYS);
            let mut inner = Entry::new(self.document, inside, path);
            let Some(deployment_config) = inner.text("deployment_config") else {
                inner.problem("", "needs a deployment_config");
                continue;
            };
            let (build, extra_builds) = (inner.text("build"), inner.extra_builds());
            if build.as_ref().is_some_and(|build| !may_be_id(build)) {
                inner.problem("build", "is not the id of a stored build");
            }
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
