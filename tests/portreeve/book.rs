//! The book behind the gate: what is in it when an answer leaves, what never is, and what happens when it fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_admission::response::{AuditKey, RefusalKind};
use portreeve_ledger::{Ledger, Options, Record, RecordKind};
use portreeve_server::config::WithoutRecord;
use portreeve_server::deadline::Deadlines;
use portreeve_server::way::{Book, Gate, named};
use portreeve_supply::loopback::FixtureImage;
use portreeve_supply::reference::Digest;
use portreeve_tests::gate::{Setting, admit, mutate, plenty, validate};
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

use crate::admission::{deployment, pinning_by, registry};

fn pod(container: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [container]},
    })
}

fn plain_pod() -> Value {
    pod(&json!({"name": "app", "image": "team/web:1"}))
}

fn ledger(folder: &Path) -> Arc<Ledger> {
    Arc::new(Ledger::open(folder, Options::new("test/one".parse().unwrap())).unwrap())
}

#[tokio::test]
async fn a_decision_is_in_the_book_when_its_answer_leaves_and_a_dry_run_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Setting::platform().ledger(ledger(&folder.path().join("book"))).gate().unwrap();
    let (told, response) = admit(&gate, &create(&plain_pod())).await.unwrap();
    let mut dry = create(&plain_pod());
    dry["request"]["dryRun"] = json!(true);
    let (_, dry) = admit(&gate, &dry).await.unwrap();
    assert!(!dry.audit.contains_key(&AuditKey::Record));

    let records: Vec<_> =
        portreeve_ledger::read(&folder.path().join("book")).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let kinds: Vec<_> = records.iter().map(|record| record.kind.clone()).collect();
    assert_eq!(kinds, [RecordKind::CORRECTION, RecordKind::DECISION]);
    assert_eq!(records[0].id.to_string(), told.response.audit[&AuditKey::Record]);
    assert_eq!(records[1].id.to_string(), response.audit[&AuditKey::Record]);
}

#[tokio::test]
async fn a_decision_is_on_disk_when_its_answer_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Setting::platform().ledger(ledger(&folder.path().join("book"))).gate().unwrap();
    // Once might be luck: a record that is written is synced soon.
    for decisions in 1..=100 {
        validate(&gate, &create(&plain_pod())).await.unwrap();
        let stats = gate.book.ledger().unwrap().stats();
        assert_eq!((stats.records, stats.synced), (decisions, decisions));
        assert!(stats.syncs >= decisions, "{stats:?}");
    }
}

/// A review as somebody wrote it: what is spelt otherwise has another digest.
fn spelt(object: &str) -> String {
    let mut review = create(&plain_pod());
    review["request"]["object"] = json!("HERE");
    review.to_string().replace("\"HERE\"", object)
}

#[tokio::test]
async fn records_hold_the_digests_of_the_object_as_it_was_sent_and_as_it_was_made() {
    let (folder, drop) = (
        tempfile::tempdir().unwrap(),
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\n\
        metadata: {name: drop}\nspec: {module: {builtin: drop-capabilities}}\n",
    );
    let book = folder.path().join("book");
    let gate = Setting::default().with(drop).unwrap().ledger(ledger(&book)).gate().unwrap();
    let object = "{ \"kind\":\"Pod\",\"apiVersion\" : \"v1\", \"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\
        \n\"spec\":{\"containers\":[{\"name\":\"app\",\"image\":\"team\\/web:1\"}]} }";
    let answered = gate.mutate(spelt(object).as_bytes(), plenty()).await.unwrap();
    let mut corrected: Value = serde_json::from_str(object).unwrap();
    json_patch::patch(&mut corrected, &answered.response.patch.unwrap()).unwrap();
    gate.validate(spelt(object).as_bytes(), plenty()).await.unwrap();
    gate.validate(update(&plain_pod(), &with_label()).to_string().as_bytes(), plenty()).await.unwrap();

    let digest = |text: &str| json!(Digest::sha256_of(text.as_bytes()).to_string());
    let [correction, decision, later] = &bodies(&book)[..] else { panic!("three calls, three records") };
    assert_eq!(correction["call"]["object"], digest(object));
    assert_eq!(correction["corrected"], digest(&corrected.to_string()));
    assert_eq!(decision["call"]["object"], digest(object));
    assert_eq!(later["call"]["object"], digest(&plain_pod().to_string()));
    assert_eq!(later["call"]["oldObject"], digest(&with_label().to_string()));
}

