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
fn the_platform_profile_in_place_of_what_another_product_calls_so_is_told() {
    let of_another = "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: own}\nspec: {rules: []}\n";
    let ended = portreeve_reading(of_another, &["export", "vap", "-"]).with_code(0);
    assert!(ended.stdout.contains("name: host-access.backstop.portreeve.dev"), "{}", ended.stdout);
    assert!(ended.stderr.contains("this is the platform profile"), "{}", ended.stderr);
    let only = [SET, &policy("own", "module: {builtin: seccomp}")].concat();
    assert_eq!(portreeve_reading(&only, &["export", "vap", "-"]).with_code(0).stderr, "");
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

/// What `kubectl get -A -o yaml` prints of our kinds, with what namespaces and strangers to this machine left in it.
const OF_A_CLUSTER: &str = r#"apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: portreeve.dev/v1alpha1
  kind: ClusterPolicy
  metadata:
    name: own
    creationTimestamp: "2026-01-01T00:00:00Z"
    generation: 1
    managedFields: [{apiVersion: portreeve.dev/v1alpha1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {}}, manager: kubectl}]
    resourceVersion: "12"
    uid: 6b6c3f5e-0000-4000-8000-000000000000
  spec: {module: {builtin: seccomp}}
  status: {observedGeneration: 1, conditions: [{type: Ready, status: "True", reason: InForce}]}
- apiVersion: portreeve.dev/v1alpha1
  kind: ClusterPolicy
  metadata: {name: bought}
  spec: {module: {oci: "registry.example/policies@sha256:0000000000000000000000000000000000000000000000000000000000000000"}}
- apiVersion: portreeve.dev/v1alpha1
  kind: PolicySet
  metadata: {name: ours}
  spec: {policies: [own, bought]}
- apiVersion: portreeve.dev/v1alpha1
  kind: PolicyException
  metadata: {name: stray, namespace: shop}
  spec: {policy: gone, owner: o, ticket: t, reason: r, expires: "2999-01-01T00:00:00Z"}
- apiVersion: portreeve.dev/v1alpha1
  kind: PolicyException
  metadata: {name: half, namespace: shop}
  spec: {policy: own}
- apiVersion: portreeve.dev/v1alpha1
  kind: Policy
  metadata: {name: sealed, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}
  spec: {module: {builtin: seccomp}}
- apiVersion: portreeve.dev/v1alpha1
  kind: Policy
  metadata: {name: wrong, namespace: shop}
  spec: {module: {builtin: seccomp}, settings: {profiles: 1}}
- apiVersion: portreeve.dev/v1alpha1
  kind: Policy
  metadata: {name: probed, namespace: shop}
  spec: {module: {builtin: probes}}
"#;

#[test]
fn what_a_cluster_has_is_exported_whatever_a_namespace_got_wrong() {
    let ended = portreeve_reading(OF_A_CLUSTER, &["export", "vap", "-", "-o", "json"]).with_code(0);
    let told = |words: &[&str]| ended.stderr.lines().any(|line| words.iter().all(|word| line.contains(word)));
    for words in [
        ["(ClusterPolicy/bought) is left out: ", "out of registries"],
        ["(PolicyException/shop/stray) is left out: ", "\"gone\""],
        [" is left out: ", "owner"],
        ["(Policy/shop/wrong) is left out: ", "profiles"],
        ["shop/probed is left out: ", "probes asks for"],
    ] {
        assert!(told(&words), "{words:?}: {}", ended.stderr);
    }
    let list = ended.json();
    let items = list["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    let (own, of_shop) = ("own.backstop.portreeve.dev", "sealed.shop.namespaces-backstop.portreeve.dev");
    assert_eq!(names, [own, own, of_shop, of_shop]);
    let here = &items[3]["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(here["values"][0], "shop");
}

#[test]
fn what_the_cluster_itself_got_wrong_is_refused_as_it_would_be_there() {
    let bad = OF_A_CLUSTER.replace("policies: [own, bought]", "policies: [own, gone]");
    let ended = portreeve_reading(&bad, &["export", "vap", "-"]).with_code(2);
    assert!(ended.stderr.contains("PolicySet/ours") && ended.stderr.contains("\"gone\""), "{}", ended.stderr);
}
