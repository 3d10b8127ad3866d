//! The pod of a KServe InferenceService's component: the component is a pod's spec, with the pod's labels and
//! annotations beside its fields, and with a container that a serving runtime completes (`model`, or one named after a
//! framework). Source: `pkg/apis/serving/v1beta1` of kserve.
//!
//! Not here, and judged when the Pod comes: what the runtime adds, its image above all.

use serde_json::{Value, json};

use super::seat::Pieces;
use crate::pointer::Pointer;

/// What the controller names the container that serves the model.
const SERVING: &str = "kserve-container";

/// Fields that are a container, without a name as a rule.
const FRAMEWORKS: [&str; 12] = [
    "model",
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
    "art",
];

/// The pod of the component at this place; none without a container.
pub(super) fn pieces(object: &Value, at: &Pointer) -> Option<Pieces> {
    let component = at.find(object)?.as_object()?;
    let served = FRAMEWORKS.iter().filter_map(|field| {
        let mut container = component.get(*field)?.as_object()?.clone();
        container.entry("name").or_insert_with(|| json!(SERVING));
        Some((at.child(field), Value::Object(container)))
    });
    let own = component.get("containers").and_then(Value::as_array).into_iter().flatten().enumerate();
    let own = own.map(|(index, container)| (at.child("containers").child(index), container.clone()));
    let containers: Vec<(Pointer, Value)> = served.chain(own).collect();
    if containers.is_empty() {
        return None;
    }
    let metadata = json!({"labels": component.get("labels"), "annotations": component.get("annotations")});
    let pieces = Pieces::new(metadata, Value::Object(component.clone()));
    let pieces = pieces.grafted(&["metadata"], at.clone()).grafted(&["spec"], at.clone());
    Some(pieces.with_list("containers", containers))
}
