//! The one way to say something to the person who reads the job's log.

use std::sync::Arc;

use super::failure::Failure;
use super::live::Row;
use super::look::{Look, Mark};

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Only with `verbose`.
    Debug,
    /// The story.
    Info,
    /// What is said whatever was asked for.
    Notice,
    /// Something to look at, which changes nothing now.
    Warning,
    /// What made the job fail.
    Error,
    /// What caused the error before it.
    Cause,
    /// What to do about the error before it.
    Hint,
    /// Where more is told of the error before it.
    More,
    /// One thing of a list, with the sign for how it stands.
    Marked(Mark),
}

/// Columns of the word that a marked line begins with.
pub(crate) const LABEL: usize = 13;

/// Where lines go. The host's console implements it, and so does a test's memory.
pub(crate) trait Sink: Send + Sync {
    /// Prints one line of our own words, redacted and safe for the host.
    fn line(&self, level: Level, text: &str);
    /// Opens a foldable group; at most one is open at a time, opening another closes the first.
    fn group(&self, title: &str);
    /// Closes the open group, if any.
    fn end_group(&self);
    /// Asks the host to mask a value from here on; too short values are ignored.
    fn mask(&self, value: &str);
    /// Shows in place how things stand, where a person watches a terminal; no rows take it away. False where nobody watches.
    fn live(&self, _rows: &[Row]) -> bool {
        false
    }
    /// What the window shows in which a person watches; `None` for a log that is kept.
    fn window(&self) -> Option<Look> {
        None
    }
}

/// A cheap handle on the log.
#[derive(Clone)]
pub(crate) struct Log(Arc<dyn Sink>);

impl Log {
    /// A log that writes to `sink`.
    pub(crate) fn new(sink: Arc<dyn Sink>) -> Self {
        Self(sink)
    }

    /// A log that forgets everything.
    pub(crate) fn silent() -> Self {
        struct Nowhere;
        impl Sink for Nowhere {
            fn line(&self, _: Level, _: &str) {}
            fn group(&self, _: &str) {}
            fn end_group(&self) {}
            fn mask(&self, _: &str) {}
        }
        Self::new(Arc::new(Nowhere))
    }

    /// A line for those who asked for every detail.
    pub(crate) fn debug(&self, text: impl AsRef<str>) {
        self.0.line(Level::Debug, text.as_ref());
    }

    /// A line of the story.
    pub(crate) fn info(&self, text: impl AsRef<str>) {
        self.0.line(Level::Info, text.as_ref());
    }

    /// A line that is there even where only errors are asked for.
    pub(crate) fn notice(&self, text: impl AsRef<str>) {
        self.0.line(Level::Notice, text.as_ref());
    }

    /// A warning.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        self.0.line(Level::Warning, text.as_ref());
    }

    /// An error.
    pub(crate) fn error(&self, text: impl AsRef<str>) {
        self.0.line(Level::Error, text.as_ref());
    }

    /// A failure: what failed, why, and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.error(&failure.message);
        for cause in &failure.causes {
            self.0.line(Level::Cause, cause);
        }
        for hint in &failure.hints {
            self.hint(hint);
        }
    }

    /// What to do about the error before it.
    pub(crate) fn hint(&self, text: impl AsRef<str>) {
        self.0.line(Level::Hint, text.as_ref());
    }

    /// Where more is told of the error before it.
    pub(crate) fn more(&self, text: impl AsRef<str>) {
        self.0.line(Level::More, text.as_ref());
    }

    /// How something ended: with its sign where a person watches, else as it is.
    pub(crate) fn outcome(&self, mark: Mark, text: &str) {
        match self.window() {
            Some(_) => self.0.line(Level::Marked(mark), text.trim_start()),
            None => self.info(text),
        }
    }

    /// What the window shows in which a person watches; `None` for a log that is kept.
    pub(crate) fn window(&self) -> Option<Look> {
        self.0.window()
    }

    /// One thing of a list: how it stands, what it is, and what is to be said of it.
    pub(crate) fn marked(&self, mark: Mark, label: &str, text: &str) {
        let text = text.replace('\n', &format!("\n{:LABEL$}", ""));
        self.0.line(Level::Marked(mark), &format!("{label:<LABEL$}{text}"));
    }

    /// Opens a foldable group.
    pub(crate) fn group(&self, title: impl AsRef<str>) {
        self.0.group(title.as_ref());
    }

    /// Closes the open group.
    pub(crate) fn end_group(&self) {
        self.0.end_group();
    }

    /// A block that is shown in place.
    pub(crate) fn live(&self) -> Live {
        Live(self.clone())
    }

    /// Masks a secret on the host from here on.
    pub(crate) fn mask(&self, value: &str) {
        self.0.mask(value);
    }
}

/// How things stand right now, in rows of a terminal that are rewritten; gone with its value. A log that is kept gets lines instead,
/// or nothing.
pub(crate) struct Live(Log);

impl Live {
    /// Shows rows where a person watches, and nowhere else: false there.
    pub(crate) fn show(&self, rows: &[Row]) -> bool {
        self.0.0.live(rows)
    }

    /// The same with one row of text.
    pub(crate) fn line(&self, text: impl Into<String>) -> bool {
        self.show(&[Row::Text(text.into())])
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.0.live(&[]);
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Live")
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}
