//! A message for the place where a host shows problems.

/// How loud it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Neutral.
    Notice,
    /// To look at.
    Warning,
    /// Made the job fail.
    Error,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// How loud it is.
    pub(crate) level: Level,
    /// Short title.
    pub(crate) title: String,
    /// What happened; at most 4,096 characters after escaping by the host.
    pub(crate) message: String,
}
