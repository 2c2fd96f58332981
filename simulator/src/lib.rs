//! A stand-in for the nunu.ai service on loopback, for tests and rehearsals.
//!
//! Three listeners play the three hosts of the real service: the REST API, the object storage behind
//! presigned URLs, and the artifact host. Uploads and jobs are real state machines driven by the clock;
//! what a started test does is scripted by a [`Scenario`]; a queue of [`Fault`]s breaks any call on demand;
//! and a [`Ledger`] remembers everything that arrived, so that tests can assert what the service saw.
//!
//! ```no_run
//! # fn example() -> std::io::Result<()> {
//! use nunu_sim::{Call, Fault, Scenario, Sim};
//!
//! let sim = Sim::builder().scenario(Scenario::passed()).start()?;
//! sim.fault(Call::StartRun, Fault::drop_after().once());
//! // ... run the program against `sim.api_url()` with the key `nunu_sim::DEFAULT_KEY` ...
//! assert_eq!(sim.effective_starts(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! | Room | Owns |
//! | --- | --- |
//! | `net` | sockets: accept loops, resets, throttling, response bodies |
//! | `call`, `route` | which documented call a request is |
//! | `faults`, `exchange`, `dispatch`, `reply` | the queue of faults, and how each breaks an exchange |
//! | `keys`, `resources` | API keys, tests, plans, configurations |
//! | `scenario` | what a started test does, with words |
//! | `state`, `jobs`, `builds`, `ids`, `digest` | the state machines |
//! | `generation`, `wire` | JSON as each generation of the API writes it |
//! | `api`, `objects` over `storage`, `artifacts` | the three hosts |
//! | `builder`, `sim` | how tests set it up and hold it |
//! | `ledger` | what happened |

mod api;
mod artifacts;
mod builder;
mod builds;
mod call;
mod clock;
mod digest;
mod dispatch;
mod exchange;
mod faults;
mod generation;
mod ids;
mod jobs;
mod keys;
mod ledger;
mod memory;
mod net;
mod objects;
mod page;
mod reply;
mod resources;
mod route;
mod scenario;
mod sim;
mod state;
mod storage;
mod wire;

pub use builder::Builder;
pub use call::{Call, Host};
pub use faults::{Fault, FaultId};
pub use generation::{Generation, Quirk};
pub use keys::{
    ALL_PERMISSIONS, DEFAULT_KEY, DISABLED_KEY, EXPIRED_KEY, Key, KeyState, NO_CONFIGS_KEY, NO_READ_KEY,
    ORG_KEY, READ_ONLY_KEY, START_ONLY_KEY, UPLOAD_ONLY_KEY,
};
pub use ledger::{BuildRecord, JobRecord, Ledger, PartRecord, RequestRecord, StartRecord, UploadState};
pub use resources::{
    AgentConfig, AppSource, DEFAULT_AGENT_CONFIG, DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_PLAN, DEFAULT_PROJECT,
    DEFAULT_TEST, DIRECT_URL_CONFIG, DeploymentConfig, Device, IOS_CONFIG, MULTI_DEVICE_CONFIG, Plan,
    SECOND_TEST, THIRD_TEST, TestCase, WINDOWS_CONFIG,
};
pub use scenario::{Artifact, Attempt, Bug, Item, Player, Scenario, Script, Step};
pub use sim::Sim;
