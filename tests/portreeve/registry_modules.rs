//! Policies whose modules come out of a registry, and what does not wait for a module.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use portreeve_supply::loopback::{Fault as Trouble, FixtureImage, LoopbackRegistry};
use portreeve_tests::gate::Fault;
use portreeve_tests::server::{Wire, until};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A registry with the catalogue as a module, and how that is named.
async fn published() -> (LoopbackRegistry, String) {
    let image = ("team/app".to_owned(), "v1".to_owned(), FixtureImage::default());
    let registry = LoopbackRegistry::start([image]).await.unwrap();
    let digest = registry.module("policies/catalogue", "v1", portreeve_builtin::CATALOGUE.to_vec());
    let named = format!("{}/policies/catalogue:v1@{digest}", registry.host());
    (registry, named)
}

fn policy(named: &str) -> String {
    format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: drop}}\n\
         spec: {{module: {{oci: {named:?}, policy: drop-capabilities}}}}\n"
    )
}

async fn started(registry: &LoopbackRegistry, policy: &str) -> Result<Wire, Fault> {
    let registries = json!({"registries": [{"host": registry.host().as_str(), "insecure": true}]});
    Wire::start(&[("drop.yaml", policy)], json!({"registries": registries, "state": {"folder": "state"}})).await
}

