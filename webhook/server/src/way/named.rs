//! What records name of the content beside them, read back: the other side of `record`, `beside` and a set's
//! description. The digests of objects and patches name nothing here, since those are not kept.

use std::collections::BTreeMap;

use portreeve_ledger::{Digest, Named, Record, Within};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The members of a record's body. None of their names has anything that JSON escapes.
type Members<'a> = BTreeMap<&'a str, &'a RawValue>;

/// A list that is too long for its record.
#[derive(Deserialize)]
struct Cut {
    all: String,
}

/// What is known of the request's namespace.
#[derive(Deserialize)]
struct Around {
    known: Option<String>,
}

/// A set, as far as it names content.
#[derive(Deserialize)]
struct Set {
    policies: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    module: String,
    settings: String,
}

/// All that a record names.
#[must_use]
pub fn named(record: &Record) -> Vec<Named> {
    let members: Members<'_> = serde_json::from_str(record.body.get()).unwrap_or_default();
    members.into_iter().flat_map(|(member, value)| named_by(member, value.get())).collect()
}

/// What a member of a record names.
fn named_by(member: &str, value: &str) -> Vec<Named> {
    match member {
        "set" => read(value).and_then(|set: String| content(&set, Some(of_set))).into_iter().collect(),
        "said" => read(value).and_then(|said: String| content(&said, None)).into_iter().collect(),
        "namespace" => {
            let known = read(value).and_then(|around: Around| around.known);
            known.and_then(|known| content(&known, None)).into_iter().collect()
        }
        "facts" if value.starts_with('[') => of_facts(value.as_bytes()),
        "facts" => cut(value, Some(of_facts)),
        "advisories" | "edits" | "exceptions" | "failures" | "policies" | "violations" => cut(value, None),
        _ => Vec::new(),
    }
}

/// What a list names that does not stand in the record whole.
fn cut(value: &str, within: Option<Within>) -> Vec<Named> {
    let cut: Option<Cut> = value.starts_with('{').then(|| read(value)).flatten();
    cut.and_then(|cut| content(&cut.all, within)).into_iter().collect()
}

/// What a set names: the modules and settings of its policies.
fn of_set(set: &[u8]) -> Vec<Named> {
    let policies = serde_json::from_slice(set).map(|set: Set| set.policies).unwrap_or_default();
    policies
        .iter()
        .flat_map(|policy| [&policy.module, &policy.settings])
        .filter_map(|text| content(text, None))
        .collect()
}

/// What a list of facts names: each of its elements is the digest of some.
fn of_facts(facts: &[u8]) -> Vec<Named> {
    let facts: Vec<String> = serde_json::from_slice(facts).unwrap_or_default();
    facts.iter().filter_map(|digest| content(digest, None)).collect()
}

fn content(digest: &str, within: Option<Within>) -> Option<Named> {
    let digest: Digest = digest.parse().ok()?;
    Some(Named { digest, within })
}

fn read<'a, T: Deserialize<'a>>(value: &'a str) -> Option<T> {
    serde_json::from_str(value).ok()
}
