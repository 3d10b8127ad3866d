//! No edit makes an object that the API server refuses. Every object of every policy's cases, and those of
//! `objects.yaml`, which were written to be stumbled over, are edited until they settle; what comes of it has no fault
//! by the API server's own rules (`rules`) that it did not have before, and loses nothing when it is decoded into the
//! typed API (`typed`).
//!
//! What the API server makes of it in truth is for the tests against a control plane.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod rules;
mod settled;
mod typed;

use std::sync::LazyLock;

use portreeve_sdk::Can;
use portreeve_sdk::export::Registration;
use serde_json::{Value, json};

use settled::{Edited, Row};

/// Every case with the policy that it is for, edited by that policy.
static CASES: LazyLock<Vec<Edited>> = LazyLock::new(|| {
    let edited = |policy: &Registration| {
        let cases = settled::cases(policy.manifest().name);
        cases.into_iter().filter_map(|case| Edited::by_one(policy, &case)).collect::<Vec<_>>()
    };
    portreeve_catalogue::policies().iter().flat_map(edited).collect()
});

/// Every object of a case, edited by all policies as they are without settings.
static CASES_BY_ALL: LazyLock<Vec<Edited>> = LazyLock::new(|| {
    let policies = portreeve_catalogue::policies();
    let each = policies.iter().flat_map(|policy| settled::cases(policy.manifest().name));
    each.map(|case| Edited::by_all(&Row::of_case(case))).collect()
});

/// Every object that was written to be stumbled over, edited by all policies with its settings.
fn of_rows() -> Vec<Edited> {
    Row::all().iter().map(Edited::by_all).collect()
}

/// Faults that came with the edits, one line each.
fn new_faults(edited: &[Edited]) -> Vec<String> {
    let new = |edited: &Edited| {
        let before = rules::faults(&edited.before);
        let after = rules::faults(&edited.after);
        after.difference(&before).map(|fault| format!("{}: {fault}", edited.name)).collect::<Vec<_>>()
    };
    edited.iter().flat_map(new).collect()
}

/// Fields that decoding loses only since the edits, one line each.
fn new_losses(edited: &[Edited]) -> Vec<String> {
    let new = |edited: &Edited| match (typed::decoded(&edited.before), typed::decoded(&edited.after)) {
        (Ok(()), Err(lost)) => Some(format!("{}: {lost}", edited.name)),
        _ => None,
    };
    edited.iter().filter_map(new).collect()
}

#[test]
fn no_policy_makes_a_case_one_that_the_api_server_refuses() {
    let faults = new_faults(&CASES);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_policies_together_make_a_case_one_that_the_api_server_refuses() {
    let faults = new_faults(&CASES_BY_ALL);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_was_written_to_be_stumbled_over_is_accepted_after_the_edits() {
    for edited in of_rows() {
        assert_eq!(rules::faults(&edited.before), [].into(), "{}: as written", edited.name);
        assert_eq!(rules::faults(&edited.after), [].into(), "{}: after the edits: {}", edited.name, edited.after);
        assert_eq!(typed::decoded(&edited.after), Ok(()), "{}", edited.name);
    }
}

#[test]
fn the_typed_api_knows_every_field_that_is_put_in() {
    for edited in [&CASES, &CASES_BY_ALL] {
        let strict = edited.iter().filter(|edited| typed::decoded(&edited.before).is_ok()).count();
        assert!(strict > edited.len() / 2, "only {strict} of {} cases are objects of the typed API", edited.len());
        let losses = new_losses(edited);
        assert!(losses.is_empty(), "\n{}", losses.join("\n"));
    }
}

#[test]
fn every_object_settles_and_nothing_is_left_to_edit() {
    for edited in CASES_BY_ALL.iter().chain(&of_rows()) {
        assert_eq!(edited.again(), edited.after, "{}", edited.name);
    }
}

#[test]
fn a_policy_edits_one_of_its_cases_if_it_can_edit_at_all() {
    for manifest in portreeve_catalogue::policies().iter().map(Registration::manifest) {
        let edits = CASES.iter().any(|edited| edited.policy == manifest.name && edited.before != edited.after);
        assert_eq!(edits, manifest.can != Can::VALIDATE, "{}", manifest.name);
    }
}

#[test]
fn a_misspelt_field_is_seen_by_the_typed_api() {
    let pod = |field: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {
            "containers": [{"name": "a", "image": "a:1", "securityContext": {field: true}}],
        }})
    };
    assert_eq!(typed::decoded(&pod("readOnlyRootFilesystem")), Ok(()));
    let lost = typed::decoded(&pod("readOnlyRootFileSystem")).unwrap_err();
    assert!(lost.contains("/spec/containers/0/securityContext/readOnlyRootFileSystem"), "{lost}");
}

#[test]
fn a_field_of_the_wrong_type_is_seen_by_the_typed_api() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "image": 1}]}});
    assert!(typed::decoded(&pod).is_err());
    assert_eq!(typed::decoded(&Value::Null), Err("no kind of the typed API".to_owned()));
}
