//! The run config as a tree of values, each with its place in the text, and every problem with it at once.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::places::{NO_WORD, Places, Spot, join, read};
use super::secret_names::is_secret_key;
use super::snippet::{Show, snippet};
use super::values::nearest;
use super::variables::{LetIn, Problem, SHORTEST_SECRET, Variables};

/// A run config larger than this is not one.
pub(super) const LARGEST: usize = 1024 * 1024;
/// Values in all, aliases expanded.
const MOST_VALUES: usize = 50_000;
/// Problems reported at once.
const MOST_PROBLEMS: usize = 50;
/// Said in place of words that would quote a file which is not shown.
const NOT_SHOWN: &str =
    "this is no run config; its text is not shown, since only a .yml or .yaml file inside the workspace is";

/// A run config before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// What people call it: its path, or `run-config`.
    pub(super) name: String,
    /// All of it.
    pub(super) all: String,
    /// True when its lines may be quoted: not every file that a path leads to is a run config.
    pub(super) may_quote: bool,
}

/// A value that the setting `config-env` let in, and the key it stands under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) value: LetIn,
    pub(super) path: String,
}

impl Placed {
    /// True for a value that is a secret everywhere: text for the agents, and long enough not to be part of an innocent text.
    pub(super) fn is_secret(&self) -> bool {
        let inside =
            self.path.strip_prefix("runs[").and_then(|rest| rest.split_once("].")).map(|(_, key)| key);
        let for_agents = inside.is_some_and(|key| {
            key == "instructions"
                || key
                    .strip_prefix("template_data")
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
        for_agents && self.value.value.chars().count() >= SHORTEST_SECRET
    }
}

/// A parsed config and what is wrong with it so far.
pub(super) struct Document<'a> {
    source: &'a Text,
    /// Values that the setting `config-env` let in.
    pub(super) let_in: Vec<Placed>,
    /// The tree, variables substituted.
    pub(super) root: Value,
    problems: Vec<(Spot, String)>,
    text: &'a str,
    places: Places,
    /// Paths whose variables are missing: what else is wrong there only follows from that.
    unfilled: HashSet<String>,
    /// Variables that the run config may not read, in the order of the text.
    refused: Vec<String>,
    /// Which problem says so of the last of them.
    last_refused: usize,
}

impl<'a> Document<'a> {
    /// Parses `text`.
    pub(super) fn parse(source: &'a Text, variables: &Variables<'_>) -> Result<Self, String> {
        let name = &source.name;
        let text = source.all.strip_prefix('\u{feff}').unwrap_or(&source.all);
        if text.len() > LARGEST {
            return Err(format!("{name}: larger than {LARGEST} bytes, which no run config is"));
        }
        let complain = |spot, what: &str| {
            if source.may_quote {
                snippet(name, text, spot, what, Show::Line)
            } else {
                snippet(name, text, spot, NOT_SHOWN, Show::Nothing)
            }
        };
        let (root, places) = read(text).map_err(|(spot, why)| complain(spot, &why))?;
        let mut document = Self {
            source,
            let_in: Vec::new(),
            root: Value::Null,
            problems: Vec::new(),
            text,
            places,
            unfilled: HashSet::new(),
            refused: Vec::new(),
            last_refused: 0,
        };
        let mut budget = MOST_VALUES;
        document.root = document.substitute(root, "", variables, &mut budget)?;
        if !document.refused.is_empty() {
            // One line for all, below the last: what allows only one of them would be no way out.
            let advice = variables.advice(&document.refused);
            if let Some((_, problem)) = document.problems.get_mut(document.last_refused) {
                problem.push('\n');
                problem.push_str(&advice);
            }
        }
        Ok(document)
    }

    /// Notes a problem with the value at `path`.
    pub(super) fn problem(&mut self, path: &str, what: &str) {
        if self.unfilled.contains(path) {
            return;
        }
        self.note(path, self.places.value(path), what, Show::Line);
    }

