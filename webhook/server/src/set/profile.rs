//! The platform profile: the catalogue with its safe defaults, in force when nothing else is configured. And the
//! namespaces that no policy sees unless somebody says otherwise.

use portreeve_admission::api::{ClusterPolicySpec, Metadata, Object, Resource};
use serde_json::json;

/// Namespaces that no setting brings back: the control plane's own recovery runs there.
pub(super) const ALWAYS_EXCLUDED: [&str; 2] = ["kube-system", "kube-node-lease"];

/// Namespaces of the control plane, and of the controllers that clusters commonly depend on to come back: network, GPU,
/// certificates, fleet. Our own is added by whoever knows its name.
pub const EXCLUDED_NAMESPACES: [&str; 12] = [
    "kube-system",
    "kube-node-lease",
    "calico-system",
    "tigera-operator",
    "cilium",
    "kube-flannel",
    "gpu-operator",
    "nvidia-gpu-operator",
    "cert-manager",
    "cattle-system",
    "cattle-fleet-system",
    "gatekeeper-system",
];

/// The ClusterPolicies of the platform profile.
#[must_use]
pub fn platform() -> Vec<Resource> {
    let policies = [
        ("drop-capabilities", json!({"mode": "enforce"})),
        ("gpu-scheduling", json!({"mode": "enforce"})),
        ("image-digest", json!({"mode": "enforce", "failurePolicy": "Ignore", "facts": ["image-digest"]})),
        ("non-root", json!({"mode": "enforce", "facts": ["image-config"]})),
        ("pod-security", json!({"mode": "enforce", "facts": ["namespace"]})),
        ("privilege-escalation", json!({"mode": "enforce"})),
        ("probes", json!({"mode": "warn"})),
        ("read-only-rootfs", json!({"mode": "enforce"})),
        ("resources", json!({"mode": "enforce"})),
        ("seccomp", json!({"mode": "enforce"})),
    ];
    policies.into_iter().filter_map(|(name, spec)| in_force(name, spec)).collect()
}

fn in_force(name: &str, mut spec: serde_json::Value) -> Option<Resource> {
    if let Some(fields) = spec.as_object_mut() {
        fields.insert("module".to_owned(), json!({"builtin": name}));
    }
    let spec: ClusterPolicySpec = serde_json::from_value(spec).ok()?;
    Some(Resource::ClusterPolicy(Object {
        api_version: portreeve_admission::api::API_VERSION.to_owned(),
        metadata: Metadata { name: name.to_owned(), ..Metadata::default() },
        spec,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_of_the_profile_is_well_formed() {
        assert_eq!(platform().len(), 10);
    }
}
