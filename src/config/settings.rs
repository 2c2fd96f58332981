//! Every setting once: its name, where it may be set, and what people read about it.
//! Flags, variables, action inputs, the README's tables and their tests all come from here.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Name of the flag and the action input; with `NUNU_` in upper snake case, of the variable.
    pub name: &'static str,
    /// Key in the run config.
    pub key: Option<&'static str>,
    /// Default, as people read it.
    pub default: &'static str,
    /// One or two sentences.
    pub help: &'static str,
    /// Where `--help` lists it; empty: it has no flag and no action input, only the key and the variable.
    pub heading: &'static str,
    /// True for `true`/`false`.
    pub switch: bool,
    /// True for lists, separated by commas or lines.
    pub list: bool,
    /// Further variables and inputs that mean the same.
    pub aliases: &'static [&'static str],
}

const fn setting(
    name: &'static str,
    key: Option<&'static str>,
    default: &'static str,
    heading: &'static str,
    help: &'static str,
) -> Definition {
    Definition { name, key, default, help, heading, switch: false, list: false, aliases: &[] }
}

const fn switch(
    name: &'static str,
    key: Option<&'static str>,
    default: &'static str,
    heading: &'static str,
    help: &'static str,
) -> Definition {
    Definition { name, key, default, help, heading, switch: true, list: false, aliases: &[] }
}

const fn also(definition: Definition, aliases: &'static [&'static str]) -> Definition {
    Definition { aliases, ..definition }
}

const fn list(
    name: &'static str,
    key: Option<&'static str>,
    default: &'static str,
    heading: &'static str,
    help: &'static str,
) -> Definition {
    Definition { name, key, default, help, heading, switch: false, list: true, aliases: &[] }
}

const ACCOUNT: &str = "Account";
const BUILD: &str = "Build";
const RUNS: &str = "Runs";
const RESULT: &str = "Waiting and result";
const GENERAL: &str = "General";
const KEY_ONLY: &str = "";

