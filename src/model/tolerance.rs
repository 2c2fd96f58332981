//! The quarantine: what is tolerated until a day. Pure.

use chrono::NaiveDate;

use super::job::Job;
use super::verdict::{Quarantine, Quarantined};

/// The quarantine on one day, and which entries were of use.
pub(super) struct Tolerance<'a> {
    entries: &'a [Quarantine],
    today: NaiveDate,
    used: Vec<bool>,
}

impl<'a> Tolerance<'a> {
    /// The entries as they hold on `today`.
    pub(super) fn new(entries: &'a [Quarantine], today: NaiveDate) -> Self {
        Self { entries, today, used: vec![false; entries.len()] }
    }

    fn find(&mut self, matches: impl Fn(&Quarantined) -> bool) -> Option<String> {
        let mut found = None;
        for (entry, used) in self.entries.iter().zip(&mut self.used) {
            if !matches(&entry.what) {
                continue;
            }
            *used = true;
            if entry.until >= self.today && found.is_none() {
                found = Some(format!("quarantined until {}: {}", entry.until, entry.reason));
            }
        }
        found
    }

    /// Why a test is tolerated, when it is.
    pub(super) fn test(&mut self, job: &Job) -> Option<String> {
        let id = job.test_id.as_deref()?;
        self.find(|what| matches!(what, Quarantined::Test(test) if test == id))
    }

    /// Why a bug is tolerated, when it is.
    pub(super) fn bug(&mut self, id: &str) -> Option<String> {
        self.find(|what| matches!(what, Quarantined::Bug(bug) if bug == id))
    }

    /// Entries that have ended, those that were of no use, and those that end soon, in words.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.entries
            .iter()
            .zip(&self.used)
            .filter_map(|(entry, used)| {
                if entry.until < self.today {
                    Some(format!(
                        "the quarantine of {} ended on {} and tolerates nothing any more: {}",
                        entry.what, entry.until, entry.reason
                    ))
                } else if !used {
                    Some(format!("the quarantine of {} was not needed: {}", entry.what, entry.reason))
                } else {
                    entry.lapses_soon(self.today)
                }
            })
            .collect()
    }
}
