//! The review that an API server would send of an object that is being created: what is judged without a cluster.

use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::kinds::resource;
use portreeve_admission::review::API_VERSION;
use serde_json::{Value, json};

use crate::manifest::Manifest;

/// The review of this object, which the manifest names, in a namespace if it lives in one.
pub(crate) fn review(manifest: &Manifest, namespace: Option<&str>, object: &Value, user: &str) -> Value {
    let kind = kind(manifest);
    let name = object.pointer("/metadata/name").cloned().unwrap_or_default();
    json!({
        "apiVersion": API_VERSION,
        "kind": "AdmissionReview",
        "request": {
            "uid": "check",
            "resource": resource(&kind),
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "operation": "CREATE",
            "userInfo": {"username": user},
            "object": object,
        },
    })
}

/// Of what kind it is.
pub(crate) fn kind(manifest: &Manifest) -> GroupVersionKind {
    GroupVersionKind {
        group: manifest.group().to_owned(),
        version: manifest.version().to_owned(),
        kind: manifest.kind().to_owned(),
    }
}
