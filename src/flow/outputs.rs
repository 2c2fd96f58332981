//! Outputs for the steps after this one, and data for stdout.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::ci::{Host, stream};
use crate::model::{Log, Secrets};

/// The outputs that were written by now, by name.
#[derive(Default)]
pub(super) struct Outputs(Mutex<BTreeMap<&'static str, String>>);

impl Outputs {
    /// Writes outputs that are new or changed.
    pub(super) fn write(
        &self,
        host: &Host,
        secrets: &Secrets,
        log: &Log,
        outputs: Vec<(&'static str, String)>,
    ) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unwritten = Vec::new();
        let mut why = None;
        for (name, value) in outputs {
            if written.get(name) == Some(&value) {
                continue;
            }
            secrets.publish(&value);
            if let Err(error) = host.output(name, &secrets.redact_output(&value)) {
                unwritten.push(name);
                why.get_or_insert(error);
            }
            written.insert(name, value);
        }
        if let Some(error) = why {
            // All go to one file.
            log.warn(format!("cannot write the outputs {}: {error}", unwritten.join(", ")));
        }
    }
}

/// Data for stdout.
pub(super) fn print(text: &str) {
    stream::data(format!("{}\n", text.trim_end()));
}
