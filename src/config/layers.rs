//! Where a value comes from: flag, action input, variable, run config, default.

use std::fmt;

use crate::model::Env;

use super::args::Args;
use super::settings::{Definition, SETTINGS, definition};
use super::values::nearest;

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
}

impl Layers<'_> {
    /// The highest value outside of the run config.
    pub(super) fn get(&self, name: &str) -> Option<Found> {
        let definition = definition(name)?;
        if let Some(value) = self.args.flags.get(name).filter(|value| !value.is_empty()) {
            return Some(Found { value: value.clone(), source: Source::Flag(name.to_owned()) });
        }
        if definition.has_flag() {
            for input in inputs(name) {
                if let Some(value) = self.env.get(&input) {
                    return Some(Found { value: value.to_owned(), source: Source::Input(input) });
                }
            }
        }
        std::iter::once(definition.variable())
            .chain(definition.aliases.iter().map(|&alias| alias.to_owned()))
            .find_map(|variable| {
                let value = self.env.get(&variable)?.to_owned();
                Some(Found { value, source: Source::Variable(variable) })
            })
    }

    /// A deprecated name of `build-path`.
    pub(super) fn file_alias(&self) -> Option<Found> {
        if let Some(value) = self.args.flags.get("file").filter(|value| !value.is_empty()) {
            return Some(Found { value: value.clone(), source: Source::Flag("file".to_owned()) });
        }
        let input = self.env.get("INPUT_FILE").map(|value| (value, Source::Input("INPUT_FILE".to_owned())));
        let variable =
            self.env.get("NUNU_FILE").map(|value| (value, Source::Variable("NUNU_FILE".to_owned())));
        let (value, source) = input.or(variable)?;
        Some(Found { value: value.to_owned(), source })
    }

    /// Variables that look like a misspelt setting. Other tools use the prefix too, so these are no errors.
    pub(super) fn misspelt(&self) -> Vec<String> {
        let mut known: Vec<String> = SETTINGS.iter().map(Definition::variable).collect();
        known.extend(["NUNU_API_TOKEN", "NUNU_API_KEY"].map(str::to_owned));
        let mut notices = Vec::new();
        for (name, _) in self.env.iter().filter(|(_, value)| !value.is_empty()) {
            let Some(word) = name.strip_prefix("NUNU_") else { continue };
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

/// Variables with our prefix that are no settings of the table.
const OTHER_VARIABLES: [&str; 7] = [
    "NUNU_BASE_URL",
    "NUNU_FILE",
    "NUNU_GITLAB_TOKEN",
    "NUNU_MATRIX_INDEX",
    "NUNU_ACTION_REF",
    "NUNU_ACTION_REPOSITORY",
    "NUNU_WORKSPACE_ROOT",
];

/// What the GitHub runner passes for an input of a container action: hyphens are kept; people also write underscores.
fn inputs(name: &str) -> [String; 2] {
    let upper = name.to_ascii_uppercase();
    [format!("INPUT_{upper}"), format!("INPUT_{}", upper.replace('-', "_"))]
}

#[cfg(test)]
mod tests {
    use super::{Args, Env, Layers, Source};

    #[test]
    fn higher_layers_win_and_empty_counts_as_not_set() {
        let args = Args::default();
        let env = Env::from([
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
        let layers = Layers { args: &args, env: &env };
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
}
