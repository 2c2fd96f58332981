//! Starting runs: the body of a start, and replies of every generation.

use serde_json::Value;

use crate::model::RunSpec;

use super::client::Api;
use super::error::ApiError;

/// Which objects are polled after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Jobs (`job_ids` in the reply).
    Jobs,
    /// Runs: the oldest API, whose reply has a run id and no `job_ids`.
    Runs,
}

/// What a start came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// What is polled from here on.
    pub generation: Generation,
    /// Job ids, unique, in the order of the reply. With [`Generation::Runs`] the id to stop by, when there is one.
    pub job_ids: Vec<String>,
    /// Run ids that the reply named.
    pub run_ids: Vec<String>,
    /// Build the service picked or confirms.
    pub build_id: Option<String>,
    /// Execution, when a plan was started.
    pub test_plan_execution_id: Option<String>,
    /// Test of a start in words.
    pub test_id: Option<String>,
    /// Devices that did not start: label and the server's words.
    pub failed_devices: Vec<(String, String)>,
    /// Devices that did start: label and their job ids.
    pub devices: Vec<(String, Vec<String>)>,
    /// Devices or copies that were asked for, as the service counts.
    pub requested: Option<u64>,
    /// How many of them started, as the service counts.
    pub started: Option<u64>,
}

impl Started {
    /// True when only a part of what was asked for was started.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        todo!()
    }
}

/// The body of the start call for `spec`: documented fields only, absent rather than null. `build_id` is sent only together
/// with a deployment configuration; `tags` (ours) follow the user's own.
#[must_use]
pub fn start_body(spec: &RunSpec, build_id: Option<&str>, tags: &[String]) -> Value {
    let _ = (spec, build_id, tags);
    todo!()
}

impl Api {
    /// `POST runs`, or `POST test-plans/{id}/runs` when `spec` names a plan. Never repeated unless it surely had no effect.
    ///
    /// # Errors
    /// [`ApiError::is_unclear`]: look the tag up before anything else.
    pub async fn start(&self, spec: &RunSpec, body: &Value) -> Result<Started, ApiError> {
        let _ = (spec, body);
        todo!()
    }
}
