//! What a policy that behaves sees and says.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use portreeve_admission::case::{Case, FactKind, Facts, Operation, Request};
use portreeve_admission::document::Document;
use portreeve_admission::verdict::{Change, Failure, Outcome, Root};
use serde_json::{Value, json};

use crate::cases::{case, deployment, does, failure, good, instance, outcome, program, soon, verdict};

/// What `mirror` saw, by function.
fn mirrored(case: &Case, settings: Value) -> impl Fn(&str) -> String + use<> {
    let program = program(&[instance("mirror", "mirror", settings)]);
    let outcome = program.evaluate(case, &["mirror"], soon()).remove(0);
    let seen = verdict(outcome).advisories;
    move |function| seen.iter().find(|seen| seen.rule == function).unwrap().message.clone()
}

#[test]
fn violations_and_edits_come_out_as_they_were_said() {
    let verdict = verdict(outcome(&program(&[good()]), "good", soon()));
    let containers: Vec<_> = verdict.violations.iter().map(|found| found.container.as_deref().unwrap()).collect();
    assert_eq!(containers, ["init", "side"]);
    let [_, edit] = verdict.edits.as_slice() else { panic!("{:?}", verdict.edits) };
    assert_eq!((edit.rule.as_str(), edit.root), ("run-as-non-root", Root::Template));
    assert_eq!(edit.pointer.to_string(), "/spec/containers/1/securityContext/runAsNonRoot");
    assert_eq!(edit.change, Change::Set(json!(true)));
}

#[test]
fn outcomes_come_in_the_order_asked() {
    let program = program(&[good(), does("nothing"), does("give-up")]);
    let answered = program.evaluate(&deployment(), &["give-up", "good", "nothing"], soon());
    let [Outcome::Failed(given_up), Outcome::Verdict(good), Outcome::Verdict(nothing)] = answered.as_slice() else {
        panic!("{answered:?}")
    };
    assert!(matches!(given_up, Failure::Reported(_)));
    assert_eq!((good.violations.len(), nothing.violations.len()), (2, 0));
}

#[test]
fn no_instances_need_no_run() {
    assert_eq!(program(&[good()]).evaluate(&deployment(), &[], soon()), []);
}

#[test]
fn an_id_that_is_no_instance_fails_and_harms_nobody() {
    let outcomes = program(&[good()]).evaluate(&deployment(), &["absent", "good"], soon());
    assert!(matches!(&outcomes[0], Outcome::Failed(Failure::Contract(_))));
    assert!(matches!(&outcomes[1], Outcome::Verdict(_)));
}

