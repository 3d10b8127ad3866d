//! The switch that drops denials: whoever may sets it, for a time, and it is on the record.

use portreeve_tests::server::until;
use serde_json::json;

use crate::scene::{Scene, deployment, wants_label};

#[tokio::test(flavor = "multi_thread")]
async fn denials_are_dropped_for_a_time_by_whoever_may() {
    let Some(scene) = Scene::start().await else { return };
    let group = json!("system:masters");
    let replica = scene.replica_with("one", |config| config["kubernetes"]["breakGlassGroup"] = group).await;
    scene.registered().await;
    scene.apply(&wants_label("team", "team")).await;
    let set =
        json!({"apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "ours"}, "spec": {}});
    scene.put_in_force(&set).await;
    assert!(scene.refusal(&deployment("web")).await.unwrap().contains("team"));

    let annotate = "annotate policyset ours portreeve.dev/break-glass-until=2099-01-01T00:00:00Z \
                    portreeve.dev/break-glass-reason=fire";
    let stranger = scene.kubectl.run(&format!("{annotate} --as=dev --as-group=devs"));
    assert!(stranger.is_err(), "{stranger:?}");
    scene.kubectl.run("create clusterrolebinding devs --clusterrole=cluster-admin --group=devs").unwrap();
    let said = scene.kubectl.run(&format!("{annotate} --as=dev --as-group=devs")).unwrap_err().complaint;
    assert!(said.contains("only the group \"system:masters\" may set"), "{said}");
    scene.kubectl.run(annotate).unwrap();

    let admitted = async || scene.refusal(&deployment("web")).await.is_none();
    until("denials are dropped", admitted).await.unwrap();
    let readiness = replica.says("/readyz?verbose").await;
    assert!(readiness.contains("[!] denials: denials are dropped until 2099-01-01T00:00:00Z: fire"), "{readiness}");
    assert!(replica.says("/metrics").await.contains("portreeve_break_glass 1"));

    scene.kubectl.run("annotate policyset ours portreeve.dev/break-glass-until- portreeve.dev/break-glass-reason- --as=dev --as-group=devs").unwrap();
    until("denials count again", async || !admitted().await).await.unwrap();
}
