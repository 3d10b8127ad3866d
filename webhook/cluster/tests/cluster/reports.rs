//! Reports at a real API server: written once, owned by their object, taken away when nothing is to be told.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams};
use portreeve_admission::kinds::Scope;
use portreeve_admission::policy::ResourceRule;
use portreeve_cluster::reports::Standard;
use portreeve_control_plane::cluster::Cluster;
use serde_json::{Value, json};

use crate::judge::{FAULTY, Remembering};
use crate::scene::{all_reports, create, deployment, install_reports, make_namespace, own_cluster, scan, sought};

/// Three Deployments, the first two with a fault, and the definitions of reports.
async fn with_faults(standard: Standard) -> Option<(Cluster, Vec<Value>)> {
    let cluster = own_cluster().await?;
    if !install_reports(&cluster, standard).await {
        return None;
    }
    make_namespace(&cluster, "shop").await;
    let faulty = json!({FAULTY: "one"});
    let objects = [("a", &faulty), ("b", &faulty), ("c", &json!({}))];
    let objects = objects.map(|(name, labels)| deployment("shop", name, labels)).to_vec();
    let created = create(&cluster, objects).await;
    Some((cluster, created))
}

async fn reports(cluster: &Cluster, standard: Standard) -> Vec<DynamicObject> {
    all_reports(cluster, standard, Scope::Namespaced).list(&ListParams::default()).await.unwrap().items
}

/// The report of the Deployment of this name.
async fn report_of(cluster: &Cluster, name: &str) -> DynamicObject {
    let all = reports(cluster, Standard::OpenReports).await;
    all.into_iter().find(|report| report.data["scope"]["name"] == name).unwrap()
}

fn versions(reports: &[DynamicObject]) -> BTreeMap<String, Option<String>> {
    reports.iter().map(|report| (report.name_any(), report.resource_version())).collect()
}

#[tokio::test]
async fn what_is_found_is_reported_once_and_not_written_again() {
    let Some((cluster, _)) = with_faults(Standard::OpenReports).await else { return };
    let mut scan = scan(&cluster, Remembering::willing(), Standard::OpenReports);
    let first = scan.round().await.counts;
    assert_eq!((first.judged, first.telling, first.written), (3, 2, 2));
    let before = versions(&reports(&cluster, Standard::OpenReports).await);
    let second = scan.another_round().await.counts;
    assert_eq!((second.written, second.as_before, second.removed), (0, 2, 0));
    assert_eq!(versions(&reports(&cluster, Standard::OpenReports).await), before);
}

#[tokio::test]
async fn a_report_says_what_is_wrong_with_which_object_and_is_owned_by_it() {
    for standard in [Standard::OpenReports, Standard::PolicyReports] {
        let Some((cluster, created)) = with_faults(standard).await else { return };
        scan(&cluster, Remembering::willing(), standard).round().await;
        let uid = created[0]["metadata"]["uid"].as_str().unwrap();
        let all = reports(&cluster, standard).await;
        let report = all.iter().find(|report| report.name_any() == format!("portreeve-{uid}")).unwrap();
        let owner = &report.owner_references()[0];
        assert_eq!((owner.kind.as_str(), owner.name.as_str(), owner.uid.as_str()), ("Deployment", "a", uid));
        assert_eq!(report.labels()["app.kubernetes.io/managed-by"], "portreeve");
        assert_eq!(report.data["scope"]["name"], "a");
        assert_eq!(report.data["summary"], json!({"pass": 1, "fail": 1, "warn": 0, "error": 0, "skip": 0}));
        let result = &report.data["results"][0];
        assert_eq!(result["message"], "it has the fault one: mend it");
        assert_eq!((&result["policy"], &result["result"]), (&json!("fake"), &json!("fail")));
        assert!(result["timestamp"]["seconds"].is_i64());
        let source = if standard == Standard::OpenReports { &report.data["source"] } else { &result["source"] };
        assert_eq!(source, "portreeve");
    }
}

