//! What `check` completes a Pod from a file with is what the API server makes of it: nothing else, and nothing less of
//! what policies look at.

use portreeve_admission::defaults::{Automount, Holder, complete};
use portreeve_admission::pointer::Pointer;
use portreeve_tests::api_server::Run;
use portreeve_tests::control_plane::Controllers;
use serde_json::{Value, json};

use crate::cluster::Cluster;

const NAMESPACE: &str = "completed";
/// What the names begin with of the volumes that hold a token.
const TOKEN: &str = "kube-api-access-";
const WELL_KNOWN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Pods that leave out what the API server puts in, by what they are about.
fn pods() -> Vec<(&'static str, Value)> {
    let own = json!([{"name": "own", "emptyDir": {}}]);
    let mounted = json!([{"name": "own", "mountPath": WELL_KNOWN}]);
    let container = |rest: Value| {
        let mut container = json!({"name": "app", "image": "team/app:1"});
        container.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!([container])
    };
    let limits = json!({"limits": {"cpu": "1", "memory": "64Mi"}});
    vec![
        ("token", json!({"containers": container(json!({})), "initContainers": [{"name": "first", "image": "a:1"}]})),
        ("no-token", json!({"containers": container(json!({})), "automountServiceAccountToken": false})),
        ("own-mount", json!({"containers": container(json!({"volumeMounts": mounted})), "volumes": own})),
        ("volume", json!({"containers": container(json!({})), "volumes": [{"name": "scratch"}]})),
        ("requests", json!({"containers": container(json!({"resources": limits}))})),
        ("ports", json!({"containers": container(json!({"ports": [{"containerPort": 8080}]})), "hostNetwork": true})),
        ("account", json!({"containers": container(json!({})), "serviceAccountName": "silent"})),
    ]
}

/// The names that the API server made up for tokens, made one.
fn unnamed(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) if text.starts_with(TOKEN) => TOKEN.into(),
        Value::Array(items) => items.iter_mut().map(|item| unnamed(item.take())).collect(),
        Value::Object(fields) => fields.iter_mut().map(|(name, field)| (name.clone(), unnamed(field.take()))).collect(),
        _ => value,
    }
}

/// Whether all that stands in `part` stands in `whole`, and lists are as long.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| holds(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}

fn volumes(pod: &Value) -> usize {
    pod["spec"]["volumes"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_from_a_file_is_completed_as_the_api_server_does() {
    let Some(cluster) = Cluster::start(Controllers::Running).await else { return };
    let named = |name: &str| json!({"name": name, "namespace": NAMESPACE});
    cluster.make_namespace(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})).await;
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": named("silent"), "automountServiceAccountToken": false,
    });
    cluster.api.create(&account, Run::Real).await.unwrap().done().unwrap();
    for (name, spec) in pods() {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": named(name), "spec": spec});
        let (made, _) = cluster.api.create(&pod, Run::Dry).await.unwrap().done().unwrap();
        let says = if name == "account" { Automount::Leave } else { Automount::Mount };
        let _ = complete(&mut pod, &Pointer::root(), Holder::Pod(says));
        let (made, completed) = (unnamed(made), unnamed(pod));
        assert!(holds(&made, &completed), "{name}: {made:#}\n{completed:#}");
        assert_eq!(volumes(&made), volumes(&completed), "{name}");
    }
}
