//! Errors as people see them: the message, the causes and the next action of the contract, section 6.

use crate::http::HttpError;
use crate::model::service::KeyKind;
use crate::model::{ExitReason, Failure, Permission, units};

use super::auth::AuthProblem;
use super::error::{ApiError, Fault};
use super::permissions::Proof;

/// Where keys are managed in the dashboard.
const KEYS: &str = "Project Admin -> API Keys";

/// What the job was doing; decides the exit code of faults that are nobody's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Preflight and look-ups before anything is sent: 7.
    Check,
    /// Upload: 5.
    Upload,
    /// Start: 6.
    Start,
    /// Everything later: 7.
    Wait,
    /// Stopping: 7.
    Stop,
}

impl Phase {
    /// The reason of a fault that has none of its own.
    const fn reason(self, network: bool) -> ExitReason {
        match (self, network) {
            (Self::Upload, _) => ExitReason::UploadFailed,
            (Self::Start, _) => ExitReason::StartFailed,
            (Self::Check | Self::Wait | Self::Stop, true) => ExitReason::NetworkError,
            (Self::Check | Self::Wait | Self::Stop, false) => ExitReason::ServiceError,
        }
    }

    /// What could not be done.
    const fn what(self) -> &'static str {
        match self {
            Self::Check => "the check failed",
            Self::Upload => "the upload failed",
            Self::Start => "the start failed",
            Self::Wait => "waiting for the runs failed",
            Self::Stop => "stopping the runs failed",
        }
    }
}

impl ApiError {
    /// The failure of the job: authentication is 3 in every phase, quota and size are 4, everything else has the code of its phase.
    pub(crate) fn failure(&self, phase: Phase) -> Failure {
        match &self.fault {
            Fault::Auth(AuthProblem::MissingPermission(name)) if phase == Phase::Wait => self
                .auth_failure(&AuthProblem::MissingPermission(name.clone()))
                .hint("what was started goes on; the key may only not read it"),
            Fault::Auth(problem) => self.auth_failure(problem),
            Fault::Quota { .. } if matches!(phase, Phase::Start | Phase::Wait | Phase::Stop) => {
                Failure::new(ExitReason::QuotaExceeded, format!("a quota of the project is used up: {self}"))
                    .hint("the server's words name the quota: wait until it is free again, or have it raised")
            }
            Fault::Quota { used, capacity, needed } => self.quota_failure(*used, *capacity, *needed),
            Fault::TooLarge => Failure::new(
                ExitReason::BuildTooLarge,
                format!("the service does not store builds this large: {self}"),
            )
            .hint(
                "the limit is 5 TB in all, and 3 GB for a build sent in one piece (build.multipart: never)",
            ),
            Fault::Network(error) => network_failure(phase, self, error),
            _ => {
                let failure = Failure::new(phase.reason(false), format!("{}: {self}", phase.what()));
                self.hints(phase).into_iter().fold(failure, Failure::hint)
            }
        }
    }

    fn auth_failure(&self, problem: &AuthProblem) -> Failure {
        match problem {
            AuthProblem::KeyRequired => Failure::new(
                ExitReason::ApiKeyMissing,
                format!("no API key arrived at the service: {self}"),
            )
            .hint("set api-token (NUNU_API_TOKEN) from the secret store of your CI; a proxy may also have removed the X-Api-Key header")
            .hint("on GitHub, workflows of forks and of Dependabot get no secrets"),
            AuthProblem::Invalid => self.invalid_key(),
            AuthProblem::Expired => {
                Failure::new(ExitReason::ApiKeyExpired, format!("the API key has expired: {self}"))
                    .hint(format!("create a new key ({KEYS}) and replace the secret that api-token comes from"))
            }
            AuthProblem::Disabled => {
                Failure::new(ExitReason::ApiKeyDisabled, format!("the API key is switched off: {self}"))
                    .hint(format!("re-enable it in {KEYS}, or create a new one and replace the secret that api-token comes from"))
            }
            AuthProblem::MissingPermission(name) => Failure::new(
                ExitReason::PermissionMissing,
                format!("the API key lacks the permission {}: {self}", described(name)),
            )
            .hint(format!("add {name} to the key ({KEYS}), or use a key that has it")),
            AuthProblem::Forbidden => {
                let failure = Failure::new(ExitReason::Forbidden, format!("the service refuses this to the API key: {self}"));
                if self.html {
                    return failure.hint("a web page answered instead of the service: check the proxy or firewall, and api-url");
                }
                failure.hint("the key or the thing it asks for may belong to another project: check project-id, the ids and the key")
            }
        }
    }

