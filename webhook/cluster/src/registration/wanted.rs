//! What policies want to see, in single wishes: one resource with or without a subresource, one operation. Stars stay
//! where a policy wrote them; what is never judged (`admission::plan`) is no wish. How wishes are written as rules is
//! told in `rules`.

use std::collections::BTreeSet;

use portreeve_admission::api::{Match, Resources};
use portreeve_admission::case::{GroupVersionKind, GroupVersionResource, Operation};
use portreeve_admission::matching::{TEMPLATES, of_spec, whole};
use portreeve_admission::plan::{CONNECTED_SUBRESOURCES, JUDGED_SUBRESOURCES};
use portreeve_admission::policy::{Policy, ResourceRule};
use portreeve_admission::subject::{Edited, TemplatePaths};

use super::Call;
use super::served::Served;

/// One resource and one operation that a policy wants to see; `*` is any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wish {
    pub(super) group: String,
    pub(super) version: String,
    /// With its subresource, as in `pods/exec`.
    pub(super) resource: String,
    pub(super) operation: Operation,
}

/// All wishes of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Of policies of pod templates.
    pub(super) templates: BTreeSet<Wish>,
    /// Of policies that name resources, which see them whatever of them changes.
    pub(super) named: BTreeSet<Wish>,
    /// Of policies that name resources of which only the spec tells them something.
    pub(super) of_spec: BTreeSet<Wish>,
}

/// Any name.
pub(super) const ANY: &str = "*";

/// Whether a policy has a say in a call at all.
pub(super) fn takes_part(policy: &Policy, call: Call) -> bool {
    match call {
        Call::Mutate => policy.edits(),
        Call::Validate => !policy.is_off() && policy.can.validate,
    }
}

/// Which of a policy's own `match.resources` leave it nothing to see, by their places in the list.
#[must_use]
pub fn idle_rules(policy: &Policy, paths: &TemplatePaths, served: &Served) -> Vec<usize> {
    let is_idle = |rule: &Resources| {
        let matching = Match { resources: vec![rule.clone()], ..Match::default() };
        let alone = Policy { matching, ..policy.clone() };
        Call::ALL.into_iter().all(|call| Wanted::of(&[&alone], call, paths, served).all().is_empty())
    };
    let rules = policy.matching.resources.iter().enumerate();
    rules.filter(|(_, rule)| is_idle(rule)).map(|(place, _)| place).collect()
}

impl Wanted {
    /// What these policies want of a call.
    pub(super) fn of(policies: &[&Policy], call: Call, paths: &TemplatePaths, served: &Served) -> Self {
        let mut wanted = Self::default();
        for policy in policies {
            let within = |wishes: Vec<Wish>| wishes.into_iter().flat_map(|wish| wish.within(&policy.matching));
            if policy.wants.is_empty() {
                wanted.templates.extend(within(of_templates(call, paths, served)));
            }
            for rule in &policy.wants {
                match is_of_templates(rule) {
                    true => wanted.templates.extend(within(of_templates(call, paths, served))),
                    false => {
                        wanted.named.extend(within(of_rule(rule, call, whole)));
                        wanted.of_spec.extend(within(of_rule(rule, call, of_spec)));
                    }
                }
            }
        }
        wanted
    }

    /// All of them, without those that others take in.
    pub(super) fn all(&self) -> BTreeSet<Wish> {
        let all: BTreeSet<&Wish> = self.templates.iter().chain(&self.named).chain(&self.of_spec).collect();
        let alone = |wish: &&&Wish| !all.iter().any(|other| other != *wish && other.covers(wish));
        all.iter().filter(alone).map(|wish| (*wish).clone()).collect()
    }

    /// Whether a policy that names resources sees this one, whatever of it changes.
    pub(super) fn names(&self, wish: &Wish) -> bool {
        self.named.iter().any(|named| named.covers_any_version(wish))
    }

    /// Whether one that looks at its spec does.
    pub(super) fn names_spec(&self, wish: &Wish) -> bool {
        self.of_spec.iter().any(|named| named.covers_any_version(wish))
    }
}

