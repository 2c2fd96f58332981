//! Where a value comes from: flag, action input, variable, run config, default.

use std::fmt;

use crate::model::Env;

use super::args::Args;
use super::inputs::{Inputs, is_composite};
use super::secret_names::secret_variables;
use super::settings::{Definition, SETTINGS, Shape, definition};
use super::values::{list, nearest};

/// The layer a value came from, highest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The command named on the command line.
    CommandLine,
    /// A flag of that name.
    Flag(String),
    /// An action input, as the variable the runner passes.
    Input(String),
    /// A variable.
    Variable(String),
    /// A key of the run config.
    File(String),
    /// Built in.
    Default,
}

impl Source {
    /// Higher layers have lower numbers.
    pub(super) const fn layer(&self) -> u8 {
        match self {
            Self::CommandLine | Self::Flag(_) => 0,
            Self::Input(_) => 1,
            Self::Variable(_) => 2,
            Self::File(_) => 3,
            Self::Default => 4,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Input(name) | Self::Variable(name) => f.write_str(name),
            Self::File(key) => write!(f, "{key} in the run config"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) value: String,
    pub(super) source: Source,
}

/// Flags and environment.
pub(super) struct Layers<'a> {
    pub(super) args: &'a Args,
    pub(super) env: &'a Env,
    inputs: Inputs,
}

impl<'a> Layers<'a> {
    pub(super) fn new(args: &'a Args, env: &'a Env) -> Self {
        Self { args, env, inputs: Inputs::here(env) }
    }

    /// The highest value outside of the run config. What is empty, or a list without items, is not set.
    pub(super) fn get(&self, name: &str) -> Option<Found> {
        let definition = definition(name)?;
        let is_set = |value: &&str| {
            if definition.shape == Shape::List { !list(value).is_empty() } else { !value.is_empty() }
        };
        let variables = std::iter::once(definition.variable())
            .chain(definition.aliases.iter().map(|&alias| alias.to_owned()))
            // The composite action hands the address on in the first variable; the alias is the job's.
            .take(if is_composite(self.env) { 1 } else { usize::MAX });
        self.found(name, definition.has_flag(), variables, is_set)
    }

    fn found(
        &self,
        name: &str,
        is_input: bool,
        mut variables: impl Iterator<Item = String>,
        is_set: impl Fn(&&str) -> bool,
    ) -> Option<Found> {
        if let Some(value) = self.args.flags.get(name).map(String::as_str).filter(&is_set) {
            return Some(Found { value: value.to_owned(), source: Source::Flag(name.to_owned()) });
        }
        if is_input
            && let Some((input, value)) = self.inputs.find(self.env, name).filter(|(_, value)| is_set(value))
        {
            return Some(Found { value: value.to_owned(), source: Source::Input(input) });
        }
        variables.find_map(|variable| {
            let value = self.env.get(&variable).filter(&is_set)?.to_owned();
            Some(Found { value, source: Source::Variable(variable) })
        })
    }

    /// A deprecated name of `build-path`.
    pub(super) fn file_alias(&self) -> Option<Found> {
        self.found("file", true, std::iter::once("NUNU_FILE".to_owned()), |value| !value.is_empty())
    }

    /// The API key as an input.
    pub(super) fn key_input(&self) -> Option<(String, &'a str)> {
        self.inputs.find(self.env, "api-token")
    }

    /// Under the composite action the address of the service comes from the input alone: any earlier step of the job can set a
    /// variable. The action hands its input on as `NUNU_API_URL`, and what the job's environment held as [`COMPOSITE_ADDRESS`].
    pub(super) fn address(&self) -> Result<Option<Found>, String> {
        let found = self.get("api-url");
        if found.is_some() || !is_composite(self.env) {
            return Ok(found);
        }
        let set = COMPOSITE_ADDRESS.into_iter().find_map(|(ours, name)| Some((name, self.env.get(ours)?)));
        set.map_or(Ok(None), |(name, value)| {
            let address = super::values::origin(value).unwrap_or_else(|_| "https://...".to_owned());
            Err(format!("api-url (from {name}): the action takes the address of the service from its input alone, since every earlier step can set a variable; write in the step, below with: api-url: {address}"))
        })
    }

