//! What policies ask for and must not be registered: refused when it is applied. Where it is in force all the same,
//! what was registered before stays, and goes on being reached by the newest certificates and token.

use std::time::{Duration, Instant};

use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::replica::Replica;
use crate::rotation::{rotate, told};
use crate::scene::{Scene, deployment, wants_label};

fn set(excluded: &[&str]) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "ours"},
        "spec": {"excludedNamespaces": excluded},
    })
}

async fn says(replica: &Replica, line: &str) {
    until(line, async || replica.says("/readyz?verbose").await.contains(line)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_registered_keeps_no_new_certificate_from_being_registered() {
    let Some(scene) = Scene::start().await else { return };
    scene.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "calico-system"}})).await;
    let replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    says(&replica, "[+] registration: as the policies in force ask for").await;

    let dangerous = set(&["monitoring"]);
    let said = scene.refusal(&dangerous).await.unwrap();
    for words in ["resources.portreeve.dev", "pods of calico-system", "excludedNamespaces"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(scene.refusal(&set(&["monitoring", "calico-system"])).await, None);

    // As where nobody answered when it was applied.
    scene.front.remove(replica.webhook);
    scene.front.cut();
    scene.apply(&dangerous).await;
    scene.front.add(replica.webhook);
    says(&replica, "[!] registration: rules stay as they were").await;
    let readiness = replica.says("/readyz?verbose").await;
    assert!(readiness.starts_with("HTTP/1.1 200") && readiness.contains("pods of calico-system"), "{readiness}");
    assert!(replica.says("/metrics").await.contains("portreeve_registration_outdated 1"));
    rotate(&scene, &["--authority"]);
    until("both CAs are trusted", async || told(&scene).cas() == 2).await.unwrap();

    // A new leader knows nothing but what is registered.
    let before = told(&scene);
    scene.kubectl.run("delete secret portreeve -n portreeve").unwrap();
    scene.front.remove(replica.webhook);
    assert!(replica.stop().await);
    let next = scene.replica("two").await;
    let told_anew = async || told(&scene).path != before.path && told(&scene).cas() == 1;
    until("the new CA and token are registered", told_anew).await.unwrap();
    let refused = async || scene.refusal(&deployment("web")).await.is_some_and(|said| said.contains("denied by team"));
    until("it is judged", refused).await.unwrap();
    says(&next, "[!] registration: ").await;

    scene.put_in_force(&set(&["monitoring", "calico-system"])).await;
    says(&next, "[+] registration: as the policies in force ask for").await;
    assert!(next.says("/metrics").await.contains("portreeve_registration_outdated 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_registered_as_soon_as_it_is_there() {
    let Some(scene) = Scene::start().await else { return };
    let _replica = scene.replica("one").await;
    scene.registered().await;
    // The registration was looked at just now, and is looked at again ten seconds later.
    scene.put_in_force(&wants_label("team", "team")).await;
    let looked_at = Instant::now();
    rotate(&scene, &["--authority"]);
    until("both CAs are trusted", async || told(&scene).cas() == 2).await.unwrap();
    assert!(looked_at.elapsed() < Duration::from_secs(8), "{:?}", looked_at.elapsed());
}
