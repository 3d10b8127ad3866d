//! Users who create pods all the time, at a rate that all of them keep together if the machine can: pods that are
//! admitted with a default put in, and pods that are denied. What came of each is known by its name, to be held against
//! the books. In force is what a cluster has in force: the platform profile, and a policy of one's own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portreeve_tests::api_server::{Answer, ApiServer, Refusal, Run};
use portreeve_tests::server::until;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::replica::Replica;
use crate::scene::{Scene, wants_label};

/// How many there are, each with a connection of its own and one pod under way.
const USERS: u32 = 16;

/// How many pods a second they aim at together. Each is two calls of ours, one of either webhook: five hundred a
/// second.
const RATE: u32 = 250;

/// How many answers are some.
const SOME: u64 = 300;

/// How many policies are in force meanwhile: the sixteen of the profile, and one.
pub(crate) const IN_FORCE: usize = 17;

/// Users at work.
pub(crate) struct Users {
    begun: Instant,
    doing: Arc<Doing>,
    tasks: JoinSet<Served>,
}

/// What they are told meanwhile, and tell.
#[derive(Default)]
struct Doing {
    answered: AtomicU64,
    /// A replica may be lost now.
    losing: AtomicBool,
    /// The API server may be away now.
    away: AtomicBool,
    over: AtomicBool,
}

/// What came of pods, by their names.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) admitted: BTreeSet<String>,
    pub(crate) denied: BTreeSet<String>,
    /// Asked for of a replica that was lost, and answered by nobody.
    pub(crate) lost: BTreeSet<String>,
    /// Asked for of an API server that was away.
    unheard: usize,
    /// How long the longest wait for an answer was.
    longest: Duration,
}

impl Users {
    /// Puts in force in all replicas what judges the pods, and lets users create them.
    pub(crate) async fn begin(scene: &Scene, replicas: &[Replica]) -> Self {
        scene.apply(&namespaced("ServiceAccount", "default")).await;
        for policy in [wants_label("team", "team"), profile()] {
            scene.apply(&policy).await;
        }
        for replica in replicas {
            replica.has_in_force(IN_FORCE).await;
        }
        until("the API server asks both webhooks", async || asks_both(&scene.api).await).await.unwrap();
        let doing = Arc::new(Doing::default());
        let mut tasks = JoinSet::new();
        for number in 0..USERS {
            tasks.spawn(create_pods(number, scene.kubeconfig().to_owned(), Arc::clone(&doing)));
        }
        Self { begun: Instant::now(), doing, tasks }
    }

    /// Waits until they have had some more answers.
    pub(crate) async fn go_on(&self) {
        let answered = || self.doing.answered.load(Ordering::Relaxed);
        let wanted = answered() + SOME;
        until("users are served", async || answered() >= wanted).await.unwrap();
    }

    /// From now on a replica may be lost, with what each user has under way.
    pub(crate) fn may_lose(&self) {
        self.doing.losing.store(true, Ordering::Relaxed);
    }

    /// From now on the API server may be away, or back.
    pub(crate) fn api_server_is_away(&self, away: bool) {
        self.doing.away.store(away, Ordering::Relaxed);
    }

    /// Lets them end, and says how many there were a second; one who was turned away by us fails the test.
    pub(crate) async fn end(mut self) -> Served {
        self.doing.over.store(true, Ordering::Relaxed);
        let mut all = Served::default();
        while let Some(served) = self.tasks.join_next().await {
            all.join(served.unwrap());
        }
        let calls = 2 * (all.admitted.len() + all.denied.len());
        let seconds = self.begun.elapsed().as_secs().max(1);
        let rate = u64::try_from(calls).unwrap() / seconds;
        println!(
            "{} admitted, {} denied, {} lost, {} unheard; {rate} calls a second for {seconds} s, of {} that were aimed at; {:?} at the longest",
            all.admitted.len(),
            all.denied.len(),
            all.lost.len(),
            all.unheard,
            2 * RATE,
            all.longest,
        );
        assert!(all.admitted.len() > 100 && all.denied.len() > 100, "hardly anybody was served");
        // Each user had one under way.
        assert!(all.lost.len() <= usize::try_from(USERS).unwrap(), "{:?}", all.lost);
        all
    }
}

impl Served {
    fn join(&mut self, mut other: Self) {
        self.admitted.append(&mut other.admitted);
        self.denied.append(&mut other.denied);
        self.lost.append(&mut other.lost);
        self.unheard += other.unheard;
        self.longest = self.longest.max(other.longest);
    }

