//! An end that is not a verdict, as people read it.

use serde::{Deserialize, Serialize};

use super::exit_reason::ExitReason;

/// An end that is not a verdict: everything a person needs to understand and mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Failure {
    /// Stable reason, which fixes the exit code.
    #[serde(rename = "exit_reason")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) reason: ExitReason,
    /// What failed: lower case, names the thing and the numbers, no final period. May have several lines.
    pub(crate) message: String,
    /// The chain of causes, outermost first.
    pub(crate) causes: Vec<String>,
    /// The next actions, one a line.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// A failure with a message and nothing else.
    pub(crate) fn new(reason: ExitReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// The same failure with one more hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same failure with one more cause.
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Records the source chain of `error` as causes.
    pub(crate) fn because(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, "\ncaused by: {cause}")?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