    /// Variables that look like inputs and are none here.
    pub(super) fn inputs_in_vain(&self) -> Vec<String> {
        self.inputs.in_vain(self.env)
    }

    /// Variables that look like a misspelt setting. Other tools use the prefix too, so these are no errors.
    pub(super) fn misspelt(&self) -> Vec<String> {
        let mut known: Vec<String> = SETTINGS.iter().map(Definition::variable).collect();
        known.extend(secret_variables().map(|(name, _)| name).filter(|name| name.starts_with("NUNU_")));
        let mut notices = Vec::new();
        for (name, _) in self.env.iter().filter(|(_, value)| !value.is_empty()) {
            let Some(word) = name.strip_prefix("NUNU_") else { continue };
            if word.starts_with("OUTPUT_") || word.starts_with("INPUT_") {
                continue;
            }
            if known.iter().any(|variable| variable == name) || OTHER_VARIABLES.contains(&name) {
                continue;
            }
            let by_key = SETTINGS.iter().find(|definition| {
                definition.key.is_some_and(|key| key.to_ascii_uppercase().replace('.', "_") == word)
            });
            let meant = by_key.map(Definition::variable).or_else(|| {
                nearest(word, known.iter().filter_map(|known| known.strip_prefix("NUNU_")))
                    .map(|word| format!("NUNU_{word}"))
            });
            if let Some(meant) = meant {
                notices.push(format!("the variable {name} is not a setting; did you mean {meant}?"));
            }
        }
        notices
    }
}

/// Under the composite action: where the job's own value of an address variable arrives, and the variable it was.
/// The action sets `NUNU_ACTION_ENV_API_URL: ${{ env.NUNU_API_URL }}` and `NUNU_ACTION_ENV_BASE_URL: ${{ env.NUNU_BASE_URL }}`,
/// `NUNU_API_URL: ${{ inputs.api-url }}` and an empty `NUNU_BASE_URL`.
const COMPOSITE_ADDRESS: [(&str, &str); 3] = [
    ("NUNU_ACTION_ENV_API_URL", "NUNU_API_URL"),
    ("NUNU_ACTION_ENV_BASE_URL", "NUNU_BASE_URL"),
    ("NUNU_BASE_URL", "NUNU_BASE_URL"),
];

/// Variables with our prefix that are no settings of the table.
const OTHER_VARIABLES: [&str; 9] = [
    "NUNU_ACTION",
    "NUNU_ACTION_ENV_API_URL",
    "NUNU_ACTION_ENV_BASE_URL",
    "NUNU_BASE_URL",
    "NUNU_FILE",
    "NUNU_MATRIX_INDEX",
    "NUNU_ACTION_REF",
    "NUNU_ACTION_REPOSITORY",
    "NUNU_WORKSPACE_ROOT",
];

#[cfg(test)]
mod tests {
    use super::{Args, Env, Layers, Source};

    #[test]
    fn higher_layers_win_and_empty_counts_as_not_set() {
        let args = Args::default();
        let env = Env::from([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_WORKSPACE", "/github/workspace"),
            ("INPUT_BUILD-PATH", ""),
            ("INPUT_NAME", "from input"),
            ("NUNU_NAME", "from variable"),
            ("NUNU_BUILD_PATH", "a.apk"),
            ("NUNU_BASE_URL", "https://other.example"),
            ("NUNU_TIMOUT", "5m"),
            ("NUNU_WAIT_POLL", "5s"),
            ("NUNU_API_TOKN", "x"),
            ("NUNU_PORT", "80"),
            ("NUNU_HOME", "/"),
        ]);
        let layers = Layers::new(&args, &env);
        let name = layers.get("name").unwrap();
        assert_eq!(
            (name.value.as_str(), name.source),
            ("from input", Source::Input("INPUT_NAME".to_owned()))
        );
        assert_eq!(layers.get("build-path").unwrap().source, Source::Variable("NUNU_BUILD_PATH".to_owned()));
        assert_eq!(layers.get("api-url").unwrap().value, "https://other.example");
        assert_eq!(layers.get("timeout"), None);
        assert_eq!(
            layers.misspelt(),
            [
                "the variable NUNU_API_TOKN is not a setting; did you mean NUNU_API_TOKEN?",
                "the variable NUNU_TIMOUT is not a setting; did you mean NUNU_TIMEOUT?",
                "the variable NUNU_WAIT_POLL is not a setting; did you mean NUNU_POLL?",
            ]
        );
    }

