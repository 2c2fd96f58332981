//! The one loop that tries again: a policy decides purely what comes after an attempt, and the loop waits and says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::log::{Live, Log};
use crate::model::units;

/// Longest `Retry-After` that is honoured.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Time that the last attempt of a budget gets at least.
const LAST_ATTEMPT: Duration = Duration::from_secs(5);
/// First ceiling of a delay; it doubles with every attempt.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// No delay is shorter, so that jitter never hammers.
const SHORTEST_DELAY: Duration = Duration::from_millis(100);

/// Whether a call may be repeated after an unclear answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Repeating has no further effect.
    Repeatable,
    /// Repeating may do it twice; repeated only when the first surely had no effect.
    Effectful,
}

/// What an attempt without a usable answer tells about its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It surely had none: no connection came about, or the service asks to slow down.
    Harmless {
        /// How long the service wants us to wait.
        retry_after: Option<Duration>,
    },
    /// It may have had one: the connection broke, nothing came, or the service failed.
    Unclear {
        /// How long the service wants us to wait.
        retry_after: Option<Duration>,
    },
    /// An answer; repeating changes nothing.
    Final,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt after this wait.
    Wait(Duration),
    /// The last error stands.
    GiveUp,
}

/// Waits that double from `first` up to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// The longest wait after the first failure.
    pub(crate) first: Duration,
    /// No wait is longer.
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The longest wait after `failed` failures in a row, from 1.
    pub(crate) fn ceiling(self, failed: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failed.saturating_sub(1).min(16));
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// How long and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// From the first attempt to the end of the last.
    pub(crate) budget: Duration,
    /// Longest delay of our own choice.
    pub(crate) cap: Duration,
    /// Most attempts.
    pub(crate) attempts: u32,
    /// What may be repeated.
    pub(crate) class: Class,
}

impl Policy {
    /// Short API calls: up to 60 s in all, delays up to 10 s.
    pub(crate) const fn patient(class: Class) -> Self {
        Self { budget: Duration::from_secs(60), cap: Duration::from_secs(10), attempts: u32::MAX, class }
    }

    /// The same with a budget of at most `limit`.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { budget: self.budget.min(limit), ..self }
    }

    /// One attempt, of at most `budget`.
    pub(crate) const fn once(class: Class, budget: Duration) -> Self {
        Self { budget, cap: Duration::ZERO, attempts: 1, class }
    }

    /// For the way out: at least one retry, all within 4.5 s. Quick refusals leave time for more, so that a host that is gone for
    /// a moment is asked again.
    pub(crate) const fn urgent(class: Class) -> Self {
        Self { budget: Duration::from_millis(4500), cap: Duration::from_millis(500), attempts: 5, class }
    }

    /// What comes after attempt number `attempt` (from 1) ended with `fault`, `elapsed` after the first began.
    /// `jitter` is uniform in 0..1. The last attempt begins so that it has time before the budget ends.
    pub(crate) fn next(&self, attempt: u32, elapsed: Duration, fault: Fault, jitter: f64) -> Next {
        let retry_after = match (fault, self.class) {
            (Fault::Final, _) | (Fault::Unclear { .. }, Class::Effectful) => return Next::GiveUp,
            (Fault::Harmless { retry_after }, _) | (Fault::Unclear { retry_after }, Class::Repeatable) => {
                retry_after
            }
        };
        let last_start = self.budget.saturating_sub(LAST_ATTEMPT.min(self.budget / 2));
        if attempt >= self.attempts || elapsed >= last_start {
            return Next::GiveUp;
        }
        let ceiling = Backoff { first: FIRST_DELAY, longest: self.cap }.ceiling(attempt);
        let part = if jitter >= 0.0 { jitter.min(1.0) } else { 0.0 };
        let delay = ceiling.mul_f64(part).max(SHORTEST_DELAY);
        let wanted = retry_after.map_or(delay, |after| after.min(LONGEST_RETRY_AFTER).max(delay));
        Next::Wait(wanted.min(last_start.saturating_sub(elapsed)))
    }
}

/// Between two lines about retries in a log that is kept, whatever the number of calls that are repeated.
const EVERY_LINE: Duration = Duration::from_secs(60);

/// Tells of retries: in place where a person watches a terminal, else in one line a minute for all calls together. The diagnostics
/// have every attempt.
#[derive(Debug, Clone)]
pub(crate) struct RetryLog {
    log: Log,
    last: Arc<Mutex<Option<Instant>>>,
}

