//! Who asks for a GPU. Several policies ask that; what follows from it is theirs to say.

use portreeve_sdk::Case;
use portreeve_sdk::glob::Glob;
use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, Entry, Pod};
use serde_json::Value;

/// How a GPU is asked for: extended resources by name, and claims of dynamic resource allocation by what they refer to.
#[derive(Debug, Clone)]
pub(crate) struct Devices {
    resources: Vec<Glob>,
    claims: Vec<Glob>,
}

impl Devices {
    /// Devices under these names of resources, and of ResourceClaims and ResourceClaimTemplates.
    pub(crate) fn new(resources: Vec<Glob>, claims: Vec<Glob>) -> Self {
        Self { resources, claims }
    }

    /// The extended resources of the vendors that most clusters have, MIG slices and shared GPUs included, and those
    /// that stand for a device class.
    pub(crate) fn usual_resources() -> Vec<Glob> {
        [
            "nvidia.com/gpu",
            "nvidia.com/gpu.shared",
            "nvidia.com/mig-*",
            "amd.com/gpu",
            "gpu.intel.com/*",
            "deviceclass.resource.kubernetes.io/gpu.*",
            "deviceclass.resource.kubernetes.io/mig.*",
        ]
        .map(Glob::from)
        .into()
    }

    /// Every claim: its device class is in another object, and GPUs are what nearly all claims are for.
    pub(crate) fn usual_claims() -> Vec<Glob> {
        vec![Glob::from("*")]
    }

    /// Whether a resource of this name is a GPU or a slice of one.
    pub(crate) fn is_device(&self, resource: &str) -> bool {
        Glob::any(&self.resources, resource)
    }

    /// Whether the pod asks for an extended resource that is a GPU, by itself or by any of its containers.
    pub(crate) fn asked_for(&self, pod: &Pod, containers: &[Container]) -> bool {
        let asks = |entry: &Entry| self.is_device(&entry.name) && is_some(&entry.value);
        pod.requests.iter().chain(&pod.limits).any(asks)
            || containers.iter().any(|container| container.requests.iter().chain(&container.limits).any(asks))
    }

    /// Whether the pod claims a GPU. A claim's name within the pod is anybody's choice: what counts is the
    /// ResourceClaim or the ResourceClaimTemplate that it refers to.
    pub(crate) fn claimed(&self, case: &Case<'_>, pod: &Pod) -> bool {
        if self.claims.is_empty() || pod.resource_claims.is_empty() {
            return false;
        }
        let claims = case.read("/spec/resourceClaims");
        let referred = |claim: &Value| {
            let names = ["resourceClaimName", "resourceClaimTemplateName"].iter();
            names.filter_map(|field| claim.get(field)?.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let mut names = claims.as_ref().and_then(Value::as_array).into_iter().flatten().flat_map(referred);
        names.any(|name| Glob::any(&self.claims, &name))
    }
}

/// Whether an amount is more than nothing: to name a GPU and ask for none of it is no asking.
fn is_some(amount: &str) -> bool {
    amount.parse::<Quantity>().is_ok_and(|amount| amount > Quantity::default())
}
