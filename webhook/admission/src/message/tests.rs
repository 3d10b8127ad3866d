//! The words of denials and warnings.

use std::collections::BTreeMap;

use super::*;
use crate::api::FailurePolicy;
use crate::decision::tests::{policy, violation};
use crate::decision::{Circumstances, Found};
use crate::plan::Editable;
use crate::verdict::{Failure, Outcome, Verdict};
use serde_json::json;

fn review(meta: &serde_json::Value) -> Review {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "1", "operation": "CREATE", "object": {"metadata": meta},
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
    }});
    crate::review::decode(review.to_string().as_bytes()).unwrap()
}

fn decide(found: Vec<Found<'_>>) -> Decision {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    Decision::of(found, &Circumstances { namespace: "", annotations: &BTreeMap::new(), exceptions: &[], now })
}

/// Of an object that every edit may be made of.
const OF_TEMPLATES: Plan = Plan::Judge { edit: Editable::Everything, as_pods_will_be: false };

fn verdict(rules: &[&str], summary: Option<&str>) -> Outcome {
    let violations = rules.iter().map(|rule| violation(rule, Some("app"))).collect();
    Outcome::Verdict(Verdict { violations, summary: summary.map(Into::into), ..Verdict::default() })
}

#[test]
fn a_denial_begins_with_the_summary_and_then_says_what_to_change() {
    let pss = policy("pod-security", Mode::Enforce, FailurePolicy::Fail);
    let other = policy("limits", Mode::Enforce, FailurePolicy::Fail);
    let decision = decide(vec![
        Found { policy: &other, subject: None, outcome: verdict(&["b"], None), before: None },
        Found {
            policy: &pss,
            subject: None,
            outcome: verdict(&["a"], Some("violates PodSecurity \"x\": a")),
            before: None,
        },
    ]);
    assert_eq!(
        denial(&review(&json!({"name": "web"})), &decision),
        "pods \"web\" is forbidden: violates PodSecurity \"x\": a\n\
         - container \"app\": mend a (pod-security/a)\n\
         - container \"app\": b is wrong: mend b (limits/b)"
    );
}

#[test]
fn what_mends_several_faults_alike_is_said_once() {
    let pss = policy("pod-security", Mode::Enforce, FailurePolicy::Fail);
    let outcome = verdict(&["a", "a", "b"], Some("violates \"x\": a, a, b"));
    let decision = decide(vec![Found { policy: &pss, subject: None, outcome, before: None }]);
    assert_eq!(
        denial(&review(&json!({"name": "web"})), &decision),
        "pods \"web\" is forbidden: violates \"x\": a, a, b\n\
         - container \"app\": mend a (pod-security/a)\n\
         - container \"app\": mend b (pod-security/b)"
    );
}

#[test]
fn a_fault_already_named_is_not_repeated() {
    let pss = policy("pod-security", Mode::Enforce, FailurePolicy::Fail);
    let other = policy("escalation", Mode::Enforce, FailurePolicy::Fail);
    let decision = decide(vec![
        Found { policy: &other, subject: None, outcome: verdict(&["a"], None), before: None },
        Found { policy: &pss, subject: None, outcome: verdict(&["a"], Some("violates")), before: None },
    ]);
    assert_eq!(denial(&review(&json!({"name": "web"})), &decision).matches("mend a").count(), 1);
}

#[test]
fn without_a_summary_the_first_line_names_the_policies() {
    let one = policy("limits", Mode::Enforce, FailurePolicy::Fail);
    let decision = decide(vec![Found { policy: &one, subject: None, outcome: verdict(&["b"], None), before: None }]);
    let text = denial(&review(&json!({"generateName": "web-"})), &decision);
    assert_eq!(text.lines().next(), Some("pods \"web-*\" is forbidden: denied by limits"));
}

