//! Everything one simulator knows, behind one lock.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::builds::Build;
use crate::call::{Call, Host};
use crate::clock::Clock;
use crate::faults::FaultQueue;
use crate::generation::{Generation, Quirk};
use crate::jobs::Job;
use crate::keys::Key;
use crate::ledger::{RequestRecord, StartRecord};
use crate::memory::Memory;
use crate::net::Listeners;
use crate::resources::Resources;
use crate::scenario::Scenario;
use crate::storage::Storage;

/// What is fixed when the simulator starts.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) generation: Generation,
    pub(crate) quirks: Vec<Quirk>,
    pub(crate) project: String,
    pub(crate) speed: f64,
    pub(crate) throttle: HashMap<Host, u64>,
    pub(crate) part_size: u64,
    pub(crate) multipart_from: u64,
    pub(crate) max_size: u64,
    pub(crate) capacity: u64,
    pub(crate) upload_timeout: Option<Duration>,
    /// Where clients reach storage, when that is not its own address.
    pub(crate) storage_origin: Option<String>,
    pub(crate) ready_after: Duration,
    pub(crate) build_status: String,
    /// Calls that this service does not have, whatever its generation.
    pub(crate) lacks: Vec<Call>,
}

impl Config {
    /// Whether this service has the call.
    pub(crate) fn serves(&self, call: Call) -> bool {
        call.exists_in(self.generation) && !self.lacks.contains(&call)
    }

    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

/// One execution of a plan.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) plan: (String, String),
    pub(crate) build: Option<(String, String)>,
    pub(crate) job_ids: Vec<String>,
}

/// Hosts that reset the next few connections instead of serving them.
#[derive(Debug, Default)]
pub(crate) struct Resets(pub(crate) HashMap<Host, u32>);

impl Resets {
    pub(crate) fn take(&mut self, host: Host) -> bool {
        self.0.get_mut(&host).filter(|left| **left > 0).is_some_and(|left| {
            *left -= 1;
            true
        })
    }
}

/// What changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) keys: Vec<Key>,
    pub(crate) resources: Resources,
    pub(crate) scenario: Scenario,
    pub(crate) faults: FaultQueue,
    pub(crate) resets: Resets,
    /// In the order of their start.
    pub(crate) jobs: Vec<Job>,
    pub(crate) executions: Vec<Execution>,
    /// In the order of their creation.
    pub(crate) builds: Vec<Build>,
    pub(crate) requests: Vec<RequestRecord>,
    pub(crate) starts: Vec<StartRecord>,
    pub(crate) violations: Vec<String>,
    /// Presigned URLs are signed as if this long ago, and live this long.
    pub(crate) url_age: Duration,
    pub(crate) url_lifetime: Duration,
}

impl State {
    pub(crate) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|j| j.id == id)
    }

    pub(crate) fn build(&self, id: &str) -> Option<&Build> {
        self.builds.iter().find(|b| b.id == id)
    }

    pub(crate) fn build_mut(&mut self, id: &str) -> Option<&mut Build> {
        self.builds.iter_mut().find(|b| b.id == id)
    }
}

/// Shared by every connection.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) memory: Option<Memory>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) listeners: OnceLock<Listeners>,
    pub(crate) state: Mutex<State>,
}

impl Inner {
    /// Looks at or changes the state. Never held across an await.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers the jobs as they are now, where there is a memory.
    pub(crate) fn remember(&self) {
        let Some(memory) = &self.memory else { return };
        self.with(|state| {
            if let Err(error) = memory.save(&self.clock, &state.jobs) {
                state.violations.push(format!("cannot remember the jobs: {error}"));
            }
        });
    }

    /// `http://127.0.0.1:port` of a host; empty before the listeners are bound.
    pub(crate) fn origin(&self, host: Host) -> String {
        self.listeners.get().map_or_else(String::new, |l| format!("http://{}", l.of(host).address))
    }
}
