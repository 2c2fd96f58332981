//! Tests, test plans, deployment and agent configurations that a project has; touches nothing.

use serde::{Deserialize, Serialize};

/// The project every key belongs to unless told otherwise.
pub const DEFAULT_PROJECT: &str = "0d9c3a52-7b1e-4c55-9d7a-0f2f6f1b9a10";
/// "Smoke test", one player.
pub const DEFAULT_TEST: &str = "789e0123-e89b-42d3-a456-426614174000";
/// "Shop and purchases".
pub const SECOND_TEST: &str = "789e0123-e89b-42d3-a456-426614174001";
/// "Versus match": two players.
pub const THIRD_TEST: &str = "789e0123-e89b-42d3-a456-426614174002";
/// "Nightly": the three tests above.
pub const DEFAULT_PLAN: &str = "345e6789-e89b-42d3-a456-426614174000";
/// "Android phone": takes builds.
pub const DEFAULT_DEPLOYMENT_CONFIG: &str = "456e7890-e89b-42d3-a456-426614174000";
/// "Android device lab": takes builds, two devices at once.
pub const MULTI_DEVICE_CONFIG: &str = "456e7890-e89b-42d3-a456-426614174001";
/// "iPhone": takes builds.
pub const IOS_CONFIG: &str = "456e7890-e89b-42d3-a456-426614174002";
/// "Windows VM": takes builds.
pub const WINDOWS_CONFIG: &str = "456e7890-e89b-42d3-a456-426614174003";
/// "Live game (direct link)": takes no builds.
pub const DIRECT_URL_CONFIG: &str = "456e7890-e89b-42d3-a456-426614174004";
/// "Careful player".
pub const DEFAULT_AGENT_CONFIG: &str = "567e8901-e89b-42d3-a456-426614174000";

/// A saved test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestCase {
    /// UUID.
    pub id: String,
    /// Display name; need not be unique.
    pub name: String,
    /// `verification`, `discovery`, `task`
    pub kind: String,
    /// Players it needs.
    pub players: u32,
    /// Folder it lies in.
    pub folder: String,
    /// Marked as quarantined.
    pub quarantined: bool,
    /// Longest time of a run, in seconds.
    pub max_seconds: u32,
}

impl TestCase {
    /// A verification test for one player.
    #[must_use]
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: "verification".to_owned(),
            players: 1,
            folder: "/".to_owned(),
            quarantined: false,
            max_seconds: 19_800,
        }
    }

    /// Another kind than `verification`.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// Marks it as quarantined.
    #[must_use]
    pub fn quarantined(mut self) -> Self {
        self.quarantined = true;
        self
    }
}

/// A test plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// UUID.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Test id and retries of each item.
    pub items: Vec<(String, u32)>,
    /// Further slots (2 and up) with their names.
    pub slots: Vec<(u32, String)>,
}

impl Plan {
    /// A plan of these tests, without retries and further slots.
    #[must_use]
    pub fn new(id: &str, name: &str, tests: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            items: tests.iter().map(|&t| (t.to_owned(), 0)).collect(),
            slots: Vec::new(),
        }
    }
}

/// Where a deployment configuration takes its app from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppSource {
    /// Build Storage: the only one that takes a `build_id`.
    BuildStorage,
    /// A fixed link.
    DirectUrl,
    /// Nothing is installed.
    SkipInstall,
    /// `provider_type` is `null`.
    None,
}

impl AppSource {
    pub(crate) fn provider(self) -> Option<&'static str> {
        match self {
            Self::BuildStorage => Some("build-storage"),
            Self::DirectUrl => Some("direct-url"),
            Self::SkipInstall => Some("skip-install"),
            Self::None => None,
        }
    }

    pub(crate) fn summary(self) -> &'static str {
        match self {
            Self::BuildStorage => "build_storage",
            Self::DirectUrl => "read_only",
            Self::SkipInstall => "skip_install",
            Self::None => "preinstalled",
        }
    }
}

/// A device of a multi-device configuration.
#[derive(Debug, Clone)]
pub struct Device {
    /// Such as `Pixel 8`.
    pub label: String,
    /// Set when this device refuses to start: status and message.
    pub refuses: Option<(u16, String)>,
}

impl Device {
    /// A device that starts.
    #[must_use]
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), refuses: None }
    }

    /// A device that refuses to start.
    #[must_use]
    pub fn refusing(label: &str, status: u16, message: &str) -> Self {
        Self { label: label.to_owned(), refuses: Some((status, message.to_owned())) }
    }
}

