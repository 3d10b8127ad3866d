//! `portreeve export`: what goes to which stream. Whether an API server takes it is tried in `in_cluster`.

use crate::{folder, portreeve, portreeve_reading, text};

const SET: &str =
    "apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {name: s}\nspec: {profile: none}\n---\n";

fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n"
    )
}

#[test]
fn the_platform_profile_is_exported_where_nothing_is_named() {
    let ended = portreeve(&["export", "vap"]).with_code(0);
    assert!(ended.stdout.contains("kind: ValidatingAdmissionPolicy\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("name: host-access.backstop.portreeve.dev"), "{}", ended.stdout);
    assert!(ended.stderr.contains("network-policy is left out: "), "{}", ended.stderr);
}

#[test]
fn json_is_a_list_with_a_binding_behind_each_policy() {
    let policies = folder(&[("p.yaml", &[SET, &policy("own", "module: {builtin: seccomp}, mode: warn")].concat())]);
    let list = portreeve(&["export", "vap", &text(&policies), "-o", "json"]).with_code(0).json();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]);
    assert_eq!(list["items"][1]["spec"]["validationActions"][0], "Warn");
}

#[test]
fn a_policy_that_is_left_out_is_told_with_its_reason_and_is_no_error() {
    let only = [SET, &policy("own", "module: {builtin: probes}")].concat();
    let ended = portreeve_reading(&only, &["export", "vap", "-"]).with_code(0);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.starts_with("own is left out: probes asks for "), "{}", ended.stderr);
}

#[test]
fn policies_that_can_not_be_in_force_are_refused() {
    let bad = [SET, &policy("own", "module: {builtin: seccomp}, settings: {profiles: 1}")].concat();
    let ended = portreeve_reading(&bad, &["export", "vap", "-"]).with_code(2);
    assert!(ended.stderr.contains("ClusterPolicy/own") && ended.stderr.contains("profiles"), "{}", ended.stderr);
}
