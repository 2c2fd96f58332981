//! How a simulator is set up.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::call::{Call, Host};
use crate::clock::Clock;
use crate::faults::{Fault, FaultQueue};
use crate::generation::{Generation, Quirk};
use crate::keys::{Key, known_keys};
use crate::memory::Memory;
use crate::resources::{AgentConfig, DEFAULT_PROJECT, DeploymentConfig, Plan, Resources, TestCase};
use crate::scenario::Scenario;
use crate::sim::Sim;
use crate::state::{Config, Inner, Resets, State};
use crate::storage::Storage;

/// Sets up a [`Sim`]; every setting has a sensible default.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    config: Config,
    ports: [u16; 3],
    keys: Vec<Key>,
    resources: Resources,
    scenario: Scenario,
    faults: Vec<(Call, Fault)>,
    url_lifetime: Duration,
    memory: Option<PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            config: Config {
                generation: Generation::V5,
                quirks: Vec::new(),
                project: DEFAULT_PROJECT.to_owned(),
                speed: 1.0,
                throttle: HashMap::new(),
                part_size: 100 << 20,
                multipart_from: 3 << 30,
                max_size: 5 << 40,
                capacity: u64::MAX,
                upload_timeout: None,
                storage_origin: None,
                ready_after: Duration::ZERO,
                build_status: "OK".to_owned(),
                lacks: Vec::new(),
            },
            ports: [0; 3],
            keys: known_keys(),
            resources: Resources::default(),
            scenario: Scenario::default(),
            faults: Vec::new(),
            url_lifetime: Duration::from_hours(1),
            memory: None,
        }
    }
}

impl Builder {
    /// Which generation of the API answers; the newest unless told otherwise.
    pub fn generation(mut self, generation: Generation) -> Self {
        self.config.generation = generation;
        self
    }

    /// Leaves out a call that the generation has: it is answered as any address that is not there.
    pub fn lacking(mut self, call: Call) -> Self {
        self.config.lacks.push(call);
        self
    }

    /// Adds a peculiarity.
    pub fn quirk(mut self, quirk: Quirk) -> Self {
        self.config.quirks.push(quirk);
        self
    }

    /// What started tests do; all pass unless told otherwise.
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = scenario;
        self
    }

    /// Adds a key, or replaces one of the same value.
    pub fn key(mut self, key: Key) -> Self {
        self.keys.retain(|k| k.value != key.value);
        self.keys.push(key);
        self
    }

    /// The id of the project.
    pub fn project(mut self, id: &str) -> Self {
        id.clone_into(&mut self.config.project);
        self
    }

    /// Adds a test, or replaces one of the same id.
    pub fn test(mut self, test: TestCase) -> Self {
        self.resources.tests.retain(|t| t.id != test.id);
        self.resources.tests.push(test);
        self
    }

    /// Adds a plan, or replaces one of the same id.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.resources.plans.retain(|p| p.id != plan.id);
        self.resources.plans.push(plan);
        self
    }

    /// Adds a deployment configuration, or replaces one of the same id.
    pub fn deployment_config(mut self, config: DeploymentConfig) -> Self {
        self.resources.configs.retain(|c| c.id != config.id);
        self.resources.configs.push(config);
        self
    }

    /// Adds an agent configuration, or replaces one of the same id.
    pub fn agent_config(mut self, config: AgentConfig) -> Self {
        self.resources.agents.retain(|a| a.id != config.id);
        self.resources.agents.push(config);
        self
    }

    /// Queues a fault from the beginning.
    pub fn fault(mut self, call: Call, fault: Fault) -> Self {
        self.faults.push((call, fault));
        self
    }

    /// Runs all scripts this many times faster; 1 unless told otherwise.
    pub fn speed(mut self, factor: f64) -> Self {
        if factor.is_finite() && factor > 0.0 {
            self.config.speed = factor;
        }
        self
    }

    /// Ports of the API, storage and artifact hosts; 0 takes a free one (the default).
    pub fn ports(mut self, api: u16, storage: u16, artifacts: u16) -> Self {
        self.ports = [api, storage, artifacts];
        self
    }

    /// Limits all traffic of a host, in bytes per second, both ways.
    pub fn throttle(mut self, host: Host, bytes_per_second: u64) -> Self {
        self.config.throttle.insert(host, bytes_per_second);
        self
    }

    /// Bytes of a part; 100 MiB unless told otherwise.
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.config.part_size = bytes.max(1);
        self
    }

    /// From this size on uploads are multipart when the client does not say; 3 GiB unless told otherwise.
    pub fn multipart_from(mut self, bytes: u64) -> Self {
        self.config.multipart_from = bytes;
        self
    }

    /// Builds above this many bytes are answered with 413.
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.config.max_size = bytes;
        self
    }

    /// The quota: what does not fit is answered with 402.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.config.capacity = bytes;
        self
    }

    /// Open uploads end after this long, whatever the client asked for.
    pub fn upload_timeout(mut self, timeout: Duration) -> Self {
        self.config.upload_timeout = Some(timeout);
        self
    }

    /// Builds stay `uploading` for this long after they were completed.
    pub fn build_ready_after(mut self, delay: Duration) -> Self {
        self.config.ready_after = delay;
        self
    }

    /// The status of completed builds; `OK` unless told otherwise.
    pub fn build_status(mut self, status: &str) -> Self {
        status.clone_into(&mut self.config.build_status);
        self
    }

    /// The origin of presigned URLs, for a storage host that clients reach through something else.
    pub fn storage_origin(mut self, origin: &str) -> Self {
        self.config.storage_origin = Some(origin.to_owned());
        self
    }

    /// How long presigned URLs live (whole seconds); an hour unless told otherwise.
    pub fn url_lifetime(mut self, lifetime: Duration) -> Self {
        self.url_lifetime = lifetime;
        self
    }

    /// Remembers its jobs in this folder, and goes on with those that it holds.
    pub fn memory(mut self, folder: &Path) -> Self {
        self.memory = Some(folder.to_owned());
        self
    }

    /// Starts to serve, on threads of its own: tests need no runtime.
    ///
    /// # Errors
    /// A port is taken, or the temporary folder cannot be made.
    pub fn start(self) -> io::Result<Sim> {
        let ports = self.ports;
        Sim::launch(self.assemble()?, ports)
    }

    fn assemble(self) -> io::Result<Inner> {
        let mut faults = FaultQueue::default();
        for (call, fault) in self.scenario.faults.iter().cloned().chain(self.faults) {
            faults.push(call, fault);
        }
        let (memory, held) = match &self.memory {
            Some(folder) => Memory::open(folder).map(|(memory, held)| (Some(memory), held))?,
            None => (None, None),
        };
        let (began, jobs) = held.map_or((None, Vec::new()), |held| (held.began(), held.jobs));
        Ok(Inner {
            config: self.config,
            clock: Clock::since(began),
            memory,
            storage: Storage::new()?,
            shutdown: CancellationToken::new(),
            listeners: OnceLock::new(),
            state: Mutex::new(State {
                keys: self.keys,
                resources: self.resources,
                scenario: self.scenario,
                faults,
                resets: Resets::default(),
                jobs,
                executions: Vec::new(),
                builds: Vec::new(),
                requests: Vec::new(),
                starts: Vec::new(),
                violations: Vec::new(),
                url_age: Duration::ZERO,
                url_lifetime: self.url_lifetime,
            }),
        })
    }
}

impl Sim {
    /// Sets up a simulator.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One with all defaults: every test passes within a tenth of a second.
    ///
    /// # Errors
    /// The temporary folder cannot be made.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }
}
