//! Who asks for a GPU. Several policies ask that; what follows from it is theirs to say.

use portreeve_sdk::glob::Glob;
use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, Pod};

/// How a GPU is asked for: extended resources by name, and claims of dynamic resource allocation by name.
#[derive(Debug, Clone)]
pub(crate) struct Devices {
    resources: Vec<Glob>,
    claims: Vec<Glob>,
}

impl Devices {
    /// Devices under these resource names and claim names.
    pub(crate) fn new(resources: Vec<Glob>, claims: Vec<Glob>) -> Self {
        Self { resources, claims }
    }

    /// The extended resources of the vendors that most clusters have, MIG slices included.
    pub(crate) fn usual_resources() -> Vec<Glob> {
        ["nvidia.com/gpu", "nvidia.com/mig-*", "amd.com/gpu", "gpu.intel.com/*"].map(Glob::from).into()
    }

    /// Every claim: its device class is in another object, and GPUs are what nearly all claims are for.
    pub(crate) fn usual_claims() -> Vec<Glob> {
        vec![Glob::from("*")]
    }

    /// Whether a resource of this name is a GPU or a slice of one.
    pub(crate) fn is_device(&self, resource: &str) -> bool {
        Glob::any(&self.resources, resource)
    }

    /// Whether the pod asks, by a claim of its own or by any of its containers.
    pub(crate) fn asked_for(&self, pod: &Pod, containers: &[Container]) -> bool {
        self.claimed(&pod.resource_claims) || containers.iter().any(|container| self.asked_by(container))
    }

    fn asked_by(&self, container: &Container) -> bool {
        let mut named = container.requests.iter().chain(&container.limits);
        named.any(|entry| self.is_device(&entry.name) && is_some(&entry.value)) || self.claimed(&container.claims)
    }

    fn claimed(&self, claims: &[String]) -> bool {
        claims.iter().any(|claim| Glob::any(&self.claims, claim))
    }
}

/// Whether an amount is more than nothing: to name a GPU and ask for none of it is no asking.
fn is_some(amount: &str) -> bool {
    amount.parse::<Quantity>().is_ok_and(|amount| amount > Quantity::default())
}
