//! A book that fails while the server runs: what callers are told meanwhile, and that it goes on by itself once the
//! cause is mended.

use std::fs;

use portreeve_ledger::RecordKind;
use portreeve_server::health::{Part, State};
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
    assert!(metrics.contains("portreeve_unrecorded_total{call=\"Validate\",answered=\"no\"} 1"), "{metrics}");

    fs::rename(&elsewhere, &book).unwrap();
    until("it is ready again", async || report().await.0 == 200).await.unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    assert!(wire.operations("/metrics").await.unwrap().1.contains("portreeve_ledger_reopened_total 1"));
    let Wire { running, folder, .. } = wire;
    running.stop().await.unwrap();
    let records = portreeve_ledger::read(&folder.path().join("book")).unwrap();
    let records: Vec<_> = records.map(Result::unwrap).skip(held).collect();
    let kinds: Vec<&RecordKind> = records.iter().map(|record| &record.kind).collect();
    assert_eq!(kinds, [&RecordKind::REOPENED, &RecordKind::DECISION]);
    assert!(records[0].body.get().contains("\"missing\":1"), "{}", records[0].body);
    portreeve_ledger::verify(&folder.path().join("book")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_answers_without_records_stays_ready_and_says_so() {
    let more = |folder: &str| json!({"ledger": {"folder": folder, "withoutRecord": "answer"}});
    let wire = Wire::start(&[("a.yaml", DROP)], more("kept")).await.unwrap();
    fs::remove_dir_all(wire.folder.path().join("kept")).unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    assert!(metrics.contains("portreeve_unrecorded_total{call=\"Validate\",answered=\"yes\"} 1"), "{metrics}");
    until("it says that nothing is recorded", async || {
        let (code, text) = wire.operations("/readyz?verbose").await.unwrap();
        code == 200 && text.contains("[!] ledger: ")
    })
    .await
    .unwrap();
    assert_eq!(status(&wire).await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_can_not_keep_what_a_record_names_is_not_ready_until_it_can() {
    let wire = Wire::start(&[("a.yaml", DROP)], json!({})).await.unwrap();
    let book = wire.folder.path().join("book");
    let (blobs, elsewhere) = (book.join("blobs/sha256"), wire.folder.path().join("elsewhere"));
    fs::rename(&blobs, &elsewhere).unwrap();
    fs::write(&blobs, "no folder").unwrap();
    assert_eq!(status(&wire).await["code"], 500);
    let report = async || wire.operations("/readyz?verbose").await.unwrap();
    until("it says what it can't keep", async || {
        let (code, text) = report().await;
        code == 503 && text.contains("[-] ledger: what the record names could not be kept")
    })
    .await
    .unwrap();

    fs::remove_file(&blobs).unwrap();
    fs::rename(&elsewhere, &blobs).unwrap();
    until("it is ready again without a call", async || report().await.0 == 200).await.unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    let Wire { running, folder, .. } = wire;
    running.stop().await.unwrap();
    let records: Vec<_> = portreeve_ledger::read(&folder.path().join("book")).unwrap().map(Result::unwrap).collect();
    let kinds: Vec<&RecordKind> = records.iter().map(|record| &record.kind).collect();
    assert_eq!(kinds, [&RecordKind::RESUMED, &RecordKind::DECISION]);
    assert!(records[0].body.get().contains("\"missing\":1"), "{}", records[0].body);
    portreeve_ledger::verify(&folder.path().join("book")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_a_record_are_told_of_though_others_have_one_soon_after() {
    let more = json!({"ledger": {"folder": "book", "withoutRecord": "answer"}});
    let wire = Wire::start(&[("a.yaml", DROP)], more).await.unwrap();
    let book = wire.folder.path().join("book");
    let (blobs, elsewhere) = (book.join("blobs/sha256"), wire.folder.path().join("elsewhere"));
    fs::rename(&blobs, &elsewhere).unwrap();
    fs::write(&blobs, "no folder").unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    fs::remove_file(&blobs).unwrap();
    fs::rename(&elsewhere, &blobs).unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    let records = || portreeve_ledger::read(&book).unwrap().filter_map(Result::ok);
    until("a record tells of it", async || records().any(|record| record.kind == RecordKind::RESUMED)).await.unwrap();
    let told: Vec<_> = records().filter(|record| record.kind == RecordKind::RESUMED).collect();
    assert!(told[0].body.get().contains("\"missing\":1"), "{}", told[0].body);
    assert!(records().any(|record| record.kind == RecordKind::DECISION));
    assert_eq!(wire.operations("/readyz").await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_was_set_aside_is_shown() {
    let wire = Wire::start(&[("a.yaml", DROP)], json!({})).await.unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    let damage = |folder: &std::path::Path| fs::write(folder.join("book/epochs/0000000001/checkpoint"), "x").unwrap();
    let wire = wire.restarted(damage).await.unwrap();
    let shown = async || {
        let (code, text) = wire.operations("/readyz?verbose").await.unwrap();
        (code, text.contains("[!] ledger: test/one: the epoch before 2 was set aside: "))
    };
    assert_eq!(shown().await, (200, true));
    wire.running.parts.health.set(Part::Ledger, State::Good("as before".to_owned()));
    until("it is shown at the next look too", async || shown().await == (200, true)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_can_not_be_written_is_shown_until_it_can() {
    let wire = Wire::start(&[("a.yaml", DROP)], json!({})).await.unwrap();
    let checkpoint = wire.folder.path().join("book/epochs/0000000001/checkpoint");
    fs::remove_file(&checkpoint).unwrap();
    fs::create_dir(&checkpoint).unwrap();
    assert_eq!(status(&wire).await, Value::Null);
    let report = async || wire.operations("/readyz?verbose").await.unwrap();
    until("it is shown", async || {
        let (code, text) = report().await;
        code == 200 && text.contains("[!] ledger: test/one: no checkpoint can be written")
    })
    .await
    .unwrap();
    assert!(wire.operations("/metrics").await.unwrap().1.contains("portreeve_ledger_checkpoint_failed 1"));
    fs::remove_dir(&checkpoint).unwrap();
    until("it was written", async || report().await.1.contains("[+] ledger: test/one")).await.unwrap();
}
