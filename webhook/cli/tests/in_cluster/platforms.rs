//! The five platforms as their users have them: policies applied as resources, charts installed by helm, what is bad
//! applied with kubectl, and what was rendered before it was committed. The program is in front, registered itself, and
//! knows of the cluster what it is told there. On any cluster, with a server and a registration of the test's own, they
//! are in `tests/cluster`.

use std::path::PathBuf;
use std::process::Command;

use portreeve_supply::loopback::LoopbackRegistry;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::helm::{Helm, Installation};
use portreeve_tests::injected::lacking;
use portreeve_tests::places::checkout;
use portreeve_tests::platform::{self, Platform, named, state};
use portreeve_tests::server::{cache, until};
use serde_json::{Value, json};

use crate::replica::Replica;
use crate::scene::Scene;

/// A namespace with exceptions, which therefore is there before what runs in it.
const EXCEPTED: &str = "ingress-basic";

/// A cluster with the platforms' policies in force.
struct Governed {
    /// Goes before the scene, which it would go on to change.
    replica: Replica,
    scene: Scene,
    helm: Helm,
    platforms: Vec<Platform>,
    _registry: LoopbackRegistry,
}

impl Governed {
    /// One with such controllers; nothing, and a word about it, where there is no control plane or no helm.
    async fn start(controllers: Controllers) -> Option<Self> {
        let scene = Scene::start_with(controllers).await?;
        let Some(helm) = Helm::find().unwrap() else {
            println!("skipped: no helm. `cargo xtask assets` builds one, or put one on the path");
            return None;
        };
        let platforms = platform::all();
        let is_excepted = |namespace: &&Value| namespace["metadata"]["name"] == EXCEPTED;
        let excepted = platforms.iter().flat_map(|platform| &platform.namespaces).find(is_excepted).unwrap();
        scene.apply(excepted).await;
        apply_policies(&scene, &platforms);
        let registry = platform::registry(&platforms).await;
        let registries = json!(platform::registries(&registry, &platforms));
        let replica = scene.replica_with("one", |config| config["registries"] = registries).await;
        scene.registered().await;
        until("we are asked", async || scene.refusal(&on_the_host()).await.is_some()).await.unwrap();
        Some(Self { helm: helm.at(scene.kubeconfig()), scene, platforms, replica, _registry: registry })
    }

    /// Installs the charts of all platforms.
    fn install(&self) -> Vec<Installation> {
        let installations: Vec<Installation> =
            platform::in_order(&self.platforms).into_iter().map(production).collect();
        for installation in &installations {
            self.helm.install_over(installation).unwrap();
        }
        installations
    }

    /// All that runs on the platforms, as it stands now, but for hooks, which nobody here runs, and nodes, which no
    /// chart makes. Jobs are named as in the manifests.
    async fn standing(&self) -> Vec<Value> {
        let is_hook = |object: &Value| object["metadata"]["annotations"]["helm.sh/hook"].is_string();
        let objects = self.platforms.iter().flat_map(|platform| &platform.objects);
        let mut standing = Vec::new();
        for object in objects.filter(|object| !is_hook(object) && object["kind"] != "Node") {
            let (mut found, _) = self.scene.api.get(&self.as_installed(object)).await.unwrap().done().unwrap();
            found["metadata"]["name"] = object["metadata"]["name"].clone();
            standing.push(found);
        }
        standing
    }

    /// An object of the manifests under the name that the chart gives it: a Job's goes on with what stands for its
    /// template.
    fn as_installed(&self, object: &Value) -> Value {
        let mut object = object.clone();
        if object["kind"] == "Job" {
            let written = &object["metadata"];
            let (name, namespace) = (written["name"].as_str().unwrap(), written["namespace"].as_str().unwrap());
            let jobs = self.scene.kubectl.run(&format!("get jobs -n {namespace} --no-headers {NAMES}")).unwrap();
            let is_it = |job: &&str| job.rsplit_once('-').is_some_and(|(written, _)| written == name);
            let found: Vec<&str> = jobs.split_whitespace().filter(is_it).collect();
            let [job] = found.as_slice() else { panic!("not one {name} among {jobs}") };
            object["metadata"]["name"] = json!(job);
        }
        object
    }

