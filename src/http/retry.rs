//! Retry as a value: what to do after an attempt is decided by a pure function; a small loop state waits and says so.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Log, units};

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
pub enum Class {
    /// Repeating has no further effect.
    Repeatable,
    /// Repeating may do it twice; repeated only when the first surely had no effect.
    Effectful,
}

/// What an attempt without a usable answer tells about its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
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
pub enum Next {
    /// Another attempt after this wait.
    Wait(Duration),
    /// The last error stands.
    GiveUp,
}

/// How long and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// From the first attempt to the end of the last.
    pub budget: Duration,
    /// Longest delay of our own choice.
    pub cap: Duration,
    /// Most attempts.
    pub attempts: u32,
    /// What may be repeated.
    pub class: Class,
}

impl Policy {
    /// Short API calls: up to 60 s in all, delays up to 10 s.
    #[must_use]
    pub const fn patient(class: Class) -> Self {
        Self { budget: Duration::from_secs(60), cap: Duration::from_secs(10), attempts: u32::MAX, class }
    }

    /// One attempt, of at most `budget`.
    #[must_use]
    pub const fn once(class: Class, budget: Duration) -> Self {
        Self { budget, cap: Duration::ZERO, attempts: 1, class }
    }

    /// For the way out: two attempts within 4.5 s.
    #[must_use]
    pub const fn urgent(class: Class) -> Self {
        Self { budget: Duration::from_millis(4500), cap: Duration::from_millis(200), attempts: 2, class }
    }

    /// What comes after attempt number `attempt` (from 1) ended with `fault`, `elapsed` after the first began.
    /// `jitter` is uniform in 0..1. The last attempt begins so that it has time before the budget ends.
    #[must_use]
    pub fn next(&self, attempt: u32, elapsed: Duration, fault: Fault, jitter: f64) -> Next {
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
        let ceiling =
            FIRST_DELAY.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16))).min(self.cap);
        let delay = ceiling.mul_f64(jitter.clamp(0.0, 1.0)).max(SHORTEST_DELAY);
        let wanted = retry_after.map_or(delay, |after| after.min(LONGEST_RETRY_AFTER).max(delay));
        Next::Wait(wanted.min(last_start.saturating_sub(elapsed)))
    }
}

/// The state of one call's attempts.
#[derive(Debug)]
pub(crate) struct Attempts {
    policy: Policy,
    began: Instant,
    number: u32,
}

impl Attempts {
    /// Before the first attempt.
    pub(crate) fn begin(policy: Policy) -> Self {
        Self { policy, began: Instant::now(), number: 1 }
    }

    /// Number of the current attempt, from 1.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// What is left of the budget.
    pub(crate) fn time_left(&self) -> Duration {
        self.policy.budget.saturating_sub(self.began.elapsed())
    }

    /// Waits for the next attempt, after one line in the log. False when there is none.
    pub(crate) async fn again(&mut self, fault: Fault, what: &str, log: &Log) -> bool {
        match self.policy.next(self.number, self.began.elapsed(), fault, fastrand::f64()) {
            Next::GiveUp => false,
            Next::Wait(wait) => {
                self.number += 1;
                log.info(format!("attempt {} in {}: {what}", self.number, units::duration(wait)));
                tokio::time::sleep(wait).await;
                true
            }
        }
    }
}
