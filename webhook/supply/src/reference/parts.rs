//! The named parts of an image reference: the registry's host, the repository and the tag, each parsed once.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::FaultAt;
use super::{Fault, ReferenceError};

/// The host that short names such as `nginx` belong to.
const DOCKER_HUB: &str = "docker.io";
/// An older name of Docker Hub that still stands in many files.
const LEGACY_DOCKER_HUB: &str = "index.docker.io";
/// Where Docker Hub keeps the images whose name has one part only.
const OFFICIAL: &str = "library/";

/// As long as DNS allows a name, with room for a port.
const HOST_LIMIT: usize = 260;
/// `RepositoryNameTotalLengthMax` of distribution/reference.
const REPOSITORY_LIMIT: usize = 255;
/// By the grammar of distribution/reference.
const TAG_LIMIT: usize = 128;

/// Where a registry is: a DNS name or an address, and a port if it is not the usual one. Kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryHost(Box<str>);

/// The name of a repository within its registry, such as `library/nginx`. At most 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(Box<str>);

/// A name that a repository gives to one of its manifests and may give to another tomorrow. At most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

impl RegistryHost {
    /// The host that short names belong to.
    #[must_use]
    pub fn docker_hub() -> Self {
        Self(DOCKER_HUB.into())
    }

    /// Whether this is Docker Hub.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        &*self.0 == DOCKER_HUB
    }

    /// `host` or `host:port`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing that is sent there leaves the machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let (name, _) = split_port(&self.0);
        let v6 = |name: &str| name.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback());
        let v4 = |name: &str| name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
        name == "localhost" || v4(name) || v6(name.trim_matches(['[', ']']))
    }

    pub(super) fn parse_at(at: usize, written: &str) -> Result<Self, FaultAt> {
        if written.len() > HOST_LIMIT {
            return Err(Fault::HostTooLong { limit: HOST_LIMIT }.at(at));
        }
        let (name, port) = split_port(written);
        if !is_dns_name(name) && !is_bracketed_address(name) {
            return Err(Fault::Host.at(at));
        }
        if port.is_some_and(|port| !is_port(port)) {
            return Err(Fault::Port.at(at + name.len() + 1));
        }
        match written.to_ascii_lowercase() {
            host if host == LEGACY_DOCKER_HUB => Ok(Self::docker_hub()),
            host => Ok(Self(host.into())),
        }
    }
}

impl Repository {
    /// The name without its registry.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This name of one part, where Docker Hub keeps it.
    pub(super) fn official(&self, at: usize) -> Result<Self, FaultAt> {
        let name = format!("{OFFICIAL}{}", self.0);
        match name.len() > REPOSITORY_LIMIT {
            true => Err(Fault::RepositoryTooLong { limit: REPOSITORY_LIMIT }.at(at)),
            false => Ok(Self(name.into())),
        }
    }

    pub(super) fn parse_at(at: usize, written: &str) -> Result<Self, FaultAt> {
        if written.is_empty() {
            return Err(Fault::Empty.at(at));
        }
        if written.len() > REPOSITORY_LIMIT {
            return Err(Fault::RepositoryTooLong { limit: REPOSITORY_LIMIT }.at(at));
        }
        refuse_characters(at, written)?;
        let mut part_at = at;
        for part in written.split('/') {
            check_part(part_at, part)?;
            part_at += part.len() + 1;
        }
        Ok(Self(written.into()))
    }
}

impl Tag {
    /// What a runtime asks for when no tag is written.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".into())
    }

    /// The tag without its colon.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parse_at(at: usize, written: &str) -> Result<Self, FaultAt> {
        if written.is_empty() {
            return Err(Fault::EmptyTag.at(at));
        }
        let allowed = |offset, c: char| c.is_ascii_alphanumeric() || c == '_' || (offset > 0 && matches!(c, '.' | '-'));
        let wrong = written.char_indices().find(|&(offset, c)| !allowed(offset, c));
        if let Some((offset, character)) = wrong {
            return Err(Fault::TagCharacter(character).at(at + offset));
        }
        match written.len() > TAG_LIMIT {
            true => Err(Fault::TagTooLong { limit: TAG_LIMIT }.at(at + TAG_LIMIT)),
            false => Ok(Self(written.into())),
        }
    }
}

/// The name and, behind the last colon outside brackets, the port.
fn split_port(written: &str) -> (&str, Option<&str>) {
    match written.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (written, None),
    }
}

fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(label)
}

fn is_bracketed_address(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn refuse_characters(at: usize, written: &str) -> Result<(), FaultAt> {
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/');
    match written.char_indices().find(|&(_, c)| !allowed(c)) {
        None => Ok(()),
        Some((offset, c)) if c.is_ascii_uppercase() => Err(Fault::Uppercase.at(at + offset)),
        Some((offset, c)) => Err(Fault::RepositoryCharacter(c).at(at + offset)),
    }
}

/// Letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn check_part(at: usize, part: &str) -> Result<(), FaultAt> {
    if part.is_empty() {
        return Err(Fault::EmptyPart.at(at));
    }
    let mut rest = part;
    loop {
        let here = at + part.len() - rest.len();
        let behind_word = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        let behind_separator = behind_word.trim_start_matches(['.', '_', '-']);
        let separator = behind_word.strip_suffix(behind_separator).unwrap_or_default();
        if behind_word.len() == rest.len() {
            return Err(Fault::Separator.at(here));
        }
        if behind_word.is_empty() {
            return Ok(());
        }
        if !is_separator(separator) {
            return Err(Fault::Separator.at(at + part.len() - behind_word.len()));
        }
        rest = behind_separator;
    }
}

fn is_separator(written: &str) -> bool {
    matches!(written, "." | "_" | "__") || written.bytes().all(|byte| byte == b'-')
}

/// What the three parts share: they are read from a string, and written back as one.
macro_rules! part {
    ($part:ident) => {
        impl fmt::Display for $part {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $part {
            type Err = ReferenceError;

            fn from_str(written: &str) -> Result<Self, ReferenceError> {
                Self::parse_at(0, written).map_err(|fault| fault.within(written))
            }
        }

        impl Serialize for $part {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $part {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let written = String::deserialize(deserializer)?;
                written.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

part!(RegistryHost);
part!(Repository);
part!(Tag);
