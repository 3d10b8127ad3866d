//! Who connects to a Pod, as `kubectl exec` does: a policy that asks for it judges the options that were sent, and
//! nothing is edited.

use portreeve_admission::response::RefusalKind;
use portreeve_server::set::read_folder;
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, mutate, validate};
use serde_json::{Value, json};

use crate::hostile::component;

/// A gate whose policy finds fault with shells.
fn watching(mode: &str) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    let policy = format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: no-shell}}\n\
         spec: {{module: {{file: {:?}, policy: watchful}}, mode: {mode}}}\n",
        component()
    );
    std::fs::write(folder.path().join("policies.yaml"), policy).unwrap();
    Setting::default().sources(read_folder(folder.path()).unwrap()).gate().unwrap()
}

/// What the API server sends of a connection: the options of it, and never the Pod.
fn connection(subresource: &str, kind: &str, command: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "00000000-0000-4000-8000-000000000001",
            "kind": {"group": "", "version": "v1", "kind": kind},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "subResource": subresource,
            "name": "web", "namespace": "shop", "operation": "CONNECT",
            "userInfo": {"username": "jane"},
            "object": {"apiVersion": "v1", "kind": kind, "container": "app", "command": [command], "stdin": true},
            "oldObject": null,
        }
    })
}

fn exec(command: &str) -> Value {
    connection("exec", "PodExecOptions", command)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_a_shell_in_a_pod_is_denied_and_who_runs_something_else_is_not() {
    let gate = watching("enforce");
    let refusal = validate(&gate, &exec("bash")).await.unwrap().refusal.expect("a shell is let in");
    assert_eq!(refusal.kind, RefusalKind::Forbidden);
    assert!(refusal.message.contains("jane runs [\"bash\"]"), "{}", refusal.message);
    assert!(validate(&gate, &exec("date")).await.unwrap().refusal.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_a_shell_in_a_pod_can_be_warned() {
    let warned = validate(&watching("warn"), &exec("bash")).await.unwrap();
    assert!(warned.refusal.is_none());
    assert!(warned.warnings.iter().any(|line| line.contains("jane runs [\"bash\"]")), "{warned:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_connections_and_what_corrects_are_left_alone() {
    let gate = watching("enforce");
    assert!(validate(&gate, &connection("attach", "PodAttachOptions", "bash")).await.unwrap().refusal.is_none());
    let told = mutate(&gate, &exec("bash")).await.unwrap();
    assert!(told.response.patch.is_none() && told.response.refusal.is_none(), "{told:?}");
}
