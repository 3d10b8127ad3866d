//! The platform that an image is read for: `os/architecture` or `os/architecture/variant`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// One of the platforms that an image may be made for, in Go's names: `linux/amd64`, `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Platform {
    os: Box<str>,
    architecture: Box<str>,
    variant: Option<Box<str>>,
}

/// A string that is no platform.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no platform; write os/architecture, such as linux/amd64, or os/architecture/variant")]
pub struct PlatformError(Box<str>);

impl Platform {
    /// Whether an image made for this operating system, architecture and variant is the one that is meant.
    ///
    /// A platform without a variant takes any; one with a variant takes that one only.
    #[must_use]
    pub fn takes(&self, os: &str, architecture: &str, variant: Option<&str>) -> bool {
        let variant_fits = self.variant.is_none() || self.variant.as_deref() == variant;
        *self.os == *os && *self.architecture == *architecture && variant_fits
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(written: &str) -> Result<Self, PlatformError> {
        let mut parts = written.split('/');
        let mut name = || parts.next().filter(|part| !part.is_empty()).map(Box::from);
        match (name(), name(), name(), parts.next()) {
            (Some(os), Some(architecture), variant, None) if !written.ends_with('/') => {
                Ok(Self { os, architecture, variant })
            }
            _ => Err(PlatformError(written.into())),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        written.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_platform_with_and_without_a_variant() {
        for written in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(written.parse::<Platform>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn refuses_what_is_no_platform() {
        for written in ["", "linux", "linux/", "/amd64", "linux/arm/", "linux//v7", "a/b/c/d"] {
            assert!(written.parse::<Platform>().is_err(), "{written}");
        }
    }

    #[test]
    fn a_variant_is_asked_for_only_when_it_is_written() {
        let any: Platform = "linux/arm".parse().unwrap();
        let seventh: Platform = "linux/arm/v7".parse().unwrap();
        assert!(any.takes("linux", "arm", Some("v6")));
        assert!(!seventh.takes("linux", "arm", Some("v6")));
        assert!(!seventh.takes("linux", "arm", None));
    }
}
