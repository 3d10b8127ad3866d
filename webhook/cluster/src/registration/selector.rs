//! Which namespaces and objects an entry asks about: none that no policy sees, and where all policies select alike, only
//! what they select. Where they differ, all is asked for, and the server selects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use portreeve_admission::api;
use portreeve_admission::policy::Policy;

/// The label that the API server sets on every namespace.
pub(super) const NAME: &str = "kubernetes.io/metadata.name";

/// The selector of namespaces.
pub(super) fn namespaces(policies: &[&Policy], excluded: &[String]) -> LabelSelector {
    let common = common(policies.iter().map(|policy| policy.matching.namespace_selector.as_ref()));
    let mut selector = common.map(translated).unwrap_or_default();
    if let Some(not_in) = outside(excluded) {
        selector.match_expressions.get_or_insert_default().insert(0, not_in);
    }
    selector
}

/// The selector of all namespaces but these; none if there are none of these.
pub(crate) fn not_in(excluded: &[String]) -> Option<LabelSelector> {
    outside(excluded).map(|not_in| LabelSelector { match_expressions: Some(vec![not_in]), ..LabelSelector::default() })
}

fn outside(excluded: &[String]) -> Option<LabelSelectorRequirement> {
    (!excluded.is_empty()).then(|| LabelSelectorRequirement {
        key: NAME.to_owned(),
        operator: "NotIn".to_owned(),
        values: Some(excluded.to_vec()),
    })
}

/// The selector of objects.
pub(super) fn objects(policies: &[&Policy]) -> LabelSelector {
    let common = common(policies.iter().map(|policy| policy.matching.object_selector.as_ref()));
    common.map(translated).unwrap_or_default()
}

/// The selector that all have, if they have the same one.
fn common<'a>(mut selectors: impl Iterator<Item = Option<&'a api::LabelSelector>>) -> Option<&'a api::LabelSelector> {
    let first = selectors.next()??;
    selectors.all(|selector| selector == Some(first)).then_some(first)
}

/// A selector of ours as the API server has it.
pub(crate) fn translated(selector: &api::LabelSelector) -> LabelSelector {
    let requirement = |expression: &api::Expression| LabelSelectorRequirement {
        key: expression.key.clone(),
        operator: operator(expression.operator).to_owned(),
        values: (!expression.values.is_empty()).then(|| expression.values.clone()),
    };
    let expressions: Vec<_> = selector.match_expressions.iter().map(requirement).collect();
    LabelSelector {
        match_labels: (!selector.match_labels.is_empty()).then(|| selector.match_labels.clone()),
        match_expressions: (!expressions.is_empty()).then_some(expressions),
    }
}

fn operator(operator: api::Operator) -> &'static str {
    match operator {
        api::Operator::In => "In",
        api::Operator::NotIn => "NotIn",
        api::Operator::Exists => "Exists",
        api::Operator::DoesNotExist => "DoesNotExist",
    }
}

/// Whether the API server asks about objects with these labels.
pub(super) fn lets_in(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let has_value = |requirement: &LabelSelectorRequirement| {
        let value = labels.get(&requirement.key);
        value.is_some_and(|value| requirement.values.iter().flatten().any(|wanted| wanted == value))
    };
    let holds = |requirement: &LabelSelectorRequirement| match requirement.operator.as_str() {
        "In" => has_value(requirement),
        "NotIn" => !has_value(requirement),
        "Exists" => labels.contains_key(&requirement.key),
        _ => !labels.contains_key(&requirement.key),
    };
    selector.match_labels.iter().flatten().all(|(name, value)| labels.get(name) == Some(value))
        && selector.match_expressions.iter().flatten().all(holds)
}
