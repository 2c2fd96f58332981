//! API keys and the five documented authentication errors; touches nothing.

/// Every permission the documentation names.
pub const ALL_PERMISSIONS: &[&str] = &[
    "project:read-runs",
    "project:operate-runs",
    "project:manage-build-storage",
    "project:view-configs",
    "project:edit-tests",
];

/// A project key that may do everything.
pub const DEFAULT_KEY: &str = "nunu_demo_7f3b9c21d5e84a06_all";
/// A project key that may read runs and nothing else.
pub const READ_ONLY_KEY: &str = "nunu_demo_2a6e4d90c1f7b358_readonly";
/// A project key that may store builds and nothing else.
pub const UPLOAD_ONLY_KEY: &str = "nunu_demo_90b1e7f24c6da835_upload";
/// A project key that may start and stop runs and nothing else.
pub const START_ONLY_KEY: &str = "nunu_demo_c84f06d1a2975eb3_start";
/// The key of the vendor's own recipe for CI: it may upload and start, but not read.
pub const NO_READ_KEY: &str = "nunu_demo_5d20f9a8b3461ec7_noread";
/// A key with all that a job needs but without `project:view-configs`.
pub const NO_CONFIGS_KEY: &str = "nunu_demo_e1736b5c08f9d24a_noconfigs";
/// A key whose expiry date has passed.
pub const EXPIRED_KEY: &str = "nunu_demo_18c5d3e0967fb42a_expired";
/// A key that somebody switched off.
pub const DISABLED_KEY: &str = "nunu_demo_fb42087a6d19c53e_disabled";
/// An organisation key with every permission; needs the project prefix.
pub const ORG_KEY: &str = "nunu_org_demo_63d7a19f0be8254c_all";

/// Whether a known key is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Accepted.
    Active,
    /// 403 `API key expired`
    Expired,
    /// 403 `API key is disabled`
    Disabled,
}

/// One API key. The prefix `nunu_org_` makes it an organisation key.
#[derive(Debug, Clone)]
pub struct Key {
    pub(crate) value: String,
    pub(crate) id: String,
    pub(crate) state: KeyState,
    pub(crate) permissions: Vec<String>,
    pub(crate) project: Option<String>,
    pub(crate) label: &'static str,
}

impl Key {
    /// A key with every permission, of the default project unless it is an organisation key.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            id: crate::ids::uuid(),
            state: KeyState::Active,
            permissions: ALL_PERMISSIONS.iter().map(|&p| p.to_owned()).collect(),
            project: None,
            label: "custom",
        }
    }

    /// Replaces the permissions.
    #[must_use]
    pub fn permissions(mut self, permissions: &[&str]) -> Self {
        self.permissions = permissions.iter().map(|&p| p.to_owned()).collect();
        self
    }

    /// Takes one permission away.
    #[must_use]
    pub fn without(mut self, permission: &str) -> Self {
        self.permissions.retain(|p| p != permission);
        self
    }

    /// Sets the state.
    #[must_use]
    pub fn state(mut self, state: KeyState) -> Self {
        self.state = state;
        self
    }

    /// Makes it a key of another project than the default one.
    #[must_use]
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    pub(crate) fn is_organisation(&self) -> bool {
        self.value.starts_with("nunu_org_")
    }
}

/// The keys every simulator knows.
pub(crate) fn known_keys() -> Vec<Key> {
    vec![
        Key::new(DEFAULT_KEY).label("all permissions"),
        Key::new(READ_ONLY_KEY).permissions(&["project:read-runs"]).label("project:read-runs only"),
        Key::new(UPLOAD_ONLY_KEY)
            .permissions(&["project:manage-build-storage"])
            .label("project:manage-build-storage only"),
        Key::new(START_ONLY_KEY).permissions(&["project:operate-runs"]).label("project:operate-runs only"),
        Key::new(NO_READ_KEY)
            .permissions(&["project:manage-build-storage", "project:operate-runs"])
            .label("upload and start, cannot read"),
        Key::new(NO_CONFIGS_KEY)
            .without("project:view-configs")
            .without("project:edit-tests")
            .label("upload, start, read; no project:view-configs"),
        Key::new(EXPIRED_KEY).state(KeyState::Expired).label("expired"),
        Key::new(DISABLED_KEY).state(KeyState::Disabled).label("disabled"),
        Key::new(ORG_KEY).label("organisation key, needs the project id"),
    ]
}

/// Why a request is refused: status and message of the documented body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) String);

/// Decides whether `given` may make a call that needs `permission` in `project`.
///
/// `prefixed` is the project id of the URL, when the URL has one.
pub(crate) fn authorize<'k>(
    keys: &'k [Key],
    given: Option<&str>,
    prefixed: Option<&str>,
    home: &str,
    permission: Option<&str>,
) -> Result<&'k Key, Refusal> {
    let Some(given) = given.filter(|g| !g.is_empty()) else {
        return Err(Refusal(401, "API key required".to_owned()));
    };
    let key =
        keys.iter().find(|k| k.value == given).ok_or_else(|| Refusal(401, "Invalid API key".to_owned()))?;
    match key.state {
        KeyState::Active => {}
        KeyState::Expired => return Err(Refusal(403, "API key expired".to_owned())),
        KeyState::Disabled => return Err(Refusal(403, "API key is disabled".to_owned())),
    }
    if key.is_organisation() && prefixed.is_none() {
        return Err(Refusal(401, "Invalid API key".to_owned()));
    }
    let own = key.project.as_deref().unwrap_or(home);
    if prefixed.unwrap_or(home) != own {
        return Err(if key.is_organisation() {
            Refusal(404, "project not found".to_owned())
        } else {
            Refusal(403, "API key does not belong to this project".to_owned())
        });
    }
    match permission {
        Some(p) if !key.permissions.iter().any(|have| have == p) => {
            Err(Refusal(403, format!("API key missing required permission: {p}")))
        }
        _ => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key, project of the URL, status and message of the refusal.
    type Row = (Option<&'static str>, Option<&'static str>, Option<(u16, &'static str)>);

    #[test]
    fn gives_exactly_the_documented_errors() {
        let keys = known_keys();
        let ask = |key: Option<&str>, prefix: Option<&str>| {
            authorize(&keys, key, prefix, "p", Some("project:operate-runs")).map(|_| ()).err()
        };
        let table: &[Row] = &[
            (Some(DEFAULT_KEY), None, None),
            (Some(DEFAULT_KEY), Some("p"), None),
            (Some(ORG_KEY), Some("p"), None),
            (None, None, Some((401, "API key required"))),
            (Some(""), None, Some((401, "API key required"))),
            (Some("nope"), None, Some((401, "Invalid API key"))),
            (Some(ORG_KEY), None, Some((401, "Invalid API key"))),
            (Some(EXPIRED_KEY), None, Some((403, "API key expired"))),
            (Some(DISABLED_KEY), None, Some((403, "API key is disabled"))),
            (
                Some(READ_ONLY_KEY),
                None,
                Some((403, "API key missing required permission: project:operate-runs")),
            ),
            (Some(DEFAULT_KEY), Some("other"), Some((403, "API key does not belong to this project"))),
        ];
        for (key, prefix, expected) in table {
            assert_eq!(
                ask(*key, *prefix),
                expected.map(|(s, m)| Refusal(s, m.to_owned())),
                "{key:?} {prefix:?}"
            );
        }
    }
}
