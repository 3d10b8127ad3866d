//! Which policies a review meets: an index worked out when the set is loaded. What no policy wants costs one look-up.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::case::Operation;
use crate::plan::Plan;
use crate::policy::{Policy, ResourceRule};
use crate::review::Review;
use crate::subject::TemplatePaths;

/// A resource that no API server has: among the resources of a rule it stands for every kind that has a pod template,
/// whatever groups, versions and operations the rule names.
pub const TEMPLATES: &str = "@templates";

/// Behind a resource of a rule: of its updates only those that change the object's `spec`, as `deployments@spec`.
const OF_SPEC: &str = "@spec";

/// The resource that a rule names, if it wants to see all of it.
#[must_use]
pub fn whole(resource: &str) -> Option<&str> {
    (!resource.ends_with(OF_SPEC)).then_some(resource)
}

/// The resource that a rule names, if it wants to see its spec alone.
#[must_use]
pub fn of_spec(resource: &str) -> Option<&str> {
    resource.strip_suffix(OF_SPEC)
}

/// The index over a set of policies.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Policies of pod templates, whatever the kind.
    templates: Vec<usize>,
    /// Policies of named resources, whatever of them changes.
    whole: Named,
    /// Policies of named resources that look at their spec alone.
    of_spec: Named,
    /// Namespaces that no policy sees.
    excluded: HashSet<String>,
}

/// Policies of named resources.
#[derive(Debug, Clone, Default)]
struct Named {
    /// By (group, version, resource with subresource, operation).
    exact: HashMap<(String, String, String, Operation), Vec<usize>>,
    /// Those whose rules hold a star, which no key can stand for.
    starred: Vec<(ResourceRule, usize)>,
}

impl Index {
    /// The index of these policies, in their order.
    #[must_use]
    pub fn new(policies: &[Policy], excluded: impl IntoIterator<Item = String>) -> Self {
        let mut index = Self { excluded: excluded.into_iter().collect(), ..Self::default() };
        for (position, policy) in policies.iter().enumerate().filter(|(_, policy)| !policy.is_off()) {
            let (templates, named): (Vec<_>, Vec<_>) = policy.wants.iter().partition(|rule| is_of_templates(rule));
            if policy.wants.is_empty() || !templates.is_empty() {
                index.templates.push(position);
            }
            for rule in named {
                let (whole, of_spec) = by_part(rule);
                index.whole.add(&whole, position);
                index.of_spec.add(&of_spec, position);
            }
        }
        index
    }

    /// Positions of the policies that see the review, in order. Selectors are yet to be asked.
    #[must_use]
    pub fn candidates(&self, review: &Review, plan: Plan, paths: &TemplatePaths) -> Vec<usize> {
        if plan == Plan::Pass || self.excludes(review) {
            return Vec::new();
        }
        let mut found = Vec::new();
        if plan != Plan::Unchanged && paths.has(&review.request.kind) {
            found.extend(&self.templates);
        }
        found.extend(self.whole.positions(review));
        let mut of_spec = self.of_spec.positions(review).peekable();
        if of_spec.peek().is_some() && !leaves_spec(review, plan) {
            found.extend(of_spec);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether no policy sees the namespace of the review.
    #[must_use]
    pub fn excludes(&self, review: &Review) -> bool {
        review.request.namespace.as_ref().is_some_and(|namespace| self.excluded.contains(namespace))
    }

    /// Namespaces that no policy sees.
    pub fn excluded(&self) -> impl Iterator<Item = &str> {
        self.excluded.iter().map(String::as_str)
    }
}

impl Named {
    fn positions(&self, review: &Review) -> impl Iterator<Item = usize> {
        let exact = self.exact.get(&key(review)).into_iter().flatten().copied();
        let starred = self.starred.iter().filter(|(rule, _)| rule.names(review)).map(|(_, position)| *position);
        exact.chain(starred)
    }

    fn add(&mut self, rule: &ResourceRule, position: usize) {
        let lists = [&rule.groups, &rule.versions, &rule.resources, &rule.operations];
        if lists.iter().any(|names| names.iter().any(|name| name.contains('*'))) {
            self.starred.push((rule.clone(), position));
            return;
        }
        for group in &rule.groups {
            for version in &rule.versions {
                for resource in &rule.resources {
                    for operation in rule.operations.iter().filter_map(|name| operation(name)) {
                        let key = (group.clone(), version.clone(), resource.clone(), operation);
                        self.exact.entry(key).or_default().push(position);
                    }
                }
            }
        }
    }
}

/// The positions, among the candidates, of the policies whose selectors match. Where the labels of the namespace are
/// not known, those that ask for them are among these: they can't be passed over, and can't judge.
#[must_use]
pub fn selected(
    policies: &[Policy],
    candidates: &[usize],
    review: &Review,
    namespace_labels: Option<&BTreeMap<String, String>>,
) -> Vec<usize> {
    let namespace_labels = labels_that_count(review, namespace_labels);
    let selects = |policy: &Policy| policy.selects(review, namespace_labels);
    candidates.iter().copied().filter(|position| policies.get(*position).is_some_and(selects)).collect()
}

/// The labels by which a review's namespace is selected, of those that are known of it: a Namespace is matched by the
/// labels that it has itself, as the API server matches it.
#[must_use]
pub fn labels_that_count<'a>(
    review: &'a Review,
    known: Option<&'a BTreeMap<String, String>>,
) -> Option<&'a BTreeMap<String, String>> {
    if is_namespace(review) { Some(&review.meta.labels) } else { known }
}

