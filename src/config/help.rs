//! The help of each command, from the table of settings; the words around it are files. Pure.

use std::fmt::Write as _;

use textwrap::Options;

use crate::model::look::{BOLD, DIM, GREEN, Look};

use super::groups::Group;
use super::plan::Command;
use super::settings::{DefaultValue, Definition, SETTINGS};
use super::switches::{SWITCHES, Switch, word};

pub(super) const HELP: &str = "Print help; help COMMAND tells all of one";
pub(super) const FILES: &str =
    "Each a results.json, or a folder that has them in its folders [default: the results folder]";
pub(super) const VERSION: &str = "Print the version; with --verbose also how it was built";
/// Where the words on a setting begin in a short help.
const COLUMN: usize = 32;
/// A line longer than this is hard to read.
const WIDEST: usize = 120;

/// A question for help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Help {
    /// The command it is about; `None`: the program.
    pub(crate) command: Option<Command>,
    /// All of it, or one screen.
    pub(crate) long: bool,
}

/// The words around the settings: what it does; examples; after `---` what only the long help tells.
const fn words(command: Option<Command>) -> &'static str {
    match command {
        None => include_str!("help/program.txt"),
        Some(Command::Run) => include_str!("help/run.txt"),
        Some(Command::Upload) => include_str!("help/upload.txt"),
        Some(Command::Start) => include_str!("help/start.txt"),
        Some(Command::Wait) => include_str!("help/wait.txt"),
        Some(Command::Stop) => include_str!("help/stop.txt"),
        Some(Command::Check) => include_str!("help/check.txt"),
        Some(Command::Report) => include_str!("help/report.txt"),
        Some(Command::Init) => include_str!("help/init.txt"),
        Some(Command::Explain) => include_str!("help/explain.txt"),
        Some(Command::Completions) => include_str!("help/completions.txt"),
        Some(Command::Schema) => include_str!("help/schema.txt"),
    }
}

/// What a command does, in one line.
pub(super) fn about(command: Command) -> &'static str {
    words(Some(command)).lines().next().unwrap_or_default()
}

/// One flag, or one setting without a flag, as help lists it.
struct Entry {
    name: String,
    value: Option<&'static str>,
    brief: &'static str,
    long: String,
    often: bool,
}

impl Entry {
    fn of_setting(setting: &Definition) -> Self {
        let flag = setting.has_flag().then(|| format!("--{}", setting.name));
        let default = match setting.default {
            DefaultValue::None => String::new(),
            default => format!(" [default: {}]", default.shown()),
        };
        let also: Vec<String> =
            flag.iter().map(|_| setting.variable()).chain(setting.key.map(str::to_owned)).collect();
        Self {
            name: flag.unwrap_or_else(|| setting.variable()),
            value: Some(setting.shown.value),
            brief: setting.brief(),
            long: format!("{}{default}\n({})", setting.help, also.join(", ")),
            often: setting.shown.often,
        }
    }

    fn of_switch(switch: &Switch) -> Self {
        Self {
            name: format!("--{}", switch.name),
            value: switch.value,
            brief: switch.help,
            long: switch.help.to_owned(),
            often: true,
        }
    }

    /// The flag with what stands for its value; a variable is written with `=`.
    fn shown(&self, look: Look) -> (String, usize) {
        let between = if self.name.starts_with("--") { " " } else { "=" };
        let value = self.value.map_or_else(String::new, |value| format!("{between}<{value}>"));
        let width = self.name.len() + value.len();
        (format!("{}{}", look.paint(GREEN, &self.name), look.paint(DIM, &value)), width)
    }

    fn write(&self, long: bool, look: Look, out: &mut String) {
        let width = look.width.min(WIDEST);
        let (shown, shown_width) = self.shown(look);
        out.push_str("  ");
        out.push_str(&shown);
        if long {
            for line in self.long.lines() {
                out.push('\n');
                let options =
                    Options::new(width).initial_indent("          ").subsequent_indent("          ");
                out.push_str(&textwrap::fill(line, options));
            }
        } else {
            let indent = " ".repeat(COLUMN);
            let first = COLUMN.saturating_sub(shown_width + 2);
            // A flag that is longer than the column has the words below it.
            let first = if first == 0 {
                out.push('\n');
                indent.clone()
            } else {
                " ".repeat(first)
            };
            let text = textwrap::wrap(self.brief, width.saturating_sub(COLUMN).max(20));
            for (number, line) in text.iter().enumerate() {
                out.push_str(if number == 0 { &first } else { &indent });
                out.push_str(line);
                out.push_str(if number + 1 < text.len() { "\n" } else { "" });
            }
        }
        out.push('\n');
    }
}

/// What a group lists for a command; for the program everything that more than one command takes.
fn entries(group: Group, command: Option<Command>) -> Vec<Entry> {
    let uses = |commands: &[Command]| command.is_none_or(|command| commands.contains(&command));
    let is_shown = |switch: &&Switch| command.is_some() || switch.commands.len() > 1;
    let switches = SWITCHES.iter().filter(|switch| switch.group == group && uses(switch.commands));
    let switches = switches.filter(is_shown);
    let settings =
        SETTINGS.iter().filter(|setting| setting.shown.group == group && uses(setting.shown.commands));
    let mut entries: Vec<Entry> = settings.map(Entry::of_setting).collect();
    entries.extend(switches.map(Entry::of_switch));
    if group == Group::General {
        let long = "Print help; -h prints one screen".to_owned();
        entries.push(Entry {
            name: "--help".to_owned(),
            value: None,
            brief: "Print all of the help; -h: this",
            long,
            often: true,
        });
    }
    entries
}

