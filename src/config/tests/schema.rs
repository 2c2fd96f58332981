//! The JSON Schema of the run config, `docs/nunu-ci.schema.json`: compared with its types, and held against what the loader takes.

use serde_json::Value;

use super::schema_types::{BRANCH, DAY, DURATION, FAIL_ON, generated};
use super::world::{DEPLOYMENT, TEST};
use crate::config::build::parallel;
use crate::config::file::{self, QUARANTINE_KEYS, ROOT_KEYS, section_keys};
use crate::config::runs::{DEPLOYMENT_KEYS, OPTION_KEYS, RUN_KEYS};
use crate::config::values::{boolean, duration};
use crate::config::variables::Variables;
use crate::config::yaml::{Document, Text};
use crate::model::Env;

#[test]
fn the_published_schema_is_that_of_the_types() {
    let fresh = format!("{:#}\n", generated());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/nunu-ci.schema.json");
    if option_env!("NUNU_BLESS").is_some() {
        std::fs::write(path, &fresh).unwrap();
        return;
    }
    assert!(
        fresh == crate::config::schema(),
        "docs/nunu-ci.schema.json is not what the types say: run the test with NUNU_BLESS=1"
    );
}

#[test]
fn the_schema_has_the_loaders_keys() {
    let schema = generated();
    let keys = |pointer: &str| -> Vec<String> {
        let properties = schema.pointer(&format!("{pointer}/properties")).and_then(Value::as_object).unwrap();
        properties.keys().cloned().collect()
    };
    let sorted = |words: &[&str]| {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.sort_unstable();
        words
    };
    let run = "/properties/runs/items";
    let mut all = vec![
        (String::new(), sorted(&ROOT_KEYS)),
        (run.to_owned(), sorted(&RUN_KEYS)),
        (format!("{run}/properties/options"), sorted(&OPTION_KEYS)),
        (format!("{run}/properties/players/additionalProperties"), sorted(&DEPLOYMENT_KEYS)),
        (format!("{run}/properties/slots/additionalProperties"), sorted(&DEPLOYMENT_KEYS)),
        ("/properties/gate/properties/quarantine/items".to_owned(), sorted(&QUARANTINE_KEYS)),
    ];
    for section in ["build", "wait", "gate", "report"] {
        all.push((format!("/properties/{section}"), sorted(&section_keys(section))));
    }
    for (pointer, known) in all {
        let mut named = keys(&pointer);
        named.sort_unstable();
        assert_eq!(named, known, "{pointer}");
        let closed = schema.pointer(&format!("{pointer}/additionalProperties"));
        assert_eq!(closed, Some(&Value::Bool(false)), "{pointer}");
        for key in known {
            let words = schema.pointer(&format!("{pointer}/properties/{key}/description"));
            assert!(words.is_some(), "{pointer}/{key} has no description");
        }
    }
}

/// The part of JSON Schema that our schema uses.
fn accepts(schema: &Value, value: &Value) -> bool {
    let Value::Object(schema) = schema else { return schema != &Value::Bool(false) };
    schema.iter().all(|(keyword, wanted)| match keyword.as_str() {
        "type" => match wanted {
            Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
            kind => is(kind, value),
        },
        "const" => wanted == value,
        "enum" => wanted.as_array().unwrap().contains(value),
        "anyOf" => wanted.as_array().unwrap().iter().any(|form| accepts(form, value)),
        "oneOf" => wanted.as_array().unwrap().iter().filter(|form| accepts(form, value)).count() == 1,
        "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
        "minLength" => letters(value).is_none_or(|count| count >= wanted.as_u64().unwrap()),
        "maxLength" => letters(value).is_none_or(|count| count <= wanted.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(wanted, item))),
        "required" => value.as_object().is_none_or(|map| {
            wanted.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(key, value)| wanted.get(key).is_none_or(|schema| accepts(schema, value)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|map| {
            let known = schema.get("properties").and_then(Value::as_object);
            map.iter()
                .filter(|(key, _)| known.is_none_or(|known| !known.contains_key(*key)))
                .all(|(_, value)| accepts(wanted, value))
        }),
        "$schema" | "$id" | "title" | "description" | "examples" | "default" | "format" => true,
        other => panic!("{other} is not known to this test"),
    })
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("{other}"),
    }
}

fn letters(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

/// What the schema's patterns mean; editors bring a real matcher.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "\\$\\{" => text.contains("${"),
        "[{]" => text.contains('{'),
        DURATION => duration(text).is_ok(),
        DAY => text.contains("${") || (text.len() == 10 && text.split('-').count() == 3),
        BRANCH => text.contains("${") || !text.contains([' ', ':', '*']),
        FAIL_ON => {
            let first = text.split(':').next().unwrap_or_default();
            [
                "failed",
                "error",
                "timeout",
                "blocked",
                "stopped",
                "skipped",
                "newly-failed",
                "bugs",
                "new-bugs",
            ]
            .contains(&first)
                && !text.ends_with(':')
        }
        other => panic!("{other}"),
    }
}

