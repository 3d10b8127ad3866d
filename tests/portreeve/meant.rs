//! What can hardly be meant by a change of our own resources: it is refused, or made with a warning.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use portreeve_admission::policy::Policy;
use portreeve_admission::subject::TemplatePaths;
use portreeve_cluster::registration::{Served, idle_rules};
use portreeve_server::proposal::Doctor;
use portreeve_server::set::Outline;
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

use crate::proposals::{Scene, by, exception, excluding, own_policy, policy, set, with_profile};

fn refusal(scene: &Scene, review: &Value) -> Option<String> {
    scene.answer(None, Some("firemen"), review).refusal.map(|refusal| refusal.message)
}

fn warnings(scene: &Scene, review: &Value) -> Vec<String> {
    let answer = scene.answer(None, None, review);
    assert!(answer.refusal.is_none(), "{answer:?}");
    answer.warnings
}

#[test]
fn an_exception_that_is_over_already_is_refused() {
    let scene = Scene::of(&[policy(json!({}))]);
    let mut over = exception("shop");
    over["spec"]["expires"] = json!("2020-01-01T00:00:00Z");
    let said = refusal(&scene, &create(&over)).unwrap();
    assert!(said.contains("spec.expires: 2020-01-01T00:00:00Z has passed"), "{said}");
    let mut labelled = over.clone();
    labelled["metadata"]["labels"] = json!({"seen": "yes"});
    assert_eq!(refusal(&scene, &update(&labelled, &over)), None);
}

#[test]
fn a_list_of_nothing_in_an_exception_is_refused_since_it_would_loosen_for_all() {
    let scene = Scene::of(&[policy(json!({}))]);
    for (field, at) in [("rules", "/spec"), ("containers", "/spec"), ("images", "/spec/match")] {
        let mut empty = exception("shop");
        empty["spec"]["match"] = json!({});
        empty.pointer_mut(at).unwrap()[field] = json!([]);
        let said = refusal(&scene, &create(&empty)).unwrap();
        assert!(said.contains(&format!("{field}: an empty list loosens for all")), "{said}");
    }
}

/// A set whose denials are dropped until this long from now.
fn switched(ahead: SignedDuration) -> Value {
    let mut set = set("platform", "2024-01-01T00:00:00Z");
    let until = (Timestamp::now() + ahead).to_string();
    set["metadata"]["annotations"] =
        json!({"portreeve.dev/break-glass-until": until, "portreeve.dev/break-glass-reason": "fire"});
    set
}

#[test]
fn break_glass_ends_within_a_week_and_not_before_it_begins() {
    let scene = Scene::of(&[]);
    let asked = |hours| refusal(&scene, &by(create(&switched(SignedDuration::from_hours(hours))), "ada", &["firemen"]));
    assert_eq!(asked(2), None);
    assert_eq!(asked(7 * 24 - 1), None);
    assert!(asked(-1).unwrap().contains("which has passed: no denial would be dropped"));
    assert!(asked(7 * 24 + 1).unwrap().contains("it may be seven days ahead at most"));
}

#[test]
fn a_set_whose_break_glass_is_over_may_still_be_changed() {
    let over = switched(SignedDuration::from_hours(-1));
    let mut milder = over.clone();
    milder["spec"] = json!({"failurePolicy": "Ignore"});
    assert_eq!(refusal(&Scene::of(&[]), &update(&milder, &over)), None);
}

#[test]
fn whoever_writes_the_first_policy_learns_that_the_profile_is_no_longer_in_force() {
    let said = warnings(&Scene::of(&[]), &create(&policy(json!({}))));
    assert!(said[0].contains("policies of the platform profile are no longer in force"), "{said:?}");
    assert!(said[0].chars().count() <= 256, "the API server may cut it: {said:?}");
    let nothing: [&str; 0] = [];
    assert_eq!(warnings(&Scene::of(&[]), &create(&with_profile("platform"))), nothing);
    assert_eq!(warnings(&Scene::of(&[with_profile("platform")]), &create(&policy(json!({})))), nothing);
    assert_eq!(warnings(&Scene::of(&[with_profile("none")]), &create(&policy(json!({})))), nothing);
}

#[test]
fn a_policy_of_a_namespace_that_is_excluded_is_taken_with_a_warning() {
    let asked = create(&own_policy("own", "2026-01-01T00:00:00Z"));
    let said = warnings(&Scene::of(&[policy(json!({})), excluding(&["shop"])]), &asked);
    assert!(said[0].contains("in force nowhere: the namespace \"shop\" is excluded"), "{said:?}");
    let nothing: [&str; 0] = [];
    assert_eq!(warnings(&Scene::of(&[policy(json!({})), excluding(&["bank"])]), &asked), nothing);
}

/// Knows what policies are asked about, as the server in a cluster does.
struct KnowsResources;

impl Doctor for KnowsResources {
    fn faults(&self, _: &Outline) -> Vec<String> {
        Vec::new()
    }

    fn idle(&self, policy: &Policy) -> Vec<usize> {
        idle_rules(policy, &TemplatePaths::default(), &Served::default())
    }
}

#[test]
fn a_policy_of_resources_that_it_never_looks_at_is_taken_with_a_warning() {
    let mut misspelt = policy(json!({}));
    misspelt["spec"]["match"] = json!({"resources": [{"resources": ["deployments"]}, {"resources": ["deploymnets"]}]});
    let scene = Scene::of(&[policy(json!({}))]);
    let answer = scene.answer(Some(Arc::new(KnowsResources)), None, &update(&misspelt, &policy(json!({}))));
    assert!(answer.refusal.is_none(), "{answer:?}");
    let [said] = &answer.warnings[..] else { panic!("{:?}", answer.warnings) };
    assert!(said.contains("spec.match.resources[1] names nothing that this policy looks at"), "{said}");
}
