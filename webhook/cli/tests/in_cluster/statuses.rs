//! What statuses say where the set that all resources make is refused, and of resources that can't be read.

use portreeve_tests::api_server::Run;
use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::replica::Begun;
use crate::scene::{Scene, wants_label};

fn set(name: &str, policies: &[&str]) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": name},
        "spec": {"policies": policies},
    })
}

/// Waits until the status has this reason; its message.
async fn reason(scene: &Scene, resource: &Value, awaited: &str) -> String {
    let ready = async || scene.readiness(resource).await.unwrap_or_default();
    until(awaited, async || ready().await["reason"] == awaited).await.unwrap();
    ready().await["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_fails_for_resources_says_so_in_their_statuses() {
    let Some(scene) = Scene::start().await else { return };
    let sets = [set("platform", &[]), set("team", &[])];
    for set in &sets {
        scene.apply(set).await;
    }
    let mut first = Begun::begin("one", scene.kubeconfig(), scene.front.at, |_| {});
    assert!(!first.end().await, "{}", first.log());
    let [held_up, refused] = [reason(&scene, &sets[0], "Refused").await, reason(&scene, &sets[1], "Refused").await];
    assert!(refused.contains("a second PolicySet"), "{refused}");
    assert!(held_up.contains("nothing is in force yet") && held_up.contains("PolicySet/team"), "{held_up}");
    let shown = scene.kubectl.run("get prset").unwrap();
    assert_eq!(shown.matches("False").count(), 2, "{shown}");
    // The next one need not wait for the lease.
    let lease = scene.kubectl.run("get lease portreeve -n portreeve -o jsonpath={.spec.holderIdentity}").unwrap();
    assert_eq!(lease, "");
    scene.kubectl.run("delete prset team").unwrap();
    let _second = scene.replica("two").await;
    assert_eq!(reason(&scene, &sets[0], "InForce").await, "in force as written");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_thing_leaves_the_others_ready() {
    let Some(scene) = Scene::start().await else { return };
    let _replica = scene.replica("one").await;
    scene.registered().await;
    let (kept, gone, named) =
        (wants_label("kept", "team"), wants_label("gone", "owner"), set("ours", &["kept", "gone"]));
    for resource in [&gone, &kept, &named] {
        scene.put_in_force(resource).await;
    }
    let digest = |of: &str| scene.kubectl.run(&format!("get {of} -o jsonpath={{.status.*}}")).unwrap();
    assert!(digest("clusterpolicy kept").contains("sha256:"));
    scene.kubectl.run("delete clusterpolicy gone").unwrap();
    let said = reason(&scene, &named, "Refused").await;
    assert!(said.contains("names \"gone\""), "{said}");
    let said = async || reason(&scene, &kept, "InForce").await;
    until("it says what is refused", async || said().await.contains("names \"gone\"")).await.unwrap();
    assert_eq!(scene.readiness(&kept).await.unwrap()["status"], "True");
    assert!(digest("clusterpolicy kept").contains("sha256:") && digest("policyset ours").contains("sha256:"));
    let described = |what: &str| scene.kubectl.run(&format!("describe {what}")).unwrap();
    until("an event tells of it", async || described("policyset ours").contains("Warning  Refused")).await.unwrap();
    assert!(!described("clusterpolicy kept").contains("Warning"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_says_so() {
    let Some(scene) = Scene::start().await else { return };
    // As before there was a rule for it, and before anybody was asked.
    let rules = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/expires/x-kubernetes-validations";
    let patch = json!([{"op": "remove", "path": rules}]).to_string();
    scene.kubectl.run(&format!("patch crd policyexceptions.portreeve.dev --type=json -p {patch}")).unwrap();
    let mut exception = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicyException",
        "metadata": {"name": "leap", "namespace": "shop"},
        "spec": {
            "policy": "team", "owner": "shop", "ticket": "SHOP-1", "reason": "a try", "expires": "2030-02-30T00:00:00Z",
        },
    });
    let applied = async || scene.api.apply(&exception, Run::Real).await.unwrap().done().is_ok();
    until("the rule is gone", applied).await.unwrap();
    let replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    let said = reason(&scene, &exception, "Refused").await;
    assert!(said.contains("can't be read: spec.expires: "), "{said}");
    let described = || scene.kubectl.run("describe policyexception leap -n shop").unwrap();
    until("an event tells of it", async || described().contains("Warning  Refused")).await.unwrap();
    assert!(replica.log().contains("a resource can't be read"), "{}", replica.log());
    exception["spec"]["expires"] = json!("2030-02-28T00:00:00Z");
    scene.apply(&exception).await;
    reason(&scene, &exception, "InForce").await;
}