fn with_label() -> Value {
    let mut pod = plain_pod();
    pod["metadata"]["labels"] = json!({"app": "web"});
    pod
}

#[tokio::test]
async fn a_record_says_who_told_of_the_namespace_and_what() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: gold}}\n";
    let name = json!({"kubernetes.io/metadata.name": "shop"});
    let with_tier = json!({"kubernetes.io/metadata.name": "shop", "tier": "gold"});
    for (yaml, from, labels) in [("", "default", name), (namespace, "manifest", with_tier)] {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("book");
        let gate = Setting::platform().with(yaml).unwrap().ledger(ledger(&book)).gate().unwrap();
        validate(&gate, &create(&plain_pod())).await.unwrap();
        let [decision] = &bodies(&book)[..] else { panic!("one call, one record") };
        assert_eq!(decision["namespace"]["knownFrom"], from);
        let known = decision["namespace"]["known"].as_str().unwrap().parse().unwrap();
        let known: Value = serde_json::from_slice(&portreeve_ledger::kept(&book, &known).unwrap()).unwrap();
        assert_eq!(known["labels"], labels);
    }
}

#[tokio::test]
async fn the_book_holds_all_that_a_record_names() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Setting::platform().ledger(ledger(&folder.path().join("book"))).gate().unwrap();
    admit(&gate, &create(&plain_pod())).await.unwrap();
    let book = folder.path().join("book");
    for record in portreeve_ledger::read(&book).unwrap() {
        let body: Value = serde_json::from_str(record.unwrap().body.get()).unwrap();
        let named = body["facts"].as_array().unwrap().iter().chain([&body["set"], &body["namespace"]["known"]]);
        for digest in named {
            let digest = digest.as_str().unwrap();
            portreeve_ledger::kept(&book, &digest.parse().unwrap()).unwrap();
        }
        assert!(body["call"]["object"].as_str().unwrap().starts_with("sha256:"));
    }
}

#[tokio::test]
async fn a_book_is_not_whole_without_any_one_of_the_contents_that_its_records_name() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let gate = Setting::platform().ledger(ledger(&book)).gate().unwrap();
    let names: Vec<String> = (0..50).map(|number| format!("c{number}")).collect();
    let containers: Vec<Value> = names.iter().map(|name| json!({"name": name, "image": "team/web:1"})).collect();
    let mut pod = plain_pod();
    pod["spec"]["containers"] = json!(containers);
    admit(&gate, &create(&pod)).await.unwrap();
    drop(gate);
    let report = portreeve_ledger::verify_naming(&book, None, named).unwrap();
    let kept: Vec<PathBuf> = listed(&book.join("blobs/sha256")).iter().flat_map(|shelf| listed(shelf)).collect();
    assert_eq!(u64::try_from(kept.len()).unwrap(), report.blobs.count);
    for file in kept {
        let content = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let error = portreeve_ledger::verify_naming(&book, None, named).unwrap_err().to_string();
        assert!(error.contains(&format!("{}: this content is not there", file.display())), "{error}");
        std::fs::write(&file, content).unwrap();
    }
}

#[tokio::test]
async fn what_is_recorded_of_a_template_that_can_not_be_read_is_what_was_answered() {
    for (failure_policy, refused, recorded) in [("Ignore", false, "unchanged"), ("Fail", true, "failed")] {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("book");
        let policy = format!(
            "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: drop}}\n\
             spec: {{module: {{builtin: drop-capabilities}}, failurePolicy: {failure_policy}}}\n"
        );
        let gate = Setting::default().with(&policy).unwrap().ledger(ledger(&book)).gate().unwrap();
        let mut object = deployment("team/web:1");
        object["spec"]["template"] = json!("text");
        let answered = gate.mutate(create(&object).to_string().as_bytes(), plenty()).await.unwrap();
        assert_eq!(answered.response.refusal.is_some(), refused, "{failure_policy}");
        let [correction] = &bodies(&book)[..] else { panic!("one call, one record") };
        assert_eq!(correction["answer"], recorded, "{correction}");
        assert!(correction["unreadable"].as_str().unwrap().contains("/spec/template"), "{correction}");
    }
}

