//! PolicySet: which policies are in force together, and what holds for all of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FailurePolicy;
use super::names::is_dns_label;

/// `spec` of a PolicySet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySetSpec {
    /// A built-in set to start from. A ClusterPolicy of the same name takes the place of one in it.
    #[serde(default)]
    pub profile: Profile,
    /// Names of the ClusterPolicies in force. Empty: all that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Namespaces that no policy sees, beside our own. Left out: `kube-system`, `kube-node-lease` and those of the
    /// network, GPU, certificate and fleet controllers that ship as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_namespaces: Option<Vec<String>>,
    /// For policies that do not say it themselves.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// For policies that do not say it themselves, such as `2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// A name that no namespace has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "excludedNamespaces: {0:?} is no name of a namespace: write lower-case letters and digits, with - between them, and 63 of \
     them at most"
)]
pub struct NotANamespace(String);

impl PolicySetSpec {
    /// Checks what the types can't say.
    ///
    /// # Errors
    /// The first excluded namespace that can't be one: the API server would refuse to be told of it.
    pub fn check(&self) -> Result<(), NotANamespace> {
        match self.excluded_namespaces.iter().flatten().find(|name| !is_dns_label(name)) {
            Some(name) => Err(NotANamespace(name.clone())),
            None => Ok(()),
        }
    }
}

/// A built-in set of policies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// No policy.
    #[default]
    None,
    /// The catalogue with its safe defaults.
    Platform,
}