    #[test]
    fn inputs_of_an_earlier_step_change_nothing() {
        let args = Args::default();
        for more in [&[][..], &[("GITHUB_ACTIONS", "true")], &[("NUNU_ACTION", "composite")]] {
            let pairs = [
                ("INPUT_API-URL", "https://evil.example"),
                ("INPUT_API_URL", "https://evil.example"),
                ("NUNU_INPUT_API_URL", "https://evil.example"),
                ("INPUT_API-TOKEN", "nunu_other"),
                ("INPUT_DRY-RUN", "true"),
                ("NUNU_OUTPUT_BUILD_ID", "b"),
            ];
            let env =
                Env::new(pairs.iter().chain(more).map(|&(name, value)| (name.to_owned(), value.to_owned())));
            let layers = Layers::new(&args, &env);
            assert_eq!(
                (layers.get("api-url"), layers.get("dry-run"), layers.key_input()),
                (None, None, None)
            );
            assert_eq!(layers.get("build-id"), None);
            assert!(layers.inputs_in_vain().len() >= 3);
            assert_eq!(layers.misspelt(), Vec::<String>::new());
        }
    }

    #[test]
    fn the_components_inputs_stand_above_variables() {
        let args = Args::default();
        let env = Env::from([
            ("GITLAB_CI", "true"),
            ("NUNU_INPUT_TIMEOUT", "5m"),
            ("NUNU_TIMEOUT", "6m"),
            ("NUNU_INPUT_NAME", ""),
            ("NUNU_NAME", "variable"),
            ("INPUT_WAIT", "false"),
        ]);
        let layers = Layers::new(&args, &env);
        assert_eq!(layers.get("timeout").unwrap().source, Source::Input("NUNU_INPUT_TIMEOUT".to_owned()));
        assert_eq!(layers.get("name").unwrap().value, "variable");
        assert_eq!(layers.get("wait"), None);
    }

    #[test]
    fn a_list_without_items_is_not_set() {
        let args = Args::default();
        let env = Env::from([
            ("GITLAB_CI", "true"),
            ("NUNU_INPUT_FAIL_ON", " , # nothing"),
            ("NUNU_FAIL_ON", "failed"),
        ]);
        assert_eq!(Layers::new(&args, &env).get("fail-on").unwrap().value, "failed");
    }

    #[test]
    fn under_the_composite_action_the_address_comes_from_the_input_alone() {
        let args = Args::default();
        let of = |pairs: &[(&str, &str)]| {
            let composite = [("NUNU_ACTION", "composite")];
            let pairs = composite.iter().chain(pairs);
            let env = Env::new(pairs.map(|&(name, value)| (name.to_owned(), value.to_owned())));
            Layers::new(&args, &env).address().map(|found| found.map(|found| found.value))
        };
        assert_eq!(of(&[]), Ok(None));
        for pair in [
            ("NUNU_ACTION_ENV_API_URL", "https://a.example"),
            ("NUNU_ACTION_ENV_BASE_URL", "https://a.example/api"),
            ("NUNU_BASE_URL", "https://a.example"),
        ] {
            assert!(of(&[pair]).unwrap_err().ends_with("with: api-url: https://a.example"));
            let input = ("NUNU_API_URL", "https://input.example");
            assert_eq!(of(&[pair, input]), Ok(Some("https://input.example".to_owned())));
        }
        assert!(!of(&[("NUNU_BASE_URL", "https://me:hunter2@a.example")]).unwrap_err().contains("hunter2"));
    }
}