/// A deployment configuration.
#[derive(Debug, Clone)]
pub struct DeploymentConfig {
    /// UUID.
    pub id: String,
    /// Display name.
    pub name: String,
    /// `windows`, `macos`, `linux`, `android`, `ios`, `xbox`, `playstation`
    pub kind: String,
    /// Where the app comes from.
    pub source: AppSource,
    /// `file` or `zip`: the format of the builds it takes.
    pub file_format: String,
    /// Tags that a build must carry to be picked.
    pub required_tags: Vec<String>,
    /// All configured devices; the first runs single-device starts.
    pub devices: Vec<Device>,
    /// Whether `run_on_all_configured_devices` is allowed.
    pub multi_device: bool,
}

impl DeploymentConfig {
    /// A configuration with one device that takes builds.
    #[must_use]
    pub fn new(id: &str, name: &str, kind: &str) -> Self {
        let device = match kind {
            "ios" => "iPhone 15",
            "windows" => "Windows 11 VM",
            _ => "Pixel 8",
        };
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            source: AppSource::BuildStorage,
            file_format: "file".to_owned(),
            required_tags: Vec::new(),
            devices: vec![Device::new(device)],
            multi_device: false,
        }
    }

    /// Sets where the app comes from.
    #[must_use]
    pub fn source(mut self, source: AppSource) -> Self {
        self.source = source;
        self
    }

    /// Takes builds that are zips.
    #[must_use]
    pub fn zipped(mut self) -> Self {
        "zip".clone_into(&mut self.file_format);
        self
    }

    /// Sets the devices and allows starts on all of them.
    #[must_use]
    pub fn devices(mut self, devices: Vec<Device>) -> Self {
        self.devices = devices;
        self.multi_device = true;
        self
    }

    /// Whether builds of this platform run here.
    pub(crate) fn fits(&self, platform: &str) -> bool {
        self.kind == platform || (self.kind == "ios" && platform.starts_with("ios-"))
    }
}

/// An agent configuration.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Opaque.
    pub id: String,
    /// Display name.
    pub name: String,
}

/// Everything named in a project.
#[derive(Debug, Clone)]
pub(crate) struct Resources {
    pub(crate) tests: Vec<TestCase>,
    pub(crate) plans: Vec<Plan>,
    pub(crate) configs: Vec<DeploymentConfig>,
    pub(crate) agents: Vec<AgentConfig>,
}

impl Default for Resources {
    fn default() -> Self {
        let mut versus = TestCase::new(THIRD_TEST, "Versus match");
        versus.players = 2;
        let agent = |id: &str, name: &str| AgentConfig { id: id.to_owned(), name: name.to_owned() };
        Self {
            tests: vec![
                TestCase::new(DEFAULT_TEST, "Smoke test"),
                TestCase::new(SECOND_TEST, "Shop and purchases"),
                versus,
            ],
            plans: vec![Plan::new(DEFAULT_PLAN, "Nightly", &[DEFAULT_TEST, SECOND_TEST, THIRD_TEST])],
            configs: vec![
                DeploymentConfig::new(DEFAULT_DEPLOYMENT_CONFIG, "Android phone", "android"),
                DeploymentConfig::new(MULTI_DEVICE_CONFIG, "Android device lab", "android")
                    .devices(vec![Device::new("Pixel 8"), Device::new("Galaxy S24")]),
                DeploymentConfig::new(IOS_CONFIG, "iPhone", "ios"),
                DeploymentConfig::new(WINDOWS_CONFIG, "Windows VM", "windows"),
                DeploymentConfig::new(DIRECT_URL_CONFIG, "Live game (direct link)", "android")
                    .source(AppSource::DirectUrl),
            ],
            agents: vec![agent(DEFAULT_AGENT_CONFIG, "Careful player"), agent("ac_default", "Default")],
        }
    }
}

impl Resources {
    pub(crate) fn test(&self, id: &str) -> Option<&TestCase> {
        self.tests.iter().find(|t| t.id == id)
    }

    pub(crate) fn plan(&self, id: &str) -> Option<&Plan> {
        self.plans.iter().find(|p| p.id == id)
    }

    pub(crate) fn config(&self, id: &str) -> Option<&DeploymentConfig> {
        self.configs.iter().find(|c| c.id == id)
    }
}