#[tokio::test]
async fn the_facts_of_the_object_before_an_update_are_in_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let policy = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: non-root}\n\
        spec: {module: {builtin: non-root}, mutate: false, facts: [image-config]}\n";
    let gate = Setting::default().with(policy).unwrap().ledger(ledger(&book)).gate().unwrap();
    let new = pod(&json!({"name": "app", "image": "team/web:2"}));
    validate(&gate, &update(&new, &plain_pod())).await.unwrap();
    let record = portreeve_ledger::read(&book).unwrap().next().unwrap().unwrap();
    let images = |facts: &Value| facts["image-config"].as_object().unwrap().keys().cloned().collect();
    let asked: Vec<Vec<String>> = facts(&book, &record).iter().map(images).collect();
    assert_eq!(asked, [["team/web:2"], ["team/web:1"]]);
}

#[tokio::test]
async fn a_restart_shows_the_old_digest_and_the_new_one_however_it_is_written() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry().await);
    let book = folder.path().join("book");
    let gate = pinning_by(&registry).ledger(ledger(&book)).gate().unwrap();
    let pinned = mutate(&gate, &create(&deployment("team/web:1"))).await.unwrap().object;
    let before = registry.digest("docker.io/team/web", "1").unwrap();
    let image = FixtureImage { user: Some("7".into()), ..FixtureImage::default() };
    let moved = registry.retag("docker.io/team/web", "1", &image);

    let restarted_at = json!("2026-01-01T00:00:00Z");
    let mut restarted = pinned.clone();
    restarted["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
        restarted_at.clone();
    let mut by_tag = deployment("team/web:1");
    by_tag["spec"]["template"]["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": restarted_at});
    for object in [restarted, by_tag] {
        mutate(&gate, &update(&object, &pinned)).await.unwrap();
    }
    let place = "/spec/template/spec/containers/0/image";
    let [first, again, by_tag] = &bodies(&book).iter().map(|body| edit_at(body, place)).collect::<Vec<_>>()[..] else {
        panic!("three calls, three corrections")
    };
    let (old, new) = (format!("team/web:1@{before}"), format!("team/web:1@{moved}"));
    assert_eq!((&first["was"], &first["now"]), (&json!("team/web:1"), &json!(old)));
    for restart in [again, by_tag] {
        assert_eq!((&restart["was"], &restart["now"]), (&json!(old), &json!(new)));
    }
}

/// What lies in a folder.
fn listed(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The edit that a record names at this place.
fn edit_at(body: &Value, place: &str) -> Value {
    let edits = body["edits"].as_array().unwrap();
    edits.iter().find(|edit| edit["at"] == place).unwrap_or_else(|| panic!("{body}")).clone()
}

/// What records say, in their order.
pub(crate) fn bodies(book: &Path) -> Vec<Value> {
    let records = portreeve_ledger::read(book).unwrap();
    records.map(|record| serde_json::from_str(record.unwrap().body.get()).unwrap()).collect()
}

fn with_a_secret() -> Value {
    json!({"name": "app", "image": "team/web:1", "env": [{"name": "PASSWORD", "value": "hunter2-secret"}]})
}

fn assert_holds_no_secret(gate: &Gate, book: &Path) {
    gate.book.ledger().unwrap().close().unwrap();
    for file in walk(book) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"hunter2-secret"), "{}", file.display());
    }
}

#[tokio::test]
async fn no_object_and_no_environment_is_in_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let gate = Setting::platform().ledger(ledger(&book)).gate().unwrap();
    admit(&gate, &create(&pod(&with_a_secret()))).await.unwrap();
    assert_holds_no_secret(&gate, &book);
}

