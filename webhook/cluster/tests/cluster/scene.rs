//! What the tests of scans have in common: a cluster with objects in it, the definitions of reports, a scan of it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use portreeve_admission::api::{FailurePolicy, Match, Mode};
use portreeve_admission::kinds::Scope;
use portreeve_admission::policy::{Abilities, Policy, ResourceRule};
use portreeve_admission::subject::TemplatePaths;
use portreeve_cluster::registration::{Demand, Served, Sought};
use portreeve_cluster::reports::{Limits, Reports, Standard};
use portreeve_cluster::scan::{Finished, Judge, ScanSettings, Scanner};
use portreeve_control_plane::api_server::Run;
use portreeve_control_plane::cluster::Cluster;
use portreeve_control_plane::control_plane::Controllers;
use portreeve_control_plane::until;
use serde_json::{Value, json};
use tokio::sync::watch;

/// A cluster of our own. Scans look at all of one, so that one which is given will not do.
pub(crate) async fn own_cluster() -> Option<Cluster> {
    if std::env::var_os("PORTREEVE_TEST_KUBECONFIG").is_some() {
        println!("skipped: it looks at all that is in a cluster, and counts it");
        return None;
    }
    Cluster::start(Controllers::Absent).await
}

pub(crate) async fn make_namespace(cluster: &Cluster, name: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    cluster.make_namespace(&namespace).await;
}

/// A Deployment of no replicas.
pub(crate) fn deployment(namespace: &str, name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
            },
        },
    })
}

/// Creates objects, some at one time, and gives them as they stand.
pub(crate) async fn create(cluster: &Cluster, objects: Vec<Value>) -> Vec<Value> {
    let created = stream::iter(objects).map(async |object| {
        let answer = cluster.api.create(&object, Run::Real).await.unwrap();
        answer.done().unwrap().0
    });
    created.buffered(16).collect().await
}

/// Has the API server know reports, as those define them who set the standard. False where their definitions are not
/// here.
pub(crate) async fn install_reports(cluster: &Cluster, standard: Standard) -> bool {
    let group = standard.resource(Scope::Namespaced).group;
    if !cluster.kubectl.define(&group).unwrap() {
        return false;
    }
    for scope in [Scope::Namespaced, Scope::Cluster] {
        let reports = all_reports(cluster, standard, scope);
        until("reports are served", async || reports.list(&ListParams::default()).await.is_ok()).await.unwrap();
    }
    true
}

pub(crate) fn all_reports(cluster: &Cluster, standard: Standard, scope: Scope) -> Api<DynamicObject> {
    Api::all_with(cluster.api.client(), &standard.resource(scope))
}

/// What a policy seeks that wants to see this, but in the namespace of the control plane.
pub(crate) fn sought(wants: Vec<ResourceRule>) -> Sought {
    let policy = Policy {
        id: "fake".to_owned(),
        of_namespace: None,
        mode: Mode::Enforce,
        mutate: false,
        failure_policy: FailurePolicy::Fail,
        timeout: Duration::from_secs(2),
        matching: Match::default(),
        rollout: Vec::new(),
        wants,
        can: Abilities { validate: true, ..Abilities::default() },
        facts: BTreeSet::new(),
    };
    Sought::of(&Demand {
        policies: &[policy],
        paths: &TemplatePaths::default(),
        excluded: &["kube-system".to_owned()].into(),
        failure_policy: FailurePolicy::Fail,
        served: &Served::default(),
        user: None,
    })
}

/// What a policy of all pod templates seeks.
pub(crate) fn templates() -> Sought {
    sought(Vec::new())
}

/// A scan of a cluster, with the ends by which it is told things and tells them.
pub(crate) struct Scan<J> {
    pub(crate) scanner: Scanner<J>,
    pub(crate) sought: watch::Sender<Option<Sought>>,
    pub(crate) finished: watch::Receiver<Option<Finished>>,
}

/// A scan by the administrator.
pub(crate) fn scan<J: Judge>(cluster: &Cluster, judge: J, standard: Standard) -> Scan<J> {
    scan_with(cluster.api.client(), judge, standard, &quick())
}

/// Small pages, no limit to the pace, and failures that are soon tried again.
pub(crate) fn quick() -> ScanSettings {
    let count = |count| NonZeroU32::new(count).unwrap();
    let retry = Duration::from_millis(50);
    ScanSettings { per_second: count(100_000), page: count(20), retry, ..ScanSettings::default() }
}

/// A scan by whoever this client is.
pub(crate) fn scan_with<J: Judge>(client: Client, judge: J, standard: Standard, settings: &ScanSettings) -> Scan<J> {
    let reports = Reports::new(client.clone(), standard, Limits::default());
    let (sought, told) = watch::channel(Some(templates()));
    let (tell, finished) = watch::channel(None);
    let scanner = Scanner::new(client, judge, reports, settings, told, Arc::new(tell));
    Scan { scanner, sought, finished }
}

impl<J: Judge> Scan<J> {
    /// Runs until a round is done.
    pub(crate) async fn round(&mut self) -> Finished {
        let finished = &mut self.finished;
        finished.mark_unchanged();
        tokio::select! {
            () = self.scanner.run() => panic!("the scan ended"),
            finished = finished.changed() => finished.unwrap(),
        }
        self.finished.borrow().clone().unwrap()
    }

    /// Asks for another round, as when the policies changed, and runs until it is done.
    pub(crate) async fn another_round(&mut self) -> Finished {
        self.sought.send_replace(Some(templates()));
        self.round().await
    }
}
