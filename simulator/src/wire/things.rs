//! Builds, tests, plans and configurations.

use serde_json::{Value, json};

use super::Wire;
use crate::builds::Build;
use crate::generation::{Generation, Quirk};
use crate::resources::{AgentConfig, DeploymentConfig, Plan, TestCase};

impl Wire<'_> {
    pub(crate) fn build(self, build: &Build, details: bool) -> Value {
        let config = &self.inner.config;
        let mut status = build.status(self.now, config.ready_after, &config.build_status);
        if self.has(Quirk::UnknownEnums) && status == "uploading" {
            "SCANNING".clone_into(&mut status);
        }
        let mut value = json!({
            "project_id": self.project(), "name": build.name, "platform": build.platform, "status": status,
            "pinned": false, "nunu_sdk": false, "tags": build.tags, "created_at": self.time(build.created),
            "last_used": null, "description": build.request.get("description"),
        });
        let names = if self.has(Quirk::OldBuildNames) {
            ["id", "file_name", "file_size"]
        } else {
            ["build_id", "filename", "size"]
        };
        value[names[0]] = json!(build.id);
        value[names[1]] = json!(build.file_name);
        value[names[2]] = json!(build.size);
        if details {
            value["details"] = json!(build.request.get("details"));
        }
        value
    }

    /// A test in the list.
    pub(crate) fn test_summary(test: &TestCase) -> Value {
        json!({ "id": test.id, "name": test.name, "type": test.kind, "folder_id": null, "folder_path": test.folder })
    }

    /// A test by itself: another word for its kind, and what the list does not tell.
    pub(crate) fn test(self, test: &TestCase) -> Value {
        json!({
            "id": test.id, "project_id": self.project(), "name": test.name, "version": 3, "tags": [],
            "test_type": test.kind, "quarantined": test.quarantined, "testrail": null, "source": "bot",
            "max_seconds": test.max_seconds, "memory": null,
        })
    }

    pub(crate) fn plan(self, plan: &Plan) -> Value {
        let items: Vec<Value> = plan
            .items
            .iter()
            .map(|(id, retries)| json!({ "multiplayer_test_id": id, "retries": retries }))
            .collect();
        let slots: Vec<Value> =
            plan.slots.iter().map(|(index, name)| json!({ "index": index, "name": name })).collect();
        json!({
            "id": plan.id, "project_id": self.project(), "name": plan.name, "slots": slots,
            "default_slot_name": "Main", "test_items": items,
        })
    }

    pub(crate) fn config(self, config: &DeploymentConfig) -> Value {
        let labels: Vec<&str> = config.devices.iter().map(|d| d.label.as_str()).collect();
        let provider = config.source.provider();
        if self.generation() <= Generation::V3 {
            return json!({ "id": config.id, "name": config.name, "description": "", "kind": config.kind,
                "pinned": false, "providerType": provider });
        }
        json!({
            "id": config.id, "name": config.name, "description": "", "kind": config.kind, "pinned": false,
            "provider_type": provider, "allow_multi_device_runs": config.multi_device,
            "device_labels": labels,
            "summary": {
                "target_label": labels.first(), "deployment_config_id": config.id, "version": 1,
                "name": config.name, "description": "", "pinned": false, "platform": config.kind,
                "environment": "external", "sdk_mode": "no_sdk",
                "app": { "source": config.source.summary(), "file_format": config.file_format,
                    "required_tags": config.required_tags, "editable": false, "summary": "" },
                "extra_apps": [],
            },
        })
    }

    pub(crate) fn agent(agent: &AgentConfig) -> Value {
        json!({ "id": agent.id, "name": agent.name, "description": "", "pinned": false })
    }
}
