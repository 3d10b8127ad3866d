//! What somebody asks to be renewed before it is due: renewed once, with the overlap that everything has.

use std::time::Duration;

use portreeve_certs::{Asked, LeafReason, Renewal};

use crate::rotation::{Scene, after};
use crate::wire::{DAY, HOUR, policy};

#[test]
fn a_leaf_is_renewed_once_when_somebody_asks_and_the_token_with_it() {
    let mut scene = Scene::created();
    let asked = after(HOUR);
    let within_that_second = after(HOUR + Duration::from_millis(900));
    scene.policy = policy().asked(Asked { leaf: Some(within_that_second), ..Asked::default() });
    assert_eq!(scene.renew(asked), [Renewal::LeafIssued(LeafReason::Asked), Renewal::TokenAnnounced]);
    assert_eq!(scene.renew(after(2 * HOUR)), []);
}

#[test]
fn a_ca_that_somebody_asks_for_takes_over_with_the_same_overlap_as_any() {
    let mut scene = Scene::created();
    let asked = after(HOUR);
    scene.policy = policy().asked(Asked { authority: Some(asked), ..Asked::default() });
    assert_eq!(scene.renew(asked), [Renewal::AuthorityAnnounced]);
    assert_eq!(scene.bundle_size(asked), 2);
    assert_eq!(scene.renew(asked), []);
    let taken_over = scene.renew(asked.checked_add(scene.policy.overlap()).unwrap());
    assert_eq!(taken_over[..2], [Renewal::AuthorityPromoted, Renewal::LeafIssued(LeafReason::AuthorityChanged)]);
    assert!(!scene.renew(after(10 * DAY)).contains(&Renewal::AuthorityAnnounced));
}

#[test]
fn what_is_asked_for_a_time_to_come_is_asked_of_nobody() {
    let mut scene = Scene::created();
    let later = Some(after(DAY));
    scene.policy = policy().asked(Asked { authority: later, leaf: later });
    assert_eq!(scene.renew(after(HOUR)), []);
}
