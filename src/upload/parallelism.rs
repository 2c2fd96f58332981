//! How many parts may be on their way at the same time: more while that makes the upload faster, fewer when storage asks for it, when
//! connections break, or when parts take longer for no gain. Pure: it is told what happened and when, and decides.

use std::time::Duration;

/// Parts in flight at the start, and the least that a weak link leaves.
const FIRST: usize = 4;
/// Parts in flight at most.
pub(crate) const MOST: usize = 32;
/// New connections fill buffers first, which is no throughput yet: so long after a change nothing is measured.
const SETTLE: Duration = Duration::from_millis(500);
/// The shortest measurement, and the longest where the link is too slow for [`ENOUGH`].
const MEASURE: Duration = Duration::from_secs(1);
const LONGEST_MEASURE: Duration = Duration::from_secs(10);
/// Bytes of each part in flight that make a measurement.
const ENOUGH: u64 = 4 * 1024 * 1024;
/// What twice as many parts must bring at least, as a share of what they could: a third of it pays.
const GAIN: f64 = 0.3;
/// After a step that brought nothing the next one is taken so much later; twice that after each further one.
const PAUSE: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(320);
/// After storage asked to slow down, one more part goes on after each of these.
const RECOVERY: Duration = Duration::from_secs(15);
/// All parts in flight hear the same request; it counts once.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// What is no throughput, but tells of too many parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overload {
    /// Storage asked to slow down.
    SlowDown,
    /// A connection broke.
    Reset,
}

/// Bytes per second that a number of parts in flight brought.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    limit: usize,
    rate: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// The number is measured; it is kept when it brings more than the one before.
    Growing { before: Option<Measured> },
    /// The number is right until then, or while the rate is what it was.
    Holding { until: Duration, rate: Option<f64> },
    /// Coming back from `from` to `to`.
    Recovering { since: Duration, from: usize, to: usize },
}

/// The decision for one upload. Times count from its start.
#[derive(Debug)]
pub(crate) struct Parallelism {
    limit: usize,
    least: usize,
    most: usize,
    stage: Stage,
    pause: Duration,
    changed: Duration,
    slowed: Option<Duration>,
    /// When the measurement began, and what had been sent by then.
    window: Option<(Duration, u64)>,
}

impl Parallelism {
    /// `fixed` parts, or, without a number, what the link turns out to take.
    pub(crate) fn new(fixed: Option<usize>) -> Self {
        let (least, most) = fixed.map_or((FIRST, MOST), |fixed| (fixed, fixed));
        Self {
            limit: least,
            least,
            most,
            stage: Stage::Growing { before: None },
            pause: PAUSE,
            changed: Duration::ZERO,
            slowed: None,
            window: None,
        }
    }

    /// Parts that may be on their way now.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// `sent` bytes went out since the start, and `in_flight` parts are on their way while more wait.
    pub(crate) fn sample(&mut self, now: Duration, sent: u64, in_flight: usize) {
        if let Stage::Recovering { since, from, to } = self.stage {
            let steps = now.saturating_sub(since).as_secs() / RECOVERY.as_secs();
            self.set(from.saturating_add(usize::try_from(steps).unwrap_or(to)).min(to), now);
            if self.limit == to {
                self.hold(now, None);
            }
            return;
        }
        if in_flight != self.limit || now < self.changed + SETTLE {
            self.window = None;
            return;
        }
        let &mut (began, sent_before) = self.window.get_or_insert((now, sent));
        let time = now.saturating_sub(began);
        let bytes = sent.saturating_sub(sent_before);
        let enough = bytes >= ENOUGH * self.limit as u64 || time >= LONGEST_MEASURE;
        if time >= MEASURE && enough {
            self.window = None;
            #[expect(clippy::cast_precision_loss, reason = "a rate is compared, not counted")]
            self.decide(now, bytes as f64 / time.as_secs_f64());
        }
    }

    /// Fewer parts, because something says that they are too many.
    pub(crate) fn overload(&mut self, now: Duration, overload: Overload) {
        match overload {
            Overload::SlowDown => {
                if self.slowed.is_some_and(|slowed| now < slowed + SAME_REQUEST) {
                    return;
                }
                self.slowed = Some(now);
                let (from, to) = ((self.limit / 2).max(1), self.limit.max(self.least));
                self.set(from, now);
                self.stage = Stage::Recovering { since: now, from, to };
            }
            // What the first few go through is the link itself.
            Overload::Reset if self.limit > self.least => {
                self.set((self.limit - self.limit / 4).max(self.least), now);
                self.hold(now, None);
            }
            Overload::Reset => {}
        }
    }

