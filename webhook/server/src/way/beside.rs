//! What a record names and does not hold: facts, and lists that are too long for it. It lies beside the log, found by
//! its digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_admission::case::{FactKind, Facts};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::digest::sha256;

/// Elements of a list that stand in a record by themselves, and the most that they may take, as JSON. What is over is
/// there by count and digest. A record has a handful of lists and must stay a leaf of the book: under 64 KiB.
const LISTED: usize = 40;
const LISTED_BYTES: usize = 8 << 10;

/// All that one record names.
#[derive(Debug, Default)]
pub(super) struct Beside(pub(super) Vec<Content>);

/// A list in a record.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Listed<T> {
    /// All of it.
    Whole(Vec<T>),
    /// Its beginning, with the digest and the count of all.
    Cut { all: String, count: usize, first: Vec<T> },
}

/// Text, and the digest by which it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) digest: String,
    pub(super) text: String,
}

impl Beside {
    /// A list as it stands in the record.
    pub(super) fn list<T: Serialize>(&mut self, mut all: Vec<T>) -> Listed<T> {
        let fitting = fitting(&all);
        if fitting == all.len() {
            return Listed::Whole(all);
        }
        let (count, text) = (all.len(), serde_json::to_string(&all).unwrap_or_default());
        all.truncate(fitting);
        Listed::Cut { all: self.name(text), count, first: all }
    }

    /// The digests of the facts of each round that had any.
    pub(super) fn facts(&mut self, rounds: &[Arc<Facts>]) -> Listed<String> {
        let digests = rounds.iter().filter_map(|facts| facts_text(facts)).map(|text| self.name(text)).collect();
        self.list(digests)
    }

    /// The digest of a text, which is kept.
    pub(super) fn name(&mut self, text: String) -> String {
        let digest = sha256(text.as_bytes());
        self.0.push(Content { digest: digest.clone(), text });
        digest
    }
}

/// How many of these stand in a record.
fn fitting<T: Serialize>(all: &[T]) -> usize {
    let mut bytes = Bytes(0);
    // Nothing can go wrong where nothing is kept.
    let fits = |element: &&T| serde_json::to_writer(&mut bytes, element).is_ok() && bytes.0 <= LISTED_BYTES;
    all.iter().take(LISTED).take_while(fits).count()
}

/// Counts what is written.
struct Bytes(usize);

impl std::io::Write for Bytes {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0 += text.len();
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is known under one key of a fact.
#[derive(Serialize)]
#[serde(untagged)]
enum Known<'a> {
    /// JSON, as it was gathered.
    Value(&'a RawValue),
    Missing {
        missing: &'a str,
    },
}

/// The facts of one round as JSON text, in a fixed order; none if there were none.
fn facts_text(facts: &Facts) -> Option<String> {
    let mut kinds: BTreeMap<FactKind, BTreeMap<&str, Known<'_>>> = BTreeMap::new();
    for (kind, key, value) in facts.sorted() {
        let known = match value {
            Ok(text) => serde_json::from_str(text).map_or(Known::Value(RawValue::NULL), Known::Value),
            Err(reason) => Known::Missing { missing: reason },
        };
        kinds.entry(kind).or_default().insert(key, known);
    }
    (!kinds.is_empty()).then(|| serde_json::to_string(&kinds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn listed<T: Serialize>(all: Vec<T>) -> (Value, Beside) {
        let mut beside = Beside::default();
        let listed = serde_json::to_value(beside.list(all)).unwrap();
        (listed, beside)
    }

    #[test]
    fn a_short_list_stands_in_the_record() {
        let (listed, beside) = listed(vec![1]);
        assert_eq!(listed, json!([1]));
        assert!(beside.0.is_empty());
    }

    #[test]
    fn a_list_of_long_elements_takes_no_more_than_its_share() {
        // Six bytes each as JSON, which is the most that a character takes.
        let (listed, beside) = listed(vec!["\u{1}".repeat(240); 30]);
        assert_eq!((listed["first"].as_array().unwrap().len(), &listed["count"]), (5, &json!(30)));
        assert_eq!(beside.0.len(), 1);
    }

    #[test]
    fn a_long_list_lies_beside_the_record() {
        let all: Vec<u32> = (0..100).collect();
        let (listed, beside) = listed(all.clone());
        let [content] = beside.0.as_slice() else { panic!("{beside:?}") };
        assert_eq!(listed["first"].as_array().unwrap().len(), LISTED);
        assert_eq!((&listed["count"], &listed["all"]), (&json!(100), &json!(content.digest)));
        assert_eq!(serde_json::from_str::<Vec<u32>>(&content.text).unwrap(), all);
    }
}
