//! What was there before its policies: judged by the leader, and reported beside it.

use std::time::{Duration, Instant};

use portreeve_tests::api_server::Run;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::until;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::replica::Replica;
use crate::scene::{Scene, deployment, wants_label};

/// A number that a replica tells.
async fn number(replica: &Replica, name: &str) -> Option<f64> {
    replica.says("/metrics").await.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_platform_profile_a_deployment_of_two_revisions_has_one_report() {
    let Some(scene) = Scene::start_with(Controllers::Running).await else { return };
    if !scene.kubectl.define("openreports.io").unwrap() {
        return;
    }
    let mut faulty = deployment("old");
    faulty["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
    let count = |what: &str| scene.kubectl.run(&format!("get {what} -n shop -o name")).unwrap().lines().count();
    for revision in 1..=2 {
        faulty["spec"]["template"]["metadata"]["labels"]["revision"] = json!(revision.to_string());
        scene.apply(&faulty).await;
        until("it has another revision", async || count("replicasets") == revision).await.unwrap();
    }
    until("it has pods", async || count("pods") > 0).await.unwrap();
    let replica = scene.replica_with("one", |config| config["kubernetes"]["scan"] = json!({})).await;
    let rounds = async || number(&replica, "portreeve_scan_rounds_total").await;
    until("a round is done", async || rounds().await > Some(0.0)).await.unwrap();
    let scopes = "custom-columns=KIND:.scope.kind,NAME:.scope.name";
    let reports = scene.kubectl.run(&format!("get reports.openreports.io -n shop --no-headers -o {scopes}")).unwrap();
    let reports: Vec<Vec<&str>> = reports.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(reports, [["Deployment", "old"]]);
    let report = scene.kubectl.run("get reports.openreports.io -n shop -o jsonpath={.items[0]}").unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let results = |policy: &str| {
        let all = report["results"].as_array().unwrap();
        all.iter().filter(|result| result["policy"] == policy).cloned().collect::<Vec<_>>()
    };
    let [host, seccomp] = ["host-access", "seccomp"].map(results);
    assert!(!host.is_empty() && host.iter().all(|result| result["result"] == "fail"), "{report:#}");
    let is_mended =
        |result: &Value| result["result"] == "warn" && result["properties"]["mended"] == "when it is applied again";
    assert!(!seccomp.is_empty() && seccomp.iter().all(is_mended), "a default puts it right: {report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_judged_and_reported() {
    let Some(scene) = Scene::start().await else { return };
    if !scene.kubectl.define("openreports.io").unwrap() {
        return;
    }
    scene.apply(&deployment("old")).await;
    scene.apply(&wants_label("team", "team")).await;
    let replica = scene.replica_with("one", |config| config["kubernetes"]["scan"] = json!({})).await;
    let reports = || scene.kubectl.run("get reports.openreports.io -n shop -o json").unwrap();
    until("it is reported", async || reports().contains("\"fail\"")).await.unwrap();
    let reports: Value = serde_json::from_str(&reports()).unwrap();
    let report = &reports["items"][0];
    assert_eq!(report["scope"]["name"], "old", "{report:#}");
    assert_eq!(report["metadata"]["ownerReferences"][0]["name"], "old");
    let counted = async || {
        let judged = number(&replica, "portreeve_scan_objects_total").await > Some(0.0);
        judged
            && number(&replica, "portreeve_scan_rounds_total").await > Some(0.0)
            && number(&replica, "portreeve_scan_finished_timestamp_seconds").await > Some(1e9)
    };
    until("the round is counted", counted).await.unwrap();
    assert_eq!((report["results"][0]["policy"].as_str(), report["summary"]["fail"].as_i64()), (Some("team"), Some(1)));
    // Put right, it has nothing to tell any more.
    let mut right = deployment("old");
    right["metadata"]["labels"] = json!({"team": "shop"});
    scene.apply(&right).await;
    scene.put_in_force(&wants_label("team", "team")).await;
    scene.apply(&wants_label("again", "team")).await;
    let gone = async || scene.kubectl.run("get reports.openreports.io -n shop -o name").unwrap().is_empty();
    until("its report is gone", gone).await.unwrap();
}

/// How many Deployments are scanned where it is measured.
const MANY: usize = 10_000;

/// Users who create these.
const CREATORS: usize = 16;

/// A Deployment that the platform profile has nothing to say about, but for each tenth, which is on its node's network.
fn nearly_faultless(number: usize) -> Value {
    let mut deployment = deployment(&format!("web-{number}"));
    deployment["spec"]["replicas"] = json!(0);
    let spec = &mut deployment["spec"]["template"]["spec"];
    spec["automountServiceAccountToken"] = json!(false);
    spec["hostNetwork"] = json!(number.is_multiple_of(10));
    spec["securityContext"] =
        json!({"runAsUser": 1000, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    let probe = json!({"httpGet": {"path": "/", "port": 8080}});
    spec["containers"] = json!([{
        "name": "web", "image": format!("registry.example/web@sha256:{}", "0".repeat(64)),
        "ports": [{"containerPort": 8080}], "readinessProbe": probe, "livenessProbe": probe,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "16Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        },
    }]);
    deployment
}

/// Creates all of them, some at one time.
async fn create_many(scene: &Scene) {
    let mut creators = JoinSet::new();
    for first in 0..CREATORS {
        let api = scene.api.clone();
        creators.spawn(async move {
            for number in (first..MANY).step_by(CREATORS) {
                api.create(&nearly_faultless(number), Run::Real).await.unwrap().done().unwrap();
            }
        });
    }
    creators.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it makes ten thousand objects, and measures"]
async fn the_program_scans_ten_thousand_deployments_with_the_platform_profile() {
    let Some(scene) = Scene::start().await else { return };
    if !scene.kubectl.define("openreports.io").unwrap() {
        return;
    }
    let closed = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    });
    scene.apply(&closed).await;
    create_many(&scene).await;
    let begun = Instant::now();
    let replica = scene.replica_with("one", |config| config["kubernetes"]["scan"] = json!({})).await;
    let before = replica.peak_megabytes();
    while number(&replica, "portreeve_scan_rounds_total").await.is_none_or(|rounds| rounds == 0.0) {
        assert!(begun.elapsed() < Duration::from_secs(600), "{}", replica.log());
        sleep(Duration::from_millis(200)).await;
    }
    let since_start = begun.elapsed().as_secs();
    let reports = scene.kubectl.run("get reports.openreports.io -n shop -o name").unwrap().lines().count();
    let judged = number(&replica, "portreeve_scan_objects_total").await.unwrap();
    let took = number(&replica, "portreeve_scan_round_seconds").await.unwrap();
    let peak = replica.peak_megabytes();
    println!(
        "{judged} objects judged in {took:.0} s, {since_start} s after the start; {reports} reports; \
         at most {peak} MB, {before} MB when it was ready"
    );
    assert!(took < 60.0 && peak < 200);
}
