//! All that one evaluation may know: the request, the templates, the objects, the facts. What is not in a `Case` no
//! policy can see, which is what makes a policy a pure function.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::document::Document;
use crate::subject::Seat;
use crate::template::Template;

/// What is judged, once or for one round.
#[derive(Debug, Clone)]
pub struct Case {
    /// The call of the API server.
    pub request: Arc<Request>,
    /// The object; none on DELETE.
    pub object: Option<Arc<Document>>,
    /// The object before the request; none on CREATE and CONNECT.
    pub old_object: Option<Arc<Document>>,
    /// The pod template, if the object has one.
    pub subject: Option<Subject>,
    /// The template before the request.
    pub old_subject: Option<Subject>,
    /// What was gathered for this round.
    pub facts: Arc<Facts>,
}

/// The pod template and where it sits.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The views of it.
    pub template: Arc<Template>,
    /// Where it sits in the object; the root for a Pod.
    pub at: Seat,
}

/// The call, as the API server put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is being done.
    pub operation: Operation,
    /// Kind of the object.
    pub kind: GroupVersionKind,
    /// The resource that was asked for.
    pub resource: GroupVersionResource,
    /// Such as `ephemeralcontainers`.
    pub subresource: Option<String>,
    /// None for cluster-scoped objects.
    pub namespace: Option<String>,
    /// None where it is yet to be generated.
    pub name: Option<String>,
    /// As the API server authenticated the caller.
    pub user_name: String,
}

/// What the names of the control plane's own users begin with: its controllers, its scheduler, the kubelets.
pub const CONTROL_PLANE: [&str; 4] =
    ["system:serviceaccount:kube-system:", "system:node:", "system:kube-controller-manager", "system:kube-scheduler"];

/// Who asks where objects are judged that nobody sends: manifests, and what is in a cluster already.
pub const CHECK: &str = "portreeve:check";

impl Request {
    /// Whether the control plane itself sends it, and no person and no program of somebody's.
    #[must_use]
    pub fn is_by_control_plane(&self) -> bool {
        CONTROL_PLANE.iter().any(|user| self.user_name.starts_with(user))
    }

    /// The resource with its subresource, as rules name it: `pods/exec`.
    #[must_use]
    pub fn resource_path(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource.resource),
            None => self.resource.resource.clone(),
        }
    }
}

/// What is being done.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of one.
    Update,
    /// An end of one.
    Delete,
    /// exec, attach, port-forward, proxy.
    Connect,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        })
    }
}

/// A kind, fully named. The core group is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct GroupVersionKind {
    /// Such as `apps`.
    #[serde(default)]
    pub group: String,
    /// Such as `v1`.
    #[serde(default)]
    pub version: String,
    /// Such as `Deployment`.
    #[serde(default)]
    pub kind: String,
}

impl GroupVersionKind {
    /// As objects name their version: `apps/v1`, or `v1` of the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        let Self { group, version, .. } = self;
        if group.is_empty() { version.clone() } else { format!("{group}/{version}") }
    }
}

/// A resource, fully named. The core group is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct GroupVersionResource {
    /// Such as `apps`.
    #[serde(default)]
    pub group: String,
    /// Such as `v1`.
    #[serde(default)]
    pub version: String,
    /// Such as `deployments`.
    #[serde(default)]
    pub resource: String,
}

/// A kind of fact, as the contract lists them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FactKind {
    /// Labels and annotations of the request's namespace.
    Namespace,
    /// What an image's tag names now.
    ImageDigest,
    /// User and ports of an image.
    ImageConfig,
    /// Signatures of an image that hold.
    ImageSignatures,
    /// NetworkPolicies of the request's namespace.
    NetworkPolicies,
    /// PodDisruptionBudgets of the request's namespace.
    DisruptionBudgets,
    /// HorizontalPodAutoscalers of the request's namespace.
    Autoscalers,
    /// Services of the request's namespace.
    Services,
    /// Pods that run in the request's namespace.
    RunningPods,
    /// Zones of the cluster's nodes.
    Zones,
}

impl FactKind {
    /// Every kind that the host can gather.
    pub const ALL: [Self; 10] = [
        Self::Namespace,
        Self::ImageDigest,
        Self::ImageConfig,
        Self::ImageSignatures,
        Self::NetworkPolicies,
        Self::DisruptionBudgets,
        Self::Autoscalers,
        Self::Services,
        Self::RunningPods,
        Self::Zones,
    ];

    /// As the contract names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::ImageDigest => "image-digest",
            Self::ImageConfig => "image-config",
            Self::ImageSignatures => "image-signatures",
            Self::NetworkPolicies => "network-policies",
            Self::DisruptionBudgets => "disruption-budgets",
            Self::Autoscalers => "autoscalers",
            Self::Services => "services",
            Self::RunningPods => "running-pods",
            Self::Zones => "zones",
        }
    }

    /// Whether its keys are images.
    #[must_use]
    pub fn is_about_images(self) -> bool {
        matches!(self, Self::ImageDigest | Self::ImageConfig | Self::ImageSignatures)
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What was gathered: for each key the value as JSON text, or why it could not be had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    known: HashMap<FactKind, HashMap<String, Fact>>,
}

/// The value as JSON text, or why it could not be had.
pub type Fact = Result<Arc<str>, String>;

impl Facts {
    /// Puts down a fact, or why it could not be had.
    pub fn insert(&mut self, kind: FactKind, key: impl Into<String>, value: Fact) {
        self.known.entry(kind).or_default().insert(key.into(), value);
    }

    /// The fact, why it could not be had, or none if nobody looked for it.
    #[must_use]
    pub fn get(&self, kind: FactKind, key: &str) -> Option<&Fact> {
        self.known.get(&kind)?.get(key)
    }

    /// Every fact, in the order of kind and key.
    #[must_use]
    pub fn sorted(&self) -> Vec<(FactKind, &str, &Fact)> {
        let mut all: Vec<_> = self
            .known
            .iter()
            .flat_map(|(kind, keys)| keys.iter().map(|(key, value)| (*kind, key.as_str(), value)))
            .collect();
        all.sort_by_key(|(kind, key, _)| (*kind, *key));
        all
    }
}
