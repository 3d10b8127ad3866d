//! What may be edited and what is never held up, one test for each rule.

use super::*;
use serde_json::{Value, json};

fn pod(image: &str) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": image}]}})
}

fn workload(image: &str) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}}})
}

struct Call(Value);

impl Call {
    fn new(operation: &str, group: &str, kind: &str, object: &Value, old: &Value) -> Self {
        Self(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "operation": operation, "kind": {"group": group, "version": "v1", "kind": kind},
            "resource": {"group": group, "version": "v1", "resource": kind.to_lowercase() + "s"},
            "object": object, "oldObject": old,
        }}))
    }

    fn subresource(mut self, name: &str) -> Self {
        self.0["request"]["subResource"] = json!(name);
        self
    }

    fn plan(&self) -> Plan {
        Plan::of(&crate::review::decode(self.0.to_string().as_bytes()).unwrap(), &TemplatePaths::default())
    }
}

fn owned(mut object: Value) -> Value {
    object["metadata"]["ownerReferences"] = json!([{"kind": "Deployment", "name": "web", "controller": true}]);
    object
}

const EVERYTHING: Plan = Plan::Judge { edit: Editable::Everything, as_pods_will_be: false };

#[test]
fn a_new_workload_may_be_edited() {
    assert_eq!(Call::new("CREATE", "apps", "Deployment", &workload("a"), &Value::Null).plan(), EVERYTHING);
}

#[test]
fn an_object_with_a_controlling_owner_is_never_edited_and_judged_as_its_pods_will_be() {
    let as_pods = Plan::Judge { edit: Editable::Nothing, as_pods_will_be: true };
    assert_eq!(Call::new("CREATE", "apps", "ReplicaSet", &owned(workload("a")), &Value::Null).plan(), as_pods);
    assert_eq!(Call::new("CREATE", "batch", "Job", &owned(workload("a")), &Value::Null).plan(), as_pods);
    assert_eq!(Call::new("UPDATE", "apps", "ReplicaSet", &owned(workload("b")), &owned(workload("a"))).plan(), as_pods);
}

#[test]
fn a_pod_with_a_controlling_owner_is_edited() {
    assert_eq!(Call::new("CREATE", "", "Pod", &owned(pod("a")), &Value::Null).plan(), EVERYTHING);
}

#[test]
fn an_owner_that_does_not_control_is_no_reason() {
    let mut object = owned(workload("a"));
    object["metadata"]["ownerReferences"][0]["controller"] = json!(false);
    assert_eq!(Call::new("CREATE", "apps", "ReplicaSet", &object, &Value::Null).plan(), EVERYTHING);
}

#[test]
fn nothing_is_edited_when_the_template_is_as_it_was() {
    let mut scaled = workload("a");
    scaled["spec"]["replicas"] = json!(3);
    scaled["metadata"]["annotations"] = json!({"note": "x"});
    assert_eq!(Call::new("UPDATE", "apps", "Deployment", &scaled, &workload("a")).plan(), Plan::Unchanged);
}

