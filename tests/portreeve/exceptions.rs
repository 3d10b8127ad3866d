//! Exceptions through the gate with the real catalogue: opting out by an annotation at a controller and at its Pods
//! alike, and the end of an exception. Whom an exception covers is tested in `portreeve-admission`.

use portreeve_admission::response::AuditKey;
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, admit};
use portreeve_tests::review::create;
use serde_json::{Value, json};

const POLICY: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
    spec: {module: {builtin: drop-capabilities}}\n";

const OPT_OUT: &str = "acme.example/keep-capabilities";

fn gate(matching: &str, expires: &str) -> Gate {
    let exception = format!(
        "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\nmetadata: {{name: kept, namespace: shop}}\n\
         spec: {{policy: drop, owner: team, ticket: T-1, reason: old, expires: '{expires}', match: {matching}}}\n"
    );
    Setting::default().with(&format!("{POLICY}{exception}")).unwrap().gate().unwrap()
}

fn opting_out() -> Gate {
    gate(&format!("{{annotation: {{name: {OPT_OUT}}}}}"), "2999-01-01T00:00:00Z")
}

fn template(annotation: &str) -> Value {
    let security = json!({"capabilities": {"add": ["NET_RAW"]}});
    json!({
        "metadata": {"labels": {"app": "web"}, "annotations": {annotation: "yes"}},
        "spec": {"containers": [{"name": "app", "image": "team/web:1", "securityContext": security}]},
    })
}

fn deployment(namespace: &str, template: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
    })
}

/// As the ReplicaSet controller makes it of the template.
fn pod(namespace: &str, template: &Value) -> Value {
    let mut pod = template.clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("web-1");
    pod["metadata"]["namespace"] = json!(namespace);
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "1", "controller": true}]);
    pod
}

#[tokio::test]
async fn a_workload_opts_out_at_its_controller_and_at_its_pods_alike() {
    let gate = opting_out();
    let template = template(OPT_OUT);
    for object in [deployment("shop", &template), pod("shop", &template)] {
        let (told, response) = admit(&gate, &create(&object)).await.unwrap();
        assert_eq!(told.response.patch, None, "{}", object["kind"]);
        assert!(response.refusal.is_none(), "{}: {response:?}", object["kind"]);
        assert_eq!(response.audit[&AuditKey::Exceptions], format!("shop/kept (annotation {OPT_OUT})"));
    }
}

#[tokio::test]
async fn nobody_opts_out_elsewhere_or_by_another_name() {
    let gate = opting_out();
    for object in [deployment("bank", &template(OPT_OUT)), deployment("shop", &template("acme.example/other"))] {
        let (_, response) = admit(&gate, &create(&object)).await.unwrap();
        assert!(response.refusal.is_some(), "{object}");
    }
}

#[tokio::test]
async fn an_exception_that_has_ended_no_longer_counts() {
    let gate = gate("{images: [team/web]}", "2020-01-01T00:00:00Z");
    let (_, response) = admit(&gate, &create(&deployment("shop", &template(OPT_OUT)))).await.unwrap();
    assert!(response.refusal.is_some());
}

/// A database that its image runs as root, with a container beside it, and an exception for the one.
fn beside_a_database(policies: &str) -> Gate {
    let exception = |policy: &str| {
        format!(
            "---\napiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {policy}}}\n\
             spec: {{module: {{builtin: {policy}}}}}\n\
             ---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\nmetadata: {{name: {policy}, namespace: shop}}\n\
             spec: {{policy: {policy}, containers: [db], owner: team, ticket: T-1, reason: old, \
             expires: '2999-01-01T00:00:00Z', match: {{images: [team/db]}}}}\n"
        )
    };
    let yaml: String = policies.split(' ').map(exception).collect();
    Setting::default().with(&yaml).unwrap().gate().unwrap()
}

#[tokio::test]
async fn what_is_set_for_the_pod_goes_around_a_container_that_an_exception_spares() {
    let gate = beside_a_database("non-root seccomp");
    let containers = json!([{"name": "db", "image": "team/db:1"}, {"name": "web", "image": "team/web:1"}]);
    let object =
        deployment("shop", &json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}));
    let (told, response) = admit(&gate, &create(&object)).await.unwrap();
    let spec = &told.object["spec"]["template"]["spec"];
    assert_eq!(spec.get("securityContext"), None, "{spec}");
    assert_eq!(spec["containers"][0], containers[0]);
    let set = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    assert_eq!(spec["containers"][1]["securityContext"], set);
    assert!(response.refusal.is_none(), "{:?}", response.refusal);
    assert_eq!(response.audit[&AuditKey::Exceptions], "shop/non-root, shop/seccomp");
}

#[test]
fn an_exception_that_anybody_could_give_himself_is_refused() {
    for matching in
        ["{labels: {app: web}}", "{labels: {app: web}, images: ['*']}", "{labels: {app: web}, serviceAccount: default}"]
    {
        let exception = format!(
            "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\nmetadata: {{name: kept, namespace: shop}}\n\
             spec: {{policy: drop, owner: o, ticket: t, reason: r, expires: '2999-01-01T00:00:00Z', match: {matching}}}\n"
        );
        let problems = Setting::default().with(&format!("{POLICY}{exception}")).unwrap().problems().unwrap();
        assert_eq!(problems.len(), 1, "{matching}: {problems:?}");
    }
}
