//! Proving permissions before anything costs money.

use futures_util::future::join_all;
use serde_json::json;

use crate::http::Class;
use crate::model::Permission;

use super::auth::AuthProblem;
use super::client::Api;
use super::error::{ApiError, Fault};
use super::request::ApiRequest;

/// What is known about one permission of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The key has it.
    Proved,
    /// The key lacks it, or is refused for another reason; the server's refusal.
    Missing(ApiError),
    /// The service gave no answer that tells; must not block.
    Unknown(ApiError),
}

impl Api {
    /// Asks the service for `permission` without any effect: reading one entry of a list, or stopping a job that does not exist.
    pub(crate) async fn prove(&self, permission: Permission) -> Result<Proof, ApiError> {
        let result = match permission {
            Permission::ManageBuildStorage => self.peek("builds").await,
            Permission::ViewConfigs => self.peek("deployment-configs").await,
            Permission::ReadRuns => match self.peek("jobs").await {
                // The oldest generation has no jobs.
                Err(error) if error.is_not_found() => self.peek("runs").await,
                result => result,
            },
            Permission::OperateRuns => {
                let body = json!({ "job_ids": [random_uuid()] });
                let request = ApiRequest::post(&["runs", "stop"], body, Class::Repeatable);
                match self.send(&request, |_| Ok(())).await {
                    // No such job: the key would have been allowed to stop it.
                    Err(error) if error.is_not_found() && !error.html => Ok(()),
                    result => result,
                }
            }
        };
        match result {
            Ok(()) => Ok(Proof::Proved),
            Err(error) => match &error.fault {
                Fault::Auth(AuthProblem::MissingPermission(_) | AuthProblem::Forbidden) => {
                    Ok(Proof::Missing(error))
                }
                Fault::Auth(_) => Err(error),
                _ => Ok(Proof::Unknown(error)),
            },
        }
    }

    /// Proves all of them at once, in the order given.
    pub(crate) async fn prove_all(
        &self,
        permissions: &[Permission],
    ) -> Result<Vec<(Permission, Proof)>, ApiError> {
        let proofs = join_all(permissions.iter().map(|permission| self.prove(*permission))).await;
        permissions.iter().copied().zip(proofs).map(|(permission, proof)| Ok((permission, proof?))).collect()
    }

    async fn peek(&self, list: &'static str) -> Result<(), ApiError> {
        self.send(&ApiRequest::get(&[list]).with("page", "0").with("page_size", "1"), |_| Ok(())).await
    }
}

/// A random UUID (RFC 9562, version 4): an id that no job has.
fn random_uuid() -> String {
    let bits = fastrand::u128(..);
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::random_uuid;

    #[test]
    fn makes_well_formed_uuids() {
        for _ in 0..100 {
            let uuid = random_uuid();
            assert_eq!(uuid.len(), 36);
            assert_eq!(&uuid[14..15], "4");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        }
        assert_ne!(random_uuid(), random_uuid());
    }
}
