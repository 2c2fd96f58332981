//! A build: what the user wants stored, and what came of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A platform of the service (`POST builds/upload`, field `platform`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Platform {
    /// Windows.
    Windows,
    /// macOS.
    Macos,
    /// Linux.
    Linux,
    /// Android; the service needs ARM64 code.
    Android,
    /// iOS devices.
    IosNative,
    /// The iOS simulator.
    IosSimulator,
    /// Xbox.
    Xbox,
    /// `PlayStation`.
    Playstation,
}

impl Platform {
    /// Every platform, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Windows,
        Self::Macos,
        Self::Linux,
        Self::Android,
        Self::IosNative,
        Self::IosSimulator,
        Self::Xbox,
        Self::Playstation,
    ];

    /// The word of the service.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Macos => "macos",
            Self::Linux => "linux",
            Self::Android => "android",
            Self::IosNative => "ios-native",
            Self::IosSimulator => "ios-simulator",
            Self::Xbox => "xbox",
            Self::Playstation => "playstation",
        }
    }

    /// The platform of that name.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == raw)
    }
}

/// Which stored builds the service may remove when its storage is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum DeletionPolicy {
    /// The build that was not used for the longest time.
    #[default]
    LeastRecent,
    /// The oldest build.
    Oldest,
}

/// Whether a build is sent in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Multipart {
    /// From the size where it pays.
    #[default]
    Auto,
    /// In parts whatever the size.
    Always,
    /// In one piece whatever the size.
    Never,
}

/// Where the build comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildSource {
    /// No build is sent; runs use what their deployment configuration picks.
    None,
    /// A file or folder, absolute; found, readable and not empty when the plan was made.
    Path(PathBuf),
    /// A stored build.
    Id(String),
}

/// The build part of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSpec {
    /// Where it comes from.
    pub source: BuildSource,
    /// Its name, 1-255 characters, templates expanded; only meaningful with a path.
    pub name: String,
    /// Its platform; always known with a path.
    pub platform: Option<Platform>,
    /// At most 1000 characters.
    pub description: Option<String>,
    /// 1-50 characters each, templates expanded; without the digest tag, which the upload adds.
    pub tags: Vec<String>,
    /// Let the service remove old builds when its storage is full.
    pub auto_delete: bool,
    /// Which ones.
    pub deletion_policy: DeletionPolicy,
    /// The reservation on the server in whole minutes, 1-1440; `None`: size / 0.5 MB/s, at least 60.
    pub upload_timeout_minutes: Option<u16>,
    /// Use a stored build with the same content instead of sending it again.
    pub reuse: bool,
    /// Whether to send it in parts.
    pub multipart: Multipart,
    /// Parts in flight, 1-16.
    pub parallel: usize,
}

/// How the build of this invocation came to be stored; the output `build-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum BuildOrigin {
    /// Sent by this invocation (or by an earlier attempt of the same CI run).
    Uploaded,
    /// A stored build with the same content.
    Reused,
    /// Named by `build-id`.
    Given,
    /// No build.
    None,
}

impl BuildOrigin {
    /// The value of the output `build-status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Reused => "reused",
            Self::Given => "given",
            Self::None => "none",
        }
    }
}

/// A build as reports and starts know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Build {
    /// The service's id, when there is a build.
    pub id: Option<String>,
    /// How it came to be stored.
    #[serde(rename = "status")]
    pub origin: BuildOrigin,
    /// Its name.
    pub name: Option<String>,
    /// The file name as sent.
    pub file_name: Option<String>,
    /// Its platform.
    pub platform: Option<Platform>,
    /// Bytes as sent.
    pub size_bytes: Option<u64>,
    /// Hex SHA-256 of the bytes as sent, 64 lower-case digits.
    pub sha256: Option<String>,
}

impl Build {
    /// No build at all.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            id: None,
            origin: BuildOrigin::None,
            name: None,
            file_name: None,
            platform: None,
            size_bytes: None,
            sha256: None,
        }
    }
}
