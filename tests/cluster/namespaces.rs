//! Namespaces whose Pod Security labels change, or can't be read: what the built-in controller says of them and of the
//! pods that run there, and what our policy says, who knows the pods as a fact.

use portreeve_tests::api_server::{ApiServer, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::Wire;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::registration::Registration;

/// It judges by the labels of namespaces alone.
const POLICY: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: pod-security}\n\
    spec: {module: {builtin: pod-security}, facts: [namespace, running-pods], settings: {level: privileged}}\n";

/// Labels that are asked of the namespace, one set after the other.
const TIGHTENED: [(&str, &str); 4] =
    [("baseline", "latest"), ("restricted", "latest"), ("restricted", "v1.18"), ("restricted", "v1.24")];

/// Labels that can't be read.
const UNREADABLE: [(&str, &str); 3] = [("strict", "latest"), ("baseline", "1.25"), ("all", "v1.x")];

fn pod(name: &str, controller: Option<&str>, spec: Value) -> Value {
    let owner = |uid| json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "one", "uid": uid, "controller": true}]);
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "tight", "ownerReferences": controller.map(owner)},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    });
    for (field, value) in spec.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod
}

/// Pods that lack various things; some of them the same.
fn pods() -> Vec<Value> {
    let privileged = json!({"containers": [{"name": "a", "image": "a", "securityContext": {"privileged": true}}]});
    let kept = json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}});
    vec![
        pod("web-2", Some("9a2e8a3c-0000-4000-8000-000000000001"), json!({"hostNetwork": true})),
        pod("web-1", Some("9a2e8a3c-0000-4000-8000-000000000001"), json!({"hostNetwork": true})),
        pod("web-0", None, json!({"hostNetwork": true})),
        pod("agent", None, json!({"hostPID": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}]})),
        pod("driver", None, privileged),
        pod("api", None, kept.clone()),
        pod("api-2", None, kept),
        pod("plain", None, json!({})),
    ]
}

fn namespace((level, version): (&str, &str)) -> Value {
    let labels = json!({
        "pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/enforce-version": version,
    });
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tight", "labels": labels}})
}

/// The warnings for each tightening and the refusal of each set of labels that can't be read.
async fn told(api: &ApiServer) -> (Vec<Vec<String>>, Vec<String>) {
    let mut warned = Vec::new();
    for labels in TIGHTENED {
        warned.push(api.apply(&namespace(labels), Run::Dry).await.unwrap().done().unwrap().1);
    }
    let mut refused = Vec::new();
    for labels in UNREADABLE {
        refused.push(api.apply(&namespace(labels), Run::Dry).await.unwrap().refused().unwrap().message);
    }
    (warned, refused)
}

async fn make_pods(cluster: &Cluster) {
    cluster.make_namespace(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tight"}})).await;
    for pod in pods() {
        cluster.api.create(&pod, Run::Real).await.unwrap().done().unwrap();
    }
}

/// Whether all of these words are told, in this order, whatever is told besides.
fn are_told(words: &[String], ours: &[String]) -> bool {
    let mut ours = ours.iter();
    words.iter().all(|words| ours.any(|told| told.contains(words.as_str())))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tightens_a_namespace_or_misspells_its_labels_is_told_what_the_built_in_controller_tells() {
    let Some(ours) = Cluster::without_pod_security().await else { return };
    make_pods(&ours).await;
    let list = json!({"apiVersion": "v1", "kind": "List", "items": pods()}).to_string();
    let webhook = Wire::start(&[("pod-security.yaml", POLICY), ("pods.json", &list)], json!({})).await.unwrap();
    let _registration = Registration::make(&ours.api, &ours.kubectl, &webhook).await;
    let (our_warnings, our_refusals) = told(&ours.api).await;

    let Some(built_in) = Cluster::start(Controllers::Absent).await else { return };
    make_pods(&built_in).await;
    let (warnings, refusals) = told(&built_in.api).await;

    assert!(warnings.iter().all(|warnings| warnings.len() > 2), "{warnings:#?}");
    for (built_in, ours) in warnings.iter().zip(&our_warnings) {
        assert!(are_told(built_in, ours), "{built_in:#?}\nours: {ours:#?}");
    }
    for (built_in, ours) in refusals.iter().zip(&our_refusals) {
        assert!(ours.contains(built_in.as_str()), "{built_in}\nours: {ours}");
    }
}