#[test]
fn templates_are_compared_by_value_not_by_text() {
    let reordered = json!({"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [{"image": "a", "name": "app"}]}}}});
    assert_eq!(Call::new("UPDATE", "apps", "Deployment", &reordered, &workload("a")).plan(), Plan::Unchanged);
}

#[test]
fn a_changed_template_is_edited() {
    assert_eq!(Call::new("UPDATE", "apps", "Deployment", &workload("b"), &workload("a")).plan(), EVERYTHING);
}

#[test]
fn of_a_pod_only_images_may_change() {
    let plan = Call::new("UPDATE", "", "Pod", &pod("b"), &pod("a")).plan();
    assert_eq!(plan, Plan::Judge { edit: Editable::PodImages, as_pods_will_be: false });
}

#[test]
fn new_labels_on_a_pod_change_no_spec() {
    let mut labelled = pod("a");
    labelled["metadata"]["labels"] = json!({"a": "b"});
    labelled["metadata"]["finalizers"] = json!([]);
    assert_eq!(Call::new("UPDATE", "", "Pod", &labelled, &pod("a")).plan(), Plan::Unchanged);
}

#[test]
fn a_changed_job_is_judged_and_at_most_led_back_to_what_it_was() {
    let plan = Call::new("UPDATE", "batch", "Job", &workload("b"), &workload("a")).plan();
    assert_eq!(plan, Plan::Judge { edit: Editable::BackToBefore, as_pods_will_be: false });
}

#[test]
fn only_new_ephemeral_containers_may_be_edited() {
    let mut old = pod("a");
    old["spec"]["ephemeralContainers"] = json!([{"name": "first"}]);
    let plan = Call::new("UPDATE", "", "Pod", &old, &old).subresource("ephemeralcontainers").plan();
    assert_eq!(plan, Plan::Judge { edit: Editable::AddedEphemeral, as_pods_will_be: false });
}

#[test]
fn an_ephemeral_container_is_new_by_its_name_wherever_it_stands() {
    let with = |names: &[&str]| {
        let containers: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        Document::from_value(json!({"spec": {"ephemeralContainers": containers}}))
    };
    let before = with(&["a", "b"]);
    let added = |names: &[&str]| added_ephemeral(&with(names), Some(&before)).into_iter().collect::<Vec<_>>();
    assert_eq!(added(&["a", "b", "c"]), [2]);
    assert_eq!(added(&["c", "a", "b"]), [0]);
    assert_eq!(added(&["b", "c", "a", "d"]), [1, 3]);
    assert_eq!(added(&["c", "d"]), [0, 1]);
    assert!(added(&["b", "a"]).is_empty());
    let nameless = Document::from_value(json!({"spec": {"ephemeralContainers": [{"image": "debug"}]}}));
    assert_eq!(added_ephemeral(&nameless, None), BTreeSet::from([0]));
}

#[test]
fn a_resize_is_judged_and_not_edited() {
    let plan = Call::new("UPDATE", "", "Pod", &pod("a"), &pod("a")).subresource("resize").plan();
    assert_eq!(plan, Plan::Judge { edit: Editable::Nothing, as_pods_will_be: false });
}

#[test]
fn what_heals_a_cluster_is_never_held_up() {
    for subresource in ["status", "scale", "finalize", "binding", "eviction", "approval", "token"] {
        let plan =
            Call::new("UPDATE", "apps", "Deployment", &workload("b"), &workload("a")).subresource(subresource).plan();
        assert_eq!(plan, Plan::Pass, "{subresource}");
    }
}

#[test]
fn a_deletion_is_never_held_up() {
    assert_eq!(Call::new("DELETE", "", "Pod", &Value::Null, &pod("a")).plan(), Plan::Pass);
}

#[test]
fn an_object_that_is_being_deleted_is_never_held_up() {
    let mut leaving = pod("b");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(Call::new("UPDATE", "", "Pod", &leaving, &leaving).plan(), Plan::Pass);
}

#[test]
fn pod_images_are_all_that_the_scope_of_a_pod_update_allows() {
    let allows = |pointer: &str| Editable::PodImages.allows(&pointer.parse().unwrap(), &BTreeSet::new());
    assert!(allows("/spec/containers/0/image"));
    assert!(allows("/spec/initContainers/2/image"));
    assert!(!allows("/spec/ephemeralContainers/0/image"));
    assert!(!allows("/spec/containers/0/imagePullPolicy"));
    assert!(!allows("/metadata/labels/a"));
}

#[test]
fn of_ephemeral_containers_the_new_ones_alone_may_be_edited() {
    let allows = |pointer: &str| Editable::AddedEphemeral.allows(&pointer.parse().unwrap(), &BTreeSet::from([1]));
    assert!(allows("/spec/ephemeralContainers/1/securityContext/privileged"));
    assert!(!allows("/spec/ephemeralContainers/0/securityContext"));
    assert!(!allows("/spec/ephemeralContainers/1"));
    assert!(!allows("/spec/securityContext"));
}

#[test]
fn what_can_not_be_read_as_a_whole_is_never_the_same() {
    let deep = |image: &str| {
        let junk = (0..200).fold(json!(1), |inner, _| json!([inner]));
        let mut object = workload(image);
        object["spec"]["junk"] = junk;
        object
    };
    let plan = Call::new("UPDATE", "apps", "Deployment", &deep("b"), &deep("a")).plan();
    assert_ne!(plan, Plan::Unchanged);
}

#[test]
fn a_deletion_timestamp_on_a_new_object_is_no_deletion() {
    let mut fresh = pod("a");
    fresh["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(Call::new("CREATE", "", "Pod", &fresh, &Value::Null).plan(), EVERYTHING);
}

#[test]
fn kinds_whose_pods_alone_are_edited_are_judged_as_their_pods_will_be() {
    let as_pods = Plan::Judge { edit: Editable::Nothing, as_pods_will_be: true };
    let plan =
        |operation, old: &Value| Call::new(operation, "serving.knative.dev", "Service", &workload("b"), old).plan();
    assert_eq!(plan("CREATE", &Value::Null), as_pods);
    assert_eq!(plan("UPDATE", &workload("a")), as_pods);
}

#[test]
fn a_template_that_may_not_change_is_only_led_back_to_what_it_was() {
    let tasks =
        |image: &str| json!({"spec": {"tasks": [{"name": "a", "template": workload(image)["spec"]["template"]}]}});
    let update = |kind| Call::new("UPDATE", "batch.volcano.sh", kind, &tasks("b"), &tasks("a")).plan();
    assert_eq!(update("Job"), Plan::Judge { edit: Editable::BackToBefore, as_pods_will_be: false });
}

#[test]
fn who_connects_to_a_pod_is_judged_and_nothing_of_it_is_edited() {
    let judged = Plan::Judge { edit: Editable::Nothing, as_pods_will_be: false };
    for (subresource, kind) in [
        ("exec", "PodExecOptions"),
        ("attach", "PodAttachOptions"),
        ("portforward", "PodPortForwardOptions"),
        ("proxy", "PodProxyOptions"),
    ] {
        let options = json!({"kind": kind, "container": "app"});
        assert_eq!(Call::new("CONNECT", "", kind, &options, &Value::Null).subresource(subresource).plan(), judged);
    }
}

#[test]
fn other_connections_pass() {
    let call = Call::new("CONNECT", "", "Other", &json!({}), &Value::Null);
    assert_eq!(call.plan(), Plan::Pass);
    let call = Call::new("CONNECT", "", "Other", &json!({}), &Value::Null);
    assert_eq!(call.subresource("log").plan(), Plan::Pass);
}
