//! Digests of content: `algorithm:hex`, as the OCI image specification registers them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

use super::error::FaultAt;
use super::{Fault, ReferenceError};

/// The name of some content: the algorithm and the hash of its bytes, in lower case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: Box<str>,
}

/// How a digest is computed. Both are registered by the OCI image specification; sha256 is what registries use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, 64 hexadecimal digits.
    Sha256,
    /// SHA-512, 128 hexadecimal digits.
    Sha512,
}

impl Digest {
    /// The digest of `bytes` by `algorithm`.
    #[must_use]
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let hex = match algorithm {
            Algorithm::Sha256 => hex::encode(Sha256::digest(bytes)),
            Algorithm::Sha512 => hex::encode(Sha512::digest(bytes)),
        };
        Self { algorithm, hex: hex.into() }
    }

    /// The digest of `bytes` by sha256.
    #[must_use]
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// Whether `bytes` are what this digest names.
    #[must_use]
    pub fn names(&self, bytes: &[u8]) -> bool {
        *self == Self::of(self.algorithm, bytes)
    }

    /// How it is computed.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash itself, in lower case hexadecimal.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    pub(super) fn parse_at(at: usize, written: &str) -> Result<Self, FaultAt> {
        let (algorithm, hex) = written.split_once(':').ok_or_else(|| Fault::DigestShape.at(at))?;
        let hex_at = at + algorithm.len() + 1;
        let algorithm = Algorithm::named(algorithm).ok_or_else(|| Fault::DigestAlgorithm.at(at))?;
        let wrong = hex.char_indices().find(|(_, c)| !matches!(c, '0'..='9' | 'a'..='f'));
        if let Some((offset, character)) = wrong {
            return Err(Fault::DigestCharacter(character).at(hex_at + offset));
        }
        if hex.len() != algorithm.hex_digits() {
            let found = hex.len();
            return Err(Fault::DigestLength { algorithm, found }.at(hex_at));
        }
        Ok(Self { algorithm, hex: hex.into() })
    }
}

impl Algorithm {
    /// How many hexadecimal digits a digest by this algorithm has.
    #[must_use]
    pub fn hex_digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm, self.hex)
    }
}

impl FromStr for Digest {
    type Err = ReferenceError;

    fn from_str(written: &str) -> Result<Self, ReferenceError> {
        Self::parse_at(0, written).map_err(|fault| fault.within(written))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        written.parse().map_err(serde::de::Error::custom)
    }
}
