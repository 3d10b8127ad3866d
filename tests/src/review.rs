//! Reviews made of objects, as the API server would make them.

use serde_json::{Value, json};

/// A CREATE of this object by an ordinary user.
#[must_use]
pub fn create(object: &Value) -> Value {
    review("CREATE", object, &Value::Null)
}

/// An UPDATE from `old` to `object` by an ordinary user.
#[must_use]
pub fn update(object: &Value, old: &Value) -> Value {
    review("UPDATE", object, old)
}

fn review(operation: &str, object: &Value, old: &Value) -> Value {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let resource = format!("{}s", text("/kind").to_lowercase());
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "00000000-0000-4000-8000-000000000001",
            "kind": {"group": group, "version": version, "kind": text("/kind")},
            "resource": {"group": group, "version": version, "resource": resource},
            "name": text("/metadata/name"),
            "namespace": text("/metadata/namespace"),
            "operation": operation,
            "userInfo": {"username": "jane"},
            "object": object,
            "oldObject": old,
        }
    })
}
