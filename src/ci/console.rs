//! The log, as each host shows it best.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use crate::model::log::{Level, Sink};
use crate::model::{Env, Secrets};

use super::detect::Kind;
use super::escape::{command_data, inert, own_line};
use super::stream::{self, Stream};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loudness {
    /// Errors only.
    Quiet,
    /// The story.
    Normal,
    /// Every detail.
    Verbose,
}

/// Takes the terminal's current line away.
const CLEAR: &str = "\r\u{1b}[K";
/// A longer line would wrap on a usual terminal, and only its last row could be rewritten.
const WIDTH: usize = 79;

/// The host's log. Remote text stands behind `| `; every text is redacted as it comes in, before it is cut into lines.
pub(super) struct Console {
    kind: Kind,
    secrets: Secrets,
    loudness: Loudness,
    stream: Stream,
    colour: bool,
    open: Mutex<Option<Group>>,
    live: Option<Mutex<String>>,
}

struct Group {
    title: String,
    /// GitLab names its sections.
    name: String,
}

impl Console {
    pub(super) fn new(kind: Kind, secrets: Secrets, loudness: Loudness, data: bool, env: &Env) -> Self {
        // In a CI the log is one stream; on a terminal stdout is for data.
        let stream = if kind == Kind::None || data { Stream::Err } else { Stream::Out };
        let terminal = kind == Kind::None && std::io::stderr().is_terminal();
        let colour = terminal && env.get("NO_COLOR").is_none();
        let rewrites =
            terminal && loudness != Loudness::Quiet && env.get("TERM").is_some_and(|term| term != "dumb");
        let live = rewrites.then(|| Mutex::new(String::new()));
        Self { kind, secrets, loudness, stream, colour, open: Mutex::new(None), live }
    }

    /// One whole line, at once, so that lines of several tasks do not mix.
    fn print(&self, line: &str) {
        match &self.live {
            Some(shown) => {
                let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                self.raw(format!("{CLEAR}{line}\n{shown}"));
            }
            None => self.raw(format!("{line}\n")),
        }
    }

    fn raw(&self, text: String) {
        stream::log(self.stream, text);
    }

    fn shows(&self, level: Level) -> bool {
        match self.loudness {
            Loudness::Quiet => matches!(level, Level::Error | Level::Notice),
            Loudness::Normal => level != Level::Debug,
            Loudness::Verbose => true,
        }
    }

    /// Our own words, made safe: they may quote remote names. A line of ours never begins with what a host takes for a command.
    fn plain(&self, level: Level, line: &str) {
        let word = match level {
            Level::Debug => "debug: ",
            Level::Info | Level::Notice => "",
            Level::Warning => "warning: ",
            Level::Error => "error: ",
        };
        let colour = match level {
            Level::Error if self.colour => "\u{1b}[31m",
            Level::Warning if self.colour => "\u{1b}[33m",
            _ => return self.print(&own_line(word, line)),
        };
        self.print(&format!("{colour}{word}\u{1b}[0m{}", inert(line)));
    }

    fn close(&self, open: &mut Option<Group>) {
        let Some(group) = open.take() else { return };
        match self.kind {
            Kind::GitHub => self.print("::endgroup::"),
            Kind::GitLab => self.print(&format!("\u{1b}[0Ksection_end:{}:{}\r\u{1b}[0K", now(), group.name)),
            Kind::Azure => self.print("##[endgroup]"),
            Kind::Travis => self.print(&format!("travis_fold:end:{}\r", group.name)),
            Kind::TeamCity => self
                .print(&format!("##teamcity[blockClosed name='{}']", super::escape::team_city(&group.title))),
            _ => {}
        }
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Sink for Console {
    fn line(&self, level: Level, text: &str) {
        if !self.shows(level) {
            return;
        }
        for line in self.secrets.redact(text).lines() {
            self.plain(level, line);
        }
    }

    fn group(&self, title: &str) {
        if self.loudness == Loudness::Quiet {
            return;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.close(&mut open);
        let title = inert(&self.secrets.redact(title));
        let name: String = format!("nunu_{}", title.to_ascii_lowercase())
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
            .collect();
        match self.kind {
            Kind::GitHub => self.print(&format!("::group::{}", command_data(&title))),
            Kind::GitLab => self.print(&format!("\u{1b}[0Ksection_start:{}:{name}\r\u{1b}[0K{title}", now())),
            Kind::Azure => self.print(&format!("##[group]{title}")),
            Kind::Buildkite => self.print(&format!("--- {title}")),
            Kind::Travis => self.print(&format!("travis_fold:start:{name}\r{title}")),
            Kind::TeamCity => {
                self.print(&format!("##teamcity[blockOpened name='{}']", super::escape::team_city(&title)));
            }
            _ => self.print(&format!("== {title}")),
        }
        *open = Some(Group { title, name });
    }

    fn end_group(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.close(&mut open);
    }

    fn live(&self, text: &str) -> bool {
        let Some(live) = &self.live else { return false };
        let mut shown = live.lock().unwrap_or_else(PoisonError::into_inner);
        let text = inert(&self.secrets.redact(text));
        *shown = match text.char_indices().nth(WIDTH) {
            Some((end, _)) => format!("{}…", &text[..end.saturating_sub(1)]),
            None => text,
        };
        self.raw(format!("{CLEAR}{shown}"));
        true
    }

    fn mask(&self, value: &str) {
        // Printed as it is: a redacted mask would mask `***`. The runner masks every line of a value and warns about empty ones.
        if value.len() < 4 || value.contains(['\n', '\r']) {
            return;
        }
        let line = match self.kind {
            Kind::GitHub => format!("::add-mask::{}\n", command_data(value)),
            Kind::Azure => format!("##vso[task.setsecret]{}\n", super::escape::azure(value)),
            _ => return,
        };
        self.raw(line);
    }
}
