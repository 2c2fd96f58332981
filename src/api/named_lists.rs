//! Tests, plans and configurations: lists of them for look-ups by name, and what the service tells of one.

use std::time::Duration;

use serde_json::Value;

use crate::model::{Platform, may_be_id};

use super::client::Api;
use super::error::ApiError;
use super::json::Fields;
use super::list_filter::ListFilter;
use super::request::ApiRequest;

/// Most entries of a list.
const MOST: usize = 2_000;
/// The newest come first, and a start's own is among them.
const MOST_EXECUTIONS: usize = 100;

/// Something with an id and a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// Id.
    pub(crate) id: String,
    /// Name.
    pub(crate) name: String,
    /// Folder path of a test, or kind of a configuration; tells equal names apart.
    pub(crate) note: Option<String>,
    /// Deployment configurations: whether they take their app from build storage; `None` when it is not said.
    pub(crate) takes_builds: Option<bool>,
    /// Deployment configurations: the platform they play on, in the service's words.
    pub(crate) platform: Option<String>,
    /// Deployment configurations: `zip` or `file`, the format of the builds they take.
    pub(crate) file_format: Option<String>,
}

/// What the service tells of one test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TestFacts {
    /// Name.
    pub(crate) name: Option<String>,
    /// `verification`, `discovery` or `task`.
    pub(crate) kind: Option<String>,
    /// Marked as quarantined on the service.
    pub(crate) quarantined: bool,
    /// Longest time that a run of it may take.
    pub(crate) longest: Option<Duration>,
}

/// What the service tells of one test plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PlanFacts {
    /// Name.
    pub(crate) name: Option<String>,
    /// How many tests it has: one job each. `None` when the service does not say.
    pub(crate) tests: Option<usize>,
    /// Its items in order; `None` when not each of them tells its test and its retries.
    pub(crate) items: Option<Vec<PlanItem>>,
}

/// One test of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanItem {
    /// The test.
    pub(crate) test_id: String,
    /// How often the service repeats it.
    pub(crate) retries: u8,
}

/// One execution of a test plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Execution {
    /// Id, as its jobs carry it.
    pub(crate) id: String,
    /// How many tests it has: one job each. `None` when the service does not say.
    pub(crate) tests: Option<usize>,
}

impl Named {
    /// Whether builds of that platform play on what a deployment configuration names; `None` for words that say nothing of builds,
    /// or are unknown.
    pub(crate) fn plays(&self, build: Platform) -> Option<bool> {
        let configured = self.platform.as_deref()?.to_ascii_lowercase();
        let of_build = match build {
            Platform::IosNative | Platform::IosSimulator => "ios",
            other => other.as_str(),
        };
        ["windows", "macos", "linux", "android", "ios", "xbox", "playstation"]
            .contains(&configured.as_str())
            .then(|| configured == of_build)
    }

    /// Whether a deployment configuration takes a build of that platform; `None` when it is not said.
    pub(crate) fn takes(&self, platform: Option<Platform>) -> Option<bool> {
        match (self.takes_builds, platform.and_then(|platform| self.plays(platform))) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (said, _) => said,
        }
    }
}

impl Api {
    /// `GET deployment-configs` (at most 2,000).
    pub(crate) async fn deployment_configs(&self) -> Result<Vec<Named>, ApiError> {
        self.named("deployment-configs").await
    }

    /// `GET agent-configs` (at most 2,000).
    pub(crate) async fn agent_configs(&self) -> Result<Vec<Named>, ApiError> {
        self.named("agent-configs").await
    }

    /// `GET tests` (at most 2,000). Any key of the project may.
    pub(crate) async fn tests(&self) -> Result<Vec<Named>, ApiError> {
        self.named("tests").await
    }

    /// `GET test-plans` (at most 2,000).
    pub(crate) async fn test_plans(&self) -> Result<Vec<Named>, ApiError> {
        self.named("test-plans").await
    }

    /// `GET tests/{id}`. Any key of the project may.
    pub(crate) async fn test(&self, test_id: &str) -> Result<TestFacts, ApiError> {
        self.send(&ApiRequest::get(&["tests", test_id]), |answer| {
            let fields = object(&answer.json, "test")?;
            Ok(TestFacts {
                name: fields.text(&["name"]),
                kind: fields.text(&["test_type", "type"]),
                quarantined: fields.flag(&["quarantined"]).unwrap_or(false),
                longest: fields.count(&["max_seconds"]).map(Duration::from_secs),
            })
        })
        .await
    }

    /// `GET test-plans/{id}`.
    pub(crate) async fn test_plan(&self, plan_id: &str) -> Result<PlanFacts, ApiError> {
        self.send(&ApiRequest::get(&["test-plans", plan_id]), |answer| {
            let fields = object(&answer.json, "test_plan")?;
            let items = fields.value(&["test_items"]).and_then(Value::as_array);
            Ok(PlanFacts {
                name: fields.text(&["name"]),
                tests: items.map(Vec::len),
                items: items.and_then(|items| items.iter().map(plan_item).collect()),
            })
        })
        .await
    }

    /// `GET test-plan-executions` of one plan, the newest first.
    pub(crate) async fn executions(&self, plan_id: &str) -> Result<Vec<Execution>, ApiError> {
        const LISTS: &[&str] = &["data", "test_plan_executions", "items"];
        let request = ApiRequest::get(&["test-plan-executions"]).with("test_plan_id", plan_id);
        self.pages(&request, LISTS, MOST_EXECUTIONS, execution, ListFilter::ALL).await
    }

