//! What to start: one entry of `runs`, checked and resolved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a run entry starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A saved test, by id or (before resolution) by name.
    Test(String),
    /// A test plan, by id or (before resolution) by name.
    Plan(String),
    /// A one-off test in words.
    Instructions(String),
}

impl Target {
    /// The id, name or words.
    pub(crate) fn value(&self) -> &str {
        match self {
            Self::Test(value) | Self::Plan(value) | Self::Instructions(value) => value,
        }
    }
}

/// Options of the start call (`POST runs`, field `options`), sent only when set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RunOptions {
    /// Record performance during the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) performance_monitoring: Option<bool>,
    /// A place name such as `London`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mobile_geolocation: Option<String>,
    /// `auto` (needs `mobile_geolocation`) or coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mobile_gpslocation: Option<GpsLocation>,
    /// Grant app permissions without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mobile_auto_grant_permissions: Option<bool>,
}

/// `auto`, or coordinates in degrees, as strings because the service wants strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum GpsLocation {
    /// The word `auto`.
    Word(String),
    /// A point.
    Point {
        /// Latitude in degrees.
        lat: String,
        /// Longitude in degrees.
        long: String,
    },
}

/// A deployment for one player of a test or one slot of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// Deployment configuration, by id or (before resolution) by name.
    pub(crate) deployment_config: String,
    /// A stored build for it.
    pub(crate) build: Option<String>,
    /// Further apps: number 1-3 to build id.
    pub(crate) extra_builds: BTreeMap<u8, String>,
}

/// One entry of `runs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunSpec {
    /// Label in reports; unique within the plan.
    pub(crate) label: String,
    /// What it starts.
    pub(crate) target: Target,
    /// Deployment configuration, by id or (before resolution) by name.
    pub(crate) deployment_config: Option<String>,
    /// Agent configuration, by id or (before resolution) by name.
    pub(crate) agent_config: Option<String>,
    /// The user's own tags.
    pub(crate) tags: Vec<String>,
    /// 0-10, tests only; `None`: not sent.
    pub(crate) retries: Option<u8>,
    /// 1-10, tests only; `None`: not sent.
    pub(crate) instances: Option<u8>,
    /// Handlebars variables; when set, `render_templates` is sent too.
    pub(crate) template_data: Option<Map<String, Value>>,
    /// Options, sent only when any is set.
    pub(crate) options: RunOptions,
    /// Further apps: number 1-3 to build id.
    pub(crate) extra_builds: BTreeMap<u8, String>,
    /// Start on every device the deployment configuration allows.
    pub(crate) all_configured_devices: bool,
    /// Deployments by player number (tests).
    pub(crate) players: BTreeMap<u8, Deployment>,
    /// Deployments by slot number (plans).
    pub(crate) slots: BTreeMap<u8, Deployment>,
    /// `false`: reported, but cannot fail the job.
    pub(crate) required: bool,
}

impl RunSpec {
    /// A run that is only named, with everything else as the service has it.
    pub(crate) fn of(target: Target) -> Self {
        Self {
            label: target.value().to_owned(),
            target,
            deployment_config: None,
            agent_config: None,
            tags: Vec::new(),
            retries: None,
            instances: None,
            template_data: None,
            options: RunOptions::default(),
            extra_builds: BTreeMap::new(),
            all_configured_devices: false,
            players: BTreeMap::new(),
            slots: BTreeMap::new(),
            required: true,
        }
    }

    /// All its deployment configurations in one text: what was tested with others cannot be compared.
    pub(crate) fn configuration(&self) -> String {
        let part = |kind: &str, map: &BTreeMap<u8, Deployment>| {
            let part =
                |(number, part): (&u8, &Deployment)| format!(" {kind} {number}: {}", part.deployment_config);
            map.iter().map(part).collect::<String>()
        };
        let default = self.deployment_config.clone().unwrap_or_default();
        default + &part("player", &self.players) + &part("slot", &self.slots)
    }

    /// How many times each test is run on a device.
    pub(crate) fn asked(&self) -> usize {
        match self.target {
            Target::Test(_) => usize::from(self.instances.unwrap_or(1)),
            Target::Plan(_) | Target::Instructions(_) => 1,
        }
    }
}