    /// Each answer that a user had is in one of the books, by the name of the pod, and the correction before it.
    pub(crate) fn assert_recorded(&self, records: &[Value]) {
        let named = |answer: &str| -> BTreeSet<&str> {
            let of_pods = records.iter().filter(|record| record["body"]["call"]["resource"]["resource"] == "pods");
            let such = of_pods.filter(|record| record["body"]["answer"] == answer);
            such.filter_map(|record| record["body"]["call"]["name"].as_str()).collect()
        };
        let lacking = |names: &BTreeSet<String>, answer: &str| -> Vec<String> {
            let recorded = named(answer);
            names.iter().filter(|name| !recorded.contains(name.as_str())).cloned().collect()
        };
        assert_eq!(lacking(&self.admitted, "allowed"), [""; 0]);
        assert_eq!(lacking(&self.denied, "denied"), [""; 0]);
        for names in [&self.admitted, &self.denied] {
            assert_eq!(lacking(names, "corrected"), [""; 0]);
        }
    }
}

/// Whether pods are corrected and judged, as a dry run shows.
async fn asks_both(api: &ApiServer) -> bool {
    let tried = async |labelled| api.create(&pod("tried", labelled), Run::Dry).await.unwrap().done();
    tried(false).await.is_err() && tried(true).await.is_ok_and(|(object, _)| is_corrected(&object))
}

/// Creates pods with the label and without in turn until it is over.
async fn create_pods(user: u32, kubeconfig: PathBuf, doing: Arc<Doing>) -> Served {
    let api = ApiServer::at(&kubeconfig).await.unwrap();
    let mut served = Served::default();
    let mut beat = interval(Duration::from_secs(1) * USERS / RATE);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        beat.tick().await;
        if doing.over.load(Ordering::Relaxed) {
            break;
        }
        let labelled = number % 2 == 0;
        let name = format!("web-{user}-{number}");
        let asked = Instant::now();
        let was_away = doing.is_away();
        let answer = api.create(&pod(&name, labelled), Run::Real).await;
        let answer = match answer {
            Ok(answer) if !(is_api_servers_own(&answer) && (was_away || doing.is_away())) => answer,
            Ok(_) => {
                served.unheard += 1;
                continue;
            }
            Err(error) => {
                assert!(was_away || doing.is_away(), "no answer: {error}");
                served.unheard += 1;
                continue;
            }
        };
        served.longest = served.longest.max(asked.elapsed());
        doing.answered.fetch_add(1, Ordering::Relaxed);
        let end = match (answer, labelled) {
            (Answer::Done { object, .. }, true) => {
                assert!(is_corrected(&object), "{object:#}");
                &mut served.admitted
            }
            (Answer::Done { .. }, false) => panic!("admitted without its label"),
            (Answer::Refused(refusal), false) if is_denial(&refusal) => &mut served.denied,
            (Answer::Refused(refusal), _) => {
                doing.turned_away(&refusal);
                &mut served.lost
            }
        };
        end.insert(name);
    }
    served
}

/// Whether it is what an API server says that is on its way out or in, and nothing that came of a call of ours.
fn is_api_servers_own(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(refusal) if !refusal.message.contains("webhook"))
}

/// Whether it is in our words.
fn is_denial(refusal: &Refusal) -> bool {
    refusal.code == 403 && refusal.message.contains("admission webhook \"validate.portreeve.dev\" denied the request")
}

impl Doing {
    fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// A request that nobody answered: a lost replica had it.
    fn turned_away(&self, refusal: &Refusal) {
        let has_no_answer = refusal.message.contains("failed to call webhook");
        assert!(has_no_answer && self.losing.load(Ordering::Relaxed), "turned away: {refusal}");
    }
}

fn pod(name: &str, labelled: bool) -> Value {
    let mut pod = namespaced("Pod", name);
    pod["metadata"]["labels"] = if labelled { json!({"team": "shop"}) } else { json!({}) };
    let resources = json!({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}});
    let web = json!({"name": "web", "image": "registry.example/web:1", "resources": resources});
    pod["spec"] = json!({"securityContext": {"runAsUser": 1000}, "containers": [web]});
    pod
}

/// Whether a default is in that the profile puts in.
fn is_corrected(pod: &Value) -> bool {
    pod["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
}

fn namespaced(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}})
}

/// The platform profile, with every ClusterPolicy that there is.
fn profile() -> Value {
    json!({
        "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicySet", "metadata": {"name": "ours"},
        "spec": {"profile": "platform"},
    })
}
