//! How far the work has come, and the line that says so every few seconds.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::live::{Row, TransferRow};
use crate::model::log::Log;
use crate::model::units;

/// Between two looks at the counters.
const LOOK: Duration = Duration::from_secs(1);
/// Time between two lines.
const TICK: Duration = Duration::from_secs(5);
/// Time between two lines of a long upload, which would fill the log otherwise.
const LONG_TICK: Duration = Duration::from_secs(15);
/// When an upload counts as long.
const LONG: Duration = Duration::from_secs(600);
/// The rate is that of the last half minute.
const WINDOW: Duration = Duration::from_secs(30);

/// Counters that the workers move and the reporter reads.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Bytes in all.
    pub(crate) total: u64,
    /// Parts in all; 0 when there are no parts.
    pub(crate) parts: u32,
    done: AtomicU64,
    parts_done: AtomicU32,
    retries: AtomicU32,
}

impl Meter {
    /// Nothing done yet.
    pub(crate) fn new(total: u64, parts: u32) -> Self {
        Self {
            total,
            parts,
            done: AtomicU64::new(0),
            parts_done: AtomicU32::new(0),
            retries: AtomicU32::new(0),
        }
    }

    /// `bytes` more are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// `bytes` must be done again.
    fn take_back(&self, bytes: u64) {
        // A late report of an attempt that was given up must not wrap the counter.
        let _ = self
            .done
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |done| Some(done.saturating_sub(bytes)));
    }

    /// One more part is done.
    pub(crate) fn part_done(&self) {
        self.parts_done.fetch_add(1, Ordering::Relaxed);
    }

    /// One more attempt.
    fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Attempts beyond the first ones.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Bytes done.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// How far the attempts of one part have come; moved by the connection.
#[derive(Debug)]
pub(crate) struct AttemptProgress {
    meter: Arc<Meter>,
    sent: AtomicU64,
    /// The furthest byte that any attempt has reached: sending the same bytes again is not progress.
    best: AtomicU64,
    moved: Mutex<Instant>,
}

impl AttemptProgress {
    /// Before the first attempt.
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, sent: AtomicU64::new(0), best: AtomicU64::new(0), moved: Mutex::new(Instant::now()) }
    }

    /// `bytes` more went out.
    pub(crate) fn sent(&self, bytes: u64) {
        self.meter.add(bytes);
        let sent = self.sent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.best.fetch_max(sent, Ordering::Relaxed) < sent {
            *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// The attempt has failed: its bytes must be sent again.
    pub(crate) fn take_back(&self) {
        self.meter.take_back(self.sent.swap(0, Ordering::Relaxed));
    }

    /// The attempt's part is tried once more.
    pub(crate) fn retry(&self) {
        self.meter.retry();
    }

    /// The part had to wait for `time` without a fault of its own.
    pub(crate) fn queued(&self, time: Duration) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    /// The furthest byte so far.
    pub(crate) fn best(&self) -> u64 {
        self.best.load(Ordering::Relaxed)
    }

    /// The age of the last progress.
    pub(crate) fn idle(&self) -> Duration {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Says how far it has come until it is dropped; `verb` begins each line (`uploading`, `hashing`). Whoever watches sees a bar that
/// moves, a log that is kept gets a line every few seconds.
pub(crate) async fn report(verb: &str, meter: &Meter, log: &Log) -> Infallible {
    let began = Instant::now();
    let mut samples = VecDeque::from([(began, meter.done())]);
    let (mut moved, mut told) = (began, began);
    let live = log.live();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = Instant::now();
        let done = meter.done();
        if samples.back().is_some_and(|(_, last)| *last != done) {
            moved = now;
        }
        samples.push_back((now, done));
        while samples.len() > 2 && samples.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            samples.pop_front();
        }
        let rate = samples
            .front()
            .map_or(0, |(at, first)| rate(done.saturating_sub(*first), now.duration_since(*at)));
        let details = details(meter, done, rate, now.duration_since(moved));
        let row = TransferRow { verb: verb.to_owned(), percent: percent(meter, done), details };
        let every = if began.elapsed() < LONG { TICK } else { LONG_TICK };
        if !live.show(&[Row::Transfer(row.clone())]) && now.duration_since(told) >= every {
            told = now;
            log.info(line(&row));
        }
    }
}

/// Bytes per second.
fn rate(bytes: u64, time: Duration) -> u64 {
    let millis = time.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / millis).unwrap_or(u64::MAX)
}

