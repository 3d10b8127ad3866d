//! What users may write under `settings`.

use portreeve_sdk::SettingsError;
use serde::Deserialize;

use crate::injected::Judgement;

/// Settings of availability.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Which workloads are judged.
    pub(super) applies_to: AppliesTo,
    /// What has to be there.
    pub(super) require: Vec<Required>,
    /// Fewer replicas than these are too few.
    pub(super) min_replicas: u64,
    /// What is made of a workload whose one replica is meant to be one: a Deployment with the strategy Recreate, or a
    /// StatefulSet.
    pub(super) singletons: Judgement,
    /// What is made of a PodDisruptionBudget itself that lets no pod go, however many there are. A workload under such
    /// a budget is told in any case.
    pub(super) blocking_budgets: Judgement,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            applies_to: AppliesTo::Exposed,
            require: vec![Required::Replicas, Required::Budget],
            min_replicas: 2,
            singletons: Judgement::Warn,
            blocking_budgets: Judgement::Warn,
        }
    }
}

/// Which workloads are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum AppliesTo {
    /// Those whose pods a Service of the namespace selects.
    Exposed,
    /// Every one.
    All,
}

/// What has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum Required {
    /// As many replicas as `minReplicas`.
    Replicas,
    /// A PodDisruptionBudget that selects the pods, where there is more than one.
    Budget,
}

impl Settings {
    /// Refuses what asks for nothing.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.min_replicas == 0 {
            return Err(SettingsError::new("/minReplicas", "is at least 1; leave `replicas` out of `require` instead"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::export::Registration;

    use super::super::Availability;

    #[test]
    fn no_replicas_at_all_are_no_least_number() {
        let error = Registration::of::<Availability>().configure(r#"{"minReplicas": 0}"#).err().unwrap();
        assert_eq!(error.at, "/minReplicas");
    }
}
