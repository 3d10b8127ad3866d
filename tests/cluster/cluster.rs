//! The cluster that a test has: a control plane of its own, or the cluster of the kubeconfig that
//! `cargo xtask test-cluster --kubeconfig` was given.

use std::path::{Path, PathBuf};

use portreeve_tests::api_server::ApiServer;
use portreeve_tests::control_plane::{Assets, BuiltInPodSecurity, ControlPlane, Controllers, Program};
use portreeve_tests::kubectl::Kubectl;

/// The variable with the kubeconfig of a cluster that the tests may change as they like. Its API server has to reach this
/// machine's loopback, where the webhook listens.
const KUBECONFIG: &str = "PORTREEVE_TEST_KUBECONFIG";

/// A cluster.
pub(crate) struct Cluster {
    /// Its API server.
    pub(crate) api: ApiServer,
    /// kubectl for it.
    pub(crate) kubectl: Kubectl,
    _plane: Option<ControlPlane>,
}

impl Cluster {
    /// A cluster with such controllers and the built-in Pod Security as it is everywhere; none, and a word about it, if
    /// there is nothing to start it from.
    pub(crate) async fn start(controllers: Controllers) -> Option<Self> {
        match std::env::var_os(KUBECONFIG) {
            Some(kubeconfig) => Some(Self::given(Path::new(&kubeconfig)).await),
            None => Self::own(controllers, BuiltInPodSecurity::On).await,
        }
    }

    /// A cluster that leaves Pod Security to others.
    pub(crate) async fn without_pod_security() -> Option<Self> {
        if std::env::var_os(KUBECONFIG).is_some() {
            println!("skipped: the built-in Pod Security of a cluster that is given can't be switched off");
            return None;
        }
        Self::own(Controllers::Absent, BuiltInPodSecurity::Off).await
    }

    async fn own(controllers: Controllers, pod_security: BuiltInPodSecurity) -> Option<Self> {
        let Some(assets) = Assets::find().unwrap() else {
            println!(
                "skipped: no control plane. `cargo xtask assets` builds one (it needs Go), or KUBEBUILDER_ASSETS names a \
                 folder with etcd, kube-apiserver, kube-controller-manager and kubectl"
            );
            return None;
        };
        let plane = ControlPlane::start(&assets, controllers, pod_security).await.unwrap();
        let kubectl = Kubectl::new(assets.path(Program::Kubectl), plane.kubeconfig());
        Some(Self { api: ApiServer::at(plane.kubeconfig()).await.unwrap(), kubectl, _plane: Some(plane) })
    }

    async fn given(kubeconfig: &Path) -> Self {
        let found = Assets::find().unwrap().map(|assets| assets.path(Program::Kubectl));
        let kubectl = Kubectl::new(found.unwrap_or_else(|| PathBuf::from("kubectl")), kubeconfig);
        Self { api: ApiServer::at(kubeconfig).await.unwrap(), kubectl, _plane: None }
    }
}
