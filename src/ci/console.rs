//! The log, as each host shows it best.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use anstyle::Style;

use crate::model::live::Row;
use crate::model::log::{LABEL, Level, Sink};
use crate::model::look::{BOLD, DIM, GREEN, Look, RED, YELLOW};
use crate::model::{Env, Secrets};

use super::block::Shown;
use super::detect::Kind;
use super::escape::{command_data, inert, own_line};
use super::stream::{self, Stream};
use super::terminal;

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

/// Rows and columns where the window does not tell them.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The host's log. Remote text stands behind `| `; every text is redacted as it comes in, before it is cut into lines.
pub(super) struct Console {
    kind: Kind,
    secrets: Secrets,
    loudness: Loudness,
    stream: Stream,
    look: Look,
    open: Mutex<Option<Group>>,
    /// What a person watches, where one does.
    window: Option<Window>,
}

struct Window {
    shown: Mutex<Shown>,
    rewrites: bool,
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
        let is_log = kind != Kind::None;
        let look = if is_log { Look::PLAIN } else { terminal::look(stream, env) };
        let window = (!is_log && std::io::stderr().is_terminal()).then(|| Window {
            shown: Mutex::default(),
            rewrites: loudness != Loudness::Quiet && terminal::rewrites(stream, env),
        });
        Self { kind, secrets, loudness, stream, look, open: Mutex::new(None), window }
    }

    /// One whole line, at once, so that lines of several tasks do not mix.
    fn print(&self, line: &str) {
        match &self.window {
            Some(window) => {
                let mut shown = window.shown.lock().unwrap_or_else(PoisonError::into_inner);
                let size = self.size();
                let clear = shown.clear(size.0);
                let block = shown.draw(size, self.look);
                self.raw(format!("{clear}{line}\n{block}"));
            }
            None => self.raw(format!("{line}\n")),
        }
    }

    fn size(&self) -> (usize, usize) {
        terminal::size(self.stream).unwrap_or(USUAL_SIZE)
    }

    fn raw(&self, text: String) {
        stream::log(self.stream, text);
    }

    fn shows(&self, level: Level) -> bool {
        match self.loudness {
            Loudness::Quiet => !matches!(level, Level::Debug | Level::Info | Level::Warning),
            Loudness::Normal => level != Level::Debug,
            Loudness::Verbose => true,
        }
    }

    /// Our own words, made safe: they may quote remote names. A line of ours never begins with what a host takes for a command.
    /// What belongs to the first line stands below its words.
    fn plain(&self, level: Level, text: &str) {
        let (word, style) = match level {
            Level::Debug => ("debug: ", DIM),
            Level::Info | Level::Notice => ("", Style::new()),
            Level::Warning => ("warning: ", YELLOW.bold()),
            Level::Error => ("error: ", RED.bold()),
            Level::Cause => ("  caused by: ", DIM),
            Level::Hint => ("hint: ", GREEN.bold()),
            Level::More => ("more: ", DIM),
            Level::Marked(mark) => self.look.sign(mark),
        };
        let (word, begins) = match level {
            Level::Marked(_) => (format!("{word} "), LABEL),
            _ => (word.to_owned(), 0),
        };
        let blanks = " ".repeat(word.chars().count());
        for (number, line) in text.lines().enumerate() {
            let word = if number == 0 { &word } else { &blanks };
            let line = if line.is_empty() { String::new() } else { own_line(word, line) };
            // Each further line of a message is one thing of several.
            let hang = match number {
                _ if begins > 0 => begins + 2,
                0 => word.len(),
                _ => word.len() + 2,
            };
            let line = if self.window.is_some() { wrapped(&line, hang, self.size().0) } else { line };
            match line.strip_prefix(word.as_str()) {
                Some(rest) if number == 0 => self.print(&format!("{}{rest}", self.look.paint(style, word))),
                _ => self.print(&line),
            }
        }
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

/// The line, wrapped between words; what follows stands below the words of the first. Addresses stay whole, so that they can be copied.
fn wrapped(line: &str, word: usize, width: usize) -> String {
    let begins = line.len() - line.trim_start().len();
    let hang = " ".repeat(if word > 0 { word } else { begins + 2 });
    let options = textwrap::Options::new(width.max(hang.len() + 10))
        .initial_indent(&line[..begins])
        .subsequent_indent(&hang)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(line.trim_start(), options)
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Sink for Console {
    fn line(&self, level: Level, text: &str) {
        if !self.shows(level) {
            return;
        }
        self.plain(level, &self.secrets.redact(text));
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
            _ => self.print(&self.look.paint(BOLD, &format!("== {title}"))),
        }
        *open = Some(Group { title, name });
    }

    fn end_group(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.close(&mut open);
    }

    fn live(&self, rows: &[Row]) -> bool {
        let Some(window) = self.window.as_ref().filter(|window| window.rewrites) else { return false };
        let mut shown = window.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.size();
        let clear = shown.clear(size.0);
        shown.rows = rows.iter().map(|row| row.map(|text| inert(&self.secrets.redact(text)))).collect();
        let block = shown.draw(size, self.look);
        if !(clear.is_empty() && block.is_empty()) {
            self.raw(format!("{clear}{block}"));
        }
        true
    }

    fn window(&self) -> Option<Look> {
        self.window.as_ref().map(|_| self.look)
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
