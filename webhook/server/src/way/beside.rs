//! What a record names and does not hold: facts, and lists that are too long for it. It lies beside the log, found by
//! its digest.

use std::sync::Arc;

use portreeve_admission::case::Facts;
use serde_json::{Map, Value, json};

use crate::digest::sha256;

/// Elements of a list that stand in a record by themselves. What is over is there by count and digest.
const LISTED: usize = 40;

/// All that one record names.
#[derive(Debug, Default)]
pub(super) struct Beside(pub(super) Vec<Content>);

/// Text, and the digest by which it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) digest: String,
    pub(super) text: String,
}

impl Beside {
    /// A list as it stands in the record: whole, or its beginning with the count and the digest of all.
    pub(super) fn list(&mut self, all: Vec<Value>) -> Value {
        if all.len() <= LISTED {
            return Value::Array(all);
        }
        let (count, text) = (all.len(), Value::from(&*all).to_string());
        let first: Vec<Value> = all.into_iter().take(LISTED).collect();
        json!({"first": first, "count": count, "all": self.name(text)})
    }

    /// The digests of the facts of each round that had any.
    pub(super) fn facts(&mut self, rounds: &[Arc<Facts>]) -> Vec<String> {
        rounds.iter().filter_map(|facts| facts_text(facts)).map(|text| self.name(text)).collect()
    }

    fn name(&mut self, text: String) -> String {
        let digest = sha256(text.as_bytes());
        self.0.push(Content { digest: digest.clone(), text });
        digest
    }
}

/// The facts of one round as JSON text, in a fixed order; none if there were none.
fn facts_text(facts: &Facts) -> Option<String> {
    let mut kinds: Map<String, Value> = Map::new();
    for (kind, key, value) in facts.sorted() {
        let known = match value {
            Ok(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            Err(reason) => json!({"missing": reason}),
        };
        let keys = kinds.entry(kind.name()).or_insert_with(|| json!({}));
        if let Value::Object(keys) = keys {
            keys.insert(key.to_owned(), known);
        }
    }
    (!kinds.is_empty()).then(|| Value::Object(kinds).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_stands_in_the_record() {
        let mut beside = Beside::default();
        assert_eq!(beside.list(vec![json!(1)]), json!([1]));
        assert!(beside.0.is_empty());
    }

    #[test]
    fn a_long_list_lies_beside_the_record() {
        let mut beside = Beside::default();
        let all: Vec<Value> = (0..100).map(Value::from).collect();
        let listed = beside.list(all.clone());
        let [content] = beside.0.as_slice() else { panic!("{beside:?}") };
        assert_eq!(listed["first"].as_array().unwrap().len(), LISTED);
        assert_eq!((&listed["count"], &listed["all"]), (&json!(100), &json!(content.digest)));
        assert_eq!(serde_json::from_str::<Vec<Value>>(&content.text).unwrap(), all);
    }
}
