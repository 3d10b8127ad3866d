//! What can be wrong with an image reference, and where in the string it is.

use std::fmt;

use thiserror::Error;

use super::Algorithm;

/// How much of a reference an error shows: enough to know it by, not so much that it fills a log.
const SHOWN: usize = 120;

/// A string that is no image reference (or no digest, host, repository or tag, when one of those was parsed alone).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ReferenceError {
    written: Box<str>,
    at: usize,
    fault: Fault,
}

impl ReferenceError {
    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Where it is: the offset in bytes into the string that was parsed.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.written.chars().take(SHOWN).collect();
        let more = if shown.len() < self.written.len() { "…" } else { "" };
        write!(formatter, "{shown:?}{more}, at byte {}: {}", self.at, self.fault)
    }
}

/// What is wrong with an image reference, and what it should be instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is written where a name should be.
    #[error("an image needs a name, such as nginx:1.27")]
    Empty,
    /// 64 hexadecimal digits: the id of an image on one machine.
    #[error("this is the id of an image on one machine; write repository:tag or repository@sha256:…")]
    ImageId,
    /// The host is not a DNS name, an IPv4 address or an IPv6 address in brackets.
    #[error("the registry's host is neither a DNS name nor an address; write host, host:port or [::1]:port")]
    Host,
    /// The host's port is not a number from 1 to 65535.
    #[error("the registry's port must be a number from 1 to 65535")]
    Port,
    /// The host is longer than DNS allows.
    #[error("a registry's host has at most {limit} characters")]
    HostTooLong {
        /// The most characters a host may have.
        limit: usize,
    },
    /// A repository has an upper case letter.
    #[error("a repository's name is written in lower case")]
    Uppercase,
    /// A repository has an empty part, as in `a//b` or `a/`.
    #[error("a part of the repository's name is empty")]
    EmptyPart,
    /// A separator where only a letter or a digit may stand, or two that may not stand together.
    #[error(
        "parts of a repository's name begin and end with a letter or digit; between them stand '.', '_', '__' or '-'"
    )]
    Separator,
    /// A character that a repository can't have.
    #[error("{0:?} can't stand in a repository's name; allowed are a-z, 0-9, '.', '_', '-' and '/'")]
    RepositoryCharacter(char),
    /// A repository is too long.
    #[error("a repository's name has at most {limit} characters")]
    RepositoryTooLong {
        /// The most characters a repository may have.
        limit: usize,
    },
    /// Nothing stands behind the colon.
    #[error("the tag is empty; write one, or leave the ':' out")]
    EmptyTag,
    /// A character that a tag can't have, or can't begin with.
    #[error("{0:?} can't stand here in a tag; allowed are letters, digits, '_', and behind the first also '.' and '-'")]
    TagCharacter(char),
    /// A tag is too long.
    #[error("a tag has at most {limit} characters")]
    TagTooLong {
        /// The most characters a tag may have.
        limit: usize,
    },
    /// A digest without `algorithm:`.
    #[error("a digest is written algorithm:hex, such as sha256:…")]
    DigestShape,
    /// A digest by an algorithm other than sha256 and sha512.
    #[error("digests are read by sha256 and sha512 only")]
    DigestAlgorithm,
    /// A digest with a character that is not a lower case hexadecimal digit.
    #[error("{0:?} can't stand in a digest; allowed are 0-9 and a-f in lower case")]
    DigestCharacter(char),
    /// A digest with too few or too many digits for its algorithm.
    #[error("a {algorithm} digest has {} hexadecimal digits, this one has {found}", algorithm.hex_digits())]
    DigestLength {
        /// The algorithm written before the colon.
        algorithm: Algorithm,
        /// How many digits stand behind it.
        found: usize,
    },
}

impl Fault {
    /// This fault at an offset in bytes.
    pub(super) fn at(self, at: usize) -> FaultAt {
        FaultAt { at, fault: self }
    }
}

/// A fault and its place, while the whole string is not at hand.
#[derive(Debug)]
pub(super) struct FaultAt {
    at: usize,
    fault: Fault,
}

impl FaultAt {
    /// The error for the caller, who gets to see the string itself.
    pub(super) fn within(self, written: &str) -> ReferenceError {
        let kept: String = written.chars().take(SHOWN + 1).collect();
        ReferenceError { written: kept.into(), at: self.at, fault: self.fault }
    }
}