#[test]
fn a_policy_sees_the_request() {
    let mut case = deployment();
    let request = Request {
        operation: Operation::Update,
        subresource: Some("scale".into()),
        namespace: None,
        ..(*case.request).clone()
    };
    case.request = Arc::new(request);
    let saw = mirrored(&case, json!({}));
    assert_eq!(saw("operation"), "OperationType::Update");
    assert_eq!(saw("kind"), r#"GroupVersionKind { group: "apps", version: "v1", kind: "Deployment" }"#);
    assert_eq!(saw("resource"), r#"GroupVersionResource { group: "apps", version: "v1", resource: "deployments" }"#);
    assert_eq!(saw("subresource"), r#"Some("scale")"#);
    assert_eq!(
        (saw("namespace"), saw("name"), saw("user-name")),
        ("None".into(), r#"Some("shop")"#.into(), "ada".into())
    );
}

#[test]
fn a_policy_sees_the_template() {
    let saw = mirrored(&deployment(), json!({}));
    assert_eq!(saw("present"), "true");
    assert!(saw("pod").contains(r#"labels: [Entry { name: "app", value: "shop" }]"#));
    assert!(saw("containers").contains(r#"pointer: "/spec/initContainers/0""#));
    assert!(saw("containers").contains("run-as-non-root: Some(true)"));
    assert!(saw("containers").contains("container-port: 80"));
    assert!(
        saw("containers").contains("Probe { kind: ProbeKind::Startup, handler: Some(ProbeHandler::Grpc), host: None }")
    );
    assert!(saw("programs").starts_with("[Program { command: [], args: [], env: [] }, "));
    assert!(saw("programs").contains(
        r#"Program { command: ["serve"], args: [], env: [Variable { name: "MODE", value: Some("fast") }] }"#
    ));
    assert!(saw("volumes").contains(r#"source: "emptyDir""#));
    assert!(saw("tolerations").contains(r#"operator: Some("Exists")"#));
}

#[test]
fn a_policy_reads_the_object_and_the_template_by_pointer() {
    let saw = mirrored(&deployment(), json!({"read": "/metadata/name", "template": "/spec/containers/0/image"}));
    assert_eq!(saw("read"), r#"Some("\"shop\"")"#);
    assert_eq!(saw("template-read"), r#"Some("\"shop:1\"")"#);
    assert_eq!(saw("read-old"), "None");
    assert_eq!(saw("template-read-old"), "None");
}

#[test]
fn a_policy_sees_what_was_there_before() {
    let mut case = deployment();
    let before = case_before();
    case.old_subject = before.subject;
    case.old_object = before.object;
    let saw = mirrored(&case, json!({"read": "/metadata/name", "template": "/spec/containers/0/image"}));
    assert_eq!(saw("read-old"), r#"Some("\"before\"")"#);
    assert_eq!(saw("template-read-old"), r#"Some("\"shop:0\"")"#);
    assert!(saw("old-containers").contains(r#"image: "shop:0""#));
}

fn case_before() -> Case {
    case(json!({
        "metadata": {"name": "before"},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop:0"}]}}},
    }))
}

#[test]
fn the_whole_object_is_read_as_it_was_sent() {
    let mut case = deployment();
    let text = r#"{"a":  1}"#;
    case.object = Some(Arc::new(Document::from_text(serde_json::from_str(text).unwrap())));
    assert_eq!(mirrored(&case, json!({}))("read"), format!("Some({text:?})"));
}

#[test]
fn without_a_template_there_is_an_object_to_read() {
    let saw = mirrored(&case(json!({"metadata": {"name": "plain"}})), json!({"read": "/metadata/name"}));
    assert_eq!((saw("present"), saw("pod"), saw("containers")), ("false".into(), "None".into(), "[]".into()));
    assert_eq!(saw("template-read"), "None");
    assert_eq!(saw("read"), r#"Some("\"plain\"")"#);
}

#[test]
fn facts_are_given_if_declared_granted_and_gathered() {
    let mut facts = Facts::default();
    facts.insert(FactKind::Namespace, "", Ok(r#"{"labels":{}}"#.into()));
    facts.insert(FactKind::Namespace, "broken", Err("nobody answered".into()));
    facts.insert(FactKind::ImageDigest, "a", Ok("{}".into()));
    facts.insert(FactKind::ImageConfig, "a", Ok("{}".into()));
    let mut case = deployment();
    case.facts = Arc::new(facts);
    let asked = json!([
        ["namespace", ""],
        ["namespace", "broken"],
        ["namespace", "absent"],
        ["image-digest", "a"],
        ["image-config", "a"],
        ["weather", ""],
    ]);
    let mut curious = instance("curious", "curious", json!({"facts": asked}));
    curious.granted = BTreeSet::from([FactKind::Namespace, FactKind::ImageConfig]);
    let outcome = program(&[curious]).evaluate(&case, &["curious"], soon()).remove(0);
    let told: Vec<_> = verdict(outcome).advisories.into_iter().map(|told| told.message).collect();
    assert_eq!(
        told,
        [
            r#"{"labels":{}}"#,
            r#"Unavailable::Missing("nobody answered")"#,
            r#"Unavailable::Missing("it was not gathered")"#,
            "Unavailable::Ungranted",
            "Unavailable::Undeclared",
            "Unavailable::Undeclared",
        ]
    );
}

#[test]
fn a_policy_may_miss_a_fact_or_give_up() {
    let missing =
        Failure::MissingFact { kind: "namespace".into(), key: String::new(), reason: "it is not known".into() };
    assert_eq!(failure("miss-a-fact"), missing);
    assert_eq!(failure("give-up"), Failure::Reported("it is beyond me".into()));
}

#[test]
fn every_evaluation_has_a_fresh_instance() {
    let program = program(&[does("count"), instance("again", "hostile", json!({"do": "count"}))]);
    let count = |ids: &[&str]| -> Vec<String> {
        let outcomes = program.evaluate(&deployment(), ids, soon());
        outcomes.into_iter().map(|outcome| verdict(outcome).advisories.remove(0).message).collect()
    };
    assert_eq!(count(&["count", "again"]), ["1 for count", "2 for again"]);
    assert_eq!(count(&["count"]), ["1 for count"]);
}

#[test]
fn the_same_case_has_the_same_outcome_a_thousand_times() {
    let ids = ["good", "mirror", "divide"];
    let program = program(&[good(), instance("mirror", "mirror", json!({})), does("divide")]);
    let case = deployment();
    let first = program.evaluate(&case, &ids, soon());
    assert!(first.iter().all(|outcome| matches!(outcome, Outcome::Verdict(_))));
    for _ in 0..1_000 {
        assert_eq!(program.evaluate(&case, &ids, soon()), first);
    }
}

#[test]
fn zero_by_zero_is_one_and_the_same_number() {
    let verdict = verdict(outcome(&program(&[does("divide")]), "divide", soon()));
    assert_eq!(verdict.advisories[0].message, "7ff8000000000000");
}

#[test]
fn an_edit_outside_the_template_is_for_the_core_to_judge() {
    let verdict = verdict(outcome(&program(&[does("edit-elsewhere")]), "edit-elsewhere", soon()));
    assert_eq!(
        (verdict.edits[0].root, verdict.edits[0].pointer.to_string()),
        (Root::Object, "/metadata/finalizers".into())
    );
}

#[test]
fn nothing_is_run_after_the_deadline() {
    let outcome = outcome(&program(&[good()]), "good", Instant::now());
    assert_eq!(outcome, Outcome::Failed(Failure::NoTurn));
}
