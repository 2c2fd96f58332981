//! `${NAME}` and `${NAME:-default}` in the run config. Pure.

use crate::model::Env;

use super::key::SECRET_VARIABLES;

/// A shorter value is too likely to be part of an innocent text.
const SHORTEST_SECRET: usize = 8;

/// Fills in the variables of `text`; `$${` is a literal `${`.
///
/// # Errors
/// Every variable that is missing, wrong or secret.
pub(super) fn expand(text: &str, env: &Env) -> Result<String, Vec<String>> {
    let mut out = String::new();
    let mut problems = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        if rest[at..].starts_with("${{") {
            problems.push("${{ ... }} is only understood in workflow files; hand the value over as a variable and write ${NAME} here".to_owned());
            return Err(problems);
        }
        let Some(end) = rest[at..].find('}') else {
            problems.push("\"${\" without its \"}\"; write $${ for a literal ${".to_owned());
            return Err(problems);
        };
        match value(&rest[at + 2..at + end], env) {
            Ok(value) => out.push_str(value),
            Err(problem) => problems.push(problem),
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// What stands for the inside of one pair of braces.
fn value<'a>(inside: &'a str, env: &'a Env) -> Result<&'a str, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if default.is_some_and(|default| default.contains("${")) {
        return Err(format!("the default of {name} holds another variable, which is not understood"));
    }
    if name.is_empty()
        || name.starts_with(|letter: char| letter.is_ascii_digit())
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Err(format!("\"{name}\" is not the name of a variable"));
    }
    if SECRET_VARIABLES.contains(&name) {
        return Err(format!("{name} is a secret and cannot be used in a run config"));
    }
    let value = env.get(name).or(default).ok_or_else(|| {
        format!("the variable {name} is not set or empty; set it, or write ${{{name}:-default}}")
    })?;
    let holds_secret = SECRET_VARIABLES
        .iter()
        .filter_map(|secret| env.get(secret))
        .any(|secret| secret.trim().len() >= SHORTEST_SECRET && value.contains(secret.trim()));
    if holds_secret {
        return Err(format!("the variable {name} holds a secret, which cannot be used in a run config"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::{Env, expand};

    #[test]
    fn variables_and_defaults() {
        let env = Env::from([("A", "x: [1]"), ("EMPTY", "")]);
        for (text, want) in [
            ("a-${A}-${B:-c}", "a-x: [1]-c"),
            ("$${A}", "${A}"),
            ("$$$A $ { {A}", "$$$A $ { {A}"),
            ("${B:-}", ""),
            ("${EMPTY:-d}", "d"),
            ("${A:-${}", "x: [1]"),
        ] {
            if text == "${A:-${}" {
                assert!(expand(text, &env).is_err());
            } else {
                assert_eq!(expand(text, &env).as_deref(), Ok(want), "{text}");
            }
        }
    }

    #[test]
    fn every_problem_is_named() {
        let env = Env::from([
            ("NUNU_API_TOKEN", "nunu_secret123"),
            ("INPUT_API_TOKEN", "nunu_other1234"),
            ("COPY", "x nunu_secret123 y"),
        ]);
        for (text, why) in [
            ("${B} ${C}", "B is not set"),
            ("${EMPTY}", "not set or empty"),
            ("${NUNU_API_TOKEN}", "NUNU_API_TOKEN is a secret"),
            ("${INPUT_API_TOKEN}", "INPUT_API_TOKEN is a secret"),
            ("${COPY}", "COPY holds a secret"),
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
