//! What others put beside our entries in a configuration: found in what was written, and how it is taken away.

use std::collections::BTreeSet;

use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value, json};

/// What takes away entries and conditions that others put beside ours, which an apply leaves to them; none where there
/// are none. It holds for what was just written alone.
pub(super) fn ours_alone<K: Resource + Serialize>(written: &K, wanted: &K) -> Option<Value> {
    let ours = entries(wanted);
    let others = names(&entries(written)) != names(&ours);
    others.then(|| json!({"metadata": {"resourceVersion": written.resource_version()}, "webhooks": ours}))
}

fn entries(configuration: &impl Serialize) -> Vec<Value> {
    let written = serde_json::to_value(configuration).unwrap_or_default();
    written.get("webhooks").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The name of each entry, with those of its conditions.
fn names(entries: &[Value]) -> BTreeSet<(&str, BTreeSet<&str>)> {
    entries.iter().map(|entry| (name(entry), conditions(entry).map(name).collect())).collect()
}

fn conditions(entry: &Value) -> impl Iterator<Item = &Value> {
    entry.get("matchConditions").and_then(Value::as_array).into_iter().flatten()
}

fn name(named: &Value) -> &str {
    named.get("name").and_then(Value::as_str).unwrap_or_default()
}
