//! The objects that an API server takes: which requests are looked at, what becomes of a fault, variables and the one
//! validation that says them all. What the rules are is told in `rules`.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation,
    Variable,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use portreeve_admission::api::{FailurePolicy, Match, Mode, Resources};
use portreeve_admission::policy::Policy;

use super::exception::Exceptions;
use super::rule::Rule;
use super::rules::{Drafted, Judged};
use super::subject::{template_of, variables};
use crate::registration::{Condition, not_in, of_namespaces, translated};

/// By which all of them are found, to be listed or deleted.
const LABELS: [(&str, &str); 2] =
    [("app.kubernetes.io/part-of", "portreeve"), ("app.kubernetes.io/component", "backstop")];

/// What is asked, of every namespace but the excluded ones.
pub(super) fn policy(
    policy: &Policy,
    drafted: &Drafted,
    exceptions: &Exceptions<'_>,
    excluded: &BTreeSet<String>,
) -> ValidatingAdmissionPolicy {
    let found = drafted.rules.iter().map(|rule| rule.written(&policy.id, exceptions));
    let all = drafted.rules.iter().map(|rule| format!("variables.{}", rule.variable())).collect::<Vec<_>>().join(" + ");
    let faults = Variable { name: FAULTS.to_owned(), expression: all };
    let excluded: Vec<String> = excluded.iter().cloned().collect();
    ValidatingAdmissionPolicy {
        metadata: metadata(policy),
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some(failure_policy(policy.failure_policy).to_owned()),
            match_constraints: Some(MatchResources {
                match_policy: Some("Equivalent".to_owned()),
                namespace_selector: not_in(&excluded),
                resource_rules: Some(resources(drafted.judged)),
                ..MatchResources::default()
            }),
            match_conditions: Some(conditions(drafted).into_iter().chain(own_conditions(policy)).collect()),
            variables: Some(
                variables().into_iter().chain(drafted.variables.clone()).chain(found).chain([faults]).collect(),
            ),
            validations: Some(vec![validation(policy, &drafted.rules)]),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        status: None,
    }
}

/// Of whom it is asked, and what becomes of who does not meet it.
pub(super) fn binding(policy: &Policy, at_most: Mode) -> ValidatingAdmissionPolicyBinding {
    let namespace_selector: Option<LabelSelector> = of_namespaces(policy).as_ref().map(translated);
    let object_selector = policy.matching.object_selector.as_ref().map(translated);
    let resource_rules = own_rules(&policy.matching);
    let selects = namespace_selector.is_some() || object_selector.is_some() || resource_rules.is_some();
    ValidatingAdmissionPolicyBinding {
        metadata: metadata(policy),
        spec: ValidatingAdmissionPolicyBindingSpec {
            policy_name: name(policy),
            validation_actions: vec![action(lesser(policy.mildest(), at_most)).to_owned()],
            match_resources: selects.then(|| MatchResources {
                namespace_selector,
                object_selector,
                resource_rules,
                ..MatchResources::default()
            }),
            param_ref: None,
        },
    }
}

/// The variable with all sentences.
const FAULTS: &str = "faults";

/// What it is called. A namespace's own has its namespace behind its name, as names in DNS have, and an ending that no
/// other has, whatever dots are in a name.
pub(super) fn name(policy: &Policy) -> String {
    match policy.id.split_once('/') {
        Some((namespace, name)) => format!("{name}.{namespace}.namespaces-backstop.portreeve.dev"),
        None => format!("{}.backstop.portreeve.dev", policy.id),
    }
}

fn metadata(policy: &Policy) -> ObjectMeta {
    ObjectMeta {
        name: Some(name(policy)),
        labels: Some(LABELS.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..ObjectMeta::default()
    }
}

/// One for all rules, so that a user reads all that a policy finds at once. Sentences that are too many for the API
/// server give way to one.
fn validation(policy: &Policy, rules: &[Rule]) -> Validation {
    let remedies: Vec<String> = rules.iter().map(|rule| format!("{} ({})", rule.remedy, rule.id)).collect();
    let mut message = format!("{} finds faults: {}", policy.id, remedies.join("; "));
    message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
    Validation {
        expression: format!("variables.{FAULTS}.size() == 0"),
        message: Some(message),
        message_expression: Some(format!("variables.{FAULTS}.join('; ')")),
        reason: Some("Forbidden".to_owned()),
    }
}

/// Bytes that a message may have; the API server sets no bound to it, users do.
const LONGEST_MESSAGE: usize = 1024;

fn failure_policy(policy: FailurePolicy) -> &'static str {
    match policy {
        FailurePolicy::Fail => "Fail",
        FailurePolicy::Ignore => "Ignore",
    }
}

