//! Objects that stand beside the one that is judged, as far as a source lists them: NetworkPolicies, budgets,
//! autoscalers, Services and Pods by namespace, and Nodes. What a policy may know of them is answered here, in the
//! words of the contract.
//!
//! What a source does not list is missing, with the reason; it is never an empty list. Nobody is asked for anything
//! here.

mod listed;
mod pod;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use portreeve_admission::case::Fact;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use listed::Listed;

use crate::manifest::Manifest;

/// Label of nodes that says their zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";
/// What `kubectl apply` leaves behind: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The objects of a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objects {
    reach: Reach,
    listed: BTreeMap<Listed, BTreeMap<String, Listing>>,
}

/// How much the objects of a source say of those that are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Of a kind of which there is one, all are there. Of the other kinds nothing is known.
    #[default]
    KindsListed,
    /// There are no others in any namespace. Of Nodes, which are seldom among manifests, nothing is known unless there
    /// is one.
    Everything,
    /// As [`Reach::KindsListed`], for a cluster that is watched.
    Watched,
}

/// Objects of one kind in one namespace, by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Listing {
    objects: BTreeMap<String, Shown>,
    /// As JSON, from the first question on.
    #[serde(skip)]
    text: OnceLock<Arc<str>>,
}

/// An object as a fact shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shown {
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    controller: Option<String>,
    spec: Value,
}

impl Objects {
    /// The same objects, saying as much of others.
    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// Adds an object if facts are made of its kind, in place of one of the same name. `namespace` is that of objects
    /// that name none, if it is not `default`.
    ///
    /// # Errors
    /// Where its metadata has not the shape that the API server asks for.
    pub fn add(&mut self, manifest: &Manifest, namespace: Option<&str>) -> Result<(), String> {
        let Some(kind) = Listed::of(manifest) else { return Ok(()) };
        let namespace = manifest.namespace().or(namespace).unwrap_or(DEFAULT_NAMESPACE);
        self.put(kind, namespace, manifest.value())
    }

    /// Puts an object of this kind and namespace among them, in place of one of the same name.
    ///
    /// # Errors
    /// As [`Objects::add`].
    pub fn put(&mut self, kind: Listed, namespace: &str, object: &Value) -> Result<(), String> {
        let shown = Shown::read(kind, object)?;
        let listing = self.listed.entry(kind).or_default().entry(kind.listed_in(namespace).to_owned()).or_default();
        listing.objects.insert(shown.name.clone(), shown);
        listing.text = OnceLock::new();
        Ok(())
    }

    /// Takes the object of this name away.
    pub fn remove(&mut self, kind: Listed, namespace: &str, name: &str) {
        let listing = self.listed.get_mut(&kind).and_then(|listed| listed.get_mut(kind.listed_in(namespace)));
        if let Some(listing) = listing {
            listing.objects.remove(name);
            listing.text = OnceLock::new();
        }
    }

    /// Takes the objects of this kind from the others, and for all that there are of it.
    pub fn take_kind(&mut self, kind: Listed, mut others: Self) {
        self.listed.insert(kind, others.listed.remove(&kind).unwrap_or_default());
    }

    /// Lets go of all objects of this kind: nothing is known of it any more.
    pub fn forget_kind(&mut self, kind: Listed) {
        self.listed.remove(&kind);
    }

    /// Whether all objects of this kind are known.
    #[must_use]
    pub fn lists(&self, kind: Listed) -> bool {
        self.listed.contains_key(&kind)
    }

    /// What is known of the objects of this kind in a namespace, as JSON; of Nodes, which are in none, their zones.
    ///
    /// # Errors
    /// Why nothing is known, and what to do for it.
    pub fn fact(&self, kind: Listed, namespace: &str) -> Fact {
        match (self.listed.get(&kind), self.reach) {
            (Some(listed), _) if kind == Listed::Node => Ok(zones(listed.values())),
            (Some(listed), _) => Ok(listed.get(namespace).map_or_else(|| "[]".into(), Listing::text)),
            (None, Reach::Everything) if kind != Listed::Node => Ok("[]".into()),
            (None, reach) => Err(reach.unlisted(kind)),
        }
    }
}

impl Reach {
    /// Why nothing is known of a kind, and what to do for it.
    fn unlisted(self, kind: Listed) -> String {
        let (name, source) = (kind.name(), self.source());
        match kind {
            _ if self == Self::Watched => {
                format!("which objects of kind {name} there are is not known yet: the API server did not tell so far")
            }
            Listed::Node => format!(
                "no Node is among {source}: add the Nodes with their label {ZONE}, or name the zones in the policy's \
                 settings"
            ),
            _ => format!(
                "no {name} is among {source}, and no cluster is asked: add all of them, or do not grant the policy the \
                 fact {}",
                kind.fact().name()
            ),
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::KindsListed => "the policy files",
            Self::Everything => "the manifests",
            Self::Watched => "the cluster",
        }
    }
}

impl Listing {
    fn text(&self) -> Arc<str> {
        let text = || json!(self.objects.values().collect::<Vec<_>>()).to_string().into();
        Arc::clone(self.text.get_or_init(text))
    }
}

