//! A control plane with our definitions and our namespace, an address for replicas, and what users do there.

use std::path::Path;

use portreeve_tests::api_server::{Answer, ApiServer, Run};
use portreeve_tests::cluster::Cluster;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::kubectl::Kubectl;
use portreeve_tests::places::checkout;
use portreeve_tests::server::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::front::Front;
use crate::replica::{Begun, Replica};
use crate::swept::Swept;

/// The scene.
pub(crate) struct Scene {
    /// The API server, asked as a user.
    pub(crate) api: ApiServer,
    /// kubectl.
    pub(crate) kubectl: Kubectl,
    /// Where the API server reaches replicas.
    pub(crate) front: Front,
    /// None in a cluster of our own, which goes as a whole.
    _swept: Option<Swept>,
    cluster: Cluster,
    folder: TempDir,
}

impl Scene {
    /// A cluster with the namespaces `portreeve` and `shop`; none, and a word about it, where there is no control
    /// plane.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(Controllers::Absent).await
    }

    /// The same with such controllers.
    pub(crate) async fn start_with(controllers: Controllers) -> Option<Self> {
        Some(Self::on(Cluster::start(controllers).await?).await)
    }

    /// The same with an API server that leaves pods to us.
    pub(crate) async fn without_pod_security() -> Option<Self> {
        Some(Self::on(Cluster::without_pod_security().await?).await)
    }

    /// The same where what happens needs a control plane of our own.
    pub(crate) async fn of_our_own() -> Option<Self> {
        let cluster = Cluster::start(Controllers::Absent).await?;
        if cluster.is_given() {
            println!("skipped: the API server of a cluster that is given is neither restarted nor has its audit read");
            return None;
        }
        Some(Self::on(cluster).await)
    }

    async fn on(cluster: Cluster) -> Self {
        let (api, kubectl) = (cluster.api.clone(), cluster.kubectl.clone());
        let swept = cluster.is_given().then(|| Swept::of(&kubectl));
        let definitions = checkout().join("charts/portreeve/crds");
        kubectl.run(&format!("apply --server-side -f {}", definitions.display())).unwrap();
        kubectl.run("wait --for=condition=Established --timeout=60s crd --all").unwrap();
        for name in ["portreeve", "shop"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            cluster.make_namespace(&namespace).await;
        }
        Self { api, kubectl, front: Front::open().await, _swept: swept, cluster, folder: tempfile::tempdir().unwrap() }
    }

    /// What leads to the cluster.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.cluster.kubeconfig
    }

    /// A folder for files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What service accounts asked the API server for, as its audit has it.
    pub(crate) fn asked_by_accounts(&self) -> Vec<Value> {
        self.cluster.plane().unwrap().asked_by_accounts().unwrap()
    }

    /// Whether its control plane is our own.
    pub(crate) fn is_own(&self) -> bool {
        !self.cluster.is_given()
    }

    /// Has the API server killed and started again, and waits until it is ready.
    pub(crate) async fn restart_api_server(&mut self) {
        self.cluster.plane_mut().unwrap().restart_api_server().await.unwrap();
    }

    /// A replica that is ready, behind the address.
    pub(crate) async fn replica(&self, name: &str) -> Replica {
        self.replica_with(name, |_| {}).await
    }

    /// The same with a changed configuration.
    pub(crate) async fn replica_with(&self, name: &str, change: impl FnOnce(&mut Value)) -> Replica {
        let replica = Begun::begin(name, self.kubeconfig(), self.front.at, change).ready().await;
        self.front.add(replica.webhook);
        replica
    }

    /// Waits until the API server asks us.
    pub(crate) async fn registered(&self) {
        let is_there = async || self.kubectl.run("get validatingwebhookconfiguration portreeve").is_ok();
        until("we are registered", is_there).await.unwrap();
    }

    /// Applies an object that has to be taken.
    pub(crate) async fn apply(&self, object: &Value) {
        self.api.apply(object, Run::Real).await.unwrap().done().unwrap();
    }

    /// Applies a policy, and waits until it says what became of it.
    pub(crate) async fn put_in_force(&self, policy: &Value) {
        self.apply(policy).await;
        let says = async || self.readiness(policy).await.is_some_and(|ready| ready["status"] == "True");
        until("the policy is in force", says).await.unwrap();
    }

    /// The condition `Ready` of a resource, once it speaks of the resource as it stands.
    pub(crate) async fn readiness(&self, resource: &Value) -> Option<Value> {
        let (found, _) = self.api.get(resource).await.unwrap().done().unwrap();
        let ready = found["status"]["conditions"].get(0)?.clone();
        (ready["observedGeneration"] == found["metadata"]["generation"]).then_some(ready)
    }

    /// What a user reads who creates this object, once it is refused: what is in force is registered a moment later.
    pub(crate) async fn denial(&self, object: &Value) -> String {
        until("it is refused", async || self.refusal(object).await.is_some()).await.unwrap();
        self.refusal(object).await.unwrap()
    }

    /// What a user reads who creates this object without anything coming of it; nothing if it is taken.
    pub(crate) async fn refusal(&self, object: &Value) -> Option<String> {
        match self.api.create(object, Run::Dry).await.unwrap() {
            Answer::Done { .. } => None,
            Answer::Refused(refusal) => Some(refusal.message),
        }
    }
}

/// A ClusterPolicy that wants this label on every workload.
pub(crate) fn wants_label(name: &str, label: &str) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": name},
        "spec": {"module": {"builtin": "labels"}, "settings": {"labels": [{"key": label}]}},
    })
}

/// A Deployment in the namespace `shop`.
pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
            },
        },
    })
}
