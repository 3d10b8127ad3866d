//! A registration against the index of the set in force and the selectors of its policies: what one lets through, the
//! others show a policy.

use std::collections::BTreeMap;

use portreeve_admission::api::{Expression, Operator};
use portreeve_admission::case::{Operation, Request};
use portreeve_admission::matching::{Index, TEMPLATES, selected};
use portreeve_admission::plan::Plan;
use portreeve_admission::review::{Review, decode};
use proptest::prelude::*;

use super::*;

fn any_policy() -> impl Strategy<Value = Policy> {
    let group = prop::sample::select(vec!["", "apps", "networking.k8s.io", "*"]);
    let resource = prop::sample::select(vec![
        "pods",
        "deployments",
        "services",
        "*",
        "*/*",
        "pods/*",
        "*/scale",
        "pods/exec",
        "services/status",
        "deployments@spec",
        TEMPLATES,
    ]);
    let operation = prop::sample::select(vec!["CREATE", "UPDATE", "DELETE", "CONNECT", "*"]);
    let rule = (group, resource, operation)
        .prop_map(|(group, resource, operation)| wanting(group, resource, &[operation]).wants.remove(0));
    let mode = prop::sample::select(vec![Mode::Enforce, Mode::Warn, Mode::Audit, Mode::Off]);
    (prop::collection::vec(rule, 0..4), mode, any::<bool>(), any::<bool>()).prop_map(
        |(wants, mode, validate, mutate)| {
            let can = Abilities { validate, mutate, rewrite_images: false };
            Policy { wants, mode, can, ..policy("any") }
        },
    )
}

/// A policy that selects by labels, of the cluster or of one of two namespaces.
fn any_selecting_policy() -> impl Strategy<Value = Policy> {
    let key = prop::sample::select(vec!["a", "b", selector::NAME]);
    let operator = prop::sample::select(vec![
        Operator::In,
        Operator::In,
        Operator::NotIn,
        Operator::Exists,
        Operator::DoesNotExist,
    ]);
    let values = prop::collection::vec(prop::sample::select(vec!["1", "2", "shop", "search"]), 1..3);
    let expression = (key, operator, values).prop_map(|(key, operator, values)| {
        let takes = matches!(operator, Operator::In | Operator::NotIn);
        let values = if takes { values.into_iter().map(str::to_owned).collect() } else { Vec::new() };
        Expression { key: key.to_owned(), operator, values }
    });
    let labels =
        prop::collection::btree_map(prop::sample::select(vec!["a", "b"]), prop::sample::select(vec!["1", "2"]), 0..2);
    let selector = (labels, prop::collection::vec(expression, 0..3)).prop_map(|(labels, match_expressions)| {
        let match_labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        LabelSelector { match_labels, match_expressions }
    });
    let selector = prop::option::of(selector);
    let namespace = prop::option::of(prop::sample::select(vec!["shop", "search", "kube-system"]));
    (any_policy(), selector.clone(), selector, namespace).prop_map(|(policy, namespaces, objects, own)| Policy {
        matching: Match { namespace_selector: namespaces, object_selector: objects, ..Match::default() },
        of_namespace: own.map(str::to_owned),
        ..policy
    })
}

fn any_labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let owned = |text: &'static str| text.to_owned();
    prop::collection::btree_map(
        prop::sample::select(vec!["a", "b"]).prop_map(owned),
        prop::sample::select(vec!["1", "2", "3"]).prop_map(owned),
        0..3,
    )
}

/// What the API server would ask about such a request.
struct Asked<'a> {
    group: &'a str,
    resource: &'a str,
    /// None of what lives in none.
    namespace: Option<&'a BTreeMap<String, String>>,
    object: &'a BTreeMap<String, String>,
    operation: Operation,
}

impl Asked<'_> {
    /// How many entries of decisions take it in, as an API server reads them.
    fn by(&self, registration: &Registration) -> usize {
        let scope = if self.namespace.is_some() && self.resource != "namespaces" { "Namespaced" } else { "Cluster" };
        let takes_in = |entry: &&Entry| {
            let mut scoped = (*entry).clone();
            scoped.rules.retain(|rule| rule.scope.as_deref() == Some("*") || rule.scope.as_deref() == Some(scope));
            takes_in(&scoped, self.group, self.resource, self.operation)
                && self.namespace.is_none_or(|labels| selector::lets_in(&entry.namespaces, labels))
                && selector::lets_in(&entry.objects, self.object)
        };
        registration.of_call(Call::Validate).filter(takes_in).count()
    }
}

/// Whether a rule of the entry takes in this resource and operation, as an API server reads it.
fn takes_in(entry: &Entry, group: &str, resource: &str, operation: Operation) -> bool {
    let (name, part) = resource.split_once('/').map_or((resource, None), |(name, part)| (name, Some(part)));
    let has =
        |names: &Option<Vec<String>>, wanted: &str| names.iter().flatten().any(|name| name == "*" || name == wanted);
    let resource_in = |written: &String| match written.split_once('/') {
        Some((known, known_part)) => (known == "*" || known == name) && part == Some(known_part),
        None => part.is_none() && (written == "*" || written == name),
    };
    entry.rules.iter().any(|rule| {
        has(&rule.api_groups, group)
            && has(&rule.operations, &operation.to_string())
            && rule.resources.iter().flatten().any(resource_in)
    })
}

