//! The controllers behind the webhook: what they make of the platforms' workloads, rollouts, scaling and deletion, and
//! workloads that are older than the webhook.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use portreeve_tests::api_server::Run;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::injected::lacking;
use portreeve_tests::platform::{self, Platform, named};
use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::scene::{Scene, make_namespaces};

/// How many objects each owner controls, by the owner's uid.
type Owned = BTreeMap<String, usize>;

/// The Deployments in the test's namespaces, and who owns what.
struct Seen {
    deployments: Vec<Deployment>,
    replica_sets: Vec<ReplicaSet>,
    sets_of: Owned,
    pods_of: Owned,
}

impl Seen {
    async fn now(cluster: &Cluster) -> Self {
        let client = cluster.api.client();
        let mut deployments = Api::<Deployment>::all(client.clone()).list(&Default::default()).await.unwrap().items;
        deployments.retain(|one| one.metadata.namespace.as_ref().is_some_and(|name| cluster.has_made(name)));
        let replica_sets = Api::<ReplicaSet>::all(client.clone()).list(&Default::default()).await.unwrap().items;
        let pods = Api::<Pod>::all(client).list(&Default::default()).await.unwrap().items;
        let sets_of = owned(replica_sets.iter().map(|set| &set.metadata));
        let pods_of = owned(pods.iter().map(|pod| &pod.metadata));
        Self { deployments, replica_sets, sets_of, pods_of }
    }

    fn sets(&self, deployment: &Deployment) -> usize {
        self.sets_of.get(&uid(&deployment.metadata)).copied().unwrap_or_default()
    }

    fn pods(&self, deployment: &Deployment) -> usize {
        let owner = uid(&deployment.metadata);
        let sets = self.replica_sets.iter().filter(|set| controller(&set.metadata).as_ref() == Some(&owner));
        sets.filter_map(|set| self.pods_of.get(&uid(&set.metadata))).sum()
    }

    /// Whether there are Deployments, and each has the Pods that it asks for.
    fn all_have_their_pods(&self) -> bool {
        let replicas = |one: &Deployment| one.spec.replicas.unwrap_or(1);
        let each = self.deployments.iter();
        !self.deployments.is_empty()
            && each.clone().all(|one| usize::try_from(replicas(one)).is_ok_and(|wanted| self.pods(one) == wanted))
    }

    /// Whether the controller has acted on the newest template of every Deployment.
    fn is_seen_to(&self) -> bool {
        let observed = |one: &Deployment| one.status.as_ref().and_then(|status| status.observed_generation);
        self.deployments.iter().all(|one| observed(one) == one.metadata.generation)
    }

    fn assert_sets_of_each(&self, wanted: usize) {
        for deployment in &self.deployments {
            let name = deployment.metadata.name.clone().unwrap_or_default();
            assert_eq!(self.sets(deployment), wanted, "ReplicaSets of {name}");
        }
    }
}

fn uid(metadata: &ObjectMeta) -> String {
    metadata.uid.clone().unwrap_or_default()
}

fn controller(metadata: &ObjectMeta) -> Option<String> {
    let mut owners = metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone())
}

fn owned<'m>(all: impl Iterator<Item = &'m ObjectMeta>) -> Owned {
    let mut owned = Owned::new();
    for owner in all.filter_map(controller) {
        *owned.entry(owner).or_default() += 1;
    }
    owned
}

