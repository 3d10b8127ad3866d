//! Decisions: modes, failures, exceptions, and what is new on an update.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::api::{Match, Metadata};
use crate::case::GroupVersionKind;
use crate::document::Document;
use crate::policy::Abilities;
use crate::subject::TemplatePaths;
use crate::verdict::{Root, Verdict};
use serde_json::json;

pub(crate) fn policy(id: &str, mode: Mode, failure_policy: FailurePolicy) -> Policy {
    Policy {
        id: id.into(),
        of_namespace: None,
        mode,
        mutate: true,
        failure_policy,
        timeout: Duration::from_secs(1),
        matching: Match::default(),
        rollout: Vec::new(),
        wants: Vec::new(),
        can: Abilities { validate: true, mutate: true, rewrite_images: false },
        facts: BTreeSet::new(),
    }
}

pub(crate) fn violation(rule: &str, container: Option<&str>) -> Violation {
    Violation {
        rule: rule.into(),
        container: container.map(Into::into),
        root: Root::Template,
        pointer: format!("/spec/{rule}").parse().unwrap(),
        message: format!("{rule} is wrong"),
        remedy: format!("mend {rule}"),
        details: None,
    }
}

fn verdict(rules: &[&str]) -> Outcome {
    let violations = rules.iter().map(|rule| violation(rule, Some("app"))).collect();
    Outcome::Verdict(Verdict { violations, ..Verdict::default() })
}

fn decide(policy: &Policy, outcome: Outcome, before: Option<Outcome>) -> Decision {
    decide_with(policy, outcome, before, &[])
}

fn decide_with(policy: &Policy, outcome: Outcome, before: Option<Outcome>, exceptions: &[Exception]) -> Decision {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let found = Found { policy, subject: None, outcome, before };
    Decision::of(vec![found], &Circumstances { namespace: "shop", annotations: &BTreeMap::new(), exceptions, now })
}

const ENFORCED: (Mode, FailurePolicy) = (Mode::Enforce, FailurePolicy::Fail);

fn enforced() -> Policy {
    policy("p", ENFORCED.0, ENFORCED.1)
}

#[test]
fn a_violation_denies_in_enforce_alone() {
    for (mode, answer) in
        [(Mode::Enforce, Answer::Denied), (Mode::Warn, Answer::Allowed), (Mode::Audit, Answer::Allowed)]
    {
        let decision = decide(&policy("p", mode, FailurePolicy::Fail), verdict(&["a"]), None);
        assert_eq!(decision.answer(), answer, "{mode:?}");
        assert_eq!(decision.findings.len(), 1, "recorded in every mode");
    }
}

#[test]
fn on_update_only_a_new_violation_denies() {
    let decision = decide(&enforced(), verdict(&["a"]), Some(verdict(&["a"])));
    assert_eq!(decision.answer(), Answer::Allowed);
    assert_eq!(decision.findings[0].standing, Standing::Inherited);
    assert_eq!(decide(&enforced(), verdict(&["a", "b"]), Some(verdict(&["a"]))).answer(), Answer::Denied);
}

#[test]
fn the_same_rule_on_another_container_is_new() {
    let other = Verdict { violations: vec![violation("a", Some("other"))], ..Verdict::default() };
    assert_eq!(decide(&enforced(), verdict(&["a"]), Some(Outcome::Verdict(other))).answer(), Answer::Denied);
}

#[test]
fn a_failure_refuses_by_failure_policy_and_is_no_violation() {
    let failed = || Outcome::Failed(Failure::Deadline);
    let decision = decide(&enforced(), failed(), None);
    assert_eq!(decision.answer(), Answer::Failed);
    assert!(decision.findings.is_empty());
    assert_eq!(decide(&policy("p", Mode::Enforce, FailurePolicy::Ignore), failed(), None).answer(), Answer::Allowed);
    assert_eq!(decide(&policy("p", Mode::Warn, FailurePolicy::Fail), failed(), None).answer(), Answer::Allowed);
}

#[test]
fn where_the_old_object_could_not_be_judged_it_is_a_failure() {
    let decision = decide(&enforced(), verdict(&["a"]), Some(Outcome::Failed(Failure::Deadline)));
    assert_eq!(decision.answer(), Answer::Failed);
    assert_eq!(decide(&enforced(), verdict(&[]), Some(Outcome::Failed(Failure::Deadline))).answer(), Answer::Allowed);
}

#[test]
fn an_exception_stops_a_violation_and_is_named() {
    let spec = json!({"policy": "p", "owner": "o", "ticket": "t", "reason": "r", "expires": "2027-01-01T00:00:00Z"});
    let metadata = Metadata { name: "e".into(), namespace: Some("shop".into()), ..Metadata::default() };
    let exception = Exception::new(&metadata, serde_json::from_value(spec).unwrap()).unwrap();
    let decision = decide_with(&enforced(), verdict(&["a"]), None, &[exception]);
    assert_eq!(decision.answer(), Answer::Allowed);
    assert_eq!(decision.findings[0].standing, Standing::Excepted("shop/e".into()));
}

#[test]
fn a_violation_weighs_more_than_a_failure() {
    let (one, two) = (enforced(), policy("q", ENFORCED.0, ENFORCED.1));
    let found = vec![
        Found { policy: &one, subject: None, outcome: Outcome::Failed(Failure::Deadline), before: None },
        Found { policy: &two, subject: None, outcome: verdict(&["a"]), before: None },
    ];
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let decision =
        Decision::of(found, &Circumstances { namespace: "", annotations: &BTreeMap::new(), exceptions: &[], now });
    assert_eq!(decision.answer(), Answer::Denied);
}

fn subject_of_workers() -> Subject {
    let container = serde_json::json!({"name": "app"});
    let template = serde_json::json!({"spec": {"containers": [container]}});
    let object = serde_json::json!({"spec": {"workerGroupSpecs": [{"groupName": "gpu", "template": template}]}});
    let kind = GroupVersionKind { group: "ray.io".into(), version: "v1".into(), kind: "RayCluster".into() };
    TemplatePaths::default().subjects(&kind, &Document::from_value(object)).unwrap().remove(0)
}

#[test]
fn what_is_found_in_one_of_several_templates_says_in_which() {
    let (policy, subject) = (enforced(), subject_of_workers());
    let found = Found { policy: &policy, subject: Some(&subject), outcome: verdict(&["a"]), before: None };
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let decision = Decision::of(
        vec![found],
        &Circumstances { namespace: "shop", annotations: &BTreeMap::new(), exceptions: &[], now },
    );
    assert_eq!(decision.findings[0].template, "workerGroupSpecs[gpu]");
    assert_eq!(decision.findings[0].violation.pointer.to_string(), "/spec/workerGroupSpecs/0/template/spec/a");
}

#[test]
fn what_is_found_beside_a_template_points_into_the_object() {
    let (policy, subject) = (enforced(), subject_of_workers());
    let outcome = Outcome::Verdict(Verdict {
        violations: vec![Violation { root: Root::Object, ..violation("replicas", None) }],
        ..Verdict::default()
    });
    let found = Found { policy: &policy, subject: Some(&subject), outcome, before: None };
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let decision = Decision::of(
        vec![found],
        &Circumstances { namespace: "shop", annotations: &BTreeMap::new(), exceptions: &[], now },
    );
    assert_eq!(decision.findings[0].violation.pointer.to_string(), "/spec/replicas");
}