impl RetryLog {
    /// One for all calls that share `log`.
    pub(crate) fn new(log: Log) -> Self {
        Self { log, last: Arc::default() }
    }

    fn say(&self, live: &Live, text: &str) {
        if !live.line(text) {
            self.note(text);
        }
    }

    /// A line of the story at most once a minute; for work that shows in place how it gets on, and would take away what a retry shows.
    pub(crate) fn note(&self, text: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < EVERY_LINE) {
            return self.log.debug(text);
        }
        *last = Some(Instant::now());
        self.log.info(text);
    }
}

/// The state of one call's attempts.
#[derive(Debug)]
struct Attempts {
    policy: Policy,
    began: Instant,
    number: u32,
    /// Shown from the first retry to the end of the call.
    live: Option<Live>,
}

impl Attempts {
    /// Before the first attempt.
    fn begin(policy: Policy) -> Self {
        Self { policy, began: Instant::now(), number: 1, live: None }
    }

    /// Number of the current attempt, from 1.
    const fn number(&self) -> u32 {
        self.number
    }

    /// What is left of the budget.
    fn time_left(&self) -> Duration {
        self.policy.budget.saturating_sub(self.began.elapsed())
    }

    /// Waits for the next attempt, and tells of it. False when there is none.
    async fn again(&mut self, fault: Fault, what: &str, retries: &RetryLog) -> bool {
        match self.policy.next(self.number, self.began.elapsed(), fault, fastrand::f64()) {
            Next::GiveUp => false,
            Next::Wait(wait) => {
                self.number += 1;
                let live = self.live.get_or_insert_with(|| retries.log.live());
                retries.say(live, &format!("attempt {} in {}: {what}", self.number, units::duration(wait)));
                tokio::time::sleep(wait).await;
                true
            }
        }
    }
}

/// An error that a loop of attempts understands.
pub(crate) trait AttemptError {
    /// What it means for another attempt.
    fn fault(&self) -> Fault;
    /// A few words for the line about a retry.
    fn brief(&self) -> String;
    /// Takes the number of attempts that were made.
    fn attempts(&mut self, made: u32);
}

/// One attempt of several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// From 1.
    pub(crate) number: u32,
    /// What is left of the budget.
    pub(crate) time_left: Duration,
}

