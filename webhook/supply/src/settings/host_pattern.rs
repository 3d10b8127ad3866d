//! Hosts that a registry may redirect to: one host, or all below a domain.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::reference::RegistryHost;

/// `host`, `host:port`, or `*.domain` for every host below that domain (and not the domain itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host alone.
    Exactly(RegistryHost),
    /// Every host below this one.
    Below(RegistryHost),
}

/// A string that names no hosts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} names no hosts; write host, host:port or *.domain with at least two labels")]
pub struct HostPatternError(Box<str>);

impl HostPattern {
    /// Whether `host` (with its port, if that is not the usual one) is among those that are meant.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        match self {
            Self::Exactly(meant) => meant.as_str() == host,
            Self::Below(domain) => {
                let before = host.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
                before.is_some_and(|label| !label.is_empty())
            }
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(written: &str) -> Result<Self, HostPatternError> {
        let refused = || HostPatternError(written.into());
        match written.strip_prefix("*.") {
            None => written.parse().map(Self::Exactly).map_err(|_| refused()),
            // Everything below a single label would be everything below `com`.
            Some(domain) if !domain.contains('.') => Err(refused()),
            Some(domain) => domain.parse().map(Self::Below).map_err(|_| refused()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(host) => write!(formatter, "{host}"),
            Self::Below(domain) => write!(formatter, "*.{domain}"),
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        written.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, host: &str) -> bool {
        pattern.parse::<HostPattern>().unwrap().names(host)
    }

    #[test]
    fn a_host_names_itself_alone() {
        assert!(names("storage.example", "storage.example"));
        assert!(!names("storage.example", "storage.example:8443"));
        assert!(!names("storage.example", "a.storage.example"));
    }

    #[test]
    fn a_star_names_every_host_below_and_no_lookalike() {
        assert!(names("*.blob.example", "a.b.blob.example"));
        assert!(!names("*.blob.example", "blob.example"));
        assert!(!names("*.blob.example", "evilblob.example"));
    }

    #[test]
    fn refuses_a_star_over_a_whole_top_level() {
        for written in ["*", "*.com", "a.*.com", "*.", ""] {
            assert!(written.parse::<HostPattern>().is_err(), "{written}");
        }
    }
}
