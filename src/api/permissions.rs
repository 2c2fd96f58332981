//! Proving permissions before anything costs money.

use crate::model::Permission;

use super::client::Api;
use super::error::ApiError;

/// What is known about one permission of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The key has it.
    Proved,
    /// The key lacks it; the server's refusal.
    Missing(ApiError),
    /// The service gave no answer that tells; must not block.
    Unknown(ApiError),
}

impl Api {
    /// Asks the service for `permission` without any effect.
    ///
    /// # Errors
    /// When the key itself is refused (missing, unknown, expired, disabled), whatever the permission.
    pub async fn prove(&self, permission: Permission) -> Result<Proof, ApiError> {
        let _ = permission;
        todo!()
    }
}
