//! Which namespaces and objects an entry asks about: none that no policy sees, and of the others what all selectors of
//! the policies have in common. A selector can't say "or", but of one label it can name several values. What it can't
//! say is asked for, and the server selects.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use portreeve_admission::api::{self, Expression, Operator};
use portreeve_admission::policy::Policy;

/// The label that the API server sets on every namespace.
pub(super) const NAME: &str = "kubernetes.io/metadata.name";

/// The selector of namespaces.
pub(super) fn namespaces(policies: &[&Policy], excluded: &[String]) -> LabelSelector {
    let selectors: Option<Vec<_>> = policies.iter().map(|policy| of_namespaces(policy)).collect();
    let mut selector = selectors.map(|selectors| translated(&common(&selectors))).unwrap_or_default();
    if let Some(not_in) = outside(excluded) {
        selector.match_expressions.get_or_insert_default().insert(0, not_in);
    }
    selector
}

/// Which namespaces a policy sees; none if all.
pub(crate) fn of_namespaces(policy: &Policy) -> Option<api::LabelSelector> {
    let Some(own) = &policy.of_namespace else { return policy.matching.namespace_selector.clone() };
    let name = Expression { key: NAME.to_owned(), operator: Operator::In, values: vec![own.clone()] };
    let mut selector = policy.matching.namespace_selector.clone().unwrap_or_default();
    selector.match_expressions.push(name);
    Some(selector)
}

/// The selector of all namespaces but these; none if there are none of these.
pub(crate) fn not_in(excluded: &[String]) -> Option<LabelSelector> {
    outside(excluded).map(requiring)
}

/// The selector of these namespaces.
pub(super) fn only_in(names: &[String]) -> LabelSelector {
    requiring(named(Operator::In, names))
}

fn outside(excluded: &[String]) -> Option<LabelSelectorRequirement> {
    (!excluded.is_empty()).then(|| named(Operator::NotIn, excluded))
}

fn requiring(requirement: LabelSelectorRequirement) -> LabelSelector {
    LabelSelector { match_expressions: Some(vec![requirement]), ..LabelSelector::default() }
}

fn named(is: Operator, names: &[String]) -> LabelSelectorRequirement {
    LabelSelectorRequirement { key: NAME.to_owned(), operator: operator(is).to_owned(), values: Some(names.to_vec()) }
}

/// The selector of objects.
pub(super) fn objects(policies: &[&Policy]) -> LabelSelector {
    let selectors: Option<Vec<_>> = policies.iter().map(|policy| policy.matching.object_selector.clone()).collect();
    selectors.map(|selectors| translated(&common(&selectors))).unwrap_or_default()
}

/// What selects all that one of these selects: their requirements, as far as each of them has them. Values that they
/// want of one label are put together.
fn common(selectors: &[api::LabelSelector]) -> api::LabelSelector {
    let Some((first, others)) = selectors.split_first() else { return api::LabelSelector::default() };
    if others.iter().all(|other| other == first) {
        return first.clone();
    }
    let mut common: Vec<Expression> = Vec::new();
    for requirement in requirements(first) {
        let met_by_all = match requirement.operator {
            Operator::In => united(&requirement.key, selectors),
            _ => others.iter().all(|other| requirements(other).contains(&requirement)).then_some(requirement),
        };
        common.extend(met_by_all.filter(|requirement| !common.contains(requirement)));
    }
    api::LabelSelector { match_expressions: common, ..api::LabelSelector::default() }
}

/// That a label has one of the values that some selector wants of it, if each of them wants certain ones.
fn united(key: &str, selectors: &[api::LabelSelector]) -> Option<Expression> {
    let wanted = |selector| {
        let of_key = |requirement: &Expression| requirement.operator == Operator::In && requirement.key == key;
        requirements(selector).into_iter().find(of_key).map(|requirement| requirement.values)
    };
    let all: Vec<Vec<String>> = selectors.iter().map(wanted).collect::<Option<_>>()?;
    let values: BTreeSet<String> = all.into_iter().flatten().collect();
    Some(Expression { key: key.to_owned(), operator: Operator::In, values: values.into_iter().collect() })
}

/// All that a selector requires, in the one form that can say it.
fn requirements(selector: &api::LabelSelector) -> Vec<Expression> {
    let label = |(key, value): (&String, &String)| Expression {
        key: key.clone(),
        operator: Operator::In,
        values: vec![value.clone()],
    };
    selector.match_labels.iter().map(label).chain(selector.match_expressions.iter().cloned()).collect()
}

/// A selector of ours as the API server has it.
pub(crate) fn translated(selector: &api::LabelSelector) -> LabelSelector {
    let requirement = |expression: &Expression| LabelSelectorRequirement {
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

fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::In => "In",
        Operator::NotIn => "NotIn",
        Operator::Exists => "Exists",
        Operator::DoesNotExist => "DoesNotExist",
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
