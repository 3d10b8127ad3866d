//! What users may write under `settings`. What the API server would refuse in a pod is refused here, by its place.

use std::collections::BTreeMap;

use portreeve_sdk::glob::Glob;
use portreeve_sdk::{SettingsError, pointer};
use serde::{Deserialize, Serialize};

use crate::devices::Devices;
use crate::label_key::{LabelKey, is_label_value};

/// Settings of gpu-scheduling.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Extended resources that are GPUs or slices of them; `*` stands for any characters.
    pub(super) resources: Vec<Glob>,
    /// Those among them that are amounts of a GPU, such as its memory, and not counts: they have no bounds.
    pub(super) amounts: Vec<Glob>,
    /// Resource claims that are for GPUs, by the name of the ResourceClaim or ResourceClaimTemplate that the pod refers
    /// to; `*` stands for any characters.
    pub(super) claims: Vec<Glob>,
    /// Tolerations that a pod that asks is given.
    pub(super) tolerations: Vec<Tolerated>,
    /// Node labels that a pod that asks is made to select.
    pub(super) node_selector: BTreeMap<LabelKey, String>,
    /// What else is required of the nodes of a pod that asks, as node affinity. All of it has to hold.
    pub(super) node_affinity: Vec<Requirement>,
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
    /// The most GPUs of a workload: those of a pod times its replicas, or parallelism, or as many as its autoscaler
    /// makes.
    pub(super) max_per_workload: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resources: Devices::usual_resources(),
            amounts: ["gpu.intel.com/millicores", "gpu.intel.com/memory.max", "gpu.intel.com/*_monitoring"]
                .map(Glob::from)
                .into(),
            claims: Devices::usual_claims(),
            tolerations: Tolerated::usual(),
            node_selector: BTreeMap::new(),
            node_affinity: Vec::new(),
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
    pub(super) key: LabelKey,
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

/// What has to hold of a node's label, as in node affinity.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Requirement {
    /// Key of the label.
    pub(super) key: LabelKey,
    /// How it is compared.
    pub(super) operator: Comparison,
    /// With what, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub(super) enum Comparison {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl Tolerated {
    /// The taint that NVIDIA's own tools and most clouds set.
    fn usual() -> Vec<Self> {
        let key = LabelKey::try_from("nvidia.com/gpu".to_owned()).ok();
        let exists = |key| Self { key, operator: Operator::Exists, value: None, effect: Some(Effect::NoSchedule) };
        key.map(exists).into_iter().collect()
    }
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
    /// Refuses what the API server would refuse in a pod, and patterns that nothing can match.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for (index, toleration) in self.tolerations.iter().enumerate() {
            toleration.check(&format!("/tolerations/{index}"))?;
        }
        for (label, value) in &self.node_selector {
            check_value(value, || pointer::child("/nodeSelector", label.as_str()))?;
        }
        for (index, requirement) in self.node_affinity.iter().enumerate() {
            requirement.check(&format!("/nodeAffinity/{index}"))?;
        }
        if let Some(class) = self.runtime_class.as_deref().filter(|class| !is_object_name(class)) {
            let reason = format!("{class:?} is no name of a runtime class: small letters, digits, \"-\" and \".\"");
            return Err(SettingsError::new("/runtimeClass", reason));
        }
        if let Some(index) = self.exempt_kinds.iter().position(|kind| !is_kind(kind)) {
            return Err(SettingsError::new(format!("/exemptKinds/{index}"), "not a kind such as \"DaemonSet\""));
        }
        check_globs(&self.resources, "/resources", is_key, "no name of a resource such as \"nvidia.com/gpu\"")?;
        check_globs(&self.amounts, "/amounts", is_key, "no name of a resource such as \"gpu.intel.com/millicores\"")?;
        check_globs(&self.taint_keys, "/taintKeys", is_key, "no key of a taint such as \"nvidia.com/gpu\"")?;
        check_globs(&self.claims, "/claims", is_object_name, "no name of a resource claim such as \"one-gpu\"")
    }
}

impl Tolerated {
    fn check(&self, at: &str) -> Result<(), SettingsError> {
        if self.operator == Operator::Exists && self.value.is_some() {
            let reason = "with the operator Exists no value counts: leave it out or write Equal";
            return Err(SettingsError::new([at, "/value"].concat(), reason));
        }
        check_value(self.value.as_deref().unwrap_or_default(), || [at, "/value"].concat())
    }
}