/// Never "100 %" before the last answer has come.
fn percent(meter: &Meter, done: u64) -> u8 {
    u8::try_from((u128::from(done) * 100 / u128::from(meter.total.max(1))).min(99)).unwrap_or(99)
}

/// What is known besides the percentage, the most important first.
fn details(meter: &Meter, done: u64, rate: u64, idle: Duration) -> Vec<String> {
    let mut details =
        vec![format!("{} of {}", units::bytes(done.min(meter.total)), units::bytes(meter.total))];
    let left = meter.total.saturating_sub(done);
    if idle >= TICK {
        details.push(format!("nothing moved for {}", units::duration(idle)));
    } else if rate > 0 {
        details.push(format!("{}/s", units::bytes(rate)));
        details.push(format!("{} left", units::duration(Duration::from_secs(left.div_ceil(rate)))));
    }
    if meter.parts > 0 {
        details.push(format!("{} of {} parts", meter.parts_done.load(Ordering::Relaxed), meter.parts));
    }
    match meter.retries() {
        0 => {}
        1 => details.push("1 retry".to_owned()),
        retries => details.push(format!("{retries} retries")),
    }
    details
}

fn line(row: &TransferRow) -> String {
    let mut line = format!("{}: {} %", row.verb, row.percent);
    for (number, detail) in row.details.iter().enumerate() {
        let _ = if number == 0 { write!(line, " ({detail})") } else { write!(line, ", {detail}") };
    }
    line
}

/// The last line: `uploaded Game.zip: 1.2 GB in 24 s, 50.1 MB/s on average, 12 parts, 2 retries`.
pub(crate) fn summary(file_name: &str, meter: &Meter, took: Duration) -> String {
    let parts = match meter.parts {
        0 => String::new(),
        1 => ", 1 part".to_owned(),
        parts => format!(", {parts} parts"),
    };
    let retries = match meter.retries() {
        0 => String::new(),
        1 => ", 1 retry".to_owned(),
        retries => format!(", {retries} retries"),
    };
    format!(
        "uploaded {file_name}: {} in {}, {}/s on average{parts}{retries}",
        units::bytes(meter.total),
        units::duration(took),
        units::bytes(rate(meter.total, took)),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::{Duration, Meter, report, summary};
    use crate::model::log::{Level, Log, Sink};

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Sink for Lines {
        fn line(&self, _: Level, text: &str) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        }
        fn group(&self, _: &str) {}
        fn end_group(&self) {}
        fn mask(&self, _: &str) {}
    }

    #[tokio::test(start_paused = true)]
    async fn says_how_far_it_has_come_every_few_seconds() {
        let lines = Arc::new(Lines::default());
        let log = Log::new(lines.clone());
        let meter = Meter::new(1_000_000_000, 10);
        let work = async {
            for second in 0_u64..20 {
                tokio::time::sleep(Duration::from_millis(999)).await;
                if second < 10 {
                    meter.add(50_000_000);
                }
                match second {
                    3 => meter.part_done(),
                    7 => {
                        meter.retry();
                        meter.take_back(25_000_000);
                    }
                    _ => {}
                }
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        };
        tokio::select! { () = work => {}, never = report("uploading", &meter, &log) => match never {} }
        let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(
            lines,
            [
                "uploading: 25 % (250.0 MB of 1.0 GB), 50.0 MB/s, 15 s left, 1 of 10 parts",
                "uploading: 47 % (475.0 MB of 1.0 GB), 47.5 MB/s, 12 s left, 1 of 10 parts, 1 retry",
                "uploading: 47 % (475.0 MB of 1.0 GB), nothing moved for 5 s, 1 of 10 parts, 1 retry",
                "uploading: 47 % (475.0 MB of 1.0 GB), nothing moved for 10 s, 1 of 10 parts, 1 retry",
            ]
        );
    }

    #[test]
    fn sums_up() {
        let meter = Meter::new(1_200_000_000, 12);
        meter.take_back(1);
        meter.retry();
        meter.retry();
        assert_eq!(
            summary("Game.zip", &meter, Duration::from_secs(24)),
            "uploaded Game.zip: 1.2 GB in 24 s, 50.0 MB/s on average, 12 parts, 2 retries"
        );
        assert_eq!(
            summary("a.apk", &Meter::new(3, 0), Duration::from_millis(100)),
            "uploaded a.apk: 3 B in 0.1 s, 30 B/s on average"
        );
    }
}
