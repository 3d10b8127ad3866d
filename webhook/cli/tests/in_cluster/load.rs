//! Replicas come and go, and policies change, while workloads come in: nobody is turned away who should not be, and every
//! decision is in a book.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use portreeve_tests::api_server::{Answer, ApiServer, Refusal, Run};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::scene::{Scene, wants_label};

/// Users who create pods all the time.
const USERS: usize = 4;

/// What came of their requests.
#[derive(Default)]
struct Counts {
    admitted: AtomicU64,
    denied: AtomicU64,
    /// Requests that a lost replica took with it.
    lost: AtomicU64,
    /// Whether a replica may be lost now.
    losing: AtomicBool,
    over: AtomicBool,
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_replicas_and_policies_change() {
    let Some(scene) = Scene::start().await else { return };
    let mut replicas = Vec::new();
    for name in ["one", "two", "three"] {
        replicas.push(scene.replica(name).await);
    }
    scene.registered().await;
    scene.apply(&wants_label("team", "team")).await;
    for replica in &replicas {
        replica.has_in_force(1).await;
    }
    let users = Users::begin(&scene).await;

    // A rolling update.
    for _ in 0..3 {
        let old = replicas.remove(0);
        scene.front.remove(old.webhook);
        let new = old.restart().await;
        scene.front.add(new.webhook);
        replicas.push(new);
    }
    // Another policy, which finds nothing.
    scene.apply(&wants_label("again", "team")).await;
    for replica in &replicas {
        replica.has_in_force(2).await;
    }
    // The leader is lost, and comes back.
    let leads = scene.kubectl.run("get lease portreeve -n portreeve -o jsonpath={.spec.holderIdentity}").unwrap();
    let number = ["one", "two", "three"].iter().position(|name| *name == leads).unwrap();
    let lost = replicas.remove(number);
    users.counts.losing.store(true, Ordering::Relaxed);
    scene.front.remove(lost.webhook);
    let back = lost.again(|_| {}).await;
    scene.front.add(back.webhook);
    replicas.push(back);

    let Served { admitted, denied, lost } = users.end().await;
    println!("{admitted} admitted, {denied} denied");
    assert!(admitted > 20 && denied > 20);
    // Each user had one under way.
    assert!(lost <= u64::try_from(USERS).unwrap());
    let mut recorded = HashMap::<String, u64>::new();
    for replica in replicas {
        for record in replica.book().await {
            *recorded.entry(record["body"]["answer"].to_string()).or_default() += 1;
        }
    }
    // Of requests that were lost some were decided, and told by nobody.
    let count = |answer: &str| recorded.get(answer).copied().unwrap_or_default();
    assert!(count("\"allowed\"") >= admitted && count("\"denied\"") >= denied, "{recorded:?}");
}

/// Users at work.
pub(crate) struct Users {
    counts: Arc<Counts>,
    tasks: JoinSet<()>,
}

/// How many requests came to what.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) admitted: u64,
    pub(crate) denied: u64,
    /// Answered by nobody.
    pub(crate) lost: u64,
}

impl Users {
    /// Lets them create pods, with the label `team` and without.
    pub(crate) async fn begin(scene: &Scene) -> Self {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "shop"},
        });
        scene.apply(&account).await;
        let counts = Arc::new(Counts::default());
        let mut tasks = JoinSet::new();
        for _ in 0..USERS {
            tasks.spawn(create_pods(scene.api.clone(), Arc::clone(&counts)));
        }
        Self { counts, tasks }
    }

    /// Lets them end; one who was turned away by us fails the test.
    pub(crate) async fn end(mut self) -> Served {
        self.counts.over.store(true, Ordering::Relaxed);
        while let Some(user) = self.tasks.join_next().await {
            user.unwrap();
        }
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        Served {
            admitted: count(&self.counts.admitted),
            denied: count(&self.counts.denied),
            lost: count(&self.counts.lost),
        }
    }
}

/// Creates pods with the label and without until it is over.
async fn create_pods(api: ApiServer, counts: Arc<Counts>) {
    let pod = |labels: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"generateName": "web-", "namespace": "shop", "labels": labels},
            "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
        })
    };
    while !counts.over.load(Ordering::Relaxed) {
        match api.create(&pod(json!({"team": "shop"})), Run::Real).await.unwrap() {
            Answer::Done { .. } => drop(counts.admitted.fetch_add(1, Ordering::Relaxed)),
            Answer::Refused(refusal) => counts.turned_away(&refusal),
        }
        match api.create(&pod(json!({})), Run::Real).await.unwrap() {
            Answer::Refused(refusal) if refusal.code == 403 => drop(counts.denied.fetch_add(1, Ordering::Relaxed)),
            Answer::Refused(refusal) => counts.turned_away(&refusal),
            Answer::Done { .. } => panic!("admitted without its label"),
        }
    }
}

impl Counts {
    /// A request that nobody answered: a lost replica had it.
    fn turned_away(&self, refusal: &Refusal) {
        let has_no_answer = refusal.message.contains("failed to call webhook");
        assert!(has_no_answer && self.losing.load(Ordering::Relaxed), "turned away: {refusal}");
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}
