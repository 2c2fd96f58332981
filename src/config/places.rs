//! Reads YAML into values and remembers where each of them stands. Pure.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{Error, Location, Spanned};

/// Deeper than any sensible config.
const DEEPEST: usize = 40;
/// Below this depth a value is found by its parent: remembering every long path would take more memory than the text.
const DEEPEST_PLACE: usize = 10;
/// Values in all, aliases not expanded.
const MOST_VALUES: usize = 20_000;
/// Values that aliases stand for, in all.
const MOST_ALIASED: usize = 50_000;
/// Longest key, in bytes.
const LONGEST_KEY: usize = 256;

/// Stands for a key that is no single value.
pub(super) const NO_WORD: &str = "?";

/// Line and column, from 1.
pub(super) type Spot = (usize, usize);

/// Where keys and single values stand, by key path such as `runs[0].tags`.
#[derive(Debug, Default)]
pub(super) struct Places {
    keys: HashMap<String, Spot>,
    values: HashMap<String, Spot>,
}

impl Places {
    /// Where the key at `path` stands, or the nearest thing above it.
    pub(super) fn key(&self, path: &str) -> Option<Spot> {
        let mut path = path;
        loop {
            if let Some(&spot) = self.keys.get(path) {
                return Some(spot);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// Where the single value at `path` stands; where the key stands for a list, a mapping or nothing.
    pub(super) fn value(&self, path: &str) -> Option<Spot> {
        if path.is_empty() {
            return Some((1, 1));
        }
        self.values.get(path).copied().or_else(|| self.key(path))
    }
}

/// `a.b`, `a`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A value as the text has it, every part with its place.
type Node = Spanned<Tree>;

enum Tree {
    Single(Value),
    List(Vec<Node>),
    Mapping(Vec<(Spanned<Key>, Node)>),
}

/// A key; `None` for one that is no single value.
struct Key(Option<String>);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Single(Value::Null))
            }

            fn visit_bool<E>(self, word: bool) -> Result<Tree, E> {
                Ok(Tree::Single(Value::Bool(word)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
                Ok(Tree::Single(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
                Ok(Tree::Single(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
                let single =
                    Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number);
                Ok(Tree::Single(single))
            }

            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Single(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
                let mut mapping = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    mapping.push(entry);
                }
                Ok(Tree::Mapping(mapping))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = match Tree::deserialize(deserializer)? {
            Tree::Single(Value::String(text)) => Some(text),
            Tree::Single(Value::Null) | Tree::List(_) | Tree::Mapping(_) => None,
            Tree::Single(other) => Some(other.to_string()),
        };
        if let Some(word) = word.as_ref().filter(|word| word.len() > LONGEST_KEY) {
            let length = word.len();
            return Err(de::Error::custom(format!(
                "a key of {length} bytes, at most {LONGEST_KEY} are allowed"
            )));
        }
        Ok(Self(word))
    }
}

/// Reads `text`: its values, and where they stand.
pub(super) fn read(text: &str) -> Result<(Value, Places), (Option<Spot>, String)> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! { max_depth: DEEPEST, max_nodes: MOST_VALUES },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MOST_ALIASED },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let node: Node =
        serde_yaml::from_str_with_options(text, options).map_err(|error| explained(text, &error))?;
    let mut places = Places::default();
    let root = settle(node, "", 0, &mut places);
    Ok((root, places))
}

fn spot(at: Location) -> Option<Spot> {
    let number = |value: u64| usize::try_from(value).ok().filter(|&value| value > 0);
    Some((number(at.line())?, number(at.column())?))
}

/// Takes the places out of a tree.
fn settle(node: Node, path: &str, depth: usize, places: &mut Places) -> Value {
    let at = spot(node.referenced);
    let known = depth <= DEEPEST_PLACE;
    match node.value {
        Tree::Single(value) => {
            if let Some(at) = at.filter(|_| known) {
                places.values.insert(path.to_owned(), at);
            }
            value
        }
        Tree::List(items) => {
            let items = items.into_iter().enumerate();
            Value::Array(
                items
                    .map(|(index, item)| {
                        let path = format!("{path}[{index}]");
                        if let Some(at) = spot(item.referenced).filter(|_| known) {
                            places.keys.insert(path.clone(), at);
                        }
                        settle(item, &path, depth + 1, places)
                    })
                    .collect(),
            )
        }
        Tree::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let word = key.value.0.unwrap_or_else(|| NO_WORD.to_owned());
                let path = join(path, &word);
                if let Some(at) = spot(key.referenced).filter(|_| known) {
                    places.keys.insert(path.clone(), at);
                }
                map.insert(word, settle(value, &path, depth + 1, places));
            }
            Value::Object(map)
        }
    }
}

