//! The part of the server's configuration that says where facts about images come from, as a user writes it.
//!
//! Nothing is contacted or opened here: [`Images::open`](crate::Images::open) makes the working thing of it and says
//! what does not fit together.

mod host_pattern;
mod platform;

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use host_pattern::{HostPattern, HostPatternError};
pub use platform::{Platform, PlatformError};

use crate::reference::RegistryHost;

/// Where digests and image configurations come from. Everything is off by default: no registry is listed.
///
/// ```yaml
/// registries:
///   - host: docker.io
///   - host: registry.example
///     mirrors: [mirror.example:5000]
///     caFile: /etc/portreeve/registry-ca.pem
/// credentialsFile: /etc/portreeve/registries/config.json
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistriesConfig {
    /// The registries that may be contacted. An image from any other is a fact that can't be had.
    pub registries: Vec<RegistryConfig>,
    /// A docker `config.json` with `auths`. It is read again whenever a registry asks for credentials, so that rotated
    /// ones are used without a restart. Credential helpers are not run.
    pub credentials_file: Option<PathBuf>,
    /// A lock file. When it is given, facts come from it alone and no registry is contacted.
    pub lock_file: Option<PathBuf>,
    /// Of an image for several platforms, the one whose configuration is read.
    #[schemars(with = "String")]
    pub platform: Platform,
    /// How long a registry may take.
    pub timeouts: Timeouts,
    /// How long an answer is remembered, and how many are.
    pub cache: CacheConfig,
}

/// One registry that may be contacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryConfig {
    /// As it stands in images: `docker.io`, `registry.example`, `127.0.0.1:5000`.
    #[schemars(with = "String")]
    pub host: RegistryHost,
    /// Hosts that are asked before this one, in this order. A mirror that has an entry of its own is reached by the
    /// `insecure` and `caFile` of that entry, any other by HTTPS.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub mirrors: Vec<RegistryHost>,
    /// Ask the mirrors alone, and never the registry itself.
    #[serde(default)]
    pub mirror_only: bool,
    /// Speak plain HTTP. Meant for loopback: to other hosts no credentials are sent that way.
    #[serde(default)]
    pub insecure: bool,
    /// A PEM file with certificate authorities that are trusted for this registry besides the machine's own.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Hosts that this registry may redirect to, such as the storage of its blobs: `storage.example` or
    /// `*.blob.core.windows.net`. A redirect to any other is refused.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub redirect_hosts: Vec<HostPattern>,
    /// Hosts where this registry may have its tokens issued, besides itself.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub token_hosts: Vec<RegistryHost>,
}

/// How long a registry may take. The caller's own deadline ends its waiting earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeouts {
    /// For a connection, TLS included, in milliseconds.
    pub connect_milliseconds: NonZeroU32,
    /// For all that one question takes at one host (connection, token, redirects, bodies), in milliseconds.
    pub request_milliseconds: NonZeroU32,
    /// For all of a policy module at one host, in seconds. It may have tens of mebibytes, and no request waits for it.
    pub module_seconds: NonZeroU32,
}

/// How long an answer is remembered, and how many are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct CacheConfig {
    /// How long a tag is taken to name the digest that it was seen to name, in seconds.
    pub found_seconds: u32,
    /// How long a question that failed is not asked again, in seconds.
    pub failed_seconds: u32,
    /// How many tags, and how many image configurations, are remembered.
    pub entries: NonZeroU32,
    /// How many questions about the images of one registry may be under way at once, and as many about its policy
    /// modules.
    pub concurrent: NonZeroU16,
}

impl RegistryConfig {
    /// A registry at this host, reached by HTTPS, without mirrors.
    #[must_use]
    pub fn at(host: RegistryHost) -> Self {
        Self {
            host,
            mirrors: Vec::new(),
            mirror_only: false,
            insecure: false,
            ca_file: None,
            redirect_hosts: Vec::new(),
            token_hosts: Vec::new(),
        }
    }
}

impl Timeouts {
    /// For a connection.
    #[must_use]
    pub fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_milliseconds.get().into())
    }

    /// For all of one question at one host.
    #[must_use]
    pub fn request(&self) -> Duration {
        Duration::from_millis(self.request_milliseconds.get().into())
    }

    /// For all of one policy module at one host.
    #[must_use]
    pub fn module(&self) -> Duration {
        Duration::from_secs(self.module_seconds.get().into())
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_milliseconds: NonZeroU32::MIN.saturating_add(999),
            request_milliseconds: NonZeroU32::MIN.saturating_add(4_999),
            module_seconds: NonZeroU32::MIN.saturating_add(119),
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            found_seconds: 300,
            failed_seconds: 10,
            entries: NonZeroU32::MIN.saturating_add(9_999),
            concurrent: NonZeroU16::MIN.saturating_add(31),
        }
    }
}