#[test]
fn a_failure_never_sounds_like_a_violation() {
    let one = policy("digest", Mode::Enforce, FailurePolicy::Fail);
    let failed = Found { policy: &one, subject: None, outcome: Outcome::Failed(Failure::Deadline), before: None };
    let text = denial(&review(&json!({"name": "web"})), &decide(vec![failed]));
    assert_eq!(
        text,
        "pods \"web\" could not be judged\n- digest failed: it was stopped at its deadline; this is no fault of the workload"
    );
}

#[test]
fn what_can_not_be_read_is_the_authors_to_mend() {
    let one = policy("digest", Mode::Enforce, FailurePolicy::Fail);
    let outcome = Outcome::Failed(Failure::Unreadable("the object is cut short".into()));
    let text = denial(
        &review(&json!({"name": "web"})),
        &decide(vec![Found { policy: &one, subject: None, outcome, before: None }]),
    );
    assert_eq!(text.lines().last(), Some("- digest failed: the object is cut short"));
}

#[test]
fn warnings_tell_what_only_warns_and_what_was_let_pass() {
    let warn = policy("probes", Mode::Warn, FailurePolicy::Fail);
    let ignore = policy("digest", Mode::Enforce, FailurePolicy::Ignore);
    let decision = decide(vec![
        Found { policy: &warn, subject: None, outcome: verdict(&["none"], None), before: None },
        Found { policy: &ignore, subject: None, outcome: Outcome::Failed(Failure::Deadline), before: None },
    ]);
    assert_eq!(
        warnings(OF_TEMPLATES, &decision),
        [
            "probes: container \"app\": none is wrong: mend none",
            "digest failed and was let pass: it was stopped at its deadline",
        ]
    );
}

#[test]
fn what_is_for_the_record_alone_is_told_to_nobody() {
    let one = policy("pod-security", Mode::Enforce, FailurePolicy::Fail);
    let mut kept = violation("kept", None);
    kept.details = Some(json!({"told": false}));
    let advisories = vec![violation("seen", Some("app")), kept];
    let outcome = Outcome::Verdict(Verdict { advisories, ..Verdict::default() });
    let decision = decide(vec![Found { policy: &one, subject: None, outcome, before: None }]);
    assert_eq!(warnings(OF_TEMPLATES, &decision), ["pod-security: container \"app\": seen is wrong: mend seen"]);
    assert_eq!(decision.advisories.len(), 2);
}

#[test]
fn a_long_denial_is_cut_and_counted() {
    let one = policy("p", Mode::Enforce, FailurePolicy::Fail);
    let rules: Vec<String> = (0..100).map(|n| format!("r{n}")).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let decision = decide(vec![Found { policy: &one, subject: None, outcome: verdict(&rules, None), before: None }]);
    let text = denial(&review(&json!({"name": "web"})), &decision);
    assert_eq!(text.lines().last(), Some("- and 71 more"));
}

#[test]
fn what_was_wrong_before_is_told_since_new_pods_will_be_denied() {
    let one = policy("host", Mode::Enforce, FailurePolicy::Fail);
    let before = Some(verdict(&["net"], None));
    let decision = decide(vec![Found { policy: &one, subject: None, outcome: verdict(&["net"], None), before }]);
    assert_eq!(
        warnings(OF_TEMPLATES, &decision),
        ["it was so before, but new Pods will be denied: host: container \"app\": net is wrong: mend net"]
    );
}

#[test]
fn of_what_may_not_be_edited_whole_nothing_is_said_about_new_pods() {
    let one = policy("seccomp", Mode::Enforce, FailurePolicy::Fail);
    let before = Some(verdict(&["none"], None));
    let decision = decide(vec![Found { policy: &one, subject: None, outcome: verdict(&["none"], None), before }]);
    for edit in [Editable::PodImages, Editable::AddedEphemeral, Editable::BackToBefore, Editable::Nothing] {
        assert_eq!(
            warnings(Plan::Judge { edit, as_pods_will_be: false }, &decision),
            ["it was so before and stays: seccomp: container \"app\": none is wrong: mend none"]
        );
    }
    let owned = Plan::Judge { edit: Editable::Nothing, as_pods_will_be: true };
    assert!(warnings(owned, &decision)[0].starts_with("it was so before, but new Pods will be denied: "));
}

