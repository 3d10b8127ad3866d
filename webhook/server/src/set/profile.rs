//! The platform profile: the catalogue with its safe defaults, in force when nothing else is configured. And the
//! namespaces that no policy ever sees.

use portreeve_admission::api::Resource;
use portreeve_engine::EmbeddedEntry;

use super::folder::resource;
use crate::manifest::read_stream;

/// Namespaces that no setting brings back: the control plane's own recovery runs there.
pub(super) const ALWAYS_EXCLUDED: [&str; 2] = ["kube-system", "kube-node-lease"];

/// The profile compiled, and the catalogue for all other settings, for an engine that keeps nothing.
pub static COMPILED: [EmbeddedEntry; 2] = [
    EmbeddedEntry { bytes: portreeve_builtin::PROFILE_CODE },
    EmbeddedEntry { bytes: portreeve_builtin::CATALOGUE_CODE },
];

/// The ClusterPolicies of the platform profile.
#[must_use]
pub fn platform() -> Vec<Resource> {
    let manifests = read_stream("the platform profile", portreeve_builtin::PROFILE).unwrap_or_default();
    manifests.iter().filter_map(|manifest| resource(manifest).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_of_the_profile_is_well_formed() {
        assert_eq!(platform().len(), portreeve_builtin::PROFILE.split("\n---\n").count());
    }
}