async fn code(wire: &Wire) -> Value {
    wire.decision().await.unwrap()["code"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_out_of_a_registry_is_in_force_and_a_restart_asks_nobody() {
    let (registry, named) = published().await;
    let wire = started(&registry, &policy(&named)).await.unwrap();
    assert_eq!(code(&wire).await, 403);
    let gone = |_: &Path| drop(registry);
    let wire = wire.restarted(gone).await.unwrap();
    assert_eq!(code(&wire).await, 403);
    let (_, report) = wire.operations("/readyz?verbose").await.unwrap();
    assert!(report.contains("[+] policies: 1 policies in force"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_force_stays_until_the_registry_answers() {
    let (registry, named) = published().await;
    let builtin = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
                   spec: {module: {builtin: drop-capabilities}, mode: audit}\n";
    let wire = started(&registry, builtin).await.unwrap();
    registry.fault([Trouble::Status(503)]);
    std::fs::write(wire.folder.path().join("policies/drop.yaml"), policy(&named)).unwrap();
    let shows = async |words: &str| wire.operations("/readyz?verbose").await.unwrap().1.contains(words);
    until("the registry's answer is told", async || shows("spec.module.oci: module").await).await.unwrap();
    assert!(shows("[!] policies: kept sha256:").await && shows("503").await);
    assert_eq!(code(&wire).await, Value::Null, "it is admitted as before");
    registry.fault([]);
    until("the module is in force", async || code(&wire).await == 403).await.unwrap();
}

/// The other end of a pipe that somebody reads: he waits until it is dropped.
async fn held_up(pipe: &Path) -> File {
    let (pipe, (tell, told)) = (pipe.to_owned(), oneshot::channel());
    thread::spawn(move || tell.send(File::options().write(true).open(pipe)));
    timeout(Duration::from_secs(120), told).await.unwrap().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_tokens_do_not_wait_for_a_module() {
    let builtin = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
                   spec: {module: {builtin: drop-capabilities}, mode: audit}\n";
    let wire = Wire::start(&[("drop.yaml", builtin)], json!({})).await.unwrap();
    let pipe = wire.folder.path().join("drop.wasm");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let piped = builtin.replace("builtin: drop-capabilities", &format!("file: {pipe:?}, policy: drop-capabilities"));
    std::fs::write(wire.folder.path().join("policies/drop.yaml"), piped).unwrap();
    let held_up = held_up(&pipe).await;
    std::fs::write(wire.folder.path().join("certs/tokens"), "no token").unwrap();
    let shows = async |words: &str| wire.operations("/readyz?verbose").await.unwrap().1.contains(words);
    until("the tokens are looked at", async || shows("[!] certificate: ").await).await.unwrap();
    drop(held_up);
    until("the module is read", async || shows("[!] policies: kept sha256:").await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_modules_are_pulled_at_one_time() {
    let (registry, named) = published().await;
    let other = registry.module("policies/other", "v1", b"no component".to_vec());
    registry.fault([Trouble::Slow(Duration::from_secs(2))]);
    let other = policy(&format!("{}/policies/other@{other}", registry.host())).replace("name: drop", "name: other");
    assert!(started(&registry, &[policy(&named), "---\n".to_owned(), other].concat()).await.is_err());
    let asked: Vec<String> = registry.asked().into_iter().map(|asked| asked.path).collect();
    let begun: Vec<&String> = asked.iter().filter(|path| path.starts_with("/v2/policies")).take(2).collect();
    assert!(begun.iter().all(|path| path.contains("/manifests/")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_while_the_registry_is_away_takes_the_module_up_once_it_answers() {
    let (registry, named) = published().await;
    let builtin = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
                   spec: {module: {builtin: drop-capabilities}, mode: audit}\n";
    let wire = started(&registry, builtin).await.unwrap();
    registry.fault([Trouble::Status(503)]);
    let change = |folder: &Path| std::fs::write(folder.join("policies/drop.yaml"), policy(&named)).unwrap();
    let wire = wire.restarted(change).await.unwrap();
    let measured = async |line: &str| wire.operations("/metrics").await.unwrap().1.lines().any(|found| found == line);
    assert_eq!(code(&wire).await, Value::Null, "the last good set serves");
    assert!(measured("portreeve_policies_refused 1").await);
    registry.fault([]);
    until("the module is in force", async || code(&wire).await == 403).await.unwrap();
    assert!(measured("portreeve_policies_refused 0").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_are_put_back_while_the_registry_is_away_are_in_force_again() {
    let (registry, named) = published().await;
    let builtin = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
                   spec: {module: {builtin: drop-capabilities}, mode: audit}\n";
    let wire = started(&registry, builtin).await.unwrap();
    registry.fault([Trouble::Status(503)]);
    let write = |text: &str| std::fs::write(wire.folder.path().join("policies/drop.yaml"), text).unwrap();
    let shows = async |words: &str| wire.operations("/readyz?verbose").await.unwrap().1.contains(words);
    write(&policy(&named));
    until("the change is refused", async || shows("[!] policies: kept").await).await.unwrap();
    write(builtin);
    until("it is as before", async || shows("[+] policies: 1 policies in force").await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_module_is_said_where_it_is_named() {
    let (registry, named) = published().await;
    let image = registry.digest("team/app", "v1").unwrap();
    let elsewhere = named.replace(registry.host().as_str(), "registry.example");
    let wrong = [
        (named.split('@').next().unwrap().to_owned(), "is named without a digest"),
        (format!("{}/team/app@{image}", registry.host()), "has not one layer of type application/wasm"),
        (elsewhere, "registry.example"),
        ("Not/A/Reference@sha256:1".to_owned(), "spec.module.oci"),
    ];
    for (named, reason) in wrong {
        let Err(error) = started(&registry, &policy(&named)).await else { panic!("{named} was taken") };
        let error = error.to_string();
        assert!(
            error.contains("drop.yaml:1") && error.contains("spec.module.oci: ") && error.contains(reason),
            "{error}"
        );
    }
}

/// Longer than a server with a set waits, for the manifest and the module behind it.
const SLOW: Trouble = Trouble::Slow(Duration::from_secs(3));

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_takes_longer_than_is_waited_for_is_in_force_when_it_is_there() {
    let (registry, named) = published().await;
    let builtin = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: drop}\n\
                   spec: {module: {builtin: drop-capabilities}, mode: audit}\n";
    let wire = started(&registry, builtin).await.unwrap();
    registry.fault([SLOW]);
    std::fs::write(wire.folder.path().join("policies/drop.yaml"), policy(&named)).unwrap();
    let shows = async |words: &str| wire.operations("/readyz?verbose").await.unwrap().1.contains(words);
    until("nobody waits any more", async || shows("is still being pulled").await).await.unwrap();
    until("the module is in force", async || code(&wire).await == 403).await.unwrap();
    assert_eq!(registry.asked().iter().filter(|asked| asked.path.starts_with("/v2/policies")).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_set_waits_for_a_module_that_takes_long() {
    let (registry, named) = published().await;
    registry.fault([SLOW]);
    let wire = started(&registry, &policy(&named)).await.unwrap();
    assert_eq!(code(&wire).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_whose_kept_set_is_no_use() {
    for is_damaged in [true, false] {
        let (registry, named) = published().await;
        let wire = started(&registry, &policy(&named)).await.unwrap();
        registry.fault([SLOW]);
        let change = |folder: &Path| {
            std::fs::remove_dir_all(folder.join("state/registry-modules")).unwrap();
            if is_damaged {
                std::fs::write(folder.join("state/set.json"), "damaged").unwrap();
            }
        };
        let wire = wire.restarted(change).await.unwrap();
        assert_eq!(code(&wire).await, 403, "{is_damaged}");
    }
}
