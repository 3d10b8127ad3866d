//! The five platforms' own policies, as far as the demo does not show them: what only Pods get, and the table of
//! `docs/platforms.md` that says which policy meets which sentence.

use std::collections::BTreeSet;

use portreeve_admission::api::Resource;
use portreeve_server::set::{Sources, read_folder};
use portreeve_tests::gate::{Setting, mutate};
use portreeve_tests::places::checkout;
use portreeve_tests::review::create;
use serde_json::json;

/// Folders of the platforms, and what the names of their policies begin with.
const PLATFORMS: [(&str, &str); 5] = [
    ("airhart", "airhart-"),
    ("arbitex", "arbitex-"),
    ("avivatec", "avivatec-"),
    ("azure-platform", "azure-"),
    ("klinematrix", "klinematrix-"),
];

const PINNED: &str = "@sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn sources(platform: &str) -> Sources {
    read_folder(&checkout().join("tests/platforms").join(platform).join("policies")).unwrap()
}

fn in_force(platform: &str) -> BTreeSet<String> {
    let policies = sources(platform).resources.into_iter().filter_map(|located| match located.resource {
        Resource::ClusterPolicy(policy) => Some(policy.metadata.name),
        _ => None,
    });
    policies.collect()
}

/// What stands between backquotes in the platforms' page.
fn words() -> Vec<String> {
    let page = std::fs::read_to_string(checkout().join("docs/platforms.md")).unwrap();
    page.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_platforms_page_names_every_policy_and_no_other() {
    let words = words();
    for (platform, prefix) in PLATFORMS {
        let named: BTreeSet<String> = words.iter().filter(|word| word.starts_with(prefix)).cloned().collect();
        assert_eq!(named, in_force(platform), "{platform}: named in docs/platforms.md, and in force");
    }
}

#[test]
fn a_platforms_policies_are_named_after_it() {
    for (platform, prefix) in PLATFORMS {
        assert!(in_force(platform).iter().all(|name| name.starts_with(prefix)), "{platform}");
    }
}

#[tokio::test]
async fn a_pod_of_klinematrix_names_the_secret_of_its_registry_after_those_of_its_account() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: klinematrix-prod, \
                     labels: {app.kubernetes.io/part-of: klinematrix}}\n";
    let gate = Setting::default().sources(sources("klinematrix")).with(namespace).unwrap().gate().unwrap();
    let image = format!("financialagent-gxftdbbre4gtegea.azurecr.io/klinecubic/frontend:prod-v0.11.4{PINNED}");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "frontend-1", "namespace": "klinematrix-prod"},
        "spec": {"imagePullSecrets": [{"name": "own"}], "containers": [{"name": "frontend", "image": image}]},
    });
    let told = mutate(&gate, &create(&pod)).await.unwrap();
    assert_eq!(told.object["spec"]["imagePullSecrets"], json!([{"name": "own"}, {"name": "acr-secret"}]));
}
