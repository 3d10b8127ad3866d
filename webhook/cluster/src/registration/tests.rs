//! What a registration asks for: nothing that no policy wants, nothing that is never judged, and the words of it.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_admission::api::{LabelSelector, Match, Mode};
use portreeve_admission::case::{GroupVersionKind, GroupVersionResource, Operation};
use portreeve_admission::matching::TEMPLATES;
use portreeve_admission::policy::{Abilities, ResourceRule};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A policy of pod templates that finds violations and makes edits.
fn policy(id: &str) -> Policy {
    Policy {
        id: id.to_owned(),
        mode: Mode::Enforce,
        mutate: true,
        failure_policy: FailurePolicy::Fail,
        timeout: Duration::from_secs(2),
        matching: Match::default(),
        wants: Vec::new(),
        can: Abilities { validate: true, mutate: true, rewrite_images: false },
        facts: BTreeSet::new(),
    }
}

/// The same, of a resource of one group.
fn wanting(group: &str, resource: &str, operations: &[&str]) -> Policy {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (groups, versions, resources) = (list(&[group]), list(&["v1"]), list(&[resource]));
    let rule = ResourceRule { groups, versions, resources, operations: list(operations) };
    Policy { wants: vec![rule], ..policy("named") }
}

fn registered(policies: &[Policy]) -> Registration {
    registered_with(policies, &TemplatePaths::default(), &Served::default())
}

fn registered_with(policies: &[Policy], paths: &TemplatePaths, served: &Served) -> Registration {
    Registration::of(&Demand {
        policies,
        paths,
        excluded: &["kube-node-lease", "kube-system", "portreeve"].map(str::to_owned).into(),
        failure_policy: FailurePolicy::Fail,
        served,
        user: Some("system:serviceaccount:portreeve:portreeve"),
    })
}

/// `group/version resource OPERATION` of each thing that is asked for, in order.
fn asked(entry: &Entry) -> Vec<String> {
    let mut all = Vec::new();
    for rule in &entry.rules {
        let [groups, versions, resources, operations] =
            [&rule.api_groups, &rule.api_versions, &rule.resources, &rule.operations]
                .map(|names| names.clone().unwrap_or_default());
        for resource in resources {
            all.extend(
                operations.iter().map(|operation| format!("{}/{} {resource} {operation}", groups[0], versions[0])),
            );
        }
    }
    all
}

fn expression(entry: &Entry, name: &str) -> Option<String> {
    entry.conditions.iter().find(|condition| condition.name() == name).map(Condition::expression)
}

#[test]
fn nothing_is_asked_where_no_policy_is_in_force() {
    let off = Policy { mode: Mode::Off, ..policy("off") };
    for policies in [vec![], vec![off]] {
        let registration = registered(&policies);
        assert!(registration.entries().into_iter().all(|entry| entry.rules.is_empty()));
    }
}

#[test]
fn a_policy_of_templates_is_asked_about_every_kind_that_has_them() {
    let asked = asked(&registered(&[policy("p")]).validating);
    for wanted in [
        "/v1 pods CREATE",
        "/v1 pods UPDATE",
        "/v1 pods/ephemeralcontainers UPDATE",
        "/v1 pods/resize UPDATE",
        "apps/v1 replicasets UPDATE",
        "batch/v1 cronjobs CREATE",
        "argoproj.io/* workflows CREATE",
    ] {
        assert!(asked.iter().any(|one| one == wanted), "{wanted}");
    }
    assert!(
        !asked.iter().any(|one| one.contains("DELETE") || one.starts_with("/v1 services") || one.contains("/scale"))
    );
}

#[test]
fn defaults_are_put_in_where_something_may_be_edited() {
    let asked = asked(&registered(&[policy("p")]).mutating);
    assert!(asked.contains(&"/v1 pods/ephemeralcontainers UPDATE".to_owned()));
    for not_edited in ["/v1 pods/resize UPDATE", "argoproj.io/* workflows CREATE", "grove.io/* podcliquesets CREATE"] {
        assert!(!asked.contains(&not_edited.to_owned()), "{not_edited}");
    }
}

#[test]
fn a_policy_takes_part_where_it_has_something_to_say() {
    let of = |policy: Policy| {
        let registration = registered(&[policy]);
        registration.entries().map(|entry| !entry.rules.is_empty())
    };
    let only = |validate, mutate| Abilities { validate, mutate, rewrite_images: false };
    assert_eq!(of(Policy { can: only(true, false), ..policy("finds") }), [false, true]);
    assert_eq!(of(Policy { can: only(false, true), ..policy("edits") }), [true, false]);
    assert_eq!(of(Policy { mutate: false, ..policy("audits") }), [false, true]);
}

