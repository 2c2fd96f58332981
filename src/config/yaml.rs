//! The run config as a tree of values, each with its place in the text, and every problem with it at once.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};
use serde_yaml::{Mapping, Value};

use crate::model::Env;

use super::values::nearest;

/// A run config larger than this is not one.
pub(super) const LARGEST: usize = 1024 * 1024;
/// Deeper than any sensible config.
const DEEPEST: usize = 40;
/// Values in all, aliases expanded.
const MOST_VALUES: usize = 50_000;
/// Problems reported at once.
const MOST_PROBLEMS: usize = 50;
/// Variables that must not be written into a config: they hold secrets.
const SECRET_VARIABLES: [&str; 4] =
    ["NUNU_API_TOKEN", "NUNU_API_KEY", "NUNU_GITHUB_TOKEN", "NUNU_GITLAB_TOKEN"];

/// Line and column, from 1.
type Spot = (usize, usize);

/// A parsed config and what is wrong with it so far.
pub(super) struct Document<'a> {
    /// What people call it: its path, or `run-config`.
    pub(super) name: &'a str,
    /// The tree, variables substituted.
    pub(super) root: Value,
    /// Problems, in the order they were found.
    pub(super) problems: Vec<String>,
    text: &'a str,
    spots: HashMap<String, Spot>,
}

impl<'a> Document<'a> {
    /// Parses `text`.
    ///
    /// # Errors
    /// When it is not YAML, or larger or deeper than any config.
    pub(super) fn parse(name: &'a str, text: &'a str, env: &Env) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > LARGEST {
            return Err(format!("{name}: larger than {LARGEST} bytes, which no run config is"));
        }
        let spots =
            locate(text).map_err(|(spot, why)| at(name, text, Some(spot), &hinted(text, spot, &why)))?;
        let root: Value = serde_yaml::from_str(text).map_err(|error| {
            let spot = error.location().map(|place| (place.line(), place.column()));
            let why = error.to_string();
            let why = why.split(" at line ").next().unwrap_or(&why).to_owned();
            at(name, text, spot, &why)
        })?;
        let mut document = Self { name, root: Value::Null, problems: Vec::new(), text, spots };
        let mut budget = MOST_VALUES;
        document.root = document.substitute(root, "", env, &mut budget)?;
        Ok(document)
    }

    /// Notes a problem with the value at `path`.
    pub(super) fn problem(&mut self, path: &str, what: &str) {
        if self.problems.len() < MOST_PROBLEMS {
            let what = if path.is_empty() { what.to_owned() } else { format!("{path}: {what}") };
            self.problems.push(at(self.name, self.text, self.spot(path), &what));
        }
    }

    /// Notes every key of `map` that is not among `known`.
    pub(super) fn unknown_keys(&mut self, map: &Mapping, path: &str, known: &[&str]) {
        for key in map.keys() {
            let Some(key) = key.as_str() else {
                self.problem(path, "every key has to be a word");
                continue;
            };
            if known.contains(&key) {
                continue;
            }
            let place = join(path, key);
            let lower = key.to_ascii_lowercase().replace('-', "_");
            if ["api_token", "api_key", "token", "nunu_api_token"].contains(&lower.as_str()) {
                self.problem(
                    &place,
                    "API keys have no place in a file; set NUNU_API_TOKEN from the CI's secret store",
                );
            } else if let Some(meant) = nearest(key, known.iter().copied()) {
                self.problem(&place, &format!("unknown key; did you mean \"{meant}\"?"));
            } else {
                self.problem(&place, &format!("unknown key; known here: {}", known.join(", ")));
            }
        }
    }

    fn spot(&self, path: &str) -> Option<Spot> {
        let mut path = path;
        loop {
            if let Some(&spot) = self.spots.get(path) {
                return Some(spot);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// Puts variables into text. A value never becomes YAML: `${X}` with a line break stays one text.
    fn substitute(
        &mut self,
        value: Value,
        path: &str,
        env: &Env,
        budget: &mut usize,
    ) -> Result<Value, String> {
        *budget =
            budget.checked_sub(1).ok_or_else(|| format!("{}: more than {MOST_VALUES} values", self.name))?;
        Ok(match value {
            Value::String(text) if text.contains("${") => match expand(&text, env) {
                Ok(text) => Value::String(text),
                Err(problems) => {
                    for problem in problems {
                        self.problem(path, &problem);
                    }
                    Value::String(text)
                }
            },
            Value::Sequence(items) => {
                let items = items.into_iter().enumerate();
                Value::Sequence(
                    items
                        .map(|(index, item)| self.substitute(item, &format!("{path}[{index}]"), env, budget))
                        .collect::<Result<_, _>>()?,
                )
            }
            Value::Mapping(map) => {
                let mut fresh = Mapping::new();
                for (key, item) in map {
                    let place = join(path, &key_text(&key));
                    fresh.insert(key, self.substitute(item, &place, env, budget)?);
                }
                Value::Mapping(fresh)
            }
            Value::Tagged(tagged) => {
                self.problem(path, &format!("the tag {} means nothing here", tagged.tag));
                Value::Null
            }
            other => other,
        })
    }
}

/// `${NAME}` and `${NAME:-default}`; `$${` is a literal `${`.
fn expand(text: &str, env: &Env) -> Result<String, Vec<String>> {
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
        let Some(end) = rest[at..].find('}') else {
            problems.push("\"${\" without its \"}\"; write $${ for a literal ${".to_owned());
            return Err(problems);
        };
        let inside = &rest[at + 2..at + end];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            problems.push(format!("\"{name}\" is not the name of a variable"));
        } else if SECRET_VARIABLES.contains(&name) {
            problems.push(format!("{name} is a secret and cannot be used in a run config"));
        } else if let Some(value) = env.get(name).or(default) {
            out.push_str(value);
        } else {
            problems.push(format!("the variable {name} is not set; set it, or write ${{{name}:-default}}"));
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// `a.b`, `a`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn key_text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(word) => word.to_string(),
        _ => "?".to_owned(),
    }
}

/// `file:line:column: what`, with the line itself and a caret under the place.
fn at(name: &str, text: &str, spot: Option<Spot>, what: &str) -> String {
    let Some((line, column)) = spot else { return format!("{name}: {what}") };
    let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let shown: String =
        source.chars().take(120).map(|letter| if letter == '\t' { ' ' } else { letter }).collect();
    let indent = " ".repeat(column.saturating_sub(1).min(120));
    format!("{name}:{line}:{column}: {what}\n{line:>5} | {shown}\n      | {indent}^")
}

/// The parser's words, made kinder where the cause is well known.
fn hinted(text: &str, spot: Spot, why: &str) -> String {
    let line = text.lines().nth(spot.0.saturating_sub(1)).unwrap_or_default();
    let before = text.lines().nth(spot.0.saturating_sub(2)).unwrap_or_default();
    if [line, before].iter().any(|line| line.trim_start_matches(' ').starts_with('\t')) {
        return "YAML is indented with spaces, not with tabs".to_owned();
    }
    why.to_owned()
}

struct Open {
    path: String,
    mapping: bool,
    key: Option<String>,
    index: usize,
    keys: Vec<String>,
}

/// Where each path of the config stands in the text. Also finds what the value parser would let pass: duplicate keys, depth.
fn locate(text: &str) -> Result<HashMap<String, Spot>, (Spot, String)> {
    let mut spots = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            ((marker.line(), marker.col() + 1), error.info().to_owned())
        })?;
        let spot = (span.start.line(), span.start.col() + 1);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err((spot, "more than one document in the file".to_owned()));
                }
            }
            Event::Scalar(word, ..) => enter(&mut open, &mut spots, spot, Some(&word))?,
            Event::Alias(_) => enter(&mut open, &mut spots, spot, None)?,
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if open.len() >= DEEPEST {
                    return Err((spot, format!("nested deeper than {DEEPEST} levels")));
                }
                let path = place(&open);
                enter(&mut open, &mut spots, spot, None)?;
                let mapping = matches!(event, Event::MappingStart(..));
                open.push(Open { path, mapping, key: None, index: 0, keys: Vec::new() });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
            }
            _ => {}
        }
    }
    Ok(spots)
}

