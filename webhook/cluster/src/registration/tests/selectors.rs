//! Where an entry asks: in the namespaces and about the objects that policies select, as far as a selector can say it,
//! and of what a namespace asks of itself nowhere else.

use portreeve_admission::api::{Expression, Operator};

use super::*;

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

/// A policy of the namespaces and objects that have one of these values.
fn of_values(key: &str, values: &[&str]) -> Policy {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    let expression = Expression { key: key.to_owned(), operator: Operator::In, values };
    let selector = LabelSelector { match_expressions: vec![expression], ..LabelSelector::default() };
    let matching =
        Match { namespace_selector: Some(selector.clone()), object_selector: Some(selector), ..Match::default() };
    Policy { matching, ..policy(key) }
}

/// What a namespace asks of itself.
pub(super) fn of_namespace(name: &str, policy: Policy) -> Policy {
    Policy { id: format!("{name}/own"), of_namespace: Some(name.to_owned()), mutate: false, ..policy }
}

/// `key operator values` of each requirement.
fn required(selector: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector) -> Vec<String> {
    let expressions = selector.match_expressions.iter().flatten();
    let words = expressions.map(|expression| {
        let values = expression.values.clone().unwrap_or_default().join("+");
        format!("{} {} {values}", expression.key, expression.operator).trim_end().to_owned()
    });
    words.collect()
}

const OUTSIDE: &str = "kubernetes.io/metadata.name NotIn kube-node-lease+kube-system+portreeve";

#[test]
fn values_of_one_label_are_put_together() {
    let policies = [of_values("part-of", &["search", "shop"]), selecting("part-of"), of_values("part-of", &["shop"])];
    let entry = registered(&policies).validating;
    assert_eq!(required(&entry.namespaces), [OUTSIDE, "part-of In search+shop+yes"]);
    assert_eq!(required(&entry.objects), ["part-of In search+shop+yes"]);
}

#[test]
fn of_several_requirements_those_stay_that_all_policies_have() {
    let also = |mut policy: Policy, operator, key: &str| {
        let expression = Expression { key: key.to_owned(), operator, values: Vec::new() };
        policy.matching.namespace_selector.as_mut().unwrap().match_expressions.push(expression);
        policy
    };
    let exists = also(also(of_values("a", &["1"]), Operator::Exists, "b"), Operator::DoesNotExist, "c");
    let entry = registered(&[exists, also(of_values("a", &["2"]), Operator::Exists, "b")]).validating;
    assert_eq!(required(&entry.namespaces), [OUTSIDE, "a In 1+2", "b Exists"]);
}

#[test]
fn what_a_namespace_asks_of_itself_is_asked_about_there_alone() {
    let registration = registered(&[selecting("a"), of_namespace("shop", policy("own"))]);
    let [own] = registration.of_namespaces.as_slice() else { panic!("{:?}", registration.of_namespaces) };
    assert_eq!(own.name(), "namespaces.validate.portreeve.dev");
    assert_eq!(required(&own.namespaces), ["kubernetes.io/metadata.name In shop"]);
    assert_eq!(own.objects, k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector::default());
    let elsewhere = "kubernetes.io/metadata.name NotIn kube-node-lease+kube-system+portreeve+shop";
    assert_eq!(required(&registration.validating.namespaces), [elsewhere]);
    assert_eq!(registration.validating.namespaces.match_labels.as_ref().unwrap()["a"], "yes");
    assert_eq!(registration.mutating, registered(&[selecting("a")]).mutating);
}

#[test]
fn a_namespace_that_asks_for_no_more_than_the_cluster_has_no_entry_of_its_own() {
    for (of_cluster, own) in [
        (policy("all"), policy("own")),
        (policy("all"), selecting("a")),
        (of_values(selector::NAME, &["shop"]), of_values(selector::NAME, &["shop"])),
    ] {
        let registration = registered(&[of_cluster.clone(), of_namespace("shop", own)]);
        assert_eq!(registration, registered(&[of_cluster]));
    }
}

#[test]
fn an_excluded_namespace_is_not_asked_about_by_what_it_asks_of_itself() {
    let registration = registered(&[selecting("a"), of_namespace("kube-system", policy("own"))]);
    assert_eq!(registration, registered(&[selecting("a")]));
}

#[test]
fn what_is_registered_of_namespaces_is_reached_anew_like_the_rest() {
    let site = |token: &str| Site {
        name: "pr".to_owned(),
        endpoint: Endpoint::Url("https://127.0.0.1:1".to_owned()),
        ca_bundle: b"PEM".to_vec(),
        token: Some(token.to_owned()),
    };
    let registration = registered(&[selecting("a"), of_namespace("shop", policy("own"))]);
    let renewed = registration.at(&site("old")).at(&site("new"));
    assert_eq!(renewed, registration.at(&site("new")));
    assert_eq!(renewed.validating.webhooks.unwrap().len(), 5);
}
