//! Keys: their kinds and the documented authentication errors (API reference, page "Authentication").

/// The documented authentication errors, and any other 401 or 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthProblem {
    /// 401 `API key required`.
    KeyRequired,
    /// 401 `Invalid API key`, and any other 401.
    Invalid,
    /// 403 `API key expired`.
    Expired,
    /// 403 `API key is disabled`.
    Disabled,
    /// 403 `API key missing required permission: X`.
    MissingPermission(String),
    /// Any other 403.
    Forbidden,
}

impl AuthProblem {
    /// Tells the problems apart by the server's words, and by the status where the words say nothing.
    pub(crate) fn of(status: u16, words: Option<&str>) -> Self {
        let words = words.unwrap_or_default();
        let lower = words.to_ascii_lowercase();
        if let Some(permission) = missing_permission(words) {
            return Self::MissingPermission(permission);
        }
        let about_key = lower.contains("key") || lower.contains("token");
        if about_key && lower.contains("expired") {
            Self::Expired
        } else if about_key && (lower.contains("is disabled") || lower.contains("deactivated")) {
            Self::Disabled
        } else if status == 401 && about_key && lower.contains("required") {
            Self::KeyRequired
        } else if status == 401 {
            Self::Invalid
        } else {
            Self::Forbidden
        }
    }
}

/// The permission in `... missing required permission: X`.
fn missing_permission(words: &str) -> Option<String> {
    const BEFORE: &str = "missing required permission";
    let at = words.to_ascii_lowercase().find(BEFORE)? + BEFORE.len();
    let rest = words.get(at..)?.trim_start_matches(['s', ':', ' ']);
    let name =
        rest.split([' ', ',', ';', '"', '\'', '`']).find(|word| !word.is_empty())?.trim_end_matches('.');
    (!name.is_empty()).then(|| name.chars().filter(|c| !c.is_control()).take(100).collect())
}

#[cfg(test)]
mod tests {
    use super::AuthProblem;

    #[test]
    fn tells_the_documented_errors_apart() {
        let missing = |name: &str| AuthProblem::MissingPermission(name.to_owned());
        for (status, words, want) in [
            (401, "API key required", AuthProblem::KeyRequired),
            (401, "Invalid API key", AuthProblem::Invalid),
            (401, "", AuthProblem::Invalid),
            (401, "Unauthorized", AuthProblem::Invalid),
            (403, "API key expired", AuthProblem::Expired),
            (403, "API key has expired", AuthProblem::Expired),
            (403, "API key is disabled", AuthProblem::Disabled),
            (
                403,
                "API key missing required permission: project:operate-runs",
                missing("project:operate-runs"),
            ),
            (403, "api key MISSING REQUIRED PERMISSION:project:read-runs.", missing("project:read-runs")),
            (403, "API key missing required permission: 'x:y', ask", missing("x:y")),
            (403, "API key missing required permission:", AuthProblem::Forbidden),
            (403, "bug review is disabled for this project", AuthProblem::Forbidden),
            (403, "trial expired", AuthProblem::Forbidden),
            (403, "", AuthProblem::Forbidden),
        ] {
            assert_eq!(AuthProblem::of(status, Some(words)), want, "{status} {words}");
        }
        assert_eq!(AuthProblem::of(403, None), AuthProblem::Forbidden);
    }
}
