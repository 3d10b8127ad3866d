//! A restart: with policy files that are no use the last good set serves, from the folder that it was kept in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use portreeve_tests::gate::Fault;
use portreeve_tests::server::{Wire, until};
use serde_json::{Value, json};
use tempfile::TempDir;

const DROP: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\nspec: {module: {builtin: drop-capabilities}}\n";

/// A policy out of a file, in force in namespaces of a label alone; and the folder of that file.
fn outside() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("catalogue.wasm");
    fs::write(&module, portreeve_builtin::CATALOGUE).unwrap();
    let policy = format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: sealed}}\n\
         spec: {{module: {{file: {module:?}, policy: seccomp}}, match: {{namespaceSelector: {{matchLabels: {{tier: web}}}}}}}}\n\
         ---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{tier: web}}}}\n"
    );
    (folder, policy)
}

async fn keeping(policies: &[(&str, &str)]) -> Wire {
    Wire::start(policies, json!({"state": {"folder": "state"}})).await.unwrap()
}

fn state(wire: &Wire) -> &Path {
    &wire.running.parts.config.state.as_ref().unwrap().folder
}

fn set_in_force(wire: &Wire) -> String {
    wire.running.parts.gate.set.load().digest().to_owned()
}

async fn report(wire: &Wire) -> (u16, String) {
    wire.operations("/readyz?verbose").await.unwrap()
}

fn misspell(folder: &Path) {
    fs::write(folder.join("policies/a.yaml"), DROP.replace("drop-capabilities", "drop-capabilitys")).unwrap();
}

