//! One round of edits: the claims of all policies are checked, merged and made. Contradictions are found before
//! anything is written; a policy whose edits can't be made is named, and nothing of the round is kept. Rounds, and
//! when they have settled, are in `settle`.

mod conflict;
mod write;

use serde_json::Value;

use crate::pointer::Pointer;
use crate::subject::Seat;
use crate::verdict::{Change, Edit, Failure, Root};

/// An edit of a policy instance at its real place in the object.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The instance that asks.
    pub policy: String,
    /// The rule that asks.
    pub rule: String,
    /// Where, in the whole object.
    pub pointer: Pointer,
    /// What should hold there.
    pub change: Change,
}

/// A round that can't be made: the instances at fault, each with its failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundError {
    /// At least one.
    pub failures: Vec<(String, Failure)>,
}

impl Claim {
    /// The claim that an edit makes on an object whose template sits at `template`; none if the kind has no field for
    /// what is to be edited, which is then done in its Pods.
    ///
    /// # Errors
    /// If the edit reaches for what no policy may touch.
    pub fn new(policy: &str, template: &Seat, edit: &Edit) -> Result<Option<Self>, Failure> {
        if !within_reach(&edit.pointer) {
            let reason = "a policy may edit spec, and labels and annotations one by one".to_owned();
            return Err(Failure::BadEdit { pointer: edit.pointer.clone(), reason });
        }
        let place = match edit.root {
            Root::Template => template.place_of(&edit.pointer),
            Root::Object => Some(edit.pointer.clone()),
        };
        let claim =
            |pointer| Self { policy: policy.to_owned(), rule: edit.rule.clone(), pointer, change: edit.change.clone() };
        Ok(place.map(claim))
    }
}

/// Names, owners, finalizers, versions and status belong to the API server and the controllers.
fn within_reach(pointer: &Pointer) -> bool {
    let tokens: Vec<&str> = pointer.tokens().iter().map(String::as_str).collect();
    matches!(tokens.as_slice(), ["spec", _, ..] | ["metadata", "labels" | "annotations", _])
}

/// Makes the claims on the object, as one: all refer to the object as it stands now.
///
/// # Errors
/// Names every policy that contradicts another or can't be satisfied; the object is then as before.
pub fn make(object: &mut Value, claims: &[Claim]) -> Result<Made, RoundError> {
    let failures = conflict::among(object, claims);
    if !failures.is_empty() {
        return Err(RoundError { failures });
    }
    let mut edited = object.clone();
    let mut made = Vec::new();
    for claim in in_order(claims) {
        match write::apply(&mut edited, claim) {
            Ok(true) => made.push(claim.clone()),
            Ok(false) => {}
            Err(failure) => return Err(RoundError { failures: vec![(claim.policy.clone(), failure)] }),
        }
    }
    *object = edited;
    Ok(Made(made))
}

/// The claims that changed something.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Made(pub Vec<Claim>);

/// Values first, from the outside in, so that a parent is there before its child; then appended elements; then
/// removals, of list elements the highest index first. So every index still means what it meant as the round began.
fn in_order(claims: &[Claim]) -> Vec<&Claim> {
    let step = |claim: &Claim| match claim.change {
        Change::Set(_) => 0,
        Change::Default(_) => 1,
        Change::AppendUnique { .. } => 2,
        Change::Remove => 3,
    };
    let mut ordered: Vec<&Claim> = claims.iter().collect();
    ordered.sort_by(|a, b| {
        step(a).cmp(&step(b)).then_with(|| match a.change {
            Change::Remove => write::later_first(&a.pointer, &b.pointer),
            _ => a.pointer.tokens().len().cmp(&b.pointer.tokens().len()),
        })
    });
    // Two that remove one element remove it once.
    ordered.dedup_by(|a, b| a.change == Change::Remove && b.change == Change::Remove && a.pointer == b.pointer);
    ordered
}

#[cfg(test)]
mod tests;
