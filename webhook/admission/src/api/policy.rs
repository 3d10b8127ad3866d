//! ClusterPolicy: a policy module in force, with its settings, for some of the cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ExceptionRules, LabelSelector, Match, Mode};
use crate::case::FactKind;

/// `spec` of a ClusterPolicy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterPolicySpec {
    /// Where its code comes from.
    pub module: ModuleSource,
    /// What a violation leads to.
    #[serde(default)]
    pub mode: Mode,
    /// Whether its edits are made. Left out: yes in enforce and warn, no in audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutate: Option<bool>,
    /// Namespaces where it is in another mode, by the first of these that selects them. All others, and what lives in
    /// no namespace, have `mode`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollout: Vec<Stage>,
    /// Its settings, valid against its own schema.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// What it applies to. Left out: all that it can judge.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// What becomes of a request that it can't judge. Left out: as the PolicySet says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// The most time it may take, such as `500ms` or `2s`. Left out: as the PolicySet says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Kinds of facts that it is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<FactKind>,
    /// Which exceptions to it count. Left out: all, whoever may write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<ExceptionRules>,
}

/// A part of the cluster that a policy has come to, or not yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// By labels of the namespace.
    pub namespace_selector: LabelSelector,
    /// What a violation leads to there.
    pub mode: Mode,
    /// Whether its edits are made there. Left out: as the policy says, else by this mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutate: Option<bool>,
}

/// Where the code of a policy comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    untagged,
    expecting = "a module is `{builtin: NAME}`, or `{oci: REGISTRY/REPOSITORY@DIGEST}` or `{file: PATH}`, these two with \
                 `policy: NAME` if the component carries several"
)]
pub enum ModuleSource {
    /// One of the policies that ship.
    Builtin {
        /// Its name, such as `non-root`.
        builtin: String,
    },
    /// A component in a registry.
    Oci {
        /// Where, by digest, such as `registry.example/policies/labels:1.2@sha256:…`.
        oci: String,
        /// Which policy of the component; left out if it carries one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// A component in a file.
    File {
        /// Path, relative to the file that says so.
        file: String,
        /// Which policy of the component; left out if it carries one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
}

/// What becomes of a request that a policy can't judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FailurePolicy {
    /// It is refused, as a failure.
    #[default]
    Fail,
    /// It is admitted, with a warning.
    Ignore,
}

impl ClusterPolicySpec {
    /// The modes that it is in, in each stage and elsewhere.
    pub fn modes(&self) -> impl Iterator<Item = Mode> {
        self.rollout.iter().map(|stage| stage.mode).chain([self.mode])
    }

    /// The mode in a namespace with these labels.
    #[must_use]
    pub fn mode_in(&self, labels: &BTreeMap<String, String>) -> Mode {
        let stage = self.rollout.iter().find(|stage| stage.namespace_selector.matches(labels));
        stage.map_or(self.mode, |stage| stage.mode)
    }
}