fn failed(started: Result<Wire, Fault>) -> String {
    let Err(error) = started else { panic!("it started") };
    let error: &dyn std::error::Error = error.as_ref();
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_policy_files_that_are_no_use_serves_the_last_good_set() {
    let empty: fn(&Path) = |folder| fs::remove_file(folder.join("policies/a.yaml")).unwrap();
    let unmounted: fn(&Path) = |folder| fs::remove_dir_all(folder.join("policies")).unwrap();
    let misspelt: fn(&Path) = misspell;
    let changes = [(misspelt, "drop-capabilitys"), (empty, "there is no ClusterPolicy"), (unmounted, "policies")];
    for (change, reason) in changes {
        let wire = keeping(&[("a.yaml", DROP)]).await;
        let (before, set) = (wire.decision().await.unwrap(), set_in_force(&wire));
        assert_eq!(before["code"], 403);
        let wire = wire.restarted(change).await.unwrap();
        assert_eq!((wire.decision().await.unwrap(), set_in_force(&wire)), (before, set.clone()), "{reason}");
        let (status, report) = report(&wire).await;
        assert_eq!(status, 200, "{report}");
        let line = report.lines().find(|line| line.contains("policies:")).unwrap();
        assert!(line.starts_with(&format!("[!] policies: kept {set}: ")) && line.contains(reason), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_from_files_and_namespaces_are_kept_with_the_set() {
    let (module, policies) = outside();
    let wire = keeping(&[("a.yaml", &policies)]).await;
    let (before, set) = (wire.decision().await.unwrap(), set_in_force(&wire));
    assert!(before["message"].as_str().unwrap().contains("sealed"), "{before}");
    let gone = |folder: &Path| {
        fs::remove_dir_all(folder.join("policies")).unwrap();
        drop(module);
    };
    let wire = wire.restarted(gone).await.unwrap();
    assert_eq!((wire.decision().await.unwrap(), set_in_force(&wire)), (before, set));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_facts_are_made_of_are_kept_with_the_set() {
    let policies = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: network}\n\
        spec: {module: {builtin: network-policy}, facts: [network-policies]}\n---\n\
        apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: bank}\n\
        spec: {podSelector: {}}\n";
    let wire = keeping(&[("a.yaml", policies)]).await;
    let before = wire.decision().await.unwrap();
    assert_eq!(before["code"], 403, "{before}");
    let wire = wire.restarted(|folder| fs::remove_dir_all(folder.join("policies")).unwrap()).await.unwrap();
    assert_eq!(wire.decision().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_files_that_are_mended_take_the_place_of_the_kept_set_and_are_kept() {
    let wire = keeping(&[("a.yaml", DROP)]).await.restarted(misspell).await.unwrap();
    let before = set_in_force(&wire);
    let warn = DROP.replace("}}\n", "}, mode: warn}\n");
    fs::write(wire.folder.path().join("policies/a.yaml"), warn).unwrap();
    until("the mended set is in force", async || report(&wire).await.1.contains("[+] policies: 1 policies in force"))
        .await
        .unwrap();
    let mended = set_in_force(&wire);
    assert_ne!(mended, before);
    let wire = wire.restarted(misspell).await.unwrap();
    assert_eq!(set_in_force(&wire), mended);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_name_the_kept_set_as_they_named_it_before() {
    let wire = keeping(&[("a.yaml", DROP)]).await;
    wire.decision().await.unwrap();
    let wire = wire.restarted(misspell).await.unwrap();
    wire.decision().await.unwrap();
    let set = set_in_force(&wire);
    let records = portreeve_ledger::read(&wire.folder.path().join("book")).unwrap();
    let named: Vec<Value> = records
        .map(|record| serde_json::from_str::<Value>(record.unwrap().body.get()).unwrap()["set"].take())
        .collect();
    assert_eq!(named, [json!(set), json!(set)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_book_is_measured_with_what_was_in_it_before() {
    let wire = keeping(&[("a.yaml", DROP)]).await;
    wire.decision().await.unwrap();
    let wire = wire.restarted(|_| ()).await.unwrap();
    wire.decision().await.unwrap();
    let measured = async |line| wire.operations("/metrics").await.unwrap().1.lines().any(|found| found == line);
    assert!(measured("portreeve_ledger_records 2").await);
    until("all is under a checkpoint", async || measured("portreeve_ledger_checkpoint_size 2").await).await.unwrap();
    // Where no checkpoint can be written, the book still grows.
    let checkpoint = wire.folder.path().join("book/epochs/0000000001/checkpoint");
    fs::remove_file(&checkpoint).unwrap();
    fs::create_dir(&checkpoint).unwrap();
    wire.decision().await.unwrap();
    assert!(measured("portreeve_ledger_records 3").await);
    assert!(measured("portreeve_ledger_checkpoint_size 2").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_kept_set_a_start_with_bad_policy_files_fails_and_says_why() {
    let state = tempfile::tempdir().unwrap();
    let misspelt = DROP.replace("drop-capabilities", "drop-capabilitys");
    for more in [json!({}), json!({"state": {"folder": state.path().join("state")}})] {
        let error = failed(Wire::start(&[("a.yaml", &misspelt)], more).await);
        assert!(error.contains("drop-capabilitys") && !error.contains("last good"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_nothing_is_kept_which_is_shown() {
    let wire = Wire::start(&[("a.yaml", DROP)], json!({})).await.unwrap();
    let (status, report) = report(&wire).await;
    assert!(status == 200 && report.contains("[!] state: no folder is configured"), "{report}");
    let error = failed(wire.restarted(misspell).await);
    assert!(error.contains("drop-capabilitys"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_set_that_is_damaged_is_refused_for_a_reason_of_its_own() {
    let wire = keeping(&[("a.yaml", DROP)]).await;
    let kept = state(&wire).join("set.json");
    let change = |folder: &Path| {
        misspell(folder);
        fs::write(&kept, fs::read_to_string(&kept).unwrap().replace("drop-capabilities", "seccomp")).unwrap();
    };
    let error = failed(wire.restarted(change).await);
    assert!(error.contains("drop-capabilitys"), "{error}");
    assert!(error.contains("set.json is damaged: its digest is another than it says"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_module_that_is_damaged_is_refused_too() {
    let (_module, policies) = outside();
    let wire = keeping(&[("a.yaml", &policies)]).await;
    let kept = fs::read_dir(state(&wire).join("modules")).unwrap().next().unwrap().unwrap().path();
    let change = |folder: &Path| {
        misspell(folder);
        fs::write(&kept, &portreeve_builtin::CATALOGUE[1..]).unwrap();
    };
    let error = failed(wire.restarted(change).await);
    assert!(error.contains(&format!("{} is damaged: its digest is", kept.display())), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_set_that_others_could_have_written_is_refused() {
    let wire = keeping(&[("a.yaml", DROP)]).await;
    let folder = state(&wire).to_owned();
    let change = |policies: &Path| {
        misspell(policies);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    };
    let error = failed(wire.restarted(change).await);
    assert!(error.contains("nobody else may write to it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_can_not_be_kept_is_in_force_all_the_same() {
    // /proc takes no folders, not even from root, whom permissions do not stop.
    let wire = Wire::start(&[("a.yaml", DROP)], json!({"state": {"folder": "/proc/portreeve-state"}})).await.unwrap();
    assert_eq!(wire.decision().await.unwrap()["code"], 403);
    let (status, report) = report(&wire).await;
    assert!(status == 200 && report.contains("[!] state: ") && report.contains("/proc/portreeve-state"), "{report}");
}
