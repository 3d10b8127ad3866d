//! Replicas come and go: one leads and another follows, what they share outlasts them, and the API server can be away.

use std::path::{Path, PathBuf};

use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::replica::Begun;
use crate::scene::{Scene, deployment, wants_label};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_leader_is_followed_and_what_somebody_changes_is_put_back() {
    let Some(scene) = Scene::start().await else { return };
    let first = scene.replica("one").await;
    scene.registered().await;
    let _second = scene.replica("two").await;
    scene.put_in_force(&wants_label("team", "team")).await;
    scene.front.remove(first.webhook);
    first.kill();
    scene.kubectl.run("delete validatingwebhookconfiguration portreeve").unwrap();
    scene.registered().await;
    assert!(scene.refusal(&deployment("web")).await.unwrap().contains("team"));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_one_certificate_and_leave_in_order() {
    let Some(scene) = Scene::start().await else { return };
    let (first, second) = (scene.replica("one").await, scene.replica("two").await);
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    let mut next = Vec::new();
    for gone in [first, second] {
        let back = format!("again-{}", gone.webhook.port());
        scene.front.remove(gone.webhook);
        assert!(gone.stop().await);
        next.push(scene.replica(&back).await);
        assert!(scene.refusal(&deployment("web")).await.unwrap().contains("team"));
    }
    let lease = scene.kubectl.run("get lease portreeve -n portreeve -o jsonpath={.spec.holderIdentity}").unwrap();
    assert!(!["one", "two"].contains(&lease.as_str()), "{lease}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_the_api_server_serves_the_last_good_set() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    let nobody = nobody(scene.folder());
    scene.front.remove(replica.webhook);
    let again = replica.kill().again(|config| config["kubernetes"]["kubeconfig"] = json!(nobody)).await;
    scene.front.add(again.webhook);
    let readiness = again.says("/readyz?verbose").await;
    assert!(readiness.starts_with("HTTP/1.1 200"), "{readiness}");
    assert!(readiness.contains("[!] policies") && readiness.contains("[!] cluster"), "{readiness}");
    assert!(scene.refusal(&deployment("web")).await.unwrap().contains("team"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_the_api_server_judges_by_the_namespaces_that_were_seen_last() {
    let Some(scene) = Scene::start().await else { return };
    scene.kubectl.run("label namespace shop pod-security.kubernetes.io/enforce=privileged --overwrite").unwrap();
    let replica = scene.replica("one").await;
    scene.registered().await;
    let kept = replica.folder().join("state/namespaces.json");
    let holds = async || std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("\"shop\""));
    until("the namespaces are kept", holds).await.unwrap();
    let (fine, denied) = (deployment("web"), on_the_host("web"));
    assert_eq!(scene.refusal(&fine).await, None);
    let said = scene.denial(&denied).await;
    let nobody = nobody(scene.folder());
    scene.front.remove(replica.webhook);
    let again = replica.kill().again(|config| config["kubernetes"]["kubeconfig"] = json!(nobody)).await;
    scene.front.add(again.webhook);
    let readiness = again.says("/readyz?verbose").await;
    assert!(readiness.contains("namespaces are as they were seen before the restart"), "{readiness}");
    assert_eq!(scene.refusal(&fine).await, None);
    assert_eq!(scene.refusal(&denied).await.as_ref(), Some(&said));
    let mut elsewhere = fine;
    elsewhere["metadata"]["namespace"] = json!("late");
    scene.kubectl.run("create namespace late").unwrap();
    let said = scene.refusal(&elsewhere).await.unwrap();
    assert!(said.contains("namespace late can't be read: the API server could not be reached"), "{said}");
}

/// A Deployment that the platform profile denies.
fn on_the_host(name: &str) -> Value {
    let mut deployment = deployment(name);
    deployment["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    deployment
}

/// A kubeconfig that leads to nobody.
fn nobody(folder: &Path) -> PathBuf {
    let path = folder.join("nobody.kubeconfig");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "nobody",
        "clusters": [{"name": "nobody", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "nobody", "context": {"cluster": "nobody", "user": "nobody"}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
    });
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_waits_for_its_certificate_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let front = "127.0.0.1:1".parse().unwrap();
    let mut waiting = Begun::begin("one", &nobody(folder.path()), front, |_| {});
    until("it waits", async || waiting.log().contains("waiting for the certificate")).await.unwrap();
    assert!(waiting.stop().await);
}