impl Wish {
    /// Whether it takes in all that the other one does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        is_any_or(&self.version, &other.version) && self.covers_any_version(other)
    }

    /// What of it a policy lets itself be asked about: one wish for each of its own rules that has a part in it.
    fn within(self, matching: &Match) -> Vec<Self> {
        if !(matching.operations.is_empty() || matching.operations.contains(&self.operation)) {
            return Vec::new();
        }
        if matching.resources.is_empty() {
            return vec![self];
        }
        let rules = matching.resources.iter();
        rules.flat_map(|rule| self.common(rule)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn common(&self, rule: &Resources) -> Vec<Self> {
        let mut common = Vec::new();
        for group in rule.api_groups.iter().filter_map(|name| common_name(&self.group, name)) {
            for version in rule.api_versions.iter().filter_map(|name| common_name(&self.version, name)) {
                let resources = rule.resources.iter().filter_map(|name| common_resource(&self.resource, name));
                let wish = |resource| Self { group: group.clone(), version: version.clone(), resource, ..self.clone() };
                common.extend(resources.map(wish));
            }
        }
        common
    }

    fn covers_any_version(&self, other: &Self) -> bool {
        let (resource, subresource) = split(&self.resource);
        let (others, others_part) = split(&other.resource);
        self.operation == other.operation
            && is_any_or(&self.group, &other.group)
            && is_any_or(resource, others)
            && subresource == others_part
    }
}

pub(super) fn split(resource: &str) -> (&str, Option<&str>) {
    resource.split_once('/').map_or((resource, None), |(resource, part)| (resource, Some(part)))
}

/// The name that both stand for, if there is one.
fn common_name(one: &str, other: &str) -> Option<String> {
    match (one, other) {
        (ANY, name) | (name, ANY) => Some(name.to_owned()),
        _ => (one == other).then(|| one.to_owned()),
    }
}

/// The same of a wish's resource and a rule's, which may name every subresource.
fn common_resource(wish: &str, rule: &str) -> Option<String> {
    let ((resource, part), (ruled, ruled_part)) = (split(wish), split(rule));
    let name = common_name(resource, ruled)?;
    match (part, ruled_part) {
        (None, None) => Some(name),
        (None, Some(ANY)) => (ruled == ANY).then_some(name),
        (Some(part), Some(ruled)) => common_name(part, ruled).map(|part| format!("{name}/{part}")),
        _ => None,
    }
}

pub(super) fn is_any_or(name: &str, other: &str) -> bool {
    name == ANY || name == other
}

fn is_of_templates(rule: &ResourceRule) -> bool {
    rule.resources.iter().any(|resource| resource == TEMPLATES)
}

/// Every kind that has templates, where it is created and changed. For defaults, not those that are left as they are.
fn of_templates(call: Call, paths: &TemplatePaths, served: &Served) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (group, kind) in paths.kinds() {
        let named = GroupVersionKind { group: group.to_owned(), version: String::new(), kind: kind.to_owned() };
        if call == Call::Mutate && paths.edited(&named) == Edited::AtPods {
            continue;
        }
        let GroupVersionResource { group, version, resource } = served.resource(&named);
        let wish = |resource: &str, operation| Wish {
            group: group.clone(),
            version: version.clone(),
            resource: resource.to_owned(),
            operation,
        };
        wishes.extend(WRITING.map(|operation| wish(&resource, operation)));
        if (group.as_str(), kind) == ("", "Pod") {
            let parts = JUDGED_SUBRESOURCES.iter().filter(|part| is_open_to(call, part));
            wishes.extend(parts.map(|part| wish(&format!("{resource}/{part}"), Operation::Update)));
        }
    }
    wishes
}

const WRITING: [Operation; 2] = [Operation::Create, Operation::Update];

/// Of a pod that is resized nothing may be edited.
fn is_open_to(call: Call, subresource: &str) -> bool {
    call == Call::Validate || subresource == "ephemeralcontainers"
}

/// What of a rule is ever judged, each resource by itself, of those resources that this takes.
fn of_rule(rule: &ResourceRule, call: Call, taken: impl Fn(&str) -> Option<&str>) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for operation in rule.operations.iter().flat_map(|name| operations(name, call)) {
        let taken = rule.resources.iter().filter_map(|name| taken(name));
        for resource in taken.flat_map(|name| judged(name, operation, call)) {
            for group in &rule.groups {
                let wish = |version: &String| Wish {
                    group: group.clone(),
                    version: version.clone(),
                    resource: resource.clone(),
                    operation,
                };
                wishes.extend(rule.versions.iter().map(wish));
            }
        }
    }
    wishes
}

