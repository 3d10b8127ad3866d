//! Finds contradictions among the claims of one round. Two claims contradict each other if both can't hold: different
//! values at one place, different elements of one identity, a value inside what another removes or replaces. A
//! `Default` yields to a `Set`: it asks only for something to stand there.

use std::collections::HashSet;

use serde_json::Value;

use super::Claim;
use super::write::same_element;
use crate::pointer::Pointer;
use crate::verdict::{Change, Failure};

/// Every policy in a contradiction, once for each partner: a guest that contradicts itself a million times is told
/// once.
pub(super) fn among(object: &Value, claims: &[Claim]) -> Vec<(String, Failure)> {
    let mut live: Vec<&Claim> = claims.iter().filter(|claim| !satisfied_default(object, claim)).collect();
    // What lies within a place stands right behind it then: nobody else can contradict a claim of it.
    live.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    let mut failures = Vec::new();
    for (index, a) in live.iter().enumerate() {
        let within = live.iter().skip(index + 1).take_while(|b| b.pointer.tokens().starts_with(a.pointer.tokens()));
        for b in within.filter(|b| contradict(a, b)) {
            for (one, other) in [(a, b), (b, a)] {
                if told.insert((&one.policy, &other.policy)) {
                    let failure = Failure::Conflict { pointer: one.pointer.clone(), other: other.policy.clone() };
                    failures.push((one.policy.clone(), failure));
                }
            }
        }
    }
    failures
}

/// A default where something stands asks for nothing.
fn satisfied_default(object: &Value, claim: &Claim) -> bool {
    matches!(claim.change, Change::Default(_)) && claim.pointer.find(object).is_some_and(|value| !value.is_null())
}

/// Whether `a` contradicts `b`, which is at the same place or within it.
fn contradict(a: &Claim, b: &Claim) -> bool {
    match b.pointer.strip_prefix(&a.pointer) {
        Some(inner) if inner.tokens().is_empty() => at_one_place(&a.change, &b.change),
        Some(inner) => below(&a.change, &inner, &b.change),
        None => false,
    }
}

fn at_one_place(a: &Change, b: &Change) -> bool {
    use Change::{AppendUnique, Default, Remove, Set};
    match (a, b) {
        (Set(_), Default(_)) | (Default(_), Set(_)) | (Remove, Remove) => false,
        (Set(x), Set(y)) | (Default(x), Default(y)) => x != y,
        (AppendUnique { value: x, keys }, AppendUnique { value: y, keys: other }) => {
            let alike = |keys: &[String]| !keys.is_empty() && same_element(x, y, keys);
            x != y && (alike(keys) || alike(other))
        }
        _ => true,
    }
}

/// Whether `inner`, at a place within the outer claim's, asks for something else than the outer one leaves there.
fn below(outer: &Change, at: &Pointer, inner: &Change) -> bool {
    match outer {
        Change::Remove => !matches!(inner, Change::Remove),
        // Elements are appended before others are removed; inside an element nothing may be taken away.
        Change::AppendUnique { .. } => matches!(inner, Change::Remove) && at.tokens().len() > 1,
        Change::Set(value) | Change::Default(value) => match (at.find(value), inner) {
            (None, Change::Remove) => false,
            (None, _) => reaches_into_scalar(value, at),
            (Some(there), Change::Set(wanted)) => there != wanted,
            (Some(_), Change::Default(_)) => false,
            (Some(there), Change::AppendUnique { .. }) => !there.is_array(),
            (Some(_), Change::Remove) => true,
        },
    }
}

/// Whether the way to `at` within `value` ends at something that can't hold more.
fn reaches_into_scalar(value: &Value, at: &Pointer) -> bool {
    let mut here = value;
    for token in at.tokens() {
        match here {
            Value::Object(fields) => match fields.get(token) {
                Some(next) => here = next,
                None => return false,
            },
            Value::Null => return false,
            _ => return true,
        }
    }
    false
}
