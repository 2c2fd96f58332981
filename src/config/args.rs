//! The command line. Made from the same table as everything else about settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};

use crate::model::{ExitReason, Failure};

use super::help::{self, Help};
use super::plan::Command;
use super::settings::{Definition, SETTINGS, Shape};
use super::snippet::without_keys;
use super::switches::{SHELLS, SWITCHES, Switch, TOKEN_FILE, word};
use super::values::nearest;

/// What the command line said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag, independent of the others")]
pub(crate) struct Args {
    /// The command, when one was given.
    pub(crate) command: Option<Command>,
    /// Flags that are settings, by name.
    pub(crate) flags: BTreeMap<&'static str, String>,
    /// `--token-file`; `-` is stdin.
    pub(crate) token_file: Option<PathBuf>,
    /// `stop --best-effort`.
    pub(crate) best_effort: bool,
    /// `check --no-build`.
    pub(crate) no_build: bool,
    /// What `explain` and `completions` are asked about.
    pub(crate) word: Option<String>,
    /// `schema --results`.
    pub(crate) results: bool,
    /// What `report` reports on.
    pub(crate) files: Vec<String>,
    /// `init --force`.
    pub(crate) force: bool,
    /// `init --host`.
    pub(crate) host: Option<String>,
    /// Data for machines on stdout, where the command has any.
    pub(crate) json: bool,
    /// Only errors.
    pub(crate) quiet: bool,
    /// `--version`.
    pub(crate) version: bool,
}

impl Args {
    /// True when `--verbose` was given on the command line.
    pub(crate) fn verbose(&self) -> bool {
        self.flags.get("verbose").is_some_and(|value| value == "true")
    }
}

/// What the command line came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Something to do.
    Args(Args),
    /// Help was asked for; print it and end well.
    Help(Help),
}

/// A command that is the flag of the same name.
const VERSION: &str = "version";
/// What `report` takes besides flags.
const FILES: &str = "files";
/// The command that shows the help of others.
const HELP: &str = "help";
/// The id of `-h`; that of `--help` is [`HELP`].
const SHORT_HELP: &str = "short-help";
/// The id of what a command takes besides flags.
const WORD: &str = "word";

/// Which flags a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flags {
    /// All that there are, before and after the command: one command line may serve several commands.
    All,
    /// Those that its help shows.
    Shown,
}