#[test]
fn what_is_never_judged_is_not_asked_for() {
    let asked_of =
        |resource: &str, operations: &[&str]| asked(&registered(&[wanting("", resource, operations)]).validating);
    assert_eq!(asked_of("services", &["DELETE"]), [""; 0]);
    assert_eq!(asked_of("services/status", &["UPDATE"]), [""; 0]);
    assert_eq!(asked_of("services", &["CONNECT"]), [""; 0]);
    assert_eq!(asked_of("pods/exec", &["CONNECT"]), ["/v1 pods/exec CONNECT"]);
    assert_eq!(asked_of("pods/*", &["UPDATE"]), ["/v1 pods/ephemeralcontainers UPDATE", "/v1 pods/resize UPDATE"]);
    let connected = ["/v1 */attach CONNECT", "/v1 */exec CONNECT", "/v1 */portforward CONNECT", "/v1 */proxy CONNECT"];
    let created = ["/v1 * CREATE", "/v1 */ephemeralcontainers CREATE", "/v1 */resize CREATE"];
    assert_eq!(asked_of("*/*", &["CREATE", "CONNECT"]), [&created[..], &connected[..]].concat());
}

#[test]
fn what_a_star_takes_in_is_asked_for_once() {
    let policies = [wanting("", "*", &["CREATE"]), wanting("", "services", &["CREATE"])];
    assert_eq!(asked(&registered(&policies).validating), ["/v1 * CREATE"]);
}

#[test]
fn a_kind_is_asked_for_in_the_one_version_that_the_api_server_prefers() {
    let mut served = Served::default();
    served.insert(
        "Rollout",
        GroupVersionResource { group: "argoproj.io".into(), version: "v1alpha1".into(), resource: "rollouts".into() },
    );
    let registration = registered_with(&[policy("p")], &TemplatePaths::default(), &served);
    let rollouts: Vec<String> =
        asked(&registration.validating).into_iter().filter(|one| one.contains("rollouts")).collect();
    assert_eq!(rollouts, ["argoproj.io/v1alpha1 rollouts CREATE", "argoproj.io/v1alpha1 rollouts UPDATE"]);
}

#[test]
fn excluded_namespaces_are_never_asked_about() {
    let registration = registered(&[policy("p")]);
    for entry in registration.entries() {
        let requirements = entry.namespaces.match_expressions.clone().unwrap();
        assert_eq!((requirements[0].key.as_str(), requirements[0].operator.as_str()), (selector::NAME, "NotIn"));
        assert_eq!(requirements[0].values.clone().unwrap(), ["kube-node-lease", "kube-system", "portreeve"]);
    }
}

fn selecting(label: &str) -> Policy {
    let selector =
        LabelSelector { match_labels: [(label.to_owned(), "yes".to_owned())].into(), ..LabelSelector::default() };
    let matching = Match { namespace_selector: Some(selector.clone()), object_selector: Some(selector) };
    Policy { matching, ..policy(label) }
}

#[test]
fn selectors_are_the_api_servers_where_all_policies_have_the_same() {
    let same = registered(&[selecting("a"), selecting("a")]).validating;
    assert_eq!(same.namespaces.match_labels.unwrap()["a"], "yes");
    assert_eq!(same.objects.match_labels.unwrap()["a"], "yes");
    for policies in [vec![selecting("a"), selecting("b")], vec![selecting("a"), policy("all")]] {
        let different = registered(&policies).validating;
        assert_eq!((different.namespaces.match_labels, different.objects.match_labels), (None, None));
    }
}

#[test]
fn a_template_that_stays_as_it_was_is_not_asked_about() {
    let entry = registered(&[policy("p")]).validating;
    let expression = expression(&entry, "changed-templates").unwrap();
    for said in ["'apps/Deployment'", "'/Pod'", "object.?spec.?template == oldObject.?spec.?template"] {
        assert!(expression.contains(said), "{said}: {expression}");
    }
    for branching in ["JobSet", "RayCluster", "Workflow'"] {
        assert!(!expression.contains(branching), "{branching}: {expression}");
    }
}

