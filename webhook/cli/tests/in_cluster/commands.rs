//! What somebody who looks after the cluster does by hand: asks the doctor, takes the registrations away.

use std::path::PathBuf;
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
async fn the_doctor_judges_as_the_server_that_is_configured_so_does() {
    let Some(scene) = Scene::start().await else { return };
    // What counts in the cluster is not what that server has in force.
    let set = json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "all"},
        "spec": {"profile": "platform", "excludedNamespaces": ["cert-manager"]},
    });
    scene.apply(&set).await;
    for name in ["cert-manager", "elsewhere"] {
        scene.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
    }
    let policies = scene.folder().join("policies");
    std::fs::create_dir(&policies).unwrap();
    let mut of_files = set.clone();
    of_files["spec"]["excludedNamespaces"] = json!([]);
    std::fs::write(policies.join("set.json"), of_files.to_string()).unwrap();
    std::fs::write(policies.join("owner.json"), wants_label("owner", "owner").to_string()).unwrap();
    let config = scene.folder().join("server.yaml");
    let configured = |registration: Value| {
        let server = json!({
            "tls": {"certificate": "tls.crt", "key": "tls.key"}, "callers": {"tokenFolder": "certs"},
            "policies": "policies",
            "kubernetes": {"policies": "files", "namespace": "elsewhere", "registration": registration},
        });
        std::fs::write(&config, server.to_string()).unwrap();
        run(&scene, &["cluster", "doctor", "-o", "json", "--config", config.to_str().unwrap()])
    };
    let advice = |output: &Output| {
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().clone();
        let of_certificates =
            findings.iter().find(|finding| finding["finding"].as_str().unwrap().contains("cert-manager"));
        of_certificates.unwrap_or_else(|| panic!("{report:#}"))["advice"].clone()
    };
    let at = json!({"service": "portreeve"});
    let by_a_controller = configured(json!({"at": at, "caFile": "ca.crt"}));
    assert_eq!((advice(&by_a_controller), by_a_controller.status.code()), (json!("refuse"), Some(1)));
    let report: Value = serde_json::from_slice(&by_a_controller.stdout).unwrap();
    assert!(report["proofs"].to_string().contains("Pod in elsewhere"), "{report:#}");
    assert_eq!(advice(&configured(json!({"at": at}))), json!("warn"));
    let output = run(&scene, &["cluster", "doctor", "-o", "json"]);
    assert!(!String::from_utf8(output.stdout).unwrap().contains("pods of cert-manager"));
}

/// What leads to the cluster as somebody who may look at what the doctor looks at, and create nothing.
async fn reader(scene: &Scene) -> PathBuf {
    let rules = json!([{"apiGroups": ["", "portreeve.dev"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]);
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"});
    let (api, named) = ("rbac.authorization.k8s.io/v1", json!({"name": "reader"}));
    scene.apply(&json!({"apiVersion": api, "kind": "ClusterRole", "metadata": named, "rules": rules})).await;
    let subject = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"});
    let binding = json!({
        "apiVersion": api, "kind": "ClusterRoleBinding", "metadata": named, "roleRef": role, "subjects": [subject],
    });
    scene.apply(&binding).await;
    let kubeconfig = std::fs::read_to_string(scene.kubeconfig()).unwrap();
    let mut kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).unwrap();
    kubeconfig["users"][0]["user"]["as"] = json!("reader");
    let path = scene.folder().join("reader.kubeconfig");
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_of_somebody_who_may_create_nothing_says_that_nothing_is_known() {
    let Some(scene) = Scene::start().await else { return };
    let kubeconfig = reader(&scene).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    let output = command.args(["cluster", "doctor", "--kubeconfig"]).arg(kubeconfig).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Node: could not be tried: nodes is forbidden"), "{said}");
    assert!(said.contains("is not known: nothing could be tried") && !said.contains("somebody else"), "{said}");
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