/// Tries until it works, or until `policy` ends it with the last error.
pub(crate) async fn retry<T, E: AttemptError, F: Future<Output = Result<T, E>>>(
    policy: Policy,
    retries: &RetryLog,
    mut attempt: impl FnMut(Attempt) -> F,
) -> Result<T, E> {
    let mut attempts = Attempts::begin(policy);
    loop {
        let this = Attempt { number: attempts.number(), time_left: attempts.time_left() };
        let mut error = match attempt(this).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        error.attempts(this.number);
        if !attempts.again(error.fault(), &error.brief(), retries).await {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Attempts, Class, Fault, Next, Policy, RetryLog};
    use crate::http::testing::Lines;

    const UNCLEAR: Fault = Fault::Unclear { retry_after: None };
    const HARMLESS: Fault = Fault::Harmless { retry_after: None };
    const REPEATABLE: Policy = Policy::patient(Class::Repeatable);
    const EFFECTFUL: Policy = Policy::patient(Class::Effectful);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn decides_by_class_and_fault() {
        for (policy, fault, again) in [
            (REPEATABLE, HARMLESS, true),
            (REPEATABLE, UNCLEAR, true),
            (REPEATABLE, Fault::Final, false),
            (EFFECTFUL, HARMLESS, true),
            (EFFECTFUL, UNCLEAR, false),
            (EFFECTFUL, Fault::Unclear { retry_after: Some(seconds(1.0)) }, false),
            (EFFECTFUL, Fault::Final, false),
            (Policy::once(Class::Repeatable, seconds(30.0)), HARMLESS, false),
        ] {
            let next = policy.next(1, Duration::ZERO, fault, 0.5);
            assert_eq!(next != Next::GiveUp, again, "{policy:?} {fault:?}");
        }
    }

    #[test]
    fn delays_grow_to_ten_seconds_with_full_jitter() {
        for (attempt, jitter, want) in [
            (1, 1.0, 1.0),
            (1, 0.5, 0.5),
            (1, 0.0, 0.1),
            (2, 1.0, 2.0),
            (3, 1.0, 4.0),
            (4, 1.0, 8.0),
            (5, 1.0, 10.0),
            (5, 0.25, 2.5),
            (60, 1.0, 10.0),
            (u32::MAX - 1, 1.0, 10.0),
        ] {
            let next = REPEATABLE.next(attempt, Duration::ZERO, UNCLEAR, jitter);
            assert_eq!(next, Next::Wait(seconds(want)), "attempt {attempt}, jitter {jitter}");
        }
    }

    #[test]
    fn honours_retry_after_within_the_budget() {
        for (after, elapsed, want) in [
            (2.0, 0.0, Some(2.0)),
            (30.0, 0.0, Some(30.0)),
            (60.0, 0.0, Some(55.0)),
            (9999.0, 10.0, Some(45.0)),
            (30.0, 54.0, Some(1.0)),
            (30.0, 55.0, None),
            (0.0, 0.0, Some(0.1)),
        ] {
            for fault in [
                Fault::Harmless { retry_after: Some(seconds(after)) },
                Fault::Unclear { retry_after: Some(seconds(after)) },
            ] {
                let next = REPEATABLE.next(1, seconds(elapsed), fault, 0.0);
                assert_eq!(
                    next,
                    want.map_or(Next::GiveUp, |wait| Next::Wait(seconds(wait))),
                    "{after} {elapsed}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn never_waits_past_the_budget(
            attempt in 1_u32..,
            elapsed in 0_u64..200_000,
            after in proptest::option::of(0_u64..1_000_000),
            jitter in proptest::num::f64::ANY,
        ) {
            let elapsed = Duration::from_millis(elapsed);
            let fault = Fault::Harmless { retry_after: after.map(Duration::from_millis) };
            for policy in [REPEATABLE, EFFECTFUL, Policy::urgent(Class::Repeatable)] {
                if let Next::Wait(wait) = policy.next(attempt, elapsed, fault, jitter) {
                    prop_assert!(elapsed + wait < policy.budget);
                    prop_assert!(after.is_some() || wait <= policy.cap.max(Duration::from_millis(100)));
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_always_fail_end_within_sixty_seconds_and_share_one_line_a_minute() {
        let lines = Lines::default();
        let retries = RetryLog::new(lines.log());
        for _ in 0..2 {
            let began = tokio::time::Instant::now();
            let call = || async {
                let mut attempts = Attempts::begin(REPEATABLE);
                while attempts.again(UNCLEAR, "503 from POST /builds/upload", &retries).await {
                    assert!(attempts.time_left() > Duration::ZERO);
                }
                assert!(attempts.number() >= 6, "{}", attempts.number());
            };
            tokio::join!(call(), call(), call());
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
            let said = lines.take_story();
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(
                said[0].starts_with("attempt 2 in ") && said[0].ends_with(" s: 503 from POST /builds/upload")
            );
            tokio::time::advance(super::EVERY_LINE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_person_watches_one_line_that_is_gone_at_the_end() {
        let lines = Lines::watched();
        let retries = RetryLog::new(lines.log());
        let mut attempts = Attempts::begin(REPEATABLE);
        while attempts.again(UNCLEAR, "x", &retries).await {}
        let number = attempts.number();
        drop(attempts);
        assert_eq!(lines.take_story(), [] as [&str; 0]);
        let shown = lines.shown();
        assert_eq!(shown.len(), usize::try_from(number).unwrap(), "each retry, and the end: {shown:?}");
        assert!(
            shown[0].starts_with("attempt 2 in ") && shown.last().is_some_and(String::is_empty),
            "{shown:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_way_out_has_several_attempts_that_fit_into_its_budget() {
        for (attempt, attempts_made) in [(0, 5..=5), (300, 4..=5), (2000, 2..=2)] {
            let attempt = Duration::from_millis(attempt);
            let began = tokio::time::Instant::now();
            let mut attempts = Attempts::begin(Policy::urgent(Class::Repeatable));
            loop {
                tokio::time::sleep(attempt).await;
                if !attempts.again(UNCLEAR, "x", &RetryLog::new(Lines::default().log())).await {
                    break;
                }
            }
            assert!(attempts_made.contains(&attempts.number()), "{attempt:?}: {}", attempts.number());
            assert!(began.elapsed() <= Duration::from_millis(4500), "{:?}", began.elapsed());
        }
    }
}
