//! Starting runs: the body of a start, and replies of every generation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::http::Class;
use crate::model::given::{GivenBuilds, Handed};
use crate::model::run::Deployment;
use crate::model::{RunSpec, Target};

use super::ask::{Ask, LONG};
use super::client::Api;
use super::error::ApiError;
use super::wire;

/// Which objects are polled after a start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Generation {
    /// Jobs (`job_ids` in the reply).
    #[default]
    Jobs,
    /// Runs: the oldest API, whose reply has a run id and no `job_ids`.
    Runs,
}

/// What a start came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Started {
    /// What is polled from here on.
    pub(crate) generation: Generation,
    /// Job ids, unique, in the order of the reply. With [`Generation::Runs`] the id to stop by, when there is one.
    pub(crate) job_ids: Vec<String>,
    /// Run ids that the reply named.
    pub(crate) run_ids: Vec<String>,
    /// Build the service picked or confirms.
    pub(crate) build_id: Option<String>,
    /// Execution, when a plan was started.
    pub(crate) test_plan_execution_id: Option<String>,
    /// Test of a start in words.
    pub(crate) test_id: Option<String>,
    /// Devices that did not start: label and the server's words.
    pub(crate) failed_devices: Vec<(String, String)>,
    /// Devices that did start: label and their job ids.
    pub(crate) devices: Vec<(String, Vec<String>)>,
    /// Devices or copies that were asked for, as the service counts.
    pub(crate) requested: Option<u64>,
    /// How many of them started, as the service counts.
    pub(crate) started: Option<u64>,
    /// How many did not, as the service counts.
    pub(crate) failed: Option<u64>,
    /// True when the status or `ok` says that not all started.
    pub(crate) partly: bool,
}

impl Started {
    /// True when anything says that only a part of what was asked for was started; `asked` is the least number of runs.
    pub(crate) fn is_partial(&self, asked: u64) -> bool {
        let fewer = self.started.is_some_and(|started| started < self.requested.unwrap_or(0).max(asked));
        self.partly
            || fewer
            || !self.failed_devices.is_empty()
            || self.failed.is_some_and(|failed| failed > 0)
    }
}

/// How many tests each job of a start is, when `asked` instances of a test were asked for. `devices` has the device of each job,
/// where the start named one; `started` is how many runs the service counts.
///
/// The service makes one job of all instances, or one of each; on several devices it does so for each device.
pub(crate) fn instances_of(
    job_ids: &[String],
    devices: &[(String, String)],
    started: Option<u64>,
    asked: usize,
) -> Vec<usize> {
    let device = |job: &String| devices.iter().find(|(id, _)| id == job).map(|(_, device)| device);
    let all = started.and_then(|started| usize::try_from(started).ok()).unwrap_or(asked);
    let of_job = |job: &String| {
        let own = device(job);
        let beside: Vec<&String> = job_ids.iter().filter(|other| device(other) == own).collect();
        let (jobs, place) = (beside.len(), beside.iter().position(|other| *other == job).unwrap_or(0));
        share(if own.is_some() { asked } else { all.min(MOST_INSTANCES * jobs) }, jobs, place)
    };
    job_ids.iter().map(of_job).collect()
}

/// Instances that one job may have, by the documentation.
const MOST_INSTANCES: usize = 10;

/// The part of `whole` that falls on the job at `place` among `jobs`, at least 1.
fn share(whole: usize, jobs: usize, place: usize) -> usize {
    let jobs = jobs.max(1);
    (whole / jobs + usize::from(place < whole % jobs)).max(1)
}

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

impl Api {
    /// `POST runs`, or `POST test-plans/{id}/runs` when `spec` names a plan. Never repeated unless it surely had no effect.
    /// A reply about several devices of which some started (207) is a start.
    pub(crate) async fn start(&self, spec: &RunSpec, body: &Value) -> Result<Started, ApiError> {
        let segments = match &spec.target {
            Target::Plan(plan) => vec!["test-plans", plan.as_str(), "runs"],
            Target::Test(_) | Target::Instructions(_) => vec!["runs"],
        };
        let ask = Ask::post(&segments, body.clone(), Class::Effectful)
            .within(LONG)
            // Whatever the status says: a reply that names jobs started them.
            .accepting(|status, body| {
                wire::started(status, body).is_some_and(|started| !started.job_ids.is_empty())
            });
        self.ask(&ask, |answer| {
            wire::started(answer.status, &answer.json).ok_or_else(|| "no job and no run in it".to_owned())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{Deployment, RunSpec, Target, given_builds, instances_of};
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
        RunSpec {
            label: "smoke".to_owned(),
            target,
            deployment_config: None,
            agent_config: None,
            tags: vec![],
            retries: None,
            instances: None,
            template_data: None,
            options: RunOptions::default(),
            extra_builds: BTreeMap::new(),
            all_configured_devices: false,
            players: BTreeMap::new(),
            slots: BTreeMap::new(),
            required: true,
        }
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
    fn every_job_knows_how_many_tests_it_is() {
        for (name, jobs, devices, started, asked, want) in [
            ("one", "a", "", None, 1, vec![1]),
            ("one job of three", "a", "", None, 3, vec![3]),
            ("a job for each", "a b c", "", None, 3, vec![1, 1, 1]),
            ("a plan", "a b c", "", None, 1, vec![1, 1, 1]),
            ("a plan on devices", "a b c d", "", Some(2), 1, vec![1, 1, 1, 1]),
            ("only two of three started", "a", "", Some(2), 3, vec![2]),
            ("uneven", "a b", "", None, 3, vec![2, 1]),
            ("devices", "a b", "x y", Some(6), 3, vec![3, 3]),
            ("devices, a job for each", "a b c", "x x y", Some(4), 2, vec![1, 1, 2]),
            ("nonsense", "a", "", Some(u64::MAX), 1, vec![10]),
        ] {
            let jobs: Vec<String> = jobs.split(' ').map(str::to_owned).collect();
            let devices: Vec<(String, String)> =
                jobs.iter().cloned().zip(devices.split_whitespace().map(str::to_owned)).collect();
            assert_eq!(instances_of(&jobs, &devices, started, asked), want, "{name}");
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