/// Whether the review is about a Namespace.
#[must_use]
pub fn is_namespace(review: &Review) -> bool {
    review.request.kind.group.is_empty() && review.request.kind.kind == "Namespace"
}

fn is_of_templates(rule: &ResourceRule) -> bool {
    rule.resources.iter().any(|resource| resource == TEMPLATES)
}

/// A rule of what it wants to see whole, and one of what it wants to see of specs.
fn by_part(rule: &ResourceRule) -> (ResourceRule, ResourceRule) {
    let of = |taken: fn(&str) -> Option<&str>| {
        let resources = rule.resources.iter().filter_map(|resource| taken(resource)).map(str::to_owned);
        ResourceRule { resources: resources.collect(), ..rule.clone() }
    };
    (of(whole), of(of_spec))
}

/// Whether it is an update that leaves the object's spec as it was, or how the control plane carries one out that was
/// judged before: it scales what it made, of the same template.
fn leaves_spec(review: &Review, plan: Plan) -> bool {
    let request = &review.request;
    if request.operation != Operation::Update || request.subresource.is_some() {
        return false;
    }
    let (Some(new), Some(old)) = (&review.object, &review.old_object) else { return false };
    (plan == Plan::Unchanged && request.is_by_control_plane()) || new.value().get("spec") == old.value().get("spec")
}

fn key(review: &Review) -> (String, String, String, Operation) {
    let request = &review.request;
    (request.resource.group.clone(), request.resource.version.clone(), request.resource_path(), request.operation)
}