/// The path of the value that comes next.
fn place(open: &[Open]) -> String {
    match open.last() {
        None => String::new(),
        Some(parent) if parent.mapping => join(&parent.path, parent.key.as_deref().unwrap_or("?")),
        Some(parent) => format!("{}[{}]", parent.path, parent.index),
    }
}

/// Takes one node: a key of a mapping, a value of one, or an item.
fn enter(
    open: &mut [Open],
    spots: &mut HashMap<String, Spot>,
    spot: Spot,
    word: Option<&str>,
) -> Result<(), (Spot, String)> {
    let path = place(open);
    let Some(parent) = open.last_mut() else { return Ok(()) };
    if !parent.mapping {
        spots.insert(path, spot);
        parent.index += 1;
        return Ok(());
    }
    if parent.key.is_some() {
        parent.key = None;
        return Ok(());
    }
    let key = word.unwrap_or("?").to_owned();
    if parent.keys.contains(&key) {
        return Err((spot, format!("the key \"{key}\" is there twice")));
    }
    spots.insert(join(&parent.path, &key), spot);
    parent.keys.push(key.clone());
    parent.key = Some(key);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{Document, Env, expand};

    fn problems(text: &str) -> Vec<String> {
        match Document::parse("run.yml", text, &Env::default()) {
            Ok(document) => document.problems,
            Err(problem) => vec![problem],
        }
    }

    #[test]
    fn substitutes_variables_without_becoming_yaml() {
        let env = Env::from([("A", "x: [1]"), ("NUNU_API_TOKEN", "secret")]);
        assert_eq!(expand("a-${A}-${B:-c}-$${A}", &env).as_deref(), Ok("a-x: [1]-c-${A}"));
        assert!(expand("${B}", &env).unwrap_err()[0].contains("B is not set"));
        assert!(expand("${NUNU_API_TOKEN}", &env).unwrap_err()[0].contains("secret"));
        assert!(expand("${A", &env).is_err());
        assert!(expand("${a b}", &env).is_err());
    }

    #[test]
    fn problems_show_the_place() {
        let found = problems("version: 1\nruns:\n  - name: a\n    name: b\n");
        assert_eq!(
            found,
            ["run.yml:4:5: the key \"name\" is there twice\n    4 |     name: b\n      |     ^"]
        );
        assert!(problems("runs:\n\t- name: a\n")[0].contains("tabs"));
        assert!(problems("a: 1\n---\nb: 2\n")[0].contains("more than one document"));
        assert!(problems("x: ${MISSING}\n")[0].starts_with("run.yml:1:1: x: the variable MISSING"));
    }

    #[test]
    fn bombs_end_in_an_error() {
        let deep = "[".repeat(5000);
        assert!(!problems(&deep).is_empty());
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            use std::fmt::Write as _;
            let _ =
                writeln!(bomb, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", "));
        }
        assert!(!problems(&bomb).is_empty());
        assert!(!problems(&"x".repeat(2_000_000)).is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = problems(&text);
        }

        #[test]
        fn never_panics_on_yaml_like_text(text in "[-:{}\\[\\]&*!|>'\"%@` \\n\\ta-c0-9$]{0,200}") {
            let _ = problems(&text);
        }
    }
}
