//! PolicyException: a loosening of one policy in one namespace, with an owner, a reason and an end.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `spec` of a PolicyException.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyExceptionSpec {
    /// Name of the ClusterPolicy.
    pub policy: String,
    /// Rules that are loosened. Empty: all of the policy's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Containers that are loosened, by name. Empty: all, and the pod itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// Which workloads of the namespace. Left out: all of them.
    #[serde(default, rename = "match")]
    pub covered: Covered,
    /// Who answers for it.
    pub owner: String,
    /// Where it was agreed.
    pub ticket: String,
    /// Why.
    pub reason: String,
    /// From when on it no longer counts, RFC 3339.
    #[schemars(with = "String")]
    pub expires: Timestamp,
}

/// Which workloads an exception covers: all that is given has to fit. Matched on the pod template, so that a
/// controller and its Pods are covered alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Covered {
    /// Labels of the template. Anyone who can write a workload can write these, so they count only together with a
    /// service account other than `default`, an image or an annotation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Service account of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Image repositories as written in the workload, without tag and digest; a trailing `*` stands for any rest, after
    /// at least a registry or a first part of the name, as in `team/*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// The opt-out of a workload: an annotation of its template, or of an object without one. Whoever may write
    /// workloads in the namespace may then use the exception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<OptOut>,
}

/// An annotation by which a workload opts out of what an exception names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OptOut {
    /// Its name, with a domain of your own before the slash: nothing that is there for another reason.
    pub name: String,
    /// Its value. Left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