    fn invalid_key(&self) -> Failure {
        let failure = Failure::new(
            ExitReason::ApiKeyInvalid,
            format!("the service does not accept the API key, {}: {self}", self.key.kind.describe()),
        )
        .hint(format!("check api-token for a wrong, cut or deactivated key ({KEYS}), and that it belongs to this api-url"));
        match (self.key.kind, self.key.project) {
            (KeyKind::Organisation, false) => failure.hint("an organisation key needs project-id"),
            (KeyKind::Organisation, true) => {
                failure.hint("check that project-id names a project of the key's organisation")
            }
            (KeyKind::Project | KeyKind::Other, true) => {
                failure.hint("check that the key belongs to the project that project-id names")
            }
            (KeyKind::Project | KeyKind::Other, false) => failure,
        }
    }

    fn quota_failure(&self, used: Option<u64>, capacity: Option<u64>, needed: Option<u64>) -> Failure {
        let mut numbers = Vec::new();
        if let (Some(used), Some(capacity)) = (used, capacity) {
            numbers.push(format!("{} of {} used", units::bytes(used), units::bytes(capacity)));
        }
        if let Some(needed) = needed {
            numbers.push(format!("{} needed", units::bytes(needed)));
        }
        let numbers = if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
        Failure::new(
            ExitReason::QuotaExceeded,
            format!("the build storage of the project is full{numbers}: {self}"),
        )
        .hint("delete old builds in the dashboard, or set auto-delete: true so that the service removes them (deletion-policy: least_recent or oldest)")
    }

