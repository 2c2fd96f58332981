//! Scenarios: which script each started test gets, and the named ones for rehearsals.

use std::collections::HashMap;
use std::time::Duration;

use super::{Script, team, words};
use crate::call::Call;
use crate::faults::Fault;

/// Which script each started test follows, and what goes wrong from the beginning.
#[derive(Debug, Clone)]
pub struct Scenario {
    default: Script,
    by_test: HashMap<String, Script>,
    by_number: HashMap<usize, Script>,
    /// When the first job of a start appears, and how long each further one takes.
    one_by_one: Option<(Duration, Duration)>,
    /// The build's branch decides.
    by_branch: bool,
    pub(crate) faults: Vec<(Call, Fault)>,
}

impl Scenario {
    /// The names that [`Scenario::named`] knows.
    pub const NAMES: &'static [&'static str] = &[
        "passed",
        "failed",
        "flaky",
        "slow",
        "rejected",
        "429",
        "bugs",
        "stopped",
        "error",
        "blocked",
        "timeout",
        "mixed",
        "multiplayer",
        "team",
    ];

    /// Every test follows this script.
    #[must_use]
    pub fn of(script: Script) -> Self {
        Self {
            default: script,
            by_test: HashMap::new(),
            by_number: HashMap::new(),
            one_by_one: None,
            by_branch: false,
            faults: Vec::new(),
        }
    }

    /// Every test passes.
    #[must_use]
    pub fn passed() -> Self {
        Self::of(Script::new("SUCCESS"))
    }

    /// Every test fails in the shop.
    #[must_use]
    pub fn failed() -> Self {
        Self::of(Script::new("FAILED"))
    }

    /// Every test meets an infrastructure error first and passes at the second attempt.
    #[must_use]
    pub fn flaky() -> Self {
        Self::of(Script::attempts(&["ERROR", "SUCCESS"]).scrambled())
    }

    /// The queue refuses every test.
    #[must_use]
    pub fn rejected() -> Self {
        Self::of(Script::rejected("no device matches the requirements of the deployment configuration"))
    }

    /// Every test passes but finds three bugs.
    #[must_use]
    pub fn bugs() -> Self {
        Self::of(Script::new("SUCCESS").bugs(words::bugs()))
    }

    /// Somebody stops every test from the dashboard.
    #[must_use]
    pub fn stopped() -> Self {
        Self::of(Script::endless().stopped_by_other(Duration::from_millis(90)))
    }

    /// Every test ends with an infrastructure error.
    #[must_use]
    pub fn error() -> Self {
        Self::of(Script::new("ERROR"))
    }

    /// Every test is blocked by a precondition.
    #[must_use]
    pub fn blocked() -> Self {
        Self::of(Script::new("BLOCKED"))
    }

    /// Every test runs until it is stopped.
    #[must_use]
    pub fn endless() -> Self {
        Self::of(Script::endless())
    }

    /// Gives one test (by id) its own script.
    #[must_use]
    pub fn test(mut self, test_id: &str, script: Script) -> Self {
        self.by_test.insert(test_id.to_owned(), script);
        self
    }

    /// Gives the `n`th started job (from 0) its own script; wins over [`Scenario::test`].
    #[must_use]
    pub fn nth(mut self, n: usize, script: Script) -> Self {
        self.by_number.insert(n, script);
        self
    }

    /// The jobs of one start appear one after the other: the first after `first`, each further one `every` later. Until then nobody
    /// can see or stop them, and they run all the same.
    #[must_use]
    pub fn one_by_one(mut self, first: Duration, every: Duration) -> Self {
        self.one_by_one = Some((first, every));
        self
    }

    /// Queues a fault together with the scenario.
    #[must_use]
    pub fn fault(mut self, call: Call, fault: Fault) -> Self {
        self.faults.push((call, fault));
        self
    }

    /// A scenario for rehearsals, with the pace of a short real run (about 20 seconds).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut scenario = match name {
            "passed" => Self::passed(),
            "failed" => Self::failed(),
            "flaky" => Self::flaky(),
            "slow" => Self::of(Script::new("SUCCESS")),
            "rejected" => Self::rejected(),
            "429" => Self::passed().fault(Call::AnyApi, Fault::too_many(Some(2)).every(3).forever()),
            "bugs" => Self::bugs(),
            "stopped" => Self::stopped(),
            "error" => Self::error(),
            "blocked" => Self::blocked(),
            "timeout" => Self::of(Script::new("TIMEOUT")),
            "mixed" => Self::passed()
                .nth(1, Script::new("FAILED").bugs(words::bugs()))
                .nth(2, Script::attempts(&["ERROR", "SUCCESS"]).scrambled())
                .nth(3, Script::new("SKIPPED"))
                .nth(4, Script::new("BLOCKED")),
            "team" => Self { by_branch: true, ..Self::passed() },
            "multiplayer" => Self::of(Script::new("SUCCESS").players(4)),
            _ => return None,
        };
        let (queued, run) = if name == "slow" { SLOW } else { PACE };
        scenario.each(|script| pace(script, queued, run));
        Some(scenario)
    }

    fn each(&mut self, change: impl Fn(&mut Script)) {
        change(&mut self.default);
        self.by_test.values_mut().chain(self.by_number.values_mut()).for_each(change);
    }

    /// The script of the `number`th job of all, which is the `place`th of its start.
    /// `built` is the branch of its build, and how many jobs of the test were started with builds of that branch before.
    pub(crate) fn script(&self, test_id: &str, number: usize, place: usize, built: (&str, usize)) -> Script {
        if self.by_branch {
            let mut script = team::script(test_id, built.0, built.1);
            pace(&mut script, PACE.0, PACE.1);
            return script;
        }
        let mut script = self
            .by_number
            .get(&number)
            .or_else(|| self.by_test.get(test_id))
            .unwrap_or(&self.default)
            .clone();
        if let Some((first, every)) = self.one_by_one {
            script.invisible += first + every * u32::try_from(place).unwrap_or(u32::MAX);
        }
        script
    }
}

/// Time in the queue and of a run, of a short real one and of a long one.
const PACE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(14));
const SLOW: (Duration, Duration) = (Duration::from_mins(2), Duration::from_mins(15));

/// Gives a script the pace of a real run.
fn pace(script: &mut Script, queued: Duration, run: Duration) {
    script.queued = queued;
    script.starting = Duration::from_secs(2);
    script.stopping = Duration::from_secs(1);
    script.cleaning = Duration::from_secs(1);
    for attempt in &mut script.attempts {
        attempt.duration = attempt.duration.max(run);
    }
    script.stopped_remotely = script.stopped_remotely.map(|_| Duration::from_secs(10));
}

impl Default for Scenario {
    fn default() -> Self {
        Self::passed()
    }
}
