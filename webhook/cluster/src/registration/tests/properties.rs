//! A registration against the index of the set in force: what one lets through, the other shows a policy.

use portreeve_admission::case::Operation;
use portreeve_admission::matching::{Index, TEMPLATES};
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
        "object": object("new"), "oldObject": object("old"),
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
    /// What the set in force would show a policy that has a say in a decision, the API server asks about; and nothing else.
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
}
