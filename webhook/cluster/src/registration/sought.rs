//! What of the objects that are there already the policies in force want to see: the same wishes as a registration's, read
//! for objects in place of requests. Nothing is listed here.

use std::collections::BTreeSet;

use portreeve_admission::case::{GroupVersionResource, Operation};
use portreeve_admission::policy::Policy;

use super::condition::{Spared, by_star_alone};
use super::wanted::{ANY, Wanted, Wish, split, takes_part};
use super::{Call, Demand};

/// What a scan looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    templates: BTreeSet<Wish>,
    named: BTreeSet<Wish>,
    spared: BTreeSet<Spared>,
    excluded: BTreeSet<String>,
}

/// Why the objects of a resource are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// For their pod templates alone.
    Templates,
    /// A policy named the resource.
    Named,
}

/// Groups that only speak of other objects: what is written into them is never judged again.
const REPORTS: [&str; 2] = ["openreports.io", "wgpolicyk8s.io"];

impl Sought {
    /// What these policies would see if all that is there were created now.
    #[must_use]
    pub fn of(demand: &Demand<'_>) -> Self {
        let policies: Vec<&Policy> =
            demand.policies.iter().filter(|policy| takes_part(policy, Call::Validate)).collect();
        let wanted = Wanted::of(&policies, Call::Validate, demand.paths, demand.served);
        let spared = by_star_alone(&wanted);
        Self {
            templates: standing(wanted.templates),
            named: standing(wanted.named),
            spared,
            excluded: demand.excluded.clone(),
        }
    }

    /// Why objects of a resource, in its version, are looked at; none if they are not.
    #[must_use]
    pub fn reason(&self, resource: &GroupVersionResource) -> Option<Reason> {
        let asked = wish(resource);
        let spared = |spared: &Spared| {
            spared.group == resource.group && (spared.resource == ANY || spared.resource == resource.resource)
        };
        if REPORTS.contains(&resource.group.as_str()) || self.spared.iter().any(spared) {
            return None;
        }
        let covered = |wishes: &BTreeSet<Wish>| wishes.iter().any(|wish| wish.covers(&asked));
        match (covered(&self.named), covered(&self.templates)) {
            (true, _) => Some(Reason::Named),
            (false, true) => Some(Reason::Templates),
            (false, false) => None,
        }
    }

    /// Namespaces that no policy sees.
    pub fn excluded(&self) -> impl Iterator<Item = &str> {
        self.excluded.iter().map(String::as_str)
    }
}

/// Wishes for objects as they stand. Whether a policy asked for their creation or their change, it wants to see them;
/// what is connected to stands nowhere.
fn standing(wishes: BTreeSet<Wish>) -> BTreeSet<Wish> {
    let whole = wishes.into_iter().filter(|wish| {
        wish.operation != Operation::Connect && (wish.resource == ANY || split(&wish.resource).1.is_none())
    });
    whole.map(|wish| Wish { operation: Operation::Create, ..wish }).collect()
}

fn wish(resource: &GroupVersionResource) -> Wish {
    let GroupVersionResource { group, version, resource } = resource.clone();
    Wish { group, version, resource, operation: Operation::Create }
}

#[cfg(test)]
mod tests {
    use portreeve_admission::api::FailurePolicy;
    use portreeve_admission::subject::TemplatePaths;

    use super::super::Served;
    use super::super::tests::{policy, wanting};
    use super::*;

    fn sought(policies: &[Policy]) -> Sought {
        Sought::of(&Demand {
            policies,
            paths: &TemplatePaths::default(),
            excluded: &["kube-system".to_owned()].into(),
            failure_policy: FailurePolicy::Fail,
            served: &Served::default(),
            user: None,
        })
    }

    fn reason(policies: &[Policy], group: &str, version: &str, resource: &str) -> Option<Reason> {
        let (group, version, resource) = (group.to_owned(), version.to_owned(), resource.to_owned());
        sought(policies).reason(&GroupVersionResource { group, version, resource })
    }

    #[test]
    fn every_kind_with_a_template_is_sought_for_it() {
        let policies = [policy("p")];
        assert_eq!(reason(&policies, "apps", "v1", "deployments"), Some(Reason::Templates));
        assert_eq!(reason(&policies, "", "v1", "pods"), Some(Reason::Templates));
        assert_eq!(reason(&policies, "ray.io", "v1", "rayclusters"), Some(Reason::Templates));
        assert_eq!(reason(&policies, "", "v1", "configmaps"), None);
    }

    #[test]
    fn what_a_policy_names_is_sought_for_itself_whatever_operation_it_named() {
        let policies = [wanting("", "services", &["UPDATE"]), policy("p")];
        assert_eq!(reason(&policies, "", "v1", "services"), Some(Reason::Named));
        assert_eq!(reason(&policies, "", "v1", "pods"), Some(Reason::Templates));
    }

    #[test]
    fn what_is_only_connected_to_or_deleted_is_not_sought() {
        let policies = [wanting("", "pods/exec", &["CONNECT"]), wanting("", "services", &["DELETE"])];
        assert_eq!(reason(&policies, "", "v1", "pods"), None);
        assert_eq!(reason(&policies, "", "v1", "services"), None);
    }

    #[test]
    fn a_star_takes_in_neither_what_a_cluster_comes_back_by_nor_reports() {
        let mut policies = [wanting("*", "*", &["*"])];
        policies[0].wants[0].versions = vec!["*".to_owned()];
        assert_eq!(reason(&policies, "", "v1", "configmaps"), Some(Reason::Named));
        assert_eq!(reason(&policies, "coordination.k8s.io", "v1", "leases"), None);
        assert_eq!(reason(&policies, "", "v1", "events"), None);
        assert_eq!(reason(&policies, "openreports.io", "v1alpha1", "reports"), None);
    }

    #[test]
    fn nothing_is_sought_of_a_policy_that_only_edits() {
        let mut editing = policy("p");
        editing.can.validate = false;
        assert_eq!(reason(&[editing], "apps", "v1", "deployments"), None);
    }
}
