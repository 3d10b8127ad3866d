//! Policy: what a namespace asks of itself, beside what the cluster asks of it. Its violations are added to the
//! others'.
//!
//! It has no `mutate`, no `facts` and no module of its author's own: it never edits, and who writes it can neither make
//! the server run his code nor learn through it what he may not read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ClusterPolicySpec, FailurePolicy, LabelSelector, Match, Mode, ModuleSource};

/// `spec` of a Policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySpec {
    /// Which of the policies that ship.
    pub module: BuiltinModule,
    /// What a violation leads to.
    #[serde(default)]
    pub mode: Mode,
    /// Its settings, valid against its own schema.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// What of its namespace it applies to. Left out: all that it can judge.
    #[serde(default, rename = "match")]
    pub matching: NamespacedMatch,
    /// What becomes of a request that it can't judge. Left out: as the PolicySet says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// The most time it may take, such as `500ms` or `2s`. Left out: as the PolicySet says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

impl PolicySpec {
    /// What a ClusterPolicy would say in its place, but for the namespace.
    #[must_use]
    pub fn for_cluster(self) -> ClusterPolicySpec {
        ClusterPolicySpec {
            module: ModuleSource::Builtin { builtin: self.module.builtin },
            mode: self.mode,
            mutate: Some(false),
            rollout: Vec::new(),
            settings: self.settings,
            matching: Match { object_selector: self.matching.object_selector, ..Match::default() },
            failure_policy: self.failure_policy,
            timeout: self.timeout,
            facts: Vec::new(),
            exceptions: None,
        }
    }
}

/// One of the policies that ship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuiltinModule {
    /// Its name, such as `non-root`.
    pub builtin: String,
}

/// What of its namespace a Policy applies to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespacedMatch {
    /// By labels of the object, new or old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_neither_edits_nor_is_told_facts_nor_brings_its_own_code() {
        let spec = |field: &str, value: Value| {
            let mut spec = json!({"module": {"builtin": "seccomp"}, "mode": "warn"});
            spec[field] = value;
            serde_json::from_value::<PolicySpec>(spec)
        };
        assert_eq!(spec("settings", json!({"a": 1})).unwrap().mode, Mode::Warn);
        for (field, value) in [("mutate", json!(false)), ("facts", json!([])), ("module", json!({"file": "a.wasm"}))] {
            assert!(spec(field, value).is_err(), "{field}");
        }
    }
}
