//! The pod of an Argo Workflow's template, put together as the workflow controller does it: containers of the template,
//! and of the pod's own fields those of the template, else those of the workflow. Source:
//! `workflow/controller/workflowpod.go` of argo-workflows.
//!
//! Not here, and judged when the Pod comes: `templateDefaults`, `podSpecPatch`, templates of another object by
//! reference, the executor's own containers, and what is filled in for `{{…}}`.

use serde_json::{Map, Value, json};

use super::seat::Pieces;
use crate::pointer::Pointer;

/// What the controller names the container of a template.
const MAIN: &str = "main";

/// Fields of a pod that a template has, with the workflow's field that counts where it has none.
const INHERITED: [(&str, &str); 6] = [
    ("securityContext", "securityContext"),
    ("serviceAccountName", "serviceAccountName"),
    ("automountServiceAccountToken", "automountServiceAccountToken"),
    ("nodeSelector", "nodeSelector"),
    ("tolerations", "tolerations"),
    ("priorityClassName", "podPriorityClassName"),
];

/// Fields of a pod that only the workflow has.
const OF_THE_WORKFLOW: [&str; 2] = ["hostNetwork", "imagePullSecrets"];

/// The pod of the template at this place; none for one that runs none of its own, such as a DAG.
pub(super) fn pieces(object: &Value, at: &Pointer) -> Option<Pieces> {
    let source = Source { template: at.find(object)?, at, workflow: spec_above(object, at) };
    let containers = [source.one("container"), source.one("script")].into_iter().flatten();
    let containers: Vec<_> = containers.chain(source.list(&["containerSet", "containers"])).collect();
    if containers.is_empty() {
        return None;
    }
    let containers: Vec<_> = containers.into_iter().chain(source.list(&["sidecars"])).collect();
    Some(source.pod(containers, source.list(&["initContainers"])))
}

/// Where a workflow's spec is, and what it says.
type Spec<'a> = (Pointer, &'a Value);

/// A template with the workflow that it stands in.
struct Source<'a> {
    template: &'a Value,
    at: &'a Pointer,
    workflow: Option<Spec<'a>>,
}

/// A container and where it stands.
type Placed = (Pointer, Value);

impl Source<'_> {
    fn one(&self, field: &str) -> Option<Placed> {
        let mut container = self.template.get(field)?.as_object()?.clone();
        container.insert("name".to_owned(), json!(MAIN));
        Some((self.at.child(field), readable(container)))
    }

    fn list(&self, path: &[&str]) -> Vec<Placed> {
        let at = path.iter().fold(Pointer::root(), |at, token| at.child(token));
        let items = at.find(self.template).and_then(Value::as_array).into_iter().flatten().enumerate();
        let containers = items.filter_map(|(index, item)| Some((index, item.as_object()?.clone())));
        containers.map(|(index, item)| (self.at.join(&at).child(index), readable(item))).collect()
    }

    fn pod(&self, containers: Vec<Placed>, init: Vec<Placed>) -> Pieces {
        let volumes = self.volumes(containers.iter().chain(&init));
        let mut pieces = Pieces::new(self.metadata(), json!({}))
            .grafted(&["metadata"], self.at.child("metadata"))
            .grafted(&["spec", "volumes"], self.at.child("volumes"))
            .with_list("containers", containers)
            .with_list("initContainers", init)
            .with_list("volumes", volumes);
        for (field, above) in INHERITED {
            let (place, value) = self.inherited(field, above);
            pieces = pieces.with_field(field, place, value);
        }
        for field in OF_THE_WORKFLOW {
            if let Some((at, workflow)) = &self.workflow {
                pieces = pieces.with_field(field, at.child(field), workflow.get(field).cloned());
            }
        }
        pieces
    }

    /// The field that counts, and what it says.
    fn inherited(&self, field: &str, above: &str) -> (Pointer, Option<Value>) {
        let own = (self.at.child(field), self.template.get(field).filter(|value| !value.is_null()).cloned());
        let of_workflow = self.workflow.as_ref().and_then(|(at, workflow)| {
            let value = workflow.get(above).filter(|value| !value.is_null())?;
            Some((at.child(above), Some(value.clone())))
        });
        if own.1.is_some() { own } else { of_workflow.unwrap_or(own) }
    }

    /// Labels and annotations that the workflow gives to all of its pods, under those of the template.
    fn metadata(&self) -> Value {
        let above = self.workflow.as_ref().and_then(|(_, workflow)| workflow.get("podMetadata"));
        let texts = |field: &str| {
            let of = |holder: Option<&Value>| holder.and_then(|holder| holder.get(field)?.as_object().cloned());
            let mut texts = of(above).unwrap_or_default();
            texts.extend(of(self.template.get("metadata")).unwrap_or_default());
            Value::Object(texts)
        };
        json!({"labels": texts("labels"), "annotations": texts("annotations")})
    }

    /// The template's volumes, and of the workflow's those that its containers mount.
    fn volumes<'a>(&self, containers: impl Iterator<Item = &'a Placed>) -> Vec<Placed> {
        let mounted: Vec<&str> = containers
            .flat_map(|(_, container)| container.get("volumeMounts").and_then(Value::as_array).into_iter().flatten())
            .filter_map(|mount| mount.get("name")?.as_str())
            .collect();
        let of_workflow = self.workflow.as_ref().map(|(at, workflow)| workflow_volumes(at, workflow, &mounted));
        let list = self.template.get("volumes").and_then(Value::as_array).into_iter().flatten().enumerate();
        let own = list.map(|(index, volume)| (self.at.child("volumes").child(index), volume.clone()));
        own.chain(of_workflow.unwrap_or_default()).collect()
    }
}

/// Volumes and claims of a workflow, by the names that are mounted.
fn workflow_volumes(at: &Pointer, workflow: &Value, mounted: &[&str]) -> Vec<Placed> {
    let list = |field: &'static str| {
        let items = workflow.get(field).and_then(Value::as_array).into_iter().flatten().enumerate();
        items.map(move |(index, item)| (at.child(field).child(index), item))
    };
    let is_mounted = |name: Option<&Value>| name.and_then(Value::as_str).is_some_and(|name| mounted.contains(&name));
    let volumes = list("volumes").filter(|(_, volume)| is_mounted(volume.get("name")));
    let claims = list("volumeClaimTemplates").filter_map(|(place, claim)| {
        let name = claim.get("metadata")?.get("name").filter(|name| is_mounted(Some(name)))?;
        Some((place, json!({"name": name, "persistentVolumeClaim": {"claimName": name}})))
    });
    volumes.map(|(place, volume)| (place, volume.clone())).chain(claims).collect()
}

/// The spec that the templates of this one's list belong to.
fn spec_above<'a>(object: &'a Value, at: &Pointer) -> Option<Spec<'a>> {
    let above = at.tokens().iter().take_while(|token| *token != "templates");
    let above = above.fold(Pointer::root(), |pointer, token| pointer.child(token));
    let spec = above.find(object)?;
    Some((above, spec))
}

/// An image that is filled in later is not known yet, which is what an empty one means.
fn readable(mut container: Map<String, Value>) -> Value {
    if container.get("image").and_then(Value::as_str).is_some_and(|image| image.contains("{{")) {
        container.remove("image");
    }
    container.into()
}
