//! What an image says about itself, as far as policies need it.
//!
//! Environment, entrypoint and command stay out: no rule needs them, and secrets are found there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The part of an image's configuration that is a fact for policies.
///
/// As JSON: `{"user": "101", "exposedPorts": ["80/tcp"], "volumes": ["/data"], "baseImage": "debian:12"}`, all
/// optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageConfig {
    /// `USER`: a name or a number, with a group behind a colon if there is one. None means root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `EXPOSE`: the ports that it says it listens on.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<ExposedPort>,
    /// `VOLUME`: the paths that it writes to, and that a runtime keeps writable.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// The label `org.opencontainers.image.base.name`: the image that it was built on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_image: Option<String>,
}

/// A port that an image says it listens on, written `80/tcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExposedPort {
    /// From 1 to 65535.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// The transport protocols that Kubernetes knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// The default.
    Tcp,
    /// Datagrams.
    Udp,
    /// Stream Control Transmission Protocol.
    Sctp,
}

/// A string that is no exposed port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no port; write a number from 1 to 65535 with /tcp, /udp or /sctp behind it")]
pub struct ExposedPortError(Box<str>);

impl ImageConfig {
    /// What the configuration blob of an image says (OCI image specification, `config.md`; Docker's is the same here).
    ///
    /// A port that is none is left out, as runtimes do: it is a hint to people, not a promise.
    ///
    /// # Errors
    /// When it is not JSON of that shape.
    pub(crate) fn from_blob(blob: &[u8]) -> Result<Self, serde_json::Error> {
        let ConfigBlob { config } = serde_json::from_slice(blob)?;
        let config = config.unwrap_or_default();
        let ports = config.exposed_ports.unwrap_or_default();
        let base_image = config.labels.unwrap_or_default().remove(BASE_IMAGE_LABEL);
        Ok(Self {
            user: config.user.filter(|user| !user.is_empty()),
            exposed_ports: ports.keys().filter_map(|port| port.parse().ok()).collect(),
            volumes: config.volumes.unwrap_or_default().into_keys().collect(),
            base_image: base_image.flatten().filter(|name| !name.is_empty()),
        })
    }
}

/// By the annotation keys of the OCI image specification.
pub(crate) const BASE_IMAGE_LABEL: &str = "org.opencontainers.image.base.name";

/// What is read of the blob. Everything in it may be missing or null.
#[derive(Deserialize)]
struct ConfigBlob {
    config: Option<ContainerDefaults>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerDefaults {
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    labels: Option<BTreeMap<String, Option<String>>>,
}

impl FromStr for ExposedPort {
    type Err = ExposedPortError;

    fn from_str(written: &str) -> Result<Self, ExposedPortError> {
        let (port, protocol) = written.split_once('/').unwrap_or((written, "tcp"));
        let protocol = match protocol {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "sctp" => Some(Protocol::Sctp),
            _ => None,
        };
        match (port.parse(), protocol) {
            (Ok(port), Some(protocol)) if port > 0 => Ok(Self { port, protocol }),
            _ => Err(ExposedPortError(written.into())),
        }
    }
}

impl fmt::Display for ExposedPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.port, self.protocol)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl Serialize for ExposedPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExposedPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        written.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_user_ports_volumes_and_base_image() {
        let blob = br#"{"os":"linux","config":{"User":"101:101","Env":["TOKEN=secret"],
            "ExposedPorts":{"8080/tcp":{},"53/udp":{}},"Volumes":{"/data":{}},
            "Labels":{"org.opencontainers.image.base.name":"debian:12"}}}"#;
        let config = ImageConfig::from_blob(blob).unwrap();
        let expected =
            r#"{"user":"101:101","exposedPorts":["53/udp","8080/tcp"],"volumes":["/data"],"baseImage":"debian:12"}"#;
        assert_eq!(serde_json::to_string(&config).unwrap(), expected);
    }

    #[test]
    fn everything_may_be_missing_or_null() {
        for blob in ["{}", r#"{"config":null}"#, r#"{"config":{"User":"","ExposedPorts":null,"Labels":null}}"#] {
            assert_eq!(ImageConfig::from_blob(blob.as_bytes()).unwrap(), ImageConfig::default(), "{blob}");
        }
    }

    #[test]
    fn a_port_that_is_none_is_left_out() {
        let blob = br#"{"config":{"ExposedPorts":{"0/tcp":{},"http":{},"70000":{},"80":{}}}}"#;
        let ports = ImageConfig::from_blob(blob).unwrap().exposed_ports;
        assert_eq!(ports.iter().map(ToString::to_string).collect::<Vec<_>>(), ["80/tcp"]);
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(ImageConfig::from_blob(b"<html>").is_err());
    }
}
