//! An event as `events.k8s.io/v1` has it, and the words in it. An API server takes notes of up to a kilobyte.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use serde_json::{Value, json};

use super::happening::{Happening, ObjectRef, Weight};
use crate::reports::cut;

/// Who reports it.
pub(crate) const CONTROLLER: &str = "portreeve.dev/portreeve";

/// What its name begins with. An object's own name may be none that an event can have.
const NAME: &str = "portreeve-";

/// What was done when it happened.
const ACTION: &str = "Admission";

/// Bytes of a note, and of the name of who reports it.
pub(crate) const NOTE: usize = 1024;
const INSTANCE: usize = 128;

/// Where events about objects without a namespace are.
const WITHOUT_NAMESPACE: &str = "default";

/// The first event of a series.
pub(super) fn event(happening: &Happening, regarding: &ObjectRef, instance: &str, now: Timestamp) -> Event {
    let object = &happening.involved.object;
    let related = (object != regarding && !object.name.is_empty()).then(|| reference(object));
    Event {
        metadata: ObjectMeta {
            generate_name: Some(NAME.to_owned()),
            namespace: Some(regarding.namespace.clone().unwrap_or_else(|| WITHOUT_NAMESPACE.to_owned())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        regarding: Some(reference(regarding)),
        related,
        type_: Some("Warning".to_owned()),
        reason: Some(reason(happening.weight).to_owned()),
        action: Some(ACTION.to_owned()),
        note: Some(note(happening)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(instance, INSTANCE)),
        ..Event::default()
    }
}

/// How often it happened by now, as a merge patch. Nothing else of an event may change.
pub(super) fn series(count: i32, last: Timestamp) -> Value {
    json!({"series": {"count": count, "lastObservedTime": MicroTime(last)}})
}

fn reason(weight: Weight) -> &'static str {
    match weight {
        Weight::Denied => "PolicyDenied",
        Weight::Warned => "PolicyWarned",
    }
}

/// `Pod web-1 was denied by drop-capabilities (drop-all), container app: capabilities are kept: drop ALL`.
fn note(happening: &Happening) -> String {
    let Happening { involved, weight, policy, rule, container, message } = happening;
    let became = match weight {
        Weight::Denied => "denied",
        Weight::Warned => "warned of",
    };
    let name = Some(involved.object.name.as_str()).filter(|name| !name.is_empty()).map(|name| format!(" {name}"));
    let rule = rule.as_ref().map(|rule| format!(" ({rule})"));
    let container = container.as_ref().map(|container| format!(", container {container}"));
    let [name, rule, container] = [name, rule, container].map(Option::unwrap_or_default);
    cut(&format!("{}{name} was {became} by {policy}{rule}{container}: {message}", involved.object.kind), NOTE)
}

fn reference(place: &ObjectRef) -> ObjectReference {
    let ObjectRef { api_version, kind, namespace, name, uid } = place.clone();
    ObjectReference {
        api_version: Some(api_version),
        kind: Some(kind),
        namespace,
        name: Some(name),
        uid,
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::happening::tests::{denied, place};
    use super::*;

    #[test]
    fn a_note_says_what_was_denied_by_what() {
        let note = note(&denied(place("Pod", "web-1"), "drop-all"));
        let expected =
            "Pod web-1 was denied by drop-capabilities (drop-all), container app: capabilities are kept: drop ALL";
        assert_eq!(note, expected);
    }

    #[test]
    fn a_note_is_no_longer_than_an_api_server_takes() {
        let long = Happening { message: "ü".repeat(4000), ..denied(place("Pod", "web-1"), "drop-all") };
        assert!(note(&long).len() <= 1024);
    }

    #[test]
    fn an_object_without_a_namespace_has_its_events_in_the_default_one() {
        let cluster_wide = ObjectRef { namespace: None, ..place("ClusterRole", "admin") };
        let event = event(&denied(cluster_wide.clone(), "a"), &cluster_wide, "one", Timestamp::UNIX_EPOCH);
        assert_eq!(event.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(event.related, None);
    }
}