/// The zones of all nodes, each once; those of nodes without the label are none.
fn zones<'a>(nodes: impl Iterator<Item = &'a Listing>) -> Arc<str> {
    let nodes = nodes.flat_map(|listing| listing.objects.values());
    let zones: BTreeSet<&String> = nodes.filter_map(|node| node.labels.get(ZONE)).collect();
    json!(zones).to_string().into()
}

#[derive(Deserialize)]
struct Raw {
    metadata: RawMetadata,
    spec: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMetadata {
    name: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<RawOwner>>,
}

#[derive(Deserialize)]
struct RawOwner {
    uid: String,
    controller: Option<bool>,
}

impl Shown {
    fn read(kind: Listed, object: &Value) -> Result<Self, String> {
        let raw: Raw =
            serde_path_to_error::deserialize(object).map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
        let mut annotations = raw.metadata.annotations.unwrap_or_default();
        annotations.remove(LAST_APPLIED);
        let mut spec = raw.spec.unwrap_or_default();
        if kind == Listed::Pod {
            pod::keep_profiles(&mut annotations);
            spec = pod::spec(spec);
        }
        let mut owners = raw.metadata.owner_references.unwrap_or_default().into_iter();
        Ok(Self {
            name: raw.metadata.name,
            labels: raw.metadata.labels.unwrap_or_default(),
            annotations,
            controller: owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid),
            spec,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read_stream;

    fn objects(yaml: &str) -> Objects {
        let mut objects = Objects::default();
        for manifest in read_stream("test.yaml", yaml).unwrap() {
            objects.add(&manifest, None).unwrap();
        }
        objects
    }

    fn fact(objects: &Objects, kind: Listed, namespace: &str) -> Value {
        serde_json::from_str(&objects.fact(kind, namespace).unwrap()).unwrap()
    }

    const SERVICES: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, labels: {a: b}}\n\
        spec: {selector: {app: web}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: loose}\n";

    #[test]
    fn an_object_is_shown_as_the_contract_says() {
        let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\n  annotations: {a: b, \
                       kubectl.kubernetes.io/last-applied-configuration: '{}'}\n  ownerReferences: [{uid: u0}, {uid: u1, \
                       controller: true}]\nspec: {type: NodePort}\n";
        let shown = json!([{
            "name": "web", "labels": {}, "annotations": {"a": "b"}, "controller": "u1", "spec": {"type": "NodePort"},
        }]);
        assert_eq!(fact(&objects(service), Listed::Service, "shop"), shown);
    }

    #[test]
    fn a_namespace_is_told_of_its_own_objects_alone() {
        let objects = objects(SERVICES);
        let names = |namespace| fact(&objects, Listed::Service, namespace).pointer("/0/name").cloned();
        assert_eq!((names("shop"), names("default"), names("other")), (Some("web".into()), Some("loose".into()), None));
    }

    #[test]
    fn a_kind_that_nobody_lists_is_missing_and_not_empty() {
        let reason = objects(SERVICES).fact(Listed::NetworkPolicy, "shop").unwrap_err();
        assert!(reason.contains("no NetworkPolicy is among the policy files"), "{reason}");
        assert!(reason.contains("network-policies"), "{reason}");
    }

    #[test]
    fn where_the_manifests_are_all_there_is_a_kind_without_one_is_empty() {
        let world = objects(SERVICES).reaching(Reach::Everything);
        assert_eq!(fact(&world, Listed::NetworkPolicy, "shop"), json!([]));
    }

    #[test]
    fn without_a_node_nobody_knows_the_zones() {
        for reach in [Reach::KindsListed, Reach::Everything] {
            let reason = objects(SERVICES).reaching(reach).fact(Listed::Node, "shop").unwrap_err();
            assert!(reason.contains("no Node") && reason.contains(ZONE), "{reason}");
        }
    }

    #[test]
    fn zones_are_those_of_all_nodes_each_once() {
        let node = |name: &str, labels: &str| {
            format!("apiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {labels}}}\n---\n")
        };
        let zone = |name: &str| format!("{{{ZONE}: {name}}}");
        let nodes = [node("a", &zone("two")), node("b", &zone("one")), node("c", &zone("two")), node("d", "{}")];
        assert_eq!(fact(&objects(&nodes.concat()), Listed::Node, "shop"), json!(["one", "two"]));
    }

    #[test]
    fn one_that_comes_after_the_question_is_told_too() {
        let mut objects = objects(SERVICES);
        fact(&objects, Listed::Service, "shop");
        let more = "apiVersion: v1\nkind: Service\nmetadata: {name: late, namespace: shop}\n";
        objects.add(&read_stream("more.yaml", more).unwrap()[0], None).unwrap();
        assert_eq!(fact(&objects, Listed::Service, "shop").as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_the_api_server_would_refuse_is_refused_with_its_place() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {on: true}}\n";
        let error = Objects::default().add(&read_stream("a.yaml", service).unwrap()[0], None).unwrap_err();
        assert!(error.contains("metadata.labels"), "{error}");
    }

    #[test]
    fn what_is_kept_answers_as_before() {
        let kept = serde_json::to_string(&objects(SERVICES)).unwrap();
        let again: Objects = serde_json::from_str(&kept).unwrap();
        assert_eq!(fact(&again, Listed::Service, "shop"), fact(&objects(SERVICES), Listed::Service, "shop"));
    }
}
