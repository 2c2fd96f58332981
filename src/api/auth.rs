//! Keys: their kinds and the documented authentication errors.

/// What an API key looks like, told from its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `nunu_...`.
    Project,
    /// `nunu_org_...`.
    Organisation,
    /// Neither.
    Other,
}

/// The documented authentication errors, and any other 401 or 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthProblem {
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