/// The page that was asked for.
pub(crate) fn page(help: &Help, look: Look) -> String {
    let (width, command) = (look.width.min(WIDEST), help.command);
    let (head, notes) = words(command).split_once("---\n").unwrap_or((words(command), ""));
    let (what, examples) = head.split_once('\n').unwrap_or((head, ""));
    let mut out = textwrap::fill(what, width);
    out.push_str("\n\n");
    for line in examples.trim().lines() {
        let is_heading = !line.starts_with(' ');
        out.push_str(&if is_heading { look.paint(BOLD, line) } else { line.to_owned() });
        out.push('\n');
    }
    let usage = match command {
        None => "[COMMAND]".to_owned(),
        Some(command) => {
            let word = word(command).map_or_else(String::new, |word| format!(" <{word}>"));
            format!("{}{word}", command.as_str())
        }
    };
    let _ = writeln!(out, "\n{} nunu-ci {usage} [OPTIONS]", look.paint(BOLD, "Usage:"));
    if command.is_none() {
        commands(look, &mut out);
    }
    groups(help, look, &mut out);
    let short;
    let notes = match command {
        Some(command) if !help.long => {
            short = format!(
                "nunu-ci {} --help tells all of it. Every flag is also a variable: --build-path is NUNU_BUILD_PATH.",
                command.as_str()
            );
            short.as_str()
        }
        None if !help.long => "",
        _ => notes,
    };
    for line in notes.lines() {
        let _ = write!(out, "\n{}", textwrap::fill(line, width));
    }
    format!("{}\n", out.trim_end())
}

fn commands(look: Look, out: &mut String) {
    let _ = writeln!(out, "\n{}", look.paint(BOLD, "Commands:"));
    let all = Command::ALL.map(|command| (command.as_str(), about(command)));
    for (name, about) in all.into_iter().chain([("help", HELP), ("version", VERSION)]) {
        let options = Options::new(look.width.min(WIDEST)).subsequent_indent("               ");
        let line = textwrap::fill(&format!("  {name:<11}  {about}"), options);
        let _ = writeln!(out, "{}", line.replacen(name, &look.paint(GREEN, name), 1));
    }
}

fn groups(help: &Help, look: Look, out: &mut String) {
    // One screen has no lines to spare: a blank one stands before the first group alone.
    let mut blank = "\n";
    for group in Group::ALL {
        if help.command.is_none() && !help.long && group != Group::General {
            continue;
        }
        let entries = entries(group, help.command);
        let mut entries = entries.iter().filter(|entry| help.long || entry.often).peekable();
        if entries.peek().is_some() {
            let _ = writeln!(out, "{blank}{}", look.paint(BOLD, &format!("{}:", group.as_str())));
            blank = if help.long { "\n" } else { "" };
        }
        entries.for_each(|entry| entry.write(help.long, look, out));
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::{Command, Help, Look, SETTINGS, page};

    fn shown(command: Option<Command>, long: bool, width: usize) -> String {
        page(&Help { command, long }, Look { width, ..Look::PLAIN })
    }

    #[test]
    fn the_short_help_is_one_screen_wide_and_high() {
        for command in std::iter::once(None).chain(Command::ALL.map(Some)) {
            let text = shown(command, false, 80);
            assert!(text.lines().all(|line| line.width() <= 80), "{command:?}\n{text}");
            let most = if command == Some(Command::Run) { 44 } else { 40 };
            assert!(text.lines().count() <= most, "{}: {command:?}\n{text}", text.lines().count());
        }
    }

    #[test]
    fn each_command_shows_its_settings_alone() {
        let stop = shown(Some(Command::Stop), true, 80);
        assert!(stop.contains("--best-effort") && stop.contains("--job-ids <IDS>"), "{stop}");
        for other in ["--build-path", "--fail-on", "--no-build"] {
            assert!(!stop.contains(other), "{other}\n{stop}");
        }
        let run = shown(Some(Command::Run), true, 80);
        assert!(run.contains("--timeout <DURATION>") && run.contains("[default: 3h30m]"), "{run}");
        assert!(run.contains("NUNU_STALL=<DURATION>"), "{run}");
        let (examples, usage) = (run.find("Examples:").unwrap(), run.find("Usage:").unwrap());
        assert!(examples < usage, "examples come first");
        for setting in SETTINGS.iter().filter(|setting| setting.has_flag()) {
            let pages = Command::ALL.map(|command| shown(Some(command), true, 80));
            let flag = format!("--{} ", setting.name);
            let is_shown = pages.iter().any(|page| page.contains(&flag));
            assert!(is_shown || setting.name == "command", "{flag}");
        }
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let rich = Look { colour: true, unicode: true, links: true, width: 80 };
        for command in std::iter::once(None).chain(Command::ALL.map(Some)) {
            let help = Help { command, long: true };
            let painted = page(&help, rich);
            assert!(painted.contains("\u{1b}[1m"), "{painted}");
            assert_eq!(anstream::adapter::strip_str(&painted).to_string(), shown(command, true, 80));
        }
    }
}
