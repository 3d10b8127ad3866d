//! How much namespaces may ask of themselves: so many Policies each, and so many in all.

use std::collections::HashMap;

use super::Draft;
use crate::config::NamespacedPolicies;

impl Draft {
    /// Leaves out what namespaces ask of themselves beyond the bounds, the newest first.
    pub(super) fn bound(&mut self, bounds: NamespacedPolicies) {
        let (mut own, of_cluster): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.policies).into_iter().partition(|policy| policy.namespace.is_some());
        self.policies = of_cluster;
        // What is not stored yet is the newest of all.
        own.sort_by(|a, b| (a.created.is_none(), a.created, &a.name).cmp(&(b.created.is_none(), b.created, &b.name)));
        let (mut kept, mut kept_of) = (0, HashMap::<String, usize>::new());
        for policy in own {
            let of_namespace = kept_of.entry(policy.namespace.clone().unwrap_or_default()).or_default();
            if let Some(reason) = beyond(bounds, *of_namespace, kept) {
                self.problem_of(&policy, reason);
                continue;
            }
            *of_namespace += 1;
            kept += 1;
            self.policies.push(policy);
        }
    }
}

/// Why one more Policy would be too many, after so many of its namespace and so many in all; none if it is not.
fn beyond(bounds: NamespacedPolicies, of_namespace: usize, in_total: usize) -> Option<String> {
    let NamespacedPolicies { per_namespace, in_total: most } = bounds;
    let again = "remove one that is older, or ask whoever runs this server";
    if of_namespace >= per_namespace {
        return Some(format!(
            "the namespace has {per_namespace} Policies in force already, and no more count \
             (limits.namespacedPolicies.perNamespace): {again}"
        ));
    }
    let full = in_total >= most;
    full.then(|| {
        format!("all namespaces together have {most} Policies in force already, and no more count (limits.namespacedPolicies.inTotal): {again}")
    })
}