#[tokio::test]
async fn what_has_no_namespace_has_a_report_without_one() {
    for standard in [Standard::OpenReports, Standard::PolicyReports] {
        let Some(cluster) = own_cluster().await else { return };
        if !install_reports(&cluster, standard).await {
            return;
        }
        let labels = json!({FAULTY: "one"});
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}});
        let [namespace] = create(&cluster, vec![namespace]).await.try_into().unwrap();
        let mut scan = scan(&cluster, Remembering::willing(), standard);
        let list = |name: &str| vec![name.to_owned()];
        let (groups, versions, resources) = (list(""), list("v1"), list("namespaces"));
        let namespaces = ResourceRule { groups, versions, resources, operations: list("CREATE") };
        scan.sought.send_replace(Some(sought(vec![namespaces])));
        scan.round().await;
        let reports = all_reports(&cluster, standard, Scope::Cluster).list(&ListParams::default()).await.unwrap();
        let [report] = reports.items.try_into().unwrap();
        assert_eq!(report.owner_references()[0].uid, namespace["metadata"]["uid"].as_str().unwrap());
        assert_eq!(report.data["scope"]["kind"], "Namespace");
    }
}

#[tokio::test]
async fn another_fault_is_another_result_and_one_that_stays_keeps_its_time() {
    let Some((cluster, created)) = with_faults(Standard::OpenReports).await else { return };
    let mut scan = scan(&cluster, Remembering::willing(), Standard::OpenReports);
    scan.round().await;
    let mut report = serde_json::to_value(report_of(&cluster, "a").await).unwrap();
    report["results"][0]["timestamp"]["seconds"] = json!(1);
    cluster.api.merge(&report, &json!({"results": report["results"]})).await.unwrap().done().unwrap();
    let faults = json!({"metadata": {"labels": {FAULTY: "one.two"}}});
    cluster.api.merge(&created[0], &faults).await.unwrap().done().unwrap();

    let counts = scan.another_round().await.counts;
    assert_eq!((counts.written, counts.as_before), (1, 1));
    let report = report_of(&cluster, "a").await;
    let results = report.data["results"].as_array().unwrap();
    let messages: Vec<_> = results.iter().map(|result| result["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["it has the fault one: mend it", "it has the fault two: mend it"]);
    assert_eq!(results[0]["timestamp"]["seconds"], 1);
    assert_ne!(results[1]["timestamp"]["seconds"], 1);
}

#[tokio::test]
async fn reports_of_what_is_gone_or_mended_are_taken_away() {
    let Some((cluster, created)) = with_faults(Standard::OpenReports).await else { return };
    let mut scan = scan(&cluster, Remembering::willing(), Standard::OpenReports);
    scan.round().await;
    cluster.api.delete(&created[0]).await.unwrap().done().unwrap();
    cluster.api.merge(&created[1], &json!({"metadata": {"labels": {FAULTY: null}}})).await.unwrap().done().unwrap();
    let foreign = json!({
        "apiVersion": "openreports.io/v1alpha1", "kind": "Report", "metadata": {"name": "foreign", "namespace": "shop"},
    });
    create(&cluster, vec![foreign]).await;
    assert_eq!(scan.another_round().await.counts.removed, 2);
    let names: Vec<String> = reports(&cluster, Standard::OpenReports).await.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["foreign"]);
}

#[tokio::test]
async fn what_somebody_changed_in_a_report_is_put_back() {
    let Some((cluster, _)) = with_faults(Standard::OpenReports).await else { return };
    let mut scan = scan(&cluster, Remembering::willing(), Standard::OpenReports);
    scan.round().await;
    let report = serde_json::to_value(&reports(&cluster, Standard::OpenReports).await[0]).unwrap();
    cluster.api.merge(&report, &json!({"results": []})).await.unwrap().done().unwrap();
    assert_eq!(scan.another_round().await.counts.written, 1);
    let results = reports(&cluster, Standard::OpenReports).await[0].data["results"].clone();
    assert_eq!(results.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_the_definitions_of_reports_the_scan_goes_on() {
    let Some(cluster) = own_cluster().await else { return };
    make_namespace(&cluster, "shop").await;
    create(&cluster, vec![deployment("shop", "a", &json!({FAULTY: "one"}))]).await;
    let mut scan = scan(&cluster, Remembering::willing(), Standard::OpenReports);
    let counts = scan.round().await.counts;
    assert_eq!((counts.judged, counts.telling, counts.written, counts.failed), (1, 1, 0, 0));

    // Once they are there they are found.
    if !install_reports(&cluster, Standard::OpenReports).await {
        return;
    }
    assert_eq!(scan.another_round().await.counts.written, 1);
}