/// Lines of a config, each tried on its own, and whether they are good.
const SAMPLES: &[(&str, bool)] = &[
    ("project_id: p", true),
    ("project_id: 5", false),
    ("banana: 1", false),
    ("build: { path: a, tags: [a, b], auto_delete: true, deletion_policy: oldest, parallel: 16 }", true),
    (
        "build: { tags: 'a, b', platform: ios-native, multipart: never, reuse: false, upload_timeout: 90 }",
        true,
    ),
    ("build: { parallel: '${N:-4}', auto_delete: '${D:-true}', platform: '${P:-linux}' }", true),
    ("build: { parallel: auto }", true),
    ("build: { parallel: 32 }", true),
    ("build: { parallel: 33 }", false),
    ("build: { parallel: many }", false),
    ("build: { parallel: [4] }", false),
    ("build: { tags: [1] }", false),
    ("build: { name: 1.10 }", false),
    ("build: [a]", false),
    ("build: { pth: a }", false),
    ("runs: []", true),
    ("runs: [{ test: a }]", true),
    ("runs: [{ test: 5 }]", false),
    ("runs: [{ test: '' }]", false),
    ("runs: [{ test: a, test_plan: b }]", false),
    ("runs: [{ name: a }]", false),
    ("runs: { test: a }", false),
    ("runs: [{ test: a, retries: 10, instances: 1, required: false, tags: [a] }]", true),
    ("runs: [{ test: a, retries: '${R:-2}', required: '${Q:-False}' }]", true),
    ("runs: [{ test: a, retries: 11 }]", false),
    ("runs: [{ test: a, retries: -1 }]", false),
    ("runs: [{ test: a, retries: 1.5 }]", false),
    ("runs: [{ test: a, instances: 0 }]", false),
    ("runs: [{ test: a, required: maybe }]", false),
    ("runs: [{ test: a, template_data: { a: [1, { b: null }] } }]", true),
    ("runs: [{ test: a, template_data: [] }]", false),
    ("runs: [{ test: a, options: { mobile_gpslocation: { lat: 1.5, long: '2' } } }]", true),
    ("runs: [{ test: a, options: { mobile_gpslocation: auto, mobile_geolocation: London } }]", true),
    ("runs: [{ test: a, options: { mobile_gpslocation: { lat: 91, long: 2 } } }]", false),
    ("runs: [{ test: a, options: { mobile_gpslocation: here } }]", false),
    ("runs: [{ test: a, options: { speed: 1 } }]", false),
    ("runs: [{ test: a, extra_builds: { 1: b, 3: c } }]", true),
    ("runs: [{ test: a, extra_builds: { 4: b } }]", false),
    ("runs: [{ test: a, extra_builds: { 1: 5 } }]", false),
    ("runs: [{ test: a, players: { 1: { deployment_config: c, build: b } } }]", true),
    ("runs: [{ test: a, players: { 1: { build: b } } }]", false),
    ("runs: [{ test_plan: a, slots: { 2: { deployment_config: c, speed: 1 } } }]", false),
    ("wait: { enabled: false, timeout: 3h30m, poll: auto, on_timeout: leave, stall: 20m }", true),
    ("wait: { rerun: failed }", true),
    ("wait: { rerun: sometimes }", false),
    ("wait: { rerun: [failed] }", false),
    ("wait: { timeout: 90, poll: 2s, stall: false, on_cancel: '${C:-stop}' }", true),
    ("wait: { timeout: [90] }", false),
    ("wait: { timeout: true }", false),
    ("wait: { enabled: 1 }", false),
    (
        "gate: { fail_on: [failed, 'bugs:high:low'], quarantine: [{ bug: a, until: 2027-01-31, reason: r }] }",
        true,
    ),
    ("gate: { fail_on: 'failed, error' }", true),
    ("gate: { fail_on: [newly-failed, 'new-bugs:high'], baseline: main }", true),
    ("gate: { baseline: [main] }", false),
    ("gate: { fail_on: [] }", false),
    ("gate: { fail_on: ['${NUNU_X:-}'] }", true),
    ("gate: { fail_on: { failed: true } }", false),
    ("gate: { quarantine: [{ bug: a, test: b, until: 2027-01-31, reason: r }] }", false),
    ("gate: { quarantine: [{ bug: a, until: soon, reason: r }] }", false),
    ("gate: { quarantine: [{ bug: a, until: 2027-01-31 }] }", false),
    ("report: { dir: out, artifacts: failed, annotations: 0, comment: true }", true),
    ("report: { artifacts: ['*.mp4'] }", true),
    ("report: { annotations: many }", false),
    ("report: { dir: [a] }", false),
];

#[test]
fn schema_and_loader_agree() {
    let schema = generated();
    for (line, good) in SAMPLES {
        let text = format!("version: 1\n{line}\n");
        let source = Text { name: "run.yml".to_owned(), all: text.clone(), may_quote: true };
        let env = Env::default();
        let names = ["N", "D", "P", "R", "Q", "C"];
        let mut document = Document::parse(&source, &Variables::from_env(&env, &names)).unwrap();
        let config = file::read(&mut document);
        let value: Value = serde_yaml::from_str(&text).unwrap();
        // Values of settings are looked at later, with those of the other layers.
        let settings_are_good = config.settings.iter().all(|(name, (raw, _))| match raw {
            file::Raw::Text(text) if *name == "annotations" => text.parse::<u8>().is_ok(),
            file::Raw::Text(text) if *name == "parallel" => parallel(text).is_ok(),
            file::Raw::Text(text) if *name == "timeout" => duration(text).is_ok(),
            file::Raw::Text(text) if *name == "rerun" => ["auto", "failed", "all"].contains(&text.as_str()),
            file::Raw::Text(text) if *name == "wait" => boolean(text).is_ok(),
            _ => true,
        });
        let problems = document.take_problems();
        assert_eq!(
            problems.is_empty() && settings_are_good,
            *good,
            "the loader: {line}\n{}",
            problems.join("\n")
        );
        assert_eq!(accepts(&schema, &value), *good, "the schema: {line}");
    }
    let whole = format!("version: 1\nruns: [{{ test: {TEST}, deployment_config: {DEPLOYMENT} }}]\n");
    assert!(accepts(&schema, &serde_yaml::from_str(&whole).unwrap()));
    assert!(!accepts(&schema, &serde_json::json!({ "runs": [] })), "version is required");
    assert!(!accepts(&schema, &serde_json::json!({ "version": 2 })));
}
