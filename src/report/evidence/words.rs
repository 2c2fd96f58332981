//! Words and colours of the page. Pure.

use std::borrow::Cow;
use std::fmt;

use crate::model::TestResult;
use crate::model::hidden::is_hidden;
use crate::model::verdict::{Counted, Judgement};

use super::super::escape::shortened;

/// Lines of a device log that are shown.
const TAIL: usize = 40;

/// A text as the page shows it.
pub(super) type Text<'a> = Cow<'a, str>;

/// At most `most` characters, without any that nobody sees; the template escapes them.
pub(super) fn text(raw: &str, most: usize) -> Text<'_> {
    let unseen = |letter: char| is_hidden(letter) && letter != '\n';
    let short = shortened(raw, most);
    if short.chars().any(unseen) {
        return short.chars().filter(|letter| !unseen(*letter)).collect::<String>().into();
    }
    short
}

/// `1 test`, `2 tests`.
pub(super) fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// `1:23`, `1:02:03`: as a player shows it.
pub(super) fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// What something came to, in the words of the page.
pub(super) fn result_word(result: Option<&TestResult>, nothing: &'static str, most: usize) -> Text<'static> {
    match result {
        Some(TestResult::Success) => "passed".into(),
        Some(result) => text(&result.as_str().to_lowercase(), most).into_owned().into(),
        None => nothing.into(),
    }
}

/// The last lines of a log.
pub(crate) fn log_tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(TAIL));
    last.map(|line| shortened(line, 300)).collect::<Vec<_>>().join("\n")
}

/// How something went: a class of the style sheet. Words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Passed,
    Failed,
    /// It says nothing about the build: an error, a timeout.
    Broken,
    Tolerated,
    /// Skipped, not reached, unknown.
    None,
    Queued,
    Booting,
}

impl Mood {
    pub(super) fn of(result: Option<&TestResult>) -> Self {
        match result {
            Some(TestResult::Success) => Self::Passed,
            Some(TestResult::Failed) => Self::Failed,
            None | Some(TestResult::Skipped) => Self::None,
            Some(_) => Self::Broken,
        }
    }

    pub(super) const fn of_counted(counted: Counted) -> Self {
        match counted {
            Counted::Passed => Self::Passed,
            Counted::Failed => Self::Failed,
            Counted::NoVerdict | Counted::Stopped => Self::Broken,
            Counted::Skipped => Self::None,
            Counted::Tolerated => Self::Tolerated,
        }
    }

    pub(super) fn of_judged(judgement: Option<&Judgement>) -> Self {
        match judgement {
            Some(judged) if judged.flaky => Self::Tolerated,
            Some(judged) => Self::of_counted(judged.counted),
            None => Self::None,
        }
    }

    /// Colour of a bar where no style sheet is read.
    pub(super) const fn fill(self) -> &'static str {
        match self {
            Self::Passed => "#1a7f37",
            Self::Failed => "#cf222e",
            Self::Broken => "#bc4c00",
            Self::Tolerated => "#9a6700",
            Self::None => "#6e7781",
            Self::Queued => "#d0d7de",
            Self::Booting => "#afb8c1",
        }
    }

    /// A sign that needs no colour.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Broken => "!",
            Self::Tolerated => "~",
            Self::None | Self::Queued | Self::Booting => "–",
        }
    }
}

impl fmt::Display for Mood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Tolerated => "tolerated",
            Self::None => "none",
            Self::Queued => "queued",
            Self::Booting => "booting",
        })
    }
}
