//! How long something really took, also on a machine that slept in between. Pure but for [`Stopwatch::elapsed`].
//!
//! The wall clock has no part in it: somebody may set it. Sleep is what a clock that counts it has and the monotonic one lacks.

use std::time::{Duration, Instant};

/// Such a difference between two looks is sleep; less may be the time between reading two clocks on a busy machine.
const LEAST_SLEEP: Duration = Duration::from_secs(10);

/// Measures elapsed time on the monotonic clock, and adds what it missed while the machine was suspended.
#[derive(Debug, Clone)]
pub(super) struct Stopwatch {
    began: Instant,
    slept: Duration,
    last: (Instant, Option<Duration>),
}

/// Time since the machine began, sleep included; `None` where [`Instant`] counts sleep itself, or nothing tells of it.
fn since_boot() -> Option<Duration> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    // Here it is `Instant` that leaves sleep out, and this one counts it (clock_gettime(3) of macOS).
    #[cfg(target_vendor = "apple")]
    let clock = rustix::time::ClockId::Monotonic;
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        Duration::try_from(rustix::time::clock_gettime(clock)).ok()
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    None
}

impl Stopwatch {
    /// Starts now.
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, slept: Duration::ZERO, last: (now, since_boot()) }
    }

    /// Time since the start, sleep of the machine included.
    pub(super) fn elapsed(&mut self) -> Duration {
        self.elapsed_at(Instant::now(), since_boot())
    }

    fn elapsed_at(&mut self, now: Instant, boot: Option<Duration>) -> Duration {
        let (last_now, last_boot) = std::mem::replace(&mut self.last, (now, boot));
        if let (Some(boot), Some(last_boot)) = (boot, last_boot) {
            let passed = boot.saturating_sub(last_boot);
            let missed = passed.saturating_sub(now.saturating_duration_since(last_now));
            if missed >= LEAST_SLEEP {
                self.slept += missed;
            }
        }
        now.saturating_duration_since(self.began) + self.slept
    }

    /// Time the machine was suspended, as far as it was noticed.
    pub(super) const fn slept(&self) -> Duration {
        self.slept
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Stopwatch};

    fn after(watch: &mut Stopwatch, monotonic: u64, boot: Option<u64>) -> u64 {
        let (now, clock) = watch.last;
        let boot = boot.map(|boot| clock.unwrap_or_default() + Duration::from_secs(boot));
        watch.elapsed_at(now + Duration::from_secs(monotonic), boot).as_secs()
    }

    #[test]
    fn counts_the_sleep_of_the_machine() {
        let mut watch = Stopwatch::start();
        assert_eq!(after(&mut watch, 10, Some(10)), 10);
        assert_eq!(after(&mut watch, 10, Some(7210)), 7220);
        assert_eq!(watch.slept().as_secs(), 7200);
        assert_eq!(after(&mut watch, 5, Some(5)), 7225);
    }

    #[test]
    fn goes_on_without_the_other_clock() {
        let mut watch = Stopwatch::start();
        assert_eq!(after(&mut watch, 10, None), 10);
        assert_eq!(after(&mut watch, 10, Some(9000)), 20, "there is nothing to compare with");
        assert_eq!(after(&mut watch, 10, Some(0)), 30);
    }

    /// A wall clock that is set forward or back in the meantime moves neither of the two clocks that are read.
    #[test]
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    fn the_other_clock_is_no_wall_clock() {
        use super::since_boot;
        let boot = since_boot().unwrap();
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(boot < wall / 2, "a machine does not run since 1970");
        assert!(since_boot().unwrap() >= boot);
    }
}
