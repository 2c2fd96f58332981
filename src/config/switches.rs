//! Flags and words of the command line that are no settings.

use super::groups::Group;
use super::plan::Command;

/// A flag that is no setting.
pub(super) struct Switch {
    pub(super) name: &'static str,
    /// What stands for its value; `None`: it takes none.
    pub(super) value: Option<&'static str>,
    pub(super) group: Group,
    /// The commands that use it; with several of them, every command takes it.
    pub(super) commands: &'static [Command],
    /// One sentence.
    pub(super) help: &'static str,
}

pub(super) const TOKEN_FILE: &str = "token-file";

/// All of them, but `--help` and `--version`.
pub(super) const SWITCHES: &[Switch] = &[
    Switch {
        name: "no-build",
        value: None,
        group: Group::Build,
        commands: &[Command::Check],
        help: "Leave the build out: it need not be there yet",
    },
    Switch {
        name: TOKEN_FILE,
        value: Some("PATH"),
        group: Group::Connection,
        commands: super::groups::SERVICE_CALLS,
        help: "Read the API key from a file; - is stdin",
    },
    Switch {
        name: "best-effort",
        value: None,
        group: Group::Run,
        commands: &[Command::Stop],
        help: "Always exit 0, and touch only what this job left unclosed",
    },
    Switch {
        name: "force",
        value: None,
        group: Group::General,
        commands: &[Command::Init],
        help: "Replace files that are there already",
    },
    Switch {
        name: "host",
        value: Some("HOST"),
        group: Group::General,
        commands: &[Command::Init],
        help: "CI to write a workflow for: github, gitlab or jenkins [default: the one that is found]",
    },
    Switch {
        name: "results",
        value: None,
        group: Group::General,
        commands: &[Command::Schema],
        help: "The schema of results.json instead",
    },
    Switch {
        name: "json",
        value: None,
        group: Group::General,
        commands: super::groups::TELLING,
        help: "Print data for machines on stdout",
    },
    Switch {
        name: "quiet",
        value: None,
        group: Group::General,
        commands: super::groups::PLANNED,
        help: "Print errors only",
    },
];

/// What a command takes besides flags, as its usage names it.
pub(super) const fn word(command: Command) -> Option<&'static str> {
    match command {
        Command::Explain => Some("REASON"),
        Command::Completions => Some("SHELL"),
        Command::Report => Some("FILES..."),
        _ => None,
    }
}

/// The shells that `completions` knows.
pub(super) const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];
