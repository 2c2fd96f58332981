//! One mapping of the run config while it is read: typed values by key, problems at their place.

use serde_json::{Map, Value};

use super::places::join;
use super::yaml::Document;

/// A mapping, where it stands, and the document that gathers problems.
pub(super) struct Entry<'d, 'a> {
    pub(super) document: &'d mut Document<'a>,
    pub(super) map: &'d Map<String, Value>,
    pub(super) path: String,
}

/// A single value as it would be written in a variable.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(word) => Some(word.to_string()),
        _ => None,
    }
}

/// The items of a list of texts, without empty ones.
pub(super) fn texts(document: &mut Document<'_>, path: &str, items: &[Value]) -> Vec<String> {
    let mut list = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item {
            Value::Null => {}
            Value::String(text) if text.trim().is_empty() => {}
            Value::String(text) => list.push(text.trim().to_owned()),
            other => {
                let quotes = if scalar(other).is_some() { "; put it in quotes" } else { "" };
                document.problem(&format!("{path}[{index}]"), &format!("has to be a text{quotes}"));
            }
        }
    }
    list
}

impl<'d, 'a> Entry<'d, 'a> {
    pub(super) const fn new(
        document: &'d mut Document<'a>,
        map: &'d Map<String, Value>,
        path: String,
    ) -> Self {
        Self { document, map, path }
    }

    /// Notes a problem with the value at `key`; with the whole mapping when `key` is empty.
    pub(super) fn problem(&mut self, key: &str, what: &str) {
        let path = if key.is_empty() { self.path.clone() } else { join(&self.path, key) };
        self.document.problem(&path, what);
    }

    /// The value, unless it is missing or null.
    pub(super) fn value(&self, key: &str) -> Option<&'d Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A text; an empty one counts as not set.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(_) | Value::Bool(_) => {
                self.problem(key, "has to be a text; put it in quotes when it is one");
                None
            }
            _ => {
                self.problem(key, "has to be a text");
                None
            }
        }
    }

    /// A text that has to be there once its key is.
    pub(super) fn filled(&mut self, key: &str) -> Option<String> {
        if let Some(Value::String(text)) = self.value(key)
            && text.trim().is_empty()
        {
            self.problem(key, "is empty");
        }
        self.text(key)
    }

    /// A whole number; variables make it a text, which may hold one.
    pub(super) fn number(&mut self, key: &str, least: u8, most: u8) -> Option<u8> {
        let number = match self.value(key)? {
            Value::Number(number) => number.as_u64().and_then(|number| u8::try_from(number).ok()),
            Value::String(text) if text.is_empty() => return None,
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.problem(key, &format!("has to be a whole number from {least} to {most}"));
        }
        number
    }

    /// `true` or `false`; variables make it a text, which may hold one.
    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let word = match self.value(key)? {
            Value::Bool(word) => Some(*word),
            Value::String(text) if text.is_empty() => return None,
            Value::String(text) => super::values::boolean(text).ok(),
            _ => None,
        };
        if word.is_none() {
            self.problem(key, "has to be true or false");
        }
        word
    }

    /// A mapping below.
    pub(super) fn mapping(&mut self, key: &str) -> Option<&'d Map<String, Value>> {
        let Value::Object(map) = self.value(key)? else {
            self.problem(key, "has to be a mapping, such as { key: value }");
            return None;
        };
        Some(map)
    }
}
