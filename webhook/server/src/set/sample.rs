//! Reviews that stand for those to come: what can only be seen by trying is tried on them before it is in force.

use std::sync::{Arc, LazyLock};

use portreeve_admission::case::{Case, Facts};
use portreeve_admission::review::{API_VERSION, Review, decode};
use portreeve_admission::subject::TemplatePaths;
use serde_json::{Value, json};

/// A Pod that comes, and the same one changed.
pub(super) static REVIEWS: LazyLock<Vec<Review>> = LazyLock::new(|| {
    let reviews = [review("CREATE", &Value::Null), review("UPDATE", &pod("registry.example/sample:1"))];
    reviews.iter().filter_map(|review| decode(review.to_string().as_bytes()).ok()).collect()
});

/// The Pod that comes, of which nobody gathered any facts.
pub(super) fn without_facts() -> Option<Case> {
    let review = REVIEWS.first()?;
    let object = review.object.clone()?;
    let subjects = TemplatePaths::default().subjects(&review.request.kind, &object).ok()?;
    Some(Case {
        request: Arc::clone(&review.request),
        object: Some(object),
        old_object: None,
        subject: subjects.into_iter().next(),
        old_subject: None,
        facts: Arc::new(Facts::default()),
    })
}

fn review(operation: &str, old: &Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": "AdmissionReview", "request": {
        "uid": "sample", "operation": operation, "namespace": "sample", "name": "sample",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "userInfo": {"username": "sample", "groups": ["system:authenticated"]},
        "object": pod("registry.example/sample:2"), "oldObject": old,
    }})
}

fn pod(image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "sample", "namespace": "sample", "labels": {"app": "sample"}},
        "spec": {"containers": [{"name": "sample", "image": image}]},
    })
}