/// What is never held up or, for defaults, never edited, is not asked for: no end of an object, no connection.
fn operations(name: &str, call: Call) -> Vec<Operation> {
    let asked: &[Operation] = match call {
        Call::Mutate => &WRITING,
        Call::Validate => &[Operation::Create, Operation::Update, Operation::Connect],
    };
    asked.iter().copied().filter(|operation| name == ANY || name == operation.to_string()).collect()
}

/// The resource with each of its subresources that are judged in this operation.
fn judged(resource: &str, operation: Operation, call: Call) -> Vec<String> {
    let connecting = operation == Operation::Connect;
    let parts: &[&str] = if connecting { &CONNECTED_SUBRESOURCES } else { &JUDGED_SUBRESOURCES };
    let of = |name: &str, part: &str| -> Vec<String> {
        let parts = parts.iter().filter(|known| (part == ANY || part == **known) && is_open_to(call, known));
        parts.map(|known| format!("{name}/{known}")).collect()
    };
    match split(resource) {
        // What is connected to is always a subresource.
        (_, None) if connecting => Vec::new(),
        (name, None) => vec![name.to_owned()],
        (ANY, Some(ANY)) if !connecting => [ANY.to_owned()].into_iter().chain(of(ANY, ANY)).collect(),
        (name, Some(part)) => of(name, part),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn within(wish: (&str, &str, &str), matching: Value) -> Vec<String> {
        let (group, version, resource) = (wish.0.to_owned(), wish.1.to_owned(), wish.2.to_owned());
        let wish = Wish { group, version, resource, operation: Operation::Create };
        let matching = serde_json::from_value(matching).unwrap();
        wish.within(&matching).iter().map(|wish| format!("{}/{}/{}", wish.group, wish.version, wish.resource)).collect()
    }

    #[test]
    fn what_a_policy_leaves_out_is_not_asked_for() {
        let deployments = ("apps", "v1", "deployments");
        for (matching, left) in [
            (json!({}), vec!["apps/v1/deployments"]),
            (json!({"operations": ["UPDATE"]}), vec![]),
            (json!({"operations": ["CREATE"]}), vec!["apps/v1/deployments"]),
            (json!({"resources": [{"resources": ["pods", "deployments"]}]}), vec!["apps/v1/deployments"]),
            (json!({"resources": [{"apiGroups": ["batch"], "resources": ["*"]}]}), vec![]),
            (json!({"resources": [{"resources": ["deployments/*"]}]}), vec![]),
            (json!({"resources": [{"resources": ["*"]}, {"resources": ["*/*"]}]}), vec!["apps/v1/deployments"]),
        ] {
            assert_eq!(within(deployments, matching.clone()), left, "{matching}");
        }
    }

    #[test]
    fn a_rule_that_names_nothing_that_the_policy_looks_at_is_idle() {
        let resources = json!([
            {"resources": ["deployments"]},
            {"resources": ["deploymnets"]},
            {"apiGroups": ["batch"], "resources": ["deployments"]},
            {"resources": ["pods/ephemeralcontainers"]},
            {"resources": ["configmaps"]},
            {"resources": ["*"]},
        ]);
        let matching: Match = serde_json::from_value(json!({"resources": resources})).unwrap();
        let policy = Policy { matching, ..super::super::tests::policy("p") };
        assert_eq!(idle_rules(&policy, &TemplatePaths::default(), &Served::default()), [1, 2, 4]);
    }

    #[test]
    fn of_a_star_only_what_the_policy_names_is_asked_for() {
        let named =
            json!({"resources": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["services", "pods"]}]});
        assert_eq!(within(("*", "*", "*"), named.clone()), ["/v1/pods", "/v1/services"]);
        assert_eq!(within(("*", "*", "*/resize"), named), [""; 0]);
        let parts = json!({"resources": [{"resources": ["pods/*"]}]});
        assert_eq!(within(("*", "*", "*/resize"), parts), ["*/*/pods/resize"]);
    }
}
