//! How many parts may be on their way at the same time: all that the plan allows, fewer for a while after storage asks to slow down.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After a slow-down one more worker may go on after each of these.
const STEP: Duration = Duration::from_secs(15);

/// The throttle of one upload.
#[derive(Debug)]
pub(crate) struct Throttle {
    most: usize,
    slowed: Mutex<Option<(usize, Instant)>>,
}

impl Throttle {
    /// At most `most` workers.
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), slowed: Mutex::new(None) }
    }

    /// Storage asked to slow down: half of those at work go on for now.
    pub(crate) fn slow_down(&self) {
        let mut slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let current = allowed(self.most, *slowed, now);
        // All workers hear the same request; only the first of them halves the number.
        if slowed.is_none_or(|(_, since)| now.duration_since(since) >= Duration::from_secs(1)) {
            *slowed = Some(((current / 2).max(1), now));
        }
    }

    /// Whether the worker of that index (from 0) may take another part.
    pub(crate) fn allows(&self, worker: usize) -> bool {
        let slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        worker < allowed(self.most, *slowed, Instant::now())
    }
}

/// The number of workers that may go on.
fn allowed(most: usize, slowed: Option<(usize, Instant)>, now: Instant) -> usize {
    let Some((left, since)) = slowed else { return most };
    let steps = now.duration_since(since).as_secs() / STEP.as_secs();
    left.saturating_add(usize::try_from(steps).unwrap_or(usize::MAX)).min(most)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Throttle};

    fn at_work(throttle: &Throttle) -> usize {
        (0..20).filter(|worker| throttle.allows(*worker)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn halves_and_comes_back() {
        let throttle = Throttle::new(8);
        assert_eq!(at_work(&throttle), 8);
        throttle.slow_down();
        throttle.slow_down();
        assert_eq!(at_work(&throttle), 4, "one request heard twice counts once");
        tokio::time::sleep(Duration::from_secs(2)).await;
        for want in [2, 1, 1] {
            throttle.slow_down();
            assert_eq!(at_work(&throttle), want);
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert_eq!(at_work(&throttle), 3);
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(at_work(&throttle), 8);
    }
}
