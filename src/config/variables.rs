//! `${NAME}` and `${NAME:-default}` in the run config: which variables it may read, and what they stand for. Pure.

use std::fmt;

use crate::model::Env;

use super::ci_facts::is_ci_fact;
use super::layers::{Layers, Source};
use super::secret_names::{is_secret_variable, names_a_secret, secret_variables};

/// A shorter value is too likely to be part of an innocent text.
pub(super) const SHORTEST_SECRET: usize = 8;

/// What the run config may read.
pub(super) struct Variables<'a> {
    env: &'a Env,
    /// What the setting `config-env` names.
    named: Vec<String>,
}

/// Why a variable cannot stand for its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The run config may not read it, unless the setting `config-env` names it.
    Refused(String),
    /// Anything else, in words.
    Wrong(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(name) => write!(f, "a run config may not read the variable {name} by itself"),
            Self::Wrong(why) => f.write_str(why),
        }
    }
}

/// A value that the setting `config-env` let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LetIn {
    pub(super) name: String,
    pub(super) value: String,
}

/// A text with its variables filled in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) text: String,
    pub(super) let_in: Vec<LetIn>,
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Why no run config reads this variable, whatever `config-env` says.
fn never(name: &str) -> Option<String> {
    if is_secret_variable(name) {
        return Some(format!("{name} is a secret of nunu-ci and cannot be used in a run config"));
    }
    let kinds = [("NUNU_OUTPUT_", "an output"), ("NUNU_INPUT_", "an input")];
    let (rest, kind) = kinds.iter().find_map(|(prefix, kind)| Some((name.strip_prefix(prefix)?, kind)))?;
    Some(format!(
        "{name} is {kind}, which no run config reads; write NUNU_{rest}: ${name} in the job, and ${{NUNU_{rest}}} here"
    ))
}