/// What went wrong in reading, and where.
fn explained(text: &str, error: &Error) -> (Option<Spot>, String) {
    let at = error.location().and_then(spot);
    let what = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key \"{key}\" is there twice"),
        Error::DuplicateMappingKey { key: None, .. } => "a key is there twice".to_owned(),
        Error::MultipleDocuments { .. } => "there is more than one document in the file".to_owned(),
        Error::UnsupportedTag { tag, .. } => format!("the tag {tag} means nothing here"),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("nested deeper than {DEEPEST} levels")
        }
        Error::Budget { breach: BudgetBreach::Nodes { .. }, .. } => {
            format!("there are more than {MOST_VALUES} values")
        }
        other => {
            let why = other.to_string();
            // The place stands in front already.
            let why = why.split(" at line ").next().unwrap_or(&why);
            return (at, hinted(text, at.unwrap_or((1, 1)), why));
        }
    };
    (at, what)
}

/// The parser's words, made kinder where the cause is well known.
fn hinted(text: &str, spot: Spot, why: &str) -> String {
    let line = text.lines().nth(spot.0.saturating_sub(1)).unwrap_or_default();
    let before = text.lines().nth(spot.0.saturating_sub(2)).unwrap_or_default();
    if [line, before].iter().any(|line| line.trim_start_matches(' ').starts_with('\t')) {
        return "YAML is indented with spaces, not with tabs".to_owned();
    }
    let kinder = [
        (
            "flow mapping, did not find",
            "inside { } and [ ] a value that holds { } needs quotes, such as \"${NAME}\"",
        ),
        (
            "flow sequence, did not find",
            "inside { } and [ ] a value that holds { } needs quotes, such as \"${NAME}\"",
        ),
        ("unknown anchor", "a value that begins with * needs quotes, such as \"*.apk\""),
        ("unknown escape", "in double quotes \\ begins an escape; use single quotes, and / between folders"),
        (
            "mapping values are not allowed",
            "a colon with a space behind it, in a text without quotes or at the wrong indentation",
        ),
        ("cannot start any token", "a text that begins with this character needs quotes"),
        ("reserved character", "a text that begins with this character needs quotes"),
    ];
    let lower = why.to_ascii_lowercase();
    kinder
        .into_iter()
        .find(|(words, _)| lower.contains(words))
        // Only where a variable is in sight a brace is what confuses the parser.
        .filter(|(words, _)| {
            !words.starts_with("flow") || [line, before].iter().any(|line| line.contains("${"))
        })
        .map_or_else(|| format!("this is no valid YAML: {why}"), |(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn keys_and_values_are_found() {
        let (_, places) = read("a: 1\nruns:\n  - name: x\n    tags: [p, q]\n  - {name: y}\n").unwrap();
        for (path, key, value) in [
            ("a", (1, 1), (1, 4)),
            ("runs", (2, 1), (2, 1)),
            ("runs[0]", (3, 5), (3, 5)),
            ("runs[0].name", (3, 5), (3, 11)),
            ("runs[0].tags[1]", (4, 15), (4, 15)),
            ("runs[1].name", (5, 6), (5, 12)),
            ("runs[1].nothing.here", (5, 5), (5, 5)),
        ] {
            assert_eq!((places.key(path), places.value(path)), (Some(key), Some(value)), "{path}");
        }
        assert_eq!(places.key("elsewhere"), None);
    }

    #[test]
    fn what_no_config_is_ends_in_an_error() {
        let many = format!("[{}]", "x,".repeat(30_000));
        let long = format!("{}: 1\n", "k".repeat(300));
        for (text, why) in [
            ("a: 1\na: 2\n", "there twice"),
            ("a: 1\n---\nb: 1\n", "more than one document"),
            (&format!("{}{}", "[".repeat(100), "]".repeat(100)), "nested deeper"),
            (&many, "more than 20000 values"),
            (&long, "a key of 300 bytes"),
        ] {
            let (_, said) = read(text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
