//! Policies whose edits contradict each other: there is no patch, and a template that a controller owns is judged as
//! its Pods will be.

use portreeve_admission::decision::Answer;
use portreeve_admission::response::RefusalKind;
use portreeve_server::way::{Answered, Gate};
use portreeve_tests::gate::{Setting, admit, plenty};
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

/// Two policies that give other requests each, and one that has nothing to do with it.
fn gate(failure_policy: &str) -> Gate {
    let giving = |name: &str, cpu: &str| {
        format!(
            "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\n\
             spec:\n  module: {{builtin: resources}}\n  failurePolicy: {failure_policy}\n  \
             settings: {{defaults: {{regular: {{requests: {{cpu: {cpu}, memory: 64Mi}}}}}}}}\n---\n"
        )
    };
    let drop = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
        spec: {module: {builtin: drop-capabilities}}\n";
    Setting::default().with(&[&giving("red", "10m"), &giving("blue", "20m"), drop].concat()).unwrap().gate().unwrap()
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "team/web:1"}]}})
}

fn owned() -> Value {
    let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": true});
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "shop", "ownerReferences": [owner]},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template()},
    })
}

async fn judged(gate: &Gate, review: &Value) -> Answered {
    gate.validate(review.to_string().as_bytes(), plenty()).await.unwrap()
}

fn outcomes(answered: &Answered) -> Vec<(&str, &str)> {
    answered.outcomes.iter().map(|outcome| (outcome.policy.as_str(), outcome.outcome)).collect()
}

#[tokio::test]
async fn a_conflict_that_is_let_pass_has_an_owned_template_judged_as_it_is_written() {
    let gate = gate("Ignore");
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod"});
    (pod["metadata"], pod["spec"]) = (json!({"name": "web-1", "namespace": "shop"}), template()["spec"].take());
    let (told, response) = admit(&gate, &create(&pod)).await.unwrap();
    assert!(told.response.patch.is_none() && response.refusal.is_some(), "this is what becomes of its Pods");
    let answered = judged(&gate, &create(&owned())).await;
    assert_eq!(answered.answer, Answer::Denied, "{:?}", answered.response);
    assert_eq!(outcomes(&answered), [("blue", "failed"), ("drop", "denied"), ("red", "failed")]);
}

#[tokio::test]
async fn what_was_so_before_the_conflict_is_not_denied_with_it() {
    let mut later = owned();
    later["spec"]["template"]["spec"]["containers"][0]["image"] = json!("team/web:2");
    let answered = judged(&gate("Ignore"), &update(&later, &owned())).await;
    assert_eq!(answered.answer, Answer::Allowed, "{:?}", answered.response);
}

#[tokio::test]
async fn where_a_conflict_refuses_nobody_counts_as_passed_that_was_not_asked() {
    let answered = judged(&gate("Fail"), &create(&owned())).await;
    assert_eq!(answered.response.refusal.as_ref().unwrap().kind, RefusalKind::InternalError);
    assert_eq!(outcomes(&answered), [("blue", "failed"), ("red", "failed")]);
}
