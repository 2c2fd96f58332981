//! Starting runs.

use serde_json::Value;

use crate::http::Class;
use crate::model::{RunSpec, Target};

use super::client::Api;
use super::error::ApiError;
use super::request::{ApiRequest, LONG};
use super::start_reply::{Started, started};

impl Api {
    /// `POST runs`, or `POST test-plans/{id}/runs` when `spec` names a plan. Never repeated unless it surely had no effect.
    /// A reply about several devices of which some started (207) is a start.
    pub(crate) async fn start(&self, spec: &RunSpec, body: &Value) -> Result<Started, ApiError> {
        let segments = match &spec.target {
            Target::Plan(plan) => vec!["test-plans", plan.as_str(), "runs"],
            Target::Test(_) | Target::Instructions(_) => vec!["runs"],
        };
        let request = ApiRequest::post(&segments, body.clone(), Class::Effectful)
            .within(LONG)
            // Whatever the status says: a reply that names jobs started them.
            .accepting(|status, body| {
                started(status, body).is_some_and(|started| !started.job_ids.is_empty())
            });
        self.send(&request, |answer| {
            started(answer.status, &answer.json).ok_or_else(|| "no job and no run in it".to_owned())
        })
        .await
    }
}
