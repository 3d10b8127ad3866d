//! The switch that drops denials: whoever may sets it, for a time, and it is on the record.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use portreeve_supply::loopback::{Fault, LoopbackRegistry};
use portreeve_tests::api_server::Run;
use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::scene::{Scene, deployment, wants_label};

/// As far ahead as a switch may well be set.
fn tomorrow() -> Timestamp {
    (Timestamp::now() + SignedDuration::from_hours(24)).round(Unit::Second).unwrap()
}

/// What kubectl is told to drop denials.
fn switching(until: &Timestamp) -> String {
    format!("annotate policyset ours portreeve.dev/break-glass-until={until} portreeve.dev/break-glass-reason=fire")
}

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
    assert!(scene.denial(&deployment("web")).await.contains("team"));

    let end = tomorrow();
    let annotate = &switching(&end);
    let stranger = scene.kubectl.run(&format!("{annotate} --as=dev --as-group=devs"));
    assert!(stranger.is_err(), "{stranger:?}");
    scene.kubectl.run("create clusterrolebinding devs --clusterrole=cluster-admin --group=devs").unwrap();
    let said = scene.kubectl.run(&format!("{annotate} --as=dev --as-group=devs")).unwrap_err().complaint;
    assert!(said.contains("only the group \"system:masters\" may set"), "{said}");
    scene.kubectl.run(annotate).unwrap();
    let other = "annotate policyset ours portreeve.dev/break-glass-reason=other --overwrite --as=dev --as-group=devs";
    let said = scene.kubectl.run(other).unwrap_err().complaint;
    assert!(said.contains("only the group \"system:masters\" may set"), "{said}");

    let admitted = async || scene.refusal(&deployment("web")).await.is_none();
    until("denials are dropped", admitted).await.unwrap();
    let readiness = replica.says("/readyz?verbose").await;
    assert!(readiness.contains(&format!("[!] denials: denials are dropped until {end}: fire")), "{readiness}");
    assert!(replica.says("/metrics").await.contains("portreeve_break_glass 1"));

    scene.kubectl.run("annotate policyset ours portreeve.dev/break-glass-until- portreeve.dev/break-glass-reason- --as=dev --as-group=devs").unwrap();
    until("denials count again", async || !admitted().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_switch_nor_an_exception_waits_for_a_policy_that_is_refused() {
    let Some(scene) = Scene::start().await else { return };
    let registry = LoopbackRegistry::start([]).await.unwrap();
    let module = registry.module("policies/catalogue", "v1", portreeve_builtin::CATALOGUE.to_vec());
    registry.fault([Fault::Status(503)]);
    let known = json!({"registries": [{"host": registry.host().as_str(), "insecure": true}]});
    let change = |config: &mut Value| {
        config["registries"] = known;
        config["kubernetes"]["breakGlassGroup"] = json!("system:masters");
    };
    let replica = scene.replica_with("one", change).await;
    scene.registered().await;
    let set =
        json!({"apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "ours"}, "spec": {}});
    scene.put_in_force(&wants_label("team", "team")).await;
    scene.put_in_force(&set).await;
    scene.denial(&deployment("web")).await;
    let exception = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicyException",
        "metadata": {"name": "old", "namespace": "shop"},
        "spec": {"policy": "team", "owner": "o", "ticket": "t", "reason": "r", "expires": "2099-01-01T00:00:00Z"},
    });
    scene.put_in_force(&exception).await;
    let admitted = async || scene.refusal(&deployment("web")).await.is_none();
    until("the exception counts", admitted).await.unwrap();

    let unanswered = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "unanswered"},
        "spec": {
            "module": {"oci": format!("{}/policies/catalogue@{module}", registry.host()), "policy": "host-access"},
            "mode": "audit",
        },
    });
    scene.apply(&unanswered).await;
    let refused = async || scene.readiness(&unanswered).await.is_some_and(|ready| ready["reason"] == "Refused");
    until("the policy is refused", refused).await.unwrap();
    assert!(admitted().await);
    scene.kubectl.run("delete policyexception old -n shop").unwrap();
    until("the exception is taken back", async || !admitted().await).await.unwrap();

    scene.kubectl.run(&switching(&tomorrow())).unwrap();
    until("denials are dropped", admitted).await.unwrap();
    until("it is counted", async || replica.says("/metrics").await.contains("portreeve_break_glass 1")).await.unwrap();
    let readiness = replica.says("/readyz?verbose").await;
    assert!(readiness.contains("[!] policies: kept") && readiness.contains("[!] denials: "), "{readiness}");
    let kept = scene.readiness(&set).await.unwrap();
    assert!(kept["reason"] == "InForce" && kept["message"].as_str().unwrap().contains("503"), "{kept}");
    scene
        .kubectl
        .run("annotate policyset ours portreeve.dev/break-glass-until- portreeve.dev/break-glass-reason-")
        .unwrap();
    until("denials count again", async || !admitted().await).await.unwrap();
    assert!(refused().await);
}

