//! The command line. Made from the same table as everything else about settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};

use crate::model::{ExitReason, Failure};

use super::plan::Command;
use super::settings::{DefaultValue, SETTINGS, Shape};
use super::snippet::without_keys;
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
    /// `schema --results`.
    pub(crate) results: bool,
    /// What `report` reports on.
    pub(crate) files: Vec<String>,
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
    Help(String),
}

/// A command that is the flag of the same name.
const VERSION: &str = "version";
/// What `report` takes besides flags.
const FILES: &str = "files";

const EXAMPLES: &str = "\
Examples:
  nunu-ci run --build-path app.apk --test-id ID --deployment-config-id ID
  nunu-ci check                      what would happen, and is the key good for it?
  nunu-ci upload --build-path Game/ --platform windows
  nunu-ci start && nunu-ci wait      two steps instead of one
  nunu-ci stop --best-effort         the safety net after a cancelled job

The API key comes from NUNU_API_TOKEN or --token-file. Every flag is also a variable: --build-path is NUNU_BUILD_PATH.
Exit codes: 0 passed, 1 tests failed or bugs found, 2 wrong input, 3 key or permission, 4 build, 5 upload, 6 start,
7 no verdict, 8 timeout, 9 stalled, 10 stopped by somebody else, 70 our bug, 130/143 interrupted.";

fn about(command: Command) -> &'static str {
    match command {
        Command::Run => "Check, upload, start, wait, report and gate: the whole job (the default)",
        Command::Upload => "Upload a build and print its id",
        Command::Start => "Start runs and leave; needs build-id or a config that needs no build",
        Command::Wait => "Wait for the jobs that start recorded, or those of --job-ids; report and gate",
        Command::Stop => "Stop recorded unfinished jobs, or those of --job-ids, and cancel an open upload",
        Command::Check => "Validate everything and prove the key and its permissions; change nothing",
        Command::Report => {
            "Make all report files again from one or several results.json; legs of a matrix become one report"
        }
        Command::Init => "Write a commented starter run config and a workflow file",
        Command::Schema => "Print the JSON Schema of the run config",
    }
}

/// Shown below the flags of one command.
const fn examples(command: Command) -> &'static str {
    match command {
        Command::Run => {
            "Examples:
  nunu-ci run --build-path app.apk --test-id ID --deployment-config-id ID --timeout 90m
  nunu-ci run --build-path Game/ --platform windows --run-config ci/nightly.yml --fail-on failed,bugs:high
  nunu-ci run --json > results.json"
        }
        Command::Upload => {
            "Examples:
  nunu-ci upload --build-path app.apk --tags nightly
  BUILD=$(nunu-ci upload --build-path Game/ --platform windows)      the id is on stdout outside of a CI"
        }
        Command::Start => {
            "Examples:
  nunu-ci start --build-id ID --test-id ID --deployment-config-id ID
  nunu-ci start && nunu-ci wait"
        }
        Command::Wait => {
            "Examples:
  nunu-ci wait                                          for what start recorded in this job
  nunu-ci wait --job-ids ID,ID --timeout 90m            in another job"
        }
        Command::Stop => {
            "Examples:
  nunu-ci stop
  nunu-ci stop --job-ids ID,ID
  nunu-ci stop --best-effort                            the safety net after a cancelled job"
        }
        Command::Check => {
            "Examples:
  nunu-ci check --run-config ci/nightly.yml
  nunu-ci check --json > check.json"
        }
        Command::Report => {
            "Examples:
  nunu-ci report nunu-results/results.json
  nunu-ci report legs/                                  one results.json in each folder in it
  nunu-ci report a/results.json b/results.json --fail-on failed,bugs:high"
        }
        Command::Init => {
            "Examples:
  nunu-ci init
  NUNU_API_TOKEN=... nunu-ci init                       fills in the ids of your project"
        }
        Command::Schema => {
            "Examples:
  nunu-ci schema > nunu-ci.schema.json
  nunu-ci schema --results"
        }
    }
}