/// All settings, in the order of the documentation. `api-token` is not among the flags.
pub const SETTINGS: &[Definition] = &[
    setting(
        "project-id",
        Some("project_id"),
        "-",
        ACCOUNT,
        "Project; needed with organisation keys (nunu_org_...)",
    ),
    setting(
        "build-path",
        Some("build.path"),
        "-",
        BUILD,
        "Build to upload: a file, a folder (sent as a zip) or a glob with one match",
    ),
    setting(
        "build-id",
        Some("build.id"),
        "-",
        BUILD,
        "Use a stored build instead of uploading one; excludes build-path",
    ),
    setting(
        "name",
        Some("build.name"),
        "derived",
        BUILD,
        "Name of the build, 1-255 characters; by default the pull request's title, the commit's subject, or the file name and CI build number",
    ),
    setting(
        "platform",
        Some("build.platform"),
        "by extension",
        BUILD,
        "windows, macos, linux, android, ios-native, ios-simulator, xbox or playstation; needed for folders, zip, tar and unknown extensions",
    ),
    setting(
        "description",
        Some("build.description"),
        "-",
        BUILD,
        "Description of the build, at most 1000 characters",
    ),
    list(
        "tags",
        Some("build.tags"),
        "-",
        BUILD,
        "Tags of the build: comma or newline list, 1-50 characters each",
    ),
    switch(
        "auto-delete",
        Some("build.auto_delete"),
        "false",
        BUILD,
        "Let the service remove old builds when the storage is full",
    ),
    setting(
        "deletion-policy",
        Some("build.deletion_policy"),
        "least_recent",
        BUILD,
        "Which builds auto-delete removes: least_recent or oldest",
    ),
    setting(
        "upload-timeout",
        Some("build.upload_timeout"),
        "size / 0.5 MB/s, at least 60",
        BUILD,
        "Reservation on the server: whole minutes, 1-1440",
    ),
    setting("run-config", None, ".nunu/run.yml", RUNS, "Run config: a path, or the YAML itself"),
    list(
        "config-env",
        None,
        "-",
        RUNS,
        "Further variables that the run config may read: names, comma or newline list; long values in template_data and instructions are kept secret",
    ),
    list(
        "test-id",
        Some("runs[].test"),
        "-",
        RUNS,
        "Tests to start, without a run config: comma or newline list",
    ),
    list(
        "test-plan-id",
        Some("runs[].test_plan"),
        "-",
        RUNS,
        "Test plans to start, without a run config: comma or newline list",
    ),
    setting(
        "deployment-config-id",
        Some("runs[].deployment_config"),
        "-",
        RUNS,
        "Deployment configuration for every run that names none",
    ),
    list(
        "job-ids",
        None,
        "-",
        RUNS,
        "For wait and stop in another job: comma or newline list, the output job-ids of the start",
    ),
    switch("wait", Some("wait.enabled"), "true", RESULT, "false: start the runs and leave, status started"),
    setting(
        "timeout",
        Some("wait.timeout"),
        "3h30m",
        RESULT,
        "Longest time from the start to the last result, such as 90m or 2h",
    ),
    list(
        "fail-on",
        Some("gate.fail_on"),
        "failed, error, timeout, blocked, stopped",
        RESULT,
        "What fails the job: results, also skipped, and bugs:<severity>[:<confidence>] such as bugs:high",
    ),
    setting(
        "results-dir",
        Some("report.dir"),
        "nunu-results",
        RESULT,
        "Folder for results.json, junit.xml, summary.md and the rest",
    ),
    list(
        "artifacts",
        Some("report.artifacts"),
        "none",
        RESULT,
        "Artifacts to download: none, failed, all, or file name globs",
    ),
    switch(
        "comment",
        Some("report.comment"),
        "false",
        RESULT,
        "Keep one comment with the result on the pull or merge request",
    ),
    setting(
        "github-token",
        None,
        "-",
        RESULT,
        "Token for the comment; needs pull-requests: write (the action takes the job's own, when comment is on)",
    ),
    also(setting("api-url", None, "https://nunu.ai", GENERAL, "Address of the service"), &["NUNU_BASE_URL"]),
    setting("command", None, "run", GENERAL, "What to do: run, upload, start, wait, stop or check"),
    switch(
        "dry-run",
        None,
        "false",
        GENERAL,
        "Do everything up to the first request that costs or changes anything",
    ),
    setting(
        "on-missing-token",
        None,
        "fail",
        GENERAL,
        "Without an API key: fail, or skip with a warning (forks and Dependabot get no secrets)",
    ),
    switch("verbose", None, "false", GENERAL, "Say more, also where each setting came from"),
    setting(
        "poll",
        Some("wait.poll"),
        "auto",
        KEY_ONLY,
        "How often to look: auto, or a duration of at least 1s",
    ),
    setting(
        "on-timeout",
        Some("wait.on_timeout"),
        "stop",
        KEY_ONLY,
        "Unfinished runs when the timeout passes: stop or leave",
    ),
    setting(
        "on-cancel",
        Some("wait.on_cancel"),
        "stop",
        KEY_ONLY,
        "Unfinished runs when the job is cancelled: stop or leave",
    ),
    setting(
        "stall",
        Some("wait.stall"),
        "off",
        KEY_ONLY,
        "Give up after this time without any change of a job, run or step",
    ),
    switch(
        "build-reuse",
        Some("build.reuse"),
        "true",
        KEY_ONLY,
        "Use a stored build with the same content instead of sending it again",
    ),
    setting(
        "multipart",
        Some("build.multipart"),
        "auto",
        KEY_ONLY,
        "Send the build in parts: auto, always or never",
    ),
    setting("parallel", Some("build.parallel"), "4", KEY_ONLY, "Parts in flight, 1-16"),
    setting("annotations", Some("report.annotations"), "10", KEY_ONLY, "Annotations at most, 0-10"),
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

    /// True when there is a flag and an action input of that name.
    #[must_use]
    pub const fn has_flag(&self) -> bool {
        !self.heading.is_empty()
    }
}

/// The definition with that name.
pub(super) fn definition(name: &str) -> Option<&'static Definition> {
    SETTINGS.iter().find(|definition| definition.name == name)
}