/// Long enough that replicas learn of it, and somebody makes use of it.
const A_WHILE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_made_meanwhile_and_it_ends_by_itself_and_all_is_in_the_book() {
    let Some(scene) = Scene::start().await else { return };
    let group = json!("system:masters");
    let replica = scene.replica_with("one", |config| config["kubernetes"]["breakGlassGroup"] = group).await;
    scene.registered().await;
    let seccomp = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "seccomp"},
        "spec": {"module": {"builtin": "seccomp"}},
    });
    let mut set =
        json!({"apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "ours"}, "spec": {}});
    for resource in [&wants_label("team", "team"), &seccomp, &set] {
        scene.put_in_force(resource).await;
    }
    until("we are asked", async || scene.refusal(&deployment("web")).await.is_some()).await.unwrap();

    let end = (Timestamp::now() + A_WHILE).round(Unit::Second).unwrap();
    set["metadata"]["annotations"] =
        json!({"portreeve.dev/break-glass-until": end.to_string(), "portreeve.dev/break-glass-reason": "fire"});
    scene.apply(&set).await;
    let switched = scene.api.get(&set).await.unwrap().done().unwrap().0;
    let admitted = async || scene.refusal(&deployment("probe")).await.is_none();
    until("denials are dropped", admitted).await.unwrap();
    let (web, warnings) = scene.api.create(&deployment("web"), Run::Real).await.unwrap().done().unwrap();
    assert!(warnings.iter().any(|warning| warning.contains("team")), "{warnings:?}");
    assert_eq!(
        web["spec"]["template"]["spec"]["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
        "{web:#}"
    );

    until("denials count again", async || !admitted().await).await.unwrap();
    assert!(Timestamp::now() >= end);
    let refusal = scene.api.create(&deployment("late"), Run::Real).await.unwrap().refused().unwrap();
    assert!(refusal.message.contains("team"), "{refusal}");
    let says_so = async || {
        replica.says("/readyz?verbose").await.contains("[+] denials: count")
            && replica.says("/metrics").await.contains("portreeve_break_glass 0")
    };
    until("the replica says so", says_so).await.unwrap();
    let untouched = scene.api.get(&set).await.unwrap().done().unwrap().0;
    assert_eq!(
        (&untouched["metadata"]["generation"], &untouched["metadata"]["annotations"]),
        (&switched["metadata"]["generation"], &switched["metadata"]["annotations"])
    );

    let records = replica.book().await;
    let glass = json!(format!("denials are dropped until {end}: fire"));
    let told = |name: &str| -> Vec<(&str, &Value)> {
        let bodies = records.iter().map(|record| &record["body"]);
        let of_it = bodies.filter(|body| body["call"]["name"] == name);
        of_it.map(|body| (body["answer"].as_str().unwrap(), &body["breakGlass"])).collect()
    };
    assert_eq!(told("web"), [("corrected", &glass), ("allowed", &glass)]);
    assert_eq!(told("late"), [("corrected", &Value::Null), ("denied", &Value::Null)]);
}
