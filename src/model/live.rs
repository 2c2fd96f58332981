//! How things stand right now, as rows of a block that a person watches.

use std::time::Duration;

use super::look::Mark;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    Text(String),
    Test(TestRow),
    Transfer(TransferRow),
}

/// A test on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestRow {
    /// Whether it waits, runs, or has ended.
    pub(crate) mark: Mark,
    pub(crate) name: String,
    /// The state in words, or the step it is at.
    pub(crate) detail: String,
    /// Since it runs.
    pub(crate) elapsed: Option<Duration>,
    /// How long it takes as a rule.
    pub(crate) usual: Option<Duration>,
    /// Where it can be watched.
    pub(crate) url: Option<String>,
}

/// Bytes on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransferRow {
    /// Such as `uploading`.
    pub(crate) verb: String,
    /// Whole percent; never 100 before the last answer has come.
    pub(crate) percent: u8,
    /// Bytes done of all, rate, time left, and what else is known; the first matter most.
    pub(crate) details: Vec<String>,
}

impl Row {
    /// The same row with every text of it changed.
    pub(crate) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Text(text) => Self::Text(change(text)),
            Self::Test(row) => Self::Test(TestRow {
                name: change(&row.name),
                detail: change(&row.detail),
                url: row.url.as_deref().map(change),
                ..row.clone()
            }),
            Self::Transfer(row) => Self::Transfer(TransferRow {
                verb: change(&row.verb),
                percent: row.percent,
                details: row.details.iter().map(|detail| change(detail)).collect(),
            }),
        }
    }
}
