//! Reviews that stand for those to come: what a condition says is tried on them before it is in force.

use std::sync::LazyLock;

use portreeve_admission::review::{API_VERSION, Review, decode};
use serde_json::{Value, json};

/// A Pod that comes, and the same one changed.
pub(super) static REVIEWS: LazyLock<Vec<Review>> = LazyLock::new(|| {
    let reviews = [review("CREATE", &Value::Null), review("UPDATE", &pod("x/app:1"))];
    reviews.iter().filter_map(|review| decode(review.to_string().as_bytes()).ok()).collect()
});

fn review(operation: &str, old: &Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": "AdmissionReview", "request": {
        "uid": "sample", "operation": operation, "namespace": "sample", "name": "sample",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "userInfo": {"username": "sample", "groups": ["system:authenticated"]},
        "object": pod("x/app:2"), "oldObject": old,
    }})
}

fn pod(image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "sample", "namespace": "sample", "labels": {"app": "sample"}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    })
}
