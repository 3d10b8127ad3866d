//! The words of `expected.yaml` for what admission puts in, held against an object as the API server has it. The README
//! beside the platforms says how each word is to be read.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test may fail by panic"
)]

use serde_json::{Value, json};

/// The words that are not true of this workload.
pub fn lacking<'w>(words: impl IntoIterator<Item = &'w String>, object: &Value) -> Vec<&'w str> {
    let spec = spec(object);
    words.into_iter().map(String::as_str).filter(|word| !is_true(word, spec)).collect()
}

/// The spec of the pods of this workload.
#[must_use]
pub fn spec(object: &Value) -> &Value {
    object.pointer(pointer_to_spec(object)).unwrap_or(&Value::Null)
}

/// Where that stands.
#[must_use]
pub fn pointer_to_spec(object: &Value) -> &'static str {
    match object["kind"].as_str().unwrap_or_default() {
        "Pod" => "/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    }
}

/// All containers, of all kinds.
pub fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array()).flatten()
}

fn is_true(word: &str, spec: &Value) -> bool {
    let (what, value) = word.split_once(' ').unwrap_or((word, ""));
    match (what, value) {
        ("digest", _) => containers(spec).all(|one| text(&one["image"]).contains("@sha256:")),
        ("runAsNonRoot", _) => secured(spec, "/runAsNonRoot", &json!(true)),
        ("runAsUser", user) => secured(spec, "/runAsUser", &number(user)),
        ("runAsGroup", group) => secured(spec, "/runAsGroup", &number(group)),
        ("fsGroup", group) => secured(spec, "/fsGroup", &number(group)),
        ("allowPrivilegeEscalation", _) => secured(spec, "/allowPrivilegeEscalation", &json!(false)),
        ("drop", "ALL") => secured(spec, "/capabilities/drop", &json!(["ALL"])),
        ("seccompProfile", kind) => secured(spec, "/seccompProfile/type", &json!(kind)),
        ("readOnlyRootFilesystem", _) => secured(spec, "/readOnlyRootFilesystem", &json!(true)),
        ("tmp", "emptyDir") => mounts_empty_dir(spec, "/tmp"),
        ("emptyDir", path) => mounts_empty_dir(spec, path),
        ("sysctl", pair) => {
            let (name, value) = pair.split_once('=').unwrap_or_default();
            items(&spec["securityContext"]["sysctls"]).any(|one| *one == json!({"name": name, "value": value}))
        }
        ("requests", _) => containers(spec).all(|one| {
            let requests = &one["resources"]["requests"];
            requests["cpu"].is_string() && requests["memory"].is_string()
        }),
        ("no", "API token") => spec["automountServiceAccountToken"] == false,
        ("GPU", "toleration") => items(&spec["tolerations"]).any(|one| one["key"] == "nvidia.com/gpu"),
        ("GPU", "node selector") => spec["nodeSelector"].as_object().is_some_and(|selector| !selector.is_empty()),
        _ => panic!("expected.yaml says {word:?}, which is not in its README"),
    }
}

/// Whether the security context of the pod or of a container has this.
fn secured(spec: &Value, at: &str, value: &Value) -> bool {
    let mut holders = std::iter::once(spec).chain(containers(spec));
    holders.any(|holder| holder["securityContext"].pointer(at) == Some(value))
}

fn mounts_empty_dir(spec: &Value, path: &str) -> bool {
    let empty = |name: &Value| items(&spec["volumes"]).any(|one| one["name"] == *name && one["emptyDir"].is_object());
    let mut mounts = containers(spec).flat_map(|container| items(&container["volumeMounts"]));
    mounts.any(|mount| mount["mountPath"] == path && empty(&mount["name"]))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn number(text: &str) -> Value {
    json!(text.parse::<i64>().unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
