//! What somebody who looks after the cluster does by hand: asks the doctor, takes the registrations away.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::scene::{Scene, deployment, wants_label};

fn run(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.args(arguments).arg("--kubeconfig").arg(scene.kubeconfig()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_that_the_cluster_comes_back_by_itself_and_tries_it() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    // Nobody answers any more.
    scene.front.remove(replica.webhook);
    scene.front.cut();
    let output = run(&scene, &["cluster", "doctor", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report:#}");
    assert_eq!(report["policies"], 1);
    let tried: Vec<&str> =
        report["proofs"].as_array().unwrap().iter().filter_map(|proof| proof["what"].as_str()).collect();
    assert!(tried.contains(&"Pod in kube-system") && tried.contains(&"Pod in portreeve"), "{report:#}");
    assert!(scene.refusal(&deployment("web")).await.unwrap().contains("failed calling webhook"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_warns_of_a_set_that_reaches_what_the_cluster_comes_back_by() {
    let Some(scene) = Scene::start().await else { return };
    let set = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "all"},
        "spec": {"profile": "platform", "excludedNamespaces": []},
    });
    scene.apply(&set).await;
    scene.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "calico-system"}})).await;
    let output = run(&scene, &["cluster", "doctor"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("[refuse]") && said.contains("pods of calico-system"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_us_is_asked_to_ask_us_no_more() {
    let Some(scene) = Scene::start().await else { return };
    let replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    scene.front.remove(replica.webhook);
    replica.kill();
    assert!(run(&scene, &["cluster", "uninstall"]).status.success());
    assert_eq!(scene.refusal(&deployment("web")).await, None);
    let again = run(&scene, &["cluster", "uninstall"]);
    assert!(again.status.success() && String::from_utf8(again.stdout).unwrap().contains("was not there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_about_to_go_do_not_register_again() {
    let Some(scene) = Scene::start().await else { return };
    let leader = scene.replica("one").await;
    scene.registered().await;
    assert!(run(&scene, &["cluster", "uninstall", "--namespace", "portreeve"]).status.success());
    // Before it was put back within a second; another replica takes longer to come.
    let follower = scene.replica("two").await;
    assert!(leader.stop().await && follower.stop().await);
    let there = scene.kubectl.run("get mutatingwebhookconfigurations,validatingwebhookconfigurations -o name").unwrap();
    assert_eq!(there, "");
}
