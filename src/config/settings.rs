//! Every setting once: its name, where it may be set, what it may be written as, its default, and what people read about it.
//! Flags, variables, action inputs, the plan's defaults, the tables of docs/settings.md and their tests all come from here.

use crate::model::service::SERVICE;

use super::groups::{
    BUILDS, Group, JOBS, PLANNED, RECORDED, REPORTS, SERVICE_CALLS, STARTS, Shown, TIMED, VERDICTS, WAITS,
    no_flag, often, seldom,
};
use super::plan::Command;

/// The run config when nothing names one.
pub(super) const RUN_CONFIG: &str = ".nunu/run.yml";

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Name of the flag and the action input; with `NUNU_` in upper snake case, of the variable.
    pub name: &'static str,
    /// Key in the run config.
    pub key: Option<&'static str>,
    /// What it may be written as.
    pub shape: Shape,
    /// What counts when nothing sets it.
    pub default: DefaultValue,
    /// One or two sentences.
    pub help: &'static str,
    /// Where help lists it.
    pub(crate) shown: Shown,
    /// Further variables that mean the same.
    pub aliases: &'static [&'static str],
}

/// What a setting may be written as in YAML. Text always may: variables are filled into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A number, or a duration.
    Number,
    /// `true` or `false`; as a flag it needs no value.
    Switch,
    /// A list; outside of YAML separated by commas or lines.
    List,
}

/// What counts when nothing sets a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// Nothing.
    None,
    /// This text, read like one that a person wrote.
    Text(&'static str),
    /// What the program finds out; these words describe it.
    Computed(&'static str),
}

impl DefaultValue {
    /// As people read it.
    #[must_use]
    pub const fn shown(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Text(text) | Self::Computed(text) => text,
        }
    }
}

const fn setting(
    name: &'static str,
    key: Option<&'static str>,
    shape: Shape,
    default: DefaultValue,
    shown: Shown,
    help: &'static str,
) -> Definition {
    Definition { name, key, shape, default, help, shown, aliases: &[] }
}

const fn also(definition: Definition, aliases: &'static [&'static str]) -> Definition {
    Definition { aliases, ..definition }
}

