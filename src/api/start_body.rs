//! The body of a start. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::given::{GivenBuilds, Handed};
use crate::model::run::Deployment;
use crate::model::{RunSpec, Target};

/// The build for each part of a start: the user's own where one is named, else `build_id`, when the part takes it. `takes` tells
/// whether a deployment configuration takes that build, when it is known; the default is always believed to.
///
/// Beside a default a configuration that nobody knows gets none, unless it is the default's own: a build that does not fit makes
/// the service refuse the whole start.
pub(crate) fn given_builds(
    spec: &RunSpec,
    build_id: Option<&str>,
    takes: impl Fn(&str) -> Option<bool>,
) -> GivenBuilds {
    let default = spec.deployment_config.as_deref();
    let fits = |config: &str| default == Some(config) || takes(config).unwrap_or(default.is_none());
    let of = |map: &BTreeMap<u8, Deployment>| {
        let handed = |deployment: &Deployment| {
            let ours = build_id.filter(|_| fits(&deployment.deployment_config));
            Handed { build: deployment.build.as_deref().or(ours).map(str::to_owned) }
        };
        map.iter().map(|(number, deployment)| (*number, handed(deployment))).collect::<BTreeMap<_, _>>()
    };
    let (players, slots) = match &spec.target {
        Target::Test(_) => (of(&spec.players), BTreeMap::new()),
        Target::Plan(_) => (BTreeMap::new(), of(&spec.slots)),
        Target::Instructions(_) => (BTreeMap::new(), BTreeMap::new()),
    };
    let default = default.map(|_| Handed { build: build_id.map(str::to_owned) });
    GivenBuilds { default, players, slots }
}

/// The body of the start call for `spec`: documented fields only, absent rather than null (API reference, "Start runs" and
/// "Start test plan runs"). Ids must be resolved; `tags` (ours) follow the user's own.
pub(crate) fn start_body(spec: &RunSpec, given: &GivenBuilds, tags: &[String]) -> Value {
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.as_deref().map(Value::from);

    match &spec.target {
        Target::Test(id) => {
            set("multiplayer_test_id", Some(id.as_str().into()));
            set("retries", spec.retries.map(Value::from));
            set("instances", spec.instances.map(Value::from));
            set("player_deployment_configs", deployments(&spec.players, &given.players));
        }
        Target::Plan(_) => set("slot_deployment_configs", deployments(&spec.slots, &given.slots)),
        Target::Instructions(words) => {
            set("instructions", Some(words.as_str().into()));
            set("name", Some(spec.label.as_str().into()));
        }
    }
    set("deployment_config_id", text(&spec.deployment_config));
    if let Some(default) = &given.default {
        set("build_id", text(&default.build));
        set("extra_build_ids", extra_builds(&spec.extra_builds));
    }
    set("agent_config_id", text(&spec.agent_config));
    set("run_on_all_configured_devices", spec.all_configured_devices.then_some(Value::Bool(true)));
    set("render_templates", spec.template_data.as_ref().map(|_| Value::Bool(true)));
    set("template_data", spec.template_data.clone().map(Value::Object));
    let options = serde_json::to_value(&spec.options).ok();
    set("options", options.filter(|options| options.as_object().is_some_and(|map| !map.is_empty())));
    let mut all: Vec<&str> = Vec::new();
    for tag in spec.tags.iter().chain(tags) {
        if !all.contains(&tag.as_str()) {
            all.push(tag);
        }
    }
    set("additional_tags", (!all.is_empty()).then(|| all.into()));
    Value::Object(body)
}

