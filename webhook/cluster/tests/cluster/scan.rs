//! Scans at a real API server: every object once, page by page, gone on with where they were broken off.

use std::collections::BTreeSet;

use portreeve_cluster::election::{Standing, while_leading};
use portreeve_cluster::reports::Standard;
use portreeve_control_plane::cluster::Cluster;
use portreeve_control_plane::until;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::judge::Remembering;
use crate::line::Line;
use crate::scene::{Scan, create, deployment, make_namespace, own_cluster, quick, scan, scan_with, templates};

/// Two namespaces that are looked at, and one that is not.
async fn with_deployments(count: usize) -> Option<Cluster> {
    let cluster = own_cluster().await?;
    make_namespace(&cluster, "shop").await;
    make_namespace(&cluster, "bank").await;
    let namespace = |number: usize| ["shop", "bank"][number % 2];
    let objects = (0..count).map(|number| deployment(namespace(number), &format!("web-{number:03}"), &json!({})));
    create(&cluster, objects.collect()).await;
    create(&cluster, vec![deployment("kube-system", "proxy", &json!({}))]).await;
    Some(cluster)
}

fn distinct(judged: &[String]) -> usize {
    judged.iter().collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn every_object_of_every_page_is_judged_once_but_those_of_excluded_namespaces() {
    let Some(cluster) = with_deployments(250).await else { return };
    let judge = Remembering::willing();
    let finished = scan(&cluster, judge.clone(), Standard::OpenReports).round().await;
    let judged = judge.judged();
    assert_eq!((finished.counts.judged, judged.len(), distinct(&judged)), (250, 250, 250));
    assert!(judged.iter().all(|name| !name.contains("kube-system")), "{judged:?}");
}

#[tokio::test]
async fn what_a_controller_made_is_judged_at_the_controller_and_a_pod_of_nobody_itself() {
    let Some(cluster) = with_deployments(1).await else { return };
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-000", "namespace": "shop"}});
    let deployment = cluster.api.get(&deployment).await.unwrap().done().unwrap().0;
    let pod = |name: &str, owners: &Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "ownerReferences": owners},
            "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
        })
    };
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "web-000", "controller": true,
        "uid": deployment["metadata"]["uid"],
    });
    create(&cluster, vec![pod("owned", &json!([owner])), pod("alone", &json!([]))]).await;
    let judge = Remembering::willing();
    let finished = scan(&cluster, judge.clone(), Standard::OpenReports).round().await;
    assert_eq!(judge.judged(), ["Pod/shop/alone", "Deployment/shop/web-000"]);
    assert_eq!(finished.counts.owned, 1);
}

#[tokio::test]
async fn a_scan_that_was_broken_off_goes_on_with_its_page() {
    let Some(cluster) = with_deployments(100).await else { return };
    let judge = Remembering::for_turns(50);
    let mut scan = scan(&cluster, judge.clone(), Standard::OpenReports);
    tokio::select! {
        () = scan.scanner.run() => panic!("the scan ended"),
        met = until("fifty are judged", async || judge.judged().len() == 50) => met.unwrap(),
    }
    judge.go_on();
    let finished = scan.round().await;
    // Two pages of twenty were done; of the third ten objects were judged, and are judged again.
    assert_eq!((judge.judged().len(), distinct(&judge.judged())), (110, 100));
    assert_eq!(finished.counts.judged, 100);
}

#[tokio::test]
async fn a_scan_whose_api_server_does_not_answer_goes_on_when_it_does() {
    let Some(cluster) = with_deployments(100).await else { return };
    let mut line = Line::to(&cluster).await;
    let judge = Remembering::for_turns(50);
    let Scan { mut scanner, mut finished, sought: _sought } =
        scan_with(line.client(), judge.clone(), Standard::OpenReports, &quick());
    let course = async {
        until("fifty are judged", async || judge.judged().len() == 50).await.unwrap();
        line.cut().await;
        judge.go_on();
        until("the page is done", async || judge.judged().len() == 60).await.unwrap();
        line.mend().await;
        finished.changed().await.unwrap();
    };
    tokio::select! {
        () = scanner.run() => panic!("the scan ended"),
        () = course => {}
    }
    assert_eq!((judge.judged().len(), distinct(&judge.judged())), (100, 100));
}

