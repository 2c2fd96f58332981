//! What a test, a player or a step came to, in every spelling the service has used.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A result of the service, normalised from old and new spellings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TestResult {
    /// Ran to the end and every check held.
    Success,
    /// At least one check did not hold.
    Failed,
    /// Could not be carried out.
    Skipped,
    /// An unmet precondition prevented it.
    Blocked,
    /// Its time or step budget ran out.
    Timeout,
    /// Technical trouble, not a product verdict.
    Error,
    /// Someone or something stopped it.
    Stopped,
    /// A word this version does not know; never a pass.
    Unknown(String),
}

impl TestResult {
    /// Reads any documented spelling; what is unknown is kept as it is.
    pub(crate) fn parse(raw: &str) -> Self {
        match raw.trim().to_ascii_uppercase().as_str() {
            "SUCCESS" | "PASSED" => Self::Success,
            "FAILED" | "FAILURE" => Self::Failed,
            "SKIPPED" => Self::Skipped,
            "BLOCKED" => Self::Blocked,
            "TIMEOUT" | "MAX_STEPS" => Self::Timeout,
            "ERROR" => Self::Error,
            "STOPPED" => Self::Stopped,
            _ => Self::Unknown(raw.to_owned()),
        }
    }

    /// The word shown to people and written to files.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
            Self::Blocked => "BLOCKED",
            Self::Timeout => "TIMEOUT",
            Self::Error => "ERROR",
            Self::Stopped => "STOPPED",
            Self::Unknown(raw) => raw,
        }
    }
}

impl Serialize for TestResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TestResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|word| Self::parse(&word))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for TestResult {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TestResult".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::TestResult;

    #[test]
    fn reads_every_generation_of_results() {
        for (raw, want) in [
            ("success", TestResult::Success),
            ("SUCCESS", TestResult::Success),
            ("failure", TestResult::Failed),
            ("FAILED", TestResult::Failed),
            ("MAX_STEPS", TestResult::Timeout),
            ("error", TestResult::Error),
            ("Stopped", TestResult::Stopped),
            ("PARTIAL", TestResult::Unknown("PARTIAL".to_owned())),
            ("", TestResult::Unknown(String::new())),
        ] {
            assert_eq!(TestResult::parse(raw), want, "{raw}");
        }
    }
}
