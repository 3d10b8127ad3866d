//! Objects through the typed API: what is written has to be there again after decoding and encoding, so that no field
//! is misspelt, misplaced or of the wrong type.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, PodTemplate, ReplicationController};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Decodes an object.
///
/// # Errors
/// What is lost, or why it can't be decoded.
pub(crate) fn decoded(object: &Value) -> Result<(), String> {
    let decode = match object["kind"].as_str().unwrap_or_default() {
        "Pod" => through::<Pod>,
        "PodTemplate" => through::<PodTemplate>,
        "ReplicationController" => through::<ReplicationController>,
        "Deployment" => through::<Deployment>,
        "StatefulSet" => through::<StatefulSet>,
        "DaemonSet" => through::<DaemonSet>,
        "ReplicaSet" => through::<ReplicaSet>,
        "Job" if object["apiVersion"] == "batch/v1" => through::<Job>,
        "CronJob" => through::<CronJob>,
        _ => return Err("no kind of the typed API".to_owned()),
    };
    let object = with_texts_for_quantities(object.clone());
    let again = decode(object.clone())?;
    lost(&object, &again, String::new()).map_or(Ok(()), Err)
}

fn through<T: DeserializeOwned + Serialize>(object: Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(object).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

/// The first place of what was written that is not there again. Encoding adds what the API requires.
fn lost(written: &Value, again: &Value, at: String) -> Option<String> {
    match (written, again) {
        (Value::Null, _) => None,
        (Value::Object(written), Value::Object(again)) => written
            .iter()
            .find_map(|(name, value)| lost(value, again.get(name).unwrap_or(&Value::Null), format!("{at}/{name}"))),
        (Value::Array(written), Value::Array(again)) if written.len() == again.len() => {
            let mut pairs = written.iter().zip(again).enumerate();
            pairs.find_map(|(index, (written, again))| lost(written, again, format!("{at}/{index}")))
        }
        // An empty map or list may be left out.
        (Value::Object(written), Value::Null) if written.is_empty() => None,
        (Value::Array(written), Value::Null) if written.is_empty() => None,
        _ if written == again => None,
        _ => Some(format!("{at} is {written} as written and {again} when decoded")),
    }
}

/// The API server takes a number for a quantity; the typed API, which clients use, writes texts.
fn with_texts_for_quantities(mut object: Value) -> Value {
    match &mut object {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                *value = match (name.as_str(), value.take()) {
                    ("limits" | "requests", Value::Object(amounts)) => amounts
                        .into_iter()
                        .map(|(name, amount)| {
                            (name, if amount.is_number() { amount.to_string().into() } else { amount })
                        })
                        .collect(),
                    (_, other) => with_texts_for_quantities(other),
                };
            }
        }
        Value::Array(elements) => {
            for element in elements {
                *element = with_texts_for_quantities(element.take());
            }
        }
        _ => {}
    }
    object
}
