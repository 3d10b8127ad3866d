//! The token of the API server that its ServiceAccount plugin mounts in a Pod, in containers that have nothing mounted
//! where clients look for it. Source: Kubernetes' `plugin/pkg/admission/serviceaccount/admission.go`. Whether a policy
//! minds is its own affair.

use serde_json::{Value, json};

use super::{Completed, containers, items};
use crate::pointer::Pointer;

/// What the names of such volumes begin with. The plugin ends them with five random letters.
const PREFIX: &str = "kube-api-access-";
/// The name in a Pod that no API server has seen.
const UNSEEN: &str = "kube-api-access-00000";
/// Where clients look for their token.
const WELL_KNOWN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The kubelet's copy of a static Pod, which the plugin leaves alone.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Whether Pods of a service account get its token where they do not say themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Automount {
    /// They do, as with every account that does not say.
    #[default]
    Mount,
    /// The account says that they don't.
    Leave,
}

/// What is missing in the Pod whose metadata and spec these are.
pub(super) fn token(metadata: Option<&Value>, spec: &Value, account: Automount) -> Vec<Completed> {
    let is_mirror = metadata.is_some_and(|metadata| metadata.pointer("/annotations").is_some_and(has_mirror));
    let wanted = spec.get("automountServiceAccountToken").and_then(Value::as_bool);
    if is_mirror || !wanted.unwrap_or(account == Automount::Mount) {
        return Vec::new();
    }
    let there = items(spec, "volumes").find_map(|(_, volume)| name(volume).filter(|name| name.starts_with(PREFIX)));
    let mount = json!({"name": there.unwrap_or(UNSEEN), "readOnly": true, "mountPath": WELL_KNOWN});
    let bare = containers(spec).filter(|(_, container)| !has_mount(container));
    let mut missing: Vec<Completed> =
        bare.flat_map(|(at, container)| appended(container, &at, "volumeMounts", &mount)).collect();
    if there.is_none() && !missing.is_empty() {
        missing.extend(appended(spec, &Pointer::root(), "volumes", &volume()));
    }
    missing
}

fn has_mirror(annotations: &Value) -> bool {
    annotations.get(MIRROR).is_some()
}

fn has_mount(container: &Value) -> bool {
    items(container, "volumeMounts")
        .any(|(_, mount)| mount.get("mountPath").and_then(Value::as_str) == Some(WELL_KNOWN))
}

fn name(volume: &Value) -> Option<&str> {
    volume.get("name")?.as_str()
}

fn volume() -> Value {
    let token = json!({"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}});
    let authorities =
        json!({"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}});
    let field = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
    let namespace = json!({"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}});
    json!({"name": UNSEEN, "projected": {"defaultMode": 420, "sources": [token, authorities, namespace]}})
}

/// An item behind the last of a list of the holder at `at`, which may not be there yet.
fn appended(holder: &Value, at: &Pointer, list: &str, item: &Value) -> Vec<Completed> {
    let is_absent = holder.get(list).is_none_or(Value::is_null);
    let list = at.child(list);
    let made = is_absent.then(|| Completed::new(list.clone(), json!([])));
    made.into_iter().chain([Completed::behind(&list, item.clone())]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Holder, complete, take_back};
    use super::*;

    fn mounted(mut pod: Value, account: Automount) -> Value {
        let _ = complete(&mut pod, &Pointer::root(), Holder::Pod(account));
        pod
    }

    fn paths(pod: &Value, container: &str) -> Vec<String> {
        let mounts = pod.pointer(&format!("{container}/volumeMounts")).and_then(Value::as_array).into_iter().flatten();
        mounts.filter_map(|mount| mount["mountPath"].as_str().map(str::to_owned)).collect()
    }

    fn pod(rest: Value) -> Value {
        let mut spec = json!({"containers": [{"name": "a", "volumeMounts": [{"name": "x", "mountPath": "/x"}]}],
                              "initContainers": [{"name": "b"}]});
        spec.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"metadata": {"name": "web"}, "spec": spec})
    }

    #[test]
    fn every_container_of_a_pod_gets_a_token() {
        let pod = mounted(pod(json!({})), Automount::Mount);
        assert_eq!(paths(&pod, "/spec/containers/0"), ["/x", WELL_KNOWN]);
        assert_eq!(paths(&pod, "/spec/initContainers/0"), [WELL_KNOWN]);
        assert_eq!(pod["spec"]["volumes"][0]["name"], UNSEEN);
        assert_eq!(pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["path"], "token");
    }

    #[test]
    fn what_the_pod_says_counts_more_than_what_its_account_says() {
        let says = |word: bool| pod(json!({"automountServiceAccountToken": word}));
        assert_eq!(mounted(says(false), Automount::Mount), says(false));
        assert_eq!(mounted(pod(json!({})), Automount::Leave), pod(json!({})));
        assert_eq!(paths(&mounted(says(true), Automount::Leave), "/spec/initContainers/0"), [WELL_KNOWN]);
    }

    #[test]
    fn a_pod_that_has_its_token_already_is_left_alone() {
        let once = mounted(pod(json!({})), Automount::Mount);
        assert_eq!(mounted(once.clone(), Automount::Mount), once);
    }

    #[test]
    fn what_is_mounted_in_its_place_keeps_it_away() {
        let own = json!([{"name": "a", "volumeMounts": [{"name": "own", "mountPath": WELL_KNOWN}]}]);
        let pod = pod(json!({"containers": own, "initContainers": []}));
        assert_eq!(mounted(pod.clone(), Automount::Mount), pod);
    }

    #[test]
    fn the_copy_of_a_static_pod_is_left_alone() {
        let mut pod = pod(json!({}));
        pod["metadata"]["annotations"] = json!({MIRROR: "a"});
        assert_eq!(mounted(pod.clone(), Automount::Mount), pod);
    }

    #[test]
    fn a_token_can_be_taken_back_from_among_what_came_later() {
        let mut object = pod(json!({}));
        let put_in = complete(&mut object, &Pointer::root(), Holder::Pod(Automount::Mount));
        object["spec"]["volumes"].as_array_mut().unwrap().push(json!({"name": "tmp"}));
        take_back(&mut object, &put_in);
        assert_eq!(object, pod(json!({"volumes": [{"name": "tmp"}]})));
    }
}
