//! Pod Security conformance: the public fixtures and our own pods by server-side dry run, once judged by the built-in
//! controller alone and once by our policy alone, in namespaces with the same labels. Pod by pod both have to agree, and
//! ours has to say what the built-in one says, word for word.

#[allow(dead_code, reason = "the policy's own tests need the rest of it")]
#[path = "../../policies/catalogue/pod-security/tests/trials.rs"]
mod trials;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use portreeve_tests::api_server::{Answer, ApiServer, Refusal, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::Wire;
use serde_json::{Value, json};

use self::trials::Trial;
use crate::cluster::Cluster;
use crate::registration::Registration;

/// How many pods are judged at once.
const AT_ONCE: usize = 8;

/// It judges by the labels of the namespace alone.
const POLICY: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: pod-security}\n\
    spec: {module: {builtin: pod-security}, facts: [namespace], settings: {level: privileged}}\n";

/// What became of a pod.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Allowed,
    /// Refused by the judge, with its words.
    Denied(String),
    /// Refused by the API server before anybody judged it.
    NotTaken(String),
}

fn trials() -> Vec<Trial> {
    trials::own().into_iter().chain(trials::public().unwrap_or_default()).collect()
}

fn namespace(trial: &Trial) -> Value {
    let label = |name: &str| format!("pod-security.kubernetes.io/{name}");
    let name = format!("{}-{}", trial.level, trial.version.replace('.', "-"));
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {label("enforce"): trial.level, label("enforce-version"): trial.version}},
    })
}

fn namespaces(trials: &[Trial]) -> Vec<Value> {
    let named = trials.iter().map(namespace).map(|namespace| (namespace["metadata"]["name"].to_string(), namespace));
    named.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// As an API server takes it: in its namespace, with a name that is one.
fn pod(trial: &Trial) -> Value {
    let mut pod = trial.pod.clone();
    let name = pod["metadata"]["name"].as_str().unwrap_or("pod").replace('_', "-").to_lowercase();
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["namespace"] = namespace(trial)["metadata"]["name"].clone();
    pod
}

async fn judged(api: &ApiServer, trials: &[Trial]) -> Vec<End> {
    let answers = trials.iter().map(|trial| {
        let (api, pod) = (api.clone(), pod(trial));
        async move { api.create(&pod, Run::Dry).await.unwrap() }
    });
    stream::iter(answers).buffered(AT_ONCE).map(End::of).collect().await
}

impl End {
    fn of(answer: Answer) -> Self {
        match answer {
            Answer::Done { .. } => Self::Allowed,
            Answer::Refused(Refusal { code: 403, message, .. }) => Self::Denied(message),
            Answer::Refused(refusal) => Self::NotTaken(refusal.to_string()),
        }
    }

    /// Whether we said what the built-in controller says, whatever we say besides.
    fn is_told_by(&self, ours: &Self) -> bool {
        match (self, ours) {
            (Self::Denied(built_in), Self::Denied(ours)) => {
                built_in.split_once("is forbidden: ").is_some_and(|(_, words)| ours.contains(words))
            }
            _ => self == ours,
        }
    }
}

async fn by_the_built_in_controller(trials: &[Trial]) -> Option<Vec<End>> {
    let cluster = Cluster::start(Controllers::Absent).await?;
    for namespace in namespaces(trials) {
        cluster.api.apply(&namespace, Run::Real).await.unwrap().done().unwrap();
    }
    Some(judged(&cluster.api, trials).await)
}

async fn by_our_policy(trials: &[Trial]) -> Option<Vec<End>> {
    let cluster = Cluster::without_pod_security().await?;
    for namespace in namespaces(trials) {
        cluster.api.apply(&namespace, Run::Real).await.unwrap().done().unwrap();
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": namespaces(trials)}).to_string();
    let webhook = Wire::start(&[("pod-security.yaml", POLICY), ("namespaces.json", &list)], json!({})).await.unwrap();
    let _registration = Registration::make(&cluster.api, &cluster.kubectl, &webhook).await;
    Some(judged(&cluster.api, trials).await)
}

fn count(trials: &[Trial], ends: &[End]) {
    let tell = |kind: &str, found: usize| println!("{found} {kind}");
    tell("pods", trials.len());
    tell("allowed by both", ends.iter().filter(|end| matches!(end, End::Allowed)).count());
    tell("denied by both", ends.iter().filter(|end| matches!(end, End::Denied(_))).count());
    let reasons: BTreeSet<&End> = ends.iter().filter(|end| matches!(end, End::NotTaken(_))).collect();
    tell("not taken by the API server", ends.iter().filter(|end| matches!(end, End::NotTaken(_))).count());
    for reason in reasons {
        println!("  {reason:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_policy_agrees_with_the_built_in_controller_pod_by_pod_and_word_for_word() {
    let trials = trials();
    let Some(built_in) = by_the_built_in_controller(&trials).await else { return };
    let Some(ours) = by_our_policy(&trials).await else { return };
    let both = trials.iter().zip(built_in.iter().zip(&ours));
    let differences: Vec<String> = both
        .filter(|(_, (built_in, ours))| !built_in.is_told_by(ours))
        .map(|(trial, (built_in, ours))| format!("{}:\n  built-in: {built_in:?}\n  ours: {ours:?}", trial.name))
        .collect();
    count(&trials, &built_in);
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), trials.len(), differences.join("\n"));
}