    fn decide(&mut self, now: Duration, rate: f64) {
        match self.stage {
            Stage::Growing { before: Some(before) } if rate < before.worth(self.limit) => {
                self.set(before.limit, now);
                self.hold(now, Some(before.rate));
            }
            Stage::Growing { .. } => self.grow(now, rate),
            // Each part takes twice as long as it did: whatever the link has become, fewer fill it.
            Stage::Holding { rate: Some(known), .. } if rate < known / 2.0 && self.limit > self.least => {
                self.set((self.limit / 2).max(self.least), now);
                self.hold(now, None);
            }
            Stage::Holding { until, .. } if now >= until => self.grow(now, rate),
            Stage::Holding { until, rate: None } => self.stage = Stage::Holding { until, rate: Some(rate) },
            Stage::Holding { .. } | Stage::Recovering { .. } => {}
        }
    }

    fn grow(&mut self, now: Duration, rate: f64) {
        if self.limit >= self.most {
            return self.hold(now, Some(rate));
        }
        self.stage = Stage::Growing { before: Some(Measured { limit: self.limit, rate }) };
        self.set((self.limit * 2).min(self.most), now);
    }

    fn hold(&mut self, now: Duration, rate: Option<f64>) {
        self.stage = Stage::Holding { until: now + self.pause, rate };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn set(&mut self, limit: usize, now: Duration) {
        if limit != self.limit {
            (self.limit, self.changed, self.window) = (limit, now, None);
        }
    }
}

impl Measured {
    /// The rate at which `limit` parts pay.
    fn worth(self, limit: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most 32")]
        let factor = limit as f64 / self.limit as f64;
        self.rate * (1.0 + GAIN * (factor - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, MOST, Overload, Parallelism};

    const MB: f64 = 1e6;
    const PART: f64 = 104.8576 * MB;
    const STEP: Duration = Duration::from_millis(250);

    /// A link, and a storage behind it.
    #[derive(Clone, Copy)]
    struct Link {
        /// Bytes per second of all connections together, and of one.
        all: f64,
        each: f64,
        /// Rates differ by up to this share from one moment to the next.
        noise: f64,
        /// Parts that storage takes at a time; it asks to slow down when there are more.
        allowed: usize,
        /// Every so many seconds a connection breaks.
        breaks: Option<u64>,
    }

    const LINK: Link = Link { all: 300.0 * MB, each: 10.0 * MB, noise: 0.0, allowed: 99, breaks: None };

    struct Outcome {
        seconds: f64,
        /// Parts in flight, four times a second.
        in_flight: Vec<usize>,
    }

    impl Outcome {
        fn most(&self) -> usize {
            self.in_flight.iter().copied().max().unwrap()
        }

        /// Before the last parts leave nothing to start.
        fn last(&self) -> usize {
            self.in_flight[self.in_flight.len() / 2]
        }
    }

    struct Connection {
        delivered: f64,
        accepted: f64,
    }

    /// An upload in virtual time; a new connection takes some megabytes into buffers at once, as real ones do.
    fn upload(link: Link, fixed: Option<usize>, parts: usize) -> Outcome {
        let mut random = fastrand::Rng::with_seed(7);
        let mut parallelism = Parallelism::new(fixed);
        let (mut waiting, mut flying, mut sent) = (parts, Vec::<Connection>::new(), 0.0);
        let mut outcome = Outcome { seconds: 0.0, in_flight: Vec::new() };
        let mut now = Duration::ZERO;
        while waiting > 0 || !flying.is_empty() {
            while flying.len() < parallelism.limit() && waiting > 0 {
                waiting -= 1;
                flying.push(Connection { delivered: 0.0, accepted: 0.0 });
            }
            let breaks = |every| waiting > 0 && now.as_millis() % u128::from(every * 1000_u64) == 250;
            let broken = link.breaks.is_some_and(breaks);
            if flying.len() > link.allowed || broken {
                let overload = if broken { Overload::Reset } else { Overload::SlowDown };
                let keep = if broken { flying.len() - 1 } else { link.allowed };
                for connection in flying.drain(keep..) {
                    waiting += 1;
                    sent -= connection.accepted;
                    parallelism.overload(now, overload);
                }
            }
            outcome.in_flight.push(flying.len());
            #[expect(clippy::cast_precision_loss, reason = "a few parts")]
            let share = link.each.min(link.all / flying.len().max(1) as f64);
            for connection in &mut flying {
                let rate = share * (1.0 + link.noise * (random.f64() * 2.0 - 1.0));
                connection.delivered += rate * STEP.as_secs_f64();
                let accepted = (connection.delivered + 4.0 * MB).min(PART);
                sent += accepted - connection.accepted;
                connection.accepted = accepted;
            }
            flying.retain(|connection| connection.delivered < PART);
            now += STEP;
            if waiting > 0 {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
                parallelism.sample(
                    now,
                    sent.max(0.0) as u64,
                    flying.len().max(parallelism.limit().min(waiting)),
                );
            }
        }
        outcome.seconds = now.as_secs_f64();
        outcome
    }

    #[test]
    fn slow_connections_are_multiplied_until_the_link_is_full() {
        for parts in [20, 60, 500] {
            let (auto, fixed) = (upload(LINK, None, parts), upload(LINK, Some(16), parts));
            assert!(auto.seconds <= fixed.seconds / 0.85, "{parts}: {} and {}", auto.seconds, fixed.seconds);
            assert_eq!(auto.in_flight[0], 4);
        }
        assert_eq!(upload(LINK, None, 500).last(), MOST);
    }

    #[test]
    fn a_thin_link_stays_with_a_few() {
        let thin = Link { all: 4.0 * MB, each: 4.0 * MB, ..LINK };
        let (auto, fixed) = (upload(thin, None, 40), upload(thin, Some(4), 40));
        assert!(auto.seconds <= fixed.seconds * 1.01, "{} and {}", auto.seconds, fixed.seconds);
        assert!(auto.most() <= 8, "{}", auto.most());
    }

    #[test]
    fn a_fast_link_stays_with_a_few() {
        let fast = Link { all: 1000.0 * MB, each: 500.0 * MB, ..LINK };
        let auto = upload(fast, None, 500);
        assert!(auto.most() <= 8 && auto.last() == 4, "{} {}", auto.most(), auto.last());
    }

    #[test]
    fn noise_neither_stops_growth_nor_slows_a_thin_link_down() {
        let noisy = Link { noise: 0.5, ..LINK };
        assert!(upload(noisy, None, 500).last() >= 16);
        let thin = Link { all: 4.0 * MB, each: 4.0 * MB, noise: 0.5, ..LINK };
        let (auto, fixed) = (upload(thin, None, 40), upload(thin, Some(4), 40));
        assert!(auto.seconds <= fixed.seconds * 1.02, "{} and {}", auto.seconds, fixed.seconds);
    }

    #[test]
    fn storage_that_asks_to_slow_down_is_obeyed() {
        let auto = upload(Link { allowed: 10, ..LINK }, None, 500);
        assert!(auto.most() <= 10);
        // A third of the way to ten and more goes on, but never at once.
        let fixed = upload(Link { allowed: 10, ..LINK }, Some(5), 500);
        assert!(auto.seconds <= fixed.seconds * 1.05, "{} and {}", auto.seconds, fixed.seconds);
    }

    #[test]
    fn connections_that_break_leave_the_first_few() {
        let auto = upload(Link { breaks: Some(2), ..LINK }, None, 300);
        assert!((4..16).contains(&auto.last()), "{}", auto.last());
        assert!(auto.in_flight[8..auto.in_flight.len() - 100].iter().all(|count| *count >= 3));
    }

    #[test]
    fn a_number_fixes_it_and_a_slow_down_counts_once() {
        assert_eq!(upload(LINK, Some(7), 100).most(), 7);
        let mut fixed = Parallelism::new(Some(8));
        let second = Duration::from_secs;
        fixed.overload(second(0), Overload::Reset);
        assert_eq!(fixed.limit(), 8);
        for (at, want) in [(10, 4), (10, 4), (12, 2), (14, 1), (16, 1)] {
            fixed.overload(second(at), Overload::SlowDown);
            assert_eq!(fixed.limit(), want, "at {at} s");
        }
        for (at, want) in [(20, 1), (31, 2), (46, 2), (61, 2), (500, 2)] {
            fixed.sample(second(at), 0, 1);
            assert!(fixed.limit() >= want, "at {at} s: {}", fixed.limit());
        }
        assert_eq!(fixed.limit(), 8);
    }

    #[test]
    fn a_link_that_becomes_thin_is_left_with_fewer() {
        let mut parallelism = Parallelism::new(None);
        let (mut now, mut sent) = (Duration::ZERO, 0);
        let mut run = |parallelism: &mut Parallelism, seconds: u64, rate: u64| {
            for _ in 0..seconds * 4 {
                now += STEP;
                sent += rate * parallelism.limit() as u64 / 4;
                parallelism.sample(now, sent, parallelism.limit());
            }
        };
        run(&mut parallelism, 20, 10_000_000);
        assert_eq!(parallelism.limit(), MOST);
        run(&mut parallelism, 25, 1_000_000);
        assert!(parallelism.limit() <= 16, "{}", parallelism.limit());
    }
}
