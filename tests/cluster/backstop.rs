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

/// A policy for each level, in force in a namespace of its own.
const POLICIES: &str = "\
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: baseline}
spec:
  module: {builtin: pod-security}
  facts: [namespace]
  settings: {level: baseline}
  match: {namespaceSelector: {matchLabels: {backstop: baseline}}}
---
apiVersion: portreeve.dev/v1alpha1
kind: ClusterPolicy
metadata: {name: restricted}
spec:
  module: {builtin: pod-security}
  facts: [namespace]
  settings: {level: restricted}
  match: {namespaceSelector: {matchLabels: {backstop: restricted}}}
";

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

async fn put_up(cluster: &Cluster) {
    for (judge, level) in LEVELS.into_iter().flat_map(|level| [(Judge::BuiltIn, level), (Judge::Backstop, level)]) {
        let metadata = json!({"name": judge.namespace(level), "labels": {judge.label(): level}});
        cluster.make_namespace(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
    }
    let manifests = read_stream("policies.yaml", POLICIES).unwrap();
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

/// The pods of a level that are for the newest rules.
fn newest(level: &str) -> Vec<Trial> {
    let all = trials::own().into_iter().chain(trials::public().unwrap_or_default());
    let of_level: Vec<Trial> = all.filter(|trial| trial.level == level).collect();
    let minor = |trial: &Trial| trial.version.strip_prefix("v1.").map_or(u32::MAX, |minor| minor.parse().unwrap());
    let newest = of_level.iter().map(minor).filter(|minor| *minor != u32::MAX).max().unwrap_or_default();
    of_level.into_iter().filter(|trial| minor(trial) >= newest).collect()
}

/// Whether each of the judges takes a pod, the built-in controller first.
type Taken = BTreeMap<String, (bool, bool)>;

/// What both say of each pod of a level, by the newest rules.
async fn judged(cluster: &Cluster, level: &str) -> Taken {
    let numbered = newest(level).into_iter().enumerate().map(|(number, trial)| async move {
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
    put_up(&cluster).await;
    let baseline = judged(&cluster, "baseline").await;
    assert_eq!(those(&baseline, |built_in, backstop| built_in != backstop), [""; 0]);
    let restricted = judged(&cluster, "restricted").await;
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
