//! Objects as large as an API server takes them. Whoever sends one gets an answer, and nobody else pays for it.

use std::sync::Arc;

use portreeve_admission::response::RefusalKind;
use portreeve_server::way::{Gate, Runner};
use portreeve_tests::gate::{Setting, mutate, validate};
use portreeve_tests::review::create;
use portreeve_tests::server::until;
use serde_json::{Value, json};

/// A policy of the catalogue, with more of a `spec`.
fn policy(name: &str, more: &str) -> String {
    format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{module: {{builtin: {name}}}{more}}}\n"
    )
}

fn setting(policies: &[(&str, &str)]) -> Setting {
    let one = |setting: Setting, (name, more): &(&str, &str)| setting.with(&policy(name, more)).unwrap();
    policies.iter().fold(Setting::default(), one)
}

fn gate(policies: &[(&str, &str)]) -> Gate {
    setting(policies).gate().unwrap()
}

fn pod(container: &Value, volumes: &Value) -> Value {
    create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [container], "volumes": volumes},
    }))
}

/// A Pod with so many arguments, the last of which is a password.
fn with_arguments(count: usize) -> Value {
    let mut arguments: Vec<String> = (1..count).map(|index| format!("--option-{index}=on")).collect();
    arguments.push("--password=Tr0ub4dor&3xyz".to_owned());
    pod(&json!({"name": "web", "image": "team/web:1", "args": arguments}), &json!([]))
}

/// A Pod with so many volumes, each mounted, of which the last outlives it.
fn with_volumes(count: usize) -> Value {
    let mut volumes: Vec<Value> =
        (1..count).map(|index| json!({"name": format!("v{index}"), "emptyDir": {}})).collect();
    volumes.push(json!({"name": format!("v{count}"), "persistentVolumeClaim": {"claimName": "data"}}));
    let mounts: Vec<Value> =
        (1..=count).map(|index| json!({"name": format!("v{index}"), "mountPath": format!("/m/{index}")})).collect();
    pod(&json!({"name": "web", "image": "team/web:1", "volumeMounts": mounts}), &json!(volumes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_thirty_thousand_arguments_is_judged_by_each_of_them() {
    let answered = validate(&gate(&[("secrets-in-env", "")]), &with_arguments(30_000)).await.unwrap();
    let refusal = answered.refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::Forbidden, "{}", refusal.message);
    assert!(refusal.message.contains("the argument \"password\""), "{}", refusal.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_twenty_thousand_volumes_is_given_what_it_lacks() {
    let token = ", settings: {templates: disable, explicit: deny}";
    let gate = gate(&[("non-root", ""), ("read-only-rootfs", ""), ("service-account-token", token)]);
    let told = mutate(&gate, &with_volumes(20_000)).await.unwrap();
    let security = told.object.pointer("/spec/containers/0/securityContext");
    assert_eq!(security, Some(&json!({"readOnlyRootFilesystem": true})), "{:?}", told.response);
    let judged = validate(&gate, &create(&told.object)).await.unwrap();
    assert!(judged.refusal.is_none_or(|refusal| refusal.kind == RefusalKind::Forbidden));
}

/// Seven edits for each.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_five_hundred_nginx_containers_is_given_all_that_it_lacks() {
    let containers: Vec<Value> =
        (0..500).map(|index| json!({"name": format!("c{index}"), "image": "nginx:1.27"})).collect();
    let pod = create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": containers},
    }));
    let told = mutate(&gate(&[("read-only-rootfs", "")]), &pod).await.unwrap();
    let read_only = |index: usize| {
        told.object["spec"]["containers"][index].pointer("/securityContext/readOnlyRootFilesystem")
            == Some(&json!(true))
    };
    assert!((0..500).all(read_only), "{:?}", told.response);
}

/// One of the containers is spared by an exception.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_five_hundred_containers_is_put_right_around_the_one_that_is_spared() {
    let exception = "apiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\n\
                     metadata: {name: first, namespace: shop}\nspec: {policy: seccomp, containers: [c0], owner: team, \
                     ticket: T-1, reason: it traces, expires: \"2999-01-01T00:00:00Z\"}\n";
    let setting = setting(&[("seccomp", "")]).with(exception).unwrap();
    let containers: Vec<Value> =
        (0..500).map(|index| json!({"name": format!("c{index}"), "image": "team/web:1"})).collect();
    let pod = create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": containers},
    }));
    let told = mutate(&setting.gate().unwrap(), &pod).await.unwrap();
    let profile = |index: usize| told.object["spec"]["containers"][index].pointer("/securityContext/seccompProfile");
    assert_eq!(profile(0), None, "{:?}", told.response);
    assert!((1..500).all(|index| profile(index) == Some(&json!({"type": "RuntimeDefault"}))));
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_large_objects_come_a_small_one_has_its_turn() {
    // One turn of the two is for what is large.
    let judged = gate(&[("secrets-in-env", ", timeout: 20s")]);
    let gate = Arc::new(Gate { runner: Runner::new(2), ..judged });
    let large = Arc::new(with_arguments(60_000));
    let crowd: Vec<_> = (0..12)
        .map(|_| {
            let (gate, large) = (Arc::clone(&gate), Arc::clone(&large));
            tokio::spawn(async move { validate(&gate, &large).await.unwrap() })
        })
        .collect();
    until("a large one is judged", async || gate.runner.running() == 1).await.unwrap();
    let small = pod(&json!({"name": "web", "image": "team/web:1"}), &json!([]));
    let answered = validate(&gate, &small).await.unwrap();
    assert!(answered.refusal.is_none_or(|refusal| refusal.kind == RefusalKind::Forbidden));
    let waiting = crowd.iter().filter(|large| !large.is_finished()).count();
    assert!(waiting > 6, "it waited behind those that came before it: {waiting} are left");
    for large in crowd {
        assert_eq!(large.await.unwrap().refusal.unwrap().kind, RefusalKind::Forbidden);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ships_is_asked_again_however_often_it_ran_out_of_time() {
    let gate = gate(&[("secrets-in-env", ", timeout: 2ms, failurePolicy: Ignore")]);
    for _ in 0..8 {
        let answered = validate(&gate, &with_arguments(30_000)).await.unwrap();
        let told = answered.warnings.join("\n");
        assert!(!told.contains("not being run"), "{told}");
    }
}
