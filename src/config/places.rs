//! Where each value of a YAML text stands. Pure. Also finds what the value parser would let pass: duplicate keys, depth, sheer size.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser};

/// Deeper than any sensible config.
const DEEPEST: usize = 40;
/// Below this depth a value is found by its parent: remembering every long path would take more memory than the text.
const DEEPEST_PLACE: usize = 10;
/// Values in all, aliases not expanded.
const MOST_VALUES: usize = 20_000;
/// Longest key, in bytes.
const LONGEST_KEY: usize = 256;

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

struct Open {
    path: String,
    mapping: bool,
    key: Option<String>,
    index: usize,
    keys: HashSet<String>,
}

impl Open {
    /// The path of the value that comes next.
    fn place(&self) -> String {
        if self.mapping {
            join(&self.path, self.key.as_deref().unwrap_or("?"))
        } else {
            format!("{}[{}]", self.path, self.index)
        }
    }
}

/// Reads the events of `text`.
pub(super) fn locate(text: &str) -> Result<Places, (Spot, String)> {
    let mut places = Places::default();
    let mut open: Vec<Open> = Vec::new();
    let (mut documents, mut values) = (0, 0);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let spot = (error.marker().line(), error.marker().col() + 1);
            (spot, hinted(text, spot, error.info()))
        })?;
        let spot = (span.start.line(), span.start.col() + 1);
        let word = match &event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err((spot, "there is more than one document in the file".to_owned()));
                }
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                continue;
            }
            Event::Scalar(word, ..) => Some(word.as_ref()),
            Event::Alias(_) | Event::MappingStart(..) | Event::SequenceStart(..) => None,
            _ => continue,
        };
        values += 1;
        if values > MOST_VALUES {
            return Err((spot, format!("there are more than {MOST_VALUES} values")));
        }
        let path = enter(&mut open, &mut places, spot, word)?;
        if let Event::MappingStart(..) | Event::SequenceStart(..) = event {
            if open.len() >= DEEPEST {
                return Err((spot, format!("nested deeper than {DEEPEST} levels")));
            }
            let mapping = matches!(event, Event::MappingStart(..));
            open.push(Open { path, mapping, key: None, index: 0, keys: HashSet::new() });
        }
    }
    Ok(places)
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

/// Takes one node, a key of a mapping, a value of one, or an item, and gives its path.
fn enter(
    open: &mut [Open],
    places: &mut Places,
    spot: Spot,
    word: Option<&str>,
) -> Result<String, (Spot, String)> {
    let depth = open.len();
    let Some(parent) = open.last_mut() else { return Ok(String::new()) };
    if parent.mapping && parent.key.is_none() {
        let key = word.unwrap_or("?");
        if key.len() > LONGEST_KEY {
            return Err((spot, format!("a key of {} bytes, at most {LONGEST_KEY} are allowed", key.len())));
        }
        if !parent.keys.insert(key.to_owned()) {
            return Err((spot, format!("the key \"{key}\" is there twice")));
        }
        let path = join(&parent.path, key);
        parent.key = Some(key.to_owned());
        if depth <= DEEPEST_PLACE {
            places.keys.insert(path.clone(), spot);
        }
        return Ok(path);
    }
    // Deep down the parent's path stands for all that is in it.
    let path = if depth <= DEEPEST_PLACE { parent.place() } else { parent.path.clone() };
    if parent.mapping {
        parent.key = None;
    } else {
        parent.index += 1;
        if depth <= DEEPEST_PLACE {
            places.keys.insert(path.clone(), spot);
        }
    }
    if word.is_some() && depth <= DEEPEST_PLACE {
        places.values.insert(path.clone(), spot);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn keys_and_values_are_found() {
        let places = locate("a: 1\nruns:\n  - name: x\n    tags: [p, q]\n  - {name: y}\n").unwrap();
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
            (&"[".repeat(100), "nested deeper"),
            (&many, "more than 20000 values"),
            (&long, "a key of 300 bytes"),
        ] {
            let (_, said) = locate(text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
