//! The types that the JSON Schema of the run config is made from, with the words that editors show.

#![expect(clippy::doc_markdown, reason = "editors show these words, marks and all")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::model::{DeletionPolicy, Multipart, Platform};

/// A variable, which may stand for any single value.
fn variable() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}

fn whole(least: u8, most: u8) -> Schema {
    json_schema!({ "anyOf": [{ "type": "integer", "minimum": least, "maximum": most }, variable()] })
}

fn retries(_: &mut SchemaGenerator) -> Schema {
    whole(0, 10)
}

fn instances(_: &mut SchemaGenerator) -> Schema {
    whole(1, 10)
}

fn annotations(_: &mut SchemaGenerator) -> Schema {
    whole(0, 10)
}

fn parallel(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 32 }, variable()] })
}

fn switch(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "boolean" }, variable(), { "enum": ["true", "True", "TRUE", "false", "False", "FALSE"] }] })
}

/// A word of an enum, or a variable.
fn word<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut words = T::json_schema(generator).to_value();
    if let Some(each) = words.get("oneOf").and_then(Value::as_array) {
        words = json!({ "enum": each.iter().map(|word| word["const"].clone()).collect::<Vec<_>>() });
    }
    json_schema!({ "anyOf": [words, variable()] })
}

fn on_end(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "enum": ["stop", "leave"] }, variable()] })
}

/// One item of `fail_on`.
pub(super) const FAIL_ON: &str = "^(failed|error|timeout|blocked|stopped|skipped|newly-failed|(new-)?bugs:(low|medium|high|critical)(:(low|medium|high))?)$";
/// A word, or the name of a branch.
pub(super) const BRANCH: &str = "^[^\\s~^:?*\\[\\\\]+$|\\$\\{";
/// The last day of a quarantine.
pub(super) const DAY: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$|\\$\\{";

/// Days, hours, minutes and seconds, or whole minutes.
pub(super) const DURATION: &str = "^\\s*([0-9]+\\s*(d|h|m|min|s|sec)\\s*)+$|^\\s*[0-9]+\\s*$";

fn duration_or(words: &[&str], further: Option<Value>) -> Schema {
    let mut forms = vec![
        json!({ "type": "integer", "minimum": 1 }),
        json!({ "type": "string", "pattern": DURATION }),
        variable(),
    ];
    if !words.is_empty() {
        forms.push(json!({ "enum": words }));
    }
    forms.extend(further);
    json_schema!({ "anyOf": forms })
}

fn duration(_: &mut SchemaGenerator) -> Schema {
    duration_or(&[], None)
}

fn poll(_: &mut SchemaGenerator) -> Schema {
    duration_or(&["auto"], None)
}

fn rerun(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "enum": ["auto", "failed", "all"] }, variable()] })
}

fn stall(_: &mut SchemaGenerator) -> Schema {
    duration_or(&["off", "false"], Some(json!({ "const": false })))
}

fn texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }] })
}

fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "array", "items": { "type": "string", "anyOf": [{ "maxLength": 50 }, { "pattern": "[{]" }] } }, { "type": "string" }] })
}

fn fail_on(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "array", "minItems": 1, "items": { "anyOf": [{ "type": "string", "pattern": FAIL_ON }, variable()] } }, { "type": "string" }] })
}

fn place(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "const": "auto" },
        { "type": "object", "additionalProperties": false, "required": ["lat", "long"], "properties": {
            "lat": { "type": ["string", "number"], "minimum": -90, "maximum": 90 },
            "long": { "type": ["string", "number"], "minimum": -180, "maximum": 180 },
        } },
    ] })
}

fn extra_builds(_: &mut SchemaGenerator) -> Schema {
    let id = json!({ "type": "string", "minLength": 1 });
    json_schema!({ "type": "object", "additionalProperties": false, "properties": { "1": id, "2": id, "3": id } })
}

