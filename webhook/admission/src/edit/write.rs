//! Writes one claim into an object. Whether claims agree with each other is told in `conflict`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::Claim;
use crate::pointer::{Pointer, list_index};
use crate::verdict::{Change, Failure};

/// Makes a claim hold. True if that changed the object.
pub(super) fn apply(object: &mut Value, claim: &Claim) -> Result<bool, Failure> {
    let written = match &claim.change {
        Change::Set(value) => set(object, claim.pointer.tokens(), value, true),
        Change::Default(value) => set(object, claim.pointer.tokens(), value, false),
        Change::AppendUnique { value, keys } => append(object, claim.pointer.tokens(), value, keys),
        Change::Remove => Ok(remove(object, claim.pointer.tokens())),
    };
    written.map_err(|reason| Failure::BadEdit { pointer: claim.pointer.clone(), reason })
}

/// Whether an element that `same_element` of `value` stands in the list.
pub(super) fn same_element(a: &Value, b: &Value, keys: &[String]) -> bool {
    if keys.is_empty() { a == b } else { keys.iter().all(|key| a.get(key) == b.get(key)) }
}

/// Orders removals: of two elements of one list the one with the higher index goes first, and what lies within another
/// before that other.
pub(super) fn later_first(a: &Pointer, b: &Pointer) -> Ordering {
    let differ = a.tokens().iter().zip(b.tokens()).find(|(a, b)| a != b);
    match differ {
        Some((a, b)) => (list_index(b), b).cmp(&(list_index(a), a)),
        None => b.tokens().len().cmp(&a.tokens().len()),
    }
}

fn set(object: &mut Value, path: &[String], value: &Value, replace: bool) -> Result<bool, String> {
    let place = place(object, path)?;
    if (!replace && !place.is_null()) || (place == value && !value.is_null()) {
        return Ok(false);
    }
    *place = value.clone();
    Ok(true)
}

fn append(object: &mut Value, path: &[String], value: &Value, keys: &[String]) -> Result<bool, String> {
    let place = place(object, path)?;
    if place.is_null() {
        *place = Value::Array(Vec::new());
    }
    let Value::Array(list) = place else { return Err("what stands there is not a list".to_owned()) };
    if list.iter().any(|element| same_element(element, value, keys)) {
        return Ok(false);
    }
    list.push(value.clone());
    Ok(true)
}

fn remove(object: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let parent = parents.iter().try_fold(object, |value, token| match value {
        Value::Object(fields) => fields.get_mut(token),
        Value::Array(items) => list_index(token).and_then(|index| items.get_mut(index)),
        _ => None,
    });
    match parent {
        Some(Value::Object(fields)) => fields.shift_remove(last).is_some(),
        Some(Value::Array(items)) => match list_index(last) {
            Some(index) if index < items.len() => {
                items.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// The place at the path. Missing or null parents become objects; a list is never grown.
fn place<'a>(object: &'a mut Value, path: &[String]) -> Result<&'a mut Value, String> {
    path.iter().try_fold(object, |value, token| {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        match value {
            Value::Object(fields) => Ok(fields.entry(token.clone()).or_insert(Value::Null)),
            Value::Array(items) => {
                let length = items.len();
                list_index(token)
                    .and_then(|index| items.get_mut(index))
                    .ok_or_else(|| format!("there is no element {token:?} in the list of {length}"))
            }
            _ => Err(format!("{token:?} would stand in what is neither an object nor a list")),
        }
    })
}
