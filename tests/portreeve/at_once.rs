//! A set whose settings nobody has seen is in force before the compiler has, and stays the same set when it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_engine::{Engine, Options};
use portreeve_server::manifest::read_stream;
use portreeve_server::set::{COMPILED, Loader, PolicySet, Sources};
use portreeve_tests::gate::{Setting, validate};
use portreeve_tests::review::create;
use portreeve_tests::server::{Wire, until};
use serde_json::json;

/// Settings that no cache has, since no other test has them.
const NEW: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: never-seen}\n\
    spec: {module: {builtin: labels}, settings: {labels: [{key: never-seen-before}]}}\n";

fn loader() -> Loader {
    let engine = Engine::new(Options { embedded: &COMPILED, ..Options::default() }).unwrap();
    Loader::new(engine, portreeve_builtin::CATALOGUE, BTreeMap::new(), None)
}

fn at_once(loader: &Loader) -> PolicySet {
    let mut sources = Sources::default();
    for manifest in read_stream("new.yaml", NEW).unwrap() {
        sources.add(&manifest).unwrap();
    }
    loader.load_at_once(&sources).unwrap()
}

#[test]
fn new_settings_of_a_built_in_policy_are_in_force_without_the_compiler() {
    let loader = loader();
    assert!(!at_once(&loader).is_compiled());
    assert!(loader.engine().stats().compiling.is_zero());
}

#[test]
fn the_compiled_set_has_the_same_digest_as_the_one_in_force_at_once() {
    let loader = loader();
    let set = at_once(&loader);
    let before = set.digest().to_owned();
    loader.compile(&set).unwrap();
    assert!(set.is_compiled());
    assert_eq!((set.digest(), at_once(&loader).digest()), (before.as_str(), before.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_before_and_after() {
    let (loader, gate) = (loader(), Setting::default().gate().unwrap());
    gate.set.store(Arc::new(at_once(&loader)));
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    });
    let answer = async || String::from_utf8(validate(&gate, &create(&pod)).await.unwrap().to_json().unwrap()).unwrap();
    let before = answer().await;
    assert!(before.contains("never-seen-before"), "{before}");
    loader.compile(&gate.set.load()).unwrap();
    assert_eq!(answer().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_when_the_set_in_force_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::start(&[("new.yaml", NEW)], json!({"ledger": null, "cache": folder.path().join("cache")})).await;
    let wire = wire.unwrap();
    let line = format!("[+] compiled: set {}\n", wire.running.parts.gate.set.load().digest());
    until("it is compiled", async || wire.operations("/readyz?verbose").await.unwrap().1.contains(&line))
        .await
        .unwrap();
    assert!(wire.running.parts.gate.set.load().is_compiled());
}