/// All settings, in the order of the documentation. `api-token` is not among the flags.
pub const SETTINGS: &[Definition] = &[
    setting(
        "project-id",
        Some("project_id"),
        Shape::Text,
        DefaultValue::None,
        often(Group::Connection, "ID", SERVICE_CALLS),
        "Project; needed with organisation keys (nunu_org_...)",
    ),
    setting(
        "build-path",
        Some("build.path"),
        Shape::Text,
        DefaultValue::None,
        often(Group::Build, "PATH", BUILDS),
        "Build to upload: a file, a folder (sent as a zip) or a glob with one match",
    ),
    setting(
        "build-id",
        Some("build.id"),
        Shape::Text,
        DefaultValue::None,
        often(Group::Build, "ID", STARTS),
        "Use a stored build instead of uploading one; excludes build-path",
    ),
    setting(
        "name",
        Some("build.name"),
        Shape::Text,
        DefaultValue::Computed("derived"),
        seldom(Group::Build, "NAME", BUILDS),
        "Name of the build: 1-255 characters; by default the pull request's title, the commit's subject, or the file name and CI build number",
    ),
    setting(
        "platform",
        Some("build.platform"),
        Shape::Text,
        DefaultValue::Computed("by extension"),
        often(Group::Build, "PLATFORM", BUILDS),
        "Platform of the build: windows, macos, linux, android, ios-native, ios-simulator, xbox or playstation; needed for folders, zip, tar and unknown extensions",
    ),
    setting(
        "description",
        Some("build.description"),
        Shape::Text,
        DefaultValue::None,
        seldom(Group::Build, "TEXT", BUILDS),
        "Description of the build: at most 1000 characters",
    ),
    setting(
        "tags",
        Some("build.tags"),
        Shape::List,
        DefaultValue::None,
        seldom(Group::Build, "TAGS", BUILDS),
        "Tags of the build: comma or newline list, 1-50 characters each",
    ),
    setting(
        "auto-delete",
        Some("build.auto_delete"),
        Shape::Switch,
        DefaultValue::Text("false"),
        seldom(Group::Build, "true|false", BUILDS),
        "Let the service remove old builds when the storage is full",
    ),
    setting(
        "deletion-policy",
        Some("build.deletion_policy"),
        Shape::Text,
        DefaultValue::Text("least_recent"),
        seldom(Group::Build, "POLICY", BUILDS),
        "Which builds auto-delete removes: least_recent or oldest",
    ),
    setting(
        "upload-timeout",
        Some("build.upload_timeout"),
        Shape::Number,
        DefaultValue::Computed("size / 0.5 MB/s, at least 60"),
        seldom(Group::Build, "MINUTES", BUILDS),
        "Reservation on the server: whole minutes, 1-1440",
    ),
    setting(
        "run-config",
        None,
        Shape::Text,
        DefaultValue::Computed(RUN_CONFIG),
        often(Group::Run, "PATH", PLANNED),
        "Run config: a path, or the YAML itself",
    ),
    setting(
        "config-env",
        None,
        Shape::List,
        DefaultValue::None,
        seldom(Group::Run, "NAMES", PLANNED),
        "More variables that the run config may read: names, comma or newline list; long values in template_data and instructions are kept secret",
    ),
    setting(
        "test-id",
        Some("runs[].test"),
        Shape::List,
        DefaultValue::None,
        often(Group::Run, "IDS", STARTS),
        "Tests to start, without a run config: comma or newline list",
    ),
    setting(
        "test-plan-id",
        Some("runs[].test_plan"),
        Shape::List,
        DefaultValue::None,
        often(Group::Run, "IDS", STARTS),
        "Test plans to start, without a run config: comma or newline list",
    ),
    setting(
        "deployment-config-id",
        Some("runs[].deployment_config"),
        Shape::Text,
        DefaultValue::None,
        often(Group::Run, "ID", STARTS),
        "Deployment configuration for every run that names none",
    ),
    setting(
        "job-ids",
        None,
        Shape::List,
        DefaultValue::None,
        often(Group::Run, "IDS", RECORDED),
        "Jobs that another job started: comma or newline list, the output job-ids of the start",
    ),
    setting(
        "rerun",
        Some("wait.rerun"),
        Shape::Text,
        DefaultValue::Text("auto"),
        often(Group::Run, "WORD", STARTS),
        "What a repeated attempt of the same CI run starts: failed (what passed is carried over), all, or auto: failed where the attempt before did not meet the gate",
    ),
    setting(
        "rerun-from",
        None,
        Shape::Text,
        DefaultValue::None,
        often(Group::Run, "PATH", STARTS),
        "Start only what did not pass: the tests of a results.json",
    ),
    setting(
        "wait",
        Some("wait.enabled"),
        Shape::Switch,
        DefaultValue::Text("true"),
        often(Group::Wait, "true|false", &[Command::Run, Command::Check]),
        "Wait for the results; false: start the runs and leave, status started",
    ),
    setting(
        "timeout",
        Some("wait.timeout"),
        Shape::Number,
        DefaultValue::Text("3h30m"),
        often(Group::Wait, "DURATION", TIMED),
        "Longest time to the last result: from the start of the runs, such as 90m or 2h",
    ),
    setting(
        "fail-on",
        Some("gate.fail_on"),
        Shape::List,
        DefaultValue::Text("failed, error, timeout, blocked, stopped"),
        often(Group::Gate, "LIST", VERDICTS),
        "What fails the job: results, also skipped and newly-failed, and bugs:<severity>[:<confidence>] such as bugs:high, or new-bugs:high",
    ),
    setting(
        "baseline",
        Some("gate.baseline"),
        Shape::Text,
        DefaultValue::Text("auto"),
        seldom(Group::Gate, "BRANCH", WAITS),
        "What new is measured against: auto (the base branch of a pull request, else the same branch), none, or the name of a branch",
    ),
    setting(
        "results-dir",
        Some("report.dir"),
        Shape::Text,
        DefaultValue::Text("nunu-results"),
        often(Group::Report, "PATH", REPORTS),
        "Folder for results.json, junit.xml, summary.md and the rest",
    ),
    setting(
        "artifacts",
        Some("report.artifacts"),
        Shape::List,
        DefaultValue::Text("none"),
        often(Group::Report, "LIST", WAITS),
        "Artifacts to download: none, failed, all, or file name globs",
    ),
    setting(
        "comment",
        Some("report.comment"),
        Shape::Switch,
        DefaultValue::Text("false"),
        seldom(Group::Report, "true|false", VERDICTS),
        "Keep one comment with the result on the pull or merge request",
    ),
    also(
        setting(
            "github-token",
            None,
            Shape::Text,
            DefaultValue::None,
            seldom(Group::Report, "TOKEN", VERDICTS),
            "Token for the comment: needs pull-requests: write (the action takes the job's own, when comment is on)",
        ),
        &["NUNU_GITLAB_TOKEN"],
    ),
    also(
        setting(
            "api-url",
            None,
            Shape::Text,
            DefaultValue::Text(SERVICE),
            seldom(Group::Connection, "URL", SERVICE_CALLS),
            "Address of the service",
        ),
        &["NUNU_BASE_URL"],
    ),
    setting(
        "command",
        None,
        Shape::Text,
        DefaultValue::Text("run"),
        seldom(Group::General, "COMMAND", &[]),
        "What to do: run, upload, start, wait, report, stop or check",
    ),
    setting(
        "dry-run",
        None,
        Shape::Switch,
        DefaultValue::Text("false"),
        often(Group::Run, "true|false", &[Command::Run, Command::Upload, Command::Start]),
        "Stop before anything is sent or started: do everything up to the first request that costs or changes anything",
    ),
    setting(
        "on-missing-token",
        None,
        Shape::Text,
        DefaultValue::Text("fail"),
        seldom(Group::Connection, "fail|skip", JOBS),
        "What to do without an API key: fail, or skip with a warning (forks and Dependabot get no secrets)",
    ),
    setting(
        "verbose",
        None,
        Shape::Switch,
        DefaultValue::Text("false"),
        often(Group::General, "true|false", &Command::ALL),
        "Say more, also where each setting came from",
    ),
    setting(
        "poll",
        Some("wait.poll"),
        Shape::Number,
        DefaultValue::Text("auto"),
        no_flag(Group::Wait, "DURATION", TIMED),
        "How often to look: auto, or a duration of at least 1s",
    ),
    setting(
        "on-timeout",
        Some("wait.on_timeout"),
        Shape::Text,
        DefaultValue::Text("stop"),
        no_flag(Group::Wait, "stop|leave", WAITS),
        "Unfinished runs when the timeout passes: stop or leave",
    ),
    setting(
        "on-cancel",
        Some("wait.on_cancel"),
        Shape::Text,
        DefaultValue::Text("stop"),
        no_flag(Group::Wait, "stop|leave", WAITS),
        "Unfinished runs when the job is cancelled: stop or leave",
    ),
    setting(
        "stall",
        Some("wait.stall"),
        Shape::Number,
        DefaultValue::Text("off"),
        no_flag(Group::Wait, "DURATION", TIMED),
        "Give up after this time without any change of a job, run or step",
    ),
    setting(
        "build-reuse",
        Some("build.reuse"),
        Shape::Switch,
        DefaultValue::Text("true"),
        no_flag(Group::Build, "true|false", BUILDS),
        "Use a stored build with the same content instead of sending it again",
    ),
    setting(
        "multipart",
        Some("build.multipart"),
        Shape::Text,
        DefaultValue::Text("auto"),
        no_flag(Group::Build, "WORD", BUILDS),
        "Send the build in parts: auto, always or never",
    ),
    setting(
        "parallel",
        Some("build.parallel"),
        Shape::Number,
        DefaultValue::Text("auto"),
        no_flag(Group::Build, "NUMBER", BUILDS),
        "Parts in flight: auto (4 to 32, more while that is faster) or 1-32",
    ),
    setting(
        "annotations",
        Some("report.annotations"),
        Shape::Number,
        DefaultValue::Text("10"),
        no_flag(Group::Report, "NUMBER", REPORTS),
        "Annotations at most, 0-10",
    ),
];

impl Definition {
    /// The variable: `NUNU_` and the name in upper snake case.
    #[must_use]
    pub fn variable(&self) -> String {
        Self::variable_of(self.name)
    }

    /// The variable of a setting with that name.
    pub(super) fn variable_of(name: &str) -> String {
        format!("NUNU_{}", name.to_ascii_uppercase().replace('-', "_"))
    }

    /// What it is in a few words: the long text up to its first colon or semicolon.
    pub(crate) fn brief(&self) -> &'static str {
        self.help.split([':', ';']).next().unwrap_or(self.help)
    }

    /// True when there is a flag and an action input of that name.
    #[must_use]
    pub const fn has_flag(&self) -> bool {
        self.shown.has_flag
    }
}

/// The definition with that name.
pub(super) fn definition(name: &str) -> Option<&'static Definition> {
    SETTINGS.iter().find(|definition| definition.name == name)
}

/// The default of a setting that has a text for one, read by `parse`.
pub(super) fn default_of<T>(name: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
    match definition(name).map(|definition| definition.default) {
        Some(DefaultValue::Text(text)) => {
            parse(text).unwrap_or_else(|why| unreachable!("the default of {name} {why}"))
        }
        _ => unreachable!("{name} has no default to read"),
    }
}
