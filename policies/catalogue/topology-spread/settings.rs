//! What users may write under `settings`. What becomes of it is in `policy`.

use std::collections::BTreeSet;

use portreeve_sdk::SettingsError;
use serde::Deserialize;

use crate::exact::Exact;
use crate::label_key::LabelKey;

/// Settings of topology-spread.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Kinds whose pods are spread: those that keep a number of `replicas` of one template under a `selector`.
    pub(super) kinds: Vec<Exact>,
    /// Fewer replicas than these are not spread.
    pub(super) min_replicas: u64,
    /// The zones of the cluster, where the fact `zones` is not granted. Fewer than two are nothing to spread over.
    pub(super) zones: Option<BTreeSet<String>>,
    /// What a workload is given that says nothing of the kind. A pod with constraints of its own is no longer spread
    /// by the scheduler's defaults, so what those do for nodes comes along.
    pub(super) constraints: Vec<Constraint>,
}

impl Default for Settings {
    fn default() -> Self {
        let anyway = |key: &str, max_skew| {
            let topology_key = LabelKey::try_from(key.to_owned()).ok()?;
            Some(Constraint { topology_key, max_skew, when_unsatisfiable: WhenUnsatisfiable::ScheduleAnyway })
        };
        Self {
            kinds: Exact::known(["Deployment", "StatefulSet"]),
            min_replicas: 2,
            zones: None,
            constraints: [anyway(super::ZONE, 1), anyway(super::NODE, 3)].into_iter().flatten().collect(),
        }
    }
}

/// A topology spread constraint, without its selector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Constraint {
    /// Label of nodes whose values are what pods are spread over.
    pub(super) topology_key: LabelKey,
    /// By how many pods the fullest may be ahead of the emptiest; at least one.
    #[serde(default = "one")]
    pub(super) max_skew: u32,
    /// What becomes of a pod that would be too many. A workload with persistent volumes is scheduled anyway: its
    /// volumes are where they are.
    #[serde(default)]
    pub(super) when_unsatisfiable: WhenUnsatisfiable,
}

/// What becomes of a pod that would be too many.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
pub(super) enum WhenUnsatisfiable {
    /// It is placed where it disturbs least.
    #[default]
    ScheduleAnyway,
    /// It waits.
    DoNotSchedule,
}

impl WhenUnsatisfiable {
    /// As Kubernetes writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ScheduleAnyway => "ScheduleAnyway",
            Self::DoNotSchedule => "DoNotSchedule",
        }
    }
}

fn one() -> u32 {
    1
}

/// Kinds without a number of replicas or without a selector of their own.
const NOT_SPREAD: [&str; 5] = ["Pod", "PodTemplate", "DaemonSet", "Job", "CronJob"];

impl Settings {
    /// Refuses what the API server would refuse, and kinds that have nothing to spread.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if let Some(index) = self.kinds.iter().position(|kind| NOT_SPREAD.contains(&kind.as_str())) {
            let reason = "has no replicas under a selector: name kinds such as Deployment";
            return Err(SettingsError::new(format!("/kinds/{index}"), reason));
        }
        if self.constraints.is_empty() {
            return Err(SettingsError::new("/constraints", "says what to spread over: give at least one"));
        }
        let mut seen = BTreeSet::new();
        for (index, constraint) in self.constraints.iter().enumerate() {
            let at = |field| format!("/constraints/{index}/{field}");
            // The scheduler counts in 32 bits with a sign.
            if constraint.max_skew == 0 || i32::try_from(constraint.max_skew).is_err() {
                return Err(SettingsError::new(at("maxSkew"), "is at least 1"));
            }
            // One key with both of its meanings would be taken, but not for a workload with volumes.
            if !seen.insert(&constraint.topology_key) {
                return Err(SettingsError::new(at("topologyKey"), "stands twice: give each key one constraint"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::export::Registration;

    use super::super::TopologySpread;
    use super::*;

    fn refused_at(settings: &str) -> String {
        Registration::of::<TopologySpread>().configure(settings).err().unwrap().at
    }

    #[test]
    fn the_default_spreads_over_zones_and_nodes() {
        let keys: Vec<_> = Settings::default().constraints.into_iter().map(|c| c.topology_key).collect();
        assert_eq!(keys.iter().map(LabelKey::as_str).collect::<Vec<_>>(), [super::super::ZONE, super::super::NODE]);
    }

    #[test]
    fn constraints_that_the_api_server_refuses_are_refused() {
        assert_eq!(refused_at(r#"{"constraints": [{"topologyKey": "zone", "maxSkew": 0}]}"#), "/constraints/0/maxSkew");
        assert_eq!(refused_at(r#"{"constraints": [{"topologyKey": "a zone"}]}"#), "/constraints/0/topologyKey");
        let twice =
            r#"{"constraints": [{"topologyKey": "a"}, {"topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}]}"#;
        assert_eq!(refused_at(twice), "/constraints/1/topologyKey");
    }

    #[test]
    fn kinds_without_replicas_are_refused() {
        assert_eq!(refused_at(r#"{"kinds": ["Deployment", "DaemonSet"]}"#), "/kinds/1");
    }

    #[test]
    fn to_spread_over_nothing_is_refused() {
        assert_eq!(refused_at(r#"{"constraints": []}"#), "/constraints");
    }
}