    fn note(&mut self, path: &str, spot: Option<Spot>, what: &str, show: Show) {
        // A file that is not shown may not be read key by key either.
        let (path, show) = if self.source.may_quote { (path, show) } else { ("", Show::Nothing) };
        let what = if path.is_empty() { what.to_owned() } else { format!("{path}: {what}") };
        let name = &self.source.name;
        let at = spot.unwrap_or((usize::MAX, 0));
        match self.problems.len() {
            0..MOST_PROBLEMS => self.problems.push((at, snippet(name, self.text, spot, &what, show))),
            MOST_PROBLEMS => self.problems.push(((usize::MAX, 1), format!("{name}: and more"))),
            _ => {}
        }
    }

    /// True when nothing is wrong so far.
    pub(super) const fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Every problem so far, in the order of the text.
    pub(super) fn take_problems(&mut self) -> Vec<String> {
        let mut problems = std::mem::take(&mut self.problems);
        problems.sort_by_key(|(spot, _)| *spot);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }

    /// Notes every key of `map` that is not among `known`.
    pub(super) fn unknown_keys(&mut self, map: &Map<String, Value>, path: &str, known: &[&str]) {
        for key in map.keys() {
            if key == NO_WORD {
                self.problem(path, "every key has to be a word");
                continue;
            }
            if known.contains(&key.as_str()) {
                continue;
            }
            let place = join(path, key);
            let spot = self.places.key(&place);
            let (what, show) = if is_secret_key(key) {
                (
                    "secrets have no place in a file; set NUNU_API_TOKEN from the CI's secret store"
                        .to_owned(),
                    Show::KeyOnly,
                )
            } else if let Some(meant) = nearest(key, known.iter().copied()).filter(|_| self.source.may_quote)
            {
                (format!("unknown key; did you mean \"{meant}\"?"), Show::Line)
            } else {
                (format!("unknown key; known here: {}", known.join(", ")), Show::Line)
            };
            self.note(&place, spot, &what, show);
        }
    }