    async fn named(&self, list: &'static str) -> Result<Vec<Named>, ApiError> {
        const LISTS: &[&str] =
            &["data", "deployment_configs", "agent_configs", "tests", "test_plans", "items", "configs"];
        self.pages(&ApiRequest::get(&[list]), LISTS, MOST, named, ListFilter::ALL).await
    }
}

fn plan_item(value: &Value) -> Option<PlanItem> {
    let fields = Fields::of(value);
    let test_id = fields.text(&["multiplayer_test_id", "test_id"]).filter(|id| may_be_id(id))?;
    Some(PlanItem { test_id, retries: fields.count(&["retries"])?.try_into().ok()? })
}

fn execution(value: &Value) -> Option<Execution> {
    let fields = Fields::of(value);
    let tests = fields.count(&["total_tests"]).and_then(|tests| usize::try_from(tests).ok());
    Some(Execution { id: fields.text(&["id", "test_plan_execution_id"])?, tests })
}

/// The object that an answer is, or has under `name` or `data`.
fn object<'a>(answer: &'a Value, name: &str) -> Result<Fields<'a>, String> {
    let inner =
        [name, "data"].into_iter().find_map(|name| answer.get(name).filter(|inner| inner.is_object()));
    let object = inner.unwrap_or(answer);
    if object.is_object() { Ok(Fields::of(object)) } else { Err("no object".to_owned()) }
}

fn named(value: &Value) -> Option<Named> {
    let fields = Fields::of(value);
    let summary = fields.object(&["summary"]);
    let app = summary.object(&["app"]);
    let source = app.text(&["source"]);
    let provider = fields.text(&["provider_type", "providerType"]).or(source);
    Some(Named {
        id: fields.text(&[
            "id",
            "deployment_config_id",
            "agent_config_id",
            "multiplayer_test_id",
            "test_plan_id",
        ])?,
        name: fields.text(&["name"]).unwrap_or_default(),
        note: fields.text(&["folder_path", "kind", "type"]),
        takes_builds: provider.map(|provider| matches!(provider.replace('_', "-").as_str(), "build-storage")),
        platform: summary.text(&["platform"]).or_else(|| fields.text(&["kind"])),
        file_format: app.text(&["file_format"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Named, PlanItem, Platform, named, plan_item};

    #[test]
    fn tells_whether_a_configuration_takes_builds() {
        for (value, want) in [
            (json!({"id": "d", "provider_type": "build-storage"}), Some(true)),
            (json!({"id": "d", "providerType": "build-storage"}), Some(true)),
            (json!({"id": "d", "provider_type": "direct-url"}), Some(false)),
            (
                json!({"id": "d", "provider_type": null, "summary": {"app": {"source": "build_storage"}}}),
                Some(true),
            ),
            (json!({"id": "d", "summary": {"app": {"source": "preinstalled"}}}), Some(false)),
            (json!({"id": "d", "summary": {"app": null}}), None),
            (json!({"id": "d"}), None),
        ] {
            assert_eq!(named(&value).unwrap().takes_builds, want, "{value}");
        }
        assert_eq!(named(&json!({"name": "x"})), None);
        for (kind, source, platform, want) in [
            (Some("android"), Some("build_storage"), Some(Platform::Android), Some(true)),
            (Some("ios"), Some("build_storage"), Some(Platform::IosNative), Some(true)),
            (Some("windows"), Some("build_storage"), Some(Platform::Android), Some(false)),
            (Some("android"), Some("preinstalled"), Some(Platform::Android), Some(false)),
            (Some("android"), None, Some(Platform::Android), None),
            (None, Some("build_storage"), Some(Platform::Android), Some(true)),
            (Some("windows"), Some("build_storage"), None, Some(true)),
        ] {
            let config = json!({"id": "d", "kind": kind, "summary": {"app": {"source": source}}});
            assert_eq!(named(&config).unwrap().takes(platform), want, "{config} {platform:?}");
        }
        let test = json!({"id": "t", "name": "Shop", "type": "task", "folder_path": "/a"});
        assert_eq!(named(&test).unwrap().note.as_deref(), Some("/a"));
    }

    #[test]
    fn an_item_of_a_plan_tells_its_test_and_its_retries() {
        let item = PlanItem { test_id: "t".to_owned(), retries: 2 };
        assert_eq!(plan_item(&json!({"multiplayer_test_id": "t", "retries": 2})), Some(item));
        for value in [
            json!({"multiplayer_test_id": "t"}),
            json!({"retries": 0}),
            json!({"multiplayer_test_id": "../t", "retries": 0}),
            json!({"multiplayer_test_id": "t", "retries": 1000}),
        ] {
            assert_eq!(plan_item(&value), None, "{value}");
        }
    }

    #[test]
    fn a_build_fits_the_platform_of_its_configuration() {
        for (configured, build, want) in [
            ("android", Platform::Android, Some(true)),
            ("ios", Platform::IosNative, Some(true)),
            ("ios", Platform::IosSimulator, Some(true)),
            ("windows", Platform::Android, Some(false)),
            ("playstation", Platform::Xbox, Some(false)),
            ("browser", Platform::Windows, None),
            ("external", Platform::Android, None),
            ("something new", Platform::Android, None),
        ] {
            let config = Named { platform: Some(configured.to_owned()), ..Named::default() };
            assert_eq!(config.plays(build), want, "{configured} {build:?}");
        }
    }
}
