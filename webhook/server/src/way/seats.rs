//! Which of the policies that a review's kind and labels let through meet it: as what they stand in its namespace, and
//! by their conditions.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};

use portreeve_admission::api::Mode;
use portreeve_admission::matching::labels_that_count;
use portreeve_admission::review::Review;

use crate::set::{PolicySet, Seat, Subject};

/// What each policy is for the review, without those that are off.
pub(super) fn seated(
    set: &PolicySet,
    review: &Review,
    selected: Vec<usize>,
    labels: Option<&BTreeMap<String, String>>,
) -> Vec<Seat> {
    let labels = labels_that_count(review, labels);
    let seat = |place: usize| {
        let standing = set.policies().get(place)?.standing(review, labels);
        let seat = Seat { place, standing };
        set.policy(seat).filter(|policy| policy.mode != Mode::Off).map(|_| seat)
    };
    selected.into_iter().filter_map(seat).collect()
}

/// Leaves those out whose conditions are not met; why it can't be told of some, by their ids.
pub(super) fn meet_conditions(set: &PolicySet, review: &Review, selected: &mut Vec<Seat>) -> HashMap<String, String> {
    let mut unclear = HashMap::new();
    let subject = LazyCell::new(|| Subject::of(review));
    selected.retain(|seat| {
        let Some(policy) = set.policy(*seat) else { return false };
        let Some(conditions) = set.conditions(&policy.id) else { return true };
        conditions.hold(&subject).unwrap_or_else(|reason| {
            unclear.insert(policy.id.clone(), reason);
            true
        })
    });
    unclear
}