#[tokio::test]
async fn pods_that_run_are_asked_for_where_a_namespace_is_judged_and_leave_no_environment_in_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let policy = format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: pod-security}}\n\
         spec: {{module: {{builtin: pod-security}}, mode: audit, facts: [namespace, running-pods]}}\n---\n{}",
        pod(&with_a_secret())
    );
    let gate = Setting::default().with(&policy).unwrap().ledger(ledger(&book)).gate().unwrap();
    validate(&gate, &create(&plain_pod())).await.unwrap();
    let namespace = |level| {
        let labels = json!({"pod-security.kubernetes.io/enforce": level});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
    };
    let mut tightened = update(&namespace("restricted"), &namespace("privileged"));
    tightened["request"]["namespace"] = json!("shop");
    let response = validate(&gate, &tightened).await.unwrap();
    assert!(response.warnings.iter().any(|line| line.contains("web: allowPrivilegeEscalation")), "{response:?}");

    let pods = portreeve_ledger::read(&book)
        .unwrap()
        .map(|record| facts(&book, &record.unwrap())[0]["running-pods"][""].clone());
    let pods: Vec<Value> = pods.collect();
    assert!(pods[0]["missing"].as_str().unwrap().contains("whoever judges a Namespace"), "{pods:?}");
    assert_eq!(pods[1][0]["spec"], json!({"containers": [{"name": "app"}]}));
    assert_holds_no_secret(&gate, &book);
}

/// The facts that a record names.
fn facts(book: &Path, record: &Record) -> Vec<Value> {
    let body: Value = serde_json::from_str(record.body.get()).unwrap();
    let digests = body["facts"].as_array().unwrap().iter().map(|digest| digest.as_str().unwrap().parse().unwrap());
    digests.map(|digest| serde_json::from_slice(&portreeve_ledger::kept(book, &digest).unwrap()).unwrap()).collect()
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_book_that_fails_refuses_new_workloads_and_never_what_heals() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("book"));
    let gate = Setting::platform().ledger(Arc::clone(&ledger)).gate().unwrap();
    ledger.close().unwrap();
    let refusal = mutate(&gate, &create(&plain_pod())).await.unwrap().response.refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::InternalError);
    let mut deletion = update(&Value::Null, &plain_pod());
    deletion["request"]["operation"] = json!("DELETE");
    assert!(validate(&gate, &deletion).await.unwrap().refusal.is_none());
    let mut own = create(&plain_pod());
    own["request"]["namespace"] = json!("kube-system");
    assert!(validate(&gate, &own).await.unwrap().refusal.is_none());
}

#[tokio::test]
async fn without_a_record_a_call_is_answered_where_the_configuration_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("book"));
    let book = Book::kept(Arc::clone(&ledger), WithoutRecord::Answer);
    let gate = Setting::platform().book(book).gate().unwrap();
    ledger.close().unwrap();
    let (told, response) = admit(&gate, &create(&plain_pod())).await.unwrap();
    assert!(told.response.patch.is_some() && told.response.refusal.is_none());
    assert!(response.refusal.is_none() && !response.audit.contains_key(&AuditKey::Record));
}

#[tokio::test]
async fn only_an_answer_that_stayed_is_named_as_undelivered() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let seldom = Options::new("test/one".parse().unwrap()).group_interval(Duration::from_secs(3600));
    let gate = Setting::platform().ledger(Arc::new(Ledger::open(&book, seldom).unwrap())).gate().unwrap();
    // What its record names is kept then, and records wait from then on.
    validate(&gate, &create(&plain_pod())).await.unwrap();
    let mut deletion = update(&Value::Null, &plain_pod());
    deletion["request"]["operation"] = json!("DELETE");
    for (review, leaves) in [(create(&plain_pod()), false), (deletion, true)] {
        let late = Deadlines { recorded: Instant::now(), ..plenty() };
        let answered = gate.validate(review.to_string().as_bytes(), late).await.unwrap();
        assert_eq!(answered.unrecorded == Some(WithoutRecord::Answer), leaves, "{answered:?}");
    }
    gate.book.ledger().unwrap().close().unwrap();
    let kinds: Vec<_> = portreeve_ledger::read(&book).unwrap().map(|record| record.unwrap().kind).collect();
    assert_eq!(kinds, [RecordKind::DECISION, RecordKind::DECISION, RecordKind::UNDELIVERED, RecordKind::DECISION]);
}
