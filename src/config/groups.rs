//! Where help and reference show a setting: its group, what stands for its value, and the commands that use it.

use super::plan::Command;

/// What a setting is about; help and reference list the settings in these groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Build,
    Run,
    Wait,
    Gate,
    Report,
    Connection,
    General,
}

impl Group {
    /// Every group, in the order of help.
    pub(crate) const ALL: [Self; 7] =
        [Self::Build, Self::Run, Self::Wait, Self::Gate, Self::Report, Self::Connection, Self::General];

    /// Its heading.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "Build",
            Self::Run => "Run",
            Self::Wait => "Wait",
            Self::Gate => "Gate",
            Self::Report => "Report",
            Self::Connection => "Connection",
            Self::General => "General",
        }
    }
}

/// Where help shows a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// What it is about.
    pub(crate) group: Group,
    /// What stands for its value.
    pub(crate) value: &'static str,
    /// The commands that use it. The others take it too, since a variable or a run config may serve several commands.
    pub(crate) commands: &'static [Command],
    /// False: it has only a key and a variable.
    pub(crate) has_flag: bool,
    /// True when also the short help lists it.
    pub(crate) often: bool,
}

pub(super) const fn often(group: Group, value: &'static str, commands: &'static [Command]) -> Shown {
    Shown { group, value, commands, has_flag: true, often: true }
}

/// Only the long help lists it.
pub(super) const fn seldom(group: Group, value: &'static str, commands: &'static [Command]) -> Shown {
    Shown { often: false, ..often(group, value, commands) }
}

/// Only a key and a variable: neither a flag nor an input of the action.
pub(super) const fn no_flag(group: Group, value: &'static str, commands: &'static [Command]) -> Shown {
    Shown { has_flag: false, ..seldom(group, value, commands) }
}

/// Commands that a CI job runs and that need a key.
pub(super) const JOBS: &[Command] =
    &[Command::Run, Command::Upload, Command::Start, Command::Wait, Command::Check];
/// Commands that have a plan.
pub(super) const PLANNED: &[Command] = &[
    Command::Run,
    Command::Upload,
    Command::Start,
    Command::Wait,
    Command::Stop,
    Command::Check,
    Command::Report,
];
/// Commands that talk to the service.
pub(super) const SERVICE_CALLS: &[Command] = &[
    Command::Run,
    Command::Upload,
    Command::Start,
    Command::Wait,
    Command::Stop,
    Command::Check,
    Command::Init,
];
/// Commands that print data for machines.
pub(super) const TELLING: &[Command] =
    &[Command::Run, Command::Upload, Command::Start, Command::Wait, Command::Check, Command::Report];
pub(super) const BUILDS: &[Command] = &[Command::Run, Command::Upload, Command::Check];
pub(super) const STARTS: &[Command] = &[Command::Run, Command::Start, Command::Check];
pub(super) const RECORDED: &[Command] = &[Command::Wait, Command::Stop];
pub(super) const WAITS: &[Command] = &[Command::Run, Command::Wait];
pub(super) const TIMED: &[Command] = &[Command::Run, Command::Wait, Command::Check];
pub(super) const VERDICTS: &[Command] = &[Command::Run, Command::Wait, Command::Report];
pub(super) const REPORTS: &[Command] =
    &[Command::Run, Command::Upload, Command::Start, Command::Wait, Command::Report];
