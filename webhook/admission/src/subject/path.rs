//! A way from an object to its templates: a JSON pointer in which `*` stands for every element of a list or every value
//! of a map, and what is found at its end. Which kinds have which paths is told in `ready` and by the administrator.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::inference;
use super::seat::{Pieces, Seat};
use super::workflow;
use crate::document::Document;
use crate::pointer::{Pointer, PointerError, list_index};
use crate::shape;

/// Where a kind keeps pod templates, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePath {
    pointer: Pointer,
    holds: Holds,
}

/// What stands at the end of a template path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holds {
    /// A pod template: an object with `metadata` and `spec`.
    #[default]
    PodTemplate,
    /// The spec of a pod, bare. Its pods' labels and annotations are nowhere to be read or edited.
    PodSpec,
    /// A template of an Argo Workflow: containers of several names, the rest of the pod there or in the workflow's
    /// spec.
    WorkflowTemplate,
    /// A component of a KServe InferenceService: a pod's spec, its labels and annotations beside it, and a container
    /// that the serving runtime completes.
    InferenceComponent,
}

/// A place that a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) at: Pointer,
    /// The way there with elements of lists by their names, which stays the same when a list is put in another order.
    pub(super) way: Vec<String>,
}

impl TemplatePath {
    /// A path to what is held in this form.
    ///
    /// # Errors
    /// If it is no JSON pointer.
    pub fn new(pointer: &str, holds: Holds) -> Result<Self, PointerError> {
        Ok(Self { pointer: pointer.parse()?, holds })
    }

    /// The path.
    pub(super) fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    /// A path without `*`, to a template that stands as a whole: its text can be cut out of the object's.
    pub(super) fn plain(&self) -> Option<&Pointer> {
        (self.holds == Holds::PodTemplate && !self.branches()).then_some(&self.pointer)
    }

    /// Whether it leads to more than one place.
    pub(super) fn branches(&self) -> bool {
        self.pointer.tokens().iter().any(|token| token == "*")
    }

    /// The places in this object where something stands, in their order.
    pub(super) fn stops(&self, object: &Value) -> Vec<Stop> {
        let mut stops = vec![Stop { at: Pointer::root(), way: Vec::new() }];
        for token in self.pointer.tokens() {
            stops = stops.iter().flat_map(|stop| stop.onwards(token, object)).collect();
        }
        stops.retain(|stop| stop.at.find(object).is_some_and(|value| !value.is_null()));
        stops
    }

    /// The first place on the way where something stands that leads nowhere, such as a text where an object should be,
    /// and why it does.
    pub(super) fn obstacle(&self, object: &Value) -> Option<(Pointer, String)> {
        let mut stops = vec![Stop { at: Pointer::root(), way: Vec::new() }];
        for token in self.pointer.tokens() {
            let blocked = |stop: &Stop| Some((stop.at.clone(), leads_nowhere(stop.at.find(object)?, token)?));
            if let Some(obstacle) = stops.iter().find_map(blocked) {
                return Some(obstacle);
            }
            stops = stops.iter().flat_map(|stop| stop.onwards(token, object)).collect();
        }
        None
    }

    /// The seat of the template at a stop; none if what stands there makes no pods.
    pub(super) fn seat(&self, object: &Value, at: Pointer) -> Option<Seat> {
        let pieces = match self.holds {
            Holds::PodTemplate => return Some(at.into()),
            Holds::PodSpec => Some(Pieces::new(Value::Null, at.find(object)?.clone()).grafted(&["spec"], at.clone())),
            Holds::WorkflowTemplate => workflow::pieces(object, &at),
            Holds::InferenceComponent => inference::pieces(object, &at),
        };
        pieces.map(|pieces| Seat::of_pieces(at, pieces))
    }
}

impl Stop {
    fn onwards(&self, token: &str, object: &Value) -> Vec<Self> {
        let step = |token: &str, name: String| Self {
            at: self.at.child(token),
            way: self.way.iter().cloned().chain([name]).collect(),
        };
        match (token, self.at.find(object)) {
            ("*", Some(Value::Array(items))) => {
                let named = items.iter().enumerate();
                named.map(|(index, item)| step(&index.to_string(), format!("[{}]", name_of(item, index)))).collect()
            }
            ("*", Some(Value::Object(fields))) => fields.keys().map(|field| step(field, field.clone())).collect(),
            ("*", _) => Vec::new(),
            _ => vec![step(token, token.to_owned())],
        }
    }
}

/// Why no step leads on from a value, if none does. Null is as good as nothing.
fn leads_nowhere(value: &Value, step: &str) -> Option<String> {
    let is_way = value.is_null() || value.is_array() && (step == "*" || list_index(step).is_some());
    if is_way { None } else { shape::no_object(value) }
}

/// A way as people tell it from others: `replicatedJobs[workers]`, `pytorchReplicaSpecs.Worker`. What every way has is
/// left out.
pub(super) fn telling(way: &[String]) -> String {
    let told = way.iter().filter(|step| !matches!(step.as_str(), "spec" | "template"));
    told.fold(String::new(), |name, step| {
        let joint = if name.is_empty() || step.starts_with('[') { "" } else { "." };
        name + joint + step
    })
}

/// By the fields that such lists are keyed by, else by its number.
fn name_of(item: &Value, index: usize) -> String {
    let named = ["name", "groupName"].iter().find_map(|field| item.get(field)?.as_str());
    named.map_or_else(|| index.to_string(), str::to_owned)
}

impl FromStr for TemplatePath {
    type Err = PointerError;

    /// A path to pod templates.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text, Holds::PodTemplate)
    }
}

impl fmt::Display for TemplatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pointer.fmt(f)
    }
}

/// The part of a template that counts when two are compared. Of a Pod, whose template is itself, that is its spec: its
/// metadata starts nothing.
pub(super) fn counted(at: &Pointer) -> Pointer {
    if *at == Pointer::root() { Pointer::root().child("spec") } else { Pointer::root() }
}

/// What counts of the template that sits here.
pub(super) fn compared<'a>(seat: &'a Seat, object: &'a Document) -> Option<&'a Value> {
    seat.read(object, &counted(seat.pointer()))
}
