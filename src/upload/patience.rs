//! When a part (or a build in one piece) is tried again, and when it is given up. Pure but for the clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::progress::Meter;

/// The budgets of the contract; the defaults are what everybody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// A part is tried again while its last progress is younger than this.
    pub(crate) part: Duration,
    /// How long an unclear `complete` is looked into.
    pub(crate) complete: Duration,
    /// How long the service may take to get a stored build ready before the job goes on anyway.
    pub(crate) ready: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            part: Duration::from_secs(120),
            complete: Duration::from_secs(120),
            ready: Duration::from_secs(300),
        }
    }
}

impl Patience {
    /// The same, but with nothing that is silent for longer than `limit`.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { part: self.part.min(limit), complete: self.complete.min(limit), ready: self.ready.min(limit) }
    }
}

/// First ceiling of the wait between two tries; it doubles each time.
const FIRST: Duration = Duration::from_millis(500);
/// No wait is longer, unless storage says so.
const LONGEST: Duration = Duration::from_secs(10);

/// The wait before the next try, `failed` tries (from 1) after the last progress; `None` to give up. `idle` is the age of the last
/// progress, `jitter` uniform in 0..1. The last try begins before the patience ends.
pub(crate) fn next_try(
    patience: Duration,
    idle: Duration,
    failed: u32,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    let left = patience.checked_sub(idle).filter(|left| !left.is_zero())?;
    let ceiling = FIRST.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1).min(10))).min(LONGEST);
    let wait = ceiling.mul_f64(jitter.clamp(0.0, 1.0));
    Some(wait.max(retry_after.unwrap_or_default()).min(left))
}

/// The tries of one part.
#[derive(Debug)]
pub(crate) struct Tries<'a> {
    meter: &'a Meter,
    shared: std::sync::Arc<Shared>,
    failed: u32,
    best_before: u64,
    /// All tries so far, for people.
    pub(crate) number: u32,
}

/// What the connection's progress callback moves.
#[derive(Debug)]
pub(crate) struct Shared {
    sent: AtomicU64,
    /// The furthest byte that any try has reached: sending the same bytes again is not progress.
    best: AtomicU64,
    progress: Mutex<Instant>,
}

impl Shared {
    /// `bytes` more went out.
    pub(crate) fn sent(&self, bytes: u64) {
        let sent = self.sent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.best.fetch_max(sent, Ordering::Relaxed) < sent {
            *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }
}

impl<'a> Tries<'a> {
    /// Before the first try.
    pub(crate) fn new(meter: &'a Meter) -> Self {
        let shared =
            Shared { sent: AtomicU64::new(0), best: AtomicU64::new(0), progress: Mutex::new(Instant::now()) };
        Self { meter, shared: std::sync::Arc::new(shared), failed: 0, best_before: 0, number: 0 }
    }

    /// Begins a try; the value is for its progress callback.
    pub(crate) fn begin(&mut self) -> std::sync::Arc<Shared> {
        self.number += 1;
        self.best_before = self.shared.best.load(Ordering::Relaxed);
        std::sync::Arc::clone(&self.shared)
    }

    /// The try has failed; waits for the next one. `None` when there is none.
    pub(crate) fn fail(&mut self, patience: Duration, retry_after: Option<Duration>) -> Option<Duration> {
        self.meter.take_back(self.shared.sent.swap(0, Ordering::Relaxed));
        // A try that came further than all before starts the count anew.
        self.failed =
            if self.shared.best.load(Ordering::Relaxed) > self.best_before { 1 } else { self.failed + 1 };
        let idle = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        let wait = next_try(patience, idle, self.failed, retry_after, fastrand::f64())?;
        self.meter.retry();
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Meter, Tries, next_try};

    const PATIENCE: Duration = Duration::from_secs(120);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waits_longer_each_time_but_never_past_the_patience() {
        for (idle, failed, retry_after, jitter, want) in [
            (0, 1, None, 1.0, Some(500)),
            (0, 2, None, 1.0, Some(1000)),
            (0, 3, None, 0.5, Some(1000)),
            (0, 9, None, 1.0, Some(10_000)),
            (0, 9, None, 0.0, Some(0)),
            (0, 1, Some(30), 0.0, Some(30_000)),
            (110, 1, Some(30), 0.0, Some(10_000)),
            (119, u32::MAX, None, 1.0, Some(1000)),
            (120, 1, None, 0.0, None),
            (500, 1, Some(1), 0.0, None),
        ] {
            let wait = next_try(PATIENCE, seconds(idle), failed, retry_after.map(seconds), jitter);
            assert_eq!(wait, want.map(Duration::from_millis), "{idle} {failed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sending_the_same_bytes_again_is_no_progress() {
        let meter = Meter::new(100, 1);
        let mut tries = Tries::new(&meter);
        let mut rounds = 0;
        let began = tokio::time::Instant::now();
        loop {
            tries.begin().sent(60);
            meter.add(60);
            tokio::time::sleep(seconds(20)).await;
            assert_eq!(meter.done(), 60, "bytes of a failed try must be taken back");
            let Some(wait) = tries.fail(PATIENCE, None) else { break };
            tokio::time::sleep(wait).await;
            rounds += 1;
        }
        assert!((3..=6).contains(&rounds), "{rounds}");
        assert!(began.elapsed() < seconds(170), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_comes_further_each_time_is_never_given_up() {
        let meter = Meter::new(1000, 1);
        let mut tries = Tries::new(&meter);
        for round in 1..50 {
            tokio::time::sleep(seconds(100)).await;
            tries.begin().sent(round * 10);
            assert!(tries.fail(PATIENCE, None).is_some(), "round {round}");
        }
    }
}
