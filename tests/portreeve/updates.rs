//! Updates of what is there already: what an earlier call put in, and what runs, through the gate with the real
//! catalogue.

use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, admit, mutate, validate};
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

fn gate(policy: &str, spec: &str) -> Gate {
    let yaml = format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {policy}}}\n\
         spec: {{module: {{builtin: {policy}}}, {spec}}}\n"
    );
    Setting::default().with(&yaml).unwrap().gate().unwrap()
}

#[tokio::test]
async fn a_manifest_that_never_held_a_label_replaces_what_was_given_one() {
    let gate = gate("labels", "settings: {labels: [{key: owner, default: team-shop}]}");
    let written = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
    });
    let stored = mutate(&gate, &create(&written)).await.unwrap().object;
    assert_eq!(stored["metadata"]["labels"]["owner"], "team-shop");
    let (told, response) = admit(&gate, &update(&written, &stored)).await.unwrap();
    assert_eq!(told.response.patch, None, "its template is as it was");
    assert!(response.refusal.is_none(), "{:?}", response.refusal);
    let mut other = written.clone();
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    let (told, response) = admit(&gate, &update(&other, &stored)).await.unwrap();
    assert_eq!(told.object["metadata"]["labels"]["owner"], "team-shop");
    assert!(response.refusal.is_none(), "{:?}", response.refusal);
}

#[tokio::test]
async fn a_pod_that_runs_by_a_tag_takes_a_toleration_and_goes_on_by_it() {
    let gate = gate("image-digest", "facts: [image-digest], failurePolicy: Fail");
    let pod = |image: &str, spec: Value| {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
        });
        pod["spec"]["containers"] = json!([{"name": "web", "image": image}]);
        pod
    };
    let (old, tolerant) = (pod("nginx:1.27", json!({})), json!({"tolerations": [{"operator": "Exists"}]}));
    let (told, response) = admit(&gate, &update(&pod("nginx:1.27", tolerant), &old)).await.unwrap();
    assert_eq!((told.response.patch, told.response.refusal), (None, None));
    assert!(response.refusal.is_none(), "{:?}", response.refusal);
    let another = validate(&gate, &update(&pod("nginx:1.28", json!({})), &old)).await.unwrap();
    assert!(another.refusal.is_some(), "nobody knows its digest");
}

#[tokio::test]
async fn what_a_pod_had_before_is_told_of_it_and_not_of_new_pods_which_are_put_right() {
    let gate = Setting::platform().gate().unwrap();
    let pod = |image: &str, host: bool| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "hostNetwork": host, "hostPID": host,
                "containers": [{"name": "app", "image": image, "securityContext": {"privileged": host}}],
            },
        })
    };
    let told = validate(&gate, &update(&pod("x/y:2", false), &pod("x/y:1", false))).await.unwrap();
    assert!(told.warnings.iter().any(|line| line.contains("it was so before and stays: ")), "{told:?}");
    assert!(told.warnings.iter().all(|line| !line.contains("new Pods")), "{told:?}");
    let told = validate(&gate, &update(&pod("x/y:2", true), &pod("x/y:1", true))).await.unwrap();
    assert!(told.warnings.iter().all(|line| !line.contains("host-access: ")), "{told:?}");
}
