//! Before the first byte: every permission the job needs is proved, and all missing ones are reported together.

use futures_util::future::join_all;

use crate::api::{Api, AuthProblem, Fault, KeyKind, Phase, Proof};
use crate::model::{Failure, Log, Permission, Reason};

/// What is known of each permission.
#[derive(Debug, Default)]
pub(super) struct Proofs(pub(super) Vec<(Permission, Proof)>);

impl Proofs {
    /// False when the key is known to lack it.
    #[must_use]
    pub(super) fn may(&self, permission: Permission) -> bool {
        !self.0.iter().any(|(known, proof)| *known == permission && matches!(proof, Proof::Missing(_)))
    }

    /// True when it was proved.
    #[must_use]
    pub(super) fn proved(&self, permission: Permission) -> bool {
        self.0.iter().any(|(known, proof)| *known == permission && *proof == Proof::Proved)
    }

    /// The failure that names every missing permission of `needed`, if any is missing.
    ///
    /// # Errors
    /// When the key lacks at least one.
    pub(super) fn require(&self, needed: &[Permission]) -> Result<(), Failure> {
        let missing: Vec<_> = self
            .0
            .iter()
            .filter(|(permission, _)| needed.contains(permission))
            .filter_map(|(permission, proof)| match proof {
                Proof::Missing(error) => Some((*permission, error)),
                Proof::Proved | Proof::Unknown(_) => None,
            })
            .collect();
        let Some((_, first)) = missing.first() else { return Ok(()) };
        let mut failure = if missing.len() == 1 {
            first.failure(Phase::Check)
        } else {
            let names: Vec<&str> = missing.iter().map(|(permission, _)| permission.as_str()).collect();
            let mut failure = Failure::new(
                Reason::PermissionMissing,
                format!(
                    "the API key is missing {} permissions that this job needs: {}",
                    names.len(),
                    names.join(", ")
                ),
            );
            for (permission, error) in &missing {
                failure =
                    failure.cause(format!("{error} ({permission}: needed to {})", permission.purpose()));
            }
            failure.hint(format!(
                "add {} to the key (Project Admin -> API Keys), or use a key that has them",
                names.join(", ")
            ))
        };
        failure = failure.hint(self.overview(needed));
        Err(failure)
    }

    /// One line: what this job needs and which of it is proved.
    #[must_use]
    pub(super) fn overview(&self, needed: &[Permission]) -> String {
        let word = |permission: Permission| match self.0.iter().find(|(known, _)| *known == permission) {
            Some((_, Proof::Proved)) => "proved",
            Some((_, Proof::Missing(_))) => "missing",
            Some((_, Proof::Unknown(_))) | None => "not known",
        };
        let each: Vec<String> =
            needed.iter().map(|&permission| format!("{permission} ({})", word(permission))).collect();
        format!("this job needs: {}", each.join(", "))
    }
}

/// Asks the service about every permission at once.
///
/// # Errors
/// When the key itself is refused.
pub(super) async fn prove(api: &Api, permissions: &[Permission], log: &Log) -> Result<Proofs, Failure> {
    let asked =
        permissions.iter().map(|&permission| async move { (permission, api.prove(permission).await) });
    let mut proofs = Proofs::default();
    for (permission, proof) in join_all(asked).await {
        match proof {
            Ok(proof) => {
                if let Proof::Unknown(error) = &proof {
                    log.debug(format!("{permission} could not be proved: {error}"));
                }
                proofs.0.push((permission, proof));
            }
            Err(error) => {
                let needs_project = api.key_kind() == KeyKind::Organisation;
                let failure = error.failure(Phase::Check);
                let invalid = error.fault == Fault::Auth(AuthProblem::Invalid);
                return Err(if invalid && needs_project {
                    failure.hint("an organisation key works only with the setting project-id")
                } else {
                    failure
                });
            }
        }
    }
    Ok(proofs)
}
