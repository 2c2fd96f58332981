//! Names and ids of configurations, tests and plans, for look-ups by name.

use serde_json::Value;

use super::ask::Ask;
use super::client::Api;
use super::error::ApiError;
use super::sieve::Sieve;
use super::wire::Fields;

/// Most entries of a list.
const MOST: usize = 2_000;

/// Something with an id and a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Folder path of a test, or kind of a configuration; tells equal names apart.
    pub note: Option<String>,
    /// Deployment configurations: whether they take their app from build storage; `None` when it is not said.
    pub takes_builds: Option<bool>,
    /// Tests: whether the service marks them as quarantined.
    pub quarantined: bool,
}

impl Api {
    /// `GET deployment-configs` (at most 2,000).
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn deployment_configs(&self) -> Result<Vec<Named>, ApiError> {
        self.named("deployment-configs").await
    }

    /// `GET agent-configs` (at most 2,000).
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn agent_configs(&self) -> Result<Vec<Named>, ApiError> {
        self.named("agent-configs").await
    }

    /// `GET tests` (at most 2,000). Any key of the project may.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tests(&self) -> Result<Vec<Named>, ApiError> {
        self.named("tests").await
    }

    /// `GET test-plans` (at most 2,000).
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn test_plans(&self) -> Result<Vec<Named>, ApiError> {
        self.named("test-plans").await
    }

    /// How many tests a plan has: one job each. `None` when the service does not say.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn test_plan_size(&self, plan_id: &str) -> Result<Option<usize>, ApiError> {
        let ask = Ask::get(&["test-plans", plan_id]);
        self.ask(&ask, |answer| {
            let plan =
                answer.json.get("test_plan").or_else(|| answer.json.get("data")).unwrap_or(&answer.json);
            Ok(plan.get("test_items").and_then(Value::as_array).map(Vec::len))
        })
        .await
    }

    async fn named(&self, list: &'static str) -> Result<Vec<Named>, ApiError> {
        const LISTS: &[&str] =
            &["data", "deployment_configs", "agent_configs", "tests", "test_plans", "items", "configs"];
        self.pages(&Ask::get(&[list]), LISTS, MOST, named, Sieve::ALL).await
    }
}

fn named(value: &Value) -> Option<Named> {
    let fields = Fields::of(value);
    let source = fields.object(&["summary"]).object(&["app"]).text(&["source"]);
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
        quarantined: fields.flag(&["quarantined"]).unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::named;

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
        let test = named(
            &json!({"id": "t", "name": "Shop", "type": "task", "folder_path": "/a", "quarantined": true}),
        )
        .unwrap();
        assert_eq!((test.note.as_deref(), test.quarantined), (Some("/a"), true));
    }
}
