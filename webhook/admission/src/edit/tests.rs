//! One round of edits: what is made, in which order, and what contradicts.

use super::*;
use serde_json::json;

fn claim(policy: &str, pointer: &str, change: Change) -> Claim {
    Claim { policy: policy.into(), rule: "r".into(), pointer: pointer.parse().unwrap(), change }
}

fn set(policy: &str, pointer: &str, value: Value) -> Claim {
    claim(policy, pointer, Change::Set(value))
}

fn default(policy: &str, pointer: &str, value: Value) -> Claim {
    claim(policy, pointer, Change::Default(value))
}

fn append(policy: &str, pointer: &str, value: Value) -> Claim {
    claim(policy, pointer, Change::AppendUnique { value, keys: vec!["name".into()] })
}

fn made(mut object: Value, claims: &[Claim]) -> Value {
    make(&mut object, claims).unwrap();
    object
}

fn at_fault(mut object: Value, claims: &[Claim]) -> Vec<String> {
    let before = object.clone();
    let error = make(&mut object, claims).unwrap_err();
    assert_eq!(object, before, "nothing of a bad round is kept");
    error.failures.into_iter().map(|(policy, _)| policy).collect()
}

#[test]
fn parents_are_made_as_needed() {
    assert_eq!(made(json!({}), &[set("a", "/spec/x/y", json!(1))]), json!({"spec": {"x": {"y": 1}}}));
    assert_eq!(made(json!({"spec": null}), &[set("a", "/spec/x", json!(1))]), json!({"spec": {"x": 1}}));
}

#[test]
fn a_default_leaves_what_stands() {
    let object = json!({"spec": {"x": false, "y": null}});
    let edited = made(object, &[default("a", "/spec/x", json!(true)), default("a", "/spec/y", json!(2))]);
    assert_eq!(edited, json!({"spec": {"x": false, "y": 2}}));
}

#[test]
fn a_default_yields_to_a_set() {
    let edited = made(json!({}), &[default("a", "/spec/x", json!(1)), set("b", "/spec/x", json!(2))]);
    assert_eq!(edited, json!({"spec": {"x": 2}}));
}

#[test]
fn an_element_is_appended_once() {
    let object = json!({"spec": {"v": [{"name": "tmp", "own": true}]}});
    let claims = [append("a", "/spec/v", json!({"name": "tmp"})), append("a", "/spec/v", json!({"name": "run"}))];
    assert_eq!(made(object, &claims), json!({"spec": {"v": [{"name": "tmp", "own": true}, {"name": "run"}]}}));
}

#[test]
fn two_policies_may_append_the_same_element() {
    let claims = [append("a", "/spec/v", json!({"name": "tmp"})), append("b", "/spec/v", json!({"name": "tmp"}))];
    assert_eq!(made(json!({}), &claims), json!({"spec": {"v": [{"name": "tmp"}]}}));
}

#[test]
fn removals_come_last_and_the_highest_index_first() {
    let claims = [
        claim("a", "/spec/v/0", Change::Remove),
        claim("a", "/spec/v/2", Change::Remove),
        set("b", "/spec/v/1/x", json!(9)),
    ];
    let object = json!({"spec": {"v": [{"x": 0}, {"x": 1}, {"x": 2}, {"x": 3}]}});
    assert_eq!(made(object, &claims), json!({"spec": {"v": [{"x": 9}, {"x": 3}]}}));
}

#[test]
fn removals_of_two_digit_indices_are_ordered_by_number() {
    let list: Vec<_> = (0..12).collect();
    let claims = [claim("a", "/spec/v/9", Change::Remove), claim("a", "/spec/v/10", Change::Remove)];
    let edited = made(json!({"spec": {"v": list}}), &claims);
    assert_eq!(edited, json!({"spec": {"v": [0, 1, 2, 3, 4, 5, 6, 7, 8, 11]}}));
}

#[test]
fn two_values_at_one_place_are_a_conflict_and_neither_is_made() {
    let claims = [set("a", "/spec/x", json!(1)), set("b", "/spec/x", json!(2))];
    assert_eq!(at_fault(json!({}), &claims), ["a", "b"]);
    let claims = [default("a", "/spec/x", json!(1)), default("b", "/spec/x", json!(2))];
    assert_eq!(at_fault(json!({}), &claims), ["a", "b"]);
}

#[test]
fn two_defaults_where_something_stands_are_no_conflict() {
    let claims = [default("a", "/spec/x", json!(1)), default("b", "/spec/x", json!(2))];
    assert_eq!(made(json!({"spec": {"x": 3}}), &claims), json!({"spec": {"x": 3}}));
}