    /// Waits until as many replicas are asked for as the manifests say: where there is an autoscaler, the chart does
    /// not say it, and the autoscaler raises them.
    async fn scaled(&self) {
        let deployments = self.platforms.iter().flat_map(|platform| &platform.objects);
        let deployments: Vec<&Value> = deployments.filter(|object| object["kind"] == "Deployment").collect();
        let is_done = async || {
            for written in &deployments {
                let (standing, _) = self.scene.api.get(written).await.unwrap().done().unwrap();
                if standing["spec"]["replicas"] != written["spec"]["replicas"] {
                    return false;
                }
            }
            true
        };
        until("each Deployment has its replicas", is_done).await.unwrap();
    }

    /// The names of all ReplicaSets, once each Deployment has the one of its first revision.
    async fn replica_sets(&self) -> String {
        let list = |what: &str| self.scene.kubectl.run(&format!("get {what} -A --no-headers -o {NAME_AND_REVISION}"));
        let deployments = || list("deployments").unwrap();
        let is_seen_to = async || deployments().lines().all(|line| line.ends_with(" 1"));
        until("each Deployment has a ReplicaSet", is_seen_to).await.unwrap();
        let sets = list("replicasets").unwrap();
        assert_eq!(sets.lines().count(), deployments().lines().count());
        sets
    }
}

/// Columns of kubectl.
const NAMES: &str = "-o custom-columns=N:.metadata.name";
const NAMES_AND_IMAGES: &str = "-o custom-columns=N:.metadata.name,I:.spec.template.spec.containers[*].image";
const NAME_AND_REVISION: &str =
    "custom-columns=N:.metadata.name,R:.metadata.annotations.deployment\\.kubernetes\\.io/revision";

/// The policies of all platforms, their exceptions and the set that they are in force together in.
fn apply_policies(scene: &Scene, platforms: &[Platform]) {
    let folder = checkout().join("tests/platforms");
    let own = platforms.iter().map(|platform| folder.join(&platform.name).join("policies"));
    let folders = own.chain([folder.join("policies")]).map(|folder| format!(" -f {}", folder.display()));
    scene.kubectl.run(&format!("apply --server-side{}", folders.collect::<String>())).unwrap();
}

/// In production, with what a document shows in place of a Secret, and without the kinds of operators, which are not
/// here.
fn production(platform: &Platform) -> Installation {
    Installation::of_platform(&platform.name, "prod")
        .with("placeholders.enabled=true")
        .with("operators.secretsStore=false")
        .with("operators.prometheus=false")
}