impl<'a> Variables<'a> {
    /// Those of `env` with what the setting `config-env` names, and what is wrong with that setting.
    pub(super) fn of(layers: &Layers<'a>) -> (Self, Vec<(Source, String)>) {
        let mut variables = Self { env: layers.env, named: Vec::new() };
        let mut problems = Vec::new();
        let Some(found) = layers.get("config-env") else { return (variables, problems) };
        for name in super::values::list(&found.value) {
            if !is_name(&name) {
                problems.push((found.source.clone(), format!("\"{name}\" is not the name of a variable")));
            } else if let Some(why) = never(&name) {
                problems.push((found.source.clone(), why));
            } else if !variables.named.contains(&name) {
                variables.named.push(name);
            }
        }
        (variables, problems)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn from_env(env: &'a Env, named: &[&str]) -> Self {
        Self { env, named: named.iter().map(|&name| name.to_owned()).collect() }
    }

    fn may_read(&self, name: &str) -> Result<(), Problem> {
        if let Some(why) = never(name) {
            return Err(Problem::Wrong(why));
        }
        let ours = name.starts_with("NUNU_") && !names_a_secret(name);
        if ours || is_ci_fact(name) || self.named.iter().any(|named| named == name) {
            return Ok(());
        }
        Err(Problem::Refused(name.to_owned()))
    }

    /// The setting that lets the run config read `refused` as well.
    pub(super) fn advice(&self, refused: &[String]) -> String {
        let line = [&self.named[..], refused].concat().join(", ");
        format!("where the pipeline allows it, write there config-env: {line} (or NUNU_CONFIG_ENV: {line})")
    }

    /// Fills in the variables of `text`; `$${` is a literal `${`.
    pub(super) fn expand(&self, text: &str) -> Result<Filled, Vec<Problem>> {
        let mut filled = Filled::default();
        let mut problems = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if let Some(before) = rest[..at].strip_suffix('$') {
                filled.text.push_str(before);
                filled.text.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            filled.text.push_str(&rest[..at]);
            if rest[at..].starts_with("${{") {
                problems.push(Problem::Wrong("${{ ... }} is only understood in workflow files; hand the value over as a variable and write ${NAME} here".to_owned()));
                return Err(problems);
            }
            let Some(end) = rest[at..].find('}') else {
                problems
                    .push(Problem::Wrong("\"${\" without its \"}\"; write $${ for a literal ${".to_owned()));
                return Err(problems);
            };
            if let Err(problem) = self.put(&rest[at + 2..at + end], &mut filled) {
                problems.push(problem);
            }
            rest = &rest[at + end + 1..];
        }
        filled.text.push_str(rest);
        if problems.is_empty() { Ok(filled) } else { Err(problems) }
    }

    /// Appends what stands for the inside of one pair of braces.
    fn put(&self, inside: &str, filled: &mut Filled) -> Result<(), Problem> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if default.is_some_and(|default| default.contains("${")) {
            let why = format!("the default of {name} holds another variable, which is not understood");
            return Err(Problem::Wrong(why));
        }
        if !is_name(name) {
            return Err(Problem::Wrong(format!("\"{name}\" is not the name of a variable")));
        }
        self.may_read(name)?;
        let set = self.env.get(name);
        let value = set.or(default).ok_or_else(|| {
            let why =
                format!("the variable {name} is not set or empty; set it, or write ${{{name}:-default}}");
            Problem::Wrong(why)
        })?;
        let holds_secret = secret_variables()
            .filter_map(|(secret, _)| self.env.get(&secret))
            .any(|secret| secret.trim().len() >= SHORTEST_SECRET && value.contains(secret.trim()));
        if holds_secret {
            return Err(Problem::Wrong(format!(
                "the variable {name} holds a secret of nunu-ci, which cannot be used in a run config"
            )));
        }
        if set.is_some() && self.named.iter().any(|named| named == name) {
            filled.let_in.push(LetIn { name: name.to_owned(), value: value.to_owned() });
        }
        filled.text.push_str(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::{Env, LetIn, Problem, Variables};

    fn expand(text: &str, env: &Env) -> Result<String, Vec<String>> {
        let expanded = Variables::from_env(env, &["A", "B", "C", "EMPTY", "COPY"]).expand(text);
        expanded
            .map(|filled| filled.text)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn variables_and_defaults() {
        let env = Env::from([("A", "x: [1]"), ("EMPTY", "")]);
        for (text, want) in [
            ("a-${A}-${B:-c}", "a-x: [1]-c"),
            ("$${A}", "${A}"),
            ("$$$A $ { {A}", "$$$A $ { {A}"),
            ("${B:-}", ""),
            ("${EMPTY:-d}", "d"),
        ] {
            assert_eq!(expand(text, &env).as_deref(), Ok(want), "{text}");
        }
        assert!(expand("${A:-${}", &env).is_err());
    }

    #[test]
    fn every_problem_is_named() {
        let env = Env::from([
            ("NUNU_API_TOKEN", "nunu_secret123"),
            ("INPUT_API_TOKEN", "nunu_other1234"),
            ("COPY", "x nunu_secret123 y"),
            ("NUNU_COPY", "nunu_secret123"),
        ]);
        for (text, why) in [
            ("${B} ${C}", "B is not set"),
            ("${EMPTY}", "not set or empty"),
            ("${NUNU_API_TOKEN}", "NUNU_API_TOKEN is a secret"),
            ("${INPUT_API_TOKEN}", "INPUT_API_TOKEN is a secret"),
            ("${COPY}", "COPY holds a secret"),
            ("${NUNU_COPY}", "NUNU_COPY holds a secret"),
            ("${A", "without its"),
            ("${a b}", "not the name of a variable"),
            ("${1}", "not the name of a variable"),
            ("${A:-${B}}", "holds another variable"),
            ("${{ secrets.X }}", "workflow files"),
        ] {
            let problems = expand(text, &env).unwrap_err().join("\n");
            assert!(problems.contains(why), "{text}: {problems}");
            assert!(!problems.contains("nunu_secret123"));
        }
        assert_eq!(expand("${B} ${C}", &env).unwrap_err().len(), 2);
    }

    #[test]
    fn only_what_is_known_to_be_harmless_or_named_is_read() {
        let all = [
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "CI_REPOSITORY_URL",
            "CI_JOB_TOKEN",
            "HOME",
            "NUNU_SHOP_TOKEN",
            "NUNU_SHOP_KEY",
            "NUNU_MY_SECRET",
            "NUNU_SHOP_PASSWORD",
            "NUNU_AWS_CREDENTIALS",
            "NUNU_shop_passwd",
        ];
        let env = Env::new(all.iter().map(|&name| (name.to_owned(), "hunter2hunter2".to_owned())));
        for name in all {
            for text in [format!("${{{name}}}"), format!("${{{name}:-x}}")] {
                let problems = Variables::from_env(&env, &["DB"]).expand(&text).unwrap_err();
                assert_eq!(problems, [Problem::Refused(name.to_owned())]);
                let named = Variables::from_env(&env, &[name]).expand(&text).unwrap();
                let value = "hunter2hunter2".to_owned();
                assert_eq!(named.let_in, [LetIn { name: name.to_owned(), value }], "{name}");
            }
        }
        let env = Env::from([
            ("NUNU_BRANCH", "b"),
            ("GITHUB_SHA", "c"),
            ("CI_COMMIT_SHA", "d"),
            ("BUILD_NUMBER", "7"),
        ]);
        let plain = Variables::from_env(&env, &[])
            .expand("${NUNU_BRANCH}${GITHUB_SHA}${CI_COMMIT_SHA}${BUILD_NUMBER}");
        assert_eq!(plain.unwrap().text, "bcd7");
    }

    #[test]
    fn outputs_and_inputs_are_never_read() {
        let env = Env::from([("NUNU_OUTPUT_BUILD_ID", "b"), ("NUNU_INPUT_NAME", "n")]);
        for (name, line) in [
            (
                "NUNU_OUTPUT_BUILD_ID",
                "write NUNU_BUILD_ID: $NUNU_OUTPUT_BUILD_ID in the job, and ${NUNU_BUILD_ID} here",
            ),
            ("NUNU_INPUT_NAME", "write NUNU_NAME: $NUNU_INPUT_NAME"),
        ] {
            for named in [&[][..], &[name]] {
                let why = Variables::from_env(&env, named).expand(&format!("${{{name}:-x}}")).unwrap_err();
                assert!(why[0].to_string().contains(line), "{why:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_value_arrives_as_it_is(value in "[^\u{0}]{1,40}", before in "[a-z $]{0,10}[a-z]", after in any::<String>()) {
            let env = Env::new([("A".to_owned(), value.clone())]);
            let text = format!("{before}${{A}}");
            prop_assert_eq!(expand(&text, &env), Ok(format!("{before}{value}")));
            // Whatever follows: no panic, and text without variables stays.
            let whole = expand(&after, &env);
            let plain = !after.contains("${");
            prop_assert!(!plain || whole == Ok(after), "text without variables stays");
        }
    }
}
