//! What of the objects that are there already the policies in force want to see: the same wishes as a registration's,
//! read for objects in place of requests, and kept for each policy. Nothing is listed here.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::case::{GroupVersionResource, Operation};
use portreeve_admission::policy::Policy;

use super::condition::{Spared, by_star_alone};
use super::wanted::{ANY, Wanted, Wish, split, takes_part};
use super::{Call, Demand};

/// What a scan looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// Policies by what they wish for: many wish for the same.
    wished: BTreeMap<Wishes, BTreeSet<String>>,
    spared: BTreeSet<Spared>,
    excluded: BTreeSet<String>,
}

/// What a policy wishes to see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wishes {
    templates: BTreeSet<Wish>,
    named: BTreeSet<Wish>,
}

/// Which policies look at the objects of a resource, by their ids. Some do so for both reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seekers {
    /// Those that look at their pod templates.
    pub templates: BTreeSet<String>,
    /// Those that named the resource.
    pub named: BTreeSet<String>,
}

impl Seekers {
    /// Whether some of them learn at the controller of such an object what there is to learn: those that look at the
    /// templates of both.
    #[must_use]
    pub fn leave_to(&self, controller: &Self) -> bool {
        !self.templates.is_disjoint(&controller.templates)
    }

    /// Those that have to look at such an object itself, although these look at its controller.
    #[must_use]
    pub fn not_at<'a>(&'a self, controller: &Self) -> BTreeSet<&'a str> {
        let is_left = |policy: &&String| self.templates.contains(*policy) && controller.templates.contains(*policy);
        self.templates.union(&self.named).filter(|policy| !is_left(policy)).map(String::as_str).collect()
    }
}

/// Groups that only speak of other objects: what is written into them is never judged again.
const REPORTS: [&str; 2] = ["openreports.io", "wgpolicyk8s.io"];

impl Sought {
    /// What these policies would see if all that is there were created now.
    #[must_use]
    pub fn of(demand: &Demand<'_>) -> Self {
        let policies: Vec<&Policy> =
            demand.policies.iter().filter(|policy| takes_part(policy, Call::Validate)).collect();
        let wanted = |policies: &[&Policy]| Wanted::of(policies, Call::Validate, demand.paths, demand.served);
        let mut wished: BTreeMap<Wishes, BTreeSet<String>> = BTreeMap::new();
        for policy in &policies {
            let Wanted { templates, mut named, of_spec } = wanted(&[*policy]);
            named.extend(of_spec);
            let wishes = Wishes { templates: standing(templates), named: standing(named) };
            wished.entry(wishes).or_default().insert(policy.id.clone());
        }
        Self { wished, spared: by_star_alone(&wanted(&policies)), excluded: demand.excluded.clone() }
    }

    /// Who looks at the objects of a resource, in its version; none if nobody does.
    #[must_use]
    pub fn seekers(&self, resource: &GroupVersionResource) -> Option<Seekers> {
        let asked = wish(resource);
        let spared = |spared: &Spared| {
            spared.group == resource.group && (spared.resource == ANY || spared.resource == resource.resource)
        };
        if REPORTS.contains(&resource.group.as_str()) || self.spared.iter().any(spared) {
            return None;
        }
        let who = |of: fn(&Wishes) -> &BTreeSet<Wish>| {
            let all = self.wished.iter().filter(|(wishes, _)| of(wishes).iter().any(|wish| wish.covers(&asked)));
            all.flat_map(|(_, policies)| policies).cloned().collect()
        };
        let seekers = Seekers { templates: who(|wishes| &wishes.templates), named: who(|wishes| &wishes.named) };
        (seekers != Seekers::default()).then_some(seekers)
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
    use portreeve_admission::matching::TEMPLATES;
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

    fn seekers(policies: &[Policy], group: &str, version: &str, resource: &str) -> Option<Seekers> {
        let (group, version, resource) = (group.to_owned(), version.to_owned(), resource.to_owned());
        sought(policies).seekers(&GroupVersionResource { group, version, resource })
    }

    fn who(templates: &[&str], named: &[&str]) -> Seekers {
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        Seekers { templates: set(templates), named: set(named) }
    }

    /// One of templates that names a resource too.
    fn both(group: &str, resource: &str) -> Policy {
        let mut policy = wanting(group, TEMPLATES, &["*"]);
        policy.wants.extend(wanting(group, resource, &["UPDATE"]).wants);
        Policy { id: "both".to_owned(), ..policy }
    }

    #[test]
    fn every_kind_with_a_template_is_sought_for_it() {
        let policies = [policy("p")];
        for (group, resource) in [("apps", "deployments"), ("", "pods"), ("ray.io", "rayclusters")] {
            assert_eq!(seekers(&policies, group, "v1", resource), Some(who(&["p"], &[])), "{resource}");
        }
        assert_eq!(seekers(&policies, "", "v1", "configmaps"), None);
    }

    #[test]
    fn what_a_policy_names_is_sought_for_itself_whatever_operation_it_named() {
        let policies = [wanting("", "services", &["UPDATE"]), policy("p")];
        assert_eq!(seekers(&policies, "", "v1", "services"), Some(who(&[], &["named"])));
        assert_eq!(seekers(&policies, "", "v1", "pods"), Some(who(&["p"], &[])));
    }

    #[test]
    fn a_kind_that_is_named_is_sought_for_its_template_all_the_same() {
        let policies = [policy("p"), both("apps", "deployments"), wanting("apps", "deployments", &["CREATE"])];
        let found = seekers(&policies, "apps", "v1", "deployments");
        assert_eq!(found, Some(who(&["both", "p"], &["both", "named"])));
    }

    #[test]
    fn only_a_policy_that_sees_both_templates_leaves_an_object_to_its_controller() {
        let deployments = who(&["p", "both"], &["both", "named"]);
        for (child, left, here) in [
            (who(&["p"], &[]), true, vec![]),
            (who(&["p", "both"], &["both"]), true, vec![]),
            (who(&["p"], &["named"]), true, vec!["named"]),
            (who(&["p", "of-pods"], &[]), true, vec!["of-pods"]),
            (who(&[], &["named"]), false, vec!["named"]),
        ] {
            assert_eq!(child.leave_to(&deployments), left, "{child:?}");
            assert_eq!(child.not_at(&deployments).into_iter().collect::<Vec<_>>(), here, "{child:?}");
        }
    }

    #[test]
    fn what_is_only_connected_to_or_deleted_is_not_sought() {
        let policies = [wanting("", "pods/exec", &["CONNECT"]), wanting("", "services", &["DELETE"])];
        assert_eq!(seekers(&policies, "", "v1", "pods"), None);
        assert_eq!(seekers(&policies, "", "v1", "services"), None);
    }

    #[test]
    fn a_star_takes_in_neither_what_a_cluster_comes_back_by_nor_reports() {
        let mut policies = [wanting("*", "*", &["*"])];
        policies[0].wants[0].versions = vec!["*".to_owned()];
        assert_eq!(seekers(&policies, "", "v1", "configmaps"), Some(who(&[], &["named"])));
        assert_eq!(seekers(&policies, "coordination.k8s.io", "v1", "leases"), None);
        assert_eq!(seekers(&policies, "", "v1", "events"), None);
        assert_eq!(seekers(&policies, "openreports.io", "v1alpha1", "reports"), None);
    }

    #[test]
    fn nothing_is_sought_of_a_policy_that_only_edits() {
        let mut editing = policy("p");
        editing.can.validate = false;
        assert_eq!(seekers(&[editing], "apps", "v1", "deployments"), None);
    }
}
