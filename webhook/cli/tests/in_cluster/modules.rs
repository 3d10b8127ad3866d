//! Policies whose modules come out of a registry, applied with kubectl: what can't be in force is refused there and
//! then, and a registry that does not answer is nobody's fault.

use portreeve_supply::loopback::{Fault, FixtureImage, LoopbackRegistry};
use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::scene::{Scene, deployment};

/// A ClusterPolicy out of a module that is named so.
fn named(name: &str, module: &str) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": name},
        "spec": {"module": {"oci": module, "policy": "host-access"}},
    })
}

/// What somebody reads who applies it; nothing if it is taken.
fn complaint(scene: &Scene, policy: &Value) -> Option<String> {
    let file = scene.folder().join("policy.json");
    std::fs::write(&file, policy.to_string()).unwrap();
    scene.kubectl.run(&format!("apply -f {}", file.display())).err().map(|complaint| complaint.complaint)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_can_not_be_loaded_is_refused_when_it_is_applied() {
    let Some(scene) = Scene::start().await else { return };
    let image = ("team/app".to_owned(), "v1".to_owned(), FixtureImage::default());
    let registry = LoopbackRegistry::start([image]).await.unwrap();
    let host = registry.host();
    let catalogue = registry.module("policies/catalogue", "v1", portreeve_builtin::CATALOGUE.to_vec());
    let nothing = registry.module("policies/nothing", "v1", b"no component".to_vec());
    let image = registry.digest("team/app", "v1").unwrap();
    let registries = json!({"registries": [{"host": host.as_str(), "insecure": true}]});
    let replica = scene.replica_with("one", |config| config["registries"] = registries).await;
    scene.registered().await;

    let absent = named("wrong", &format!("{host}/policies/absent@{nothing}"));
    until("we are asked about our resources", async || scene.refusal(&absent).await.is_some()).await.unwrap();
    for (module, words) in [
        (format!("{host}/policies/absent@{catalogue}"), "spec.module.oci: module"),
        (format!("{host}/policies/nothing@{nothing}"), "spec.module: "),
        (format!("{host}/team/app@{image}"), "has not one layer of type application/wasm"),
        (format!("registry.example/policies/catalogue@{catalogue}"), "registry.example"),
    ] {
        let said = complaint(&scene, &named("wrong", &module)).unwrap_or_default();
        assert!(said.contains("resources.portreeve.dev") && said.contains(words), "{module}: {said}");
    }
    let mut unknown = named("wrong", &format!("{host}/policies/catalogue@{catalogue}"));
    unknown["spec"]["module"]["policy"] = json!("no-such-policy");
    assert!(complaint(&scene, &unknown).unwrap().contains("no-such-policy"));
    scene.put_in_force(&named("right", &format!("{host}/policies/catalogue@{catalogue}"))).await;
    replica.has_in_force(1).await;
    let mut on_the_host = deployment("web");
    on_the_host["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    assert!(scene.denial(&on_the_host).await.contains("right"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_does_not_answer_is_told_in_the_status_and_asked_again() {
    let Some(scene) = Scene::start().await else { return };
    let registry = LoopbackRegistry::start([]).await.unwrap();
    let catalogue = registry.module("policies/catalogue", "v1", portreeve_builtin::CATALOGUE.to_vec());
    let registries = json!({"registries": [{"host": registry.host().as_str(), "insecure": true}]});
    let replica = scene.replica_with("one", |config| config["registries"] = registries).await;
    scene.registered().await;
    registry.fault([Fault::Status(503)]);
    let policy = named("right", &format!("{}/policies/catalogue@{catalogue}", registry.host()));
    assert_eq!(complaint(&scene, &policy), None);
    let refused = async || scene.readiness(&policy).await.is_some_and(|ready| ready["reason"] == "Refused");
    until("its status says that it is not in force", refused).await.unwrap();
    let ready = scene.readiness(&policy).await.unwrap();
    assert!(ready["message"].as_str().unwrap().contains("503"), "{ready}");
    assert!(replica.says("/readyz?verbose").await.contains("[!] policies"));
    registry.fault([]);
    let in_force = async || scene.readiness(&policy).await.is_some_and(|ready| ready["status"] == "True");
    until("it is in force once the registry answers", in_force).await.unwrap();
}
