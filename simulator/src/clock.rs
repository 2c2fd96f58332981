//! The simulator's time: monotonic since the start, printed as ISO-8601; touches the system clock.

use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};

/// A moment, counted from the start of the simulator.
pub(crate) type Moment = Duration;

/// Far enough in the future to mean "never" (100 years), small enough to be added to safely.
pub(crate) const NEVER: Duration = Duration::from_hours(100 * 365 * 24);

#[derive(Debug)]
pub(crate) struct Clock {
    zero: Instant,
    base: DateTime<Utc>,
    /// Between the beginning and `zero`.
    before: Duration,
}

impl Clock {
    /// Begins now, or goes on since an earlier beginning.
    pub(crate) fn since(base: Option<DateTime<Utc>>) -> Self {
        // As it is remembered: whole microseconds.
        let now = Utc::now();
        let now = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        let base = base.filter(|base| *base <= now).unwrap_or(now);
        Self { zero: Instant::now(), base, before: (now - base).to_std().unwrap_or_default() }
    }

    pub(crate) fn now(&self) -> Moment {
        self.before + self.zero.elapsed()
    }

    /// When it began.
    pub(crate) fn base(&self) -> DateTime<Utc> {
        self.base
    }

    /// Newest form of a time stamp: microseconds and a numeric offset.
    pub(crate) fn stamp(&self, at: Moment) -> String {
        self.date(at).to_rfc3339_opts(SecondsFormat::Micros, false)
    }

    /// Oldest form: whole seconds and `Z`.
    pub(crate) fn old_stamp(&self, at: Moment) -> String {
        self.date(at).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    fn date(&self, at: Moment) -> DateTime<Utc> {
        chrono::Duration::from_std(at).ok().and_then(|d| self.base.checked_add_signed(d)).unwrap_or(self.base)
    }
}

/// A duration as milliseconds with their fraction.
pub(crate) fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1000.0
}
