//! Tells people what became of our resources: writes their `status`, and only where it says something else than before.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter as EventReporter};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::FIELD_MANAGER;
use crate::crd::{GROUP, Kind, VERSION};
use crate::events::{CONTROLLER, NOTE};
use crate::reports::cut;
use crate::resources::{Place, Stored, api_resource};
use crate::status::{Condition, ExceptionStatus, PolicyStatus, Readiness, SetStatus};

/// Writes statuses, and events where one says that a resource is refused.
#[derive(Clone)]
pub struct Reporter {
    client: Client,
    events: Option<Recorder>,
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it is in force, and if not, why.
    pub readiness: Readiness,
    /// What is in force by it: the digest of a policy's module, or of the whole set. An exception has none.
    pub digest: Option<String>,
}

/// Whether a status was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was.
    Changed,
    /// It said so already, or the resource is gone.
    AsBefore,
}

/// A status that can't be written.
#[derive(Debug, thiserror::Error)]
#[error("the status of {place} can't be written")]
pub struct ReportError {
    /// Of which resource.
    pub place: Place,
    /// Why.
    pub source: Box<kube::Error>,
}

impl Reporter {
    /// One that writes through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, events: None }
    }

    /// The same with events, written in the name of this replica.
    #[must_use]
    pub fn with_events(self, instance: &str) -> Self {
        let reporter = EventReporter { controller: CONTROLLER.to_owned(), instance: Some(instance.to_owned()) };
        Self { events: Some(Recorder::new(self.client.clone(), reporter)), ..self }
    }

    /// Tells what became of a resource, as it was at its generation.
    ///
    /// # Errors
    /// If the API server does not take it.
    pub async fn report(&self, stored: &Stored, outcome: &Outcome, now: Timestamp) -> Result<Written, ReportError> {
        let status = status(stored, outcome, now);
        if status == stored.status {
            return Ok(Written::AsBefore);
        }
        let Place { kind, namespace, name } = &stored.place;
        let patch = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": kind.name(),
            "metadata": {"name": name, "namespace": namespace},
            "status": status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        match self.objects(&stored.place).patch_status(name, &parameters, &Patch::Apply(&patch)).await {
            Ok(_) => {
                if outcome.readiness.is_worth_an_event(&conditions(stored)) {
                    self.tell(stored, &outcome.readiness).await;
                }
                Ok(Written::Changed)
            }
            Err(kube::Error::Api(refusal)) if refusal.is_not_found() => Ok(Written::AsBefore),
            Err(error) => Err(ReportError { place: stored.place.clone(), source: Box::new(error) }),
        }
    }

    /// Tells by an event that a resource is refused. One that can't be written is no reason to fail: the status says
    /// it.
    async fn tell(&self, stored: &Stored, readiness: &Readiness) {
        let Some(events) = &self.events else { return };
        let event = Event {
            type_: EventType::Warning,
            reason: "Refused".to_owned(),
            note: Some(cut(&readiness.to_string(), NOTE)),
            action: "PutInForce".to_owned(),
            secondary: None,
        };
        let place = &stored.place;
        let about = ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(place.kind.name().to_owned()),
            namespace: place.namespace.clone(),
            name: Some(place.name.clone()),
            uid: stored.uid.clone(),
            ..ObjectReference::default()
        };
        if let Err(error) = events.publish(&event, &about).await {
            tracing::debug!(%place, error = crate::with_causes(&error), "no event tells of it");
        }
    }

    fn objects(&self, place: &Place) -> Api<DynamicObject> {
        let resource = api_resource(place.kind);
        match &place.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// What its status says now. What others wrote there, or an older version of us, is no reason to fail.
fn conditions(stored: &Stored) -> Vec<Condition> {
    stored.status.get("conditions").and_then(|list| serde_json::from_value(list.clone()).ok()).unwrap_or_default()
}

/// The status that says so.
fn status(stored: &Stored, outcome: &Outcome, now: Timestamp) -> Value {
    let observed_generation = stored.generation;
    let conditions = vec![outcome.readiness.condition(observed_generation, &conditions(stored), now)];
    let digest = outcome.digest.clone();
    match stored.place.kind {
        Kind::ClusterPolicy | Kind::Policy => {
            json!(PolicyStatus { observed_generation, module_digest: digest, conditions })
        }
        Kind::PolicySet => json!(SetStatus { observed_generation, digest, conditions }),
        Kind::PolicyException => json!(ExceptionStatus { observed_generation, conditions }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(status: Value) -> Stored {
        let place = Place { kind: Kind::ClusterPolicy, namespace: None, name: "a".to_owned() };
        Stored { place, uid: None, generation: Some(2), status }
    }

    fn in_force() -> Outcome {
        Outcome { readiness: Readiness::InForce, digest: Some("sha256:ab".to_owned()) }
    }

    #[test]
    fn a_status_says_what_is_in_force_and_since_when() {
        let now: Timestamp = "2030-01-01T12:00:00Z".parse().unwrap();
        let status = status(&stored(Value::Null), &in_force(), now);
        assert_eq!(status["moduleDigest"], "sha256:ab");
        assert_eq!(status["observedGeneration"], 2);
        assert_eq!(status["conditions"][0]["type"], "Ready");
        assert_eq!(status["conditions"][0]["lastTransitionTime"], "2030-01-01T12:00:00Z");
    }

    #[test]
    fn a_status_that_says_so_already_stays_as_it_is() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let first = status(&stored(Value::Null), &in_force(), at("2030-01-01T12:00:00Z"));
        assert_eq!(status(&stored(first.clone()), &in_force(), at("2030-01-02T12:00:00Z")), first);
    }

    #[test]
    fn a_status_that_is_none_is_written_anew() {
        let status = status(&stored(json!({"conditions": "none"})), &in_force(), Timestamp::UNIX_EPOCH);
        assert_eq!(status["conditions"][0]["status"], "True");
    }
}