fn lesser(one: Mode, other: Mode) -> Mode {
    if one.is_stricter_than(other) { other } else { one }
}

fn action(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "Deny",
        Mode::Warn => "Warn",
        Mode::Audit | Mode::Off => "Audit",
    }
}

/// The kinds that carry pods. Of pods also what is added to them as they run; never what heals or deletes.
fn resources(judged: Judged) -> Vec<NamedRuleWithOperations> {
    let pods = [rule("", &["pods"], &["CREATE", "UPDATE"]), rule("", &["pods/ephemeralcontainers"], &["UPDATE"])];
    let templates = [
        rule("", &["podtemplates", "replicationcontrollers"], &["CREATE", "UPDATE"]),
        rule("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"], &["CREATE", "UPDATE"]),
        rule("batch", &["cronjobs", "jobs"], &["CREATE", "UPDATE"]),
    ];
    match judged {
        Judged::Pods => pods.into(),
        Judged::PodsAndTemplates => pods.into_iter().chain(templates).collect(),
    }
}

/// The rules of the policy itself, beside those of all backstops; none if it says nothing.
fn own_rules(matching: &Match) -> Option<Vec<NamedRuleWithOperations>> {
    let any = || vec!["*".to_owned()];
    let operations = match matching.operations.as_slice() {
        [] => any(),
        named => named.iter().map(ToString::to_string).collect(),
    };
    let rule = |groups, versions, resources| NamedRuleWithOperations {
        api_groups: Some(groups),
        api_versions: Some(versions),
        operations: Some(operations.clone()),
        resources: Some(resources),
        scope: None,
        resource_names: None,
    };
    match (matching.resources.as_slice(), matching.operations.as_slice()) {
        ([], []) => None,
        ([], _) => Some(vec![rule(any(), any(), vec!["*/*".to_owned()])]),
        (named, _) => {
            let own = |own: &Resources| rule(own.api_groups.clone(), own.api_versions.clone(), own.resources.clone());
            Some(named.iter().map(own).collect())
        }
    }
}

/// The policy's own conditions are in the same language.
fn own_conditions(policy: &Policy) -> impl Iterator<Item = MatchCondition> {
    policy.matching.match_conditions.iter().map(|condition| MatchCondition {
        name: format!("own-{}", condition.name),
        expression: condition.expression.clone(),
    })
}

fn rule(group: &str, resources: &[&str], operations: &[&str]) -> NamedRuleWithOperations {
    let owned = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    NamedRuleWithOperations {
        api_groups: owned(&[group]),
        api_versions: owned(&["v1"]),
        operations: owned(operations),
        resources: owned(resources),
        scope: Some("Namespaced".to_owned()),
        resource_names: None,
    }
}

/// What is not looked at: mirrors of pods that run already, what is on its way out, templates that are as they were,
/// and what the settings spare.
fn conditions(drafted: &Drafted) -> Vec<MatchCondition> {
    let always = [Condition::NotANode, Condition::NotLeaving];
    let named = |(name, expression): (&str, String)| MatchCondition { name: name.to_owned(), expression };
    let unspared = drafted.spared.iter().map(|(name, spared)| named((name, format!("!{spared}"))));
    always.iter().map(Condition::written).chain([named(("changed-templates", changed()))]).chain(unspared).collect()
}

/// Of a Pod only its spec counts: its labels change as it runs.
fn changed() -> String {
    format!(
        "request.operation != 'UPDATE' || (request.kind.kind == 'Pod' ? dyn(object).spec != dyn(oldObject).spec : \
         {} != {})",
        template_of("object"),
        template_of("oldObject")
    )
}
