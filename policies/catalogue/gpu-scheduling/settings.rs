//! What users may write under `settings`.

use std::collections::BTreeMap;

use portreeve_sdk::SettingsError;
use portreeve_sdk::glob::Glob;
use serde::{Deserialize, Serialize};

use crate::devices::Devices;

/// Settings of gpu-scheduling.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Extended resources that are GPUs or slices of them; `*` stands for any characters.
    pub(super) resources: Vec<Glob>,
    /// Resource claims that are for GPUs, by their names in the pod; `*` stands for any characters.
    pub(super) claims: Vec<Glob>,
    /// Tolerations that a pod that asks is given.
    pub(super) tolerations: Vec<Tolerated>,
    /// Node labels that a pod that asks is made to select.
    pub(super) node_selector: BTreeMap<String, String>,
    /// The runtime class that a pod that asks is given. It has to exist, or the API server refuses the pod.
    pub(super) runtime_class: Option<String>,
    /// Keys of the taints of GPU nodes, which nobody else may tolerate; `*` stands for any characters.
    pub(super) taint_keys: Vec<Glob>,
    /// Kinds whose pods may tolerate those taints without asking: what runs on every node, such as log collectors and
    /// the device plugin itself, is a DaemonSet.
    pub(super) exempt_kinds: Vec<String>,
    /// The most GPUs of one container.
    pub(super) max_per_container: Option<u64>,
    /// The most GPUs that one pod holds at a time.
    pub(super) max_per_pod: Option<u64>,
    /// The most GPUs of a workload: those of a pod times its replicas, or parallelism.
    pub(super) max_per_workload: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resources: Devices::usual_resources(),
            claims: Devices::usual_claims(),
            tolerations: vec![Tolerated {
                key: "nvidia.com/gpu".into(),
                operator: Operator::Exists,
                value: None,
                effect: Some(Effect::NoSchedule),
            }],
            node_selector: BTreeMap::new(),
            runtime_class: None,
            taint_keys: vec![Glob::from("nvidia.com/gpu")],
            exempt_kinds: vec!["DaemonSet".into()],
            max_per_container: None,
            max_per_pod: Some(8),
            max_per_workload: None,
        }
    }
}

/// A toleration, as in a pod.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Tolerated {
    /// Key of the taint.
    pub(super) key: String,
    /// Whether its value counts.
    #[serde(default)]
    pub(super) operator: Operator,
    /// Its value, where it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// Its effect; every one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effect: Option<Effect>,
}

/// How a toleration is matched with a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub(super) enum Operator {
    /// By key.
    #[default]
    Exists,
    /// By key and value.
    Equal,
}

/// What a taint does to pods that don't tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub(super) enum Effect {
    /// They are not placed.
    NoSchedule,
    /// They are placed if nothing else will do.
    PreferNoSchedule,
    /// They are not placed, and leave.
    NoExecute,
}

impl Effect {
    /// As Kubernetes writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

impl Settings {
    /// Refuses tolerations that the API server would refuse.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for (index, toleration) in self.tolerations.iter().enumerate() {
            let error = |field, reason| Err(SettingsError::new(format!("/tolerations/{index}/{field}"), reason));
            if toleration.key.is_empty() {
                return error("key", "an empty key tolerates every taint there is: name the one of the GPU nodes");
            }
            if toleration.operator == Operator::Exists && toleration.value.is_some() {
                return error("value", "with the operator Exists no value counts: leave it out or write Equal");
            }
        }
        Ok(())
    }
}