/// What no platform takes.
fn on_the_host() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "host", "namespace": EXCEPTED},
        "spec": {"hostNetwork": true, "hostPID": true, "containers": [{"name": "a", "image": "registry.example/a:1"}]},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_their_charts_install_is_admitted_with_its_defaults_in_and_upgrades_begin_no_rollout() {
    let Some(governed) = Governed::start(Controllers::Running).await else { return };
    let installations = governed.install();
    let replica_sets = governed.replica_sets().await;
    // An upgrade must not take back what the autoscalers have done.
    governed.scaled().await;
    let installed = governed.standing().await;
    let mut workloads = 0;
    for object in &installed {
        for expected in governed.platforms.iter().filter_map(|platform| platform.expectation(object)) {
            assert_eq!(lacking(&expected.injected, object), [""; 0], "{}", named(object));
            workloads += 1;
        }
    }
    println!("{workloads} workloads");
    assert!(workloads > 0);
    for time in ["first", "second"] {
        for installation in &installations {
            governed.helm.upgrade(installation).unwrap();
        }
        for (after, before) in governed.standing().await.iter().zip(&installed) {
            assert_eq!(state(after), state(before), "{} after the {time} upgrade", named(after));
        }
    }
    assert_eq!(governed.replica_sets().await, replica_sets);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_to_another_image_makes_another_job_of_it() {
    let Some(governed) = Governed::start(Controllers::Absent).await else { return };
    let platform = governed.platforms.iter().find(|platform| platform.name == "avivatec").unwrap();
    let listed = format!("get jobs -n avivatec-integration --no-headers {NAMES_AND_IMAGES}");
    let jobs = || governed.scene.kubectl.run(&listed).unwrap();
    governed.helm.install_over(&production(platform)).unwrap();
    let before = jobs();
    // An image that the registry has, and the platform's policies allow.
    let other = "images.dbt-postgres.repository=dagster/dagster-k8s,images.dbt-postgres.tag=1.9.6";
    governed.helm.upgrade(&production(platform).with(other)).unwrap();
    let after = jobs();
    let is_one = |jobs: &str, image: &str| jobs.lines().count() == 1 && jobs.contains(image);
    assert!(is_one(&before, "ghcr.io/dbt-labs/dbt-postgres:1.9.0@sha256:"), "{before}");
    assert!(is_one(&after, "dagster/dagster-k8s:1.9.6@sha256:"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_denied_is_refused_at_kubectl_apply_in_our_words() {
    let Some(governed) = Governed::start(Controllers::Absent).await else { return };
    let scene = &governed.scene;
    let file = scene.folder().join("denied.json");
    let mut denied = 0;
    for platform in &governed.platforms {
        for namespace in &platform.namespaces {
            scene.apply(namespace).await;
        }
        for object in &platform.denied {
            std::fs::write(&file, object.to_string()).unwrap();
            let applied = scene.kubectl.run(&format!("apply -f {}", file.display()));
            let said = applied.expect_err(&named(object)).complaint;
            // By what was found, or for want of an image that anybody could judge.
            let is_ours = said.contains("admission webhook \"validate.portreeve.dev\" denied the request: ")
                || said.contains("admission webhook \"mutate.portreeve.dev\" denied the request: ");
            let reason = platform.expectation(object).unwrap().reason.clone().unwrap();
            assert!(is_ours && said.contains(&reason), "{} does not say {reason:?}: {said}", named(object));
            denied += 1;
        }
    }
    println!("{denied} denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rendered_is_applied_without_a_correction_and_differs_in_nothing_from_what_the_cluster_holds() {
    let Some(governed) = Governed::start(Controllers::Absent).await else { return };
    let kubectl = &governed.scene.kubectl;
    for platform in platform::in_order(&governed.platforms) {
        let file = rendered(&governed, platform);
        // The namespace that is there already was applied by somebody else.
        let applied = kubectl.run(&format!("apply --server-side --force-conflicts -f {}", file.display())).unwrap();
        println!("{}: {} objects", platform.name, applied.lines().count());
        assert_eq!(kubectl.run(&format!("diff --server-side -f {}", file.display())).unwrap(), "", "{}", platform.name);
    }
    let records = governed.replica.book().await;
    let corrections = records.iter().filter(|record| record["kind"] == "correction");
    let (unchanged, others): (Vec<&Value>, Vec<&Value>) =
        corrections.partition(|record| record["body"]["answer"] == "unchanged");
    assert!(!unchanged.is_empty() && others.is_empty(), "{} unchanged, and {others:#?}", unchanged.len());
}

/// A file with what `portreeve render` makes of a platform's chart, by the platform's own policies and lock.
fn rendered(governed: &Governed, platform: &Platform) -> PathBuf {
    let at = |name: &str| governed.scene.folder().join(format!("{}-{name}.yaml", platform.name));
    let (chart, rendered) = (at("chart"), at("rendered"));
    std::fs::write(&chart, governed.helm.template(&production(platform)).unwrap()).unwrap();
    let folder = checkout().join("tests/platforms").join(&platform.name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.arg("render").arg(&chart).arg("--policies").arg(folder.join("policies"));
    command.arg("--lock").arg(folder.join("images.lock"));
    command.arg("--cache").arg(cache().unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(&rendered, output.stdout).unwrap();
    rendered
}
