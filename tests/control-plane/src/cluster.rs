//! The cluster that a test has: a control plane of its own, or the cluster of the kubeconfig that
//! `cargo xtask test-cluster --kubeconfig` was given.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail by panic, and says when it is skipped"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::api_server::{Answer, ApiServer, Run};
use crate::control_plane::{Assets, BuiltInPodSecurity, ControlPlane, Controllers, Program};
use crate::kubectl::Kubectl;
use crate::until;

/// The variable with the kubeconfig of a cluster that the tests may change as they like. Its API server has to reach
/// this machine's loopback, where the webhook listens.
const KUBECONFIG: &str = "PORTREEVE_TEST_KUBECONFIG";

/// A cluster. What is in the namespaces that a test made goes with it.
pub struct Cluster {
    /// Its API server.
    pub api: ApiServer,
    /// kubectl for it.
    pub kubectl: Kubectl,
    /// What leads to it.
    pub kubeconfig: PathBuf,
    controllers: Controllers,
    namespaces: Mutex<BTreeSet<String>>,
    /// None if it is not our own.
    plane: Option<ControlPlane>,
}

impl Cluster {
    /// A cluster with such controllers and the built-in Pod Security as it is everywhere; none, and a word about it, if
    /// there is nothing to start it from.
    pub async fn start(controllers: Controllers) -> Option<Self> {
        match std::env::var_os(KUBECONFIG) {
            Some(kubeconfig) => Some(Self::given(Path::new(&kubeconfig)).await),
            None => Self::own(controllers, BuiltInPodSecurity::On).await,
        }
    }

    /// A cluster that leaves Pod Security to others.
    pub async fn without_pod_security() -> Option<Self> {
        if std::env::var_os(KUBECONFIG).is_some() {
            println!("skipped: the built-in Pod Security of a cluster that is given can't be switched off");
            return None;
        }
        Self::own(Controllers::Absent, BuiltInPodSecurity::Off).await
    }

    async fn own(controllers: Controllers, pod_security: BuiltInPodSecurity) -> Option<Self> {
        let assets = Assets::find(controllers).inspect_err(|reason| println!("skipped: {reason}")).ok()?;
        let plane = ControlPlane::start(&assets, controllers, pod_security).await.unwrap();
        let kubeconfig = plane.kubeconfig().to_owned();
        let kubectl = Kubectl::new(assets.path(Program::Kubectl), &kubeconfig);
        let api = ApiServer::at(&kubeconfig).await.unwrap();
        Some(Self { api, kubectl, kubeconfig, controllers, namespaces: Mutex::default(), plane: Some(plane) })
    }

    async fn given(kubeconfig: &Path) -> Self {
        let found = Assets::with(&[Program::Kubectl]).map(|assets| assets.path(Program::Kubectl));
        let kubectl = Kubectl::new(found.unwrap_or_else(|_| PathBuf::from("kubectl")), kubeconfig);
        let api = ApiServer::at(kubeconfig).await.unwrap();
        Self {
            api,
            kubectl,
            kubeconfig: kubeconfig.to_owned(),
            controllers: Controllers::Running,
            namespaces: Mutex::default(),
            plane: None,
        }
    }

    /// Makes a namespace, unless it is there already, and waits until pods can be put into it.
    pub async fn make_namespace(&self, namespace: &Value) {
        let name = namespace["metadata"]["name"].as_str().unwrap();
        match self.api.create(namespace, Run::Real).await.unwrap() {
            Answer::Done { .. } => drop(self.namespaces.lock().unwrap().insert(name.to_owned())),
            Answer::Refused(refusal) => assert_eq!(refusal.reason, "AlreadyExists", "{refusal}"),
        }
        if self.controllers == Controllers::Running {
            let account = json!({
                "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name},
            });
            let is_there = async || matches!(self.api.get(&account).await, Ok(Answer::Done { .. }));
            until("the namespace has its service account", is_there).await.unwrap();
        }
    }

    /// The control plane, if it is our own.
    #[must_use]
    pub fn plane(&self) -> Option<&ControlPlane> {
        self.plane.as_ref()
    }

    /// The same, to be changed.
    pub fn plane_mut(&mut self) -> Option<&mut ControlPlane> {
        self.plane.as_mut()
    }

    /// Whether it was there before the tests, and stays.
    pub fn is_given(&self) -> bool {
        self.plane.is_none()
    }

    /// Whether a test made this namespace.
    pub fn has_made(&self, namespace: &str) -> bool {
        self.namespaces.lock().unwrap().contains(namespace)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let namespaces: Vec<String> = std::mem::take(&mut *self.namespaces.lock().unwrap()).into_iter().collect();
        if self.is_given() && !namespaces.is_empty() {
            // In one command, since each takes some seconds, and not for ever: where no controller empties them, they
            // stay.
            let delete = format!("delete namespace --ignore-not-found --timeout=120s {}", namespaces.join(" "));
            if let Err(complaint) = self.kubectl.run(&delete) {
                println!("namespaces stay: {complaint}");
            }
        }
    }
}
