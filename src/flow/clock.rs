//! How long something really took, also on a machine that slept in between. Pure but for [`Stopwatch::elapsed`].

use std::time::{Duration, Instant, SystemTime};

/// A wall clock that runs ahead of the monotonic one by this much between two looks has jumped: the machine slept.
const JUMP: Duration = Duration::from_secs(60);

/// Measures elapsed time on the monotonic clock, and adds what it missed while the machine was suspended.
#[derive(Debug, Clone)]
pub(super) struct Stopwatch {
    began: Instant,
    slept: Duration,
    last: (Instant, SystemTime),
}

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, slept: Duration::ZERO, last: (now, SystemTime::now()) }
    }

    /// Time since the start, sleep of the machine included.
    pub(super) fn elapsed(&mut self) -> Duration {
        self.elapsed_at(Instant::now(), SystemTime::now())
    }

    fn elapsed_at(&mut self, now: Instant, wall: SystemTime) -> Duration {
        let (last_now, last_wall) = std::mem::replace(&mut self.last, (now, wall));
        // A wall clock set back gives an error here, and means nothing.
        if let Ok(walked) = wall.duration_since(last_wall) {
            let missed = walked.saturating_sub(now.saturating_duration_since(last_now));
            if missed >= JUMP {
                self.slept += missed;
            }
        }
        now.saturating_duration_since(self.began) + self.slept
    }

    /// Time the machine was suspended, as far as it was noticed.
    #[must_use]
    pub(super) const fn slept(&self) -> Duration {
        self.slept
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Stopwatch};

    fn after(watch: &mut Stopwatch, monotonic: u64, wall: i64) -> u64 {
        let (now, clock) = watch.last;
        let clock = if wall < 0 {
            clock - Duration::from_secs(wall.unsigned_abs())
        } else {
            clock + Duration::from_secs(wall.unsigned_abs())
        };
        watch.elapsed_at(now + Duration::from_secs(monotonic), clock).as_secs()
    }

    #[test]
    fn counts_the_sleep_of_the_machine() {
        let mut watch = Stopwatch::start();
        assert_eq!(after(&mut watch, 10, 10), 10);
        assert_eq!(after(&mut watch, 10, 7210), 7220);
        assert_eq!(watch.slept().as_secs(), 7200);
        assert_eq!(after(&mut watch, 5, 5), 7225);
    }

    #[test]
    fn ignores_small_corrections_and_clocks_set_back() {
        let mut watch = Stopwatch::start();
        assert_eq!(after(&mut watch, 10, 40), 10);
        assert_eq!(after(&mut watch, 10, -3600), 20);
    }
}
