//! Liberal access to the fields of a JSON object.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::units::{Timestamp, parse_time};

/// Longest text of one field that is kept, in bytes.
const LONGEST_TEXT: usize = 64 * 1024;
/// What stands at the end of a text that was cut.
const CUT: &str = " [...]";
/// Most tags of one object.
const MOST_TAGS: usize = 200;
/// Longest time a number of milliseconds may mean: a year.
const LONGEST_MILLIS: f64 = 366.0 * 86_400_000.0;

/// The text, cut to `most` bytes at a character.
pub(super) fn clip(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &text[..end])
}

/// The first array under one of `names`, or the value itself when it is an array.
pub(super) fn list_of<'a>(value: &'a Value, names: &[&str]) -> Option<&'a [Value]> {
    if let Value::Array(items) = value {
        return Some(items);
    }
    names.iter().find_map(|name| value.get(name)?.as_array()).map(Vec::as_slice)
}

/// The fields of an object; anything else has none. Names are tried in order, and null is as good as missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Self(value.as_object())
    }

    /// The first of `names` that is not null.
    pub(super) fn value(self, names: &[&str]) -> Option<&'a Value> {
        let map = self.0?;
        names.iter().find_map(|name| map.get(*name).filter(|value| !value.is_null()))
    }

    /// The object under the first of `names` that is not null.
    pub(super) fn object(self, names: &[&str]) -> Self {
        Self(self.value(names).and_then(Value::as_object))
    }

    /// The array under one of `names`; empty when there is none.
    pub(super) fn list(self, names: &[&str]) -> &'a [Value] {
        self.0
            .and_then(|map| names.iter().find_map(|name| map.get(*name)?.as_array()))
            .map_or(&[], Vec::as_slice)
    }

    /// Text, or a number or truth value as text; not empty.
    pub(super) fn text(self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| text(self.0?.get(*name)?))
    }

    /// A word in upper case.
    pub(super) fn word(self, names: &[&str]) -> Option<String> {
        self.text(names)
            .map(|word| clip(word.trim(), 200).to_ascii_uppercase())
            .filter(|word| !word.is_empty())
    }

    /// A count: an integer, a float or digits in a string; never negative.
    pub(super) fn count(self, names: &[&str]) -> Option<u64> {
        let value = self.value(names)?;
        value.as_u64().or_else(|| number(value).and_then(whole))
    }

    /// Milliseconds, whole or broken, rounded.
    pub(super) fn millis(self, names: &[&str]) -> Option<Duration> {
        let millis = number(self.value(names)?)?;
        (0.0..=LONGEST_MILLIS)
            .contains(&millis)
            .then(|| Duration::from_secs_f64((millis / 1000.0).max(0.0)))
            .map(|time| {
                Duration::from_millis(
                    u64::try_from((time + Duration::from_micros(500)).as_millis()).unwrap_or(0),
                )
            })
    }

    /// A time stamp.
    pub(super) fn time(self, names: &[&str]) -> Option<Timestamp> {
        parse_time(self.value(names)?.as_str()?)
    }

    /// A truth value.
    pub(super) fn flag(self, names: &[&str]) -> Option<bool> {
        self.value(names)?.as_bool()
    }

    /// Texts of an array.
    pub(super) fn texts(self, names: &[&str]) -> Vec<String> {
        self.list(names).iter().filter_map(text).collect()
    }

    /// Tags, a bounded number of them.
    pub(super) fn tags(self) -> Vec<String> {
        self.list(&["tags"]).iter().take(MOST_TAGS).filter_map(text).collect()
    }
}

/// A scalar as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(clip(text, LONGEST_TEXT)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number: &f64| number.is_finite())
}

/// The float as a whole number, when it is one that fits.
fn whole(number: f64) -> Option<u64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    if !(0.0..=LARGEST).contains(&number) {
        return None;
    }
    // Through text, because no cast of floats is free of surprises.
    format!("{number:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{Fields, clip, list_of};

    #[test]
    fn cuts_at_characters() {
        assert_eq!(clip("short", 10), "short");
        assert_eq!(clip("ääääääääää", 13), "äää [...]");
        assert!(clip(&"ä".repeat(1000), 100).len() <= 100);
    }

    #[test]
    fn reads_what_is_there_in_any_form() {
        let value = json!({"id": null, "build_id": 17, "size": "42", "time": 240_659.99, "n": -1, "f": 3.0, "s": "", "on": true,
            "when": "2026-03-03T15:50:23Z", "tags": ["a", 1, null, {}]});
        let fields = Fields::of(&value);
        assert_eq!(fields.text(&["id", "build_id"]).as_deref(), Some("17"));
        assert_eq!(fields.count(&["size"]), Some(42));
        assert_eq!(fields.count(&["f"]), Some(3));
        assert_eq!(fields.count(&["n"]), None);
        assert_eq!(fields.millis(&["time"]), Some(Duration::from_millis(240_660)));
        assert_eq!(fields.text(&["s"]), None);
        assert_eq!(fields.flag(&["on"]), Some(true));
        assert!(fields.time(&["when"]).is_some() && fields.time(&["size"]).is_none());
        assert_eq!(fields.tags(), ["a", "1"]);
        assert_eq!(Fields::of(&json!([1])).text(&["id"]), None);
        assert_eq!(
            list_of(&json!({"data": {}, "bugs": [1]}), &["data", "bugs"]).map(<[Value]>::len),
            Some(1)
        );
    }

    proptest! {
        #[test]
        fn no_number_breaks_it(number in proptest::num::f64::ANY, text in ".*") {
            let value = json!({"n": number, "t": text});
            let fields = Fields::of(&value);
            let _ = (fields.count(&["n"]), fields.millis(&["n"]), fields.count(&["t"]), fields.time(&["t"]), fields.millis(&["t"]));
        }
    }
}
