//! A cluster with the five platforms' policies in front of it: the server on loopback, the registry that it asks, both
//! webhooks registered.

use portreeve_supply::loopback::LoopbackRegistry;
use portreeve_tests::api_server::{Answer, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::platform::{self, Platform};
use portreeve_tests::server::Wire;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::registration::Registration;

/// The scene. Its parts end in this order.
pub(crate) struct Scene {
    _registration: Registration,
    /// The webhook.
    pub(crate) webhook: Wire,
    _registry: LoopbackRegistry,
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// The platforms.
    pub(crate) platforms: Vec<Platform>,
}

impl Scene {
    /// A cluster with the platforms' namespaces and the webhook; none if there is no cluster.
    pub(crate) async fn start(controllers: Controllers) -> Option<Self> {
        let cluster = Cluster::start(controllers).await?;
        let platforms = platform::all();
        make_namespaces(&cluster, &platforms).await;
        Some(Self::around(cluster, platforms).await)
    }

    /// The webhook in front of a cluster that is there already.
    pub(crate) async fn around(cluster: Cluster, platforms: Vec<Platform>) -> Self {
        let registry = platform::registry(&platforms).await;
        let registries = platform::registries(&registry, &platforms);
        let files = platform::policies(&platforms);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let webhook = Wire::start(&files, json!({"registries": registries})).await.unwrap();
        let registration = Registration::make(&cluster.api, &cluster.kubectl, &webhook).await;
        Self { _registration: registration, webhook, _registry: registry, cluster, platforms }
    }

    /// Applies all that runs on the platforms, as their owners would; the answers stand in the order of the objects.
    pub(crate) async fn apply_all(&self) -> Vec<(&Platform, &Value, Answer)> {
        let mut answers = Vec::new();
        for platform in platform::in_order(&self.platforms) {
            for object in &platform.objects {
                answers.push((platform, object, self.cluster.api.apply(object, Run::Real).await.unwrap()));
            }
        }
        answers
    }
}

/// Makes the platforms' namespaces.
pub(crate) async fn make_namespaces(cluster: &Cluster, platforms: &[Platform]) {
    for namespace in platforms.iter().flat_map(|platform| &platform.namespaces) {
        cluster.make_namespace(namespace).await;
    }
}
