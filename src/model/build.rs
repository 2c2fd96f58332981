//! A build: what the user wants stored, and what came of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A platform of the service (`POST builds/upload`, field `platform`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Platform {
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
    pub(crate) const ALL: [Self; 8] = [
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
    pub(crate) const fn as_str(self) -> &'static str {
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
}

/// Which stored builds the service may remove when its storage is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum DeletionPolicy {
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
pub(crate) enum Multipart {
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
pub(crate) enum BuildSource {
    /// No build is sent; runs use what their deployment configuration picks.
    None,
    /// A file or folder, absolute; found, readable and not empty when the plan was made.
    Path(PathBuf),
    /// A stored build.
    Id(String),
}

/// The build part of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildSpec {
    /// Where it comes from.
    pub(crate) source: BuildSource,
    /// Its name, 1-255 characters, templates expanded; only meaningful with a path.
    pub(crate) name: String,
    /// Its platform; always known with a path.
    pub(crate) platform: Option<Platform>,
    /// At most 1000 characters.
    pub(crate) description: Option<String>,
    /// 1-50 characters each, templates expanded; without the digest tag, which the upload adds.
    pub(crate) tags: Vec<String>,
    /// Let the service remove old builds when its storage is full.
    pub(crate) auto_delete: bool,
    /// Which ones.
    pub(crate) deletion_policy: DeletionPolicy,
    /// The reservation on the server in whole minutes, 1-1440; `None`: size / 0.5 MB/s, at least 60.
    pub(crate) upload_timeout_minutes: Option<u16>,
    /// Use a stored build with the same content instead of sending it again.
    pub(crate) reuse: bool,
    /// Whether to send it in parts.
    pub(crate) multipart: Multipart,
    /// Parts in flight, 1-32; `None`: as many as the link takes.
    pub(crate) parallel: Option<usize>,
}

/// How the build of this invocation came to be stored; the output `build-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum BuildOrigin {
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
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Reused => "reused",
            Self::Given => "given",
            Self::None => "none",
        }
    }
}

/// A build as reports and starts know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Build {
    /// The service's id, when there is a build.
    pub(crate) id: Option<String>,
    /// How it came to be stored.
    #[serde(rename = "status")]
    pub(crate) origin: BuildOrigin,
    /// Its name.
    pub(crate) name: Option<String>,
    /// The file name as sent.
    pub(crate) file_name: Option<String>,
    /// Its platform.
    pub(crate) platform: Option<Platform>,
    /// Bytes as sent.
    pub(crate) size_bytes: Option<u64>,
    /// Hex SHA-256 of the bytes as sent, 64 lower-case digits.
    pub(crate) sha256: Option<String>,
}

impl Build {
    /// No build at all.
    pub(crate) const fn none() -> Self {
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