/// A CREATE or UPDATE of such an object, as the index of the set in force would see it.
fn review(group: &str, kind: &str, resource: &str, operation: Operation) -> Review {
    let (name, part) = resource.split_once('/').map_or((resource, None), |(name, part)| (name, Some(part)));
    let object =
        |image: &str| json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": {"a": image}}, "a": image}});
    let mut request = json!({
        "uid": "1", "operation": operation, "namespace": "shop",
        "object": object("new"), "oldObject": (operation == Operation::Update).then(|| object("old")),
        "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": name},
    });
    if let Some(part) = part {
        request["subResource"] = json!(part);
    }
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    decode(review.to_string().as_bytes()).unwrap()
}

proptest! {
    /// What the set in force would show a policy that has a say in a decision, the API server asks about; and nothing
    /// else.
    #[test]
    fn exactly_what_a_policy_would_see_is_asked_about(policies in prop::collection::vec(any_policy(), 0..4)) {
        let deciding: Vec<Policy> = policies.iter().filter(|policy| policy.can.validate).cloned().collect();
        let index = Index::new(&deciding, []);
        let paths = TemplatePaths::default();
        let entry = registered(&policies).validating;
        for (group, kind, resource) in [
            ("", "Pod", "pods"),
            ("", "Pod", "pods/ephemeralcontainers"),
            ("", "Pod", "pods/status"),
            ("apps", "Deployment", "deployments"),
            ("autoscaling", "Scale", "deployments/scale"),
            ("", "Service", "services"),
            ("networking.k8s.io", "Ingress", "ingresses"),
        ] {
            for operation in [Operation::Create, Operation::Update, Operation::Delete] {
                if resource == "pods/ephemeralcontainers" && operation == Operation::Create {
                    continue; // No API server sends that.
                }
                let review = review(group, kind, resource, operation);
                let plan = Plan::of(&review, &paths);
                let seen = !index.candidates(&review, plan, &paths).is_empty();
                prop_assert_eq!(takes_in(&entry, group, resource, operation), seen, "{} {} {}", kind, resource, operation);
            }
        }
    }

    #[test]
    fn rules_are_such_as_an_api_server_accepts(policies in prop::collection::vec(any_policy(), 0..4)) {
        let registration = registered(&policies);
        for entry in registration.entries() {
            for rule in &entry.rules {
                let resources = rule.resources.clone().unwrap();
                let starred = resources.iter().any(|name| name == "*");
                prop_assert!(!starred || resources.iter().all(|name| name == "*" || name.contains('/')));
                for part in resources.iter().filter_map(|name| name.strip_prefix("*/")) {
                    let same = resources.iter().filter(|name| name.ends_with(&format!("/{part}")));
                    prop_assert_eq!(same.count(), 1, "{:?}", &resources);
                }
                prop_assert!(!rule.operations.clone().unwrap().is_empty());
            }
        }
    }

    /// Whatever a policy selects the API server asks about, and asks once, whosever policy it is.
    #[test]
    fn whatever_a_policy_selects_is_asked_about_once(
        policies in prop::collection::vec(any_selecting_policy(), 0..5),
        labels in any_labels(),
        object in any_labels(),
        name in prop::sample::select(vec!["shop", "search", "other"]),
    ) {
        let deciding: Vec<Policy> = policies.iter().filter(|policy| policy.can.validate).cloned().collect();
        let index = Index::new(&deciding, ["kube-system".to_owned()]);
        let (paths, registration) = (TemplatePaths::default(), registered(&policies));
        let mut of_namespace = labels;
        of_namespace.insert(selector::NAME.to_owned(), name.to_owned());
        for (group, kind, resource, namespaced) in [
            ("", "Pod", "pods", true),
            ("apps", "Deployment", "deployments", true),
            ("", "Service", "services", true),
            ("", "Namespace", "namespaces", true),
            ("networking.k8s.io", "IngressClass", "ingressclasses", false),
        ] {
            let its_own = if kind == "Namespace" { &of_namespace } else { &object };
            let mut review = review(group, kind, resource, Operation::Create);
            let namespace = namespaced.then(|| name.to_owned());
            review.request = Request { namespace, ..(*review.request).clone() }.into();
            review.meta.labels.clone_from(its_own);
            let plan = Plan::of(&review, &paths);
            let seen = selected(&deciding, &index.candidates(&review, plan, &paths), &review, Some(&of_namespace));
            let namespace = namespaced.then_some(&of_namespace);
            let asked = Asked { group, resource, namespace, object: its_own, operation: Operation::Create };
            let times = asked.by(&registration);
            prop_assert!(times <= 1, "{} {}", kind, name);
            prop_assert!(seen.is_empty() || times == 1, "{} {}: {:?}", kind, name, &registration);
        }
    }
}
