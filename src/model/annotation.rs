//! A message for the place where a host shows problems.

/// How loud it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Neutral.
    Notice,
    /// To look at.
    Warning,
    /// Made the job fail.
    Error,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How loud it is.
    pub level: Level,
    /// Short title.
    pub title: String,
    /// What happened; at most 4,096 characters after escaping by the host.
    pub message: String,
}
