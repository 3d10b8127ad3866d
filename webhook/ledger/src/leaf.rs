//! A leaf: one record with its envelope, as one line of canonical JSON. Writing one and reading one back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body::{Body, RecordKind};
use crate::canonical;
use crate::identity::{Epoch, Origin, RecordId};

/// The largest leaf in bytes. Tiles give the length of an entry 16 bits, and one value is left free.
pub const LARGEST_LEAF: usize = 65_534;

/// A record as it stands in the book.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Which record it is.
    pub id: RecordId,
    /// What sort of thing it tells.
    pub kind: RecordKind,
    /// When it got its place, by the writer's clock.
    pub time: Timestamp,
    /// What it tells: canonical JSON.
    pub body: Box<RawValue>,
}

/// A leaf that is not the one which belongs at its place.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// It is not an object with exactly the members of a leaf.
    #[error("it is not the JSON of a record: {0}")]
    NotARecord(serde_json::Error),
    /// It is a record, written in another way than the one there is (RFC 8785).
    #[error("it is not canonical JSON")]
    NotCanonical,
    /// A member has a value that it can't have here.
    #[error("its {member:?} is {found:?}, expected {expected}")]
    Member {
        /// The member's name.
        member: &'static str,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
}

/// The leaf of a record. No part but the body has characters that JSON escapes, so this is canonical as it stands.
pub(crate) fn compose(id: &RecordId, kind: &RecordKind, time: Timestamp, body: &Body) -> String {
    let RecordId { origin, epoch, sequence } = id;
    let body = body.as_str();
    format!(
        r#"{{"epoch":{epoch},"kind":"{kind}","origin":"{origin}","record":{body},"sequence":{sequence},"time":"{time:.6}"}}"#
    )
}

/// Reads the leaf that stands at `expected`, and checks that it is that record and written as it should be.
pub(crate) fn read(leaf: &str, expected: &RecordId) -> Result<Record, LeafError> {
    let envelope: Envelope = serde_json::from_str(leaf).map_err(LeafError::NotARecord)?;
    if !canonical::is_canonical(leaf) {
        return Err(LeafError::NotCanonical);
    }
    require("origin", expected.origin.as_str(), &envelope.origin)?;
    require("epoch", &expected.epoch.to_string(), &envelope.epoch.to_string())?;
    require("sequence", &expected.sequence.to_string(), &envelope.sequence.to_string())?;
    let kind = envelope.kind.parse().map_err(|_| misfit("kind", "a kind of record", &envelope.kind))?;
    let time = read_time(&envelope.time)?;
    Ok(Record { id: expected.clone(), kind, time, body: envelope.record })
}

/// The id that a leaf gives itself, for readers who take damaged books as they are.
pub(crate) fn id_within(leaf: &str) -> Option<RecordId> {
    let envelope: Envelope = serde_json::from_str(leaf).ok()?;
    let origin: Origin = envelope.origin.parse().ok()?;
    Some(RecordId { origin, epoch: Epoch::numbered(envelope.epoch)?, sequence: envelope.sequence })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    epoch: u64,
    kind: String,
    origin: String,
    record: Box<RawValue>,
    sequence: u64,
    time: String,
}

fn read_time(text: &str) -> Result<Timestamp, LeafError> {
    let time = text.parse::<Timestamp>().ok().filter(|time| format!("{time:.6}") == text);
    time.ok_or_else(|| misfit("time", "a time in UTC with six digits of a second", text))
}

fn require(member: &'static str, expected: &str, found: &str) -> Result<(), LeafError> {
    if expected == found { Ok(()) } else { Err(misfit(member, expected, found)) }
}

fn misfit(member: &'static str, expected: &str, found: &str) -> LeafError {
    LeafError::Member { member, expected: expected.to_owned(), found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sequence: u64) -> RecordId {
        RecordId { origin: "prod/a-0".parse().unwrap(), epoch: Epoch::FIRST, sequence }
    }

    fn leaf() -> String {
        let body = Body::of(&serde_json::json!({"b": 1, "a": "\n"})).unwrap();
        compose(&id(7), &RecordKind::DECISION, Timestamp::UNIX_EPOCH, &body)
    }

    #[test]
    fn a_leaf_is_one_line_of_sorted_members() {
        let expected = concat!(
            r#"{"epoch":1,"kind":"decision","origin":"prod/a-0","record":{"a":"\n","b":1},"#,
            r#""sequence":7,"time":"1970-01-01T00:00:00.000000Z"}"#
        );
        assert_eq!(leaf(), expected);
        assert!(canonical::is_canonical(&leaf()));
    }

    #[test]
    fn a_leaf_reads_back() {
        let record = read(&leaf(), &id(7)).unwrap();
        assert_eq!((record.id, record.kind, record.time), (id(7), RecordKind::DECISION, Timestamp::UNIX_EPOCH));
        assert_eq!(record.body.get(), r#"{"a":"\n","b":1}"#);
    }

    #[test]
    fn a_leaf_at_another_place_is_refused() {
        let error = read(&leaf(), &id(8)).unwrap_err();
        assert_eq!(error.to_string(), r#"its "sequence" is "7", expected 8"#);
    }

    #[test]
    fn a_leaf_that_is_written_otherwise_is_refused() {
        let spaced = leaf().replace("\"b\":1", "\"b\": 1");
        assert!(matches!(read(&spaced, &id(7)), Err(LeafError::NotCanonical)));
        let more = leaf().replace("\"kind\"", "\"extra\":1,\"kind\"");
        assert!(matches!(read(&more, &id(7)), Err(LeafError::NotARecord(_))));
        let local = leaf().replace("00Z", "00+00:00");
        assert!(matches!(read(&local, &id(7)), Err(LeafError::Member { member: "time", .. })));
    }
}
