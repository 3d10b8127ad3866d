//! Who wrote a record and which one it is: origin, epoch, record id. How they are stored is said elsewhere.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name of a cluster or a replica, in bytes: that of a DNS label, which Kubernetes keeps to as well.
const LONGEST_NAME: usize = 63;

/// The writer of one log, `<cluster>/<replica>`.
///
/// Both parts are 1 to 63 of `A-Z a-z 0-9 . _ -` and begin with a letter or a digit, so an origin can stand in the key
/// name of a signed note (which forbids spaces and `+`), in a path and in JSON without escapes.
///
/// ```
/// let origin: portreeve_ledger::Origin = "prod-eu/portreeve-0".parse()?;
/// assert_eq!(origin.as_str(), "prod-eu/portreeve-0");
/// # Ok::<(), portreeve_ledger::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Arc<str>);

/// Text that is not an [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// There is no slash, or more than one.
    #[error("the origin {0:?} is not of the form <cluster>/<replica>")]
    NotTwoParts(String),
    /// A part is empty, too long, or has characters that a key name can't hold.
    #[error(
        "{part:?} in the origin {origin:?} is not a name: use 1 to 63 letters, digits, dots, dashes and underscores, \
         the first a letter or a digit"
    )]
    NotAName {
        /// The part that is at fault.
        part: String,
        /// The whole text.
        origin: String,
    },
}

/// The number of a run of the log: 1, and one more each time that a log which failed its check was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

/// The name of one record, for ever: who wrote it, in which epoch, at which place.
///
/// As text it is `<cluster>/<replica>/<epoch>/<sequence>`, which is also how it is serialised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    /// The log's writer.
    pub origin: Origin,
    /// The run of that log.
    pub epoch: Epoch,
    /// The place in that run: the first record has 0. It is the index of the record's leaf in the epoch's tree.
    pub sequence: u64,
}

/// Text that is not a [`RecordId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordIdError {
    /// There are not four parts, or epoch or sequence is no plain number.
    #[error("{0:?} is not a record id: expected <cluster>/<replica>/<epoch>/<sequence>")]
    Form(String),
    /// The first two parts are no origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

impl Origin {
    /// The text, `<cluster>/<replica>`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (cluster, replica) = text.split_once('/').ok_or_else(|| OriginError::NotTwoParts(text.to_owned()))?;
        if replica.contains('/') {
            return Err(OriginError::NotTwoParts(text.to_owned()));
        }
        match [cluster, replica].into_iter().find(|part| !is_name(part)) {
            Some(part) => Err(OriginError::NotAName { part: part.to_owned(), origin: text.to_owned() }),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Epoch {
    /// The epoch of a new log.
    pub const FIRST: Self = Self(1);

    /// The epoch with this number; none for 0, which is no epoch.
    #[must_use]
    pub const fn numbered(number: u64) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// Its number, at least 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The epoch that follows.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.origin, self.epoch, self.sequence)
    }
}

impl FromStr for RecordId {
    type Err = RecordIdError;

    fn from_str(text: &str) -> Result<Self, RecordIdError> {
        let form = || RecordIdError::Form(text.to_owned());
        let (head, sequence) = text.rsplit_once('/').ok_or_else(form)?;
        let (origin, epoch) = head.rsplit_once('/').ok_or_else(form)?;
        let epoch = plain_number(epoch).and_then(Epoch::numbered).ok_or_else(form)?;
        let sequence = plain_number(sequence).ok_or_else(form)?;
        Ok(Self { origin: origin.parse()?, epoch, sequence })
    }
}

impl Serialize for RecordId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A decimal number as a checkpoint writes it: no sign, no leading zero, so that one number has one text.
pub(crate) fn plain_number(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_name(part: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    part.len() <= LONGEST_NAME
        && part.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && part.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_exactly_two_parts() {
        for text in ["", "cluster", "a/b/c", "/", "a/b/"] {
            assert!(text.parse::<Origin>().is_err(), "{text:?} was taken");
        }
        assert!("a/b".parse::<Origin>().is_ok());
    }

    #[test]
    fn an_origin_holds_nothing_that_a_key_name_forbids() {
        for part in ["", "a b", "a+b", "a\u{a0}b", "a\nb", ".a", "-", "ä", &"x".repeat(64)] {
            let error = format!("c/{part}").parse::<Origin>().unwrap_err();
            assert!(matches!(error, OriginError::NotAName { .. }), "{part:?}: {error}");
        }
    }

    #[test]
    fn a_record_id_reads_back_from_its_text() {
        let id = RecordId { origin: "prod/a-0".parse().unwrap(), epoch: Epoch::FIRST, sequence: 42 };
        assert_eq!(id.to_string(), "prod/a-0/1/42");
        assert_eq!(id.to_string().parse::<RecordId>().unwrap(), id);
    }

    #[test]
    fn one_record_has_one_text() {
        for text in ["a/b/1/01", "a/b/01/1", "a/b/0/1", "a/b/1/+1", "a/b/1/", "a/b/1", "a/b/c/1/1"] {
            assert!(text.parse::<RecordId>().is_err(), "{text:?} was taken");
        }
    }
}