fn program() -> Clap {
    let mut program = Clap::new("nunu-ci")
        .about("Upload a build to nunu.ai, run AI play-tests on real devices, and fail the CI job honestly.")
        .after_help(EXAMPLES)
        .disable_version_flag(true)
        .max_term_width(120);
    for definition in SETTINGS.iter().filter(|definition| definition.has_flag()) {
        let mut arg = Arg::new(definition.name)
            .long(definition.name)
            .help(match definition.default {
                DefaultValue::None => definition.help.to_owned(),
                default => format!("{} [default: {}]", definition.help, default.shown()),
            })
            .help_heading(definition.heading)
            .global(true)
            .value_name("VALUE");
        if definition.shape == Shape::Switch {
            arg = arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("true|false");
        } else {
            // A value may begin with a hyphen: `--name -5`.
            arg = arg.allow_hyphen_values(true);
        }
        if definition.name == "command" {
            arg = arg.value_parser(PossibleValuesParser::new(Command::ALL.map(Command::as_str)));
        }
        program = program.arg(arg);
    }
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).help(help).action(ArgAction::SetTrue).help_heading("General")
    };
    program = program
        .arg(
            Arg::new("token-file")
                .long("token-file")
                .value_name("PATH")
                .help("Read the API key from a file; - is stdin")
                .help_heading("Account")
                .global(true),
        )
        .arg(
            Arg::new("file")
                .long("file")
                .hide(true)
                .global(true)
                .value_name("VALUE")
                .allow_hyphen_values(true),
        )
        .arg(Arg::new("api-token").long("api-token").hide(true).global(true).num_args(0..=1))
        .arg(flag("quiet", "Print errors only").global(true))
        .arg(flag("json", "Print data for machines, where the command has any").global(true))
        .arg(flag("version", "Print the version; with --verbose also how it was built").short('V'));
    for command in Command::ALL {
        let mut sub = Clap::new(command.as_str())
            .about(about(command))
            .after_help(examples(command))
            .disable_version_flag(true);
        if command == Command::Stop {
            sub = sub.arg(flag("best-effort", "Always exit 0, and touch only what this job left unclosed"));
        }
        if command == Command::Report {
            sub = sub.arg(Arg::new(FILES).value_name("FILES").num_args(0..).help(
                "Each a results.json, or a folder that has them in its folders [default: the results folder]",
            ));
        }
        if command == Command::Schema {
            sub = sub.arg(flag("results", "The schema of results.json instead"));
        }
        program = program.subcommand(sub);
    }
    program.subcommand(
        Clap::new(VERSION)
            .about("Print the version; with --verbose also how it was built")
            .disable_version_flag(true),
    )
}

/// Reads the command line; `argv` begins with the program's name.
pub(crate) fn parse(argv: &[String]) -> Result<Parsed, Failure> {
    match program().try_get_matches_from(joined(argv)) {
        Ok(matches) => from_matches(&matches).map(Parsed::Args),
        Err(error) => match error.kind() {
            clap::error::ErrorKind::DisplayHelp
            | clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Ok(Parsed::Help(error.render().to_string()))
            }
            clap::error::ErrorKind::InvalidSubcommand => Err(no_command(&error)),
            _ => {
                let text = error.render().to_string();
                let text = text.trim().trim_start_matches("error: ");
                let message = text.split("\n\nUsage:").next().unwrap_or(text).trim();
                // Somebody may have pasted the key where it does not belong.
                Err(Failure::new(ExitReason::InvalidInput, without_keys(message))
                    .hint("nunu-ci help lists commands and flags"))
            }
        },
    }
}

/// What can be told of a command line that [`parse`] does not understand: which command it is, and where its results belong.
pub(crate) fn guess(argv: &[String]) -> Args {
    let matches = program().ignore_errors(true).try_get_matches_from(joined(argv));
    matches.map(|matches| gather(&matches)).unwrap_or_default()
}

/// A word in the place of the command that is none.
fn no_command(error: &clap::Error) -> Failure {
    use clap::error::{ContextKind, ContextValue};
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => word.as_str(),
        _ => "",
    };
    let known = Command::ALL.map(Command::as_str).into_iter().chain(["help", VERSION]);
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

fn from_matches(matches: &ArgMatches) -> Result<Args, Failure> {
    let inner = matches.subcommand().map_or(matches, |(_, sub)| sub);
    if inner.contains_id("api-token") {
        return Err(Failure::new(
            ExitReason::InvalidInput,
            "there is no flag --api-token: command lines are visible to every process on the machine",
        )
        .hint("set NUNU_API_TOKEN from the CI's secret store, or use --token-file PATH (- for stdin)"));
    }
    Ok(gather(matches))
}

fn gather(matches: &ArgMatches) -> Args {
    let mut args = Args { version: matches.get_flag("version"), ..Args::default() };
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
    args.token_file = inner.get_one::<String>("token-file").map(PathBuf::from);
    args.quiet = inner.get_flag("quiet");
    args.json = inner.get_flag("json");
    if args.command == Some(Command::Stop) {
        args.best_effort = inner.get_flag("best-effort");
    }
    if args.command == Some(Command::Report) {
        args.files = inner.get_many::<String>(FILES).into_iter().flatten().cloned().collect();
    }
    if args.command == Some(Command::Schema) {
        args.results = inner.get_flag("results");
    }
    args
}

#[cfg(test)]
mod tests {
    use super::{Args, Command, Parsed, parse, program};

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
        program().debug_assert();
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
        for (words, want) in [(&["help"][..], "Examples:"), (&["help", "stop"], "--best-effort")] {
            let argv: Vec<String> = ["nunu-ci"].iter().chain(words).map(|&word| word.to_owned()).collect();
            let Ok(Parsed::Help(text)) = parse(&argv) else { panic!("{words:?}") };
            assert!(text.contains(want), "{text}");
        }
        assert!(args(&["--verbose"]).verbose());
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