#[tokio::test]
async fn only_a_leader_scans_and_on_a_task_of_its_own() {
    let Some(cluster) = with_deployments(100).await else { return };
    let judge = Remembering::for_turns(50);
    let Scan { mut scanner, mut finished, sought: _sought } = scan(&cluster, judge.clone(), Standard::OpenReports);
    let (tell, standing) = watch::channel(Standing::Leader);
    tokio::spawn(while_leading(standing, async move || scanner.run().await));
    until("fifty are judged", async || judge.judged().len() == 50).await.unwrap();
    tell.send(Standing::Follower).unwrap();
    until("nobody judges", async || judge.waiting() == 0).await.unwrap();
    judge.go_on();
    tell.send(Standing::Leader).unwrap();
    finished.changed().await.unwrap();
    assert_eq!((judge.judged().len(), distinct(&judge.judged())), (110, 100));
}

#[tokio::test]
async fn a_change_of_the_policies_begins_a_round_at_once() {
    let Some(cluster) = with_deployments(3).await else { return };
    let judge = Remembering::willing();
    let mut scan = scan(&cluster, judge.clone(), Standard::OpenReports);
    scan.round().await;
    scan.another_round().await;
    assert_eq!(judge.judged().len(), 6);
}

#[tokio::test]
async fn a_change_of_the_policies_during_a_round_lets_it_end_and_begins_another_at_once() {
    let Some(cluster) = with_deployments(60).await else { return };
    let judge = Remembering::for_turns(0);
    let Scan { mut scanner, mut finished, sought } = scan(&cluster, judge.clone(), Standard::OpenReports);
    let course = async {
        // A page is twenty.
        for turn in 1..=3 {
            until("it judges", async || judge.waiting() == 1).await.unwrap();
            sought.send_replace(Some(templates()));
            judge.go_on_for(15);
            until("fifteen more are judged", async || judge.judged().len() == 15 * turn).await.unwrap();
        }
        judge.go_on_for(15);
        finished.changed().await.unwrap();
        assert_eq!((judge.judged().len(), distinct(&judge.judged())), (60, 60));
        judge.go_on();
        finished.changed().await.unwrap();
        assert_eq!(judge.judged().len(), 120);
    };
    tokio::select! {
        () = scanner.run() => panic!("the scan ended"),
        () = course => {}
    }
}

/// PodTemplates are read from the store itself: other kinds the API server remembers for longer.
fn pod_template(number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PodTemplate",
        "metadata": {"name": format!("web-{number:03}"), "namespace": "shop"},
        "template": {"spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]}},
    })
}

#[tokio::test]
async fn a_scan_whose_continuation_is_compacted_away_goes_on_from_the_same_place() {
    let Some(cluster) = own_cluster().await else { return };
    make_namespace(&cluster, "shop").await;
    create(&cluster, (0..100).map(pod_template).collect()).await;
    let judge = Remembering::for_turns(30);
    let mut scan = scan(&cluster, judge.clone(), Standard::OpenReports);
    tokio::select! {
        () = scan.scanner.run() => panic!("the scan ended"),
        met = until("thirty are judged", async || judge.judged().len() == 30) => met.unwrap(),
    }
    // The version that the continuation names does not have it.
    create(&cluster, vec![pod_template(999)]).await;
    cluster.plane().unwrap().compact().await.unwrap();
    judge.go_on();
    let finished = scan.round().await;
    let judged = judge.judged();
    assert_eq!(finished.counts.judged, 101);
    assert_eq!((judged.len(), distinct(&judged)), (111, 101));
    assert!(judged.contains(&"PodTemplate/shop/web-999".to_owned()));
}
