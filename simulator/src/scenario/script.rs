//! The script of one test: attempts, players, steps, bugs, artifacts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words;

use super::results::{Artifact, Attempt, Bug, Player, Step};
/// What one started test does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Script {
    /// Time in QUEUED.
    pub queued: Duration,
    /// Time in STARTING.
    pub starting: Duration,
    /// Time in STOPPING, when stopped.
    pub stopping: Duration,
    /// Time in `CLEANING_UP`.
    pub cleaning: Duration,
    /// The queue gives up with this reason.
    pub rejection: Option<String>,
    /// At least one; all are played, whatever `retries` says.
    pub attempts: Vec<Attempt>,
    /// The attempts are instances: they run at the same time, and none follows another.
    pub side_by_side: bool,
    /// `GET jobs/{id}` answers 500, and so does every list that would show the job.
    pub unreadable: bool,
    /// The order of `runs[]` is not the order in time.
    pub scrambled: bool,
    /// For this long nobody can see or stop the job: look-ups and stops of it answer 404, and lists leave it out.
    pub invisible: Duration,
    /// Somebody else stops the job this long after the start.
    pub stopped_remotely: Option<Duration>,
    /// Overrides the test's name; an empty string gives `null`.
    pub test_name: Option<String>,
}

impl Script {
    /// One attempt, one player, two to four steps with realistic words that end in `result`.
    ///
    /// Runs for 60 ms, so that a test sees every state without waiting.
    #[must_use]
    pub fn new(result: &str) -> Self {
        Self {
            queued: Duration::from_millis(15),
            starting: Duration::from_millis(15),
            stopping: Duration::from_millis(20),
            cleaning: Duration::from_millis(15),
            rejection: None,
            attempts: vec![Self::attempt(result)],
            side_by_side: false,
            unreadable: false,
            scrambled: false,
            invisible: Duration::ZERO,
            stopped_remotely: None,
            test_name: None,
        }
    }

    /// One attempt that ends in `result`, with matching words.
    #[must_use]
    pub fn attempt(result: &str) -> Attempt {
        let mut player = Player::new(words::steps_for(result));
        player.artifacts = words::artifacts_for(result);
        Attempt {
            result: Some(result.to_owned()),
            duration: Duration::from_millis(60),
            players: vec![player],
            bugs: Vec::new(),
        }
    }

    /// A job that runs until it is stopped.
    #[must_use]
    pub fn endless() -> Self {
        Self::new("SUCCESS").runs_for(crate::clock::NEVER)
    }

    /// A job that stays in the queue until it is stopped.
    #[must_use]
    pub fn stuck_in_queue() -> Self {
        let mut script = Self::new("SUCCESS");
        script.queued = crate::clock::NEVER;
        script
    }

    /// A job that the queue refuses.
    #[must_use]
    pub fn rejected(reason: &str) -> Self {
        let mut script = Self::new("SUCCESS");
        script.rejection = Some(reason.to_owned());
        script
    }

    /// Several attempts, one after the other, with these results.
    #[must_use]
    pub fn attempts(results: &[&str]) -> Self {
        let mut script = Self::new("SUCCESS");
        script.attempts = results.iter().map(|r| Self::attempt(r)).collect();
        script
    }

    /// Sets how long each attempt runs.
    #[must_use]
    pub fn runs_for(mut self, duration: Duration) -> Self {
        for attempt in &mut self.attempts {
            attempt.duration = duration;
        }
        self
    }

    /// Sets the time in the queue.
    #[must_use]
    pub fn queued_for(mut self, duration: Duration) -> Self {
        self.queued = duration;
        self
    }

    /// Sets how long a stopped job takes to stop and every job to clean up.
    #[must_use]
    pub fn cleans_for(mut self, stopping: Duration, cleaning: Duration) -> Self {
        self.stopping = stopping;
        self.cleaning = cleaning;
        self
    }

    /// Replaces the steps of every player of every attempt.
    #[must_use]
    pub fn steps(mut self, steps: &[Step]) -> Self {
        for player in self.attempts.iter_mut().flat_map(|a| &mut a.players) {
            steps.clone_into(&mut player.steps);
        }
        self
    }

    /// Every attempt has this many copies of its first player.
    #[must_use]
    pub fn players(mut self, count: usize) -> Self {
        for attempt in &mut self.attempts {
            if let Some(first) = attempt.players.first().cloned() {
                attempt.players = vec![first; count];
            }
        }
        self
    }

    /// Adds bugs to the last attempt.
    #[must_use]
    pub fn bugs(mut self, bugs: Vec<Bug>) -> Self {
        if let Some(last) = self.attempts.last_mut() {
            let pictured = bugs.iter().any(|bug| bug.details.get("screenshot_url").is_some());
            if let Some(player) = last.players.first_mut().filter(|_| pictured) {
                player.artifacts.push(words::screenshot());
            }
            last.bugs.extend(bugs);
        }
        self
    }

    /// Replaces the artifacts of every player.
    #[must_use]
    pub fn artifacts(mut self, artifacts: &[Artifact]) -> Self {
        for player in self.attempts.iter_mut().flat_map(|a| &mut a.players) {
            artifacts.clone_into(&mut player.artifacts);
        }
        self
    }

    /// Lists the attempts in another order than they ran.
    #[must_use]
    pub fn scrambled(mut self) -> Self {
        self.scrambled = true;
        self
    }

    /// Every look at the job is answered with 500.
    #[must_use]
    pub fn unreadable(mut self) -> Self {
        self.unreadable = true;
        self
    }

    /// The job is 404, also for stops, and absent from lists for this long.
    #[must_use]
    pub fn invisible_for(mut self, duration: Duration) -> Self {
        self.invisible = duration;
        self
    }

    /// Somebody in the dashboard stops the job this long after the start.
    #[must_use]
    pub fn stopped_by_other(mut self, after: Duration) -> Self {
        self.stopped_remotely = Some(after);
        self
    }

    /// Sets the test's name.
    #[must_use]
    pub fn test_name(mut self, name: &str) -> Self {
        self.test_name = Some(name.to_owned());
        self
    }

    /// Stretches or shrinks every duration.
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        let scale = |d: &mut Duration| {
            if *d < crate::clock::NEVER {
                *d = Duration::from_secs_f64(
                    (d.as_secs_f64() * factor).min(crate::clock::NEVER.as_secs_f64()),
                );
            }
        };
        for d in [
            &mut self.queued,
            &mut self.starting,
            &mut self.stopping,
            &mut self.cleaning,
            &mut self.invisible,
        ] {
            scale(d);
        }
        if let Some(d) = self.stopped_remotely.as_mut() {
            scale(d);
        }
        for attempt in &mut self.attempts {
            scale(&mut attempt.duration);
        }
        self
    }
}