async fn pods_are_there(cluster: &Cluster) {
    until("every Deployment has its pods", async || Seen::now(cluster).await.all_have_their_pods()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_deployment_of_the_platforms_gets_one_replica_set_and_all_its_pods() {
    let Some(scene) = Scene::start(Controllers::Running).await else { return };
    for (_, object, answer) in scene.apply_all().await {
        answer.done().unwrap_or_else(|refusal| panic!("{}: {refusal}", named(object)));
    }
    pods_are_there(&scene.cluster).await;
    let seen = Seen::now(&scene.cluster).await;
    seen.assert_sets_of_each(1);
    println!("{} Deployments", seen.deployments.len());
}

/// A Deployment of the first platform.
fn deployment(platforms: &[Platform]) -> Value {
    platforms[0].objects.iter().find(|object| object["kind"] == "Deployment").unwrap().clone()
}

/// As kubectl names it: with its namespace.
fn argument(object: &Value) -> String {
    let text = |at: &str| object["metadata"][at].as_str().unwrap();
    format!("-n {} deployment/{}", text("namespace"), text("name"))
}

async fn template(scene: &Scene, object: &Value) -> Value {
    let (mut now, _) = scene.cluster.api.get(object).await.unwrap().done().unwrap();
    now["spec"]["template"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_restarted_and_undone() {
    let Some(scene) = Scene::start(Controllers::Running).await else { return };
    let object = deployment(&scene.platforms);
    scene.cluster.api.apply(&object, Run::Real).await.unwrap().done().unwrap();
    pods_are_there(&scene.cluster).await;
    let before = template(&scene, &object).await;

    scene.cluster.kubectl.run(&format!("rollout restart {}", argument(&object))).unwrap();
    until("the restart has its ReplicaSet", async || {
        let seen = Seen::now(&scene.cluster).await;
        seen.deployments.iter().all(|one| seen.sets(one) == 2)
    })
    .await
    .unwrap();
    assert_ne!(template(&scene, &object).await, before);

    scene.cluster.kubectl.run(&format!("rollout undo {}", argument(&object))).unwrap();
    assert_eq!(template(&scene, &object).await, before);
    until("the undoing is seen to", async || Seen::now(&scene.cluster).await.is_seen_to()).await.unwrap();
    Seen::now(&scene.cluster).await.assert_sets_of_each(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_full_of_workloads_can_be_deleted() {
    let Some(scene) = Scene::start(Controllers::Running).await else { return };
    let object = deployment(&scene.platforms);
    scene.cluster.api.apply(&object, Run::Real).await.unwrap().done().unwrap();
    pods_are_there(&scene.cluster).await;
    let namespace = object["metadata"]["namespace"].as_str().unwrap();
    scene.cluster.kubectl.run(&format!("delete namespace {namespace} --timeout=100s")).unwrap();
    let gone = scene.cluster.api.get(&object).await.unwrap().refused().unwrap();
    assert_eq!(gone.code, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_older_than_the_webhook_are_annotated_without_a_rollout_and_scaled() {
    let Some(cluster) = Cluster::start(Controllers::Running).await else { return };
    let platforms = platform::all();
    make_namespaces(&cluster, &platforms).await;
    let object = deployment(&platforms);
    cluster.api.apply(&object, Run::Real).await.unwrap().done().unwrap();
    pods_are_there(&cluster).await;
    let scene = Scene::around(cluster, platforms).await;
    let before = template(&scene, &object).await;

    let kubectl = &scene.cluster.kubectl;
    kubectl.run(&format!("annotate {} team=airhart", argument(&object))).unwrap();
    kubectl.run(&format!("scale --replicas=5 {}", argument(&object))).unwrap();
    until("five pods are there", async || {
        let seen = Seen::now(&scene.cluster).await;
        seen.deployments.iter().all(|one| seen.pods(one) == 5)
    })
    .await
    .unwrap();
    assert_eq!(template(&scene, &object).await, before);
    Seen::now(&scene.cluster).await.assert_sets_of_each(1);
    assert_new_pods_have_defaults(&scene, &object).await;
}

/// The Pods that came after the webhook are put right, though their template is as it was.
async fn assert_new_pods_have_defaults(scene: &Scene, object: &Value) {
    let namespace = object["metadata"]["namespace"].as_str().unwrap();
    let pods = Api::<Pod>::namespaced(scene.cluster.api.client(), namespace).list(&Default::default()).await.unwrap();
    let pods: Vec<Value> = pods.items.iter().map(|pod| json!({"kind": "Pod", "spec": pod.spec})).collect();
    let injected = &scene.platforms[0].expectation(object).unwrap().injected;
    let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
    let lacking = pods.iter().filter(|pod| !lacking(injected, pod).is_empty());
    assert_eq!(u64::try_from(lacking.count()).unwrap(), replicas, "only those that were there before lack them");
}
