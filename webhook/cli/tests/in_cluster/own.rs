//! What namespaces may write of their own: exceptions as far as the policy allows them, and so many Policies and no
//! more.

use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::scene::{Scene, deployment, wants_label};

fn exception() -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicyException",
        "metadata": {"name": "kept", "namespace": "shop"},
        "spec": {
            "policy": "team", "owner": "shop", "ticket": "SHOP-1", "reason": "a try", "expires": "2099-01-01T00:00:00Z",
        },
    })
}

/// A policy whose exceptions are allowed like this.
fn allowing(exceptions: Value) -> Value {
    let mut policy = wants_label("team", "team");
    policy["spec"]["exceptions"] = exceptions;
    policy
}

fn own(name: &str) -> Value {
    let mut policy = wants_label(name, name);
    policy["kind"] = json!("Policy");
    policy["metadata"]["namespace"] = json!("shop");
    policy
}

/// What a user of this group is told who applies it; nothing if it is taken.
fn refusal_of(scene: &Scene, group: &str, object: &Value) -> Option<String> {
    let file = scene.folder().join("applied.json");
    std::fs::write(&file, object.to_string()).unwrap();
    let apply = format!("apply -f {} --as=dev --as-group={group}", file.display());
    scene.kubectl.run(&apply).err().map(|refused| refused.complaint)
}

async fn reason(scene: &Scene, resource: &Value, awaited: &str) -> String {
    let ready = async || scene.readiness(resource).await.unwrap_or_default();
    until(awaited, async || ready().await["reason"] == awaited).await.unwrap();
    ready().await["message"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_counts_where_its_policy_allows_it_and_by_whom() {
    let Some(scene) = Scene::start().await else { return };
    let _replica = scene.replica("one").await;
    scene.registered().await;
    for group in ["devs", "owners"] {
        let bind = format!("create clusterrolebinding {group} --clusterrole=cluster-admin --group={group}");
        scene.kubectl.run(&bind).unwrap();
    }
    scene.put_in_force(&allowing(json!({"groups": ["owners"], "namespaces": ["shop"]}))).await;
    let said = refusal_of(&scene, "devs", &exception()).unwrap();
    assert!(said.contains("exceptions.portreeve.dev") && said.contains("members of \"owners\""), "{said}");
    let mut elsewhere = exception();
    elsewhere["metadata"]["namespace"] = json!("default");
    let said = refusal_of(&scene, "owners", &elsewhere).unwrap();
    assert!(said.contains("in shop and not in \"default\""), "{said}");

    assert_eq!(refusal_of(&scene, "owners", &exception()), None);
    reason(&scene, &exception(), "InForce").await;
    until("it counts", async || scene.refusal(&deployment("web")).await.is_none()).await.unwrap();

    // The rule comes later: nobody is kept from it, and the exception no longer counts.
    scene.put_in_force(&allowing(json!({"allowed": false}))).await;
    let said = reason(&scene, &exception(), "Refused").await;
    assert!(said.contains("\"team\" allows no exceptions"), "{said}");
    assert!(scene.refusal(&deployment("web")).await.unwrap().contains("team"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_answers_exceptions_are_neither_written_nor_widened_and_go_as_ever() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    scene.put_in_force(&exception()).await;
    scene.front.remove(replica.webhook);
    scene.front.cut();
    let unanswered = |said: &str| said.contains("failed calling webhook") && said.contains("exceptions.portreeve.dev");
    let mut another = exception();
    another["metadata"]["name"] = json!("another");
    let mut longer = exception();
    longer["spec"]["expires"] = json!("2099-12-31T00:00:00Z");
    for asked in [another, longer] {
        let said = refusal_of(&scene, "system:masters", &asked).unwrap();
        assert!(unanswered(&said), "{said}");
    }
    // What says nothing else, and what heals or deletes, waits for nobody.
    for done in [
        "label policyexception kept -n shop seen=yes",
        "patch policyexception kept -n shop --type=merge -p {\"metadata\":{\"finalizers\":[\"portreeve.example/held\"]}}",
        "delete policyexception kept -n shop --wait=false",
        "patch policyexception kept -n shop --type=merge -p {\"metadata\":{\"finalizers\":[]}}",
    ] {
        scene.kubectl.run(done).unwrap();
    }
    assert!(scene.kubectl.run("get policyexception kept -n shop").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_has_so_many_policies_and_no_more() {
    let Some(scene) = Scene::start().await else { return };
    let bounds = json!({"namespacedPolicies": {"perNamespace": 1}});
    let replica = scene.replica_with("one", |config| config["limits"] = bounds).await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    scene.put_in_force(&own("first")).await;
    let said = scene.refusal(&own("second")).await.unwrap();
    assert!(said.contains("the namespace has 1 Policies in force already"), "{said}");
    // As where nobody answered when it was applied.
    scene.front.remove(replica.webhook);
    scene.front.cut();
    scene.apply(&own("second")).await;
    scene.front.add(replica.webhook);
    let said = reason(&scene, &own("second"), "Refused").await;
    assert!(said.contains("limits.namespacedPolicies.perNamespace"), "{said}");
    let denied = scene.refusal(&deployment("web")).await.unwrap();
    assert!(denied.contains("first") && !denied.contains("second"), "{denied}");
}