    /// Puts variables into text. A value never becomes YAML: `${X}` with a line break stays one text.
    fn substitute(
        &mut self,
        value: Value,
        path: &str,
        variables: &Variables<'_>,
        budget: &mut usize,
    ) -> Result<Value, String> {
        *budget = budget
            .checked_sub(1)
            .ok_or_else(|| format!("{}: more than {MOST_VALUES} values", self.source.name))?;
        Ok(match value {
            Value::String(text) if text.contains("${") => match variables.expand(&text) {
                Ok(filled) => {
                    let placed = |value| Placed { value, path: path.to_owned() };
                    self.let_in.extend(filled.let_in.into_iter().map(placed));
                    Value::String(filled.text)
                }
                Err(problems) => {
                    for problem in problems {
                        let place = self.problems.len().min(MOST_PROBLEMS);
                        self.problem(path, &problem.to_string());
                        if let Problem::Refused(variable) = problem {
                            self.last_refused = place;
                            if !self.refused.contains(&variable) {
                                self.refused.push(variable);
                            }
                        }
                    }
                    self.unfilled.insert(path.to_owned());
                    Value::String(text)
                }
            },
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                Value::Array(
                    items
                        .map(|(index, item)| {
                            self.substitute(item, &format!("{path}[{index}]"), variables, budget)
                        })
                        .collect::<Result<_, _>>()?,
                )
            }
            Value::Object(map) => {
                let mut fresh = Map::new();
                for (key, item) in map {
                    let place = join(path, &key);
                    fresh.insert(key, self.substitute(item, &place, variables, budget)?);
                }
                Value::Object(fresh)
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::{Document, LetIn, Placed, Text, Variables};
    use crate::model::Env;

    fn problems(text: &str) -> Vec<String> {
        read(text, true)
    }

    fn read(text: &str, may_quote: bool) -> Vec<String> {
        let env = Env::default();
        let text = Text { name: "run.yml".to_owned(), all: text.to_owned(), may_quote };
        match Document::parse(&text, &Variables::from_env(&env, &["MISSING"])) {
            Ok(mut document) => document.take_problems(),
            Err(problem) => vec![problem],
        }
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
        assert!(problems("x: ${MISSING}\n")[0].starts_with("run.yml:1:4: x: the variable MISSING"));
    }

    #[test]
    fn one_line_lets_in_all_that_is_refused() {
        let found = problems("a: ${DB_HOST} ${DB_NAME}\nb: [\"${DB_USER:-x}\", \"${DB_HOST}\"]\n");
        assert_eq!(found.len(), 4, "{found:?}");
        for problem in &found {
            assert!(problem.contains("a run config may not read the variable DB_"), "{problem}");
        }
        assert_eq!(found.concat().matches(" config-env: ").count(), 1, "{found:?}");
        let line =
            "\nwhere the pipeline allows it, write there config-env: MISSING, DB_HOST, DB_NAME, DB_USER (or ";
        assert!(found[3].contains(line), "{}", found[3]);
    }

    #[test]
    fn a_file_that_is_not_shown_is_not_quoted_in_any_way() {
        for text in [
            "hunter2: [\n",
            "hunter2: 1\nhunter2: 2\n",
            "a: 1\na: hunter2\n",
            "hunter2: ${MISSING}\n",
            "hunter2: !hunter2 x\n",
            "\thunter2",
            "*hunter2",
            "? {hunter2: b}\n: c\n",
            "- !!int hunter2\n- ${hunter2}",
        ] {
            let mut found = read(text, false);
            let source = Text { name: "f".to_owned(), all: text.to_owned(), may_quote: false };
            let env = Env::default();
            if let Ok(mut document) = Document::parse(&source, &Variables::from_env(&env, &[])) {
                let _ = crate::config::file::read(&mut document);
                found.extend(document.take_problems());
            }
            assert!(!found.is_empty(), "{text}");
            for problem in found {
                let shown = problem
                    .replace("the variable hunter2", "")
                    .replace("config-env: hunter2", "")
                    .replace("NUNU_CONFIG_ENV: hunter2", "");
                assert!(!shown.contains("hunter2") && !problem.contains(" | "), "{problem}");
            }
        }
    }

    #[test]
    fn what_config_env_lets_in_is_a_secret_where_agents_read_it() {
        let placed = |path: &str, value: &str| Placed {
            value: LetIn { name: "A".to_owned(), value: value.to_owned() },
            path: path.to_owned(),
        };
        for (path, value, secret) in [
            ("runs[0].instructions", "12345678", true),
            ("runs[12].template_data.login.password", "pass word", true),
            ("runs[0].template_data.list[1]", "12345678", true),
            ("runs[0].template_data", "12345678", true),
            ("runs[0].instructions", "1234567", false),
            ("runs[0].name", "12345678", false),
            ("runs[0].template_data2", "12345678", false),
            ("build.name", "12345678", false),
        ] {
            assert_eq!(placed(path, value).is_secret(), secret, "{path} {value}");
        }
    }

    #[test]
    fn bombs_end_in_an_error() {
        let repeated = |text: &str| text.repeat(super::LARGEST / text.len() - 1);
        let mut aliases = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        let mut merges = String::from("a0: &a0 {x: 1, y: 2}\n");
        for level in 1..12 {
            use std::fmt::Write as _;
            let below = level - 1;
            let ten = vec![format!("*a{below}"); 10].join(", ");
            let _ = writeln!(aliases, "a{level}: &a{level} [{ten}]");
            let _ = writeln!(
                merges,
                "a{level}: &a{level} {{<<: [{ten}], b: {{<<: *a{below}}}, c: {{<<: *a{below}}}}}"
            );
        }
        for text in [
            "[".repeat(5000),
            repeated("["),
            repeated("{a: "),
            repeated("- "),
            repeated("? "),
            repeated("- - - -\n"),
            repeated("&a "),
            repeated("*a "),
            repeated("!x "),
            repeated("a: b: "),
            repeated("\"a"),
            repeated("k: [a, b]\n"),
            repeated("x,"),
            format!("{}: {{{}}}", "k".repeat(200), "a: 1, ".repeat(1000)),
            format!("[{}]", repeated("a,")),
            (0..90_000).fold(String::new(), |text, number| text + &format!("k{number}: 1\n")),
            aliases,
            merges,
            "x".repeat(2_000_000),
            "a: &a [*a]\n".to_owned(),
        ] {
            let began = std::time::Instant::now();
            // One long text is no bomb; that it is no mapping is found later.
            let harmless = text.starts_with("x,");
            assert_eq!(problems(&text).is_empty(), harmless, "{}", &text[..12]);
            let spent = began.elapsed().as_secs();
            assert!(spent < 120, "{spent} s for {}", &text[..12]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

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
