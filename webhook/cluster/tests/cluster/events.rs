//! Events at a real API server: about whom they should be, written once and counted.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use portreeve_cluster::events::{
    EventLimits, EventSender, EventWriter, Happening, Involved, ObjectRef, Weight, channel,
};
use portreeve_control_plane::cluster::Cluster;
use serde_json::{Value, json};

use crate::scene::{create, deployment, make_namespace, own_cluster};

fn ends(cluster: &Cluster) -> (EventSender, EventWriter) {
    channel(cluster.api.client(), "portreeve-0", &EventLimits { period: Duration::from_mins(1), ..Default::default() })
}

fn denied(involved: Involved, rule: &str) -> Happening {
    Happening {
        involved,
        weight: Weight::Denied,
        policy: "drop-capabilities".to_owned(),
        rule: Some(rule.to_owned()),
        container: None,
        message: "capabilities are kept: drop ALL".to_owned(),
    }
}

fn place(object: &Value) -> ObjectRef {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    ObjectRef {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: Some(text("/metadata/namespace")),
        name: text("/metadata/name"),
        uid: object.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned),
    }
}

async fn events(cluster: &Cluster) -> Vec<Event> {
    Api::<Event>::namespaced(cluster.api.client(), "shop").list(&ListParams::default()).await.unwrap().items
}

/// A Deployment and a ReplicaSet that it controls.
async fn chain(cluster: &Cluster) -> [Value; 2] {
    let [deployment] = create(cluster, vec![deployment("shop", "web", &json!({}))]).await.try_into().unwrap();
    let replicas = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "web-1", "namespace": "shop", "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": deployment["metadata"]["uid"],
            "controller": true,
        }]},
        "spec": {
            "replicas": 0, "selector": deployment["spec"]["selector"], "template": deployment["spec"]["template"],
        },
    });
    let [replicas] = create(cluster, vec![replicas]).await.try_into().unwrap();
    [deployment, replicas]
}

#[tokio::test]
async fn what_happens_to_pods_again_and_again_is_one_event_about_their_deployment() {
    let Some(cluster) = own_cluster().await else { return };
    make_namespace(&cluster, "shop").await;
    let [deployment, replicas] = chain(&cluster).await;
    let (sender, writer) = ends(&cluster);
    for number in 0..5 {
        let pod = ObjectRef { kind: "Pod".to_owned(), name: format!("web-1-{number}"), uid: None, ..place(&replicas) };
        sender.send(denied(Involved { object: pod, controller: Some(place(&replicas)) }, "drop-all"));
    }
    drop(sender);
    tokio::spawn(writer.run()).await.unwrap();
    let [event] = events(&cluster).await.try_into().unwrap();
    let regarding = event.regarding.unwrap();
    assert_eq!(regarding.kind.as_deref(), Some("Deployment"));
    assert_eq!(regarding.uid.as_deref(), deployment["metadata"]["uid"].as_str());
    assert_eq!(event.related.unwrap().name.as_deref(), Some("web-1-0"));
    assert_eq!(event.series.unwrap().count, 5);
    assert!(event.note.unwrap().contains("denied by drop-capabilities (drop-all)"));
    // As a user looks for it.
    let described = cluster.kubectl.run("describe deployment -n shop web").unwrap();
    assert!(described.contains("PolicyDenied"), "{described}");
}

#[tokio::test]
async fn what_was_denied_before_it_was_made_has_its_event_all_the_same() {
    let Some(cluster) = own_cluster().await else { return };
    make_namespace(&cluster, "shop").await;
    let object = ObjectRef { uid: None, ..place(&deployment("shop", "web", &json!({}))) };
    let (sender, writer) = ends(&cluster);
    sender.send(denied(Involved { object: object.clone(), controller: None }, "drop-all"));
    sender.send(denied(Involved { object, controller: None }, "add-nothing"));
    drop(sender);
    writer.run().await;
    let events = events(&cluster).await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.series.is_none()));
}

#[tokio::test]
async fn what_there_is_no_room_for_is_dropped_and_counted() {
    let Some(cluster) = own_cluster().await else { return };
    make_namespace(&cluster, "shop").await;
    let limits = EventLimits { waiting: 2, ..EventLimits::default() };
    let (sender, writer) = channel(cluster.api.client(), "portreeve-0", &limits);
    let object = ObjectRef { uid: None, ..place(&deployment("shop", "web", &json!({}))) };
    for rule in ["a", "b", "c", "d", "e"] {
        sender.send(denied(Involved { object: object.clone(), controller: None }, rule));
    }
    assert_eq!(sender.dropped(), 3);
    drop(sender);
    writer.run().await;
    assert_eq!(events(&cluster).await.len(), 2);
}
