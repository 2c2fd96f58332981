//! The service: its address, and the kinds of its keys.

/// Where it is unless `api-url` says otherwise.
pub(crate) const SERVICE: &str = "https://nunu.ai";

/// What an API key looks like, told from its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// `nunu_...`.
    Project,
    /// `nunu_org_...`.
    Organisation,
    /// Neither.
    Other,
}

impl KeyKind {
    /// The kind of a key.
    pub(crate) fn of(key: &str) -> Self {
        if key.starts_with("nunu_org_") {
            Self::Organisation
        } else if key.starts_with("nunu_") {
            Self::Project
        } else {
            Self::Other
        }
    }

    /// For people, without the key.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Project => "a project key (nunu_...)",
            Self::Organisation => "an organisation key (nunu_org_...)",
            Self::Other => "a key of unknown kind (it starts with neither nunu_ nor nunu_org_)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KeyKind;

    #[test]
    fn tells_keys_apart() {
        assert_eq!(KeyKind::of("nunu_abc"), KeyKind::Project);
        assert_eq!(KeyKind::of("nunu_org_abc"), KeyKind::Organisation);
        assert_eq!(KeyKind::of("sk-abc"), KeyKind::Other);
    }
}
