//! `portreeve cluster evidence`: what the books of replicas were proved to be, kept in a ConfigMap, and gaps told.

use std::process::{Command, Output};

use portreeve_tests::server::until;
use serde_json::Value;

use crate::replica::Replica;
use crate::scene::Scene;

/// One that reads its book again at once.
async fn proving(scene: &Scene, name: &str) -> Replica {
    let at_once = |config: &mut Value| config["ledger"]["proof"]["firstAfterMinutes"] = 0.into();
    let replica = scene.replica_with(name, at_once).await;
    until("its book is proved", async || replica.says("/proof").await.contains("200 OK")).await.unwrap();
    replica
}

fn collect(scene: &Scene, replicas: &[String]) -> Output {
    let replicas = replicas.iter().flat_map(|replica| ["--replica", replica]);
    Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(["cluster", "evidence", "--namespace", "portreeve", "-o", "json", "--kubeconfig"])
        .arg(scene.kubeconfig())
        .args(replicas)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proofs_of_all_replicas_are_kept_and_one_that_does_not_answer_is_a_gap() {
    let Some(scene) = Scene::start().await else { return };
    let (one, two) = (proving(&scene, "one").await, proving(&scene, "two").await);
    let replicas = [&one, &two].map(|replica| format!("http://{}", replica.operations));
    let collected = collect(&scene, &replicas);
    assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
    let report: Value = serde_json::from_slice(&collected.stdout).unwrap();
    let books = report["books"].as_array().unwrap();
    assert!(books.len() == 2 && books.iter().all(|book| book["whole"] == true), "{report}");
    let kept = scene.kubectl.run("get configmap portreeve-evidence -n portreeve -o jsonpath={.data}").unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let evidence: Value = serde_json::from_str(kept[report["key"].as_str().unwrap()].as_str().unwrap()).unwrap();
    assert_eq!(evidence["gaps"], serde_json::json!([]));
    assert!(evidence["books"][1]["checkpoints"][0]["checkpoint"].as_str().unwrap().contains("\n— "), "{evidence}");

    drop(two);
    let collected = collect(&scene, &replicas);
    assert_eq!(collected.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&collected.stdout).unwrap();
    let gap = report["gaps"][0].as_str().unwrap();
    assert!(gap.starts_with(&format!("{} gave no proof of its book: ", replicas[1])), "{report}");
}
