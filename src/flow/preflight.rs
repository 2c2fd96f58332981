//! Before the first byte: every permission the job needs is proved, and all missing ones are reported together.

use crate::api::{Api, AuthProblem, Fault, Phase, Proof, missing_permissions};
use crate::model::service::KeyKind;
use crate::model::{Failure, Log, Permission};

/// What is known of each permission.
#[derive(Debug, Default)]
pub(super) struct Proofs(pub(super) Vec<(Permission, Proof)>);

impl Proofs {
    /// False when the key is known to lack it.
    pub(super) fn may(&self, permission: Permission) -> bool {
        !self.0.iter().any(|(known, proof)| *known == permission && matches!(proof, Proof::Missing(_)))
    }

    /// True when it was proved.
    pub(super) fn proved(&self, permission: Permission) -> bool {
        self.0.iter().any(|(known, proof)| *known == permission && *proof == Proof::Proved)
    }

    /// Fails when any permission of `needed` is missing, naming all of them.
    pub(super) fn require(&self, needed: &[Permission]) -> Result<(), Failure> {
        let asked: Vec<(Permission, Proof)> =
            self.0.iter().filter(|(permission, _)| needed.contains(permission)).cloned().collect();
        missing_permissions(&asked).map_or(Ok(()), Err)
    }

    /// The failure of a service that was not reached at all: whatever is tried next would only wait for it again. Any answer, also a
    /// refusal, means that somebody is there.
    pub(super) fn unreachable(&self) -> Option<Failure> {
        let network = |proof: &Proof| match proof {
            Proof::Unknown(error) if matches!(error.fault, Fault::Network(_)) => Some(error.clone()),
            _ => None,
        };
        let errors: Vec<_> = self.0.iter().map_while(|(_, proof)| network(proof)).collect();
        let error = errors.first().filter(|_| errors.len() == self.0.len())?;
        Some(error.failure(Phase::Check))
    }

    /// One line: what this job needs and which of it is proved.
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
pub(super) async fn prove(api: &Api, permissions: &[Permission], log: &Log) -> Result<Proofs, Failure> {
    let proofs = api.prove_all(permissions).await.map_err(|error| {
        let failure = error.failure(Phase::Check);
        let invalid = error.fault == Fault::Auth(AuthProblem::Invalid);
        if invalid && api.key_kind() == KeyKind::Organisation {
            failure.hint("an organisation key works only with the setting project-id")
        } else {
            failure
        }
    })?;
    for (permission, proof) in &proofs {
        if let Proof::Unknown(error) = proof {
            log.debug(format!("{permission} could not be proved: {error}"));
        }
    }
    Ok(Proofs(proofs))
}