    /// The next actions for faults without a reason of their own.
    fn hints(&self, phase: Phase) -> Vec<String> {
        let hint = match &self.fault {
            Fault::NotFound if self.html => {
                "a web page answered: check that api-url points to the service (https://nunu.ai)"
            }
            Fault::NotFound => match phase {
                Phase::Start => {
                    "check the ids of the test or plan, the deployment configuration and the build, and that all belong to the project of the key (project-id)"
                }
                _ => "check the id, and that it belongs to the project of the key (project-id)",
            },
            Fault::BadRequest if phase == Phase::Start => {
                "check the run config against the server's words: the deployment configuration must take its app from build storage when a build is given, and fit the build's platform"
            }
            Fault::BadRequest | Fault::Conflict => "check the settings that the server's words name",
            Fault::Unavailable { .. } if self.status == Some(429) => {
                "the service limits the rate of calls: start fewer jobs at once, or try again later"
            }
            Fault::Unavailable { .. } => {
                "the service has trouble: try again later; diagnostics.jsonl in the results folder lists every request"
            }
            Fault::Unreadable(_) | Fault::Redirected => {
                "something other than the service may have answered: check api-url (https://nunu.ai) and the proxy"
            }
            Fault::Auth(_) | Fault::Quota { .. } | Fault::TooLarge | Fault::Network(_) => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

fn network_failure(phase: Phase, error: &ApiError, cause: &HttpError) -> Failure {
    let failure = Failure::new(phase.reason(true), format!("{}: {error}", phase.what()));
    cause.hints().into_iter().fold(failure, Failure::hint)
}

/// A permission and what it is for, where that is known.
fn described(name: &str) -> String {
    Permission::parse(name)
        .map_or_else(|| name.to_owned(), |known| format!("{known} (needed to {})", known.purpose()))
}

/// The failure of a preflight, when any permission is missing: all missing ones together, with those that are proved.
pub(crate) fn missing_permissions(proofs: &[(Permission, Proof)]) -> Option<Failure> {
    let missing: Vec<(Permission, &ApiError)> = proofs
        .iter()
        .filter_map(|(permission, proof)| match proof {
            Proof::Missing(error) => Some((*permission, error)),
            Proof::Proved | Proof::Unknown(_) => None,
        })
        .collect();
    let (first, error) = *missing.first()?;
    if missing.iter().all(|(_, error)| error.fault == Fault::Auth(AuthProblem::Forbidden)) {
        return Some(error.failure(Phase::Check));
    }
    let names: Vec<String> = missing.iter().map(|(permission, _)| described(permission.as_str())).collect();
    let plural = if names.len() == 1 { "permission" } else { "permissions" };
    let mut failure = Failure::new(
        ExitReason::PermissionMissing,
        format!("the API key lacks the {plural} {}", names.join(" and ")),
    );
    for (_, error) in &missing {
        failure = failure.cause(error.to_string());
    }
    let all: Vec<&str> = missing.iter().map(|(permission, _)| permission.as_str()).collect();
    failure = failure.hint(format!(
        "add {} to the key ({KEYS}), or use a key that has {}",
        all.join(" and "),
        if all.len() == 1 { first.as_str() } else { "them" }
    ));
    Some(failure.hint(permission_state(proofs)))
}

/// What a job needs and what of it is proved, for a hint.
pub(crate) fn permission_state(proofs: &[(Permission, Proof)]) -> String {
    let listed = |wanted: fn(&Proof) -> bool| {
        let names: Vec<&str> = proofs
            .iter()
            .filter(|(_, proof)| wanted(proof))
            .map(|(permission, _)| permission.as_str())
            .collect();
        names.join(", ")
    };
    let proved = listed(|proof| *proof == Proof::Proved);
    let unknown = listed(|proof| matches!(proof, Proof::Unknown(_)));
    let proved = if proved.is_empty() { "none" } else { &proved };
    let state = format!("this job needs {}; proved: {proved}", listed(|_| true));
    if unknown.is_empty() { state } else { format!("{state}; not known: {unknown}") }
}

#[cfg(test)]
mod tests {
    use super::{Phase, missing_permissions};
    use crate::api::client::Call;
    use crate::api::error::{ApiError, Fault, KeyNote};
    use crate::api::error_body;
    use crate::api::permissions::Proof;
    use crate::http::HttpError;
    use crate::model::service::KeyKind;
    use crate::model::{ExitReason, Permission, units};

    const PHASES: [Phase; 5] = [Phase::Check, Phase::Upload, Phase::Start, Phase::Wait, Phase::Stop];

    fn answer(kind: KeyKind, project: bool, status: u16, body: &str) -> ApiError {
        let call = Call::new("POST", &["builds", "upload"]);
        ApiError::of_answer(
            call,
            KeyNote { kind, project },
            status,
            error_body::problem(body.as_bytes(), &crate::model::Secrets::default()),
            None,
        )
    }

    fn said(status: u16, words: &str) -> ApiError {
        answer(KeyKind::Project, false, status, &format!("{{\"error\":\"{words}\"}}"))
    }

    #[test]
    fn the_documented_authentication_errors_are_the_same_in_every_phase() {
        for (error, reason, message, remedy) in [
            (said(401, "API key required"), ExitReason::ApiKeyMissing, "no API key arrived", "secret store"),
            (
                said(401, "Invalid API key"),
                ExitReason::ApiKeyInvalid,
                "a project key (nunu_...)",
                "wrong, cut or deactivated",
            ),
            (
                answer(KeyKind::Organisation, false, 401, r#"{"error":"Invalid API key"}"#),
                ExitReason::ApiKeyInvalid,
                "an organisation key (nunu_org_...)",
                "an organisation key needs project-id",
            ),
            (said(403, "API key expired"), ExitReason::ApiKeyExpired, "expired", "create a new key"),
            (
                said(403, "API key is disabled"),
                ExitReason::ApiKeyDisabled,
                "switched off",
                "re-enable it in Project Admin -> API Keys",
            ),
            (
                said(403, "API key missing required permission: project:operate-runs"),
                ExitReason::PermissionMissing,
                "project:operate-runs (needed to start and stop runs)",
                "add project:operate-runs to the key (Project Admin -> API Keys), or use a key that has it",
            ),
            (said(403, "not yours"), ExitReason::Forbidden, "refuses", "project-id"),
        ] {
            for phase in PHASES {
                let failure = error.failure(phase);
                let text = failure.to_string();
                assert_eq!((failure.reason, failure.reason.exit_code()), (reason, 3), "{text}");
                for part in [message, remedy, "POST /builds/upload", error.words.as_deref().unwrap()] {
                    assert!(text.contains(part), "{part} is not in {text}");
                }
            }
        }
    }

    #[test]
    fn a_full_storage_is_told_in_readable_numbers() {
        let body = r#"{"error":"Storage capacity exceeded","code":"QUOTA_EXCEEDED","details":{"used":10737418240,"capacity":10737418240,"needed":524288000}}"#;
        let failure = answer(KeyKind::Project, true, 402, body).failure(Phase::Upload);
        assert_eq!(failure.reason, ExitReason::QuotaExceeded);
        let text = failure.to_string();
        let size = units::bytes(10_737_418_240);
        assert!(text.contains(&format!("({size} of {size} used, 524.3 MB needed)")), "{text}");
        assert!(text.contains("auto-delete: true") && text.contains("Storage capacity exceeded"), "{text}");
        let bare = answer(KeyKind::Project, true, 402, "").failure(Phase::Upload);
        assert_eq!(
            bare.message,
            "the build storage of the project is full: POST /builds/upload answered 402"
        );
    }

    #[test]
    fn a_quota_of_something_else_is_not_the_storage() {
        let failure =
            answer(KeyKind::Project, true, 402, r#"{"error":"no minutes left"}"#).failure(Phase::Start);
        assert_eq!(failure.reason, ExitReason::QuotaExceeded);
        let text = failure.to_string();
        assert!(
            text.contains("no minutes left") && !text.contains("storage of") && !text.contains("auto-delete"),
            "{text}"
        );
    }

    #[test]
    fn other_faults_have_the_code_of_their_phase() {
        let refused =
            HttpError::Connect { host: "nunu.ai".to_owned(), detail: "connection refused".to_owned() };
        let call = Call::new("GET", &["jobs"]);
        let note = KeyNote { kind: KeyKind::Other, project: false };
        let network = ApiError::new(call, note, None, Fault::Network(refused));
        for (error, codes) in [
            (&said(500, "oops"), [7, 5, 6, 7, 7]),
            (&said(404, "test plan not found"), [7, 5, 6, 7, 7]),
            (&said(400, "bad"), [7, 5, 6, 7, 7]),
            (&said(413, "too large"), [4, 4, 4, 4, 4]),
            (&network, [7, 5, 6, 7, 7]),
        ] {
            for (phase, code) in PHASES.into_iter().zip(codes) {
                let failure = error.failure(phase);
                assert_eq!(failure.reason.exit_code(), code, "{failure}");
                assert!(!failure.hints.is_empty(), "{failure}");
            }
        }
        assert_eq!(network.failure(Phase::Check).reason, ExitReason::NetworkError);
        let text = network.failure(Phase::Upload).to_string();
        for host in ["nunu.ai", "bouncer.nunu.ai", "*.r2.cloudflarestorage.com", "HTTPS_PROXY"] {
            assert!(text.contains(host), "{text}");
        }
    }

    #[test]
    fn reports_every_missing_permission_together() {
        let missing =
            |name: &str| Proof::Missing(said(403, &format!("API key missing required permission: {name}")));
        let proofs = [
            (Permission::ManageBuildStorage, missing("project:manage-build-storage")),
            (Permission::OperateRuns, Proof::Proved),
            (Permission::ReadRuns, missing("project:read-runs")),
            (Permission::ViewConfigs, Proof::Unknown(said(500, "oops"))),
        ];
        let failure = missing_permissions(&proofs).unwrap();
        assert_eq!(failure.reason, ExitReason::PermissionMissing);
        insta::assert_snapshot!(failure.to_string(), @r"
        the API key lacks the permissions project:manage-build-storage (needed to upload builds) and project:read-runs (needed to wait for runs and read their results)
        caused by: POST /builds/upload answered 403: API key missing required permission: project:manage-build-storage
        caused by: POST /builds/upload answered 403: API key missing required permission: project:read-runs
        hint: add project:manage-build-storage and project:read-runs to the key (Project Admin -> API Keys), or use a key that has them
        hint: this job needs project:manage-build-storage, project:operate-runs, project:read-runs, project:view-configs; proved: project:operate-runs; not known: project:view-configs
        ");
        assert_eq!(missing_permissions(&proofs[1..2]), None);
        let forbidden = [(Permission::ReadRuns, Proof::Missing(said(403, "not yours")))];
        assert_eq!(missing_permissions(&forbidden).unwrap().reason, ExitReason::Forbidden);
    }
}
