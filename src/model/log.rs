//! The one way to say something to the person who reads the job's log.

use std::sync::Arc;

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
}

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
    /// Shows in place how things stand, where a person watches a terminal; an empty text takes it away. False where nobody watches.
    fn live(&self, _text: &str) -> bool {
        false
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

    /// Opens a foldable group.
    pub(crate) fn group(&self, title: impl AsRef<str>) {
        self.0.group(title.as_ref());
    }

    /// Closes the open group.
    pub(crate) fn end_group(&self) {
        self.0.end_group();
    }

    /// A line that is shown in place.
    pub(crate) fn live_line(&self) -> LiveLine {
        LiveLine(self.clone())
    }

    /// Masks a secret on the host from here on.
    pub(crate) fn mask(&self, value: &str) {
        self.0.mask(value);
    }
}

/// How things stand right now, in one line of a terminal that is rewritten; gone with its value. A log that is kept gets lines instead,
/// or nothing.
pub(crate) struct LiveLine(Log);

impl LiveLine {
    /// Shows `text` where a person watches, and nowhere else: false there.
    pub(crate) fn show(&self, text: impl AsRef<str>) -> bool {
        self.0.0.live(text.as_ref())
    }

    /// Shows `text` where a person watches; elsewhere it is a line of the story.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.show(&text) {
            self.0.info(text);
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.0.0.live("");
    }
}

impl std::fmt::Debug for LiveLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LiveLine")
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}