#[test]
fn an_object_that_a_policy_names_is_asked_about_whatever_of_it_changes() {
    let entry = registered(&[policy("p"), wanting("apps", "deployments", &["UPDATE"])]).validating;
    let expression = expression(&entry, "changed-templates").unwrap();
    assert!(!expression.contains("'apps/Deployment'") && expression.contains("'apps/StatefulSet'"));
    let starred = registered(&[policy("p"), wanting("*", "*", &["UPDATE"])]).validating;
    assert!(!starred.conditions.iter().any(|condition| matches!(condition, Condition::ChangedTemplates { .. })));
}

#[test]
fn what_a_controller_owns_is_judged_and_not_edited() {
    let registration = registered(&[policy("p")]);
    assert!(registration.mutating.conditions.contains(&Condition::NotOwned));
    assert!(!registration.validating.conditions.contains(&Condition::NotOwned));
}

#[test]
fn a_star_takes_in_nothing_that_a_cluster_comes_back_by() {
    let entry = registered(&[wanting("*", "*", &["CREATE"])]).validating;
    let expression = expression(&entry, "not-recovery").unwrap();
    for spared in ["'coordination.k8s.io'", "'/nodes'", "'authentication.k8s.io'", "'portreeve.dev'"] {
        assert!(expression.contains(spared), "{spared}: {expression}");
    }
    let named = [wanting("*", "*", &["CREATE"]), wanting("", "nodes", &["CREATE"])];
    let entry = registered(&named).validating;
    assert!(!self::expression(&entry, "not-recovery").unwrap().contains("'/nodes'"));
}

#[test]
fn we_do_not_ask_ourselves() {
    let entry = registered(&[policy("p")]).validating;
    assert!(expression(&entry, "not-ourselves").unwrap().contains("system:serviceaccount:portreeve:portreeve"));
}

#[test]
fn the_api_server_waits_as_long_as_a_policy_may_take() {
    let waits = |seconds: u64| {
        let slow = Policy { timeout: Duration::from_secs(seconds), ..policy("slow") };
        registered(&[slow, policy("p")]).validating.timeout_seconds
    };
    assert_eq!([waits(1), waits(5), waits(10), waits(30)], [10, 10, 16, 30]);
}

fn written(endpoint: Endpoint, token: Option<&str>) -> [Value; 2] {
    let site = Site { name: "pr".to_owned(), endpoint, ca_bundle: b"PEM".to_vec(), token: token.map(str::to_owned) };
    let configurations = registered(&[policy("p")]).at(&site);
    [json!(configurations.mutating), json!(configurations.validating)]
}

#[test]
fn there_is_one_entry_of_each_kind_with_the_words_that_are_promised() {
    let [mutating, validating] = written(Endpoint::Url("https://127.0.0.1:1".to_owned()), Some("t"));
    for (object, call) in [(&mutating, "mutate"), (&validating, "validate")] {
        let entries = object["webhooks"].as_array().unwrap();
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert_eq!(entry["name"], format!("{call}.portreeve.dev"));
        assert_eq!(entry["clientConfig"]["url"], format!("https://127.0.0.1:1/{call}/t"));
        assert_eq!(entry["sideEffects"], "NoneOnDryRun");
        assert_eq!(entry["matchPolicy"], "Equivalent");
        assert_eq!(entry["failurePolicy"], "Fail");
        assert_eq!(entry["admissionReviewVersions"], json!(["v1"]));
    }
    assert_eq!(mutating["webhooks"][0]["reinvocationPolicy"], "IfNeeded");
}

#[test]
fn a_service_is_named_with_the_path_and_the_token() {
    let endpoint = Endpoint::Service { namespace: "portreeve".into(), name: "portreeve".into(), port: 443 };
    let [mutating, _] = written(endpoint.clone(), Some("secret"));
    let client = &mutating["webhooks"][0]["clientConfig"];
    assert_eq!(
        client["service"],
        json!({"namespace": "portreeve", "name": "portreeve", "port": 443, "path": "/mutate/secret"})
    );
    assert_eq!(client["caBundle"], "UEVN");
    let [mutating, _] = written(endpoint, None);
    assert_eq!(mutating["webhooks"][0]["clientConfig"]["service"]["path"], "/mutate");
}

#[test]
fn the_token_is_not_shown() {
    let endpoint = Endpoint::Url("https://127.0.0.1:1".to_owned());
    let site = Site { name: "pr".into(), endpoint, ca_bundle: Vec::new(), token: Some("secret".into()) };
    assert!(!format!("{site:?}").contains("secret"));
}

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
fn review(group: &str, kind: &str, resource: &str, operation: Operation) -> portreeve_admission::review::Review {
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
    portreeve_admission::review::decode(review.to_string().as_bytes()).unwrap()
}

