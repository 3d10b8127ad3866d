//! What a cluster comes back by: the namespaces of the control plane and of the controllers that nothing runs without.
//! Data; no policy sees them unless somebody says otherwise, and a registration that reaches them is told of.

/// What runs in a namespace that others come back by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The control plane itself, and the heartbeats of nodes.
    ControlPlane,
    /// The network of pods.
    Network,
    /// Drivers and devices of GPU nodes.
    Gpu,
    /// Certificates, the webhook's own perhaps.
    Certificates,
    /// What brings clusters of a fleet to the state that is wanted.
    Fleet,
    /// Another admission webhook.
    Admission,
}

/// Namespaces by their usual names, with what runs there. Our own is added by whoever knows its name.
pub const NAMESPACES: [(&str, Role); 12] = [
    ("kube-system", Role::ControlPlane),
    ("kube-node-lease", Role::ControlPlane),
    ("calico-system", Role::Network),
    ("tigera-operator", Role::Network),
    ("cilium", Role::Network),
    ("kube-flannel", Role::Network),
    ("gpu-operator", Role::Gpu),
    ("nvidia-gpu-operator", Role::Gpu),
    ("cert-manager", Role::Certificates),
    ("cattle-system", Role::Fleet),
    ("cattle-fleet-system", Role::Fleet),
    ("gatekeeper-system", Role::Admission),
];

/// What runs in the namespace of this name, if it is one of those.
#[must_use]
pub fn role(namespace: &str) -> Option<Role> {
    NAMESPACES.iter().find(|(name, _)| *name == namespace).map(|(_, role)| *role)
}