fn operation(name: &str) -> Option<Operation> {
    [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect]
        .into_iter()
        .find(|operation| operation.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{FailurePolicy, LabelSelector, Match, Mode};
    use crate::case::GroupVersionKind;
    use crate::decision::tests::policy;
    use crate::policy::Stage;
    use serde_json::json;

    fn review(group: &str, kind: &str, resource: &str, namespace: &str) -> Review {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "operation": "CREATE", "namespace": namespace,
            "object": {"metadata": {"labels": {"tier": "web"}}, "spec": {}},
            "kind": {"group": group, "version": "v1", "kind": kind},
            "resource": {"group": group, "version": "v1", "resource": resource},
        }});
        crate::review::decode(review.to_string().as_bytes()).unwrap()
    }

    fn wanting(resource: &str) -> Policy {
        let rule = ResourceRule {
            groups: vec!["networking.k8s.io".into()],
            versions: vec!["v1".into()],
            resources: vec![resource.into()],
            operations: vec!["CREATE".into()],
        };
        Policy { wants: vec![rule], ..policy("ingress", Mode::Enforce, FailurePolicy::Fail) }
    }

    fn candidates(policies: &[Policy], review: &Review) -> Vec<usize> {
        let paths = TemplatePaths::default();
        Index::new(policies, ["kube-system".to_owned()]).candidates(review, Plan::of(review, &paths), &paths)
    }

    #[test]
    fn a_policy_of_templates_sees_every_kind_that_has_one() {
        let policies = [policy("p", Mode::Enforce, FailurePolicy::Fail)];
        assert_eq!(candidates(&policies, &review("apps", "Deployment", "deployments", "shop")), [0]);
        assert_eq!(candidates(&policies, &review("", "ConfigMap", "configmaps", "shop")), [0; 0]);
    }

    #[test]
    fn a_policy_of_named_resources_sees_only_those() {
        for rule in ["ingresses", "*"] {
            let policies = [wanting(rule)];
            assert_eq!(candidates(&policies, &review("networking.k8s.io", "Ingress", "ingresses", "shop")), [0]);
            assert_eq!(candidates(&policies, &review("apps", "Deployment", "deployments", "shop")), [0; 0]);
        }
    }

    #[test]
    fn stars_among_resources_mean_what_they_mean_to_the_api_server() {
        let sees = |rule: &str, subresource: Option<&str>| {
            let mut review = review("networking.k8s.io", "Ingress", "ingresses", "shop");
            std::sync::Arc::make_mut(&mut review.request).subresource = subresource.map(str::to_owned);
            let index = Index::new(&[wanting(rule)], []);
            !index.candidates(&review, Plan::Unchanged, &TemplatePaths::default()).is_empty()
        };
        for (rule, itself, its_scale) in [
            ("*", true, false),
            ("*/*", true, true),
            ("ingresses", true, false),
            ("ingresses/*", false, true),
            ("ingresses/scale", false, true),
            ("*/scale", false, true),
            ("*/status", false, false),
            ("services/*", false, false),
        ] {
            assert_eq!((sees(rule, None), sees(rule, Some("scale"))), (itself, its_scale), "{rule}");
        }
    }

    #[test]
    fn a_policy_of_specs_sees_neither_a_label_nor_how_the_control_plane_scales_what_it_made() {
        let update = |user: &str, new: serde_json::Value| {
            let replica_set =
                GroupVersionKind { group: "apps".to_owned(), version: "v1".to_owned(), kind: "ReplicaSet".to_owned() };
            let old = json!({"metadata": {}, "spec": {"replicas": 1, "template": {"spec": {"containers": []}}}});
            let mut new_object = old.clone();
            new.as_object()
                .unwrap()
                .iter()
                .for_each(|(at, value)| *new_object.pointer_mut(at).unwrap() = value.clone());
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                "uid": "1", "operation": "UPDATE", "namespace": "shop", "userInfo": {"username": user},
                "object": new_object, "oldObject": old, "kind": replica_set,
                "resource": {"group": "apps", "version": "v1", "resource": "replicasets"},
            }})
        };
        let sees = |user: &str, new: serde_json::Value| {
            let mut policy = wanting("replicasets@spec");
            policy.wants[0].groups = vec!["apps".to_owned()];
            policy.wants[0].operations = vec!["UPDATE".to_owned()];
            let mut starred = policy.clone();
            starred.wants[0].versions = vec!["*".to_owned()];
            let review = crate::review::decode(update(user, new).to_string().as_bytes()).unwrap();
            candidates(&[policy, starred], &review).len()
        };
        let controller = "system:serviceaccount:kube-system:deployment-controller";
        assert_eq!(sees("mary", json!({"/metadata": {"labels": {"tier": "web"}}})), 0);
        assert_eq!(sees("mary", json!({"/spec/replicas": 3})), 2);
        assert_eq!(sees(controller, json!({"/spec/replicas": 3})), 0);
        assert_eq!(sees(controller, json!({"/spec/template": {"spec": {"containers": [{"name": "app"}]}}})), 2);
    }

    #[test]
    fn a_policy_may_want_every_template_and_a_resource_besides() {
        let every = || vec!["*".to_owned()];
        let templates = ResourceRule {
            groups: every(),
            versions: every(),
            resources: vec![TEMPLATES.to_owned()],
            operations: every(),
        };
        let mut both = wanting("ingresses");
        both.wants.push(templates);
        assert_eq!(candidates(&[both.clone()], &review("networking.k8s.io", "Ingress", "ingresses", "shop")), [0]);
        assert_eq!(candidates(&[both.clone()], &review("apps", "Deployment", "deployments", "shop")), [0]);
        assert_eq!(candidates(&[both], &review("", "ConfigMap", "configmaps", "shop")), [0; 0]);
    }

    #[test]
    fn a_namespace_is_selected_by_its_own_labels() {
        let tier =
            LabelSelector { match_labels: [("tier".to_owned(), "web".to_owned())].into(), ..LabelSelector::default() };
        let matching = Match { namespace_selector: Some(tier), ..Match::default() };
        let policies = [Policy { matching, ..policy("p", Mode::Enforce, FailurePolicy::Fail) }];
        let namespace = review("", "Namespace", "namespaces", "shop");
        assert_eq!(selected(&policies, &[0], &namespace, None).len(), 1);
        assert_eq!(selected(&policies, &[0], &review("", "Pod", "pods", "shop"), Some(&BTreeMap::new())).len(), 0);
    }

    #[test]
    fn no_policy_sees_an_excluded_namespace() {
        let policies = [policy("p", Mode::Enforce, FailurePolicy::Fail)];
        assert_eq!(candidates(&policies, &review("apps", "DaemonSet", "daemonsets", "kube-system")), [0; 0]);
        let index = Index::new(&policies, ["kube-system".to_owned()]);
        assert_eq!(index.excluded().collect::<Vec<_>>(), ["kube-system"]);
    }

    #[test]
    fn a_policy_that_is_off_sees_nothing() {
        let policies = [policy("p", Mode::Off, FailurePolicy::Fail)];
        assert_eq!(candidates(&policies, &review("apps", "Deployment", "deployments", "shop")), [0; 0]);
    }

    #[test]
    fn the_first_stage_counts_and_the_strictest_where_nobody_knows_the_namespace() {
        let stage = |label: &str, mode| {
            let labels = [("stage".to_owned(), label.to_owned())].into();
            let selector = LabelSelector { match_labels: labels, ..LabelSelector::default() };
            Stage { selector, mode, mutate: false }
        };
        let rollout = vec![stage("a", Mode::Warn), stage("b", Mode::Enforce), stage("b", Mode::Off)];
        let rolled_out = Policy { rollout, ..policy("p", Mode::Audit, FailurePolicy::Fail) };
        let review = review("apps", "Deployment", "deployments", "shop");
        let in_stage = |label: &str| {
            let labels = [("stage".to_owned(), label.to_owned())].into();
            rolled_out.standing(&review, Some(&labels))
        };
        assert_eq!((in_stage("a"), in_stage("b"), in_stage("c")), (0, 1, 3));
        assert_eq!(rolled_out.standing(&review, None), 1);
        assert_eq!((rolled_out.mildest(), rolled_out.is_off()), (Mode::Off, false));
        let modes: Vec<Mode> = rolled_out.standings().iter().map(|standing| standing.mode).collect();
        assert_eq!(modes, [Mode::Warn, Mode::Enforce, Mode::Off, Mode::Audit]);
    }

    #[test]
    fn a_policy_that_is_off_but_somewhere_sees_what_is_there() {
        let stage = Stage { selector: LabelSelector::default(), mode: Mode::Audit, mutate: false };
        let policies = [Policy { rollout: vec![stage], ..policy("p", Mode::Off, FailurePolicy::Fail) }];
        assert_eq!(candidates(&policies, &review("apps", "Deployment", "deployments", "shop")), [0]);
    }

    #[test]
    fn selectors_ask_the_labels_of_namespace_and_object() {
        let select = |key: &str, value: &str| LabelSelector {
            match_labels: [(key.to_owned(), value.to_owned())].into(),
            ..LabelSelector::default()
        };
        let by = |namespace, object| {
            let matching = Match { namespace_selector: namespace, object_selector: object, ..Match::default() };
            vec![Policy { matching, ..policy("p", Mode::Enforce, FailurePolicy::Fail) }]
        };
        let labels = [("team".to_owned(), "a".to_owned())].into();
        let review = review("apps", "Deployment", "deployments", "shop");
        let count = |policies: &[Policy]| selected(policies, &[0], &review, Some(&labels)).len();
        assert_eq!(count(&by(Some(select("team", "a")), Some(select("tier", "web")))), 1);
        assert_eq!(count(&by(Some(select("team", "b")), None)), 0);
        assert_eq!(count(&by(None, Some(select("tier", "db")))), 0);
    }
}