proptest! {
    /// What the set in force would show a policy that has a say in a decision, the API server asks about; and nothing else.
    #[test]
    fn exactly_what_a_policy_would_see_is_asked_about(policies in prop::collection::vec(any_policy(), 0..4)) {
        let deciding: Vec<Policy> = policies.iter().filter(|policy| policy.can.validate).cloned().collect();
        let index = portreeve_admission::matching::Index::new(&deciding, []);
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
                let plan = portreeve_admission::plan::Plan::of(&review, &paths);
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

mod doctor {
    use std::collections::BTreeMap;

    use super::*;
    use crate::registration::doctor::{Advice, Certificates, Danger, Finding, Harm, Surroundings, examine};

    fn findings(registration: &Registration, namespaces: &[&str]) -> Vec<Finding> {
        let namespaces: BTreeMap<_, _> = namespaces.iter().map(|name| ((*name).to_owned(), BTreeMap::new())).collect();
        let certificates = Certificates::Own;
        examine(registration, &Surroundings { own_namespace: Some("portreeve"), namespaces: &namespaces, certificates })
    }

    const USUAL: [&str; 4] = ["default", "kube-system", "kube-node-lease", "portreeve"];

    #[test]
    fn the_usual_registration_holds_up_nothing() {
        assert_eq!(findings(&registered(&[policy("p"), wanting("*", "*", &["*"])]), &USUAL), []);
    }

    #[test]
    fn leases_that_a_policy_names_are_found_and_refused() {
        let found = findings(&registered(&[wanting("coordination.k8s.io", "leases", &["UPDATE"])]), &USUAL);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].to_string().contains("coordination.k8s.io"), "{}", found[1]);
        assert_eq!(found[1].advice(Certificates::Own), Advice::Refuse);
    }

    #[test]
    fn our_own_namespace_and_the_control_planes_are_found_where_they_are_not_excluded() {
        let registration = Registration::of(&Demand {
            policies: &[policy("p")],
            paths: &TemplatePaths::default(),
            excluded: &BTreeSet::new(),
            failure_policy: FailurePolicy::Fail,
            served: &Served::default(),
            user: None,
        });
        let found = findings(&registration, &USUAL);
        let refused = |danger: &dyn Fn(&Danger) -> bool| {
            found.iter().any(|finding| danger(&finding.danger) && finding.advice(Certificates::Own) == Advice::Refuse)
        };
        assert!(refused(&|danger| *danger == Danger::OwnNamespace("portreeve".into())));
        assert!(refused(&|danger| matches!(danger, Danger::Namespace { name, .. } if name == "kube-system")));
        assert!(!refused(&|danger| matches!(danger, Danger::Namespace { name, .. } if name == "default")));
    }

    #[test]
    fn a_certificate_controller_is_vital_where_it_makes_our_certificate() {
        let found = findings(&registered(&[policy("p")]), &["cert-manager"]);
        let advice = |certificates| found.iter().map(|finding| finding.advice(certificates)).max().unwrap();
        assert_eq!(advice(Certificates::Own), Advice::Warn);
        assert_eq!(advice(Certificates::InCluster), Advice::Refuse);
        assert!(found[0].to_string().contains("excludedNamespaces"), "{}", found[0]);
    }

    #[test]
    fn a_namespace_that_no_policy_selects_is_not_held_up() {
        assert_eq!(findings(&registered(&[selecting("watched")]), &["cert-manager"]), []);
    }

    #[test]
    fn where_failures_pass_things_only_wait() {
        let mut registration = registered(&[wanting("", "nodes", &["UPDATE"])]);
        registration.mutating.failure_policy = FailurePolicy::Ignore;
        registration.validating.failure_policy = FailurePolicy::Ignore;
        let found = findings(&registration, &USUAL);
        assert!(found.iter().all(|finding| finding.harm == Harm::Delayed(10)));
        assert!(found.iter().all(|finding| finding.advice(Certificates::Own) == Advice::Warn));
    }
}

#[test]
fn a_kind_that_is_added_is_asked_about() {
    let mut paths = TemplatePaths::default();
    paths.add("example.org", "Widget", "/spec/template".parse().unwrap());
    let registration = registered_with(&[policy("p")], &paths, &Served::default());
    assert!(asked(&registration.mutating).contains(&"example.org/* widgets CREATE".to_owned()));
    let kind = GroupVersionKind { group: "example.org".into(), version: "v1".into(), kind: "Widget".into() };
    assert!(paths.has(&kind));
}