/// Deployments by number, each with its build; `None` when there are none.
fn deployments(map: &BTreeMap<u8, Deployment>, given: &BTreeMap<u8, Handed>) -> Option<Value> {
    let entry = |number: &u8, deployment: &Deployment| {
        let mut entry = Map::new();
        entry.insert("deployment_config_id".to_owned(), deployment.deployment_config.as_str().into());
        if let Some(build) = given.get(number).and_then(|handed| handed.build.as_deref()) {
            entry.insert("build_id".to_owned(), build.into());
        }
        if let Some(extra) = extra_builds(&deployment.extra_builds) {
            entry.insert("extra_build_ids".to_owned(), extra);
        }
        Value::Object(entry)
    };
    let entries: Map<String, Value> =
        map.iter().map(|(number, deployment)| (number.to_string(), entry(number, deployment))).collect();
    (!entries.is_empty()).then_some(Value::Object(entries))
}

fn extra_builds(map: &BTreeMap<u8, String>) -> Option<Value> {
    let entries: Map<String, Value> =
        map.iter().map(|(number, build)| (number.to_string(), build.as_str().into())).collect();
    (!entries.is_empty()).then_some(Value::Object(entries))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{Deployment, RunSpec, Target, given_builds};
    use crate::model::run::{GpsLocation, RunOptions};

    /// The body where `yes` is the one configuration that takes builds beside the default, and nothing is known of `d2`.
    fn start_body(spec: &RunSpec, build: Option<&str>, tags: &[String]) -> Value {
        let takes = |config: &str| match config {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        super::start_body(spec, &given_builds(spec, build, takes), tags)
    }

    fn spec(target: Target) -> RunSpec {
        RunSpec { label: "smoke".to_owned(), ..RunSpec::of(target) }
    }

    fn test() -> RunSpec {
        RunSpec { deployment_config: Some("d".to_owned()), ..spec(Target::Test("t".to_owned())) }
    }

    fn plan() -> RunSpec {
        RunSpec { deployment_config: Some("d".to_owned()), ..spec(Target::Plan("p".to_owned())) }
    }

    fn deployment(build: Option<&str>) -> Deployment {
        Deployment {
            deployment_config: "d2".to_owned(),
            build: build.map(str::to_owned),
            extra_builds: BTreeMap::from([(3, "x3".to_owned())]),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table with a row for every field")]
    fn sends_every_field_where_it_belongs_and_nothing_else() {
        let extra = BTreeMap::from([(1, "x1".to_owned())]);
        let one = |build| BTreeMap::from([(1, deployment(build))]);
        let data = json!({"country": "CH"});
        let cases: Vec<(&str, RunSpec, Option<&str>, Value)> = vec![
            ("bare test", test(), None, json!({"multiplayer_test_id": "t", "deployment_config_id": "d"})),
            (
                "build",
                test(),
                Some("b"),
                json!({"multiplayer_test_id": "t", "deployment_config_id": "d", "build_id": "b"}),
            ),
            (
                "build without configuration",
                spec(Target::Test("t".to_owned())),
                Some("b"),
                json!({"multiplayer_test_id": "t"}),
            ),
            (
                "extra builds",
                RunSpec { extra_builds: extra.clone(), ..test() },
                None,
                json!({"multiplayer_test_id": "t", "deployment_config_id": "d", "extra_build_ids": {"1": "x1"}}),
            ),
            (
                "numbers",
                RunSpec { retries: Some(0), instances: Some(3), ..test() },
                None,
                json!({"multiplayer_test_id": "t", "deployment_config_id": "d", "retries": 0, "instances": 3}),
            ),
            (
                "agent, devices, templates",
                RunSpec {
                    agent_config: Some("ac_default".to_owned()),
                    all_configured_devices: true,
                    template_data: data.as_object().cloned(),
                    ..test()
                },
                None,
                json!({"multiplayer_test_id": "t", "deployment_config_id": "d", "agent_config_id": "ac_default",
                    "run_on_all_configured_devices": true, "render_templates": true, "template_data": {"country": "CH"}}),
            ),
            (
                "options",
                RunSpec {
                    options: RunOptions {
                        performance_monitoring: Some(false),
                        mobile_geolocation: Some("London".to_owned()),
                        mobile_gpslocation: Some(GpsLocation::Point {
                            lat: "1.5".to_owned(),
                            long: "-2".to_owned(),
                        }),
                        mobile_auto_grant_permissions: Some(true),
                    },
                    ..test()
                },
                None,
                json!({"multiplayer_test_id": "t", "deployment_config_id": "d", "options": {"performance_monitoring": false,
                    "mobile_geolocation": "London", "mobile_gpslocation": {"lat": "1.5", "long": "-2"}, "mobile_auto_grant_permissions": true}}),
            ),
            (
                "players beside a default",
                RunSpec { players: one(None), ..test() },
                Some("b"),
                json!({"multiplayer_test_id": "t", "deployment_config_id": "d", "build_id": "b",
                    "player_deployment_configs": {"1": {"deployment_config_id": "d2", "extra_build_ids": {"3": "x3"}}}}),
            ),
            (
                "players beside a default get the build where it fits",
                RunSpec {
                    players: ["yes", "no", "d", "d2"]
                        .into_iter()
                        .zip(1..)
                        .map(|(config, number)| {
                            let deployment_config = config.to_owned();
                            let build = None;
                            (number, Deployment { deployment_config, build, extra_builds: BTreeMap::new() })
                        })
                        .collect(),
                    ..test()
                },
                Some("b"),
                json!({"multiplayer_test_id": "t", "deployment_config_id": "d", "build_id": "b", "player_deployment_configs": {
                    "1": {"deployment_config_id": "yes", "build_id": "b"}, "2": {"deployment_config_id": "no"},
                    "3": {"deployment_config_id": "d", "build_id": "b"}, "4": {"deployment_config_id": "d2"}}}),
            ),
            (
                "players alone get the build",
                RunSpec {
                    players: BTreeMap::from([(1, deployment(None)), (2, deployment(Some("own")))]),
                    ..spec(Target::Test("t".to_owned()))
                },
                Some("b"),
                json!({"multiplayer_test_id": "t", "player_deployment_configs": {
                    "1": {"deployment_config_id": "d2", "build_id": "b", "extra_build_ids": {"3": "x3"}},
                    "2": {"deployment_config_id": "d2", "build_id": "own", "extra_build_ids": {"3": "x3"}}}}),
            ),
            (
                "plan: no id in the body, no retries, no instances, no players",
                RunSpec {
                    retries: Some(1),
                    instances: Some(2),
                    players: one(None),
                    slots: one(Some("b2")),
                    extra_builds: extra,
                    ..plan()
                },
                Some("b"),
                json!({"deployment_config_id": "d", "build_id": "b", "extra_build_ids": {"1": "x1"},
                    "slot_deployment_configs": {"1": {"deployment_config_id": "d2", "build_id": "b2", "extra_build_ids": {"3": "x3"}}}}),
            ),
            (
                "words: named, no retries, no instances",
                RunSpec {
                    deployment_config: Some("d".to_owned()),
                    agent_config: Some("a".to_owned()),
                    retries: Some(1),
                    instances: Some(2),
                    ..spec(Target::Instructions("open the shop".to_owned()))
                },
                None,
                json!({"instructions": "open the shop", "name": "smoke", "deployment_config_id": "d", "agent_config_id": "a"}),
            ),
        ];
        for (name, spec, build, want) in cases {
            assert_eq!(start_body(&spec, build, &[]), want, "{name}");
        }
    }

    #[test]
    fn our_tags_follow_the_users_own_without_repetition() {
        let spec = RunSpec { tags: vec!["ci".to_owned(), "ci".to_owned()], ..test() };
        let body = start_body(&spec, None, &["nunu-ci:1".to_owned(), "ci".to_owned()]);
        assert_eq!(body["additional_tags"], json!(["ci", "nunu-ci:1"]));
        assert_eq!(start_body(&test(), None, &[]).get("additional_tags"), None);
    }
}