impl Requirement {
    fn check(&self, at: &str) -> Result<(), SettingsError> {
        let compares = matches!(self.operator, Comparison::In | Comparison::NotIn);
        if compares == self.values.is_empty() {
            let reason = if compares { "In and NotIn need values" } else { "Exists and DoesNotExist take no values" };
            return Err(SettingsError::new([at, "/values"].concat(), reason));
        }
        let mut values = self.values.iter().enumerate();
        values.try_for_each(|(index, value)| check_value(value, || format!("{at}/values/{index}")))
    }
}

fn check_value(value: &str, at: impl FnOnce() -> String) -> Result<(), SettingsError> {
    if is_label_value(value) {
        return Ok(());
    }
    let reason = format!("{value:?} is no value of a label: 63 letters, digits, \"-\", \"_\" and \".\" at most");
    Err(SettingsError::new(at(), reason))
}

/// Refuses patterns that would match nothing, since what stands between the stars can't be part of a name.
fn check_globs(globs: &[Glob], at: &str, is_name: fn(&str) -> bool, fault: &str) -> Result<(), SettingsError> {
    // A star can stand for a letter: with one in its place the pattern is a name, if it can be one at all.
    match globs.iter().position(|glob| !is_name(&glob.as_str().replace('*', "a"))) {
        Some(index) => Err(SettingsError::new(format!("{at}/{index}"), fault)),
        None => Ok(()),
    }
}

fn is_key(text: &str) -> bool {
    LabelKey::try_from(text.to_owned()).is_ok()
}

/// A DNS subdomain: small letters, digits and `-` between dots, 253 characters at most.
fn is_object_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_plain) && part.ends_with(is_plain) && part.chars().all(|c| is_plain(c) || c == '-')
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_kind(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::super::GpuScheduling;

    fn refused_at(settings: &str) -> String {
        let registration = portreeve_sdk::export::Registration::of::<GpuScheduling>();
        registration.configure(settings).err().map_or("taken".into(), |error| error.at)
    }

    #[test]
    fn what_the_api_server_would_refuse_is_refused_by_its_place() {
        for (settings, at) in [
            (r#"{"tolerations": [{"key": ""}]}"#, "/tolerations/0/key"),
            (r#"{"tolerations": [{"key": "a b"}]}"#, "/tolerations/0/key"),
            (r#"{"tolerations": [{"key": "sku", "value": "gpu"}]}"#, "/tolerations/0/value"),
            (r#"{"tolerations": [{"key": "sku", "operator": "Equal", "value": "a b"}]}"#, "/tolerations/0/value"),
            (r#"{"tolerations": [{"key": "sku", "effect": "NoScheduling"}]}"#, "/tolerations/0/effect"),
            (r#"{"nodeSelector": {"a/b": "-"}}"#, "/nodeSelector/a~1b"),
            (r#"{"nodeAffinity": [{"key": "model", "operator": "In"}]}"#, "/nodeAffinity/0/values"),
            (
                r#"{"nodeAffinity": [{"key": "model", "operator": "Exists", "values": ["a"]}]}"#,
                "/nodeAffinity/0/values",
            ),
            (
                r#"{"nodeAffinity": [{"key": "m", "operator": "In", "values": ["a", "b c"]}]}"#,
                "/nodeAffinity/0/values/1",
            ),
            (r#"{"runtimeClass": "NVIDIA"}"#, "/runtimeClass"),
            (r#"{"runtimeClass": ""}"#, "/runtimeClass"),
            (r#"{"taintKeys": ["nvidia.com/*", "nvidia com"]}"#, "/taintKeys/1"),
            (r#"{"resources": ["nvidia.com/gpu/0"]}"#, "/resources/0"),
            (r#"{"amounts": [""]}"#, "/amounts/0"),
            (r#"{"claims": ["One GPU"]}"#, "/claims/0"),
            (r#"{"exemptKinds": ["daemonsets"]}"#, "/exemptKinds/0"),
        ] {
            assert_eq!(refused_at(settings), at, "{settings}");
        }
    }

    #[test]
    fn a_key_of_a_node_selector_that_is_none_is_refused() {
        assert!(refused_at(r#"{"nodeSelector": {"a b": "c"}}"#).starts_with("/nodeSelector"));
    }

    #[test]
    fn what_the_api_server_takes_is_taken() {
        let settings = r#"{
            "tolerations": [{"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoExecute"}, {"key": "a/b"}],
            "nodeSelector": {"accelerator": "nvidia", "empty": ""},
            "nodeAffinity": [{"key": "model", "operator": "NotIn", "values": ["k80"]}, {"key": "a", "operator": "Exists"}],
            "runtimeClass": "nvidia.v2", "taintKeys": ["*"], "resources": ["*.example/*"], "claims": ["*", "gpu-*"]
        }"#;
        assert_eq!(refused_at(settings), "taken");
    }
}