#[test]
fn a_fault_already_named_is_not_repeated_by_a_warning() {
    for (mode, before) in [(Mode::Warn, None), (Mode::Enforce, Some(["a"].as_slice()))] {
        let (pss, other) = (policy("pss", mode, FailurePolicy::Fail), policy("other", mode, FailurePolicy::Fail));
        let mut advised = verdict(&["a"], None);
        if let Outcome::Verdict(verdict) = &mut advised {
            verdict.advisories.push(violation("a", Some("app")));
        }
        let before = || before.map(|rules| verdict(rules, None));
        let decision = decide(vec![
            Found { policy: &other, subject: None, outcome: advised, before: before() },
            Found { policy: &pss, subject: None, outcome: verdict(&["a"], Some("violates a")), before: before() },
        ]);
        let told = warnings(OF_TEMPLATES, &decision);
        assert!(told.iter().all(|line| !line.contains("other: ")), "{told:?}");
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[test]
fn a_container_is_named_once() {
    let one = policy("p", Mode::Enforce, FailurePolicy::Fail);
    let mut found = violation("a", Some("app"));
    found.message = "container \"app\" runs as root".into();
    let outcome = Outcome::Verdict(Verdict { violations: vec![found], ..Verdict::default() });
    let decision = decide(vec![Found { policy: &one, subject: None, outcome, before: None }]);
    let text = denial(&review(&json!({"name": "web"})), &decision);
    assert_eq!(text.matches("app").count(), 1, "{text}");
}

#[test]
fn one_of_several_templates_is_named_before_its_container() {
    let one = policy("one", Mode::Enforce, FailurePolicy::Fail);
    let mut decision =
        decide(vec![Found { policy: &one, subject: None, outcome: verdict(&["a"], None), before: None }]);
    decision.findings[0].template = "workerGroupSpecs[gpu]".into();
    let text = denial(&review(&json!({"name": "web"})), &decision);
    assert!(text.contains("- workerGroupSpecs[gpu]: container \"app\": a is wrong"), "{text}");
}

#[test]
fn a_summary_that_several_templates_share_is_told_once() {
    let pss = policy("pod-security", Mode::Enforce, FailurePolicy::Fail);
    let found = || Found { policy: &pss, subject: None, outcome: verdict(&["a"], Some("violates")), before: None };
    let text = denial(&review(&json!({"name": "web"})), &decide(vec![found(), found()]));
    assert_eq!(text.matches("violates").count(), 1, "{text}");
}

fn claim(policy: &str, pointer: &str) -> Claim {
    let change = crate::verdict::Change::Set(json!(1));
    Claim { policy: policy.into(), rule: "r".into(), pointer: pointer.parse().unwrap(), change }
}

#[test]
fn what_was_put_right_is_one_line_however_many_rounds_there_were() {
    let made = [claim("b", "/spec/x"), claim("a", "/spec/y"), claim("b", "/spec/x"), claim("b", "/spec/z")];
    assert_eq!(corrections(&made).unwrap(), "put right by a, b (3 fields)");
    assert_eq!(corrections(&[claim("a", "/metadata/annotations/portreeve.dev~1pinned")]), None);
}

#[test]
fn more_names_than_a_line_holds_are_counted() {
    let made: Vec<Claim> = (10..30).map(|n| claim(&format!("policy-of-team-{n}"), "/spec/x")).collect();
    let line = corrections(&made).unwrap();
    assert!(line.starts_with("put right by policy-of-team-10, ") && line.ends_with(" and 14 more (1 field)"), "{line}");
}

#[test]
fn warnings_name_their_object_as_kubectl_does_and_are_few() {
    let lines: Vec<String> = (0..30).map(|n| format!("line {}", n / 2)).collect();
    let told = about(&review(&json!({"name": "web"})), lines);
    assert_eq!(told.len(), 10);
    assert_eq!(told[1], "pod/web: line 1");
    assert_eq!(told[9], "pod/web: and 6 more; `portreeve check` shows them all");
}