/// What nunu-ci uploads, starts, waits for, and how it judges. ${NAME} and ${NAME:-default} take variables: NUNU_..., the CI's own facts, and what the setting config-env names.
#[derive(JsonSchema)]
#[schemars(title = "nunu-ci run config", deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct RunConfig {
    /// Version of this format.
    #[schemars(extend("const" = 1))]
    version: u8,
    /// Project; needed with organisation keys (nunu_org_...).
    #[schemars(extend("examples" = ["${NUNU_PROJECT_ID}"]))]
    project_id: Option<String>,
    /// The build to upload or to use. Without it, runs use what their deployment configuration picks.
    build: Option<Build>,
    /// What to start.
    runs: Option<Vec<Run>>,
    /// How to wait.
    wait: Option<Wait>,
    /// What fails the job.
    gate: Option<Gate>,
    /// How to report.
    report: Option<Report>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Build {
    /// File, folder (sent as a zip) or glob with one match, relative to the working directory.
    #[schemars(extend("examples" = ["build/app.apk", "out/*.ipa"]))]
    path: Option<String>,
    /// Use a stored build; excludes path.
    id: Option<String>,
    /// 1-255 characters; {branch} {commit} {short_commit} {run_number} {pr} {date} are filled in. By default the pull request's title, the commit's subject, or the file name and CI build number.
    #[schemars(extend("examples" = ["{branch} {short_commit}"]))]
    name: Option<String>,
    /// By extension where that tells it: apk, aab, ipa, exe, msi, dmg, pkg, deb, rpm, appimage.
    #[schemars(schema_with = "word::<Platform>")]
    platform: Option<String>,
    /// At most 1000 characters.
    #[schemars(length(max = 1000))]
    description: Option<String>,
    /// Tags, 1-50 characters each: a list, or a comma separated text; templates as in name.
    #[schemars(schema_with = "tags", extend("examples" = [["nightly", "{branch}"]]))]
    tags: Option<Vec<String>>,
    /// Let the service remove old builds when the storage is full.
    #[schemars(schema_with = "switch", extend("default" = false))]
    auto_delete: Option<bool>,
    /// Which builds auto_delete removes.
    #[schemars(schema_with = "word::<DeletionPolicy>", extend("default" = "least_recent"))]
    deletion_policy: Option<String>,
    /// Reservation on the server: whole minutes, 1-1440. By default size / 0.5 MB/s, at least 60.
    #[schemars(schema_with = "duration")]
    upload_timeout: Option<String>,
    /// Use a stored build with the same content instead of sending it again.
    #[schemars(schema_with = "switch", extend("default" = true))]
    reuse: Option<bool>,
    /// Send the build in parts.
    #[schemars(schema_with = "word::<Multipart>", extend("default" = "auto"))]
    multipart: Option<String>,
    /// Parts in flight: auto (4 to 32, more while that is faster), or a number.
    #[schemars(schema_with = "parallel", extend("default" = "auto"))]
    parallel: Option<u8>,
}

