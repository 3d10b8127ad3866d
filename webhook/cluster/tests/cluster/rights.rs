//! With the rights that docs/cluster.md lists, and no others, a scan reports and events are written; what may not be
//! listed is passed over.

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use portreeve_cluster::events::{EventLimits, Happening, Involved, ObjectRef, Weight, channel};
use portreeve_cluster::reports::Standard;
use portreeve_cluster::scan::ScanSettings;
use portreeve_control_plane::cluster::Cluster;
use serde_json::{Value, json};

use crate::judge::{FAULTY, Remembering};
use crate::scene::{create, deployment, install_reports, make_namespace, own_cluster, scan_with};

/// Somebody with these rules and nothing else.
async fn somebody(cluster: &Cluster, rules: Value) -> Client {
    let (group, name) = ("rbac.authorization.k8s.io", "somebody");
    let object = |kind: &str| json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": name}});
    let (mut role, mut binding) = (object("ClusterRole"), object("ClusterRoleBinding"));
    role["rules"] = rules;
    binding["roleRef"] = json!({"apiGroup": group, "kind": "ClusterRole", "name": name});
    binding["subjects"] = json!([{"apiGroup": group, "kind": "User", "name": name}]);
    create(cluster, vec![role, binding]).await;
    let kubeconfig = Kubeconfig::read_from(&cluster.kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.headers.push(("impersonate-user".parse().unwrap(), name.parse().unwrap()));
    Client::try_from(config).unwrap()
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

#[tokio::test]
async fn a_scan_does_with_the_rights_that_it_is_said_to_need() {
    let Some(cluster) = own_cluster().await else { return };
    if !install_reports(&cluster, Standard::OpenReports).await {
        return;
    }
    make_namespace(&cluster, "shop").await;
    let faulty = deployment("shop", "a", &json!({FAULTY: "one"}));
    let [faulty] = create(&cluster, vec![faulty]).await.try_into().unwrap();
    let reports = rule("openreports.io", &["reports", "clusterreports"], &["get", "list", "create", "patch", "delete"]);
    let rules = json!([rule("apps", &["deployments"], &["list"]), reports]);
    let client = somebody(&cluster, rules).await;
    let mut scan = scan_with(client, Remembering::willing(), Standard::OpenReports, &ScanSettings::default());

    let first = scan.round().await;
    assert_eq!((first.counts.judged, first.counts.written, first.counts.failed), (1, 1, 0));
    assert!(first.unlisted.iter().any(|kind| kind.kind == "Pod"), "{:?}", first.unlisted);
    cluster.api.merge(&faulty, &json!({"metadata": {"labels": {FAULTY: "two"}}})).await.unwrap().done().unwrap();
    assert_eq!(scan.another_round().await.counts.written, 1);
    cluster.api.delete(&faulty).await.unwrap().done().unwrap();
    assert_eq!(scan.another_round().await.counts.removed, 1);
}

#[tokio::test]
async fn what_was_made_by_a_controller_that_may_not_be_listed_is_judged_itself() {
    let Some(cluster) = own_cluster().await else { return };
    make_namespace(&cluster, "shop").await;
    let [deployment] = create(&cluster, vec![deployment("shop", "web", &json!({}))]).await.try_into().unwrap();
    let owned = |name: &str, owner: &Value| {
        let (api_version, kind) = (&owner["apiVersion"], &owner["kind"]);
        let (owner, uid) = (&owner["metadata"]["name"], &owner["metadata"]["uid"]);
        let owner = json!({"apiVersion": api_version, "kind": kind, "name": owner, "uid": uid, "controller": true});
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
        })
    };
    let [driver] = create(&cluster, vec![owned("driver", &deployment)]).await.try_into().unwrap();
    create(&cluster, vec![owned("executor", &driver)]).await;
    let judged_by = async |client: Client| {
        let judge = Remembering::willing();
        scan_with(client, judge.clone(), Standard::OpenReports, &ScanSettings::default()).round().await;
        judge.judged()
    };
    let somebody = somebody(&cluster, json!([rule("", &["pods"], &["list"])])).await;
    assert_eq!(judged_by(somebody).await, ["Pod/shop/driver", "Pod/shop/executor"]);
    assert_eq!(judged_by(cluster.api.client()).await, ["Pod/shop/executor", "Deployment/shop/web"]);
}

#[tokio::test]
async fn without_the_right_to_reports_objects_are_judged_all_the_same() {
    let Some(cluster) = own_cluster().await else { return };
    if !install_reports(&cluster, Standard::OpenReports).await {
        return;
    }
    make_namespace(&cluster, "shop").await;
    create(&cluster, vec![deployment("shop", "a", &json!({FAULTY: "one"}))]).await;
    let client = somebody(&cluster, json!([rule("apps", &["deployments"], &["list"])])).await;
    let mut scan = scan_with(client, Remembering::willing(), Standard::OpenReports, &ScanSettings::default());
    let counts = scan.round().await.counts;
    assert_eq!((counts.judged, counts.telling, counts.written), (1, 1, 0));
}

#[tokio::test]
async fn events_are_written_with_the_rights_that_they_are_said_to_need() {
    let Some(cluster) = own_cluster().await else { return };
    make_namespace(&cluster, "shop").await;
    let client = somebody(&cluster, json!([rule("events.k8s.io", &["events"], &["create", "patch"])])).await;
    let (sender, writer) = channel(client, "portreeve-0", &EventLimits::default());
    let object = |kind: &str, name: &str| {
        let [api_version, kind, name] = ["apps/v1", kind, name].map(str::to_owned);
        ObjectRef { api_version, kind, namespace: Some("shop".to_owned()), name, uid: None }
    };
    // Nobody may look whose the ReplicaSet is.
    let involved = Involved { object: object("Pod", "a"), controller: Some(object("ReplicaSet", "web-1")) };
    for _ in 0..2 {
        sender.send(Happening {
            involved: involved.clone(),
            weight: Weight::Warned,
            policy: "probes".to_owned(),
            rule: Some("liveness".to_owned()),
            container: None,
            message: "there is no liveness probe: add one".to_owned(),
        });
    }
    drop(sender);
    writer.run().await;
    let columns = "custom-columns=K:.regarding.kind,R:.reason,C:.series.count";
    let told = cluster.kubectl.run(&format!("get events.events.k8s.io -n shop --no-headers -o {columns}")).unwrap();
    assert_eq!(told.split_whitespace().collect::<Vec<_>>(), ["ReplicaSet", "PolicyWarned", "2"]);
}