/// The flag of a setting.
fn setting(definition: &Definition) -> Arg {
    let arg = Arg::new(definition.name)
        .long(definition.name)
        .help(definition.brief())
        .value_name(definition.shown.value);
    if definition.name == "command" {
        return arg.value_parser(PossibleValuesParser::new(Command::ALL.map(Command::as_str)));
    }
    if definition.shape == Shape::Switch {
        return arg.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    // A value may begin with a hyphen: `--name -5`.
    arg.allow_hyphen_values(true)
}

fn switch(switch: &Switch) -> Arg {
    let arg = Arg::new(switch.name).long(switch.name).help(switch.help);
    match switch.value {
        Some(value) => arg.value_name(value),
        None => arg.action(ArgAction::SetTrue),
    }
}

/// The flags of a command, or of the program.
fn with_flags(program: Clap, command: Option<Command>, flags: Flags) -> Clap {
    let is_all = flags == Flags::All;
    let uses = |commands: &[Command]| match command {
        Some(command) => commands.contains(&command),
        None => commands.len() > 1,
    };
    let settings = SETTINGS.iter().filter(|definition| {
        definition.has_flag() && if is_all { command.is_none() } else { uses(definition.shown.commands) }
    });
    // What is global stands at the program alone, and every command takes it.
    let is_global = |switch: &Switch| is_all && switch.commands.len() > 1;
    let switches =
        SWITCHES.iter().filter(|switch| uses(switch.commands) && !(command.is_some() && is_global(switch)));
    program
        .disable_version_flag(true)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .args(settings.map(|definition| setting(definition).global(is_all)))
        .args(switches.map(|found| switch(found).global(is_global(found))))
}

fn program(flags: Flags) -> Clap {
    let is_all = flags == Flags::All;
    let mut program = with_flags(Clap::new("nunu-ci"), None, flags)
        .arg(Arg::new(HELP).long(HELP).action(ArgAction::SetTrue).global(true).help("Print help"))
        .arg(Arg::new(VERSION).long(VERSION).short('V').action(ArgAction::SetTrue).help(help::VERSION));
    if is_all {
        let hidden = |name: &'static str| Arg::new(name).long(name).global(true).hide(true);
        program = program
            .arg(Arg::new(SHORT_HELP).short('h').action(ArgAction::SetTrue).global(true))
            .arg(hidden("file").value_name("VALUE").allow_hyphen_values(true))
            .arg(hidden("api-token").num_args(0..=1));
    }
    for command in Command::ALL {
        let sub = Clap::new(command.as_str()).about(help::about(command));
        let mut sub = with_flags(sub, Some(command), flags);
        if let Some(word) = word(command) {
            let arg = Arg::new(WORD).value_name(word);
            sub = sub.arg(match command {
                Command::Completions => arg.value_parser(PossibleValuesParser::new(SHELLS)).required(true),
                Command::Report => Arg::new(FILES).value_name("FILES").num_args(0..).help(help::FILES),
                _ => arg,
            });
        }
        program = program.subcommand(sub);
    }
    let commands = Command::ALL.map(Command::as_str).into_iter().chain([HELP, VERSION]);
    let other = |name: &'static str| Clap::new(name).disable_version_flag(true).disable_help_flag(true);
    let topic = PossibleValuesParser::new(commands.collect::<Vec<_>>());
    program
        .subcommand(
            other(HELP).about(help::HELP).arg(Arg::new(WORD).value_name("COMMAND").value_parser(topic)),
        )
        .subcommand(other(VERSION).about(help::VERSION))
}

/// The script that completes words in that shell.
pub(crate) fn completions(shell: &str) -> String {
    use clap_complete::{Shell, generate};
    let shell = match shell {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "powershell" => Shell::PowerShell,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    generate(shell, &mut program(Flags::Shown), "nunu-ci", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Reads the command line; `argv` begins with the program's name.
pub(crate) fn parse(argv: &[String]) -> Result<Parsed, Failure> {
    let error = match program(Flags::All).try_get_matches_from(joined(argv)) {
        Ok(matches) => return from_matches(&matches),
        Err(error) => error,
    };
    // Whoever asks for help gets it, whatever else stands there.
    let guessed = program(Flags::All).ignore_errors(true).try_get_matches_from(joined(argv)).ok();
    let guessed = guessed.as_ref().filter(|matches| matches.subcommand_name() != Some(HELP));
    if let Some(help) = guessed.and_then(asked_help) {
        return Ok(Parsed::Help(help));
    }
    if error.kind() == clap::error::ErrorKind::InvalidSubcommand {
        return Err(no_command(&error));
    }
    let text = error.render().to_string();
    let text = text.trim().trim_start_matches("error: ");
    let message = text.split("\n\nUsage:").next().unwrap_or(text).trim();
    let message = message.split("\n\nFor more information").next().unwrap_or(message);
    // Somebody may have pasted the key where it does not belong.
    Err(Failure::new(ExitReason::InvalidInput, without_keys(message))
        .hint("nunu-ci help lists commands, nunu-ci help COMMAND its flags"))
}

/// What can be told of a command line that [`parse`] does not understand: which command it is, and where its results belong.
pub(crate) fn guess(argv: &[String]) -> Args {
    let matches = program(Flags::All).ignore_errors(true).try_get_matches_from(joined(argv));
    matches.map(|matches| gather(&matches)).unwrap_or_default()
}

/// A word in the place of the command that is none.
fn no_command(error: &clap::Error) -> Failure {
    use clap::error::{ContextKind, ContextValue};
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => word.as_str(),
        _ => "",
    };
    let known = Command::ALL.map(Command::as_str).into_iter().chain([HELP, VERSION]);
    let near =
        nearest(word, known.clone()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    // Somebody may have pasted the key where it does not belong.
    Failure::new(ExitReason::InvalidInput, without_keys(&format!("there is no command \"{word}\"{near}")))
        .hint(format!(
            "commands are {}; nunu-ci help COMMAND explains one",
            known.collect::<Vec<_>>().join(", ")
        ))
}

/// Takes `--wait false` for `--wait=false`: a switch may stand alone, so it takes no separate value by itself.
fn joined(argv: &[String]) -> Vec<String> {
    let is_switch = |word: &str| {
        word.strip_prefix("--").is_some_and(|name| {
            SETTINGS
                .iter()
                .any(|setting| setting.shape == Shape::Switch && setting.has_flag() && setting.name == name)
        })
    };
    let mut words: Vec<String> = Vec::new();
    for word in argv {
        match words.last_mut() {
            Some(last) if is_switch(last) && super::values::boolean(word).is_ok() => {
                last.push('=');
                last.push_str(word);
            }
            _ => words.push(word.clone()),
        }
    }
    words
}

/// The help that was asked for, if any was.
fn asked_help(matches: &ArgMatches) -> Option<Help> {
    let (name, inner) = matches.subcommand().map_or(("", matches), |(name, sub)| (name, sub));
    if name == HELP {
        let topic = inner.get_one::<String>(WORD);
        let command = topic.and_then(|topic| Command::parse(topic));
        return Some(Help { command, long: command.is_some() });
    }
    let asked = |id: &str| {
        [matches, inner].iter().any(|found| matches!(found.try_get_one::<bool>(id), Ok(Some(true))))
    };
    let long = asked(HELP);
    (long || asked(SHORT_HELP)).then(|| Help { command: Command::parse(name), long })
}

fn from_matches(matches: &ArgMatches) -> Result<Parsed, Failure> {
    if let Some(help) = asked_help(matches) {
        return Ok(Parsed::Help(help));
    }
    let inner = matches.subcommand().map_or(matches, |(_, sub)| sub);
    if matches!(inner.try_contains_id("api-token"), Ok(true)) {
        return Err(Failure::new(
            ExitReason::InvalidInput,
            "there is no flag --api-token: command lines are visible to every process on the machine",
        )
        .hint("set NUNU_API_TOKEN from the CI's secret store, or use --token-file PATH (- for stdin)"));
    }
    Ok(Parsed::Args(gather(matches)))
}

fn gather(matches: &ArgMatches) -> Args {
    let mut args = Args { version: matches.get_flag(VERSION), ..Args::default() };
    let mut inner = matches;
    if let Some((name, sub)) = matches.subcommand() {
        args.command = Command::parse(name);
        args.version |= name == VERSION;
        inner = sub;
    }
    for definition in SETTINGS.iter().filter(|definition| definition.has_flag()) {
        if let Some(value) = inner.get_one::<String>(definition.name) {
            args.flags.insert(definition.name, value.clone());
        }
    }
    if let Some(value) = inner.get_one::<String>("file") {
        args.flags.insert("file", value.clone());
    }
    let is_set = |name: &str| matches!(inner.try_get_one::<bool>(name), Ok(Some(true)));
    args.token_file = inner.get_one::<String>(TOKEN_FILE).map(PathBuf::from);
    args.word = inner.try_get_one::<String>(WORD).ok().flatten().cloned();
    let files = inner.try_get_many::<String>(FILES).ok().flatten();
    args.files = files.into_iter().flatten().cloned().collect();
    args.quiet = is_set("quiet");
    args.json = is_set("json");
    args.best_effort = is_set("best-effort");
    args.no_build = is_set("no-build");
    args.results = is_set("results");
    args.force = is_set("force");
    args.host = inner.try_get_one::<String>("host").ok().flatten().cloned();
    args
}

#[cfg(test)]
mod tests {
    use super::{Args, Command, Flags, Help, Parsed, parse, program};

    fn args(words: &[&str]) -> Args {
        let argv: Vec<String> =
            std::iter::once("nunu-ci").chain(words.iter().copied()).map(str::to_owned).collect();
        match parse(&argv) {
            Ok(Parsed::Args(parsed)) => parsed,
            other => panic!("{other:?}"),
        }
    }

    fn message(words: &[&str]) -> String {
        let argv: Vec<String> =
            std::iter::once("nunu-ci").chain(words.iter().copied()).map(str::to_owned).collect();
        parse(&argv).unwrap_err().to_string()
    }

    #[test]
    fn the_program_is_well_formed() {
        program(Flags::All).debug_assert();
        program(Flags::Shown).debug_assert();
    }

    #[test]
    fn flags_may_stand_before_and_after_the_command() {
        for words in [["--name", "x", "upload"], ["upload", "--name", "x"]] {
            let args = args(&words);
            assert_eq!(args.command, Some(Command::Upload));
            assert_eq!(args.flags.get("name").map(String::as_str), Some("x"));
        }
        assert_eq!(args(&[]).command, None);
        assert_eq!(args(&["--file", "a.apk"]).flags.get("file").map(String::as_str), Some("a.apk"));
    }

    #[test]
    fn switches_need_no_value() {
        assert_eq!(args(&["--dry-run"]).flags.get("dry-run").map(String::as_str), Some("true"));
        assert_eq!(args(&["--wait=false"]).flags.get("wait").map(String::as_str), Some("false"));
        let spaced = args(&["--wait", "False", "--dry-run", "upload", "--name", "--wait"]);
        assert_eq!(spaced.flags.get("wait").map(String::as_str), Some("False"));
        assert_eq!(spaced.flags.get("dry-run").map(String::as_str), Some("true"));
        assert_eq!(spaced.command, Some(Command::Upload));
        assert!(args(&["stop", "--best-effort"]).best_effort);
        assert!(args(&["schema", "--results"]).results);
        assert!(args(&["--version"]).version && args(&["version"]).version);
        assert!(args(&["check", "--no-build"]).no_build);
        assert!(args(&["--verbose"]).verbose());
    }

    #[test]
    fn help_is_given_whatever_else_stands_there() {
        let of = |command, long| Ok(Parsed::Help(Help { command, long }));
        for (words, want) in [
            (&["help"][..], of(None, false)),
            (&["-h"], of(None, false)),
            (&["--help"], of(None, true)),
            (&["help", "stop"], of(Some(Command::Stop), true)),
            (&["stop", "-h"], of(Some(Command::Stop), false)),
            (&["stop", "--help"], of(Some(Command::Stop), true)),
            (&["--help", "stop"], of(Some(Command::Stop), true)),
            (&["completions", "--help"], of(Some(Command::Completions), true)),
            (&["run", "--help", "--buid-path", "x"], of(Some(Command::Run), true)),
        ] {
            let argv: Vec<String> = ["nunu-ci"].iter().chain(words).map(|&word| word.to_owned()).collect();
            assert_eq!(parse(&argv), want, "{words:?}");
        }
        assert!(message(&["help", "uplaod"]).contains("upload"));
        assert_eq!(args(&["explain", "timeout"]).word.as_deref(), Some("timeout"));
    }

    #[test]
    fn a_command_line_with_a_mistake_still_tells_its_command() {
        let guess = |words: &[&str]| {
            let argv: Vec<String> = ["nunu-ci"].iter().chain(words).map(|&word| word.to_owned()).collect();
            super::guess(&argv)
        };
        let found = guess(&["run", "--buid-path", "x", "--results-dir", "out"]);
        assert_eq!(found.command, Some(Command::Run));
        assert_eq!(
            guess(&["wait", "--results-dir", "out", "--nothing"]).flags.get("results-dir").unwrap(),
            "out"
        );
        assert_eq!(guess(&["uplaod"]).command, None);
        assert_eq!(guess(&["--buid-path", "x"]).command, None);
        assert_eq!(guess(&["run", "--api-token", "x"]).command, Some(Command::Run));
    }

    #[test]
    fn mistakes_are_explained() {
        assert!(message(&["--api-token", "nunu_secret"]).contains("--token-file"));
        assert!(!message(&["--api-token", "nunu_secret"]).contains("nunu_secret"));
        assert!(!message(&["--api-token=nunu_secret"]).contains("nunu_secret"));
        assert!(message(&["--buid-path", "x"]).contains("--build-path"));
        for (typo, meant) in
            [("uplaod", "upload"), ("chekc", "check"), ("hepl", "help"), ("versoin", "version")]
        {
            let said = message(&[typo]);
            assert!(said.contains(&format!("no command \"{typo}\"; did you mean {meant}?")), "{said}");
            assert!(said.contains("run, upload") && said.contains("nunu-ci help COMMAND"), "{said}");
        }
        assert!(message(&["game.apk"]).starts_with("there is no command \"game.apk\"\n"));
        for words in [
            &["nunu_0123456789abcdef"][..],
            &["run", "nunu_0123456789abcdef"],
            &["--nunu_0123456789abcdef"],
            &["--api-token", "x", "--api-token", "nunu_0123456789abcdef"],
            &["--wait=nunu_0123456789abcdef", "--nothing"],
            &["--command", "nunu_0123456789abcdef"],
        ] {
            assert!(!message(words).contains("0123456789"), "{}", message(words));
        }
    }
}
