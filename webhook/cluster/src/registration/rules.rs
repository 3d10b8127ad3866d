//! Wishes written as the rules of a registration: few, in a fixed order, none that another takes in, each in the form
//! that an API server accepts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use portreeve_admission::case::Operation;

use super::wanted::{Wish, is_any_or};

/// Of a rule that takes in whatever it names.
const EVERYWHERE: &str = "*";
/// Of one that takes in what lives in namespaces.
const NAMESPACED: &str = "Namespaced";
/// Of one that takes in what lives in none, as namespaces themselves do.
const CLUSTER: &str = "Cluster";
/// The resource of namespaces.
const NAMESPACES: &str = "namespaces";

/// The rules that ask for these wishes and nothing else. Wishes of one group, version and operations share a rule.
pub(super) fn rules(wishes: &BTreeSet<Wish>) -> Vec<RuleWithOperations> {
    scoped(wishes, EVERYWHERE)
}

/// The same of what lives in namespaces, and of namespaces themselves, which the API server selects by the same labels.
/// What lives in none is not among these: a selector of namespaces keeps nothing of it away.
pub(super) fn within_namespaces(wishes: &BTreeSet<Wish>) -> Vec<RuleWithOperations> {
    let takes_in = |wish: &&Wish| is_any_or(&wish.group, "") && is_any_or(&wish.resource, NAMESPACES);
    let themselves = wishes.iter().filter(takes_in);
    let named = |wish: &Wish| Wish { group: String::new(), resource: NAMESPACES.to_owned(), ..wish.clone() };
    let mut rules = scoped(wishes, NAMESPACED);
    rules.extend(scoped(&themselves.map(named).collect(), CLUSTER));
    rules
}

fn scoped(wishes: &BTreeSet<Wish>, scope: &str) -> Vec<RuleWithOperations> {
    let mut operations: BTreeMap<(&str, &str, &str), BTreeSet<Operation>> = BTreeMap::new();
    for Wish { group, version, resource, operation } in wishes {
        operations.entry((group, version, resource)).or_default().insert(*operation);
    }
    let mut resources: BTreeMap<(&str, &str, BTreeSet<Operation>), Vec<&str>> = BTreeMap::new();
    for ((group, version, resource), operations) in operations {
        resources.entry((group, version, operations)).or_default().push(resource);
    }
    resources
        .into_iter()
        .map(|((group, version, operations), names)| rule(group, version, &operations, &names, scope))
        .collect()
}

fn rule(
    group: &str,
    version: &str,
    operations: &BTreeSet<Operation>,
    resources: &[&str],
    scope: &str,
) -> RuleWithOperations {
    let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    RuleWithOperations {
        api_groups: list(&[group]),
        api_versions: list(&[version]),
        operations: Some(operations.iter().map(ToString::to_string).collect()),
        resources: list(resources),
        scope: Some(scope.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(group: &str, resource: &str, operation: Operation) -> Wish {
        Wish { group: group.into(), version: "v1".into(), resource: resource.into(), operation }
    }

    #[test]
    fn wishes_of_equal_operations_share_a_rule() {
        let wishes = BTreeSet::from([
            wish("", "pods", Operation::Create),
            wish("", "pods", Operation::Update),
            wish("", "services", Operation::Create),
            wish("", "services", Operation::Update),
            wish("", "pods/resize", Operation::Update),
            wish("apps", "deployments", Operation::Create),
        ]);
        let told = |rule: &RuleWithOperations| {
            let list = |names: &Option<Vec<String>>| names.clone().unwrap_or_default().join("+");
            format!("{}:{}:{}", list(&rule.api_groups), list(&rule.resources), list(&rule.operations))
        };
        let rules: Vec<String> = rules(&wishes).iter().map(told).collect();
        assert_eq!(rules, [":pods+services:CREATE+UPDATE", ":pods/resize:UPDATE", "apps:deployments:CREATE"]);
    }
}
