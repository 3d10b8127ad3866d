//! A cluster that was there before is left as it was: what a test made in it goes with the test, registrations first, so that
//! nobody waits for a server that is gone.

use std::collections::BTreeSet;

use portreeve_tests::kubectl::Kubectl;

/// Kinds of which tests make objects, in the order in which these go. What lives in a namespace goes with it.
const KINDS: [&str; 9] = [
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "priorityclasses.scheduling.k8s.io",
    "namespaces",
];

/// What was there before; the rest goes when this is dropped.
pub(crate) struct Swept {
    kubectl: Kubectl,
    before: BTreeSet<String>,
}

impl Swept {
    /// Remembers what is there.
    pub(crate) fn of(kubectl: &Kubectl) -> Self {
        let before = KINDS.iter().flat_map(|kind| there(kubectl, kind)).collect();
        Self { kubectl: kubectl.clone(), before }
    }
}

impl Drop for Swept {
    fn drop(&mut self) {
        for kind in KINDS {
            let mut made = there(&self.kubectl, kind);
            made.retain(|name| !self.before.contains(name));
            if made.is_empty() {
                continue;
            }
            let delete = format!("delete --ignore-not-found --timeout=120s {}", made.join(" "));
            if let Err(complaint) = self.kubectl.run(&delete) {
                println!("something stays: {complaint}");
            }
        }
    }
}

/// The objects of a kind, each as `kind/name`.
fn there(kubectl: &Kubectl, kind: &str) -> Vec<String> {
    let names = kubectl.run(&format!("get {kind} -o name")).unwrap_or_default();
    names.split_whitespace().map(str::to_owned).collect()
}