/// What to start: exactly one of test, test_plan and instructions.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["test"] }, { "required": ["test_plan"] }, { "required": ["instructions"] }]))]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Run {
    /// Label in reports; unique.
    #[schemars(extend("examples" = ["smoke"]))]
    name: Option<String>,
    /// Saved test: a UUID is an id, anything else a name.
    #[schemars(length(min = 1))]
    test: Option<String>,
    /// Test plan: a UUID is an id, anything else a name.
    #[schemars(length(min = 1))]
    test_plan: Option<String>,
    /// A one-off test in words; needs agent_config.
    #[schemars(length(min = 1))]
    instructions: Option<String>,
    /// Where to run: a UUID is an id, anything else a name. By default the setting deployment-config-id.
    deployment_config: Option<String>,
    /// Agent configuration: a UUID is an id, anything else a name.
    agent_config: Option<String>,
    /// Tags of the jobs, 1-50 characters each: a list, or a comma separated text.
    #[schemars(schema_with = "tags")]
    tags: Option<Vec<String>>,
    /// Further attempts after ERROR, TIMEOUT or STOPPED; test only.
    #[schemars(schema_with = "retries")]
    retries: Option<u8>,
    /// Parallel copies; test only.
    #[schemars(schema_with = "instances")]
    instances: Option<u8>,
    /// Variables of the test's text; also switches templates on.
    #[schemars(extend("examples" = [{ "country": "CH" }]))]
    template_data: Option<BTreeMap<String, Value>>,
    /// Options of the start.
    options: Option<Options>,
    /// Further apps: number 1-3 to the id of a stored build.
    #[schemars(schema_with = "extra_builds")]
    extra_builds: Option<BTreeMap<u8, String>>,
    /// Start on every device that the deployment configuration allows; not with players or slots.
    #[schemars(schema_with = "switch", extend("default" = false))]
    all_configured_devices: Option<bool>,
    /// Deployments by player number; test only.
    players: Option<BTreeMap<String, Device>>,
    /// Deployments by slot number from 2 (slot 1 is deployment_config); test_plan only.
    slots: Option<BTreeMap<String, Device>>,
    /// false: reported, but cannot fail the job.
    #[schemars(schema_with = "switch", extend("default" = true))]
    required: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Options {
    /// Record performance during the run.
    #[schemars(schema_with = "switch")]
    performance_monitoring: Option<bool>,
    /// A place.
    #[schemars(extend("examples" = ["London", "San Francisco, California (US)"]))]
    mobile_geolocation: Option<String>,
    /// auto (needs mobile_geolocation), or degrees.
    #[schemars(schema_with = "place")]
    mobile_gpslocation: Option<String>,
    /// Grant app permissions without asking.
    #[schemars(schema_with = "switch")]
    mobile_auto_grant_permissions: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Device {
    /// Where to run: a UUID is an id, anything else a name.
    #[schemars(length(min = 1))]
    deployment_config: String,
    /// The id of a stored build.
    build: Option<String>,
    /// Further apps: number 1-3 to the id of a stored build.
    #[schemars(schema_with = "extra_builds")]
    extra_builds: Option<BTreeMap<u8, String>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Wait {
    /// false: start and leave.
    #[schemars(schema_with = "switch", extend("default" = true))]
    enabled: Option<bool>,
    /// From the start to the last result: 90s, 45m, 2h; a bare number means minutes.
    #[schemars(schema_with = "duration", extend("default" = "3h30m", "examples" = ["90m"]))]
    timeout: Option<String>,
    /// How often to look: auto, or a duration of at least 1s.
    #[schemars(schema_with = "poll", extend("default" = "auto"))]
    poll: Option<String>,
    /// What to do with unfinished runs when the timeout passes.
    #[schemars(schema_with = "on_end", extend("default" = "stop"))]
    on_timeout: Option<String>,
    /// What to do with unfinished runs when the job is cancelled.
    #[schemars(schema_with = "on_end", extend("default" = "stop"))]
    on_cancel: Option<String>,
    /// What a repeated attempt of the same CI run starts: auto, failed or all.
    #[schemars(schema_with = "rerun", extend("default" = "auto"))]
    rerun: Option<String>,
    /// Give up after this time without any change of a job, run or step.
    #[schemars(schema_with = "stall", extend("default" = "off"))]
    stall: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Gate {
    /// Results and bugs that fail the job; bugs:<severity>[:<confidence>] means that severe or worse, that sure or surer;
    /// new-bugs:<severity>[:<confidence>] the same for bugs that the baseline does not show, newly-failed a FAILED whose baseline passed.
    #[schemars(schema_with = "fail_on", extend("default" = ["failed", "error", "timeout", "blocked", "stopped"], "examples" = [["failed", "error", "bugs:high"]]))]
    fail_on: Option<Vec<String>>,
    /// What new is measured against: auto, none, or the name of a branch.
    #[schemars(extend("default" = "auto", "pattern" = BRANCH, "examples" = ["main"]))]
    baseline: Option<String>,
    /// Bugs and tests that are tolerated until a day.
    quarantine: Option<Vec<Quarantine>>,
}

/// Exactly one of bug and test.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["bug"] }, { "required": ["test"] }]))]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Quarantine {
    /// bug_id.
    bug: Option<String>,
    /// Test: a UUID is an id, anything else a name.
    test: Option<String>,
    /// The last day it is tolerated.
    #[schemars(extend("format" = "date", "pattern" = DAY, "examples" = ["2027-01-31"]))]
    until: String,
    /// Why, such as a ticket.
    #[schemars(length(min = 1))]
    reason: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema of these types is used")]
struct Report {
    /// Results folder.
    #[schemars(extend("default" = "nunu-results"))]
    dir: Option<String>,
    /// Artifacts to download: none, failed, all, or file name globs.
    #[schemars(schema_with = "texts", extend("default" = "none", "examples" = ["failed", ["*.mp4"]]))]
    artifacts: Option<Vec<String>>,
    /// Annotations at most, 0-10.
    #[schemars(schema_with = "annotations", extend("default" = 10))]
    annotations: Option<u8>,
    /// Keep one comment with the result on the pull or merge request.
    #[schemars(schema_with = "switch", extend("default" = false))]
    comment: Option<bool>,
}

/// Keys that are required where they are said to be; a field with a schema of its own counts as required by itself.
const REQUIRED: [&str; 10] = [
    "version",
    "deployment_config",
    "until",
    "reason",
    "lat",
    "long",
    "test",
    "test_plan",
    "instructions",
    "bug",
];

/// The schema as it should be in the file.
pub(super) fn generated() -> Value {
    let settings =
        schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RunConfig>().to_value();
    tidy(&mut schema);
    schema["$id"] = "https://raw.githubusercontent.com/OWNER/nunu-ci/main/docs/nunu-ci.schema.json".into();
    schema
}

/// A key that may be left out need not be offered as `null`, and descriptions are one line without marks.
fn tidy(schema: &mut Value) {
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(tidy);
    }
    let Value::Object(map) = schema else { return };
    map.values_mut().for_each(tidy);
    if let Some(Value::Array(keys)) = map.get_mut("required") {
        keys.retain(|key| REQUIRED.iter().any(|known| key == known));
        if keys.is_empty() {
            map.remove("required");
        }
    }
    // Formats of Rust's numbers mean nothing to an editor.
    if map.get("format").is_some_and(|format| format != "date") {
        map.remove("format");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            map.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(forms)) = map.get_mut("anyOf") {
        forms.retain(|form| form.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(one)] = forms.as_mut_slice() {
            let one = std::mem::take(one);
            map.remove("anyOf");
            for (key, value) in one {
                map.entry(key).or_insert(value);
            }
        }
    }
}
