//! When a part (or a build in one piece) is sent again, and when it is given up. Pure but for the clock.

use std::sync::Arc;
use std::time::Duration;

use super::error::UploadError;
use super::progress::{AttemptProgress, Meter};
use super::put::PutError;
use crate::http::Backoff;

/// Between two attempts, unless storage says otherwise.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(10) };

/// The wait before the next attempt, `failed` attempts (from 1) after the last progress; `None` to give up when `idle`, the age of the last
/// progress, reaches `limit`. `jitter` is uniform in 0..1. The last attempt begins before that.
pub(crate) fn next_wait(
    limit: Duration,
    idle: Duration,
    failed: u32,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    let left = limit.checked_sub(idle).filter(|left| !left.is_zero())?;
    let wait = BACKOFF.ceiling(failed).mul_f64(jitter.clamp(0.0, 1.0));
    Some(wait.max(retry_after.unwrap_or_default()).min(left))
}

/// The attempts of one part.
#[derive(Debug)]
pub(crate) struct PartRetry {
    progress: Arc<AttemptProgress>,
    /// A part is tried again while its last progress is younger than this.
    limit: Duration,
    failed: u32,
    best_before: u64,
    /// All attempts so far, for people.
    pub(crate) number: u32,
}

impl PartRetry {
    /// Before the first attempt.
    pub(crate) fn new(meter: &Arc<Meter>, limit: Duration) -> Self {
        let progress = Arc::new(AttemptProgress::new(Arc::clone(meter)));
        Self { progress, limit, failed: 0, best_before: 0, number: 0 }
    }

    /// The part had to wait for `time` before it could begin: that does not count.
    pub(crate) fn queued(&self, time: Duration) {
        self.progress.queued(time);
    }

    /// Begins an attempt; the value is for the connection.
    pub(crate) fn begin(&mut self) -> Arc<AttemptProgress> {
        self.number += 1;
        self.best_before = self.progress.best();
        Arc::clone(&self.progress)
    }

    /// The attempt has failed: how long to wait before the next one, or the end of the upload. `what` names the part.
    pub(crate) fn wait(&mut self, error: PutError, what: &str) -> Result<(Duration, PutError), UploadError> {
        let wait = if error.is_final() { None } else { self.next_wait(error.retry_after()) };
        match wait {
            Some(wait) => Ok((wait, error)),
            None => Err(error.failure(what, self.number)),
        }
    }

    fn next_wait(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.progress.take_back();
        // An attempt that came further than all before starts the count anew.
        self.failed = if self.progress.best() > self.best_before { 1 } else { self.failed + 1 };
        let wait = next_wait(self.limit, self.progress.idle(), self.failed, retry_after, fastrand::f64())?;
        self.progress.retry();
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, Duration, Meter, PartRetry, next_wait};

    const LIMIT: Duration = Duration::from_secs(120);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waits_longer_each_time_but_never_past_the_limit() {
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
            let wait = next_wait(LIMIT, seconds(idle), failed, retry_after.map(seconds), jitter);
            assert_eq!(wait, want.map(Duration::from_millis), "{idle} {failed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sending_the_same_bytes_again_is_no_progress() {
        let meter = Arc::new(Meter::new(100, 1));
        let mut attempts = PartRetry::new(&meter, LIMIT);
        let mut rounds = 0;
        let began = tokio::time::Instant::now();
        loop {
            attempts.begin().sent(60);
            tokio::time::sleep(seconds(20)).await;
            assert_eq!(meter.done(), 60, "bytes of a failed attempt must be taken back");
            let Some(wait) = attempts.next_wait(None) else { break };
            tokio::time::sleep(wait).await;
            rounds += 1;
        }
        assert!((3..=6).contains(&rounds), "{rounds}");
        assert!(began.elapsed() < seconds(170), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_comes_further_each_time_is_never_given_up() {
        let meter = Arc::new(Meter::new(1000, 1));
        let mut attempts = PartRetry::new(&meter, LIMIT);
        for round in 1..50 {
            tokio::time::sleep(seconds(100)).await;
            attempts.begin().sent(round * 10);
            assert!(attempts.next_wait(None).is_some(), "round {round}");
        }
    }
}
