//! The load: Pods with names of the API server's choice, over as many connections as there are clients, deleted in bulk
//! behind each round.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use portreeve_tests::api_server::{ApiServer, Run};
use portreeve_tests::whole;
use serde_json::{Value, json};

use crate::processor::Watch;
use crate::rounds::Round;
use crate::sample::Samples;

/// How long a round takes.
const FOR: Duration = Duration::from_secs(5);

/// How long nothing is measured first: what was registered just now is asked within a second or two.
const WARMING: Duration = Duration::from_secs(3);

/// The namespace that the Pods are put in, and their path.
const NAMESPACE: &str = "shop";
const PODS: &str = "/api/v1/namespaces/shop/pods";

/// Pods for an API server.
pub(crate) struct Load {
    /// The API server, for all else.
    pub(crate) api: ApiServer,
    clients: Vec<Client>,
    pod: Arc<[u8]>,
}

impl Load {
    /// For the API server of this kubeconfig. Each client has a connection of its own.
    pub(crate) async fn at(kubeconfig: &Path) -> Self {
        let api = ApiServer::at(kubeconfig).await.unwrap();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        api.create(&namespace, Run::Real).await.unwrap().done().unwrap();
        let mut clients = Vec::new();
        for _ in 0..crate::CONNECTIONS.into_iter().max().unwrap_or_default() {
            clients.push(ApiServer::at(kubeconfig).await.unwrap().client());
        }
        Self { api, clients, pod: pod().to_string().into_bytes().into() }
    }

    /// Creates Pods without looking at the clock.
    pub(crate) async fn warm(&self) {
        self.create(self.clients.len(), WARMING).await;
        self.delete_all().await;
    }

    /// How many Pods were created in a round, and what it took, of these processes too.
    pub(crate) async fn run(&self, connections: usize, processes: &[(&'static str, u32)]) -> (usize, Round) {
        let watch = Watch::of(processes.iter().copied());
        let mut samples = self.create(connections, FOR).await;
        let created = samples.count();
        let taken = watch.per_pod(created);
        self.delete_all().await;
        (created, Round { per_second: created as f64 / FOR.as_secs_f64(), quantiles: samples.quantiles(), taken })
    }

    async fn create(&self, connections: usize, during: Duration) -> Samples {
        let until = Instant::now() + during;
        let creating = |client: &Client| tokio::spawn(create(client.clone(), Arc::clone(&self.pod), until));
        let clients: Vec<_> = self.clients.iter().take(connections).map(creating).collect();
        let mut all = Samples::default();
        for client in clients {
            all.join(client.await.unwrap());
        }
        all
    }

    async fn delete_all(&self) {
        let request = Request::builder().method(Method::DELETE).uri(format!("{PODS}?gracePeriodSeconds=0"));
        let answer = self.clients[0].send(request.body(Body::empty()).unwrap()).await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.into_body().collect_bytes().await.unwrap();
    }
}

async fn create(client: Client, pod: Arc<[u8]>, until: Instant) -> Samples {
    let mut samples = Samples::default();
    while Instant::now() < until {
        let request = Request::builder().method(Method::POST).uri(PODS).header("content-type", "application/json");
        let request = request.body(Body::from(pod.to_vec())).unwrap();
        let begun = Instant::now();
        let answer = client.send(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect_bytes().await.unwrap();
        samples.add(begun.elapsed());
        assert!(status.is_success(), "{}", String::from_utf8_lossy(&body));
    }
    samples
}

/// The Pod that nothing is wrong with, named by the API server.
fn pod() -> Value {
    let mut pod = whole::pod();
    let metadata = pod["metadata"].as_object_mut().unwrap();
    metadata.remove("name");
    metadata.insert("generateName".to_owned(), json!("web-"));
    pod
}
