//! Break-glass through the gate: denials are dropped and edits are made as ever, whole or not at all, and every record
//! says that it was so.

use std::sync::Arc;

use portreeve_ledger::{Ledger, Options};
use portreeve_server::set::read_folder;
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, admit, mutate, validate};
use portreeve_tests::review::create;
use serde_json::{Value, json};

use crate::book::bodies;
use crate::hostile::{deployment, policies};

const SWITCH: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata:\n  name: ours\n  annotations:\n    \
    portreeve.dev/break-glass-until: '2999-01-01T00:00:00Z'\n    portreeve.dev/break-glass-reason: fire\nspec: {}\n";

const DROP: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
    spec: {module: {builtin: drop-capabilities}}\n---\n";

/// A gate with a guest that edits in one round and gives up in the next, and refuses where it fails.
fn giving_up(switch: &str) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{}---\n{switch}", policies("edit-and-give-up", "Fail"));
    std::fs::write(folder.path().join("policies.yaml"), text).unwrap();
    Setting::default().sources(read_folder(folder.path()).unwrap()).gate().unwrap()
}

/// A Pod with a fault that an edit mends, and one that none does.
fn pod() -> Value {
    let added = json!({"capabilities": {"add": ["NET_RAW"]}});
    let containers = json!([
        {"name": "app", "image": "team/web:1"}, {"name": "raw", "image": "team/web:1", "securityContext": added},
    ]);
    let metadata = json!({"name": "web", "namespace": "shop"});
    create(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_halfway_takes_its_edits_with_it_under_the_switch_too() {
    let refused = mutate(&giving_up(""), &deployment("shop")).await.unwrap();
    assert!(refused.response.refusal.is_some(), "without the switch its failure refuses");
    let told = mutate(&giving_up(SWITCH), &deployment("shop")).await.unwrap();
    assert!(told.response.refusal.is_none(), "{:?}", told.response);
    assert_eq!(told.object.pointer("/spec/template/metadata"), None, "half of its edits is left");
    let dropped = told.object.pointer("/spec/template/spec/containers/0/securityContext/capabilities/drop");
    assert_eq!(dropped, Some(&json!(["ALL"])), "the others are put right as ever");
    assert!(told.response.warnings.iter().any(|line| line.contains("guest failed and was let pass")));
}

#[tokio::test]
async fn edits_are_made_and_denials_are_warned_of() {
    let gate = Setting::default().with(&format!("{DROP}{SWITCH}")).unwrap().gate().unwrap();
    let (told, response) = admit(&gate, &pod()).await.unwrap();
    let dropped = told.object.pointer("/spec/containers/0/securityContext/capabilities/drop");
    assert_eq!(dropped, Some(&json!(["ALL"])));
    assert!(response.refusal.is_none(), "{response:?}");
    assert!(response.warnings.iter().any(|line| line.contains("NET_RAW")), "{response:?}");
    let told = "it would have been refused, but for break-glass: denials are dropped until 2999-01-01T00:00:00Z: fire";
    assert!(response.warnings[0].ends_with(told), "{response:?}");
    let without = Setting::default().with(DROP).unwrap().gate().unwrap();
    assert!(validate(&without, &pod()).await.unwrap().refusal.is_some());
}

#[tokio::test]
async fn every_record_says_that_denials_were_dropped_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let options = Options::new("test/one".parse().unwrap());
    let setting = Setting::default().with(&format!("{DROP}{SWITCH}")).unwrap();
    let gate = setting.ledger(Arc::new(Ledger::open(&book, options).unwrap())).gate().unwrap();
    admit(&gate, &pod()).await.unwrap();
    let records = bodies(&book);
    let said: Vec<&Value> = records.iter().map(|record| &record["breakGlass"]).collect();
    assert_eq!(said, ["denials are dropped until 2999-01-01T00:00:00Z: fire"; 2]);
    assert_eq!(records[0]["answer"], "corrected");
    assert_eq!((&records[1]["answer"], &records[1]["violations"][0]["mode"]), (&json!("allowed"), &json!("warn")));
}
