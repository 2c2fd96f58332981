//! When to look next: the poll schedule. Pure.

use std::time::Duration;

use crate::config::Poll;
use crate::http::Backoff;

/// Longest waits between two looks after failed ones, so that a recovered service is noticed soon.
const AFTER_ERROR: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
/// The documented poll of the service, which we fall back to after the first ten minutes.
const STEADY: Duration = Duration::from_secs(30);
/// How long the denser schedule lasts.
const EARLY: Duration = Duration::from_secs(600);

/// The wait before the next look, `elapsed` after the start of the wait; `failed` consecutive looks have failed.
/// `jitter` is uniform in 0..1 and only spreads waits after errors.
pub(super) fn next_look(poll: Poll, elapsed: Duration, failed: u32, jitter: f64) -> Duration {
    let regular = match poll {
        Poll::Every(every) => every,
        Poll::Auto if elapsed >= EARLY => STEADY,
        // 2 s at first, a tenth of the time already waited on top, at most 12 s: 60 looks in ten minutes,
        // and the end of a run is noticed within 6 s at the median.
        Poll::Auto => (Duration::from_secs(2) + elapsed / 10).min(Duration::from_secs(12)),
    };
    if failed == 0 {
        return regular;
    }
    AFTER_ERROR.ceiling(failed).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Poll, next_look};

    /// The moments of all looks within `span`.
    fn looks(poll: Poll, span: Duration) -> Vec<Duration> {
        let mut now = Duration::ZERO;
        let mut moments = Vec::new();
        loop {
            now += next_look(poll, now, 0, 0.5);
            if now > span {
                return moments;
            }
            moments.push(now);
        }
    }

    #[test]
    fn looks_at_most_sixty_times_in_the_first_ten_minutes() {
        let looks = looks(Poll::Auto, Duration::from_secs(600));
        assert!(looks.len() <= 60, "{} looks", looks.len());
        assert_eq!(looks[0], Duration::from_secs(2));
    }

    #[test]
    fn notices_the_end_within_six_seconds_at_the_median() {
        let lag = |poll| {
            let moments = looks(poll, Duration::from_secs(700));
            let mut lags: Vec<Duration> = (1..=600)
                .map(|second| {
                    let end = Duration::from_secs(second);
                    moments
                        .iter()
                        .find(|look| **look >= end)
                        .map_or(Duration::MAX, |look| (*look).checked_sub(end).unwrap())
                })
                .collect();
            lags.sort_unstable();
            lags[lags.len() / 2]
        };
        assert!(lag(Poll::Auto) <= Duration::from_secs(6), "{:?}", lag(Poll::Auto));
        assert!(lag(Poll::Auto) < lag(Poll::Every(Duration::from_secs(30))));
    }

    /// Looks, and how late the end is noticed at the median, for runs that end at any second up to that time.
    #[test]
    fn costs_little_beside_the_documented_poll() {
        println!(
            "polls | runs up to | looks, auto | looks, 30 s | noticed after, auto | noticed after, 30 s"
        );
        for minutes in [1, 2, 5, 10, 30, 60] {
            let end = minutes * 60;
            let of = |poll| {
                let moments = looks(poll, Duration::from_secs(end + 60));
                let mut lags: Vec<Duration> = (1..=end)
                    .map(Duration::from_secs)
                    .filter_map(|end| moments.iter().find_map(|look| look.checked_sub(end)))
                    .collect();
                lags.sort_unstable();
                let looks = moments.iter().filter(|look| look.as_secs() <= end).count();
                (looks, lags[lags.len() / 2])
            };
            let (ours, documented) = (of(Poll::Auto), of(Poll::Every(Duration::from_secs(30))));
            println!(
                "polls | {minutes} min | {} | {} | {:.1} s | {:.1} s",
                ours.0,
                documented.0,
                ours.1.as_secs_f64(),
                documented.1.as_secs_f64()
            );
            assert!(ours.1 <= documented.1);
            assert!(minutes > 10 || ours.1 <= Duration::from_secs(6));
        }
    }

    #[test]
    fn looks_every_thirty_seconds_after_ten_minutes() {
        assert_eq!(next_look(Poll::Auto, Duration::from_secs(601), 0, 0.0), Duration::from_secs(30));
    }

    #[test]
    fn never_waits_longer_than_ten_seconds_after_an_error() {
        for failed in 1..100 {
            for jitter in [0.0, 0.5, 1.0] {
                let wait = next_look(
                    Poll::Every(Duration::from_secs(600)),
                    Duration::from_secs(900),
                    failed,
                    jitter,
                );
                assert!(wait <= Duration::from_secs(10) && wait >= Duration::from_millis(500), "{wait:?}");
            }
        }
    }
}
