//! The resources of `portreeve.dev/v1alpha1`, as they stand in a file and in a cluster alike. Shapes only: they become
//! validated types in `policy`, `matching` and `exception`.

mod exception;
mod exceptions;
mod matching;
mod metadata;
mod mode;
mod names;
mod namespaced;
mod policy;
mod selector;
mod set;

pub use exception::{Covered, OptOut, PolicyExceptionSpec};
pub use exceptions::{BadPattern, ExceptionRules, NotAllowed};
pub use matching::{Match, MatchCondition, Resources};
pub use metadata::{MetadataError, Naming};
pub use mode::Mode;
pub use namespaced::{BuiltinModule, NamespacedMatch, PolicySpec};
pub use policy::{ClusterPolicySpec, FailurePolicy, ModuleSource, Stage};
pub use selector::{Expression, LabelSelector, Operator, SelectorError};
pub use set::{NotANamespace, PolicySetSpec, Profile};

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Group and version of our resources.
pub const API_VERSION: &str = "portreeve.dev/v1alpha1";

/// One of our resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum Resource {
    /// A policy in force.
    ClusterPolicy(Object<ClusterPolicySpec>),
    /// Which policies are in force together.
    PolicySet(Object<PolicySetSpec>),
    /// A loosening with an owner and an end.
    PolicyException(Object<PolicyExceptionSpec>),
    /// What a namespace asks of itself.
    Policy(Object<PolicySpec>),
}

/// An object: who it is and what it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Object<Spec> {
    /// `portreeve.dev/v1alpha1`.
    pub api_version: String,
    /// Who it is.
    pub metadata: Metadata,
    /// What it says.
    pub spec: Spec,
}

/// Metadata, as far as files have it; what else a cluster writes there is passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// A DNS name, unique for its kind (and namespace).
    pub name: String,
    /// Of a namespaced resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// When a cluster first stored it; none in a file.
    #[serde(default, rename = "creationTimestamp", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub created: Option<Timestamp>,
}

impl Resource {
    /// Kind and name, as in `ClusterPolicy/non-root`.
    #[must_use]
    pub fn reference(&self) -> String {
        match self {
            Self::ClusterPolicy(object) => format!("ClusterPolicy/{}", object.metadata.name),
            Self::PolicySet(object) => format!("PolicySet/{}", object.metadata.name),
            Self::PolicyException(object) => format!("PolicyException/{}", object.metadata.namespaced_name()),
            Self::Policy(object) => format!("Policy/{}", object.metadata.namespaced_name()),
        }
    }

    /// `apiVersion` as written.
    #[must_use]
    pub fn api_version(&self) -> &str {
        match self {
            Self::ClusterPolicy(object) => &object.api_version,
            Self::PolicySet(object) => &object.api_version,
            Self::PolicyException(object) => &object.api_version,
            Self::Policy(object) => &object.api_version,
        }
    }
}

impl Metadata {
    fn namespaced_name(&self) -> String {
        format!("{}/{}", self.namespace.as_deref().unwrap_or_default(), self.name)
    }
}
