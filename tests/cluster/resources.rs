//! Our resources watched at a real API server, and their statuses as kubectl shows them.

use jiff::Timestamp;
use portreeve_admission::api::Resource;
use portreeve_cluster::report::{Outcome, Reporter, Written};
use portreeve_cluster::resources::{Resources, Stored, watch};
use portreeve_cluster::status::Readiness;
use portreeve_tests::api_server::{ApiServer, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::until;
use serde_json::{Value, json};
use tokio::sync::watch::{self as channel, Receiver};

use crate::cluster::Cluster;
use crate::definitions::Definitions;

fn policy(mode: &str) -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": "watched"},
        "spec": {"module": {"builtin": "seccomp"}, "mode": mode},
    })
}

struct Scene {
    told: Receiver<Option<Resources>>,
    _definitions: Definitions,
    cluster: Cluster,
}

impl Scene {
    async fn start() -> Option<Self> {
        let cluster = Cluster::start(Controllers::Absent).await?;
        let definitions = Definitions::apply(&cluster.kubectl);
        let (tell, told) = channel::channel(None);
        tokio::spawn(watch(cluster.api.client(), tell));
        Some(Self { told, _definitions: definitions, cluster })
    }

    /// The policy as it was told last.
    fn watched(&self) -> Option<(Resource, Stored)> {
        let told = self.told.borrow();
        let known = told.as_ref()?.known.iter().find(|known| known.stored.place.name == "watched")?;
        Some((known.resource.clone(), known.stored.clone()))
    }

    async fn apply(&self, api: &ApiServer, mode: &str) {
        api.apply(&policy(mode), Run::Real).await.unwrap().done().unwrap();
        let says_so = async || {
            self.watched()
                .is_some_and(|(resource, _)| format!("{resource:?}").to_lowercase().contains(&format!("mode: {mode}")))
        };
        until("the change is told", says_so).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_applied_changed_and_deleted_is_told() {
    let Some(scene) = Scene::start().await else { return };
    until("all is told", async || scene.told.borrow().is_some()).await.unwrap();
    scene.apply(&scene.cluster.api, "warn").await;
    assert_eq!(scene.watched().unwrap().1.place.to_string(), "ClusterPolicy/watched");
    scene.apply(&scene.cluster.api, "audit").await;
    scene.cluster.api.delete(&policy("audit")).await.unwrap();
    until("it is gone", async || scene.watched().is_none()).await.unwrap();
    assert!(scene.told.borrow().as_ref().unwrap().unreadable.is_empty());
}

#[tokio::test]
async fn what_became_of_a_resource_is_seen_where_people_look() {
    let Some(scene) = Scene::start().await else { return };
    scene.apply(&scene.cluster.api, "warn").await;
    until("it is told", async || scene.watched().is_some()).await.unwrap();
    let reporter = Reporter::new(scene.cluster.api.client());
    let shown = || scene.cluster.kubectl.run("get clusterpolicy watched -o wide --no-headers").unwrap();

    let refused = Readiness::Refused { message: "settings/level: \"high\" is not one of …".to_owned() };
    let outcome = Outcome { readiness: refused, digest: None };
    let report =
        async |outcome: &Outcome| reporter.report(&scene.watched().unwrap().1, outcome, Timestamp::now()).await;
    assert_eq!(report(&outcome).await.unwrap(), Written::Changed);
    assert!(shown().contains("False") && shown().contains("Refused"), "{}", shown());

    let in_force = Outcome { readiness: Readiness::InForce, digest: Some(format!("sha256:{}", "ab".repeat(32))) };
    assert_eq!(report(&in_force).await.unwrap(), Written::Changed);
    assert!(shown().contains("True") && shown().contains("sha256:abab"), "{}", shown());
    let is_told =
        async || scene.watched().is_some_and(|(_, stored)| stored.status["moduleDigest"] == json!(in_force.digest));
    until("the status is told", is_told).await.unwrap();
    assert_eq!(report(&in_force).await.unwrap(), Written::AsBefore);
    let (_, gone) = scene.watched().unwrap();
    scene.cluster.api.delete(&policy("warn")).await.unwrap();
    assert_eq!(reporter.report(&gone, &outcome, Timestamp::now()).await.unwrap(), Written::AsBefore);
}