#[test]
fn different_elements_of_one_identity_are_a_conflict() {
    let claims =
        [append("a", "/spec/v", json!({"name": "t", "s": 1})), append("b", "/spec/v", json!({"name": "t", "s": 2}))];
    assert_eq!(at_fault(json!({}), &claims), ["a", "b"]);
}

#[test]
fn a_value_inside_what_another_removes_is_a_conflict() {
    let claims = [claim("a", "/spec/x", Change::Remove), set("b", "/spec/x/y", json!(1))];
    assert_eq!(at_fault(json!({"spec": {"x": {}}}), &claims), ["a", "b"]);
}

#[test]
fn a_parent_and_its_child_by_two_policies_go_together() {
    let claims = [default("b", "/spec/s/seccomp", json!("d")), default("a", "/spec/s", json!({"nonRoot": true}))];
    assert_eq!(made(json!({}), &claims), json!({"spec": {"s": {"nonRoot": true, "seccomp": "d"}}}));
}

#[test]
fn a_parent_that_holds_another_value_than_the_child_asks_for_is_a_conflict() {
    let claims = [set("a", "/spec/s", json!({"x": 1})), set("b", "/spec/s/x", json!(2))];
    assert_eq!(at_fault(json!({}), &claims), ["a", "b"]);
}

#[test]
fn an_element_that_is_not_there_is_a_bad_edit() {
    let mut object = json!({"spec": {"containers": [{}]}});
    let error = make(&mut object, &[set("a", "/spec/containers/1/x", json!(1))]).unwrap_err();
    assert!(matches!(&error.failures[..], [(policy, Failure::BadEdit { .. })] if policy == "a"));
}

#[test]
fn a_value_inside_a_scalar_is_a_bad_edit() {
    assert_eq!(at_fault(json!({"spec": {"x": 1}}), &[set("a", "/spec/x/y", json!(1))]), ["a"]);
}

#[test]
fn an_edit_of_what_belongs_to_the_api_server_is_refused() {
    for pointer in [
        "",
        "/metadata/name",
        "/metadata/finalizers",
        "/metadata/ownerReferences/0",
        "/status/phase",
        "/kind",
        "/spec",
        "/metadata/labels",
    ] {
        let edit =
            Edit { rule: "r".into(), root: Root::Object, pointer: pointer.parse().unwrap(), change: Change::Remove };
        assert!(matches!(Claim::new("a", &Seat::default(), &edit), Err(Failure::BadEdit { .. })), "{pointer}");
    }
}

#[test]
fn a_template_edit_lands_at_its_real_path() {
    let edit = Edit {
        rule: "r".into(),
        root: Root::Template,
        pointer: "/spec/hostPID".parse().unwrap(),
        change: Change::Remove,
    };
    let template: Pointer = "/spec/jobTemplate/spec/template".parse().unwrap();
    let claim = Claim::new("a", &template.into(), &edit).unwrap().unwrap();
    assert_eq!(claim.pointer.to_string(), "/spec/jobTemplate/spec/template/spec/hostPID");
}

#[test]
fn what_was_made_is_told_and_nothing_else() {
    let mut object = json!({"spec": {"x": 1}});
    let Made(made) = make(&mut object, &[set("a", "/spec/x", json!(1)), set("b", "/spec/y", json!(2))]).unwrap();
    assert_eq!(made.iter().map(|claim| claim.policy.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn two_policies_that_remove_one_element_remove_it_once() {
    let claims = [claim("a", "/spec/v/1", Change::Remove), claim("b", "/spec/v/1", Change::Remove)];
    assert_eq!(made(json!({"spec": {"v": [0, 1, 2]}}), &claims), json!({"spec": {"v": [0, 2]}}));
}

#[test]
fn an_element_may_be_appended_where_another_is_removed() {
    let claims = [claim("a", "/spec/v/0", Change::Remove), append("b", "/spec/v", json!({"name": "new"}))];
    assert_eq!(made(json!({"spec": {"v": [{"name": "old"}]}}), &claims), json!({"spec": {"v": [{"name": "new"}]}}));
}

#[test]
fn a_million_contradictions_are_told_once_for_each_pair() {
    let claims: Vec<Claim> =
        (0..1000).map(|n| set("a", "/spec/x", json!(n))).chain([set("b", "/spec/x", json!(-1))]).collect();
    let mut failing = at_fault(json!({}), &claims);
    failing.sort();
    assert_eq!(failing, ["a", "a", "b"]);
}
