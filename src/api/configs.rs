//! Names and ids of configurations, tests and plans, for look-ups by name.

use super::client::Api;
use super::error::ApiError;

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
    /// `GET deployment-configs`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn deployment_configs(&self) -> Result<Vec<Named>, ApiError> {
        todo!()
    }
    /// `GET agent-configs`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn agent_configs(&self) -> Result<Vec<Named>, ApiError> {
        todo!()
    }
    /// `GET tests`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn tests(&self) -> Result<Vec<Named>, ApiError> {
        todo!()
    }
    /// `GET test-plans`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn test_plans(&self) -> Result<Vec<Named>, ApiError> {
        todo!()
    }
}
