//! `match` and `rollout` of a ClusterPolicy through the gate with the real catalogue: resources, operations,
//! conditions, and modes by namespace. What each of them means is tested where it is read.

use portreeve_admission::response::RefusalKind;
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, admit};
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

/// Denies added capabilities of what it applies to, and drops all.
fn gate(matching: &str, more: &str) -> Gate {
    let policy = format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: drop}}\n\
         spec: {{module: {{builtin: drop-capabilities}}, match: {{{matching}}}{more}}}\n"
    );
    Setting::default().with(&policy).unwrap().gate().unwrap()
}

fn workload(kind: &str, capability: &str) -> Value {
    let security = json!({"capabilities": {"add": [capability]}});
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "replicas": 3, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "team/web:1", "securityContext": security}]},
        }},
    })
}

/// Whether the policy saw the request: it edits and denies what it sees.
async fn sees(gate: &Gate, review: &Value) -> bool {
    let (told, response) = admit(gate, review).await.unwrap();
    assert_eq!(told.response.patch.is_some(), response.refusal.is_some(), "one call saw it and the other did not");
    response.refusal.is_some()
}

#[tokio::test]
async fn a_policy_sees_the_resources_that_it_names() {
    let gate = gate("resources: [{apiGroups: [apps], resources: [deployments]}]", "");
    assert!(sees(&gate, &create(&workload("Deployment", "NET_RAW"))).await);
    assert!(!sees(&gate, &create(&workload("StatefulSet", "NET_RAW"))).await);
}

#[tokio::test]
async fn a_policy_sees_the_operations_that_it_names() {
    let gate = gate("operations: [CREATE]", "");
    assert!(sees(&gate, &create(&workload("Deployment", "NET_RAW"))).await);
    let changed = update(&workload("Deployment", "NET_RAW"), &workload("Deployment", "SYS_TIME"));
    assert!(!sees(&gate, &changed).await);
}

#[tokio::test]
async fn a_policy_sees_what_meets_all_of_its_conditions() {
    let gate = gate(
        "matchConditions: [{name: many, expression: 'object.spec.replicas > 1'}, \
         {name: not-ours, expression: 'object.metadata.name != \"ours\"'}]",
        "",
    );
    let mut object = workload("Deployment", "NET_RAW");
    assert!(sees(&gate, &create(&object)).await);
    object["spec"]["replicas"] = json!(1);
    assert!(!sees(&gate, &create(&object)).await);
}

#[tokio::test]
async fn a_condition_that_can_not_be_told_takes_the_policys_failure_mode() {
    let condition = "matchConditions: [{name: told, expression: 'object.spec.absent == 1'}]";
    let object = create(&workload("Deployment", "NET_RAW"));
    let (told, response) = admit(&gate(condition, ""), &object).await.unwrap();
    for refusal in [told.response.refusal, response.refusal].map(Option::unwrap) {
        assert_eq!(refusal.kind, RefusalKind::InternalError);
        assert!(refusal.message.contains("drop") && refusal.message.contains("its condition \"told\""), "{refusal:?}");
    }
    let (_, response) = admit(&gate(condition, ", failurePolicy: Ignore"), &object).await.unwrap();
    assert!(response.refusal.is_none());
    assert!(
        response.warnings.iter().any(|warning| warning.contains("its condition \"told\"")),
        "{:?}",
        response.warnings
    );
}

/// A bad Deployment in a namespace with this label `stage`, under a policy that is in other modes in some: whether it
/// is edited, whether it is denied, what is warned of.
async fn answered(stage: &str) -> (bool, bool, Vec<String>) {
    let policy = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
        spec: {module: {builtin: drop-capabilities}, mode: audit, rollout: [\
        {namespaceSelector: {matchLabels: {stage: never}}, mode: 'off'}, \
        {namespaceSelector: {matchLabels: {stage: told}}, mode: warn, mutate: false}, \
        {namespaceSelector: {matchExpressions: [{key: stage, operator: In, values: [told, done]}]}, mode: enforce}]}\n";
    let namespace =
        format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{stage: {stage}}}}}\n");
    let gate = Setting::default().with(&format!("{policy}{namespace}")).unwrap().gate().unwrap();
    let (told, response) = admit(&gate, &create(&workload("Deployment", "NET_RAW"))).await.unwrap();
    (told.response.patch.is_some(), response.refusal.is_some(), response.warnings)
}

#[tokio::test]
async fn the_first_stage_that_selects_a_namespace_is_its_mode() {
    assert_eq!(answered("unheard-of").await, (false, false, vec![]));
    assert_eq!(answered("never").await, (false, false, vec![]));
    let (edited, denied, warnings) = answered("told").await;
    assert_eq!((edited, denied), (false, false));
    assert!(warnings.iter().any(|warning| warning.contains("NET_RAW")), "{warnings:?}");
    let (edited, denied, _) = answered("done").await;
    assert_eq!((edited, denied), (true, true));
}
