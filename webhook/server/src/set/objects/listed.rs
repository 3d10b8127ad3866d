//! The kinds of objects that facts are made of, as Kubernetes and the contract call them.

use portreeve_admission::api::Naming;
use portreeve_admission::case::FactKind;
use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

/// A kind of object that facts are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listed {
    /// The fact `network-policies`.
    NetworkPolicy,
    /// The fact `disruption-budgets`.
    PodDisruptionBudget,
    /// The fact `autoscalers`.
    HorizontalPodAutoscaler,
    /// The fact `services`.
    Service,
    /// The fact `running-pods`.
    Pod,
    /// The fact `zones`.
    Node,
}

impl Listed {
    /// Every kind.
    const ALL: [Self; 6] = [
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::HorizontalPodAutoscaler,
        Self::Service,
        Self::Pod,
        Self::Node,
    ];

    /// The kind that a fact is made of, if it is made of objects.
    #[must_use]
    pub fn behind(fact: FactKind) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.fact() == fact)
    }

    /// The kind of an object, if facts are made of it.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| (kind.group(), kind.name()) == (manifest.group(), manifest.kind()))
    }

    /// Where an object that names this namespace is listed.
    pub(super) fn listed_in(self, namespace: &str) -> &str {
        if self == Self::Node { "" } else { namespace }
    }

    /// How its objects are called.
    pub(crate) fn naming(self) -> Naming {
        if self == Self::Service { Naming::Label } else { Naming::Name }
    }

    pub(super) fn fact(self) -> FactKind {
        match self {
            Self::NetworkPolicy => FactKind::NetworkPolicies,
            Self::PodDisruptionBudget => FactKind::DisruptionBudgets,
            Self::HorizontalPodAutoscaler => FactKind::Autoscalers,
            Self::Service => FactKind::Services,
            Self::Pod => FactKind::RunningPods,
            Self::Node => FactKind::Zones,
        }
    }

    /// Its API group; the core group is empty.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Self::NetworkPolicy => "networking.k8s.io",
            Self::PodDisruptionBudget => "policy",
            Self::HorizontalPodAutoscaler => "autoscaling",
            Self::Service | Self::Pod | Self::Node => "",
        }
    }

    /// The kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::Service => "Service",
            Self::Pod => "Pod",
            Self::Node => "Node",
        }
    }
}
