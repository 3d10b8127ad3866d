//! Policies applied with kubectl: in force in every replica within seconds, refused with words that help, never half.

use std::time::{Duration, Instant};

use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::scene::{Scene, deployment, wants_label};

/// What the quickest of a few changes may take. A second or two is promised; this is a debug build on a machine that
/// may be busy. A change that nobody told of, and that is only found when a watch begins again, would not keep it.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_is_in_force_in_every_replica_within_seconds_and_says_so() {
    let Some(scene) = Scene::start().await else { return };
    let replicas = [scene.replica("one").await, scene.replica("two").await];
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    let mut quickest = Duration::MAX;
    for (before, label) in ["owner", "stage", "tier"].into_iter().enumerate() {
        let applied = Instant::now();
        scene.apply(&wants_label(label, label)).await;
        for replica in &replicas {
            replica.has_in_force(before + 2).await;
        }
        quickest = quickest.min(applied.elapsed());
    }
    assert!(quickest < SOON, "in force everywhere {quickest:?} after it was applied");
    let said = scene.refusal(&deployment("web")).await.unwrap();
    assert!(["team", "owner", "stage", "tier"].iter().all(|label| said.contains(label)), "{said}");
    let shown = scene.kubectl.run("get clusterpolicies").unwrap();
    assert!(shown.contains("team") && shown.contains("True"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_when_it_is_applied() {
    let Some(scene) = Scene::start().await else { return };
    let _replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    let wrong = |change: fn(&mut Value)| {
        let mut policy = wants_label("wrong", "owner");
        change(&mut policy);
        policy
    };
    let condition = json!({"name": "a", "expression": "object.spec."});
    let mut unread = wants_label("wrong", "owner");
    unread["spec"]["match"] = json!({"matchConditions": [condition]});
    let cases: [(&str, Value); 5] = [
        ("spec.match.matchConditions[0].expression: it is no CEL", unread),
        ("no-such-policy", wrong(|policy| policy["spec"]["module"] = json!({"builtin": "no-such-policy"}))),
        ("spec.settings", wrong(|policy| policy["spec"]["settings"] = json!({"labels": "team"}))),
        ("spec.facts", wrong(|policy| policy["spec"]["facts"] = json!(["zones"]))),
        ("a/b/c", wrong(|policy| policy["spec"]["settings"] = json!({"labels": [{"key": "a/b/c"}]}))),
    ];
    for (words, policy) in cases {
        let said = scene.refusal(&policy).await.unwrap();
        assert!(said.contains("resources.portreeve.dev") && said.contains(words), "{said}");
    }
    assert_eq!(scene.refusal(&wants_label("more", "owner")).await, None);
    // What is applied first may name what comes after it.
    let set = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "ours"},
        "spec": {"policies": ["team", "to-come"]},
    });
    assert_eq!(scene.refusal(&set).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_is_wrong_all_the_same_changes_nothing_and_its_status_says_why() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    // As where nobody answered when it was applied.
    scene.front.remove(replica.webhook);
    scene.front.cut();
    let wrong = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "wrong"},
        "spec": {"module": {"builtin": "no-such-policy"}},
    });
    scene.apply(&wrong).await;
    scene.front.add(replica.webhook);
    let refused = async || scene.readiness(&wrong).await;
    until("it is refused", async || refused().await.is_some()).await.unwrap();
    let ready = refused().await.unwrap();
    assert_eq!((ready["status"].as_str(), ready["reason"].as_str()), (Some("False"), Some("Refused")));
    assert!(ready["message"].as_str().unwrap().contains("no-such-policy"), "{ready}");
    let described = || scene.kubectl.run("describe clusterpolicy wrong").unwrap();
    until("an event tells of it", async || described().contains("Warning  Refused")).await.unwrap();
    assert!(replica.says("/metrics").await.contains("portreeve_policies_refused 1"));
    assert!(scene.refusal(&deployment("web")).await.unwrap().contains("team"));
    let readiness = replica.says("/readyz?verbose").await;
    assert!(readiness.starts_with("HTTP/1.1 200") && readiness.contains("[!] policies"), "{readiness}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_a_namespace_is_added_there_and_nowhere_else() {
    let Some(scene) = Scene::start().await else { return };
    let _replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    let mut own = wants_label("owner", "owner");
    own["kind"] = json!("Policy");
    own["metadata"]["namespace"] = json!("shop");
    scene.put_in_force(&own).await;
    let said = scene.denial(&deployment("web")).await;
    assert!(said.contains("team") && said.contains("owner"), "{said}");
    let mut elsewhere = deployment("web");
    elsewhere["metadata"]["namespace"] = json!("default");
    let said = scene.refusal(&elsewhere).await.unwrap();
    assert!(said.contains("team") && !said.contains("owner"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_namespace_asks_of_itself_has_nobody_else_asked_about() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.replica("one").await;
    scene.registered().await;
    let mut of_gold = wants_label("team", "team");
    of_gold["spec"]["match"] = json!({"namespaceSelector": {"matchLabels": {"tier": "gold"}}});
    scene.put_in_force(&of_gold).await;
    let mut own = wants_label("owner", "owner");
    own["kind"] = json!("Policy");
    own["metadata"]["namespace"] = json!("shop");
    scene.put_in_force(&own).await;
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gold", "labels": {"tier": "gold"}}});
    scene.apply(&namespace).await;
    let refusal = async |namespace: &str| {
        let mut web = deployment("web");
        web["metadata"]["namespace"] = json!(namespace);
        scene.refusal(&web).await
    };
    let is_asked =
        async || refusal("shop").await.is_some_and(|said| said.contains("namespaces.validate.portreeve.dev"));
    until("the namespace is asked about", is_asked).await.unwrap();
    let said = refusal("shop").await.unwrap();
    assert!(said.contains("owner") && !said.contains("team"), "{said}");
    let said = refusal("gold").await.unwrap();
    assert!(said.contains("\"validate.portreeve.dev\"") && said.contains("team") && !said.contains("owner"), "{said}");
    // Of the other namespaces the API server asks nobody, as is seen where nobody would answer.
    scene.front.remove(replica.webhook);
    scene.front.cut();
    assert_eq!(refusal("default").await, None);
    assert!(refusal("shop").await.unwrap().contains("failed calling webhook"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_namespace_gets_wrong_is_its_own_affair() {
    let Some(scene) = Scene::start().await else { return };
    let exception = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicyException",
        "metadata": {"name": "stray", "namespace": "shop"},
        "spec": {
            "policy": "no-such-policy", "owner": "shop", "ticket": "SHOP-1", "reason": "a try",
            "expires": "2099-01-01T00:00:00Z", "match": {"images": ["registry.example/web"]},
        },
    });
    let mut own = wants_label("wrong", "team");
    own["kind"] = json!("Policy");
    own["metadata"]["namespace"] = json!("shop");
    own["spec"]["settings"] = json!({"labels": "team"});
    // Before anybody is asked.
    for resource in [&exception, &own] {
        scene.apply(resource).await;
    }
    let _replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    assert!(scene.denial(&deployment("web")).await.contains("team"));
    for resource in [&exception, &own] {
        let refused = async || scene.readiness(resource).await.is_some_and(|ready| ready["reason"] == "Refused");
        until("its status says that it is refused", refused).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_knows_a_namespace_that_was_made_a_moment_ago() {
    let Some(scene) = Scene::start().await else { return };
    let _replica = scene.replica("one").await;
    scene.registered().await;
    let mut policy = wants_label("team", "team");
    policy["spec"]["match"] = json!({"namespaceSelector": {"matchLabels": {"tier": "gold"}}});
    scene.put_in_force(&policy).await;
    assert_eq!(scene.refusal(&deployment("web")).await, None);
    for number in 0..5 {
        let name = format!("gold-{number}");
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"tier": "gold"}},
        });
        scene.apply(&namespace).await;
        let mut web = deployment("web");
        web["metadata"]["namespace"] = json!(name);
        assert!(scene.refusal(&web).await.unwrap().contains("team"));
    }
}
