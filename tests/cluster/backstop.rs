//! The backstop of `pod-security` beside the built-in controller, pod by pod: at baseline both refuse the same pods; at
//! restricted the backstop refuses none that the controller takes, and what is merely missing it takes.

#[allow(dead_code, reason = "the policy's own tests need the rest of it")]
#[path = "../../policies/catalogue/pod-security/tests/trials.rs"]
mod trials;

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use portreeve_server::manifest::read_stream;
use portreeve_server::set::Sources;
use portreeve_tests::api_server::{Answer, ApiServer, Run};
use portreeve_tests::backstop;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::gate::loader;
use portreeve_tests::server::until;
use serde_json::{Value, json};

use self::trials::Trial;
use crate::cluster::Cluster;

/// How many pods are judged at once.
const AT_ONCE: usize = 8;

const LEVELS: [&str; 2] = ["baseline", "restricted"];

/// Who judges the pods of a namespace.
#[derive(Debug, Clone, Copy)]
enum Judge {
    BuiltIn,
    Backstop,
}

impl Judge {
    fn namespace(self, level: &str) -> String {
        format!("{self:?}-{level}").to_lowercase()
    }

    fn label(self) -> &'static str {
        match self {
            Self::BuiltIn => "pod-security.kubernetes.io/enforce",
            Self::Backstop => "backstop",
        }
    }
}

/// A policy for each level by the rules of a version, in force in a namespace of its own.
fn policies(version: &str) -> String {
    let policy = |level: &str| {
        json!({
            "apiVersion": "portreeve.dev/v1alpha1", "kind": "ClusterPolicy", "metadata": {"name": level},
            "spec": {
                "module": {"builtin": "pod-security"}, "facts": ["namespace"],
                "settings": {"level": level, "version": version},
                "match": {"namespaceSelector": {"matchLabels": {"backstop": level}}},
            },
        })
    };
    LEVELS.map(|level| policy(level).to_string()).join("\n---\n")
}

async fn put_up(cluster: &Cluster, version: &str) {
    for (judge, level) in LEVELS.into_iter().flat_map(|level| [(Judge::BuiltIn, level), (Judge::Backstop, level)]) {
        let metadata = json!({"name": judge.namespace(level), "labels": {judge.label(): level}});
        cluster.make_namespace(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
    }
    let manifests = read_stream("policies.yaml", &policies(version)).unwrap();
    let set = loader().unwrap().load(&Sources::among(&manifests).unwrap().0).unwrap();
    for stated in backstop::of(&set, &[]).policies {
        for object in [json!(stated.policy), json!(stated.binding)] {
            cluster.api.create(&object, Run::Real).await.unwrap().done().unwrap();
        }
    }
    for level in LEVELS {
        let privileged = json!({"hostNetwork": true, "containers": [{"name": "a", "image": "a"}]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": privileged});
        let refused = async || !is_taken(&cluster.api, &pod, &Judge::Backstop.namespace(level)).await;
        until("the backstop is in force", refused).await.unwrap();
    }
}

/// Whether a pod is taken in this namespace; what the API server itself refuses is, by both judges.
async fn is_taken(api: &ApiServer, pod: &Value, namespace: &str) -> bool {
    let mut pod = pod.clone();
    pod["metadata"]["namespace"] = json!(namespace);
    match api.create(&pod, Run::Dry).await.unwrap() {
        Answer::Done { .. } => true,
        Answer::Refused(refusal) => refusal.code != 403,
    }
}

/// What both judges are asked about: the pods for the newest rules that the API server has.
struct Asked {
    /// The version of those rules, as a policy names it.
    version: String,
    trials: Vec<Trial>,
}

impl Asked {
    fn by(minor: u32) -> Self {
        let all: Vec<Trial> = trials::own().into_iter().chain(trials::public().unwrap_or_default()).collect();
        let newest = all.iter().filter_map(release).max().unwrap_or_default();
        // An older release has older rules, whatever is the latest elsewhere.
        let version = if minor < newest { format!("v1.{minor}") } else { "latest".to_owned() };
        let known = |trial: &Trial| release(trial).map_or(minor >= newest, |release| release <= minor);
        Self { version, trials: all.into_iter().filter(known).collect() }
    }

    /// Those of a level.
    fn of(&self, level: &str) -> Vec<Trial> {
        let of_level = || self.trials.iter().filter(|trial| trial.level == level);
        let newest = of_level().filter_map(release).max().unwrap_or_default();
        of_level().filter(|trial| release(trial).is_none_or(|release| release == newest)).cloned().collect()
    }
}

/// The minor version whose rules a pod is for; none if that is the latest.
fn release(trial: &Trial) -> Option<u32> {
    trial.version.strip_prefix("v1.").map(|minor| minor.parse().unwrap())
}

/// Whether each of the judges takes a pod, the built-in controller first.
type Taken = BTreeMap<String, (bool, bool)>;

/// What both say of each pod of a level.
async fn judged(cluster: &Cluster, asked: &Asked, level: &str) -> Taken {
    let numbered = asked.of(level).into_iter().enumerate().map(|(number, trial)| async move {
        let mut pod = trial.pod.clone();
        pod["metadata"]["name"] = json!(format!("pod-{number}"));
        // They come to a pod that is there.
        pod["spec"].as_object_mut().unwrap().remove("ephemeralContainers");
        let built_in = is_taken(&cluster.api, &pod, &Judge::BuiltIn.namespace(level)).await;
        let backstop = is_taken(&cluster.api, &pod, &Judge::Backstop.namespace(level)).await;
        (format!("{} ({number})", trial.name), (built_in, backstop))
    });
    stream::iter(numbered).buffer_unordered(AT_ONCE).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn at_baseline_it_refuses_what_the_built_in_controller_refuses_and_at_restricted_nothing_besides() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let asked = Asked::by(cluster.api.minor().await.unwrap());
    put_up(&cluster, &asked.version).await;
    let baseline = judged(&cluster, &asked, "baseline").await;
    assert_eq!(those(&baseline, |built_in, backstop| built_in != backstop), [""; 0]);
    let restricted = judged(&cluster, &asked, "restricted").await;
    assert_eq!(those(&restricted, |built_in, backstop| built_in && !backstop), [""; 0]);
    for (level, taken) in [("baseline", &baseline), ("restricted", &restricted)] {
        println!("{level}: {} of {} refused", those(taken, |_, backstop| !backstop).len(), taken.len());
    }
}

/// The names of pods by what became of them.
fn those(taken: &Taken, wanted: fn(bool, bool) -> bool) -> Vec<&str> {
    let named = taken.iter().filter(|(_, (built_in, backstop))| wanted(*built_in, *backstop));
    named.map(|(name, _)| name.as_str()).collect()
}
