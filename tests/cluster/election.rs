//! The lease at a real API server: one leader, another when it goes.

use std::time::Duration;

use portreeve_cluster::election::{Candidate, Standing, Times};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::until;
use serde_json::json;
use tokio::sync::watch::{self, Receiver};
use tokio::task::JoinHandle;

use crate::cluster::Cluster;

const NAMESPACE: &str = "election";
const LEASE: &str = "portreeve-tests";

/// Quick, so that nobody waits.
const TIMES: Times =
    Times { lease: Duration::from_secs(3), patience: Duration::from_secs(2), period: Duration::from_millis(100) };

/// A candidate that stands until its end.
struct Standee {
    told: Receiver<Standing>,
    task: JoinHandle<()>,
}

impl Standee {
    fn stand(cluster: &Cluster, identity: &str) -> Self {
        let candidate = Candidate::new(cluster.api.client(), NAMESPACE, LEASE, identity, TIMES);
        let (tell, told) = watch::channel(Standing::default());
        Self { told, task: tokio::spawn(async move { candidate.stand(tell).await }) }
    }

    fn leads(&self) -> bool {
        *self.told.borrow() == Standing::Leader
    }
}

async fn scene() -> Option<Cluster> {
    let cluster = Cluster::start(Controllers::Absent).await?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    cluster.make_namespace(&namespace).await;
    Some(cluster)
}

#[tokio::test]
async fn one_leads_and_another_follows_when_it_goes() {
    let Some(cluster) = scene().await else { return };
    let first = Standee::stand(&cluster, "first");
    until("the first leads", async || first.leads()).await.unwrap();
    let second = Standee::stand(&cluster, "second");
    let third = Standee::stand(&cluster, "third");
    let holder =
        || cluster.kubectl.run(&format!("get lease -n {NAMESPACE} {LEASE} -o jsonpath={{.spec.holderIdentity}}"));
    assert_eq!(holder().unwrap(), "first");
    assert!(!second.leads() && !third.leads());

    // It gives the lease back, and does not wait for its end.
    drop(first.told);
    first.task.await.unwrap();
    until("another leads", async || second.leads() || third.leads()).await.unwrap();
    assert!(second.leads() != third.leads());
}

#[tokio::test]
async fn a_leader_that_is_lost_is_followed_when_the_lease_ends() {
    let Some(cluster) = scene().await else { return };
    let first = Standee::stand(&cluster, "first");
    until("the first leads", async || first.leads()).await.unwrap();
    first.task.abort();
    let second = Standee::stand(&cluster, "second");
    until("the second leads", async || second.leads()).await.unwrap();
    let transitions =
        cluster.kubectl.run(&format!("get lease -n {NAMESPACE} {LEASE} -o jsonpath={{.spec.leaseTransitions}}"));
    assert_eq!(transitions.unwrap(), "1");
}
