//! What was there before its policies: judged by the leader, and reported beside it.

use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::scene::{Scene, deployment, wants_label};

/// The two kinds of `openreports.io`, as far as an API server has to know them to store them.
fn definition(kind: &str, plural: &str, scope: &str) -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.openreports.io")},
        "spec": {
            "group": "openreports.io", "scope": scope,
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_judged_and_reported() {
    let Some(scene) = Scene::start().await else { return };
    scene.apply(&definition("Report", "reports", "Namespaced")).await;
    scene.apply(&definition("ClusterReport", "clusterreports", "Cluster")).await;
    scene.kubectl.run("wait --for=condition=Established --timeout=60s crd --all").unwrap();
    scene.apply(&deployment("old")).await;
    scene.apply(&wants_label("team", "team")).await;
    let replica = scene.replica_with("one", |config| config["kubernetes"]["scan"] = json!({})).await;
    let reports = || scene.kubectl.run("get reports.openreports.io -n shop -o json").unwrap();
    until("it is reported", async || reports().contains("\"fail\"")).await.unwrap();
    let reports: Value = serde_json::from_str(&reports()).unwrap();
    let report = &reports["items"][0];
    assert_eq!(report["scope"]["name"], "old", "{report:#}");
    assert_eq!(report["metadata"]["ownerReferences"][0]["name"], "old");
    let counted = async || {
        let metrics = replica.says("/metrics").await;
        let of = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let judged = of("portreeve_scan_objects_total") > Some(0.0);
        judged
            && of("portreeve_scan_rounds_total") > Some(0.0)
            && of("portreeve_scan_finished_timestamp_seconds") > Some(1e9)
    };
    until("the round is counted", counted).await.unwrap();
    assert_eq!((report["results"][0]["policy"].as_str(), report["summary"]["fail"].as_i64()), (Some("team"), Some(1)));
    // Put right, it has nothing to tell any more.
    let mut right = deployment("old");
    right["metadata"]["labels"] = json!({"team": "shop"});
    scene.apply(&right).await;
    scene.put_in_force(&wants_label("team", "team")).await;
    scene.apply(&wants_label("again", "team")).await;
    let gone = async || scene.kubectl.run("get reports.openreports.io -n shop -o name").unwrap().is_empty();
    until("its report is gone", gone).await.unwrap();
}
