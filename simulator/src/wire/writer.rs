//! What all writers share.

use serde_json::{Map, Value, json};

use crate::call::Host;
use crate::clock::Moment;
use crate::generation::{Generation, Quirk};
use crate::state::Inner;

/// Everything a writer of JSON needs.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) now: Moment,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(inner: &'a Inner) -> Self {
        Self { inner, now: inner.clock.now() }
    }

    pub(crate) fn generation(self) -> Generation {
        self.inner.config.generation
    }

    pub(crate) fn old(self) -> bool {
        self.generation() == Generation::V1
    }

    pub(crate) fn has(self, quirk: Quirk) -> bool {
        self.inner.config.has(quirk)
    }

    pub(crate) fn project(self) -> &'a str {
        &self.inner.config.project
    }

    pub(crate) fn artifact_origin(self) -> String {
        self.inner.origin(Host::Artifacts)
    }

    pub(crate) fn time(self, at: Moment) -> Value {
        let clock = &self.inner.clock;
        json!(if self.old() { clock.old_stamp(at) } else { clock.stamp(at) })
    }

    pub(crate) fn maybe_time(self, at: Option<Moment>) -> Value {
        at.map_or(Value::Null, |at| self.time(at))
    }

    /// A state or a result in this generation's words.
    pub(crate) fn word(self, word: &str) -> Value {
        match word {
            "FAILED" if self.old() => json!("failure"),
            "STARTING" if self.has(Quirk::UnknownEnums) => json!("WARMING_UP"),
            "INITIALIZING" if self.has(Quirk::UnknownEnums) => json!("BOOTSTRAPPING"),
            _ if self.old() => json!(word.to_lowercase()),
            _ => json!(word),
        }
    }

    pub(crate) fn maybe_word(self, word: Option<&str>) -> Value {
        word.map_or(Value::Null, |w| self.word(w))
    }

    /// Applies the quirks that concern every object.
    pub(crate) fn finish(self, mut value: Value) -> Value {
        if self.has(Quirk::MissingFields) {
            drop_nulls(&mut value);
        }
        if self.has(Quirk::ExtraFields) {
            add_strangers(&mut value);
        }
        value
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, v| !v.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Not inside maps from names to counts: there a stranger would be data.
fn add_strangers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| !is_map(name)).for_each(|(_, v)| add_strangers(v));
            members.insert("x_future".to_owned(), stranger());
        }
        Value::Array(items) => items.iter_mut().for_each(add_strangers),
        _ => {}
    }
}

fn is_map(name: &str) -> bool {
    ["step_result_summary", "template_data", "slot_build_ids"].contains(&name)
}

fn stranger() -> Value {
    Value::Object(Map::from_iter([
        ("level".to_owned(), json!(9)),
        ("words".to_owned(), json!(["new", null])),
    ]))
}
