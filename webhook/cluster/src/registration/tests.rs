//! What a registration asks for: nothing that no policy wants, nothing that is never judged, and the words of it.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_admission::api::{LabelSelector, Match, Mode};
use portreeve_admission::case::{GroupVersionKind, GroupVersionResource};
use portreeve_admission::policy::{Abilities, ResourceRule};
use portreeve_certs::FolderContents;
use serde_json::{Value, json};

use super::*;

mod properties;
mod selectors;

/// A policy of pod templates that finds violations and makes edits.
pub(super) fn policy(id: &str) -> Policy {
    Policy {
        id: id.to_owned(),
        of_namespace: None,
        mode: Mode::Enforce,
        mutate: true,
        failure_policy: FailurePolicy::Fail,
        timeout: Duration::from_secs(2),
        matching: Match::default(),
        rollout: Vec::new(),
        wants: Vec::new(),
        can: Abilities { validate: true, mutate: true, rewrite_images: false },
        facts: BTreeSet::new(),
    }
}

/// The same, of a resource of one group.
pub(super) fn wanting(group: &str, resource: &str, operations: &[&str]) -> Policy {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (groups, versions, resources) = (list(&[group]), list(&["v1"]), list(&[resource]));
    let rule = ResourceRule { groups, versions, resources, operations: list(operations) };
    Policy { wants: vec![rule], ..policy("named") }
}

pub(super) fn registered(policies: &[Policy]) -> Registration {
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
        assert!(registration.entries().all(|entry| entry.rules.is_empty()));
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
        [&registration.mutating, &registration.validating].map(|entry| !entry.rules.is_empty())
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

pub(super) fn selecting(label: &str) -> Policy {
    let selector =
        LabelSelector { match_labels: [(label.to_owned(), "yes".to_owned())].into(), ..LabelSelector::default() };
    let matching =
        Match { namespace_selector: Some(selector.clone()), object_selector: Some(selector), ..Match::default() };
    Policy { matching, ..policy(label) }
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
fn a_kind_that_is_named_for_its_spec_is_not_asked_about_when_that_stays_or_the_control_plane_scales_it() {
    let named = wanting("apps", "deployments@spec", &["UPDATE"]);
    let entry = registered(&[policy("p"), named.clone()]).validating;
    assert!(asked(&entry).contains(&"apps/v1 deployments UPDATE".to_owned()), "{:?}", asked(&entry));
    let templates = expression(&entry, "changed-templates").unwrap();
    assert!(!templates.contains("'apps/Deployment'") && templates.contains("'apps/StatefulSet'"));
    let specs = expression(&entry, "changed-specs").unwrap();
    for said in ["'apps/Deployment'", "object.?spec == oldObject.?spec", "'system:serviceaccount:kube-system:'"] {
        assert!(specs.contains(said), "{said}: {specs}");
    }
    assert!(!specs.contains("'apps/StatefulSet'"));
    let whole = registered(&[named, wanting("apps", "deployments", &["UPDATE"])]).validating;
    assert!(!whole.conditions.iter().any(|condition| matches!(condition, Condition::ChangedSpecs { .. })));
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
        let entry = &object["webhooks"][0];
        assert_eq!(entry["name"], format!("{call}.portreeve.dev"));
        assert_eq!(entry["clientConfig"]["url"], format!("https://127.0.0.1:1/{call}/t"));
        assert_eq!(entry["sideEffects"], "NoneOnDryRun");
        assert_eq!(entry["matchPolicy"], "Equivalent");
        assert_eq!(entry["failurePolicy"], "Fail");
        assert_eq!(entry["admissionReviewVersions"], json!(["v1"]));
    }
    assert_eq!(mutating["webhooks"][0]["reinvocationPolicy"], "IfNeeded");
    assert_eq!(mutating["webhooks"].as_array().unwrap().len(), 1);
}

#[test]
fn changes_of_our_own_resources_never_wait_for_us_but_for_exceptions_and_the_switch_that_drops_denials() {
    let [_, validating] = written(Endpoint::Url("https://127.0.0.1:1".to_owned()), Some("t"));
    let [_, resources, exceptions, break_glass] = validating["webhooks"].as_array().unwrap().as_slice() else {
        panic!()
    };
    for entry in [resources, exceptions, break_glass] {
        assert_eq!(entry["clientConfig"]["url"], "https://127.0.0.1:1/resources/t");
        assert_eq!(entry["rules"][0]["apiGroups"], json!(["portreeve.dev"]));
    }
    assert_eq!(
        (&resources["name"], &resources["failurePolicy"]),
        (&json!("resources.portreeve.dev"), &json!("Ignore"))
    );
    assert_eq!(resources["rules"][0]["resources"], json!(["clusterpolicies", "policysets", "policies"]));
    let names = (&exceptions["name"], &exceptions["failurePolicy"], &exceptions["rules"][0]["resources"]);
    assert_eq!(names, (&json!("exceptions.portreeve.dev"), &json!("Fail"), &json!(["policyexceptions"])));
    assert_eq!(exceptions["rules"][0]["operations"], json!(["CREATE", "UPDATE"]));
    let condition = &exceptions["matchConditions"][0]["expression"];
    assert_eq!(condition, "oldObject == null || object.?spec != oldObject.?spec");
    let names = (&break_glass["name"], &break_glass["failurePolicy"], &break_glass["rules"][0]["resources"]);
    assert_eq!(names, (&json!("break-glass.portreeve.dev"), &json!("Fail"), &json!(["policysets"])));
    let condition = break_glass["matchConditions"][0]["expression"].as_str().unwrap();
    for key in ["portreeve.dev/break-glass-until", "portreeve.dev/break-glass-reason"] {
        let changed = format!("object.metadata.annotations['{key}'] : '') != (has(oldObject.metadata.annotations)");
        assert!(condition.contains(&changed), "{condition}");
    }
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
fn what_replicas_serve_with_is_what_is_registered() {
    let endpoint = Endpoint::Url("https://127.0.0.1:1".to_owned());
    assert_eq!(Site::serving("pr", endpoint.clone(), &FolderContents::default()), None);
    let files = [("ca-bundle.crt", "PEM"), ("token", "t")].map(|(name, text)| (name.to_owned(), text.into()));
    let site = Site::serving("pr", endpoint, &FolderContents::of(files)).unwrap();
    assert_eq!((site.ca_bundle.as_slice(), site.token.as_deref()), (&b"PEM"[..], Some("t")));
}

#[test]
fn the_token_is_not_shown() {
    let endpoint = Endpoint::Url("https://127.0.0.1:1".to_owned());
    let site = Site { name: "pr".into(), endpoint, ca_bundle: Vec::new(), token: Some("secret".into()) };
    assert!(!format!("{site:?}").contains("secret"));
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
