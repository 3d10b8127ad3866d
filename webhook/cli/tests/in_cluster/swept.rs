//! A cluster that was there before is left as it was: what a test made in it goes with the test, registrations first,
//! so that nobody waits for a server that is gone.

use std::collections::BTreeSet;

use portreeve_tests::kubectl::Kubectl;

/// Kinds of which tests make objects, in the order in which these go, and the namespace that is looked into. What lives
/// in a namespace of the test's own goes with it.
const KINDS: [(&str, Option<&str>); 10] = [
    ("validatingwebhookconfigurations.admissionregistration.k8s.io", None),
    ("mutatingwebhookconfigurations.admissionregistration.k8s.io", None),
    ("validatingadmissionpolicybindings.admissionregistration.k8s.io", None),
    ("validatingadmissionpolicies.admissionregistration.k8s.io", None),
    ("customresourcedefinitions.apiextensions.k8s.io", None),
    ("clusterrolebindings.rbac.authorization.k8s.io", None),
    ("clusterroles.rbac.authorization.k8s.io", None),
    ("priorityclasses.scheduling.k8s.io", None),
    // Of device plugins, which a platform brings.
    ("daemonsets.apps", Some("kube-system")),
    ("namespaces", None),
];

/// What was there before; the rest goes when this is dropped.
pub(crate) struct Swept {
    kubectl: Kubectl,
    before: BTreeSet<String>,
}

impl Swept {
    /// Remembers what is there.
    pub(crate) fn of(kubectl: &Kubectl) -> Self {
        let before = KINDS.iter().flat_map(|(kind, within)| there(kubectl, kind, *within)).collect();
        Self { kubectl: kubectl.clone(), before }
    }
}

impl Drop for Swept {
    fn drop(&mut self) {
        for (kind, within) in KINDS {
            let mut made = there(&self.kubectl, kind, within);
            made.retain(|name| !self.before.contains(name));
            if made.is_empty() {
                continue;
            }
            let delete = format!("delete --ignore-not-found --timeout=120s {}{}", made.join(" "), place(within));
            if let Err(complaint) = self.kubectl.run(&delete) {
                println!("something stays: {complaint}");
            }
        }
    }
}

/// The objects of a kind, each as `kind/name`.
fn there(kubectl: &Kubectl, kind: &str, within: Option<&str>) -> Vec<String> {
    let names = kubectl.run(&format!("get {kind} -o name{}", place(within))).unwrap_or_default();
    names.split_whitespace().map(str::to_owned).collect()
}

fn place(within: Option<&str>) -> String {
    within.map(|namespace| format!(" -n {namespace}")).unwrap_or_default()
}
