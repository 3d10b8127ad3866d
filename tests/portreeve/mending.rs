//! A book that fails while the server runs: what callers are told meanwhile, and that it goes on by itself once the cause
//! is mended.

use std::fs;

use portreeve_ledger::RecordKind;
use portreeve_tests::review::create;
use portreeve_tests::server::{Speaks, Wire, until};
use serde_json::{Value, json};

const DROP: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\nspec: {module: {builtin: drop-capabilities}, mode: warn}\n";

/// The status of what `/validate` answers: nothing where it admits.
async fn status(wire: &Wire) -> Value {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    });
    let client = wire.client(Speaks::Http1).unwrap();
    let answer = wire.call(&client, "validate", create(&pod).to_string()).send().await.unwrap();
    let review: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    review["response"]["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_that_was_gone_is_opened_again_by_itself_when_it_is_back() {
    let wire = Wire::start(&[("a.yaml", DROP)], json!({})).await.unwrap();
    let (book, elsewhere) = (wire.folder.path().join("book"), wire.folder.path().join("elsewhere"));
    assert_eq!(status(&wire).await, Value::Null);
    let held = portreeve_ledger::read(&book).unwrap().count();
    // What lies elsewhere is another file with the same bytes, as on a volume that was mounted anew.
    let copied = std::process::Command::new("cp").arg("-rp").args([&book, &elsewhere]).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(&book).unwrap();
    assert_eq!(status(&wire).await["code"], 500);
    let report = async || wire.operations("/readyz?verbose").await.unwrap();
    until("it says what is missing", async || {
        let (code, text) = report().await;
        code == 503 && text.contains("[-] ledger: ") && text.contains("is not there any more: put it back")
    })
    .await
    .unwrap();
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    assert!(metrics.contains("portreeve_ledger_failed 1"), "{metrics}");
    assert!(metrics.contains("portreeve_unrecorded_total{call=\"Validate\"} 1"), "{metrics}");

    fs::rename(&elsewhere, &book).unwrap();
    until("it is ready again", async || report().await.0 == 200).await.unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    assert!(wire.operations("/metrics").await.unwrap().1.contains("portreeve_ledger_reopened_total 1"));
    let Wire { running, folder, .. } = wire;
    running.stop().await.unwrap();
    let records = portreeve_ledger::read(&folder.path().join("book")).unwrap();
    let kinds: Vec<RecordKind> = records.map(|record| record.unwrap().kind).skip(held).collect();
    assert_eq!(kinds, [RecordKind::REOPENED, RecordKind::DECISION]);
    portreeve_ledger::verify(&folder.path().join("book")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_answers_without_records_stays_ready_and_says_so() {
    let more = |folder: &str| json!({"ledger": {"folder": folder, "withoutRecord": "answer"}});
    let wire = Wire::start(&[("a.yaml", DROP)], more("kept")).await.unwrap();
    fs::remove_dir_all(wire.folder.path().join("kept")).unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    until("it says that nothing is recorded", async || {
        let (code, text) = wire.operations("/readyz?verbose").await.unwrap();
        code == 200 && text.contains("[!] ledger: ")
    })
    .await
    .unwrap();
    assert_eq!(status(&wire).await, Value::Null);
}
